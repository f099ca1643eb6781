"""A smooth field as cubic B-splines, whose products along the axes of a grid are its building blocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.affines import from_matvec, voxel_sizes
from scipy.interpolate import BSpline
from scipy.sparse.linalg import LinearOperator, cg

MARGIN = 2  # knots beyond the grid on each side: heads move out of what was measured
BEND, TILT = 1.0, 1e-2  # what second and first differences of neighbouring coefficients cost
STEPS, TOLERANCE = 30, 1e-2  # of conjugate gradients, where it is one step of many
EXACT_STEPS, EXACT = 200, 1e-5
Matrices = Sequence[np.ndarray]


@dataclass(frozen=True)
class Splines:
    """B-splines on a grid.

    Attributes
    ----------
    values, slopes : tuple of (N, K) ndarray
        For each axis, the splines of its K knots at its N voxels, and their derivatives by the voxel.
    penalties : tuple of (K, K) ndarray
        Of coefficients along each axis: squared differences (P-splines; Eilers and Marx 1996, doi
        10.1214/ss/1038425655).
    affine : (4, 4) ndarray
        Of the knots, as of an image whose voxels are the coefficients.
    """

    values: tuple[np.ndarray, ...]
    slopes: tuple[np.ndarray, ...]
    penalties: tuple[np.ndarray, ...]
    affine: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """How many knots there are along each axis."""
        return tuple(one.shape[1] for one in self.values)

    def along(self, axis: int) -> tuple[np.ndarray, ...]:
        """Return the matrices of the derivative along an axis."""
        return tuple(slope if index == axis else value for index, (value, slope) in enumerate(self._pairs()))

    def _pairs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return list(zip(self.values, self.slopes, strict=True))

    def roughness(self, coefficients: np.ndarray) -> np.ndarray:
        """Apply the penalties of all axes, (K, L, M) to (K, L, M)."""
        total = np.zeros(coefficients.shape)
        for axis, matrix in enumerate(self.penalties):
            total += np.moveaxis(np.tensordot(matrix, coefficients, (1, axis)), 0, axis)
        return total

    def image(self, coefficients: np.ndarray) -> nib.Nifti1Image:
        """Return coefficients as an image, as `field.field_at` reads it."""
        return nib.Nifti1Image(coefficients.astype(np.float32), self.affine)


def splines_on(shape: Sequence[int], affine: np.ndarray, distance: float) -> Splines:
    """Lay knots over a grid.

    Parameters
    ----------
    shape : tuple of int
    affine : (4, 4) ndarray
    distance : float
        From knot to knot, in mm.

    Examples
    --------
    >>> splines = splines_on((9, 9, 9), np.diag([2.0, 2, 2, 1]), 4.0)
    >>> splines.shape, bool(np.allclose(product(splines.values, np.ones(splines.shape)), 1))
    ((12, 12, 12), True)
    """
    steps = distance / voxel_sizes(affine)
    pairs = [_along(n, step) for n, step in zip(shape, steps, strict=True)]
    penalties = [_penalty(value.shape[1]) for value, _ in pairs]
    first = -(1 + MARGIN) * steps
    values, slopes = zip(*pairs, strict=True)
    return Splines(values, slopes, tuple(penalties), affine @ from_matvec(np.diag(steps), first))


def _along(n: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the splines of one axis at its voxels, and their derivatives, (N, K) each."""
    count = int((n - 1) / step) + 4 + 2 * MARGIN
    knots = np.arange(-2, count + 2) - 1 - MARGIN  # a spline reaches two knots to each side of its own
    spline = BSpline(knots.astype(float), np.eye(count), 3)
    at = np.arange(n) / step
    return spline(at), spline.derivative()(at) / step


def _penalty(count: int) -> np.ndarray:
    bend, tilt = (np.diff(np.eye(count), order, axis=0) for order in (2, 1))
    return BEND * bend.T @ bend + TILT * tilt.T @ tilt


def product(matrices: Matrices, values: np.ndarray) -> np.ndarray:
    """Multiply each axis of a volume by its matrix: (K, L, M) by (X, K), (Y, L), (Z, M) to (X, Y, Z)."""
    for matrix in matrices:
        values = np.tensordot(values, matrix, (0, 1))  # the axis that is done goes last
    return values


def transposed(matrices: Matrices) -> list[np.ndarray]:
    """Return the matrices of the adjoint."""
    return [matrix.T for matrix in matrices]


def refit(splines: Splines, values: np.ndarray) -> np.ndarray:
    """Return the coefficients whose field is nearest to values on the grid, least squares axis by axis."""
    return product([np.linalg.pinv(one, rcond=1e-3) for one in splines.values], values)


def fit(splines: Splines, values: np.ndarray, weights: np.ndarray, stiffness: float) -> np.ndarray:
    """Fit a field to what was measured, by penalised least squares.

    Parameters
    ----------
    splines : Splines
    values, weights : (X, Y, Z) ndarray
        Where nothing was measured, the weight is 0.
    stiffness : float
        Of the penalties.

    Returns
    -------
    (K, L, M) float64 ndarray
    """

    def normal(coefficients: np.ndarray) -> np.ndarray:
        return product(transposed(splines.values), weights * product(splines.values, coefficients))

    diagonal = product([one.T**2 for one in splines.values], weights)
    right = product(transposed(splines.values), weights * values)
    return solve(splines, normal, diagonal, right, stiffness)


def solve(
    splines: Splines,
    normal: Callable[[np.ndarray], np.ndarray],
    diagonal: np.ndarray,
    right: np.ndarray,
    stiffness: float,
    *,
    exact: bool = True,
) -> np.ndarray:
    """Solve normal equations with penalties by conjugate gradients.

    Parameters
    ----------
    splines : Splines
    normal : callable
        From coefficients (K, L, M) to as many.
    diagonal : (K, L, M) ndarray
        Of ``normal``, about.
    right : (K, L, M) ndarray
    stiffness : float
    exact : bool, optional
        False where the solution is only a step to another.
    """
    shape = right.shape

    def matvec(flat: np.ndarray) -> np.ndarray:
        coefficients = flat.reshape(shape)
        return (normal(coefficients) + stiffness * splines.roughness(coefficients)).ravel()

    rough = sum(np.meshgrid(*map(np.diag, splines.penalties), indexing="ij"))
    scale = 1 / (diagonal + stiffness * rough).ravel()
    size = right.size
    operator = LinearOperator((size, size), matvec=matvec, dtype=float)
    scaling = LinearOperator((size, size), matvec=lambda flat: scale * flat, dtype=float)
    steps, tolerance = (EXACT_STEPS, EXACT) if exact else (STEPS, TOLERANCE)
    found, _ = cg(operator, right.ravel(), rtol=tolerance, maxiter=steps, M=scaling)
    return found.reshape(shape)
