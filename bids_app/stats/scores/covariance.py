"""Structures of the covariance of a participant's visits: their parameters, matrices and derivatives."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np


class Structure(ABC):
    """A form of the (M, M) covariance of M visits, of H parameters.

    Attributes
    ----------
    name : str
        As it is told to people.
    """

    name: str

    @abstractmethod
    def n_parameters(self, n_visits: int) -> int:
        """Return H."""

    @abstractmethod
    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Return the (H,) parameters that come near to a covariance (M, M)."""

    @abstractmethod
    def matrix(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return the covariance, (M, M), which need not be positive definite; or LinAlgError where it cannot be."""

    @abstractmethod
    def first(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return its first derivatives, (H, M, M)."""

    @abstractmethod
    def second(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return its second derivatives, (H, H, M, M)."""

    def gaps(self, together: np.ndarray) -> list[tuple[int, int]]:
        """Return pairs of visits without which a parameter is not known, of how many have both (M, M)."""
        visits = range(len(together))
        needed = self.first(self.start(np.eye(len(together))), len(together)) != 0
        missing = [one for one in needed if not together[one].any()]
        return [(j, k) for j in visits for k in visits[j:] if any(one[j, k] for one in missing)]


@dataclass(frozen=True)
class Linear(Structure):
    """A covariance that is a sum of parameters times fixed matrices: one parameter for each class of entries.

    Examples
    --------
    >>> COMPOUND_SYMMETRY.matrix(np.array([2.0, 1.0]), 3)
    array([[2., 1., 1.],
           [1., 2., 1.],
           [1., 1., 2.]])
    >>> TOEPLITZ.matrix(np.array([3.0, 2.0, 1.0]), 3)
    array([[3., 2., 1.],
           [2., 3., 2.],
           [1., 2., 3.]])
    >>> UNSTRUCTURED.matrix(np.array([4.0, 1.0, 9.0]), 2)
    array([[4., 1.],
           [1., 9.]])
    """

    name: str

    def _classes(self, n_visits: int) -> np.ndarray:
        """Return which parameter each entry is, (M, M) int."""
        distance = _distance(n_visits)
        if self.name == "Toeplitz":
            return distance
        if self.name == "compound symmetry":
            return np.minimum(distance, 1)
        upper = np.zeros((n_visits, n_visits), dtype=int)
        upper[np.triu_indices(n_visits)] = np.arange(n_visits * (n_visits + 1) // 2)
        return np.maximum(upper, upper.T)

    def n_parameters(self, n_visits: int) -> int:
        """Return H."""
        return int(self._classes(n_visits).max()) + 1

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Return the means of the entries that are alike."""
        basis = self.first(np.empty(0), len(covariance))
        return np.einsum("hjk,jk->h", basis, covariance) / basis.sum(axis=(1, 2))

    def matrix(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return the covariance, (M, M)."""
        return parameters[self._classes(n_visits)]

    def first(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return its first derivatives, (H, M, M), which do not depend on the parameters."""
        classes = self._classes(n_visits)
        return (classes == np.arange(classes.max() + 1)[:, None, None]).astype(float)

    def second(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return zeros, (H, H, M, M)."""
        size = self.n_parameters(n_visits)
        return np.zeros((size, size, n_visits, n_visits))


@dataclass(frozen=True)
class Autoregressive(Structure):
    r"""AR(1): :math:`\sigma^2 \rho^{|j - k|}`, of the parameters :math:`\sigma^2, \rho`.

    The visits count as equidistant.

    Examples
    --------
    >>> AUTOREGRESSIVE.matrix(np.array([4.0, 0.5]), 3)
    array([[4., 2., 1.],
           [2., 4., 2.],
           [1., 2., 4.]])
    """

    name: str = "AR(1)"

    def n_parameters(self, n_visits: int) -> int:
        """Return H."""
        return 2

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Return the mean variance, and the mean correlation of neighbours."""
        variance = np.diag(covariance).mean()
        return np.array([variance, np.clip(np.diag(covariance, 1).mean() / variance, -0.9, 0.9)])

    def matrix(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return the covariance, (M, M); not positive definite from a correlation of 1 on."""
        variance, correlation = parameters
        return variance * correlation ** _distance(n_visits)

    def first(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return its first derivatives, (2, M, M)."""
        (variance, correlation), distance = parameters, _distance(n_visits)
        return np.stack([correlation**distance, variance * _slope(correlation, distance)])

    def second(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return its second derivatives, (2, 2, M, M)."""
        (variance, correlation), distance = parameters, _distance(n_visits)
        mixed = _slope(correlation, distance)
        bend = variance * distance * _slope(correlation, np.maximum(distance - 1, 0))
        return np.stack([[np.zeros_like(mixed), mixed], [mixed, bend]])


@dataclass(frozen=True)
class HeterogeneousToeplitz(Structure):
    r"""A correlation for each distance of two visits, :math:`\sigma_j \sigma_k \rho_{|j - k|}`.

    The parameters are the M standard deviations and the M - 1 correlations; the visits count as equidistant.

    Examples
    --------
    >>> HETEROGENEOUS_TOEPLITZ.matrix(np.array([1.0, 2.0, 10.0, 0.5, 0.25]), 3)
    array([[  1. ,   1. ,   2.5],
           [  1. ,   4. ,  10. ],
           [  2.5,  10. , 100. ]])
    """

    name: str = "heterogeneous Toeplitz"

    def n_parameters(self, n_visits: int) -> int:
        """Return H."""
        return 2 * n_visits - 1

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Return the standard deviations, and the mean correlation of each distance."""
        deviations = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(deviations, deviations)
        return np.concatenate([deviations, TOEPLITZ.start(correlation)[1:]])

    def matrix(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return the covariance, (M, M)."""
        deviations, lags = _parts(parameters, n_visits)
        if (deviations <= 0).any():
            raise np.linalg.LinAlgError("a standard deviation is not positive")
        return np.outer(deviations, deviations) * lags[_distance(n_visits)]

    def first(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return its first derivatives, (2 M - 1, M, M)."""
        deviations, lags = _parts(parameters, n_visits)
        by_deviation = _symmetric(deviations) * lags[_distance(n_visits)]
        by_lag = np.outer(deviations, deviations) * _at_lags(n_visits)
        return np.concatenate([by_deviation, by_lag])

    def second(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return its second derivatives, (2 M - 1, 2 M - 1, M, M)."""
        deviations, lags = _parts(parameters, n_visits)
        size = self.n_parameters(n_visits)
        found = np.zeros((size, size, n_visits, n_visits))
        mixed = _symmetric(deviations)[:, None] * _at_lags(n_visits)
        found[:n_visits, n_visits:] = mixed
        found[n_visits:, :n_visits] = mixed.swapaxes(0, 1)
        for one, of_unit in enumerate(np.eye(n_visits)):
            found[one, :n_visits] = _symmetric(of_unit) * lags[_distance(n_visits)]
        return found


def _distance(n_visits: int) -> np.ndarray:
    visits = np.arange(n_visits)
    return np.abs(visits[:, None] - visits)


def _slope(correlation: float, distance: np.ndarray) -> np.ndarray:
    """Return the derivative of a power of the correlation."""
    return distance * correlation ** np.maximum(distance - 1, 0)


def _parts(parameters: np.ndarray, n_visits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return standard deviations, and correlations by distance from 0 on."""
    return parameters[:n_visits], np.concatenate([[1.0], parameters[n_visits:]])


def _symmetric(deviations: np.ndarray) -> np.ndarray:
    """Return the derivatives of the outer product of the deviations by each of them, (M, M, M)."""
    units = np.eye(len(deviations))
    half = units[:, :, None] * deviations
    return half + half.swapaxes(1, 2)


def _at_lags(n_visits: int) -> np.ndarray:
    """Return where two visits are each distance from 1 on apart, (M - 1, M, M)."""
    return (_distance(n_visits) == np.arange(1, n_visits)[:, None, None]).astype(float)


UNSTRUCTURED = Linear("unstructured")
TOEPLITZ = Linear("Toeplitz")
COMPOUND_SYMMETRY = Linear("compound symmetry")
AUTOREGRESSIVE = Autoregressive()
HETEROGENEOUS_TOEPLITZ = HeterogeneousToeplitz()
STRUCTURES = {
    one.name: one for one in (UNSTRUCTURED, HETEROGENEOUS_TOEPLITZ, TOEPLITZ, AUTOREGRESSIVE, COMPOUND_SYMMETRY)
}


def steps(n_visits: int) -> tuple[Structure, ...]:
    """Return the structures in the order in which they are tried, without those that are the same for few visits.

    Examples
    --------
    >>> [one.name for one in steps(3)]
    ['unstructured', 'heterogeneous Toeplitz', 'AR(1)', 'compound symmetry']
    >>> [one.name for one in steps(2)]
    ['unstructured', 'compound symmetry']
    """
    if n_visits > 2:
        return UNSTRUCTURED, HETEROGENEOUS_TOEPLITZ, AUTOREGRESSIVE, COMPOUND_SYMMETRY
    return (UNSTRUCTURED, COMPOUND_SYMMETRY)[:n_visits]
