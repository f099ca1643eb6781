"""Steps of least squares that the models share: columns taken out of values, and one design of many outcomes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

# Voxels done at a time, where a step needs several arrays as large as the maps; always the same, so that rounding does
# not depend on how much memory there is.
VOXELS_AT_ONCE = 1024


def voxel_blocks(n_voxels: int) -> Iterator[slice]:
    """Yield the voxels in blocks.

    Examples
    --------
    >>> [(block.start, block.stop) for block in voxel_blocks(1500)]
    [(0, 1024), (1024, 1500)]
    """
    for start in range(0, n_voxels, VOXELS_AT_ONCE):
        yield slice(start, min(start + VOXELS_AT_ONCE, n_voxels))


def without(basis: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Take orthonormal columns (n, m) out of values (n, ...)."""
    return values - basis @ (basis.T @ values)


def without_units(units: Iterable[np.ndarray], values: np.ndarray) -> np.ndarray:
    """Take columns of unit norm, one for each voxel and orthogonal to each other, (n, V) each, out of values (n, V)."""
    for unit in units:
        values = values - unit * np.sum(unit * values, axis=0)
    return values


@dataclass(frozen=True)
class LeastSquares:
    """A design whose coefficients are estimated of several outcomes.

    Attributes
    ----------
    design : (n, p) float64 ndarray
    inverse : (p, n) float64 ndarray
        Its pseudoinverse.

    Examples
    --------
    >>> line = LeastSquares.of(np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]))
    >>> line.coefficient(np.array([1.0, 3.0, 5.0]), 1).round(9), line.df
    (np.float64(2.0), 1)
    """

    design: np.ndarray
    inverse: np.ndarray

    @classmethod
    def of(cls, design: np.ndarray) -> "LeastSquares":
        """Prepare a design."""
        return cls(design, np.linalg.pinv(design))

    @property
    def df(self) -> int:
        """Residual degrees of freedom, where no column depends on the others."""
        n, p = self.design.shape
        return n - p

    def coefficient(self, values: np.ndarray, column: int) -> np.ndarray:
        """Return the coefficient of a column in (n,) or each of (n, M) values."""
        return self.inverse[column] @ values

    def unit_variance(self, column: int) -> float:
        """Return the variance of a column's coefficient, per unit of the residual variance."""
        return float(self.inverse[column] @ self.inverse[column])

    def residual(self, values: np.ndarray) -> np.ndarray:
        """Return what the design leaves of (n,) or (n, M) values."""
        return values - self.design @ (self.inverse @ values)
