"""Grayordinates as files: series and meshes, read from and written to CIFTI and GIFTI."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.cifti2 import BrainModelAxis

from bids_app.bids.files import replacing
from bids_app.bids.names import EXTENSION, other_hemisphere
from bids_app.errors import DataError, MissingInputError
from bids_app.space.surface import HEMISPHERES, Mesh, Surface
from bids_app.system.images import UNREADABLE, open_image, read_image

logger = logging.getLogger(__name__)

FSLR_32K = (
    32492  # vertices of a hemisphere of HCP's mesh, in which abcd-hcp-pipeline has its series and does not say so
)
BUNDLED = {10242: "fsaverage5"}  # vertices of a hemisphere, and the meshes that come with nilearn


def axis_of(path: Path) -> BrainModelAxis:
    """Return what the grayordinates of a CIFTI file, or of the GIFTI files of both hemispheres, are.

    Raises
    ------
    DataError, MissingInputError
        As `images.open_image`; DataError also if it holds no series.
    """
    image = open_image(path)
    if isinstance(image, nib.Cifti2Image):
        axis = image.header.get_axis(image.ndim - 1)
        if not isinstance(axis, BrainModelAxis):
            raise DataError(f"{path.name}: its columns are no grayordinates (a dense CIFTI file is needed).")
        return axis
    counts = [len(_gifti(path).darrays[0].data), len(_gifti(other_hemisphere(path)).darrays[0].data)]
    left, right = (
        BrainModelAxis.from_surface(np.arange(count), count, HEMISPHERES[side])
        for side, count in zip("LR", counts, strict=True)
    )
    return left + right


def _gifti(path: Path) -> nib.GiftiImage:
    image = open_image(path)
    if not isinstance(image, nib.GiftiImage) or not image.darrays:
        raise DataError(f"{path.name} is no GIFTI file with data.")
    return image


def read_grayordinates(path: Path, surface: Surface) -> tuple[np.ndarray, float | None]:
    """Read a series at the nodes of a surface.

    Parameters
    ----------
    path : Path
        A dtseries.nii, or the func.gii of the left hemisphere with the right one's beside it.
    surface : Surface

    Returns
    -------
    series : (N, T) float32 ndarray
        NaN for nodes with a value that is not finite, or without variation.
    repetition_time : float or None
        What the file says, in seconds.
    """
    if axis_of(path) != surface.axis:
        raise DataError(f"{path.name} has other grayordinates than the first scan.")
    image = open_image(path)
    if isinstance(image, nib.Cifti2Image):
        values = np.asarray(read_image(path)[1], dtype=np.float32).T
        steps = image.header.get_axis(0)
        repetition_time = float(steps.step) if getattr(steps, "unit", None) == "SECOND" and steps.step > 0 else None
    else:
        values = np.vstack([_gifti_series(half) for half in (path, other_hemisphere(path))])
        repetition_time = None
    series = np.ascontiguousarray(values[surface.mask])
    if series.shape[1] < 2:
        raise DataError(f"{path.name} has {series.shape[1]} volume; a series is needed.")
    alive = np.isfinite(series).all(axis=1) & (np.ptp(series, axis=1) > 0)
    if not alive.any():
        raise DataError(f"{path.name}: no node has a signal that varies.")
    series[~alive] = np.nan
    return series, repetition_time


def _gifti_series(path: Path) -> np.ndarray:
    try:
        return np.column_stack([array.data for array in _gifti(path).darrays]).astype(np.float32)
    except UNREADABLE as error:
        raise DataError(f"{path.name}: its volumes differ in length: {error}") from error


def lay_surface(path: Path, mesh_files: Sequence[Path] = (), look_in: Iterable[Path] = ()) -> Surface:
    """Lay nodes over all grayordinates of a scan.

    Parameters
    ----------
    path : Path
        As for `axis_of`.
    mesh_files : sequence of Path
        Meshes of the left and right hemisphere, GIFTI; found if empty.
    look_in : sequence of Path
        Datasets whose anat folders may hold meshes.

    Returns
    -------
    Surface

    Raises
    ------
    MissingInputError
        There is no mesh; the message says which would do.
    """
    axis = axis_of(path)
    counts = {side: axis.nvertices[name] for side, name in HEMISPHERES.items() if name in axis.nvertices}
    unnamed = "space-fsLR" if set(counts.values()) == {FSLR_32K} else ""
    space = next((part for part in path.name.split("_") if part.startswith("space-")), unnamed)
    meshes = _meshes(counts, space, mesh_files, look_in)
    return Surface(np.ones(len(axis), dtype=bool), axis, meshes)


def _meshes(
    counts: Mapping[str, int], space: str, mesh_files: Sequence[Path], look_in: Iterable[Path]
) -> dict[str, Mesh]:
    if mesh_files:
        found = dict(zip("LR", map(_mesh, mesh_files), strict=True))
        for side, count in counts.items():
            if len(found[side][0]) != count:
                raise DataError(f"--surface: the mesh of {side} has {len(found[side][0])} vertices, the data {count}.")
        return found
    for candidates in _candidates(space, look_in):
        found = {side: _mesh(path) for side, path in candidates.items()}
        if all(len(found[side][0]) == count for side, count in counts.items()):
            logger.info("Meshes: %s.", ", ".join(str(path) for path in candidates.values()))
            return found
    if space.startswith("space-fsaverage") and set(counts.values()) <= set(BUNDLED):
        return {side: _bundled(BUNDLED[count], side) for side, count in counts.items()}
    wanted = ", ".join(f"{count} vertices for {side}" for side, count in counts.items())
    raise MissingInputError(
        f"No meshes for the surfaces of {space or 'the data'}: looked for *_hemi-L_{space}*_midthickness.surf.gii in "
        f"the anat folders of the preprocessed data, and for TemplateFlow's in TEMPLATEFLOW_HOME. Give them with "
        f"--surface LEFT RIGHT ({wanted})."
    )


def _candidates(space: str, look_in: Iterable[Path]) -> Iterator[dict[str, Path]]:
    """Yield pairs of mesh files: TemplateFlow's, then those of the first participants that have some."""
    template = space.removeprefix("space-")
    cache = os.environ.get("TEMPLATEFLOW_HOME")
    folders = [(Path(cache) / f"tpl-{template}", "*_hemi-L_*midthickness.surf.gii")] if cache else []
    folders += [(folder, f"sub-*/**/anat/*_hemi-L_{space}*_midthickness.surf.gii") for folder in look_in]
    for folder, pattern in folders:
        for left in sorted(folder.glob(pattern)):
            right = other_hemisphere(left)
            if right.exists():
                yield {"L": left, "R": right}


