"""The page of one participant, from the participant's files alone."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from bids_app.bids.files import read_table, save_figure
from bids_app.bids.names import ENTITIES, Name, build, scan_label, session_in
from bids_app.bids.result_names import MAPS, PARCELLATION, figure_path, parcellation_of, read_map_desc, surface_path
from bids_app.bids.scans import Scan, ScanIndex, index_scans
from bids_app.bids.status import read_statuses
from bids_app.graph import GLOBALS
from bids_app.graph.features import Feature
from bids_app.report.figures import histogram_figure, matrices_figure, visits_figure
from bids_app.report.heads import head, head_of
from bids_app.report.pages import write_page
from bids_app.space.grid import Grid, load_grid
from bids_app.system.small_files import read_record

Place = tuple[tuple[str, str], ...]  # entities that tell maps apart which do not lie on each other
OF_SCANS = tuple(key for key in ENTITIES[: ENTITIES.index("space")] if key not in ("sub", "task"))


def write_participant_page(output_dir: Path, participant: str) -> Path:
    """Write ``sub-<label>.html`` and its figures from the participant's files.

    Parameters
    ----------
    output_dir : Path
    participant : str
        Label without sub-.

    Returns
    -------
    Path
    """
    (status,) = read_statuses(output_dir, [participant])
    index = index_scans(output_dir, [participant])
    page, maps = output_dir / f"sub-{participant}.html", raw_maps(index)
    sessions = {session for scan in status["Scans"] if (session := session_in(scan["Scan"]))}
    own_head = head_of(page) or head(f"sub-{participant}", [f"ses-{one}" for one in sorted(sessions)])
    write_page(
        page,
        "participant.html.jinja",
        participant=participant,
        head=Markup(own_head),
        scans=status["Scans"],
        bold=_bold(output_dir, maps),
        measures=_draw_measures(output_dir, participant, maps),
        parcels=_parcels(output_dir, participant, index),
        settings=_settings(output_dir, status.get("Run")),
        files=_files(output_dir, participant),
    )
    return page


def raw_maps(index: ScanIndex) -> list[Scan]:
    """List the maps of an index as measured, as `scans.Scan`."""
    found = [scan for extension in MAPS for scan in index.of("boldmap", extension)]
    descs = [(scan, read_map_desc(scan.entities["desc"])) for scan in found]
    return [scan for scan, desc in descs if desc is None or (desc.values == "raw" and not desc.fwhm)]


def _bold(output_dir: Path, maps: Sequence[Scan]) -> dict[str, dict[str, Any]]:
    """Collect per scan what the sidecars of its maps say, and its carpet."""
    scans: dict[str, dict[str, Any]] = {}
    for scan in maps:
        source = {key: value for key, value in scan.entities.items() if key not in ("stat", "desc")}
        carpet = figure_path(output_dir, source, "carpet")
        entry = scans.setdefault(
            scan_label(scan.entities),
            {
                "facts": scan.sidecar,
                "measures": {},
                "graphs": {},
                "carpet": carpet if carpet.exists() else None,
            },
        )
        entry["measures"][scan.sidecar["Title"]] = scan.sidecar
        if "NumberOfEdges" in scan.sidecar:
            entry["graphs"][scan.entities["desc"]] = scan.sidecar
    return scans


def _draw_measures(output_dir: Path, participant: str, maps: Sequence[Scan]) -> list[dict[str, Any]]:
    """Draw every measure at all scans: maps with their differences, and how degree is distributed."""
    by_kind: dict[tuple[Feature, str, Place], dict[str, Scan]] = {}
    for scan in maps:
        feature = Feature(scan.sidecar["Measure"], scan.entities["desc"])
        place = tuple((key, scan.entities[key]) for key in ("task", "space", "res", "den") if scan.entities.get(key))
        by_kind.setdefault((feature, scan.path.name.partition(".")[2], place), {})[_short(scan.entities)] = scan
    return [_draw_measure(output_dir, participant, *kind, scans) for kind, scans in by_kind.items()]


def _draw_measure(
    output_dir: Path, participant: str, feature: Feature, extension: str, place: Place, scans: Mapping[str, Scan]
) -> dict[str, Any]:
    images: dict[str, Any] = {name: nib.load(scan.path) for name, scan in scans.items()}
    first = next(iter(images.values()))
    volumes = {name: np.asarray(image.dataobj) for name, image in images.items() if image.shape == first.shape}
    grid = _grid(output_dir, first, extension, dict(place), volumes)
    values = {name: volume.ravel()[grid.mask.ravel()] for name, volume in volumes.items()}
    shown: dict[str, Any] = {"title": feature.title, "scans": list(values), "maps": None, "histogram": None}
    if not any(np.isfinite(one).any() for one in values.values()):
        return shown
    entities = {"sub": participant, **dict(place)}

    def save(what: str, figure: Figure, ending: str) -> Path:
        name = build({**entities, "desc": feature.label + what}, "boldmap", ending)
        save_figure(output_dir / f"sub-{participant}" / "figures" / name, figure)
        return output_dir / f"sub-{participant}" / "figures" / name

    text = (feature.title, feature.unit)
    in_mni = entities.get("space", "").startswith("MNI152")
    shown["maps"] = save("", visits_figure(grid, values, *text, anatomy=in_mni), ".png")
    if feature.metric == "degree":
        shown["histogram"] = save("Histogram", histogram_figure(values, *text), ".svg")
    return shown


def _grid(
    output_dir: Path, image: Any, extension: str, place: Mapping[str, str], volumes: Mapping[str, np.ndarray]
) -> Any:
    """Return the nodes that any of the scans has; red are those that one of them lacks."""
    if extension == "dscalar.nii":
        return load_grid(surface_path(output_dir, place))
    return Grid(np.any([np.isfinite(volume) for volume in volumes.values()], axis=0), image.affine)


def _short(entities: Mapping[str, str], tasks: Collection[str | None] = ()) -> str:
    """Return what tells a participant's scans of these tasks apart."""
    keys = ("task", *OF_SCANS) if len(tasks) > 1 else OF_SCANS
    parts = [f"{key}-{entities[key]}" for key in keys if key in entities]
    return " ".join(parts) or f"task-{entities.get('task')}"


