"""Which routes there are: what the participant level left that fits the settings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bids_app.bids.files import read_table
from bids_app.bids.names import label
from bids_app.bids.result_names import (
    MAPS,
    MATRIX_STATS,
    PARCELLATION,
    find_parcel_desc,
    label_of,
    map_desc,
    parcellation_of,
    resolution,
    surface_path,
)
from bids_app.bids.scans import Scan, ScanIndex
from bids_app.errors import DataError, NothingSelectedError, UsageError
from bids_app.graph.features import FULL, Feature, camel, compared_features
from bids_app.graph.measures import ALL_GLOBALS, CONNECTIVITY
from bids_app.group.routes import ConnectionRoute, GlobalRoute, MapRoute, ParcelRoute, Route, TableRoute
from bids_app.settings.settings import Settings

ELSEWISE = (
    "Give --voxel-size, --metrics, --threshold, --density and --smooth-maps as they were at the participant level, or "
    "leave them out to have them taken over; or run it again with those."
)
NAMED: dict[type[TableRoute], str] = {
    ParcelRoute: "parcels of",
    GlobalRoute: "global measures of",
    ConnectionRoute: "connections of",
}


class Parcellation(NamedTuple):
    """Which parcels tables are of, and which matrix of which data.

    Attributes
    ----------
    parcels : tuple of str or None
        As from `result_names.parcellation_of`.
    upstream : str or None
        What the data were named before.
    matrix : str
        The label of the matrix, or the stat that it is written with.
    """

    parcels: tuple[str | None, ...]
    upstream: str | None
    matrix: str

    @property
    def order(self) -> str:
        """What routes are sorted by."""
        return str((*self.parcels, self.upstream, self.matrix))


def find_routes(settings: Settings, index: ScanIndex) -> list[Route]:
    """Find what the participant level left that fits the settings.

    Parameters
    ----------
    settings : Settings
    index : scans.ScanIndex

    Raises
    ------
    NothingSelectedError
        There is nothing; the message lists what there is instead.
    """
    maps = [_map_route(settings, index, extension) for extension in MAPS]
    routes: list[Route] = [route for route in (*maps, *_parcel_routes(settings, index)) if route]
    if not routes:
        descs = {map_desc(settings.graph, one.edges, settings.trial.map_values) for one in settings.graph.compared}
        wanted = f"desc-{' or '.join(sorted(descs))} {_on_grid(resolution(settings.graph))}"
        present = {_kind(scan) for kind in MAPS for scan in index.of("boldmap", kind)}
        found, way_on = "; ".join(sorted(present)), ELSEWISE if present else "Run the participant level first."
        raise NothingSelectedError(
            f"{settings.output_dir} holds no graph maps with {wanted}, and no nodal tables for this threshold. "
            f"There is: {found or 'no maps at all'}. {way_on}"
        )
    return routes


def _kind(scan: Scan) -> str:
    return f"desc-{scan.entities.get('desc')} {_on_grid(scan.entities.get('res'))}"


def _on_grid(res: str | None) -> str:
    return f"on the grid res-{res}" if res else "on the grid of the data"


def _wanted(settings: Settings, scan: Scan) -> bool:
    selection = settings.selection
    checks = (("sub", selection.participants), ("ses", selection.sessions))
    return all(not labels or scan.entities.get(key) in labels for key, labels in checks) and (
        selection.task in (None, scan.entities.get("task")) and selection.space in (None, scan.entities.get("space"))
    )


def _map_route(settings: Settings, index: ScanIndex, extension: str) -> MapRoute | None:
    on_surface = MAPS[extension] == "grayordinates"
    scans, size = {}, None if on_surface else resolution(settings.graph)
    for feature in settings.graph.compared:
        desc = map_desc(settings.graph, feature.edges, settings.trial.map_values)
        found = index.of("boldmap", extension, stat=label(feature.metric), desc=desc)
        scans[feature] = [
            scan for scan in found if _wanted(settings, scan) and (size is None or scan.entities.get("res") == size)
        ]
    if not any(scans.values()):
        return None
    if missing := [feature.title for feature in scans if len(scans[feature]) < max(map(len, scans.values()))]:
        raise DataError(
            f"Some scans have no map of {'; '.join(missing)}: run the participant level again with the same --metrics, "
            "--threshold and --density."
        )
    entities = _shared(next(iter(scans.values())), ("task", "space", "den" if on_surface else "res"))
    surface = surface_path(settings.output_dir, entities) if on_surface else None
    return MapRoute(MAPS[extension], entities, scans, surface)


def _shared(scans: Sequence[Scan], keys: Iterable[str]) -> dict[str, str]:
    """Return the values that all scans share; maps of two tasks or spaces do not compare."""
    entities = {}
    for key in keys:
        values = {scan.entities.get(key) for scan in scans}
        if len(values) > 1:
            raise UsageError(
                f"Results of several {key} are there: {', '.join(map(str, sorted(values, key=str)))}. Choose one."
            )
        entities[key] = values.pop()
    return {key: value for key, value in entities.items() if value}


def _parcel_routes(settings: Settings, index: ScanIndex) -> list[TableRoute]:
    """Return the routes of each parcellation and matrix: its parcels, its whole graph, and its connections if asked."""
    options = settings.graph.parcels
    nodes = _by_parcellation(settings, index, "nodes", options.compared)
    of_graphs = compared_features([ALL_GLOBALS.name], options.rules)
    whole = _by_parcellation(settings, index, "global", of_graphs)
    routes = []
    for key in sorted(nodes, key=lambda one: one.order):
        routes.append(_parcel_route(ParcelRoute, options.compared, nodes[key], key))
        if key in whole:
            routes.append(_parcel_route(GlobalRoute, of_graphs, whole[key], key))
    if settings.trial.edge_statistic != "none":
        routes += _edge_routes(settings, index)
    return routes


def _by_parcellation(
    settings: Settings, index: ScanIndex, suffix: str, features: Iterable[Feature]
) -> dict[Parcellation, dict[str, list[Scan]]]:
    """Sort tables by parcellation, by what the data were named before, and by matrix; then by edges."""
    wanted = dict.fromkeys(feature.edges for feature in features)
    found: dict[Parcellation, dict[str, list[Scan]]] = {}
    for scan in index.of(suffix, ".tsv"):
        if not _wanted(settings, scan):
            continue
        if parts := find_parcel_desc(scan.entities.get("desc", ""), settings.graph.parcels.kinds, wanted):
            upstream, kind, edges = parts
            key = Parcellation(parcellation_of(scan.entities), upstream, kind)
            found.setdefault(key, {}).setdefault(edges, []).append(scan)
    return found


def _parcel_route(
    kind: type[TableRoute], features: Iterable[Feature], tables: Mapping[str, list[Scan]], key: Parcellation
) -> TableRoute:
    """Return one route of a parcellation, from the tables of each edge rule."""
    columns = {edges: set(read_table(scans[0].path, nrows=0)) for edges, scans in tables.items()}
    scans = {
        feature: tables[feature.edges]
        for feature in features
        if feature.edges in tables and (kind is GlobalRoute or label_of(feature.metric) in columns[feature.edges])
    }
    if len({len(found) for found in scans.values()}) > 1:
        raise DataError(
            "Some scans have no nodal table for a threshold or density: run the participant level again with the same."
        )
    desc = camel([key.upstream, key.matrix])
    return _named_route(kind, scans, next(iter(tables.values())), desc)


def _named_route(
    kind: type[TableRoute], scans: dict[Feature, list[Scan]], first: Sequence[Scan], desc: str
) -> TableRoute:
    entities = _shared(first, ("task", "space", "den", *PARCELLATION))
    atlas = " ".join(filter(None, [*parcellation_of(entities), desc]))
    own = camel([desc, kind.kind if kind is not ParcelRoute else ""])
    entities |= {"desc": own} if own else {}
    return kind(f"{NAMED[kind]} {atlas}", entities, scans, matrix=desc)


def _edge_routes(settings: Settings, index: ScanIndex) -> list[TableRoute]:
    """Return the routes of connections, in Fisher's z whatever the graph is of: one per parcellation and matrix."""
    wanted = {MATRIX_STATS[matrix] for matrix in settings.graph.parcels.matrices}
    wanted -= {MATRIX_STATS["fisher"]} if MATRIX_STATS["pearson"] in wanted else set()
    found: dict[Parcellation, list[Scan]] = {}
    for scan in index.of("relmat", ".tsv"):
        if _wanted(settings, scan) and scan.entities.get("stat") in wanted:
            key = Parcellation(parcellation_of(scan.entities), scan.entities.get("desc"), scan.entities["stat"])
            found.setdefault(key, []).append(scan)
    routes = []
    for key in sorted(found, key=lambda one: one.order):
        kind = next(kind for kind, stat in MATRIX_STATS.items() if stat == key.matrix)
        desc = camel([key.upstream, kind if kind not in ("pearson", "fisher") else ""])
        scans = {Feature(CONNECTIVITY.name, FULL): found[key]}
        routes.append(_named_route(ConnectionRoute, scans, found[key], desc))
    return routes
