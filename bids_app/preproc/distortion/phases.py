"""Phases in radians, and which whole turns they lack."""

from collections.abc import Sequence

import numpy as np

from bids_app.errors import DataError
from bids_app.preproc.distortion.splines import Splines, product, solve, splines_on, transposed

KNOTS_MM = 10.0
STIFFNESS = 1e-3
TURN = 2 * np.pi
SCALES = (4096, 8192)  # whole numbers that scanners write for a turn
ROUNDS = 3


def in_radians(values: np.ndarray) -> np.ndarray:
    """Return phases in radians, by the range of their values.

    Scanners write them as whole numbers, of which 4096 or 8192 are a turn.

    Parameters
    ----------
    values : ndarray

    Raises
    ------
    DataError
        They can be neither.

    Examples
    --------
    >>> in_radians(np.array([-4096.0, 0, 4094])).round(3).tolist()
    [-3.142, 0.0, 3.14]
    """
    span = float(np.ptp(values))
    if 0 < span <= TURN * 1.001 and np.abs(values).max() <= TURN * 1.001:
        return values
    scale = next((one for one in SCALES if 0.5 * one < span <= one), None)
    if scale is None or not np.allclose(values, np.round(values)):
        raise DataError(
            f"phases go from {values.min():g} to {values.max():g}: neither radians nor 4096 or 8192 to a turn"
        )
    return values * TURN / scale


def unwrapped(phases: np.ndarray, weights: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Add the whole turns that phases lack.

    A smooth field is fitted to the differences of neighbours, each taken to lie within half a turn (least squares;
    Ghiglia and Romero 1994, doi 10.1364/JOSAA.11.000107); to each voxel are added the turns that bring it nearest.

    Parameters
    ----------
    phases : (X, Y, Z) ndarray
        In radians.
    weights : (X, Y, Z) ndarray
        How much each voxel counts, 0 outside of the head.
    affine : (4, 4) ndarray

    Returns
    -------
    (X, Y, Z) float64 ndarray
        Equal to the phases but for whole turns; where the weight is 0, the smooth field.
    """
    splines = splines_on(phases.shape, affine, KNOTS_MM)
    smooth = np.zeros(phases.shape)
    for _ in range(ROUNDS):  # what a smooth field misses of the differences is fitted in turn
        left = _wrap(phases - smooth)
        smooth = smooth + product(splines.values, _of_differences(splines, left, weights))
    inside = weights > 0
    offset = np.angle(np.sum(weights * np.exp(1j * (phases - smooth))))
    nearest = smooth + offset + _wrap(phases - smooth - offset)
    return np.where(inside, nearest, smooth + offset)


def _wrap(phases: np.ndarray) -> np.ndarray:
    return (phases + np.pi) % TURN - np.pi


def _of_differences(splines: Splines, phases: np.ndarray, weights: np.ndarray) -> np.ndarray:
    parts: list[tuple[Sequence[np.ndarray], np.ndarray]] = []
    right = np.zeros(splines.shape)
    diagonal = np.zeros(splines.shape)
    for axis in range(3):
        matrices = [np.diff(one, axis=0) if at == axis else one for at, one in enumerate(splines.values)]
        count = phases.shape[axis]
        first, second = (np.take(weights, range(start, count - 1 + start), axis) for start in (0, 1))
        shared = np.minimum(first, second)
        right += product(transposed(matrices), shared * _wrap(np.diff(phases, axis=axis)))
        diagonal += product([one.T**2 for one in matrices], shared)
        parts.append((matrices, shared))

    def normal(coefficients: np.ndarray) -> np.ndarray:
        return sum(
            (product(transposed(matrices), shared * product(matrices, coefficients)) for matrices, shared in parts),
            np.zeros(splines.shape),
        )

    return solve(splines, normal, diagonal, right, STIFFNESS, exact=False)  # the next round takes what is left
