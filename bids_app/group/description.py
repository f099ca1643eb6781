"""One group described: means, spreads and reliability, and no test."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from bids_app.bids.files import save_described, save_map
from bids_app.bids.result_names import group_name
from bids_app.bids.scans import Scan
from bids_app.graph.features import Feature
from bids_app.group.arm_tables import write_arms
from bids_app.group.map_sidecars import about_described
from bids_app.group.node_values import values_of
from bids_app.group.plan_record import write_plan
from bids_app.group.record import write_design
from bids_app.group.region_tables import NO_ROBUSTNESS
from bids_app.group.result_tables import PAIR_COLUMNS, TABLE_COLUMNS
from bids_app.group.routes import MapRoute
from bids_app.group.targets import GroupRun, Target
from bids_app.group.trial_tables import Scores
from bids_app.settings.deviation import Deviation
from bids_app.settings.roles import role_of
from bids_app.space.grid import Nodes
from bids_app.stats.reliability import intraclass_correlation
from bids_app.trial.flow import by_visit
from bids_app.trial.outcomes import outcome_columns, scores_as_written

Pair = tuple[Mapping[Feature, Scan], Mapping[Feature, Scan]]  # two runs of a participant
LEAST_WITH_TWO = 3  # of whom a reliability is worth a number
STATS = {
    "mean": "Mean over participants, in the units of the measure",
    "sd": "Standard deviation over participants",
    "n": "Participants who have the node",
    "icc": "Intraclass correlation of two runs of the visit, ICC(1,1) (Shrout & Fleiss 1979); it is not tested",
}
COLUMNS = {
    "measure": TABLE_COLUMNS["measure"],
    "edges": TABLE_COLUMNS["edges"],
    "n": "Participants",
    "mean": "Mean over participants of the mean over nodes, in the units of what is mapped",
    "sd": "Its standard deviation over participants",
    "lowest": "The smallest of them",
    "highest": "The largest of them",
    "n_with_two_runs": "Participants with two runs of the visit",
    "icc": "Median over nodes of the intraclass correlation of two runs; n/a where fewer than three have them",
}
SCORE_COLUMNS = {
    "outcome": "Clinical outcome",
    "visit": "Session, or visit where the scans have none",
    "n": "Participants with a score then",
    "missing": "Participants without",
    "mean": "Mean; nothing is tested",
    "sd": "Standard deviation over participants",
    "lowest": "The smallest score",
    "highest": "The largest",
}
RELIABILITY_COLUMNS = {
    "measure": TABLE_COLUMNS["measure"],
    "edges": TABLE_COLUMNS["edges"],
    "n": "Participants with both visits",
    "icc": "Median over nodes of the intraclass correlation of the two visits, ICC(1,1) (Shrout & Fleiss 1979): what "
    "everyone changes by counts against it. It is not tested",
    "icc_low": "Lower quartile over nodes",
    "icc_high": "Upper quartile over nodes",
}
OF_VISITS = STATS["icc"].replace("two runs of the visit", "the two visits")


def describe(run: GroupRun) -> None:
    """Write what there is to say of one group at one visit, where nothing is tested.

    Parameters
    ----------
    run : targets.GroupRun
    """
    if run.scores:
        _write_scores(run, run.scores)
    for target in run.targets:
        if run.settings.trial.robustness:
            run.notes.not_made(NO_ROBUSTNESS.format(route=target.route.name))
        write_design(run, target)
        write_arms(run, target)
        pairs = _two_runs(target)
        found = {feature: _described(target, feature, pairs) for feature in target.sample.features}
        write = _write_maps if isinstance(target.route, MapRoute) else _write_nodes
        write(run, target, found)
        rows = [_row(target, feature, of, len(pairs)) for feature, of in found.items()]
        save_described(run.path(target, "description"), pd.DataFrame(rows, columns=list(COLUMNS)), COLUMNS)
    write_plan(run, {})


def write_reliability(run: GroupRun, target: Target) -> None:
    """Write how alike two visits of one group are: a number of each measure, and of maps that of every node.

    Parameters
    ----------
    run : targets.GroupRun
    target : targets.Target
    """
    sample, rows = target.sample, []
    for feature, maps in sample.maps.items():
        first, later = (maps[session] for session in sample.design.visits.values())
        icc = intraclass_correlation(first, later)
        low, median, high = np.nanquantile(icc, (0.25, 0.5, 0.75)) if np.isfinite(icc).any() else (np.nan,) * 3
        row = {"n": len(first), "icc": median, "icc_low": low, "icc_high": high}
        rows.append({"measure": feature.metric, "edges": feature.edges, **row})
        if isinstance(target.route, MapRoute):
            _write_map(run, target, feature, "icc", icc, OF_VISITS)
    table = pd.DataFrame(rows, columns=list(RELIABILITY_COLUMNS))
    save_described(run.path(target, "reliability"), table, RELIABILITY_COLUMNS)


def has_reliability(run: GroupRun, target: Target) -> bool:
    """Say whether two visits of one group are measurements of the same, by enough people."""
    design = run.design
    alike = design.of_change and design.words.key == "one-group" and not design.summaries
    return alike and len(target.sample.arm) >= LEAST_WITH_TWO


def _write_scores(run: GroupRun, scores: Scores) -> None:
    """Write the clinical outcomes, and what they come to at each visit; a plan's primary one is decided by nothing."""
    trial, session = run.settings.trial, run.design.followup or "visit"
    save_described(run.trial_path("scores"), scores_as_written(scores.table, run.design), outcome_columns(run.design))
    table = describe_scores(scores.table.assign(visit=scores.table["visit"].replace("followup", session)))
    save_described(run.trial_path("description"), table, SCORE_COLUMNS)
    primary = [one for one in scores.outcomes if role_of(trial.plan, outcome=one, departed=trial.departed) == "primary"]
    run.notes.undecided([Deviation("primary_outcomes", one, "described, nothing is tested") for one in primary])


