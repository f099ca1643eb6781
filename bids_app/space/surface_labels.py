"""Labels that lie on surfaces, as CIFTI, GIFTI and FreeSurfer have them, at the nodes of a surface."""

import re
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from nibabel.cifti2 import BrainModelAxis, LabelAxis
from scipy.spatial import KDTree

from bids_app.errors import DataError, MissingInputError
from bids_app.space.atlas_labels import unique_names, with_networks
from bids_app.space.label_image import whole_labels
from bids_app.space.surface import Surface
from bids_app.system.images import UNREADABLE, open_image, read_image, require

Labels = tuple[np.ndarray, dict[int, str]]  # of each place, and the names of those that are parcels
ENDINGS = (".dlabel.nii", ".label.gii", ".annot")
SIDES = (r"hemi-([LR])(?![A-Za-z0-9])", r"(?<![A-Za-z0-9])([lr]h)(?=[._])", r"(?<=\.)([LR])(?=\.)")
NO_PARCEL = re.compile(
    r"background.*|none|(.*[-_ ])?(\?\?\?|unknown|medial[_ ]?wall|corpus[_ ]?callosum)", re.IGNORECASE
)


def is_labels(path: Path) -> bool:
    """Say by its name whether a file holds labels of a surface."""
    return path.name.endswith(ENDINGS)


def plain_stem(path: Path) -> str:
    """Return a file's name without its extension and, of labels, without what says the hemisphere.

    Examples
    --------
    >>> from pathlib import Path
    >>> plain_stem(Path("lh.aparc.annot")), plain_stem(Path("sub.L.areas.32k_fs_LR.label.gii"))
    ('aparc', 'sub.areas.32k_fs_LR')
    """
    ending = next((ending for ending in ENDINGS if path.name.endswith(ending)), "")
    side = _side_of(path.name) if ending else None
    if side is None:
        return path.name.removesuffix(ending)
    return (path.name[: side.start()].rstrip("._") + path.name[side.end() :]).removesuffix(ending).lstrip("._")


def _side_of(name: str) -> re.Match[str] | None:
    """Return where a file's name says the hemisphere, as a match, or None."""
    return next((found for pattern in SIDES if (found := re.search(pattern, name))), None)


def read_surface_labels(path: Path, surface: Surface) -> tuple[np.ndarray, pd.DataFrame]:
    """Read labels at the nodes of a surface.

    Parameters
    ----------
    path : Path
        A dlabel.nii, or the label.gii or annot of one hemisphere with the other one's beside it.
    surface : surface.Surface
        Of the same mesh; it may lack vertices and structures of the labels, or have more.

    Returns
    -------
    at_node : (N,) int ndarray
        0 for none.
    table : DataFrame
        index, name, and network if Schaefer's names tell it; without what is no parcel, as the medial wall.

    Raises
    ------
    MissingInputError
        There is no file of the other hemisphere.
    DataError
        No labels can be read, they are of another mesh, or none is at a node.

    Notes
    -----
    Where both hemispheres use a number, those of the right one are counted on from the next power of ten, and where
    they use a name, it begins with L or R.
    """
    read = _of_cifti if path.name.endswith(".dlabel.nii") else _of_hemispheres
    at_grayordinate, parcels = read(path, surface)
    at_node = at_grayordinate[surface.mask]
    if not at_node.any():
        raise DataError(f"--atlas {path}: none of its labels is at a grayordinate of the data.")
    table = pd.DataFrame(sorted(parcels.items()), columns=["index", "name"])
    table["name"] = unique_names(table["name"], table["index"])
    return at_node, with_networks(table)


def _parcels(labels: np.ndarray, names: Mapping[int, str]) -> Labels:
    """Leave out what is no parcel: return the labels, 0 there, and the names of the others."""
    parcels = {int(index): name for index, name in names.items() if index > 0 and not NO_PARCEL.fullmatch(name)}
    return np.where(np.isin(labels, list(parcels)), labels, 0), parcels


