"""Reading a BOLD image at the nodes of the analysis grid."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.ndimage import map_coordinates

from bids_app.bids.masks import binarized
from bids_app.bids.runs import BoldRun
from bids_app.bids.timing import InHeader, RepetitionTime, in_header, repetition_time
from bids_app.errors import DataError, MissingInputError
from bids_app.participant.echoes import combine_echoes, echo_times
from bids_app.space.grid import Nodes
from bids_app.space.surface import Surface
from bids_app.space.surface_files import read_grayordinates
from bids_app.system.images import UNREADABLE, open_bold, read_image

NEGLIGIBLE_SHARE = 1e-3


def read_series(run: BoldRun, grid: Nodes) -> tuple[np.ndarray, RepetitionTime, tuple[str, ...]]:
    """Read a run at the nodes.

    Parameters
    ----------
    run : runs.BoldRun
    grid : Grid or Surface

    Returns
    -------
    series : (N, T) float32 ndarray
        NaN for nodes without a signal.
    timing : timing.RepetitionTime
    notes : tuple of str
        How the images were read, where that is not as they are.

    Raises
    ------
    DataError, MissingInputError
    """
    if isinstance(grid, Surface):
        series, seconds = read_grayordinates(run.bold, grid)
        header = InHeader(seconds, "sec") if seconds else None
        return series, repetition_time(run.bold.name, run.repetition_time, header), ()
    image = open_bold(run.bold)
    timing = repetition_time(run.bold.name, run.repetition_time, in_header(image))
    if run.echoes:
        series, notes = _combined(run, grid)
        return series, timing, notes
    if run.mask is None and run.denoised:  # nodes are wherever the signal varies
        return sample_nodes(image, np.ones(image.shape[:3], dtype=bool), grid), timing, ()
    mask, note = read_mask(run.mask, image)
    return sample_nodes(image, mask, grid), timing, (note,) if note else ()


def _combined(run: BoldRun, grid: Nodes) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the echoes of a run, which share its mask, and combine them node by node."""
    times = echo_times([path.name for path in run.echoes], run.echo_times)
    images = [open_bold(path) for path in run.echoes]
    shapes = [image.shape for image in images]
    if len(set(shapes)) > 1:
        raise DataError(f"{run.bold.name}: its echoes differ in shape: {', '.join(map(str, shapes))}.")
    mask, note = read_mask(run.mask, images[0])
    series = np.stack([sample_nodes(image, mask, grid) for image in images])
    return combine_echoes(series, times), (note,) if note else ()


def sample_nodes(image: Any, mask: np.ndarray, grid: Nodes) -> np.ndarray:
    """Read the BOLD series at the nodes, by linear interpolation.

    Parameters
    ----------
    image : 4D image, as from `open_bold`
    mask : (X, Y, Z) bool ndarray
        As from `read_mask`.
    grid : Grid

    Returns
    -------
    (N, T) float32 ndarray
        NaN for nodes outside the brain mask, with a value that is not finite, or without variation.
    """
    voxels = nib.affines.apply_affine(np.linalg.inv(image.affine), grid.coordinates).T
    # The outermost voxels reach half a voxel beyond their centres: rounding must not put a node outside.
    inside = map_coordinates(mask.astype(np.uint8), voxels, order=0, mode="grid-constant") > 0
    if not inside.any():
        raise DataError(f"none of the {grid.n_nodes} nodes of the analysis mask lies in the brain mask of the run.")
    series = np.full((grid.n_nodes, image.shape[3]), np.nan, dtype=np.float32)
    places = voxels[:, inside]
    for volume, values in enumerate(_volumes(image)):
        series[inside, volume] = _interpolated(values, places)
    alive = np.isfinite(series).all(axis=1) & (np.ptp(series, axis=1) > 0)
    if not alive.any():
        raise DataError("no node of the analysis mask has a signal that varies.")
    series[~alive] = np.nan
    return series


def _interpolated(volume: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Interpolate linearly; NaN only where a value that is not finite has a share in the result."""
    finite = np.isfinite(volume)
    if finite.all():
        return map_coordinates(volume, voxels, order=1, mode="nearest")
    values = map_coordinates(np.where(finite, volume, 0), voxels, order=1, mode="nearest")
    lost = map_coordinates((~finite).astype(np.float32), voxels, order=1, mode="nearest")
    return np.where(lost < NEGLIGIBLE_SHARE, values, np.nan)


def read_mask(path: Path | None, image: Any) -> tuple[np.ndarray, str | None]:
    """Read a run's brain mask.

    Parameters
    ----------
    path : Path or None
        On the grid of the image.
    image : 4D image

    Returns
    -------
    inside : (X, Y, Z) bool ndarray
    note : str or None
        As from `masks.binarized`.
    """
    if path is None:
        raise MissingInputError("no brain mask beside the BOLD image (looked for the same name with desc-brain_mask).")
    mask, values = read_image(path)
    if mask.shape != image.shape[:3] or not np.allclose(mask.affine, image.affine, atol=1e-3):
        raise DataError(
            f"{path.name} is on another grid than the BOLD image: shape {mask.shape} and {image.shape[:3]}, "
            f"origin {_origin(mask)} and {_origin(image)}."
        )
    return binarized(values, path.name)


def _origin(image: Any) -> tuple[float, ...]:
    return tuple(round(float(value), 1) for value in image.affine[:3, 3])


def _volumes(image: Any) -> Iterator[np.ndarray]:
    """Yield the volumes; the next is unpacked while one is worked on."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(_volume, image, 0)
        for following in range(1, image.shape[3]):
            values, coming = coming.result(), reader.submit(_volume, image, following)
            yield values
        yield coming.result()


def _volume(image: Any, index: int) -> np.ndarray:
    try:
        return np.asarray(image.dataobj[..., index], dtype=np.float32)
    except UNREADABLE as error:
        raise DataError(f"the BOLD image is truncated: volume {index} of {image.shape[3]} cannot be read.") from error
