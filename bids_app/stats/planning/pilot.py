"""What the maps of a study say of the noise that a trial will have, without knowing who was given what."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

LEAST_PARTICIPANTS = 5


@dataclass(frozen=True)
class Pilot:
    """Residuals of the maps of a study: N participants, T visits, M measures, V nodes.

    Attributes
    ----------
    residuals : (N, T, M, V) float ndarray
        Maps without the mean over all participants at each visit, whatever they were given.
    neighbours : (V, K) int32 ndarray or None
        As of `stats.neighbours`, or None where nodes have no place.
    """

    residuals: np.ndarray
    neighbours: np.ndarray | None = None

    @classmethod
    def of(cls, maps: npt.ArrayLike, neighbours: np.ndarray | None = None) -> "Pilot":
        """Take the mean of each visit out of maps (N, T, M, V).

        Raises
        ------
        ValueError
            If there are fewer than `LEAST_PARTICIPANTS`, or values are not finite.

        Notes
        -----
        What treatment did to one arm stays in the residuals, as a part of their variance: with a share s of
        participants whom it changed by g standard deviations, the variance is larger by :math:`s (1 - s) g^2`
        (Gould & Shih 1992, doi:10.1080/03610929208830947). So what is planned is rather too large than too small.
        """
        maps = np.asarray(maps)
        if maps.ndim != 4 or len(maps) < LEAST_PARTICIPANTS:
            raise ValueError(f"maps must be (N, T, M, V) of {LEAST_PARTICIPANTS} participants at least: {maps.shape}")
        if not np.isfinite(maps).all():
            raise ValueError("maps hold values that are not finite")
        return cls(maps - maps.mean(axis=0), neighbours)

    @property
    def n(self) -> int:
        """Count of participants."""
        return len(self.residuals)

    @cached_property
    def deviation(self) -> np.ndarray:
        """Standard deviation over participants, (T, M, V)."""
        return np.sqrt(np.square(self.residuals).sum(axis=0) / (self.n - 1))

    @cached_property
    def standard(self) -> np.ndarray:
        """Residuals in units of their standard deviation, (N, T, M, V); 0 where nothing varies."""
        deviation = self.deviation
        return self.residuals * np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)

    @cached_property
    def correlation(self) -> np.ndarray:
        """Correlation of visits and measures within a node, mean over the nodes, (T M, T M)."""
        return mean_correlation(self.standard)

    def of_visits(self, measure: int = 0) -> np.ndarray:
        """Return the correlation of the visits of a measure, mean over the nodes, (T, T)."""
        n_visits, n_measures = self.residuals.shape[1:3]
        return self.correlation.reshape(n_visits, n_measures, n_visits, n_measures)[:, measure, :, measure]

    @cached_property
    def touching(self) -> float:
        """Correlation of nodes that touch, mean over them, visits and measures; 0 where nodes have no place."""
        if self.neighbours is None:
            return 0.0
        standard = self.standard.reshape(-1, self.standard.shape[-1])
        return touching_correlation(standard, self.neighbours)

    def mean_of(self, nodes: np.ndarray) -> "Pilot":
        """Return the pilot of the mean over some nodes, as a single node.

        Examples
        --------
        >>> maps = np.arange(20.0).reshape(5, 1, 1, 4)
        >>> Pilot.of(maps).mean_of(np.array([0, 1])).residuals.ravel().tolist()
        [-8.0, -4.0, 0.0, 4.0, 8.0]
        """
        return Pilot(self.residuals[..., nodes].mean(axis=-1, keepdims=True))


def mean_correlation(standard: np.ndarray) -> np.ndarray:
    """Return the correlation over participants of slots within a node, mean over the nodes that vary.

    Parameters
    ----------
    standard : (N, ..., V) float ndarray
        Of unit variance, or 0 where nothing varies.

    Returns
    -------
    (K, K) float64 ndarray
        K the product of the middle axes.

    Examples
    --------
    >>> first = np.array([[1.0], [-1.0], [0.0]])
    >>> mean_correlation(np.stack([first, -first], axis=1)).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    n, n_nodes = len(standard), standard.shape[-1]
    slots = standard.reshape(n, -1, n_nodes)
    varies = (np.abs(slots).max(axis=0) > 0).all(axis=0)
    if not varies.any():
        raise ValueError("no node varies over the participants")
    products = np.einsum("nkv,nlv->kl", slots[..., varies], slots[..., varies], optimize=True)
    return np.asarray(products / ((n - 1) * varies.sum()), dtype=np.float64)


def beside_itself(correlation: np.ndarray) -> float:
    """Return the mean of what stands beside the diagonal of a matrix of correlations, (T, T) with T of 2 or more.

    Examples
    --------
    >>> beside_itself(np.array([[1.0, 0.5], [0.5, 1.0]]))
    0.5
    """
    return float(correlation[~np.eye(len(correlation), dtype=bool)].mean())


def touching_correlation(standard: np.ndarray, neighbours: np.ndarray) -> float:
    """Return the correlation of nodes that touch, over all pairs of them.

    Parameters
    ----------
    standard : (N, V) float ndarray
        Of unit variance, whatever the mean square.
    neighbours : (V, K) int32 ndarray

    Examples
    --------
    Three nodes in a row, the first two the same:

    >>> row = np.array([[-1, 1], [0, 2], [1, -1]], dtype=np.int32)
    >>> touching_correlation(np.array([[1.0, 1, 0], [-1, -1, 0], [0, 0, 1], [0, 0, -1]]), row)
    0.5
    """
    products, first, second = 0.0, 0.0, 0.0
    for column in neighbours.T:
        there = column >= 0
        one, other = standard[:, there], standard[:, column[there]]
        products += float(np.vdot(one, other))
        first += float(np.vdot(one, one))
        second += float(np.vdot(other, other))
    return float(products / np.sqrt(first * second)) if first > 0 and second > 0 else 0.0


def smoothness(touching: float, spacing: float) -> float:
    r"""Return the full width at half maximum of the smoothing that a correlation of neighbours stands for.

    Parameters
    ----------
    touching : float
        Correlation of nodes that touch.
    spacing : float
        Distance of their centres, mm.

    Returns
    -------
    float
        In mm; 0 where neighbours do not correlate.

    Notes
    -----
    White noise smoothed by a Gaussian of that width w correlates
    :math:`\rho(\delta) = \exp(-2 \ln 2 \, \delta^2 / w^2)` (Forman et al. 1995, doi:10.1002/mrm.1910330508; Kiebel et
    al. 1999, doi:10.1006/nimg.1999.0508), so that :math:`w = \delta \sqrt{-2 \ln 2 / \ln \rho}`.

    Examples
    --------
    >>> round(smoothness(0.5, 4.0), 3)  # sqrt(2) times the spacing
    5.657
    """
    if touching <= 0:
        return 0.0
    return float(spacing * np.sqrt(-2 * np.log(2) / np.log(min(touching, 1 - 1e-9))))
