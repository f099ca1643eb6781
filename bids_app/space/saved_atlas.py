"""Atlases as they were laid over a grid, in files: an image, a table, and maps if they have some."""

import hashlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from scipy import sparse

from bids_app.bids.files import read_table, replacing, save_described, save_image
from bids_app.bids.names import Name
from bids_app.bids.result_names import laid_path
from bids_app.space.atlas import Atlas
from bids_app.space.grid import Nodes
from bids_app.system.provenance import digest_of_file, shareable
from bids_app.system.small_files import read_record

COLUMNS = {
    "index": "Label of the parcel in the image",
    "name": "Name of the parcel",
    "network": "Network of the parcel",
    "n_nodes": "Nodes of the analysis grid in the parcel",
    **{axis: f"{axis} of the centre of the parcel's nodes, mm" for axis in "xyz"},
}


def save_atlas(output_dir: Path, atlas: Atlas, grid: Nodes, place: dict[str, str]) -> Path:
    """Write an atlas as it was laid over the grid: image, table, maps if it has some.

    Parameters
    ----------
    output_dir : Path
    atlas : Atlas
    grid : Grid or Surface
    place : dict
        Entities of the data; space and, on surfaces, den tell grids apart.

    Returns
    -------
    Path
        Of the image.
    """
    path = laid_path(output_dir, place | atlas.entities, grid.extension)
    n_nodes = np.bincount(atlas.of_node[atlas.of_node >= 0], minlength=len(atlas.parcels))
    table = atlas.parcels.assign(n_nodes=n_nodes, **dict(zip("xyz", atlas.coordinates.T.round(2), strict=True)))
    kind = "labels" if atlas.maps is None else "probabilistic maps"
    facts = {"Name": " ".join(atlas.entities.values()), "Origin": shareable(atlas.origin, output_dir), "Kind": kind}
    facts |= {"Names": shareable(atlas.named_by, output_dir)} if atlas.named_by else {}
    labels = np.where(atlas.of_node >= 0, atlas.parcels["index"].to_numpy()[atlas.of_node], 0)
    if atlas.maps is None:
        _maps_path(path).unlink(missing_ok=True)  # of an atlas that had this name before
    else:
        with replacing(_maps_path(path)) as partial, partial.open("wb") as file:
            sparse.save_npz(file, atlas.maps)
    save_image(path, grid.image(labels, fill=0, dtype=np.int32 if labels.max(initial=0) < 2**31 else np.int64))
    save_described(path.with_name(f"{path.name.partition('.')[0]}.tsv"), table, COLUMNS, **facts)
    return path


def _maps_path(path: Path) -> Path:
    return path.with_name(f"{path.name.partition('.')[0]}.npz")


def digest_of_atlas(path: Path) -> str:
    """Return a digest of an atlas as `save_atlas` left it: of the labels, their table and the maps."""
    stem = path.name.partition(".")[0]
    parts = [one for one in (path, path.with_name(f"{stem}.tsv"), _maps_path(path)) if one.exists()]
    return hashlib.sha256("".join(map(digest_of_file, parts)).encode()).hexdigest()[:16]


def load_atlas(path: Path, grid: Nodes) -> Atlas:
    """Read an atlas as `save_atlas` left it.

    Parameters
    ----------
    path : Path
        Of the label image.
    grid : Grid or Surface
        Over which it was laid.
    """
    stem = path.name.partition(".")[0]
    table = read_table(path.with_name(f"{stem}.tsv"), dtype={"name": str, "network": str})
    image: Any = nib.load(path)  # NIfTI or CIFTI
    labels = np.asanyarray(image.dataobj).ravel()[grid.mask.ravel()]
    position = pd.Series(range(len(table)), index=table["index"])
    maps = _maps_path(path)
    origin = read_record(path.with_name(f"{stem}.json"), "Run the participant level again.")["Origin"]
    return Atlas(
        {key: value for key, value in Name.parse(path).entities.items() if key in ("atlas", "seg", "scale")},
        table[[column for column in ("index", "name", "network") if column in table]],
        position.reindex(labels.astype(int)).fillna(-1).to_numpy(int),
        table[["x", "y", "z"]].to_numpy(float),
        sparse.load_npz(maps) if maps.exists() else None,
        origin,
    )
