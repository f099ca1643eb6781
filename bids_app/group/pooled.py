"""Everyone as one group at several visits: how each measure spreads and how alike visits are; nothing is compared."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app import __version__
from bids_app.bids.files import save_described, save_json
from bids_app.bids.names import label
from bids_app.bids.result_names import COMPARISONS, comparison_folder, family_name
from bids_app.graph.features import Feature
from bids_app.group.result_tables import TABLE_COLUMNS
from bids_app.group.routes import GlobalRoute
from bids_app.group.sample import load_maps
from bids_app.group.targets import GroupRun, Target, TrialScans
from bids_app.group.whole_brain import means_of_visits
from bids_app.stats.reliability import intraclass_correlation
from bids_app.stats.spread import spread

LEAST = 3  # of whom a spread is worth a number
WHOLE, NODES = "mean over nodes", "median node"
SPREAD_COLUMNS = {
    "measure": TABLE_COLUMNS["measure"],
    "edges": TABLE_COLUMNS["edges"],
    "of": f"{WHOLE}: of each participant's raw map or nodes; {NODES}: what stands here is the median over the nodes, "
    "as they would be compared; or the name of a measure of the whole graph",
    "first": "Session",
    "later": "Session after it",
    "n": "Participants with both, whatever their arm",
    "sd_first": "Standard deviation over participants at the first, all arms together",
    "sd_later": "Standard deviation at the later",
    "sd_change": "Standard deviation of the change",
    "r": "Pearson's correlation of the two visits over participants: ANCOVA leaves 1 − r² of the later variance",
    "r_low": "Lower quartile of r over the nodes",
    "r_high": "Upper quartile of r over the nodes",
    "icc": "Intraclass correlation of the two visits, ICC(1,1)",
}


def keep_maps(run: GroupRun) -> None:
    """Keep the maps of a visit in the work folder, to be read with those of another.

    Parameters
    ----------
    run : targets.GroupRun
    """
    for target in run.targets:
        for feature in target.sample.features:
            target.sample.save_maps(feature, _kept(run, target, feature))


def write_pooled(trial: TrialScans, runs: Sequence[GroupRun], not_compared: Sequence[str]) -> Path:
    """Write which visits were described, and how each measure spreads and goes together over each two of them.

    Parameters
    ----------
    trial : targets.TrialScans
    runs : list of GroupRun
        Of each visit, in order, whose maps `keep_maps` kept.
    not_compared : list of str
        Which visits could not be described, and why.

    Returns
    -------
    Path
    """
    routes = []
    for place, target in enumerate(runs[0].targets):
        name = family_name(target.route, "spread", ".tsv")
        rows = [row for first, later in combinations(runs, 2) for row in _rows(first, later, place)]
        table = pd.DataFrame(rows, columns=list(SPREAD_COLUMNS))
        save_described(trial.settings.group_dir / name, table, SPREAD_COLUMNS)
        routes.append({"Route": target.route.name, "Table": name})
    content = {
        "Blinded": trial.settings.blind,
        "ArmColumn": "",
        "Baseline": None,
        "Comparisons": [
            {
                "Active": run.design.sides[0],
                "Reference": run.design.sides[-1],
                "Followup": run.design.followup,
                "Comparison": run.design.comparison,
                "Folder": comparison_folder(run.design),
            }
            for run in runs
        ],
        "Weighted": [],
        "NotCompared": list(not_compared),
        "Routes": routes,
        "Together": "",
        "Model": "",
        "Alpha": trial.settings.trial.alpha,
        "Software": f"trialgraph {__version__}",
    }
    path = trial.settings.group_dir / COMPARISONS
    save_json(path, content)
    return path


def _rows(first: GroupRun, later: GroupRun, place: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of two visits of a route."""
    targets = (first.targets[place], later.targets[place])
    analysed = [_analysed(target) for target in targets]
    both = [name for name in analysed[0] if name in set(analysed[1])]
    if len(both) < LEAST:
        return
    rows = [[own.index(name) for name in both] for own in analysed]
    route, sessions = targets[0].route, [run.design.visits["followup"] for run in (first, later)]
    said = {"first": sessions[0] or "", "later": sessions[1] or ""}
    if route.has_whole_brain:
        means = [
            means_of_visits(one.route, [(name, at) for name in both]) for one, at in zip(targets, sessions, strict=True)
        ]
        found = _numbers(*means)
        for number, feature in enumerate(route.scans):
            yield _row(feature, WHOLE, said, {name: values[number] for name, values in found.items()})
    for feature in route.scans:
        if all(_kept(run, of, feature).exists() for run, of in zip((first, later), targets, strict=True)):
            yield from _of_nodes(feature, (first, later), targets, rows, said)


def _of_nodes(
    feature: Feature,
    runs: Sequence[GroupRun],
    targets: Sequence[Target],
    rows: Sequence[list[int]],
    said: dict[str, str],
) -> Iterator[dict[str, Any]]:
    kept = targets[0].sample.kept & targets[1].sample.kept
    maps = [
        next(iter(load_maps(_kept(run, target, feature)).values()))[own][:, kept[target.sample.kept]]
        for run, target, own in zip(runs, targets, rows, strict=True)
    ]
    found = _numbers(*maps)
    if isinstance(targets[0].route, GlobalRoute):
        names = targets[0].sample.parcels["name"][kept[targets[0].sample.kept]]  # type: ignore[index]
        for number, name in enumerate(names):
            yield _row(feature, str(name), said, {key: values[number] for key, values in found.items()})
        return
    low, high = _quantiles(found["r"], (0.25, 0.75))
    middle = {name: _quantiles(values, (0.5,))[0] for name, values in found.items()}
    yield _row(feature, NODES, said, middle | {"n": len(rows[0]), "r_low": low, "r_high": high})


def _numbers(first: np.ndarray, later: np.ndarray) -> dict[str, np.ndarray]:
    return spread(first, later) | {"icc": intraclass_correlation(first, later)}


def _row(feature: Feature, of: str, said: dict[str, str], found: dict[str, Any]) -> dict[str, Any]:
    return {"measure": feature.metric, "edges": feature.edges, "of": of, **said, **found}


def _quantiles(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    known = values[np.isfinite(values)]
    return np.quantile(known, shares) if known.size else np.full(len(shares), np.nan)


def _analysed(target: Target) -> list[str]:
    flow = target.flow
    return list(flow.loc[flow["analysed"], "participant_id"].str.removeprefix("sub-"))


def _kept(run: GroupRun, target: Target, feature: Feature) -> Path:
    return run.settings.work_dir / "pooled" / f"{label(target.route.name)}_{feature.label}"
