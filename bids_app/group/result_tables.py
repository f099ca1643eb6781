"""The columns of the group's tables, and their rows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.group.analyses import Test, headline_of, run_analysis
from bids_app.group.analysis_words import BETWEEN
from bids_app.group.cluster_labels import NAME_COLUMNS
from bids_app.group.sample import Sample
from bids_app.settings.settings import Trial

STATISTICS = {
    "t": "Student's t of the difference between the arms, of the mean change, or of the slope",
    "difference": "Adjusted difference between the arms, mean change, or slope, in the units of the map",
    "ciLow": "Lower end of the 95 % confidence interval of the difference",
    "ciHigh": "Upper end of the 95 % confidence interval of the difference",
    "hedgesG": "Difference over the standard deviation of the outcome, pooled within the arms (Hedges g)",
    "gLow": "Lower end of the 95 % confidence interval of Hedges g",
    "gHigh": "Upper end of the 95 % confidence interval of Hedges g",
    "partialR2": "Share of the adjusted variance that the effect explains",
    "n": "Participants",
    "tfce": "Statistic that was tested (by default signed threshold-free cluster enhancement of z: exact, E 0.5, H 2)",
    "p": "Two-sided permutation p of the statistic, uncorrected",
    "pFdr": "p after Benjamini and Hochberg",
    "pFwe": "p corrected over voxels and both signs by the maximum statistic",
    "pFweAll": "p corrected over voxels, signs, metrics and edge rules by the minimum p",
}
ROLE_TEXT = "Primary, secondary or exploratory, by the plan"
TABLE_COLUMNS = {
    "measure": "Graph measure",
    "edges": "Edge rule: r and its threshold, d and its density, auc (area over the densities), full (no threshold)",
    "estimator": "; ".join(f"{name}: {text.format(node='voxel or parcel')}" for name, text in BETWEEN.items())
    + "; period, carry-over: of a cross-over trial, descriptive; within with a name: follow-up minus baseline of that "
    "arm; slope, slope-by-arm: of a covariate",
    "t": STATISTICS["t"],
    "difference": STATISTICS["difference"],
    "ci_low": STATISTICS["ciLow"],
    "ci_high": STATISTICS["ciHigh"],
    "hedges_g": STATISTICS["hedgesG"],
    "g_low": STATISTICS["gLow"],
    "g_high": STATISTICS["gHigh"],
    "partial_r2": STATISTICS["partialR2"],
    "n": STATISTICS["n"],
    "p": "Two-sided permutation p, uncorrected",
    "p_fwe": "p corrected by the maximum statistic",
    "p_fwe_error": "Monte Carlo standard error of p_fwe; 0 where every draw was made",
    "p_fwe_all": "p corrected over metrics and edge rules too, by the minimum p",
    "p_fdr": "p after Benjamini and Hochberg",
}
NODE_COLUMNS = {
    "index": "Label of the parcel, or number of the measure or connection",
    "name": "Name of the parcel, measure or connection",
    "network": "Network of the parcel",
    **{axis: f"{axis} of the centre of the parcel, mm" for axis in "xyz"},
}
PAIR_COLUMNS = {
    **NODE_COLUMNS,
    "from": "One parcel",
    "to": "The other parcel",
    "component": "Number of the component of significant connections, as in the table of components; n/a if not "
    "significant",
}
COMPONENT_COLUMNS = {
    "measure": TABLE_COLUMNS["measure"],
    "edges": TABLE_COLUMNS["edges"],
    "estimator": TABLE_COLUMNS["estimator"],
    "component": "Number, from the smallest p",
    "direction": "Which arm has more",
    "n_connections": "Significant connections that hang together",
    "n_parcels": "Parcels that they join",
    "hubs": "The five parcels with the most of these connections, and how many",
    "strongest": "The connection with the largest statistic",
    "statistic": "Largest statistic: connections in the component (nbs), their sum of z (nbs-intensity), TFNBS, or t",
    "hedges_g": "Mean Hedges g over the connections",
    "p_fwe": "Smallest p corrected over all connections and both signs by the maximum statistic",
}


def cluster_columns() -> dict[str, str]:
    """Return what the columns of the table of clusters mean."""
    places = {
        "role": ROLE_TEXT,
        "direction": "Which arm, visit or end of the covariate has more",
        "n_voxels": "Voxels, or grayordinates, in the cluster",
        "volume_mm3": "Volume of the cluster in mm3; n/a on surfaces",
        **{f"peak_{axis}": f"{axis} of the voxel with the largest statistic, mm" for axis in "xyz"},
        **{f"centre_{axis}": f"{axis} of the centre of mass, mm" for axis in "xyz"},
    }
    values = {key: text for key, text in TABLE_COLUMNS.items() if key not in ("p", "p_fdr")}
    first = {key: values.pop(key) for key in ("measure", "edges", "estimator")}
    return {**first, **NAME_COLUMNS, **places, **values}


def effect_at(comparison: stats.Comparison, node: int) -> dict[str, Any]:
    """Return the estimates of one node, by column."""
    names = ("t", "difference", "ci_low", "ci_high", "hedges_g", "g_low", "g_high", "partial_r2", "n")
    return {name: getattr(comparison.effect, name)[node] for name in names}


def p_error(comparison: stats.Comparison) -> np.ndarray:
    """Return the Monte Carlo error of the corrected p of every node."""
    return stats.monte_carlo_error(comparison.p_fwe, len(comparison.max_statistics), comparison.exhaustive)


def nodal_table(parcels: pd.DataFrame, test: Test, comparison: stats.Comparison, p_all: np.ndarray) -> pd.DataFrame:
    """List the result of one test at every parcel."""
    named = parcels.assign(measure=test.feature.metric, edges=test.feature.edges)
    return with_results(named, test.analysis.key, comparison, p_all)


def compare_alone(
    table: pd.DataFrame, sample: Sample, visits: Mapping[str | None, np.ndarray], trial: Trial
) -> pd.DataFrame:
    """Compare values that have no neighbours, with one correction over all: the statistic is t.

    Parameters
    ----------
    table : DataFrame
        A row for each of the K values.
    sample : sample.Sample
        Its maps are not read.
    visits : dict of (n, K) ndarray
        By the session of the visit.
    trial : settings.Trial

    Returns
    -------
    DataFrame
        With the results of the headline's estimator, draws and standard errors.
    """
    analysis = headline_of(trial)
    comparison = run_analysis(analysis, replace(sample, grid=None, parcels=None), visits, trial)
    return with_results(table, analysis.key, comparison, comparison.p_fwe).drop(columns="p_fwe_all")


def with_results(table: pd.DataFrame, estimator: str, comparison: stats.Comparison, p_all: np.ndarray) -> pd.DataFrame:
    """Add the columns of a result to a table with a row per value tested."""
    effect = cast(stats.Effect, comparison.effect)
    return table.assign(
        estimator=estimator,
        t=effect.t,
        difference=effect.difference,
        ci_low=effect.ci_low,
        ci_high=effect.ci_high,
        hedges_g=effect.hedges_g,
        g_low=effect.g_low,
        g_high=effect.g_high,
        partial_r2=effect.partial_r2,
        n=effect.n,
        p=comparison.p,
        p_fwe=comparison.p_fwe,
        p_fwe_error=p_error(comparison),
        p_fwe_all=p_all,
        p_fdr=comparison.p_fdr,
    )
