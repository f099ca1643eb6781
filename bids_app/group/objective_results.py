"""What the results hold of each objective of the plan: which row or map decides, and what it says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.bids.files import read_table
from bids_app.bids.result_names import study_name
from bids_app.graph.features import FULL, Feature
from bids_app.graph.measures import ALL_GLOBALS, CONNECTIVITY, GLOBALS
from bids_app.group.analyses import Test, headline_of
from bids_app.group.found_routes import NAMED
from bids_app.group.routes import ConnectionRoute, GlobalRoute, MapRoute, ParcelRoute, Route
from bids_app.group.targets import GroupRun, Target
from bids_app.report.pages import interval
from bids_app.settings.objectives import HEDGES_G, OF_MEANS, SUMMARIES, Objective
from bids_app.settings.roles import outcome_model, planned_edges
from bids_app.settings.settings import DESCRIBED, Trial
from bids_app.trial.design import Design

SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Result:
    """What decides an objective.

    Attributes
    ----------
    comparison, method, which_p, text : str
        What was compared, how it was estimated, what p is, and what was found, in words.
    p : float
        Valid by itself; NaN if there is none.
    effect_kind : str
        What stands beside the estimate.
    n : int or None
    estimate, ci_low, ci_high : float
    lacks : str
        Why there is no p.
    """

    comparison: str = ""
    method: str = ""
    which_p: str = ""
    text: str = ""
    p: float = np.nan
    effect_kind: str = ""
    n: int | None = None
    estimate: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    lacks: str = ""


def result_of(one: Objective, runs: Sequence[GroupRun], folder: Path) -> Result:
    """Return what the results hold of an objective.

    Parameters
    ----------
    one : Objective
    runs : list of GroupRun
        Of each comparison, whose files are written.
    folder : Path
        Of the group level.
    """
    fitting = [run for run in runs if fits(one, run.design)]
    if runs[0].settings.trial.estimator == DESCRIBED:
        return Result(lacks="people are described, and nothing was tested")
    if len(fitting) != 1:
        there = ", ".join(run.design.comparison for run in runs)
        found = "no comparison is" if not fitting else f"{len(fitting)} comparisons are"
        return Result(lacks=f"{found} of this treatment and visit; there is {there}")
    return _of_outcome(one, fitting[0], folder) if one.outcome else _of_measure(one, fitting[0])


def gives(one: Objective, found: Result) -> bool:
    """Say whether what was estimated is the summary that is planned.

    Examples
    --------
    >>> one = Objective(name="Mood", role="primary", outcome="hamd17", summary="odds ratio")
    >>> gives(one, Result(method="ancova")), gives(one, Result(method="proportion"))
    (False, True)
    """
    if one.summary is None:
        return True
    if one.summary == HEDGES_G:
        return any(found.method in SUMMARIES[name] for name in OF_MEANS)
    return found.method in SUMMARIES[one.summary]


def fits(one: Objective, design: Design) -> bool:
    """Say whether a comparison is of an objective's treatment and visit."""
    sides = () if design.single and not design.of_change else design.sides
    return one.is_of(sides, (design.followup, design.baseline) if design.own_sessions else (design.followup,))


def _of_outcome(one: Objective, run: GroupRun, folder: Path) -> Result:
    """Return the row that decides an outcome: of all comparisons together, or of its own."""
    name, _, cutoff = str(one.outcome).partition(":")
    trial, rows = run.settings.trial, pd.DataFrame()
    together = folder / study_name("mmrm")
    of_all = not run.alone and outcome_model(trial, alone=False) == "mmrm" and not cutoff and name not in trial.ordinal
    if of_all and together.exists():
        table, design = read_table(together, dtype={"followup": str, "outcome": str}), run.design
        own = (table["active"] == design.active) & (table["reference"] == design.reference)
        rows = table[own & (table["outcome"] == name) & (table["followup"] == design.followup)].assign(method="mmrm")
    elif run.trial_path("outcomes").exists():
        table = read_table(run.trial_path("outcomes"))
        ours = (table["outcome"] == name) & (table["endpoint"] == (cutoff or "score"))
        rows = table[ours & (table["analysis"] == "main")]
    if len(rows) != 1:
        return Result(comparison=run.design.comparison, lacks=f"no row of the outcomes decides {one.outcome}")
    row: dict[str, Any] = {str(key): value for key, value in rows.iloc[0].items()}
    n = sum(int(row[side]) for side in ("n_active", "n_reference") if side in row)
    return _of_row(row | {"n": n, "difference": row["estimate"]}, run, "p of the outcome by itself")


