"""The maps of a comparison, from the files of the scans: one scan at a time, so that memory does not grow with them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bids_app.bids.scans import Scan
from bids_app.errors import DataError
from bids_app.graph.features import Feature
from bids_app.group.node_values import values_of
from bids_app.group.routes import GlobalRoute, Route, kept_in
from bids_app.trial.design import Design
from bids_app.trial.flow import by_visit
from bids_app.trial.visit_scans import weights

SESSION = "ses-"  # before the label of a visit in the name of its file

Maps = dict[Any, np.ndarray]  # of one feature, by the session of the visit, which may be None


def read_maps(
    route: Route,
    participants: Sequence[str],
    arm: np.ndarray,
    design: Design,
    min_per_arm: int | None,
    folder: Path | None = None,
) -> tuple[dict[Feature, Maps], np.ndarray]:
    """Read each feature's values of the nodes that are compared.

    Parameters
    ----------
    route : Route
    participants : sequence of str
        In the order of the n rows.
    arm : (n,) int ndarray
    design : Design
    min_per_arm : int or None
        A node is compared that so many of each arm have; by default everyone.
    folder : Path, optional
        Where the maps are kept, mapped into memory; without it they are in memory.

    Returns
    -------
    maps : dict of dict of (n, V) float64 ndarray
        By feature and session; NaN where a participant lacks a node at any visit.
    kept : (N,) bool ndarray
        Which of all nodes these are.

    Raises
    ------
    DataError
        There is no such node, or the scans differ in their nodes.

    Notes
    -----
    Which nodes are kept is known when all scans were read, so that they are gone through twice: the second time what
    was kept of the first is read, in place of their files.
    """
    with TemporaryDirectory(prefix="trialgraph-") as meanwhile:
        if next(iter(route.scans.values()))[0].kept is None:
            route = kept_in(route, Path(meanwhile))
        kept = _kept(route, participants, arm, design, min_per_arm)
        size = (len(participants), int(kept.sum()))
        maps = {}
        for feature in route.scans:
            visits = list(design.visits.values())
            own = folder and folder / feature.label
            maps[feature] = {visit: _room(size, own, place, visit) for place, visit in enumerate(visits)}
            for row, values in enumerate(_rows(route, feature, participants, design)):
                for visit, of_visit in zip(visits, values, strict=True):
                    maps[feature][visit][row] = of_visit[kept]
    return maps, kept


def _room(size: tuple[int, int], folder: Path | None, place: int, visit: str | None) -> np.ndarray:
    """Return an array to be filled, on disk if there is a folder."""
    if folder is None or 0 in size:  # nothing cannot be mapped
        return np.empty(size)
    folder.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(file_of_visit(folder, place, visit), mode="w+", dtype=np.float64, shape=size)


def file_of_visit(folder: Path, place: int, visit: str | None) -> Path:
    """Return where the maps of a visit, the number of which is its place, are kept in the folder of a feature."""
    return folder / f"{place:03d}_{SESSION}{visit or ''}.npy"


def _kept(
    route: Route, participants: Sequence[str], arm: np.ndarray, design: Design, min_per_arm: int | None
) -> np.ndarray:
    """Return the nodes that everyone has, or so many of each arm, of every feature at every visit."""
    kept: Any = True  # arrays as soon as they meet one
    varies: Any = True
    for feature in route.scans:
        counts: dict[int, Any] = dict.fromkeys(np.unique(arm).tolist(), 0)
        for label, values in zip(arm.tolist(), _rows(route, feature, participants, design), strict=True):
            counts[label] = counts[label] + np.isfinite(values[0])
        for label, count in counts.items():
            kept = kept & (count >= (min_per_arm or np.sum(arm == label)))
        if isinstance(route, GlobalRoute):
            varies = varies & _varies(np.concatenate(list(_rows(route, feature, participants, design))))
    if not kept.any():
        who = f"{min_per_arm} participants of each {design.words.arm} have" if min_per_arm else "every participant has"
        raise DataError(f"{route.name}: there is no {route.node} that {who}.")
    return kept & varies


def _varies(values: np.ndarray) -> np.ndarray:
    """Say which nodes are not the same for everyone: the density is, where the edges are made by it."""
    return np.ptp(values, axis=0) > 1e-12 * np.abs(values).max(axis=0)


def _rows(route: Route, feature: Feature, participants: Sequence[str], design: Design) -> Iterator[list[np.ndarray]]:
    """Yield each participant's values at every visit, (N,) each; NaN where any visit has none."""
    first, (scan, *_) = next(iter(route.scans.items()))
    visits, shape = by_visit(route.scans[feature]), _values(scan, first).shape
    for participant in participants:
        scans = [visits[participant, session] for session in design.visits.values()]
        values = [_of_visit(route, one, feature, shape) for one in scans]
        there = np.logical_and.reduce([np.isfinite(one) for one in values])
        yield [np.where(there, one, np.nan) for one in values]


def read_visit(
    route: Route, participants: Sequence[str], session: str | None, shape: tuple[int, ...]
) -> dict[Feature, np.ndarray]:
    """Return each feature's (n, V) values at a visit: the mean over its scans, weighted by kept volumes."""
    return {
        feature: np.stack([_of_visit(route, visits[one, session], feature, shape) for one in participants])
        for feature, visits in ((feature, by_visit(scans)) for feature, scans in route.scans.items())
    }


def _of_visit(route: Route, scans: Sequence[Scan], feature: Feature, shape: tuple[int, ...]) -> np.ndarray:
    """Return the mean over the scans of a visit, weighted by kept volumes, (N,)."""
    values = [_values(scan, feature) for scan in scans]
    if any(one.shape != shape for one in values):
        raise DataError(f"{route.name}: the scans differ in their grid or in their parcels.")
    return weights(scans) @ np.stack(values)


def _values(scan: Scan, feature: Feature) -> np.ndarray:
    try:
        return values_of(scan, feature.metric)
    except DataError as error:
        raise DataError(f"{error} Run the participant level again for sub-{scan.participant}.") from error
