"""The field of two images of opposite phase encoding, in which it shifts the signal to opposite sides."""

from collections.abc import Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

from bids_app.preproc.distortion.field import field_at
from bids_app.preproc.distortion.splines import Splines, product, refit, solve, splines_on, transposed
from bids_app.preproc.resampling import grid_points

LEVELS = ((32.0, 8.0, 8), (20.0, 5.0, 6), (12.0, 3.0, 6), (8.0, 1.5, 4))  # knots in mm, smoothing in mm, steps
REFINING = LEVELS[2:]  # of a field that is known roughly
STIFFNESS = 0.02
FASTEST = 2.0  # voxels that one step may change the shift by


@dataclass(frozen=True)
class Pair:
    """Two images on one grid.

    Attributes
    ----------
    values : tuple of (X, Y, Z) ndarray
    shifts : tuple of float
        By how many voxels 1 Hz shifts the signal along the axis; negative is towards its beginning.
    axis : int
        Of the phase encoding.
    affine : (4, 4) ndarray
    """

    values: tuple[np.ndarray, np.ndarray]
    shifts: tuple[float, float]
    axis: int
    affine: np.ndarray


def estimate_field(
    pair: Pair, start: nib.Nifti1Image | None = None, levels: Sequence[tuple[float, float, int]] = LEVELS
) -> nib.Nifti1Image:
    r"""Estimate the field that makes two images of opposite phase encoding the same.

    An image that was shifted by s f(x) is what lies at x, compressed or stretched:

    .. math:: I(x) = I_k(x + s_k f(x)) (1 + s_k f'(x))

    with the derivative along the phase encoding; the sum of squares of the difference of both is made small by
    Gauss-Newton, from coarse to fine (Andersson et al. 2003, doi 10.1016/S1053-8119(03)00336-7).

    Parameters
    ----------
    pair : Pair
    start : Nifti1Image, optional
        What was estimated before.
    levels : sequence of (float, float, int), optional
        Of each, the distance of knots and the smoothing in mm, and how many steps are made.

    Returns
    -------
    Nifti1Image, float32
        Coefficients of cubic B-splines, in Hz, as `field.field_at` reads them.
    """
    unit = float(np.mean(np.abs(pair.shifts)))  # steps in voxels of the mean readout: numbers near 1
    scales = [shift / unit for shift in pair.shifts]
    field = None if start is None else unit * _on_grid(pair, start)
    for distance, fwhm, steps in levels:
        splines = splines_on(pair.values[0].shape, pair.affine, distance)
        coefficients = np.zeros(splines.shape) if field is None else refit(splines, field)
        images = [_prepared(one, pair.affine, fwhm) for one in pair.values]
        for _ in range(steps):
            coefficients, change = _step(splines, coefficients, images, scales, pair.axis)
            if change < 0.01:
                break
        field = product(splines.values, coefficients)
    return splines.image(coefficients / unit)


def _on_grid(pair: Pair, coefficients: nib.Nifti1Image) -> np.ndarray:
    shape = pair.values[0].shape
    return field_at([coefficients], grid_points(shape, pair.affine)).reshape(shape)


def evened(pair: Pair, coefficients: nib.Nifti1Image) -> tuple[np.ndarray, np.ndarray]:
    """Return both images of a pair without their distortion, of place and of intensity."""
    field = _on_grid(pair, coefficients)
    slope = np.gradient(field, axis=pair.axis)
    first, second = (
        shifted(values, shift * field, pair.axis) * (1 + shift * slope)
        for values, shift in zip(pair.values, pair.shifts, strict=True)
    )
    return first, second


def _prepared(values: np.ndarray, affine: np.ndarray, fwhm: float) -> np.ndarray:
    """Smooth an image and bring what is bright to about 1."""
    smooth = gaussian_filter(values.astype(float), fwhm / np.sqrt(8 * np.log(2)) / voxel_sizes(affine), mode="nearest")
    bright = smooth[smooth > smooth.mean()]
    return smooth / (bright.mean() if bright.size else 1.0)


def _step(
    splines: Splines, coefficients: np.ndarray, images: Sequence[np.ndarray], scales: Sequence[float], axis: int
) -> tuple[np.ndarray, float]:
    """Make one step of Gauss-Newton; return the coefficients and the largest change of the shift in voxels."""
    straight, slope = splines.values, splines.along(axis)
    field, stretch = product(straight, coefficients), product(slope, coefficients)
    difference, by_field, by_stretch = (np.zeros(field.shape) for _ in range(3))
    for sign, image, scale in zip((1, -1), images, scales, strict=True):
        moved, steep = shifted(image, scale * field, axis), shifted(np.gradient(image, axis=axis), scale * field, axis)
        difference += sign * moved * (1 + scale * stretch)
        by_field += sign * scale * steep * (1 + scale * stretch)
        by_stretch += sign * scale * moved

    def back(values: np.ndarray) -> np.ndarray:
        return product(transposed(straight), by_field * values) + product(transposed(slope), by_stretch * values)

    def normal(change: np.ndarray) -> np.ndarray:
        return back(by_field * product(straight, change) + by_stretch * product(slope, change))

    diagonal = product([one.T**2 for one in straight], np.square(by_field))
    diagonal += product([one.T**2 for one in slope], np.square(by_stretch))
    voxels = np.prod([len(one) for one in straight]) / coefficients.size  # that a knot has to itself
    stiffness = STIFFNESS * max(voxels, 1)
    right = -back(difference) - stiffness * splines.roughness(coefficients)
    change = solve(splines, normal, diagonal, right, stiffness, exact=False)
    largest = float(np.abs(product(straight, change)).max())
    return coefficients + change * min(1, FASTEST / max(largest, 1e-9)), largest


def shifted(values: np.ndarray, shift: np.ndarray, axis: int) -> np.ndarray:
    """Read a volume where its signal was shifted to, by a cubic spline.

    Parameters
    ----------
    values, shift : (X, Y, Z) ndarray
        The shift in voxels.
    axis : int

    Returns
    -------
    (X, Y, Z) float64 ndarray
    """
    voxels = np.indices(values.shape, dtype=float)
    voxels[axis] += shift
    return map_coordinates(spline_filter(values, 3, mode="nearest"), voxels, order=3, prefilter=False, mode="nearest")
