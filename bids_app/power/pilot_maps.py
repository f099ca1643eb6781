"""The maps that a trial is planned from: found in an output folder, read visit by visit, whoever was given what."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.scans import index_scans
from bids_app.bids.values import counted
from bids_app.errors import DataError, UsageError
from bids_app.graph.features import Feature
from bids_app.group.found_routes import find_routes
from bids_app.group.node_values import read_same_nodes, read_values
from bids_app.group.reading import read_visit
from bids_app.group.routes import ConnectionRoute, GlobalRoute, MapRoute, ParcelRoute, Route, grid_of
from bids_app.settings.argument_parser import meant
from bids_app.settings.power_options import PowerOptions
from bids_app.settings.settings import Settings
from bids_app.space.grid import Nodes
from bids_app.stats.planning import LEAST_PARTICIPANTS, Pilot
from bids_app.trial.flow import by_visit
from bids_app.trial.visit_scans import facts_of

Planable = MapRoute | ParcelRoute | GlobalRoute | ConnectionRoute


@dataclass(frozen=True, kw_only=True)
class PilotMaps:
    """What a trial is planned from.

    Attributes
    ----------
    route : MapRoute, ParcelRoute, GlobalRoute or ConnectionRoute
    features : tuple of Feature
        The measures, that with the effect first.
    sessions : tuple of str or None
        Of the visits.
    participants : tuple of str
    pilot : Pilot
    grid : Grid, Surface or None
        Of the V nodes.
    parcels : DataFrame or None
        Of nodes without a place: what they are called.
    r_is_said : bool
        Whether the correlation of visits is not theirs, but was given.
    findings : tuple of Finding
    """

    route: Planable
    features: tuple[Feature, ...]
    sessions: tuple[str | None, ...]
    participants: tuple[str, ...]
    pilot: Pilot
    grid: Nodes | None
    parcels: pd.DataFrame | None
    r_is_said: bool
    findings: tuple[Finding, ...]

    @property
    def pairs(self) -> np.ndarray | None:
        """The parcels of each connection, (V, 2) int32; None of other nodes."""
        if self.parcels is None or "first" not in self.parcels:
            return None
        return self.parcels[["first", "second"]].to_numpy(np.int32)

    @property
    def spacing(self) -> float | None:
        """Mean distance of nodes that touch, mm; None where nodes have no place."""
        if self.grid is None or self.pilot.neighbours is None:
            return None
        places, near = self.grid.coordinates, self.pilot.neighbours
        rows, columns = np.nonzero(near >= 0)
        return float(np.linalg.norm(places[rows] - places[near[rows, columns]], axis=1).mean())


def read_pilot(settings: Settings, options: PowerOptions, n_visits: int) -> PilotMaps:
    """Read the maps of everyone who has enough data at each of the visits that are used.

    Parameters
    ----------
    settings : Settings
    options : PowerOptions
    n_visits : int
        Of the trial that is planned.

    Raises
    ------
    UsageError
        There are no such maps, measure or sessions; names that are near are given.
    DataError
        Too few participants have them.
    """
    route = _route(
        find_routes(settings, index_scans(settings.output_dir)), options.route, settings.trial.edge_statistic
    )
    features = _features(route, settings, options)
    route = replace(route, scans={one: route.scans[one] for one in features})
    sessions, about = _sessions(route, options, n_visits)
    participants, left_out = _participants(route, sessions, settings.signal.min_minutes)
    feature, scans = next(iter(route.scans.items()))
    shape = read_values(scans[0].path, feature.metric).shape
    visits = [read_visit(route, participants, session, shape) for session in sessions]
    maps = np.stack([np.stack([of[one] for one in features], axis=1) for of in visits], axis=1)
    kept = np.isfinite(maps).all(axis=(0, 1, 2))
    if isinstance(route, GlobalRoute):  # the density is the same for everyone, where the edges are made by it
        kept &= (np.ptp(maps, axis=0) > 1e-12 * np.abs(maps).max(axis=0)).all(axis=(0, 1))
    if not kept.any():
        raise DataError(f"{route.name}: there is no {route.node} that every participant has.")
    grid = grid_of(route, nib.load(scans[0].path), kept) if isinstance(route, MapRoute) else None
    parcels = None if grid is not None else read_same_nodes(route.name, scans)[kept].reset_index(drop=True)
    pilot = Pilot.of(maps[..., kept], None if grid is None else grid.neighbours())
    return PilotMaps(
        route=route,
        features=features,
        sessions=sessions,
        participants=tuple(participants),
        pilot=pilot,
        grid=grid,
        parcels=parcels,
        r_is_said=options.visit_correlation is not None and n_visits > 1,
        findings=(*about, *left_out),
    )


def _route(routes: Sequence[Route], wanted: str | None, edge_statistic: str) -> Planable:
    """Choose the maps: those named, or the first."""
    able = [one for one in routes if isinstance(one, Planable)]
    named = {one.name.removeprefix("parcels of "): one for one in able} | {one.name: one for one in able}
    if wanted is None and able:
        return able[0]
    if wanted not in named:
        known = ", ".join(dict.fromkeys(one.name.removeprefix("parcels of ") for one in able)) or "none"
        lacking = edge_statistic == "none" and str(wanted).startswith("connection")
        how = " Connections are compared with --edge-statistic." if lacking else ""
        raise UsageError(
            f"--route {wanted}: there is no such result{meant(str(wanted), list(named))}; there is: {known}.{how}"
        )
    return named[str(wanted)]


def _features(route: Planable, settings: Settings, options: PowerOptions) -> tuple[Feature, ...]:
    """Return the measure with the effect first, and those over which p is corrected."""
    features = tuple(route.scans)
    plan = settings.trial.plan
    of_nodes = isinstance(route, MapRoute | ParcelRoute)  # a plan's measure is of these
    wanted = options.effect_measure or (plan.metric if plan and of_nodes else None)
    if wanted is None:
        return features
    own = [one for one in features if wanted in (one.metric, one.label, one.key, one.title)]
    if not own:
        names = list(dict.fromkeys(one.metric for one in features))
        raise UsageError(
            f"--effect-measure {wanted}: it is not compared{meant(wanted, names)}; {', '.join(names)} are."
        )
    if plan and plan.metric == own[0].metric:  # which is judged by its own p
        return (own[0],)
    return (own[0], *(one for one in features if one is not own[0]))


def _sessions(
    route: Planable, options: PowerOptions, n_visits: int
) -> tuple[tuple[str | None, ...], tuple[Finding, ...]]:
    """Return the sessions that stand for the visits: as many as there are, or one."""
    scans = next(iter(route.scans.values()))
    found = sorted({scan.session or "" for scan in scans})
    wanted = [one.removeprefix("ses-") for one in options.visits]
    if unknown := [one for one in wanted if one not in found]:
        raise UsageError(
            f"--visits {' '.join(unknown)}: no maps are of it{meant(unknown[0], found)}; there are "
            f"{', '.join(filter(None, found)) or 'none with a session'}."
        )
    chosen = [one or None for one in wanted or found]
    if n_visits > 1 and len(chosen) < 2 and options.visit_correlation is None:
        raise UsageError(
            f"The maps are of one visit, the trial has {n_visits}: how visits go along cannot be seen. Say it by "
            "--visit-correlation R, as another study has it."
        )
    taken = chosen[:1] if options.visit_correlation is not None else chosen[:n_visits]
    names = " and ".join(f"ses-{one}" for one in taken if one) or "the one visit"
    how = "as is said" if wanted else "in the order of their names; --visits chooses others"
    return tuple(taken), (Finding("Visits", f"Noise is that of {names}, {how}."),)


def _participants(
    route: Planable, sessions: Sequence[str | None], min_minutes: float
) -> tuple[list[str], tuple[Finding, ...]]:
    """Return who has enough data at each visit, and say who has not."""
    visits = by_visit(next(iter(route.scans.values())))
    everyone = sorted({participant for participant, _ in visits})
    usable, reasons = [], []
    for participant in everyone:
        facts = [facts_of(visits.get((participant, session), ()), min_minutes)[1] for session in sessions]
        lacking = [reason for reason in facts if reason]
        usable += [] if lacking else [participant]
        reasons += [f"sub-{participant} ({lacking[0]})"] if lacking else []
    if len(usable) < LEAST_PARTICIPANTS:
        why = f" Left out: {'; '.join(reasons)}." if reasons else ""
        raise DataError(
            f"{route.name}: {counted(len(usable), 'participant has', 'participants have')} maps at every visit that is "
            f"used, at least {LEAST_PARTICIPANTS} are needed to know how much maps vary.{why}"
        )
    if not reasons:
        return usable, ()
    said = f"{len(reasons)} of {len(everyone)} participants are not used: {'; '.join(reasons)}."
    return usable, (Finding("Participants", said),)