def _of_cifti(path: Path, surface: Surface) -> Labels:
    image, values = read_image(path, f"--atlas {path}")
    if not isinstance(image, nib.Cifti2Image) or not isinstance(image.header.get_axis(0), LabelAxis):
        raise DataError(f"--atlas {path}: it holds no labels of grayordinates.")
    maps, theirs = image.header.get_axis(0), image.header.get_axis(1)
    if len(maps) > 1:
        raise DataError(
            f"--atlas {path}: it holds {len(maps)} maps of labels ({', '.join(maps.name[:5])}); one is needed "
            "(wb_command -cifti-merge OUT -cifti FILE -column 1 takes the first)."
        )
    labels, parcels = _parcels(
        whole_labels(values[0], f"--atlas {path}"), {key: name for key, (name, _) in maps.label[0].items()}
    )
    at_grayordinate = np.zeros(len(surface.axis), dtype=int)
    for structure, count in surface.axis.nvertices.items():
        if structure in theirs.nvertices:
            own = surface.axis.name == structure
            _require_count(path, theirs.nvertices[structure], count)
            at_vertex = np.zeros(count, dtype=int)
            at_vertex[theirs.vertex[theirs.name == structure]] = labels[theirs.name == structure]
            at_grayordinate[own] = at_vertex[surface.axis.vertex[own]]
    if theirs.volume_mask.any() and surface.axis.volume_mask.any():
        at_grayordinate[surface.axis.volume_mask] = _at_voxels(theirs, labels, surface)
    return at_grayordinate, parcels


def _at_voxels(theirs: BrainModelAxis, labels: np.ndarray, surface: Surface) -> np.ndarray:
    """Return the label of the voxel that each of the surface's voxels has its centre in."""
    voxels = theirs.volume_mask
    size = nib.affines.voxel_sizes(theirs.affine).max()
    centres = apply_affine(theirs.affine, theirs.voxel[voxels])
    places = surface.positions[surface.axis.volume_mask]
    distance, nearest = KDTree(centres).query(places, p=np.inf)
    return np.where(distance <= size / 2 + 1e-3, labels[voxels][nearest], 0)


def _of_hemispheres(path: Path, surface: Surface) -> Labels:
    halves = {side: _read_half(one) for side, one in _both(path).items()}
    left, right = (names for _, names in halves.values())
    step = 10 ** len(str(max([*left, *right]))) if set(left) & set(right) else 0
    shared = set(left.values()) & set(right.values())
    at_grayordinate, parcels = np.zeros(len(surface.axis), dtype=int), dict[int, str]()
    for side, shift in (("L", 0), ("R", step)):
        labels, names = halves[side]
        nodes = surface.nodes_of(side)
        _require_count(path, len(labels), len(nodes))
        at_grayordinate[nodes[nodes >= 0]] = np.where(labels > 0, labels + shift, 0)[nodes >= 0]
        parcels |= {index + shift: f"{side}_{name}" if name in shared else name for index, name in names.items()}
    return at_grayordinate, parcels


def _both(path: Path) -> dict[str, Path]:
    """Return the files of both hemispheres by the name of one."""
    side = _side_of(path.name)
    if side is None:
        raise MissingInputError(
            f"--atlas {path}: which hemisphere is it of? The names of both files must differ in hemi-L and hemi-R, in "
            "lh and rh, or in .L. and .R. alone."
        )
    words = ("lh", "rh") if side[1] in ("lh", "rh") else ("L", "R")
    before, after = path.name[: side.start(1)], path.name[side.end(1) :]
    files = {key: path.with_name(before + word + after) for key, word in zip("LR", words, strict=True)}
    for one in files.values():
        if not one.exists():
            raise MissingInputError(f"--atlas {path}: the file of the other hemisphere, {one}, does not exist.")
    return files


def _read_half(path: Path) -> Labels:
    """Return the label of each vertex, 0 for none, and the names of those parcels that have some."""
    labels, names = _parcels(*(_of_annot(path) if path.name.endswith(".annot") else _of_gifti(path)))
    present = set(np.unique(labels))
    return labels, {index: name for index, name in names.items() if index in present}


def _of_gifti(path: Path) -> Labels:
    image = open_image(path, f"--atlas {path}")
    if not isinstance(image, nib.GiftiImage) or len(image.darrays) != 1:
        raise DataError(f"--atlas {path}: a GIFTI file with one label per vertex is needed.")
    labels = whole_labels(np.asarray(image.darrays[0].data), f"--atlas {path}")
    return labels, image.labeltable.get_labels_as_dict()


def _of_annot(path: Path) -> Labels:
    require(path)
    try:
        labels, _, names = nib.freesurfer.read_annot(path)
    except (*UNREADABLE, IndexError) as error:  # the latter where the file ends too early
        raise DataError(f"--atlas {path}: no annotation can be read from it: {error}") from error
    names = [name.decode(errors="replace") for name in names]
    first = 0 if names and NO_PARCEL.fullmatch(names[0]) else 1  # some number their first parcel 0
    return labels + first, dict(enumerate(names, first))


def _require_count(path: Path, n_labels: int, n_vertices: int) -> None:
    if n_labels != n_vertices:
        raise DataError(
            f"--atlas {path}: its hemispheres have {n_labels} vertices, those of the data {n_vertices}; an atlas for "
            "this mesh is needed."
        )