def _of_row(row: dict[str, Any], run: GroupRun, which_p: str) -> Result:
    """Return what a row of a table says; Hedges g, or what else stands beside the estimate, with it."""
    if pd.isna(row["p"]):
        note = row.get("note")
        why = f" ({note})" if isinstance(note, str) and note else ""
        return Result(comparison=run.design.comparison, lacks=f"it could not be estimated{why}")
    kind = row.get("effect_kind") or ("Hedges g" if "hedges_g" in row else "")
    size = ("hedges_g", "g_low", "g_high") if "hedges_g" in row else ("effect_size", "effect_low", "effect_high")
    beside = f"; {kind} {interval(row, *size, 2)}" if isinstance(kind, str) and kind and pd.notna(row[size[0]]) else ""
    return Result(
        comparison=run.design.comparison,
        method=str(row.get("method", row.get("estimator"))),
        which_p=which_p,
        text=f"{run.design.contrast} {interval(row, 'difference', 'ci_low', 'ci_high')}{beside}",
        p=float(row["p"]),
        effect_kind=kind if isinstance(kind, str) else "",
        n=int(row["n"]),
        estimate=float(row["difference"]),
        ci_low=float(row["ci_low"]),
        ci_high=float(row["ci_high"]),
    )


def _of_measure(one: Objective, run: GroupRun) -> Result:
    fitting = [(target, feature) for target in run.targets for feature in _features(one, target, run.settings.trial)]
    if one.region:
        fitting = [(target, feature) for target, feature in fitting if one.region in target.named]
    if len(fitting) != 1:
        what = "nothing" if not fitting else " and ".join(target.route.name for target, _ in fitting)
        asked = " of ".join(filter(None, (one.measure or one.whole_graph or "connections", one.region)))
        say = "" if not fitting else ": the plan has to say nodes, or the edge rule"
        return Result(comparison=run.design.comparison, lacks=f"{what} has {asked} as it is planned{say}")
    target, feature = fitting[0]
    if one.whole_graph:
        return _of_graph(one.whole_graph, run, target, feature)
    return _in_region(one, run, target, feature) if one.region else _anywhere(run, target, feature)


def _features(one: Objective, target: Target, trial: Trial) -> Iterator[Feature]:
    """Yield which features of a route are an objective's measure, by its edge rule or the planned one."""
    route = target.route
    kinds, metric, place = _sought(one)
    if not isinstance(route, kinds) or place not in (None, route.name, _atlas(route.name)):
        return
    own = [feature for feature in route.scans if feature.metric == metric]  # the maps themselves may be gone
    edges = (one.edges or planned_edges(trial.plan), FULL)
    planned = [feature for feature in own if feature.edges in edges]
    yield from planned or (own if one.edges is None and len(own) == 1 else [])


def _sought(one: Objective) -> tuple[tuple[type[Route], ...], str | None, str | None]:
    """Return of which kinds of route an objective may be, by which measure, and of which nodes or atlas."""
    if one.connections:
        return (ConnectionRoute,), CONNECTIVITY.name, one.connections
    if one.whole_graph:
        return (GlobalRoute,), ALL_GLOBALS.name, one.nodes
    return (MapRoute, ParcelRoute), one.measure, one.nodes


