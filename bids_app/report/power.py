"""The page of a planned trial: its power by size, what it was planned from, and words for a protocol."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bids_app.bids.files import read_table, save_figure, save_text
from bids_app.bids.values import counted
from bids_app.report.pages import fixed, number, write_page
from bids_app.stats.planning import beside_itself
from bids_app.system.small_files import read_json

ESTIMATORS = {
    "ancova": "the follow-up adjusted for the baseline of the same node (ANCOVA)",
    "change": "the change from baseline to follow-up",
    "post": "the values at the visit, without a baseline",
    "crossover": "half the difference between the two periods, compared between the sequences",
    "within": "the mean change of one group",
}
SCHEMES = {
    "rerandomize": "re-randomization of the labels",
    "freedman-lane": "permutation of residuals (Freedman and Lane)",
    "sign-flips": "flips of signs",
}
STATISTICS = {
    "tfce": "threshold-free cluster enhancement (signed, E 0.5, H 2)",
    "voxel": "the t statistic",
    "extent": "the extent of clusters",
    "mass": "the mass of clusters",
    "t": "the t statistic",
    "nbs": "the count of connections in the component (network-based statistic)",
    "nbs-intensity": "the sum of z over the component (network-based statistic)",
    "tfnbs": "the threshold-free network-based statistic",
}
DESIGNS = {
    "parallel": "a randomized trial with parallel arms",
    "groups": "a comparison of groups that nobody randomized",
    "crossover": "a 2 × 2 cross-over trial",
    "one-group": "one group before and after",
}


def write_power_page(folder: Path) -> Path:
    """Write the figure, the words and the page from the files of a folder.

    Parameters
    ----------
    folder : Path
        With ``results.json`` and ``power.tsv``.

    Returns
    -------
    Path
    """
    record, table = read_json(folder / "results.json"), read_table(folder / "power.tsv")
    each = read_table(folder / "comparisons.tsv") if (folder / "comparisons.tsv").exists() else pd.DataFrame()
    figure = folder / "power.svg"
    save_figure(figure, power_figure(table, record))
    words = sample_size_words(record, table)
    save_text(folder / "sample_size.txt", "\n\n".join(words) + "\n")
    page = folder / "index.html"
    write_page(
        page,
        "power.html.jinja",
        record=record,
        rows=table.to_dict("records"),
        each=each.to_dict("records"),
        figure=figure,
        words=words,
        by_effect=_by_effect(record),
        adjusted=_adjusted_words(record["Analysis"]),
        designs=DESIGNS,
        estimators=ESTIMATORS,
        schemes=SCHEMES,
        statistics=STATISTICS,
        warnings=[one for one in record["Findings"] if one["Warning"]],
    )
    return page


def _by_effect(record: Mapping[str, Any]) -> bool:
    return bool(record["Wanted"]["LooksFor"] == "effect")


def power_figure(table: pd.DataFrame, record: Mapping[str, Any]) -> Figure:
    """Draw power and false alarms by what was tried, with their Monte Carlo intervals and the curve.

    Parameters
    ----------
    table : DataFrame
        As ``power.tsv``.
    record : dict
        As ``results.json``.
    """
    x = table["effect_size"].abs() if _by_effect(record) else table["n"]
    figure, axis = plt.subplots(figsize=(8, 4.4), layout="constrained")
    if curve := record.get("Curve"):
        axis.fill_between(curve["Sizes"], curve["Low"], curve["High"], color="#0072b2", alpha=0.15, linewidth=0)
        axis.plot(curve["Sizes"], curve["Power"], color="#0072b2", linewidth=1.2, label="fitted, with 95 % interval")
    _draw(axis, x, table, ("power", "power_low", "power_high"), {"color": "#0072b2", "fmt": "o"}, "found in the region")
    alarms = ("false_alarms", "false_alarms_low", "false_alarms_high")
    _draw(axis, x, table, alarms, {"color": "#d55e00", "fmt": "s"}, "without an effect: anything found")
    axis.plot(x, table["power_of_mean"], color="#555555", linestyle=":", label="mean over the region, by theory")
    axis.axhline(record["Wanted"]["Power"], color="#1b1b1b", linewidth=0.7, linestyle="--")
    axis.axhline(record["Analysis"]["Alpha"], color="#d55e00", linewidth=0.7, linestyle="--")
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("effect, standard deviations" if _by_effect(record) else "participants randomized")
    axis.set_ylabel("share of trials")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
    return figure


def _draw(
    axis: Any, x: pd.Series, table: pd.DataFrame, names: tuple[str, str, str], look: dict[str, Any], label: str
) -> None:
    middle, low, high = (table[name].to_numpy(float) for name in names)
    margins = np.clip([middle - low, high - middle], 0, None)
    axis.errorbar(x, middle, yerr=margins, capsize=3, linestyle="none", label=label, **look)


def sample_size_words(record: Mapping[str, Any], table: pd.DataFrame) -> list[str]:
    """Say for a protocol how the size was found, in paragraphs.

    Parameters
    ----------
    record, table
        As of `power_figure`.
    """
    maps, effect, analysis, run = record["Maps"], record["Effect"], record["Analysis"], record["Simulation"]
    node = _node(maps["Route"])
    return [
        " ".join(("Sample size.", record["Answer"][0], _effect_words(record), _lost_words(record["Design"]))).strip(),
        f"The analysis simulated is the planned one: {ESTIMATORS[analysis['Estimator']]}{_adjusted_words(analysis)}, "
        f"tested at every {node} by {SCHEMES[analysis['Scheme']]} with {STATISTICS[analysis['Statistic']]}"
        f"{' and HC3 standard errors' if analysis['StandardErrors'] == 'HC3' else ''}, p corrected for the family-wise "
        f"error over {number(int(maps['Nodes']))} {node}s and both signs{_further(analysis)}, at a level of "
        f"{analysis['Alpha']:g}. An effect counts as found where any {node} of the region ({effect['Place']}) is "
        "significant with the right sign.",
        f"{_trials(table)} trials of each size were simulated, each with {run['Draws']} draws. Their noise is that of "
        f"the maps of {maps['Participants']} participants, pooled over arms (blinded): {_noise_words(maps)} "
        f"{record['Answer'][1]} (trialgraph {record['Version']}, seed {run['RandomSeed']}).",
    ]


def _effect_words(record: Mapping[str, Any]) -> str:
    effect, looked_for = record["Effect"], _by_effect(record)
    size = "" if looked_for else f" of {fixed(abs(effect['EffectSize']))} standard deviations"
    which = effect["Comparisons"]
    among = f" (in {', '.join(which)})" if len(which) > 1 else ""
    way = "" if looked_for else "a decrease" if effect["EffectSize"] < 0 else "an increase"
    return f"The effect is {way or 'a difference'}{size} in {effect['Measure'].lower()} in {effect['Name']}{among}."


def _lost_words(design: Mapping[str, Any]) -> str:
    lost = [(design["DropOut"], "drop out"), (design["ExcludedForMotion"], "are excluded for motion")]
    said = " and ".join(f"{100 * share:g} % {what}" for share, what in lost if share)
    return f"It is assumed that {said}, whatever their arm." if said else "Nobody is assumed to be lost."


def _node(route: str) -> str:
    """Return what a node of a route is called, of its name."""
    of_tables = {"parcels": "parcel", "connections": "connection", "global": "measure"}
    return of_tables.get(route.partition(" ")[0], route.removesuffix("s"))


def _adjusted_words(analysis: Mapping[str, Any]) -> str:
    n_covariates, n_strata, share = analysis["Covariates"], analysis["Strata"], analysis["Explained"]
    columns = [counted(n_covariates, "covariate")] * bool(n_covariates)
    columns += [f"{n_strata} strata of the randomization"] * (n_strata > 1)
    explain = f", which explain {100 * share:g} % of the error variance" if share else ", assumed to explain nothing"
    return f" with {' and '.join(columns)}{explain}" if columns else ""


def _further(analysis: Mapping[str, Any]) -> str:
    if analysis["CorrectedOverMeasures"]:
        return f" and over {counted(len(analysis['Measures']), 'measure')}"
    if analysis["AllComparisons"] > 1:
        return f" and over all {analysis['AllComparisons']} comparisons"
    return ""


def _trials(table: pd.DataFrame) -> str:
    least, most = int(table["trials"].min()), int(table["trials"].max())
    return str(most) if least == most else f"{least} to {most}"


def _noise_words(maps: Mapping[str, Any]) -> str:
    """Say what the noise is like."""
    parts = ["their variance at each node"]
    r = np.array(maps["CorrelationOfVisits"], dtype=float)
    if len(r) > 1:
        said = "an assumed correlation" if maps["CorrelationIsAssumed"] else "a correlation"
        parts.append(f"{said} of visits of {fixed(beside_itself(r))}")
    if maps.get("FWHM"):
        parts.append(f"a smoothness of {number(maps['FWHM'])} mm FWHM")
    fields = "fields of that smoothness" if maps.get("FWHM") else f"values of each {_node(maps['Route'])} by itself"
    parts.append(f"{100 * maps['RandomFields']:.0f} % of the variance from random {fields}")
    return ", ".join(parts) + "."
