"""What is known of a route beside its table of results, read from the group's files."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.bids.files import read_table
from bids_app.bids.result_names import result_path
from bids_app.graph.features import Feature
from bids_app.report.answer import Row
from bids_app.report.headline import Evidence, deciding
from bids_app.space.places import nearest_sphere
from bids_app.trial.comparison_record import ComparisonRecord

SUFFIX_OF_KIND = {"maps": "clusters", "parcels": "nodes", "global": "global", "edges": "components"}
STATISTICS = {"t": "t", "p_fwe": "pFwe", "p_fwe_all": "pFweAll"}
OF_G = {"hedges_g": "hedgesG", "g_low": "gLow", "g_high": "gHigh"}
OF_SLOPE = {"difference": "difference", "ci_low": "ciLow", "ci_high": "ciHigh"}
HEADLINE_ROW = "none: the headline analysis"  # of the table of sensitivity


def evidence_of(folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> Evidence:
    """Collect what the sentences about a route need beside its table.

    Parameters
    ----------
    folder : Path
        The group's folder.
    entities : dict
        Of the route and the contrast.
    record : ComparisonRecord

    Returns
    -------
    Evidence
    """
    table = folder / result_path(entities, SUFFIX_OF_KIND[record.kind], ".tsv")
    regions = folder / result_path(entities, "sensitivity", ".tsv")
    files = tuple(path.relative_to(folder).as_posix() for path in (table, regions) if path.exists())
    means = _means(regions) if regions.exists() else {}
    if record.kind != "maps":
        return Evidence(means, files=files)
    features = [one.feature for one in record.analyses.features]
    nodes = {cluster: own for one in features for cluster, own in _nodes(folder, entities, record, one).items()}
    rule = deciding(record.analyses.features)
    best = {one.title: _strongest(folder, entities, record, one, rule[one.title]) for one in features}
    return Evidence(means, nodes, {title: row for title, row in best.items() if row}, files)


def _means(path: Path) -> dict[str, Row]:
    table = read_table(path, dtype={"cluster": str})
    rows: Any = table[table["variation"] == HEADLINE_ROW].to_dict("records")
    return {row["cluster"]: row for row in rows}


def _name(entities: Mapping[str, str], record: ComparisonRecord, feature: Feature, **more: str) -> dict[str, str]:
    return {**entities, **more, "desc": feature.label + record.analyses.map_suffixes[record.analyses.headline]}


def _nodes(
    folder: Path, entities: Mapping[str, str], record: ComparisonRecord, feature: Feature
) -> dict[str, Collection[int]]:
    """Return the nodes of each cluster of a measure, by what the cluster is known by."""
    named = _name(entities, record, feature)
    look_up = folder / result_path(named, "dseg", ".tsv")
    if not look_up.exists():
        return {}
    numbers = _values(folder / result_path(named, "dseg", _extension(record)))
    rows = read_table(look_up, dtype={"cluster": str})
    known = zip(rows["cluster"].astype(str), rows["index"], strict=True)
    return {cluster: set(np.flatnonzero(numbers == number).tolist()) for cluster, number in known}


def _extension(record: ComparisonRecord) -> str:
    return ".dscalar.nii" if record.route == "grayordinates" else ".nii.gz"


def _values(path: Path) -> np.ndarray:
    image: Any = nib.load(path)
    return np.asarray(image.dataobj).ravel()


def _strongest(
    folder: Path, entities: Mapping[str, str], record: ComparisonRecord, feature: Feature, p: str
) -> dict[str, Any] | None:
    """Return the node with the smallest p, and of those the largest |t|; None where a map is not there."""
    paths = {
        column: folder / result_path(_name(entities, record, feature, stat=stat), "statmap", _extension(record))
        for column, stat in (STATISTICS | (OF_G if record.analyses.slope is None else OF_SLOPE)).items()
    }
    if not all(path.exists() for path in paths.values()):
        return None
    values = pd.DataFrame({column: _values(path) for column, path in paths.items()}).dropna(subset=[p, "t"])
    if values.empty:
        return None
    node = values.assign(size=-values["t"].abs()).sort_values([p, "size"]).index[0]
    place = _place(paths["t"], int(node), entities.get("space"))
    return values.loc[node].to_dict() | {"feature": feature.title, "name": place}


def _place(path: Path, node: int, space: str | None) -> str:
    """Say where a voxel lies; of a grayordinate, which."""
    image: Any = nib.load(path)
    if not isinstance(image, nib.Nifti1Image):
        return f"grayordinate {node}"
    voxel = np.unravel_index(node, image.shape)
    named = nearest_sphere(nib.affines.apply_affine(image.affine, voxel), space)
    return named.name[0].lower() + named.name[1:]
