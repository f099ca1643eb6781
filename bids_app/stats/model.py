"""The linear model of voxels with the same participants, fitted to many draws by matrix products."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from bids_app.stats.fit import NEGLIGIBLE, Fit, gram_without
from bids_app.stats.leastsquares import voxel_blocks, without, without_units
from bids_app.stats.robust import hc3_meat, hc3_meat_of_one, rearranged_products

Outcome = tuple[slice, np.ndarray]  # which draws have it


@dataclass(frozen=True)
class LinearModel:
    r"""outcome ~ tested + voxel-wise regressors + nuisance, prepared once for every draw.

    Nuisance and regressors are taken out of the outcome once (Frisch, Waugh & Lovell). With :math:`\tilde x` the
    tested column without them, :math:`\tilde a` without the nuisance only, and :math:`\hat b_k` the regressors, of
    unit norm, without the nuisance and each other, an allocation a needs one product per regressor and one more:

    .. math::

        \tilde x'\hat y = a'\hat y, \qquad \tilde x'\tilde x = \tilde a'\tilde a - \sum_k (a'\hat b_k)^2

    A rearrangement P of the residuals also needs the products :math:`Q'P\hat y` and :math:`\hat b_k'P\hat y`.

    Attributes
    ----------
    tested : (n, q) float64 ndarray
        As observed.
    outcome_unit : (n, V) float64 ndarray
        :math:`\hat y`, of unit norm; zero where the outcome has no variance left.
    outcome_norm : (V,) float64 ndarray
        Norm of the adjusted outcome, in map units.
    units : (K, n, V) float64 ndarray
        :math:`\hat b_k`; zero where a regressor has no variance left.
    basis : (n, m) float64 ndarray
        Orthonormal columns Q that span the nuisance.
    df : int
        n - m - q - K, also where a voxel's regressor is constant.
    codes : (A, q) float64 ndarray or None
        The tested columns of each of A arms, where they are those of the arms.
    n_along : int
        The last so many of the tested columns move with the arms' labels, but are adjusted for.

    References
    ----------
    HC3: MacKinnon & White (1985), doi:10.1016/0304-4076(85)90158-7; in permutation tests of unequal variances:
    DiCiccio & Romano (2017), doi:10.1080/01621459.2016.1202117.

    Examples
    --------
    >>> outcome, arm = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[0], [0], [1], [1]])
    >>> LinearModel.prepare(outcome, arm, np.ones((4, 1))).observed().t().round(4)
    array([[2.8284]])
    """

    tested: np.ndarray
    outcome_unit: np.ndarray
    outcome_norm: np.ndarray
    units: np.ndarray
    basis: np.ndarray
    df: int
    codes: np.ndarray | None = None
    n_along: int = 0

    @classmethod
    def prepare(
        cls, outcome: np.ndarray, tested: npt.ArrayLike, nuisance: np.ndarray, regressors: Sequence[np.ndarray] = ()
    ) -> "LinearModel":
        """Take nuisance and regressors out of the outcome.

        Parameters
        ----------
        outcome : (n, V) float64 ndarray
            Finite, in map units.
        tested : (n, q) array-like of float
        nuisance : (n, m) float64 ndarray
            With the intercept, if the model has one; columns may depend on each other.
        regressors : sequence of (n, V) float64 ndarray, optional
            Each voxel's own covariates, the first of them usually its baseline.
        """
        basis, tested = _basis(nuisance), np.asarray(tested, dtype=np.float64)
        unit, norm = np.empty(outcome.shape), np.empty(outcome.shape[1])
        units = np.empty((len(regressors), *outcome.shape))
        for block in voxel_blocks(outcome.shape[1]):
            own = list[np.ndarray]()
            for regressor in (np.ascontiguousarray(values[:, block]) for values in regressors):
                own.append(_unit(without_units(own, without(basis, regressor)), regressor)[0])
            of_block = np.ascontiguousarray(outcome[:, block])
            unit[:, block], norm[block] = _unit(without_units(own, without(basis, of_block)), of_block)
            for number, values in enumerate(own):
                units[number, :, block] = values
        df = len(outcome) - basis.shape[1] - tested.shape[1] - len(units)
        return cls(tested, unit, norm, units, basis, df)

    def observed(self, robust: bool = False) -> Fit:
        """Return the `Fit` of the tested columns as observed, B = 1."""
        return self.relabelled(self.tested[None], robust)

    def relabelled(self, tested: np.ndarray, robust: bool = False) -> Fit:
        """Return the `Fit` of other versions (B, n, q) of the tested columns, such as other allocations.

        With ``robust``, t and F have the covariance HC3.
        """
        score = _products(tested, self.outcome_unit)
        cross = self._cross(tested)
        columns, gram = self._adjusted(tested, cross)
        fit = Fit(score, gram, np.ones((1, 1)), self.df)
        if robust:
            fit = self._robust(fit, columns, cross, lambda block: [(slice(None), _cut(self.outcome_unit, block))])
        return fit.given_last(self.n_along)

    def rearranged(self, order: np.ndarray, signs: np.ndarray, robust: bool = False) -> Fit:
        """Return the `Fit` to rearrangements of the residuals, (B, n) int64 and (B, n) float64 (Freedman & Lane)."""
        cross = self._cross(self.tested[None])
        columns, gram = self._adjusted(self.tested[None], cross)
        fixed = np.concatenate([columns[0], self.basis], axis=1)
        moved = np.empty((*order.shape, fixed.shape[1]))
        np.put_along_axis(moved, order[:, :, None], signs[:, :, None] * fixed, axis=1)
        products = _products(moved, self.outcome_unit)
        score, nuisance = np.split(products, [columns.shape[2]], axis=1)
        along = [rearranged_products(unit, self.outcome_unit, order, signs) for unit in self.units]
        for tested, regressor in zip(cross, along, strict=True):
            score = score - tested * regressor[:, None]
        total = 1 - np.square(nuisance).sum(axis=1) - sum(map(np.square, along))
        fit = Fit(score, gram, total, self.df)
        if not robust:
            return fit
        return self._robust(fit, columns, cross, partial(self._outcomes, order, signs, nuisance, along))

    def _cross(self, tested: np.ndarray) -> np.ndarray:
        """Return the products of tested columns with the regressors, (K, B, q, V)."""
        return (_rows(tested) @ self.units).reshape(-1, len(tested), tested.shape[2], self.units.shape[2])

    def _adjusted(self, tested: np.ndarray, cross: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the tested columns without nuisance, and their sums of products without regressors too."""
        columns = without(self.basis, tested)
        gram = columns.transpose(0, 2, 1) @ columns
        if not len(cross):  # the same for all voxels
            cross = np.empty((0, *cross.shape[1:3], 1))
        return columns, gram_without(gram, cross, NEGLIGIBLE * np.square(tested).sum(axis=1))

    def _outcomes(
        self, order: np.ndarray, signs: np.ndarray, nuisance: np.ndarray, along: list[np.ndarray], block: slice
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield each draw, as a slice, and its rearranged outcome (n, W) without nuisance and regressors."""
        for draw, (source, sign) in enumerate(zip(order, signs, strict=True)):
            outcome = sign[:, None] * self.outcome_unit[source, block] - self.basis @ nuisance[draw][:, block]
            for unit, products in zip(self.units, along, strict=True):
                outcome -= unit[:, block] * products[draw, block]
            yield slice(draw, draw + 1), outcome

    def _robust(
        self, fit: Fit, columns: np.ndarray, cross: np.ndarray, outcomes: Callable[[slice], Iterable[Outcome]]
    ) -> Fit:
        """Return the fit with the meat of HC3; ``outcomes`` pairs, in some voxels, draws with the outcome they have."""
        n_draws, q, n_voxels = fit.score.shape
        inverse = _inverse(np.broadcast_to(fit.gram, (len(columns), q, q, n_voxels)))
        of_nuisance = np.square(self.basis).sum(axis=1)[:, None]
        coefficients = np.sum(inverse * fit.score[:, None], axis=2)
        meat, kernel = np.empty((n_draws, q, q, n_voxels)), hc3_meat_of_one if q == 1 else hc3_meat
        for block in voxel_blocks(n_voxels):
            units = _cut(self.units, block)
            leverage = of_nuisance + np.square(units).sum(axis=0)
            for draws, outcome in outcomes(block):
                own = draws if len(columns) == n_draws else slice(None)
                solution = _cut(coefficients[draws], block), _cut(inverse[own], block)
                found = np.empty((*meat[draws].shape[:3], leverage.shape[1]))
                kernel((columns[own], _cut(cross[:, own], block)), (units, outcome, leverage), solution, found)
                meat[draws, ..., block] = found
        nothing_left = np.isinf(np.einsum("bqqv->bqv", fit.gram))
        np.einsum("bqqv->bqv", meat)[np.broadcast_to(nothing_left, fit.score.shape)] = np.inf
        return replace(fit, meat=meat)


def _cut(values: np.ndarray, block: slice) -> np.ndarray:
    """Return a block of the voxels, which are last, in an array of its own: loops over such are faster."""
    return np.ascontiguousarray(values[..., block])


def _basis(nuisance: np.ndarray) -> np.ndarray:
    """Return orthonormal columns that span the nuisance, whatever the units of its columns."""
    norm = np.linalg.norm(nuisance, axis=0)
    left, size, _ = np.linalg.svd(nuisance[:, norm > 0] / norm[norm > 0], full_matrices=False)
    return left[:, size > len(nuisance) * np.finfo(float).eps * size.max(initial=0)]


def _products(tested: np.ndarray, unit: np.ndarray) -> np.ndarray:
    return (_rows(tested) @ unit).reshape(len(tested), tested.shape[2], -1)


def _rows(tested: np.ndarray) -> np.ndarray:
    """Return columns (B, n, q) as rows of one matrix, (B q, n)."""
    return np.ascontiguousarray(tested.transpose(0, 2, 1)).reshape(-1, tested.shape[1])


def _unit(residual: np.ndarray, original: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    norm = np.linalg.norm(residual, axis=0)
    norm[norm <= NEGLIGIBLE * np.linalg.norm(original, axis=0)] = 0.0
    return residual * np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0), norm


def _inverse(gram: np.ndarray) -> np.ndarray:
    """Return the inverses (B, q, q, V); a column of which nothing is left gets 0."""
    if gram.shape[1] == 1:
        return 1 / gram
    finite = np.where(np.isfinite(gram), gram, 0).transpose(0, 3, 1, 2)
    return np.linalg.pinv(finite, hermitian=True).transpose(0, 2, 3, 1).copy()