def _atlas(route: str) -> str:
    """Return the atlas of a route of parcels, of their whole graph, or of their connections.

    Examples
    --------
    >>> _atlas("parcels of Schaefer 400"), _atlas("connections of Demo"), _atlas("voxels")
    ('Schaefer 400', 'Demo', 'voxels')
    """
    for kind in NAMED.values():
        route = route.removeprefix(f"{kind} ")
    return route


def _of_graph(name: str, run: GroupRun, target: Target, feature: Feature) -> Result:
    """Return the row of one measure of the whole graph: one value, with its own p."""
    table = _own(read_table(run.path(target, target.route.table)), feature, headline_of(run.settings.trial).key)
    rows = table[table["name"] == GLOBALS[name].label]
    if rows.empty:
        lacks = f"{target.route.name}: {name} is not known of everyone, or the same for all"
        return Result(comparison=run.design.comparison, lacks=lacks)
    row: dict[str, Any] = {str(key): value for key, value in rows.iloc[0].items()}
    return _of_row(row, run, f"p of {name} of the whole graph by itself")


def _in_region(one: Objective, run: GroupRun, target: Target, feature: Feature) -> Result:
    table = read_table(run.path(target, "regions"), dtype={"region": str})
    ours = (table["region"] == one.region) & (table["measure"] == feature.metric) & (table["edges"] == feature.edges)
    row: dict[str, Any] = {str(key): value for key, value in table[ours].iloc[0].items()}
    return _of_row(row, run, f"p of the mean over {one.region} by itself")


def _anywhere(run: GroupRun, target: Target, feature: Feature) -> Result:
    """Return whether anything differs anywhere: the smallest p that is corrected over all nodes and both signs."""
    trial, route = run.settings.trial, target.route
    headline = headline_of(trial)
    if isinstance(route, MapRoute):
        path = run.path(target, "statmap", route.extension, stat="pFwe", desc=Test(feature, headline).desc)
        image: Any = nib.load(path)
        p = np.asarray(image.dataobj, dtype=float)
    else:
        p = _own(read_table(run.path(target, route.table)), feature, headline.key)["p_fwe"].to_numpy(float)
    known = p[np.isfinite(p)]
    pairs = target.sample.pairs if isinstance(route, ConnectionRoute) else None
    over = known.size if pairs is None else len(pairs)  # not all of which are in the table
    places = list(_places(run, target, feature, headline.key))
    return Result(
        comparison=run.design.comparison,
        method=headline.key,
        which_p=f"smallest p FWE over {over:,} {'voxels' if route.name == 'voxels' else route.name}",
        text="; ".join(places[:SHOWN]) + f"; and {len(places) - SHOWN} more" * (len(places) > SHOWN)
        or f"no difference with p FWE ≤ {trial.alpha} anywhere",
        p=float(known.min()) if known.size else np.nan,
        effect_kind=HEDGES_G,
        n=len(target.sample.arm),
    )


def _own(table: pd.DataFrame, feature: Feature, estimator: str) -> pd.DataFrame:
    ours = (table["measure"] == feature.metric) & (table["edges"] == feature.edges)
    return table[ours & (table["estimator"] == estimator)]


def _places(run: GroupRun, target: Target, feature: Feature, estimator: str) -> Iterator[str]:
    """Yield where the difference is significant, and which way it goes; the smallest p first."""
    path = run.path(target, target.route.table)
    if not path.exists():
        return
    of_maps = isinstance(target.route, MapRoute)
    rows = _own(read_table(path), feature, estimator).sort_values("p_fwe", kind="stable")
    for row in rows[rows["p_fwe"] <= run.settings.trial.alpha].to_dict("records"):
        direction = row["direction"] if of_maps else run.design.direction(1 if row["t"] > 0 else -1)
        yield f"{str(row['region']).rpartition(' (')[0] if of_maps else row['name']}: {direction}"