def _mesh(path: Path) -> Mesh:
    image = open_image(Path(path))
    try:
        positions, faces = image.agg_data(("pointset", "triangle"))
        return np.asarray(positions, dtype=float), np.asarray(faces, dtype=int)
    except (AttributeError, ValueError, TypeError) as error:
        raise DataError(f"{path} holds no triangle mesh (GIFTI with a pointset and triangles is needed).") from error


def _bundled(name: str, side: str) -> Mesh:
    """Return the surface halfway between white matter and pial surface."""
    from nilearn.datasets import load_fsaverage  # here, for it loads scikit-learn

    part = {"L": "left", "R": "right"}[side]
    inner, outer = (load_fsaverage(name)[kind].parts[part] for kind in ("white_matter", "pial"))
    middle = (np.asarray(inner.coordinates, dtype=float) + np.asarray(outer.coordinates, dtype=float)) / 2
    return middle, np.asarray(inner.faces, dtype=int)


def save_surface(surface: Surface, path: Path) -> None:
    """Write a surface: the nodes as a dscalar.nii, and the meshes beside it.

    Parameters
    ----------
    surface : Surface
    path : Path
        Its name ends in ``nodes.dscalar.nii``.
    """
    for side, (positions, faces) in surface.meshes.items():
        arrays = [
            nib.gifti.GiftiDataArray(positions.astype(np.float32), "NIFTI_INTENT_POINTSET"),
            nib.gifti.GiftiDataArray(faces.astype(np.int32), "NIFTI_INTENT_TRIANGLE"),
        ]
        with replacing(_mesh_path(path, side)) as partial:
            nib.save(nib.GiftiImage(darrays=arrays), partial)
    with replacing(path) as partial:
        nib.save(surface.mask_image(), partial)


def _mesh_path(path: Path, side: str) -> Path:
    stem = path.name.removesuffix(f"nodes{EXTENSION}")
    return path.with_name(f"hemi-{side}_{stem}midthickness.surf.gii")


def load_surface(path: Path) -> Surface:
    """Read a surface back from what `save_surface` wrote."""
    path = Path(path)
    axis, row = axis_of(path), read_image(path)[1]
    meshes = {side: _mesh(_mesh_path(path, side)) for side in HEMISPHERES if _mesh_path(path, side).exists()}
    return Surface(np.asarray(row).ravel() > 0, axis, meshes)
