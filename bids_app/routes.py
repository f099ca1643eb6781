"""Routes: the kinds of result that the participant level left and the group level can compare."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bids_app.derivatives import label_of, map_desc, resolution, surface_path
from bids_app.errors import DataError, NothingSelectedError, UsageError
from bids_app.features import Feature
from bids_app.grid import Grid, load_grid
from bids_app.names import build, label
from bids_app.outputs import Scan, read_scans

PARCELLATION = ("atlas", "seg", "scale")
MAPS = {".nii.gz": "voxels", ".dscalar.nii": "grayordinates"}


@dataclass(frozen=True)
class Route:
    """One kind of result that can be compared: maps of voxels or of grayordinates, or the nodes of one atlas.

    Attributes
    ----------
    name : str
        For people: voxels, grayordinates, or the atlas.
    entities : dict
        What the group's files are named by.
    scans : dict of list of Scan
        The results that hold each feature; of the same scans for every feature.
    surface : Path or None
        Where the grayordinates and their meshes are kept.
    """

    name: str
    entities: dict[str, str]
    scans: dict[Feature, list[Scan]]
    surface: Path | None = None

    @property
    def is_voxels(self):
        """True for maps, of voxels or of grayordinates."""
        return self.name in MAPS.values()

    @property
    def node(self):
        """What a node is called."""
        return self.name.removesuffix("s") if self.is_voxels else "parcel"

    @property
    def extension(self):
        """Extension of the route's maps."""
        return next(extension for extension, name in MAPS.items() if name == self.name)


def find_routes(settings, failed=()):
    """Find what the participant level left that fits the settings.

    Parameters
    ----------
    settings : Settings
    failed : collection of str
        Names of scans that failed when they were last run: what an earlier run left of them is not used.

    Raises
    ------
    NothingSelectedError
        There is nothing; the message lists what there is instead.
    """
    maps = [_map_route(settings, failed, extension) for extension in MAPS]
    routes = [route for route in (*maps, *_parcel_routes(settings, failed)) if route]
    if not routes:
        descs = {map_desc(settings.graph, one.edges, settings.trial.map_values) for one in settings.graph.compared}
        wanted = f"desc-{' or '.join(sorted(descs))} on the grid res-{resolution(settings.graph)}"
        present = {_kind(scan) for kind in MAPS for scan in read_scans(settings.output_dir, "boldmap", kind)}
        found = "; ".join(sorted(present)) or "no maps at all"
        raise NothingSelectedError(
            f"{settings.output_dir} holds no graph maps with {wanted}, and no nodal tables for this threshold. "
            f"There is: {found}. Run the participant level first, with the same graph options."
        )
    return routes


def _kind(scan):
    return f"desc-{scan.entities.get('desc')} on res-{scan.entities.get('res')}"


def _wanted(settings, failed, scan):
    if scan.sidecar.get("Scan") in failed:
        return False
    selection = settings.selection
    checks = (("sub", selection.participants), ("ses", selection.sessions))
    return all(not labels or scan.entities.get(key) in labels for key, labels in checks) and (
        selection.task in (None, scan.entities.get("task")) and selection.space in (None, scan.entities.get("space"))
    )


def _map_route(settings, failed, extension):
    on_surface = MAPS[extension] == "grayordinates"
    scans, size = {}, None if on_surface else resolution(settings.graph)
    for feature in settings.graph.compared:
        desc = map_desc(settings.graph, feature.edges, settings.trial.map_values)
        found = read_scans(settings.output_dir, "boldmap", extension, stat=label(feature.metric), desc=desc)
        scans[feature] = [
            scan
            for scan in found
            if _wanted(settings, failed, scan) and (size is None or scan.entities.get("res") == size)
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
    return Route(MAPS[extension], entities, scans, surface)


def grid_of(route, image, kept):
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


def _shared(scans, keys):
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


def _parcel_routes(settings, failed):
    tables = [scan for scan in read_scans(settings.output_dir, "nodes", ".tsv") if _wanted(settings, failed, scan)]
    by_kind = {}
    for scan in tables:
        for edges in {feature.edges for feature in settings.graph.compared}:
            if scan.entities.get("desc", "").endswith(edges):
                kind = (*(scan.entities.get(key) for key in PARCELLATION), scan.entities["desc"].removesuffix(edges))
                by_kind.setdefault(kind, {}).setdefault(edges, []).append(scan)
    return [_parcel_route(settings.graph.compared, by_kind[kind], kind[-1]) for kind in sorted(by_kind, key=str)]


def _parcel_route(features, tables, upstream):
    """Return the route of one parcellation, from the nodal tables of each edge rule."""
    columns = {edges: set(pd.read_csv(scans[0].path, sep="\t", nrows=0)) for edges, scans in tables.items()}
    scans = {
        feature: tables[feature.edges]
        for feature in features
        if label_of(feature.metric) in columns.get(feature.edges, ())
    }
    if len({len(found) for found in scans.values()}) > 1:
        raise DataError(
            "Some scans have no nodal table for a threshold or density: run the participant level again with the same."
        )
    first = next(iter(tables.values()))
    entities = _shared(first, ("task", "space", *PARCELLATION)) | ({"desc": upstream} if upstream else {})
    atlas = " ".join(entities[key] for key in (*PARCELLATION, "desc") if key in entities)
    return Route(f"parcels of {atlas}", entities, scans)


def stem(route, design):
    """Return the entities of a group file: those of the route and the contrast."""
    return {**route.entities, "contrast": label(f"{design.active} vs {design.reference}")}


def group_name(route, design, suffix, extension, **more):
    """Return the name of a group file."""
    return build({**stem(route, design), **more}, suffix, extension)
