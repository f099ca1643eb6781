"""Routes: the kinds of result that the participant level left and the group level can compare."""

from dataclasses import dataclass

from bids_app.derivatives import map_desc, resolution
from bids_app.errors import DataError, NothingSelectedError, UsageError
from bids_app.names import build, label
from bids_app.outputs import Scan, read_scans

PARCELLATION = ("atlas", "seg", "scale", "desc")


@dataclass(frozen=True)
class Route:
    """One kind of result that can be compared: voxel maps, or the nodes of one atlas.

    Attributes
    ----------
    name : str
        For people: voxels, or the atlas.
    entities : dict
        What the group's files are named by.
    scans : dict of list of Scan
        The scans that hold each metric; the same scans for every metric.
    """

    name: str
    entities: dict[str, str]
    scans: dict[str, list[Scan]]

    @property
    def is_voxels(self):
        """True for voxel maps."""
        return self.name == "voxels"


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
    routes = [route for route in (_voxel_route(settings, failed), *_parcel_routes(settings, failed)) if route]
    if not routes:
        wanted = (
            f"desc-{map_desc(settings.graph, settings.trial.map_values)} on the grid res-{resolution(settings.graph)}"
        )
        present = {_kind(scan) for scan in read_scans(settings.output_dir, "boldmap", ".nii.gz")}
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


def _voxel_route(settings, failed):
    desc = map_desc(settings.graph, settings.trial.map_values)
    scans = {}
    for metric in settings.graph.metrics:
        found = read_scans(settings.output_dir, "boldmap", ".nii.gz", stat=label(metric), desc=desc)
        size = resolution(settings.graph)
        scans[metric] = [
            scan
            for scan in found
            if _wanted(settings, failed, scan) and (size is None or scan.entities.get("res") == size)
        ]
    if not any(scans.values()):
        return None
    if missing := [metric for metric in scans if len(scans[metric]) < max(map(len, scans.values()))]:
        raise DataError(
            f"Some scans have no map of {', '.join(missing)}: run the participant level again with the same --metrics."
        )
    return Route("voxels", _shared(scans[settings.graph.metrics[0]], ("task", "space", "res")), scans)


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
    tables = [scan for scan in tables if scan.entities.get("desc", "").endswith(settings.graph.label)]
    kinds = sorted({tuple(scan.entities.get(key) for key in PARCELLATION) for scan in tables}, key=str)
    routes = []
    for kind in kinds:
        scans = [scan for scan in tables if tuple(scan.entities.get(key) for key in PARCELLATION) == kind]
        entities = _shared(scans, ("task", "space", "atlas", "seg", "scale"))
        if upstream := kind[3].removesuffix(settings.graph.label):
            entities["desc"] = upstream
        atlas = " ".join(entities[key] for key in PARCELLATION if key in entities)
        routes.append(Route(f"parcels of {atlas}", entities, dict.fromkeys(settings.graph.metrics, scans)))
    return routes


def stem(route, design):
    """Return the entities of a group file: those of the route and the contrast."""
    return {**route.entities, "contrast": label(f"{design.active} vs {design.reference}")}


def group_name(route, design, suffix, extension, **more):
    """Return the name of a group file."""
    return build({**stem(route, design), **more}, suffix, extension)
