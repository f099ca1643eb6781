"""Routes: the kinds of result that the group level can compare."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bids_app.bids.result_names import MAPS
from bids_app.bids.scans import Scan
from bids_app.graph.features import Feature
from bids_app.settings.settings import Trial
from bids_app.space.grid import Grid, Nodes, load_grid
from bids_app.trial.comparison_record import Kind
from bids_app.trial.flow import by_visit
from bids_app.trial.summaries import Summary
from bids_app.trial.told_sessions import Told
from bids_app.trial.visit_scans import facts_of


@dataclass(frozen=True)
class Route:
    """One kind of result that can be compared; a class for each kind.

    Attributes
    ----------
    name : str
        For people: voxels, grayordinates, or what of which atlas.
    entities : dict
        What the group's files are named by.
    scans : dict of list of Scan
        The results that hold each feature; of the same scans for every feature.
    kind, table : str
        What the record calls the kind, and the suffix of the group's table of results.
    describes : bool
        What goes on within the arms, and along with covariates, is mapped too; the nodes are not too many for it.
    has_whole_brain : bool
        Its mean over the nodes says something of its own.
    """

    name: str
    entities: dict[str, str]
    scans: dict[Feature, list[Scan]]
    kind: ClassVar[Kind]
    table: ClassVar[str]
    describes: ClassVar[bool] = True
    has_whole_brain: ClassVar[bool] = True

    @property
    def node(self) -> str:
        """What a node is called."""
        raise NotImplementedError

    def statistic(self, trial: Trial) -> str:
        """Return the statistic that is tested, as the options call it."""
        return "t"

    def forming_threshold(self, trial: Trial) -> float | None:
        """Return the |z| from which on nodes are put together, or None where no threshold is needed."""
        return None


@dataclass(frozen=True)
class MapRoute(Route):
    """Maps of voxels or of grayordinates.

    Attributes
    ----------
    surface : Path or None
        Where the grayordinates and their meshes are kept.
    """

    surface: Path | None = None
    kind, table = "maps", "clusters"

    @property
    def node(self) -> str:
        """What a node is called."""
        return self.name.removesuffix("s")

    @property
    def extension(self) -> str:
        """Extension of the route's maps."""
        return next(extension for extension, name in MAPS.items() if name == self.name)

    def statistic(self, trial: Trial) -> str:
        """Return the statistic that is tested, as the options call it."""
        return trial.statistic

    def forming_threshold(self, trial: Trial) -> float | None:
        """Return the |z| from which on nodes form clusters, or None where no threshold is needed."""
        return trial.cluster_threshold if trial.statistic.startswith("cluster") else None


@dataclass(frozen=True)
class TableRoute(Route):
    """Tables of one atlas.

    Attributes
    ----------
    matrix : str
        What the desc labels of the scans' tables begin with: what the data were named before, and the matrix.
    """

    matrix: str = ""


@dataclass(frozen=True)
class ParcelRoute(TableRoute):
    """The parcels of one atlas."""

    kind, table, node = "parcels", "nodes", "parcel"


@dataclass(frozen=True)
class GlobalRoute(TableRoute):
    """Measures of the whole graph of one atlas."""

    kind, table, node, has_whole_brain = "global", "global", "measure", False


@dataclass(frozen=True)
class ConnectionRoute(TableRoute):
    """The connections between the parcels of one atlas."""

    kind, table, node, describes = "edges", "edges", "connection", False

    def statistic(self, trial: Trial) -> str:
        """Return the statistic that is tested, as the options call it."""
        return trial.edge_statistic

    def forming_threshold(self, trial: Trial) -> float | None:
        """Return the |z| from which on connections form components, or None where no threshold is needed."""
        return trial.cluster_threshold if trial.edge_statistic.startswith("nbs") else None


def grid_of(route: MapRoute, image: Any, kept: np.ndarray) -> Nodes:
    """Return the grid of a route's maps, of the nodes that are kept.

    Parameters
    ----------
    route : Route
    image : nibabel image
        One of the maps.
    kept : bool ndarray
        Which voxels or grayordinates of the image are nodes.
    """
    if route.surface:
        return load_grid(route.surface).within(kept)
    return Grid(kept.reshape(image.shape), image.affine)


def of_periods(route: Route, sequences: Told) -> Route:
    """Return a route whose scans have the period of a cross-over trial as their session, where they are of one."""
    scans = {
        of: [of_session(scan, sequences.session(scan.participant, scan.session)) for scan in found]
        for of, found in route.scans.items()
    }
    return replace(route, scans=scans)


def without_visits(route: Route, left: Collection[tuple[str, str | None]]) -> Route:
    """Return a route without the scans of some visits."""
    return replace(
        route,
        scans={
            of: [scan for scan in found if (scan.participant, scan.session) not in left]
            for of, found in route.scans.items()
        },
    )


def with_summaries(route: Route, summaries: Iterable[Summary], min_minutes: float = 0) -> Route:
    """Return a route that has also the visits which are made of several sessions, of everyone who has those."""
    return replace(
        route, scans={of: [*found, *_parts(found, summaries, min_minutes)] for of, found in route.scans.items()}
    )


def _parts(scans: Sequence[Scan], summaries: Iterable[Summary], min_minutes: float) -> Iterator[Scan]:
    visits = by_visit(scans)
    for one in summaries:
        for participant in dict.fromkeys(scan.participant for scan in scans):
            own = {
                session: visits[participant, session] for session in one.sessions if (participant, session) in visits
            }
            for session, weight in _weights(one, own, min_minutes).items():
                named = [of_session(scan, one.name) for scan in own[session]]
                yield from (replace(scan, part=(session, weight)) for scan in named)


def _weights(summary: Summary, own: Mapping[str, Sequence[Scan]], min_minutes: float) -> dict[str, float]:
    """Return the weights of a participant's sessions: of an average those with enough data, if any has."""
    if summary.needs_all:
        there = set(own) == set(summary.sessions)
        return dict(zip(summary.sessions, summary.weights, strict=True)) if there else {}
    enough = [session for session, scans in own.items() if facts_of(scans, min_minutes)[1] is None]
    return {session: 1 / len(enough or own) for session in enough or own}


def of_session(scan: Scan, session: str | None) -> Scan:
    """Return a scan as it is compared: of another session than its name says, or of its own."""
    return (
        scan
        if session is None or session == scan.session
        else replace(scan, entities={**scan.entities, "ses": session})
    )


def kept_in(route: Route, folder: Path) -> Route:
    """Return a route whose scans are read only once, as what was read is kept in a folder."""
    scans = {feature: [replace(scan, kept=folder) for scan in found] for feature, found in route.scans.items()}
    return replace(route, scans=scans)
