"""The files of the group level: maps, cluster table, nodal table, whole-brain values, design."""

import logging

import numpy as np
import pandas as pd

from bids_app import __version__, stats
from bids_app.analyses import BETWEEN, analyses_of
from bids_app.derivatives import label_of
from bids_app.features import AREA, FULL, edges_text
from bids_app.flow import FLOW_COLUMNS, by_visit, weights
from bids_app.graph import EdgeRule
from bids_app.names import label
from bids_app.outputs import save_image, save_json, save_table, sidecar_of
from bids_app.roles import role_of
from bids_app.routes import group_name

logger = logging.getLogger(__name__)
STATISTICS = {
    "t": "Student's t of the difference between the arms",
    "difference": "Adjusted difference between the arms, mean change, or slope, in the units of the map",
    "ciLow": "Lower end of the 95 % confidence interval of the difference",
    "ciHigh": "Upper end of the 95 % confidence interval of the difference",
    "hedgesG": "Difference over the pooled within-arm standard deviation of the outcome (Hedges g)",
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
_ROLE_TEXT = "Primary, secondary or exploratory, by the plan"
TABLE_COLUMNS = {
    "metric": "Graph measure",
    "edges": "Edge rule: r and its threshold, d and its density, auc (area over the densities), full (no threshold)",
    "estimator": "; ".join(f"{name}: {text.format(node='voxel or parcel')}" for name, text in BETWEEN.items())
    + "; within: follow-up minus baseline of one arm; slope, slope-by-arm: of a covariate",
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


def write_results(settings, route, design, problem, comparisons):
    """Write all files of one route.

    Parameters
    ----------
    settings : Settings
    route : assembly.Route
    design : cohort.Design
    problem : assembly.Problem
    comparisons : dict of stats.Comparison
        Keyed by (feature, analysis).

    Returns
    -------
    list of Path
    """
    corrected = _across_metrics(comparisons)
    write = _write_voxels if route.is_voxels else _write_parcels
    return write(settings, route, design, problem, comparisons, corrected)


def _across_metrics(comparisons):
    """Return p corrected over the features of each analysis."""
    corrected = {}
    for analysis in {analysis for _, analysis in comparisons}:
        keys = [key for key in comparisons if key[1] == analysis]
        corrected |= dict(zip(keys, stats.across([comparisons[key] for key in keys]), strict=True))
    return corrected


def _write_voxels(settings, route, design, problem, comparisons, corrected):
    folder, written = settings.output_dir / "group", []
    for (feature, analysis), comparison in comparisons.items():
        desc = map_desc(feature, analysis)
        for statistic, values in _maps(comparison, corrected[feature, analysis]).items():
            name = group_name(route, design, "statmap", ".nii.gz", stat=statistic, desc=desc)
            sidecar = {
                "Description": f"{STATISTICS[statistic]}: {feature.title}; {design.contrast}.",
                "Estimator": analysis.text("voxel", design),
                "Role": _role(settings.trial, feature, analysis),
                "Statistic": settings.trial.statistic,
                "StandardErrors": "HC3" if settings.trial.hc3 else "ordinary",
                "DegreesOfFreedom": comparison.effect.df,
                "NumberOfDraws": len(comparison.max_statistics),
                "Software": f"trialgraph {__version__}",
            }
            save_image(folder / name, problem.grid.image(values), sidecar)
            written.append(folder / name)
    table = cluster_table(problem.grid, comparisons, corrected, design, settings.trial)
    path = folder / group_name(route, design, "clusters", ".tsv")
    _save_described(path, table, _cluster_columns())
    return [*written, path]


def map_desc(feature, analysis):
    """Return the desc label of a map of the group level."""
    return feature.label + analysis.suffix


def _role(trial, feature, analysis):
    """Say what a result counts for by the plan; an edge rule beside the planned one is exploratory."""
    plan = trial.plan
    planned = plan and {f"r{plan.threshold}", f"density{plan.density}"}
    if plan and feature.edges not in (FULL, AREA):
        rule = EdgeRule.parse(feature.edges)
        if (plan.threshold, plan.density) != (None, None) and f"{rule.kind}{rule.value}" not in planned:
            return "exploratory"
    return role_of(plan, metric=feature.metric, estimator=analysis.estimator, departed=trial.departed)


def _save_described(path, table, columns):
    save_json(sidecar_of(path), {name: {"Description": columns[name]} for name in table})
    save_table(path, table)


def _maps(comparison, p_all):
    effect = comparison.effect
    return {
        "t": effect.t,
        "difference": effect.difference,
        "ciLow": effect.ci_low,
        "ciHigh": effect.ci_high,
        "hedgesG": effect.hedges_g,
        "gLow": effect.g_low,
        "gHigh": effect.g_high,
        "partialR2": effect.partial_r2,
        "n": effect.n,
        "tfce": comparison.statistic,
        "p": comparison.p,
        "pFdr": comparison.p_fdr,
        "pFwe": comparison.p_fwe,
        "pFweAll": p_all,
    }


def cluster_table(grid, comparisons, corrected, design, trial):
    """List the significant clusters.

    Parameters
    ----------
    grid : Grid
    comparisons : dict of stats.Comparison
    corrected : dict of (V,) ndarray
        p over all features.
    design : cohort.Design
    trial : config.Trial

    Returns
    -------
    DataFrame
        A row per cluster of voxels with p_fwe of alpha or less; coordinates in mm of the template space.
    """
    neighbours = stats.neighbours(grid.mask, trial.connectivity)
    coordinates, volume = grid.coordinates, float(np.prod(grid.voxel_size))
    rows = []
    for (feature, analysis), comparison in comparisons.items():
        for cluster in stats.find_clusters(comparison.p_fwe, comparison.statistic, neighbours, trial.alpha):
            peak = coordinates[cluster.peak]
            centre = coordinates[cluster.nodes].mean(axis=0)
            rows.append(
                {
                    "metric": feature.metric,
                    "edges": feature.edges,
                    "estimator": analysis.key,
                    "role": _role(trial, feature, analysis),
                    "direction": analysis.direction(cluster.sign, design),
                    "n_voxels": len(cluster.nodes),
                    "volume_mm3": len(cluster.nodes) * volume,
                    **dict(zip(("peak_x", "peak_y", "peak_z"), peak, strict=True)),
                    **dict(zip(("centre_x", "centre_y", "centre_z"), centre.round(1), strict=True)),
                    **_at(comparison, cluster.peak),
                    "p_fwe": comparison.p_fwe[cluster.peak],
                    "p_fwe_error": _error(comparison)[cluster.peak],
                    "p_fwe_all": corrected[feature, analysis][cluster.peak],
                }
            )
    return pd.DataFrame(rows, columns=list(_cluster_columns()))


def _cluster_columns():
    places = {
        "role": _ROLE_TEXT,
        "direction": "Which arm, visit or end of the covariate has more",
        "n_voxels": "Voxels in the cluster",
        "volume_mm3": "Volume of the cluster in mm3",
        **{f"peak_{axis}": f"{axis} of the voxel with the largest statistic, mm" for axis in "xyz"},
        **{f"centre_{axis}": f"{axis} of the centre of mass, mm" for axis in "xyz"},
    }
    values = {key: text for key, text in TABLE_COLUMNS.items() if key not in ("p", "p_fdr")}
    first = {key: values.pop(key) for key in ("metric", "edges", "estimator")}
    return {**first, **places, **values}


def _at(comparison, node):
    names = ("t", "difference", "ci_low", "ci_high", "hedges_g", "g_low", "g_high", "partial_r2", "n")
    return {name: getattr(comparison.effect, name)[node] for name in names}


def _error(comparison):
    return stats.monte_carlo_error(comparison.p_fwe, len(comparison.max_statistics), comparison.exhaustive)


def _write_parcels(settings, route, design, problem, comparisons, corrected):
    tables = [
        nodal_table(problem.parcels, key, comparison, corrected[key]).assign(role=_role(settings.trial, *key))
        for key, comparison in comparisons.items()
    ]
    path = settings.output_dir / "group" / group_name(route, design, "nodes", ".tsv")
    columns = {"index": "Label of the parcel", "name": "Name of the parcel", **TABLE_COLUMNS, "role": _ROLE_TEXT}
    _save_described(path, pd.concat(tables), columns)
    return [path]


def nodal_table(parcels, key, comparison, p_all):
    """List the result of one feature and analysis at every parcel."""
    feature, analysis = key
    return _tested(parcels.assign(metric=feature.metric, edges=feature.edges), analysis.key, comparison, p_all)


def _tested(table, estimator, comparison, p_all):
    effect = comparison.effect
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
        p_fwe_error=_error(comparison),
        p_fwe_all=p_all,
        p_fdr=comparison.p_fdr,
    )


def write_design(settings, route, design, problem, flow, failed=()):
    """Write who was compared and how, as the page and the reader need it; return the path of the JSON."""
    folder = settings.output_dir / "group"
    trial = settings.trial
    draws = problem.draws(trial)
    n_active = int(problem.arm.sum())
    scans = next(iter(route.scans.values()))
    several = int((flow.loc[flow["analysed"], ["baseline_scans", "followup_scans"]] > 1).to_numpy().sum())
    used = list(problem.covariates.columns)
    node, analyses = "voxel" if route.is_voxels else "parcel", analyses_of(trial, design)
    content = {
        "Route": route.name,
        "Contrast": design.contrast,
        "ArmColumn": design.arm_column,
        "ActiveArm": design.active,
        "ReferenceArm": design.reference,
        "BaselineSession": design.baseline,
        "FollowupSession": design.followup,
        "NumberAnalysed": {design.active: n_active, design.reference: len(problem.arm) - n_active},
        "Estimators": {one.key: one.text(node, design) for one in analyses if one.compares_arms},
        "Descriptive": {one.key: one.text(node, design) for one in analyses if not one.compares_arms},
        "Headline": analyses[0].key,
        "MapSuffixes": {one.key: one.suffix for one in analyses},
        "Scheme": trial.scheme,
        "Statistic": trial.statistic if route.is_voxels else "t",
        "Connectivity": trial.connectivity if route.is_voxels else None,
        "ClusterThreshold": trial.cluster_threshold if trial.statistic.startswith("cluster") else None,
        "StandardErrors": "HC3" if trial.hc3 else "ordinary",
        "TailApproximation": trial.tail_approximation,
        "MinPerArm": trial.min_per_arm,
        "VarianceWarnings": _variance_warnings(problem),
        "Covariates": used,
        "BaselineMotionAdjusted": "baseline_mean_fd" in used,
        "Strata": list(trial.strata),
        "Draws": len(draws.arms),
        "AllAllocationsEnumerated": draws.exhaustive,
        "PossibleAllocations": str(draws.n_possible),
        "RandomSeed": trial.random_seed,
        "Features": [
            {
                "Metric": one.metric,
                "Edges": one.edges,
                "Title": one.title,
                "Role": _role(trial, one, analyses[0]),
            }
            for one in problem.followup
        ],
        "MapValues": trial.map_values if route.is_voxels else "raw",
        "SmoothingFWHM": settings.graph.smooth_maps if route.is_voxels else None,
        "EdgeRules": sorted({edges_text(one.edges) for one in problem.followup if one.edges != FULL}),
        "MinMinutes": settings.signal.min_minutes,
        "MinutesKnown": bool(
            flow.loc[flow["analysed"], ["baseline_minutes", "followup_minutes"]].notna().all(axis=None)
        ),
        "NodesInMask": max(scan.sidecar["NumberOfNodes"] for scan in scans) if route.is_voxels else problem.kept.size,
        "NodesCompared": int(problem.kept.sum()),
        "VoxelSize": list(problem.grid.voxel_size) if route.is_voxels else None,
        "VisitsWithSeveralScans": several,
        "FailedScans": [{"Scan": scan.name, "Reason": scan.reason} for scan in failed],
        "Alpha": trial.alpha,
        "Software": f"trialgraph {__version__}",
    }
    path = folder / group_name(route, design, "design", ".json")
    _save_described(folder / group_name(route, design, "flow", ".tsv"), flow, FLOW_COLUMNS)
    save_json(path, content)
    return path


def _variance_warnings(problem):
    """Say of which features the arms differ so much in size and spread that their mean cannot be tested as it is."""
    found = {}
    for feature, followup in problem.followup.items():
        warning = stats.variance_warning(followup, problem.arm)
        if warning.serious:
            found[feature.title] = warning.text
            logger.warning("%s: %s", feature.title, warning.text)
    return found


def write_whole_brain(settings, route, design, problem, flow):
    """Compare the mean of each raw map over the whole brain, which z-scored maps cannot show."""
    values = _whole_brain(route, flow, design)
    baseline, followup = (np.column_stack([both[visit] for both in values.values()]) for visit in (0, 1))
    comparison = stats.compare_arms(followup, baseline, problem.nuisance(), problem.draws(settings.trial))
    means = {"metric": [one.metric for one in values], "edges": [one.edges for one in values]}
    columns = dict(TABLE_COLUMNS)
    for visit, both in (("baseline", baseline), ("followup", followup)):
        for arm, members in ((design.active, problem.arm == 1), (design.reference, problem.arm == 0)):
            means[f"{visit}_mean_{label(arm)}"] = both[members].mean(axis=0)
            columns[f"{visit}_mean_{label(arm)}"] = f"Mean of {arm} at {visit}, in the units of the measure"
    table = _tested(pd.DataFrame(means), "ancova", comparison, comparison.p_fwe)
    path = settings.output_dir / "group" / group_name(route, design, "wholebrain", ".tsv")
    _save_described(path, table.drop(columns="p_fwe_all"), columns)
    return path


def _whole_brain(route, flow, design):
    participants = [name.removeprefix("sub-") for name in flow.loc[flow["analysed"], "participant_id"]]
    values = {}
    for feature, scans in route.scans.items():
        visits = by_visit(scans)
        means = {
            key: weights(of_visit) @ [_mean_of(scan, feature) for scan in of_visit] for key, of_visit in visits.items()
        }
        values[feature] = [
            np.array([means[participant, session] for participant in participants])
            for session in (design.baseline, design.followup)
        ]
    return values


def _mean_of(scan, feature):
    """Return the mean over nodes of a raw measure, from the sidecar or the nodal table."""
    if "Mean" in scan.sidecar:
        return scan.sidecar["Mean"]
    return pd.read_csv(scan.path, sep="\t", na_values="n/a")[label_of(feature.metric)].mean()
