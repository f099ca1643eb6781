"""Images read at points: the one interpolation that a volume sees, and grids of another voxel size."""

from collections.abc import Iterable

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from numpy.typing import ArrayLike
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates, spline_filter


def regrid(image: nib.Nifti1Image, size: ArrayLike) -> nib.Nifti1Image:
    """Bring an image to voxels of a size, along its own axes; what is finer is smoothed first.

    Parameters
    ----------
    image : nibabel image, (X, Y, Z)
    size : float or (3,) sequence
        In mm.

    Returns
    -------
    Nifti1Image, float32
    """
    old = voxel_sizes(image.affine)
    ratio = np.broadcast_to(size, 3) / old
    data = np.asarray(image.dataobj, dtype=np.float32)
    data = gaussian_filter(data, np.sqrt(np.clip(ratio**2 - 1, 0, None)) / np.sqrt(8 * np.log(2)))
    shape = np.ceil(np.array(image.shape[:3]) / ratio - 1e-6).astype(int)
    offset = (ratio - 1) / 2  # voxels share a corner, not a centre
    affine = image.affine @ nib.affines.from_matvec(np.diag(ratio), offset)
    return nib.Nifti1Image(
        affine_transform(data, np.diag(ratio), offset, tuple(shape), order=1, mode="nearest"), affine
    )


def grid_points(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Return the world coordinates of all voxels of a grid, (X Y Z, 3) in mm, in C order."""
    return apply_affine(affine, np.indices(shape).reshape(3, -1).T)


def read_at(image: nib.Nifti1Image, values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Interpolate an array on the grid of an image linearly at world coordinates, (N, 3) in mm; 0 outside."""
    voxels = apply_affine(np.linalg.inv(image.affine), points).T
    return map_coordinates(values, voxels, order=1, mode="grid-constant")


def resample_series(
    volumes: Iterable[np.ndarray],
    affine: np.ndarray,
    points: np.ndarray,
    motion: np.ndarray,
    out: np.ndarray,
    shift: np.ndarray | None = None,
) -> np.ndarray:
    """Read every volume at its own place of the same points, each by one cubic spline.

    The points have come from the template through all other transforms: no image lies between the volume as it was
    acquired and the result.

    Parameters
    ----------
    volumes : iterable of (X, Y, Z) ndarray
        As acquired.
    affine : (4, 4) ndarray
        Of the volumes.
    points : (N, 3) ndarray
        World coordinates in the reference volume, in mm.
    motion : (T, 4, 4) ndarray
        World coordinates of the reference to those of each volume.
    out : (T, N) float32 ndarray
        Filled row by row; may lie on disk.
    shift : (N, 3) ndarray, optional
        By how many voxels the signal of each point was shifted as it was acquired, whatever the motion.

    Returns
    -------
    (N,) bool ndarray
        Points that lie within every volume.
    """
    seen = np.ones(len(points), dtype=bool)
    to_voxels = np.linalg.inv(affine)
    for index, (volume, transform) in enumerate(zip(volumes, motion, strict=True)):
        voxels = apply_affine(to_voxels @ transform, points)
        voxels = voxels if shift is None else voxels + shift
        seen &= ((voxels > -0.5) & (voxels < np.array(volume.shape) - 0.5)).all(axis=1)
        coefficients = spline_filter(volume, order=3, mode="nearest", output=np.float32)
        out[index] = map_coordinates(coefficients, voxels.T, order=3, prefilter=False, mode="nearest")
    return seen