def describe_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Describe scores by outcome and visit.

    Parameters
    ----------
    table : DataFrame
        With the columns ``outcome``, ``visit`` and ``value``, NaN where a score is missing.

    Returns
    -------
    DataFrame
        Columns as `SCORE_COLUMNS`.

    Examples
    --------
    >>> scores = pd.DataFrame({"outcome": "hamd", "visit": "1", "value": [10.0, 14.0, np.nan]})
    >>> describe_scores(scores)[["n", "missing", "mean", "sd"]].round(3).to_numpy().tolist()
    [[2.0, 1.0, 12.0, 2.828]]
    """
    rows = [
        {
            "outcome": outcome,
            "visit": visit,
            "n": own.notna().sum(),
            "missing": own.isna().sum(),
            **_summary(own),
        }
        for (outcome, visit), own in table.groupby(["outcome", "visit"], sort=False)["value"]
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _summary(values: Any) -> dict[str, float]:
    """Return what a Series or an array comes to."""
    return {"mean": values.mean(), "sd": values.std(ddof=1), "lowest": values.min(), "highest": values.max()}


def _described(target: Target, feature: Feature, pairs: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Return each of `STATS` of every node; no reliability where too few have two runs."""
    values = next(iter(target.sample.maps[feature].values()))
    known = np.isfinite(values)
    n = known.sum(axis=0)
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(n, 1)
    squares = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    found = {"mean": mean, "sd": np.sqrt(squares / np.maximum(n - 1, 1)), "n": n}
    if len(pairs) < LEAST_WITH_TWO:
        return found
    first, second = (
        np.stack([values_of(pair[place][feature], feature.metric)[target.sample.kept] for pair in pairs])
        for place in (0, 1)
    )
    return found | {"icc": intraclass_correlation(first, second)}


def _two_runs(target: Target) -> list[Pair]:
    """Return the first two scans of everyone analysed who has two at the visit, each by feature."""
    flow, (session,) = target.flow, target.sample.design.visits.values()
    participants = flow.loc[flow["analysed"], "participant_id"].str.removeprefix("sub-")
    scans = {feature: by_visit(found) for feature, found in target.route.scans.items()}
    every = [{feature: of.get((name, session), []) for feature, of in scans.items()} for name in participants]
    ordered = [
        {feature: sorted(found, key=lambda scan: scan.path.name) for feature, found in of.items()} for of in every
    ]
    return [
        ({feature: found[0] for feature, found in of.items()}, {feature: found[1] for feature, found in of.items()})
        for of in ordered
        if min(map(len, of.values())) > 1
    ]


def _row(target: Target, feature: Feature, found: Mapping[str, np.ndarray], n_pairs: int) -> dict[str, Any]:
    own = np.nanmean(next(iter(target.sample.maps[feature].values())), axis=1)
    return {
        "measure": feature.metric,
        "edges": feature.edges,
        "n": len(own),
        **_summary(own),
        "n_with_two_runs": n_pairs,
        "icc": np.nanmedian(found["icc"]) if "icc" in found else np.nan,
    }


def _write_maps(run: GroupRun, target: Target, found: Mapping[Feature, Mapping[str, np.ndarray]]) -> None:
    for feature, of in found.items():
        for stat, values in of.items():
            _write_map(run, target, feature, stat, values, STATS[stat])


def _write_map(run: GroupRun, target: Target, feature: Feature, stat: str, values: np.ndarray, said: str) -> None:
    grid = cast(Nodes, target.sample.grid)
    name = group_name(target.route, run.design, "statmap", grid.extension, stat=stat, desc=feature.label)
    about = about_described(target.sample, said, feature)
    save_map(run.settings.group_dir / name, grid, np.asarray(values, dtype=float), about)


def _write_nodes(run: GroupRun, target: Target, found: Mapping[Feature, Mapping[str, np.ndarray]]) -> None:
    parcels = cast(pd.DataFrame, target.sample.parcels).drop(columns=["first", "second"], errors="ignore")
    tables = [parcels.assign(measure=feature.metric, edges=feature.edges, **of) for feature, of in found.items()]
    columns = {**PAIR_COLUMNS, "measure": TABLE_COLUMNS["measure"], "edges": TABLE_COLUMNS["edges"], **STATS}
    save_described(run.path(target, cast(Any, target.route).table), pd.concat(tables), columns)
