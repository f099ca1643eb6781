"""Student's t to the normal deviate of the same tail, exactly or by table."""

from dataclasses import dataclass, field
from math import copysign

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import special

TABLE_LIMIT = 30.0
NODES_PER_UNIT = 32


def t_to_z(t: npt.ArrayLike, df: float) -> np.ndarray:
    r"""Return the normal deviate with the same tail probability as Student's t.

    .. math:: z = \operatorname{sign}(t) \, \Phi^{-1}(1 - P(T_{df} > |t|))

    Parameters
    ----------
    t : array-like of float
        Any shape.
    df : float
        Degrees of freedom, positive.

    Returns
    -------
    float64 ndarray of the shape of ``t``

    Notes
    -----
    Works on the logarithm of the tail. Where the tail itself would underflow, it is
    :math:`\tfrac12 I_x(a, \tfrac12)` with :math:`x = df / (df + t^2)` and :math:`a = df / 2`, by its
    hypergeometric form (DLMF 8.17.8).

    Examples
    --------
    >>> float(t_to_z(0.0, 10))
    0.0
    >>> round(float(t_to_z(12.706, 1)), 3)  # both tails hold 5 %
    1.96
    """
    t = np.asarray(t, dtype=np.float64)
    tail = special.stdtr(df, -np.abs(t))
    log_tail = np.log(np.maximum(tail, np.finfo(float).tiny))
    far = tail < 1e-200
    if far.any():
        log_tail = np.where(far, _log_far_tail(np.where(far, t, 1e3), df), log_tail)
    # The maximum keeps t = 0 from a deviate of -1e-17.
    return np.sign(t) * np.maximum(-special.ndtri_exp(log_tail), 0.0)


def f_to_z(f: npt.ArrayLike, *, q: float, df: float) -> np.ndarray:
    r"""Return the magnitude of the normal deviate that is as improbable, both tails together, as F.

    .. math:: |z| = \Phi^{-1}(1 - P(F_{q, df} > f) / 2)

    so that F of one column gives the same as its t.

    Parameters
    ----------
    f : array-like of float
        Any shape, not negative.
    q, df : float
        Degrees of freedom.

    Returns
    -------
    float64 ndarray of the shape of ``f``

    Examples
    --------
    >>> f_to_z([4.0], q=1, df=10).round(6) == t_to_z([2.0], 10).round(6)
    array([ True])
    """
    tail = special.fdtrc(q, df, np.asarray(f, dtype=np.float64))
    return np.maximum(-special.ndtri_exp(np.log(np.maximum(tail / 2, np.finfo(float).tiny))), 0.0)


def _log_far_tail(t: np.ndarray, df: float) -> np.ndarray:
    a, x = df / 2, df / (df + t**2)
    series = np.log(special.hyp2f1(a + 0.5, 1, a + 1, x))
    return np.log(0.5 / a) + a * np.log(x) + 0.5 * np.log1p(-x) - special.betaln(a, 0.5) + series


@dataclass(frozen=True)
class ZTable:
    """t to z by cubic Hermite interpolation, for the many statistics of a permutation test.

    Attributes
    ----------
    df : float
        Degrees of freedom.
    nodes : (M, 2) float64 ndarray
        z, and dz/dt times the spacing of the nodes, at t = 0, 1/32, ..., 30.

    Notes
    -----
    Within 1e-7 of `t_to_z` up to ``|t|`` = 30 from 3 degrees of freedom on; `t_to_z` itself beyond.

    Examples
    --------
    >>> ZTable(10)(np.array([-2.0, 40.0])).round(4) == t_to_z([-2.0, 40.0], 10).round(4)
    array([ True,  True])
    """

    df: float
    nodes: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        t = np.arange(TABLE_LIMIT * NODES_PER_UNIT + 1) / NODES_PER_UNIT
        z = t_to_z(t, self.df)
        half = self.df / 2
        log_t_density = -(half + 0.5) * np.log1p(t**2 / self.df) - special.betaln(half, 0.5) - np.log(self.df) / 2
        log_z_density = -(z**2) / 2 - np.log(2 * np.pi) / 2
        slope = np.exp(log_t_density - log_z_density) / NODES_PER_UNIT
        object.__setattr__(self, "nodes", np.column_stack([z, slope]))

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """Convert ``t``, a float64 ndarray of any shape, to z of the same shape."""
        z = np.empty_like(t)
        if _interpolate(t.ravel(), self.nodes, z.ravel()) >= TABLE_LIMIT:
            beyond = np.abs(t) >= TABLE_LIMIT
            z[beyond] = t_to_z(t[beyond], self.df)
        return z


@njit(cache=True, nogil=True)
def _interpolate(t: np.ndarray, nodes: np.ndarray, z: np.ndarray) -> float:
    """Fill in z, and return the largest magnitude of t."""
    largest = 0.0
    for index in range(t.size):
        x = abs(t[index]) * NODES_PER_UNIT
        largest = max(largest, x)
        left = min(int(x), len(nodes) - 2)
        u = x - left
        z0, m0 = nodes[left]
        z1, m1 = nodes[left + 1]
        rise = z1 - z0
        value = z0 + u * (m0 + u * ((3 * rise - 2 * m0 - m1) + u * (m0 + m1 - 2 * rise)))
        z[index] = copysign(value, t[index])  # without a branch, which could not be foretold
    return largest / NODES_PER_UNIT