def _tasks(scans: Sequence[Scan]) -> set[str | None]:
    return {scan.entities.get("task") for scan in scans}


def _parcels(output_dir: Path, participant: str, index: ScanIndex) -> dict[str, dict[str, Any]]:
    """Collect the nodal tables of every atlas, and draw the matrices of all scans."""
    atlases: dict[str, dict[str, Any]] = {}
    tasks = _tasks(index.of("global", ".tsv"))
    for scan in index.of("nodes", ".tsv"):
        nodes = read_table(scan.path)
        names = Name.parse(scan.path).entities
        atlas = _atlas(names)
        entry = atlases.setdefault(atlas, {"tables": [], "matrices": None, "globals": []})
        entry["tables"].append(
            {
                "label": scan_label(names),
                "facts": scan.sidecar,
                "n_parcels": len(nodes),
                "n_missing": int(nodes["degree"].isna().sum()) if "degree" in nodes else 0,
                "path": scan.path.relative_to(output_dir).as_posix(),
            }
        )
    for scan in index.of("global", ".tsv"):
        values = read_table(scan.path).iloc[0].set_axis([one.label for one in GLOBALS.values()])
        atlas = _atlas(scan.entities)
        label = f"{_short(scan.entities, tasks)} {scan.entities['desc']}"
        if atlas in atlases:
            atlases[atlas]["globals"].append({"label": label, "values": values.to_dict()})
    for atlas, entry in atlases.items():
        entry["matrices"] = _draw_matrices(output_dir, participant, atlas, index)
    return atlases


def _atlas(entities: Mapping[str, str]) -> str:
    return " ".join(filter(None, parcellation_of(entities)))


def _draw_matrices(output_dir: Path, participant: str, atlas: str, index: ScanIndex) -> Path | None:
    matrices, entities = {}, {}
    scans = index.of("relmat", ".tsv")
    tasks = _tasks(scans)
    first = next((scan.entities.get("stat") for scan in scans if "pearson" in scan.entities.get("stat", "")), None)
    for scan in scans:  # of several matrices, Pearson's
        if first in (None, scan.entities.get("stat")) and atlas == _atlas(scan.entities):
            table = read_table(scan.path, index_col=0)
            matrices[_short(scan.entities, tasks)] = table.to_numpy(float)
            entities = scan.entities
    if not matrices or len({len(matrix) for matrix in matrices.values()}) > 1:
        return None
    networks = _networks(index, entities)
    name = {key: value for key, value in entities.items() if key not in OF_SCANS and (key != "task" or len(tasks) == 1)}
    path = output_dir / f"sub-{participant}" / "figures" / build(name, "relmat", ".png")
    save_figure(path, matrices_figure(matrices, networks))
    return path


def _networks(index: ScanIndex, entities: Mapping[str, str]) -> np.ndarray | None:
    """Return the network of each parcel if the nodal tables say."""
    wanted = {key: entities.get(key) for key in ("space", *PARCELLATION)}
    for scan in index.of("nodes", ".tsv", **wanted):
        nodes = read_table(scan.path, dtype={"network": str})
        return nodes["network"].fillna("none").astype(str).to_numpy() if "network" in nodes else None
    return None


def _settings(output_dir: Path, run: str | None) -> list[tuple[str, Any]]:
    """Return the settings of the run that made the scans, as pairs of name and value."""
    path = output_dir / "logs" / str(run) / "settings.json"
    if not path.exists():
        return []
    content = read_record(path, "Remove it, or run the participant level again.")
    return [pair for part in ("selection", "signal", "graph") for pair in content[part].items()]


def _files(output_dir: Path, participant: str) -> dict[str, list[str]]:
    """List every file of the participant by folder."""
    folder = output_dir / f"sub-{participant}"
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            found.setdefault(path.parent.relative_to(output_dir).as_posix(), []).append(path.name)
    return found
