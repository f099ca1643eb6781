"""What the page shows of one group at one visit, which is described and not tested."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from bids_app.bids.files import read_table, save_figure
from bids_app.bids.result_names import MAPS, output_of, result_path, surface_path
from bids_app.report.figures import visits_figure
from bids_app.report.parcels import titled
from bids_app.space.grid import Grid
from bids_app.space.surface_files import load_surface
from bids_app.trial.comparison_record import ComparedFeature, ComparisonRecord

DRAWN = {"mean": "mean over participants", "sd": "standard deviation", "icc": "ICC of two runs"}
N_SHOWN = 10


def described(folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> dict[str, Any]:
    """Return tables and figures of what is described.

    Parameters
    ----------
    folder : Path
        The group's folder.
    entities : dict
        Of the route and the contrast.
    record : ComparisonRecord

    Returns
    -------
    dict
        ``rows`` over all nodes, ``features`` with their figures, and of tables the nodes with the largest means.
    """
    rows = titled(read_table(folder / result_path(entities, "description", ".tsv"))).to_dict("records")
    features: list[dict[str, Any]] = []
    for one in record.analyses.features:
        if record.kind == "maps":
            features.append({"feature": one.title, "figures": _figures(folder, entities, one), "nodes": []})
        else:
            features.append({"feature": one.title, "figures": [], "nodes": _nodes(folder, entities, record, one)})
    return {"rows": rows, "features": features}


def _figures(folder: Path, entities: Mapping[str, str], one: ComparedFeature) -> list[dict[str, Any]]:
    found = []
    for stat, text in DRAWN.items():
        for extension in MAPS:
            name = result_path({**entities, "stat": stat, "desc": one.feature.label}, "statmap", extension)
            if (folder / name).exists():
                path = folder / result_path({**entities, "stat": stat, "desc": one.feature.label}, "map", ".png")
                save_figure(path, _figure(folder, folder / name, entities, f"{one.title}, {text}"))
                found.append({"path": path, "text": text})
    return found


def _figure(folder: Path, path: Path, entities: Mapping[str, str], title: str) -> Any:
    image: Any = nib.load(path)
    values = image.get_fdata()
    if path.name.endswith(".nii.gz"):
        mask = np.isfinite(values)
        return visits_figure(Grid(mask, image.affine), {"": values[mask]}, title, "as it is compared")
    surface = load_surface(surface_path(output_of(folder), entities))
    return visits_figure(surface, {"": values.ravel()[surface.mask]}, title, "as it is compared")


def _nodes(
    folder: Path, entities: Mapping[str, str], record: ComparisonRecord, one: ComparedFeature
) -> list[dict[Any, Any]]:
    suffix = {"global": "global", "edges": "edges"}.get(record.kind, "nodes")
    table = read_table(folder / result_path(entities, suffix, ".tsv"), dtype={"name": str})
    own = table[(table["measure"] == one.metric) & (table["edges"] == one.edges)]
    shown = own if record.kind == "global" else own.sort_values("mean", ascending=False).head(N_SHOWN)
    return shown.to_dict("records")
