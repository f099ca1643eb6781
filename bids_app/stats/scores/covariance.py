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
class Heterogeneous(Structure):
    r"""Visits that vary each by its own, :math:`\sigma_j \sigma_k \rho_{|j - k|}`.

    The parameters are the M standard deviations and the correlations: M - 1 of Toeplitz, one for each distance, for
    which the visits count as equidistant; one of compound symmetry.

    Examples
    --------
    >>> HETEROGENEOUS_TOEPLITZ.matrix(np.array([1.0, 2.0, 10.0, 0.5, 0.25]), 3)
    array([[  1. ,   1. ,   2.5],
           [  1. ,   4. ,  10. ],
           [  2.5,  10. , 100. ]])
    >>> HETEROGENEOUS_COMPOUND_SYMMETRY.matrix(np.array([1.0, 2.0, 10.0, 0.5]), 3)
    array([[  1.,   1.,   5.],
           [  1.,   4.,  10.],
           [  5.,  10., 100.]])
    """

    alike: Linear

    @property
    def name(self) -> str:  # type: ignore[override]
        """As it is told to people."""
        return f"heterogeneous {self.alike.name}"

    def n_parameters(self, n_visits: int) -> int:
        """Return H."""
        return n_visits + self.alike.n_parameters(n_visits) - 1

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Return the standard deviations, and the mean correlation of those that are alike."""
        deviations = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(deviations, deviations)
        return np.concatenate([deviations, self.alike.start(correlation)[1:]])

    def matrix(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return the covariance, (M, M)."""
        deviations, correlation = self._parts(parameters, n_visits)
        if (deviations <= 0).any():
            raise np.linalg.LinAlgError("a standard deviation is not positive")
        return np.outer(deviations, deviations) * correlation

    def first(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return its first derivatives, (H, M, M)."""
        deviations, correlation = self._parts(parameters, n_visits)
        by_correlation = np.outer(deviations, deviations) * self._places(n_visits)
        return np.concatenate([_symmetric(deviations) * correlation, by_correlation])

    def second(self, parameters: np.ndarray, n_visits: int) -> np.ndarray:
        """Return its second derivatives, (H, H, M, M)."""
        deviations, correlation = self._parts(parameters, n_visits)
        size = self.n_parameters(n_visits)
        found = np.zeros((size, size, n_visits, n_visits))
        mixed = _symmetric(deviations)[:, None] * self._places(n_visits)
        found[:n_visits, n_visits:] = mixed
        found[n_visits:, :n_visits] = mixed.swapaxes(0, 1)
        for one, of_unit in enumerate(np.eye(n_visits)):
            found[one, :n_visits] = _symmetric(of_unit) * correlation
        return found

    def _parts(self, parameters: np.ndarray, n_visits: int) -> tuple[np.ndarray, np.ndarray]:
        """Return standard deviations (M,) and correlations (M, M)."""
        correlations = np.concatenate([[1.0], parameters[n_visits:]])
        return parameters[:n_visits], self.alike.matrix(correlations, n_visits)

    def _places(self, n_visits: int) -> np.ndarray:
        """Return where each correlation stands, (H - M, M, M)."""
        return self.alike.first(np.empty(0), n_visits)[1:]


def _distance(n_visits: int) -> np.ndarray:
    visits = np.arange(n_visits)
    return np.abs(visits[:, None] - visits)


def _slope(correlation: float, distance: np.ndarray) -> np.ndarray:
    """Return the derivative of a power of the correlation."""
    return distance * correlation ** np.maximum(distance - 1, 0)


def _symmetric(deviations: np.ndarray) -> np.ndarray:
    """Return the derivatives of the outer product of the deviations by each of them, (M, M, M)."""
    units = np.eye(len(deviations))
    half = units[:, :, None] * deviations
    return half + half.swapaxes(1, 2)


UNSTRUCTURED = Linear("unstructured")
TOEPLITZ = Linear("Toeplitz")
COMPOUND_SYMMETRY = Linear("compound symmetry")
AUTOREGRESSIVE = Autoregressive()
HETEROGENEOUS_TOEPLITZ = Heterogeneous(TOEPLITZ)
HETEROGENEOUS_COMPOUND_SYMMETRY = Heterogeneous(COMPOUND_SYMMETRY)
STRUCTURES: dict[str, Structure] = {
    one.name: one
    for one in (
        UNSTRUCTURED,
        HETEROGENEOUS_TOEPLITZ,
        HETEROGENEOUS_COMPOUND_SYMMETRY,
        TOEPLITZ,
        AUTOREGRESSIVE,
        COMPOUND_SYMMETRY,
    )
}


def steps(n_visits: int, *, with_baseline: bool = False) -> tuple[Structure, ...]:
    """Return the structures in the order in which they are tried, without those that are the same for few visits.

    A baseline that participants were selected by varies less than what follows: with one among the visits they all
    allow each visit its own variance.

    Examples
    --------
    >>> [one.name for one in steps(3)]
    ['unstructured', 'heterogeneous Toeplitz', 'AR(1)', 'compound symmetry']
    >>> [one.name for one in steps(2)]
    ['unstructured', 'compound symmetry']
    >>> [one.name for one in steps(3, with_baseline=True)]
    ['unstructured', 'heterogeneous Toeplitz', 'heterogeneous compound symmetry']
    """
    if with_baseline:
        own = UNSTRUCTURED, HETEROGENEOUS_TOEPLITZ, HETEROGENEOUS_COMPOUND_SYMMETRY
        return own if n_visits > 2 else own[:1]
    if n_visits > 2:
        return UNSTRUCTURED, HETEROGENEOUS_TOEPLITZ, AUTOREGRESSIVE, COMPOUND_SYMMETRY
    return (UNSTRUCTURED, COMPOUND_SYMMETRY)[:n_visits]
