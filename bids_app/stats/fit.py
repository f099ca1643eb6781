"""t, F and partial R2 from the sums of squares of many regressions at once."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numba import njit

# Below this fraction of what was there before adjustment, a sum of squares is rounding.
NEGLIGIBLE = 1e-12
LEAST = float(np.finfo(float).eps)  # what is left unexplained of a sum of squares of 1


@dataclass(frozen=True)
class Fit:
    r"""Regressions of a unit outcome on q tested columns, for B draws, the nuisance taken out of both.

    Attributes
    ----------
    score : (B, q, V) float64 ndarray
        :math:`\tilde X'\hat y`.
    gram : (B, q, q, V) float64 ndarray
        :math:`\tilde X'\tilde X`, infinite on the diagonal where nothing of a column is left. The first and the
        last axis may have length 1.
    total : (B, V) float64 ndarray
        Sum of squares of the adjusted outcome; either axis may have length 1.
    df : int
        Residual degrees of freedom.
    meat : (B, q, q, V) float64 ndarray, optional
        :math:`\tilde X' \operatorname{diag}(e_i^2 / (1 - h_i)^2) \tilde X` with the residuals e and leverages h of the
        whole model: t and F are then those of HC3.
    """

    score: np.ndarray
    gram: np.ndarray
    total: np.ndarray
    df: int
    meat: np.ndarray | None = None

    def t(self) -> np.ndarray:
        r"""Return t of the only tested column, (B, V).

        .. math::

            t = \frac{b}{\sqrt{\hat\sigma^2 / \tilde x'\tilde x}}, \qquad
            t_{HC3} = \frac{\tilde x'\hat y}{\sqrt{\sum_i \tilde x_i^2 e_i^2 / (1 - h_i)^2}}
        """
        score = self.score[:, 0]
        if self.meat is not None:
            return ratio(score, np.sqrt(self.meat[:, 0, 0]))
        gram, total = (np.broadcast_to(one, score.shape) for one in (self.gram[:, 0, 0], self.total))
        return _student(score, gram, total, self.df)

    def f(self) -> np.ndarray:
        """Return F of all tested columns, (B, V): ``b' C^-1 b / q``, C the classical or the HC3 covariance of b."""
        q = self.score.shape[1]
        if self.meat is not None:
            return quadratic_form(self.score, self.meat) / q
        explained = quadratic_form(self.score, self.gram)
        return explained / q * self.df / self._unexplained(explained)

    def coefficient(self) -> np.ndarray:
        """Return the coefficient of the only tested column, (B, V), per unit norm of the adjusted outcome."""
        return self.score[:, 0] / self.gram[:, 0, 0]

    def standard_error(self) -> np.ndarray:
        """Return the standard error of `coefficient`, (B, V)."""
        score, gram = self.score[:, 0], self.gram[:, 0, 0]
        if self.meat is not None:
            return np.where(np.isinf(gram), 0.0, np.sqrt(self.meat[:, 0, 0])) / gram
        return np.sqrt(self._unexplained(np.square(score) / gram) / self.df / gram)

    def given_last(self, n_columns: int) -> "Fit":
        """Return the fit of the columns before the last so many, which are adjusted for in place of being tested."""
        fit = self
        for _ in range(n_columns):
            fit = fit._given_last()
        return fit

    def _given_last(self) -> "Fit":
        """Sweep the last column out of all sums of products."""
        pivot, before = self.gram[:, -1, -1], self.gram[:, :-1, :-1]
        factor = self.gram[:, :-1, -1] / pivot[:, None]
        score = self.score[:, :-1] - factor * self.score[:, -1:]
        gram = before - factor[:, :, None] * self.gram[:, -1:, :-1]
        for column in range(gram.shape[1]):
            own = gram[:, column, column]
            own[own <= NEGLIGIBLE * before[:, column, column]] = np.inf
        total = self.total - np.square(self.score[:, -1]) / pivot
        meat = None if self.meat is None else _swept_meat(self.meat, factor)
        return Fit(score, gram, total, self.df, meat)

    def partial_r2(self) -> np.ndarray:
        """Return the share of the adjusted outcome's variance that the tested columns explain, (B, V)."""
        return ratio(quadratic_form(self.score, self.gram), self.total)

    def _unexplained(self, explained: np.ndarray) -> np.ndarray:
        return np.maximum(self.total - explained, LEAST)


@njit(cache=True, nogil=True, error_model="numpy")  # division that may raise is not done several at once
def _student(score: np.ndarray, gram: np.ndarray, total: np.ndarray, df: float) -> np.ndarray:
    """Return t (B, V) of sums of products (B, V), in one pass over memory."""
    t, own, whole = np.empty(score.shape), np.empty(score.shape[1]), np.empty(score.shape[1])
    for draw in range(score.shape[0]):
        own[:], whole[:] = gram[draw], total[draw]
        for v in range(own.size):
            r = score[draw, v] / sqrt(own[v])
            left = whole[v] - r * r
            t[draw, v] = r * sqrt(df / (left if left > LEAST else LEAST))
    return t


@njit(cache=True, nogil=True)
def gram_without(gram: np.ndarray, products: np.ndarray, negligible: np.ndarray) -> np.ndarray:
    """Take voxel-wise regressors out of the sums of products of tested columns, in one pass over memory.

    Parameters
    ----------
    gram : (B, q, q) float64 ndarray
    products : (K, B, q, V) float64 ndarray
        Of the tested columns with the K regressors, which are of unit norm and orthogonal to each other.
    negligible : (B, q) float64 ndarray
        A diagonal element that is no larger becomes infinite.

    Returns
    -------
    (B, q, q, V) float64 ndarray
        As ``gram`` of `Fit`.
    """
    left = np.empty((*gram.shape, products.shape[3]))
    for draw, one, other in np.ndindex(gram.shape):
        row = left[draw, one, other]
        row[:] = gram[draw, one, other]
        for k in range(len(products)):
            for v in range(row.size):
                row[v] -= products[k, draw, one, v] * products[k, draw, other, v]
        if one == other:
            for v in range(row.size):
                row[v] = np.inf if row[v] <= negligible[draw, one] else row[v]
    return left


def _swept_meat(meat: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return the meat of the columns before the last; where a column owes nothing to the last, it stays as it is."""
    with np.errstate(invalid="ignore"):
        across = np.where(factor[:, :, None] == 0, 0, factor[:, :, None] * meat[:, -1:, :-1])
        both = factor[:, :, None] * factor[:, None]
        own = np.where(both == 0, 0, both * meat[:, -1:, -1:])
        swept = meat[:, :-1, :-1] - across - across.transpose(0, 2, 1, 3) + own
    return np.where(np.isnan(swept), np.inf, swept)  # infinite less infinite: a participant alone determines both


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with 0 where the denominator is 0."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    return np.divide(numerator, denominator, out=np.zeros(shape), where=denominator > 0)


def quadratic_form(vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    r"""Return :math:`v'M^{-1}v` of many small symmetric matrices, by elimination.

    Parameters
    ----------
    vector : (B, q, V) float64 ndarray
    matrix : (B, q, q, V) float64 ndarray
        Positive semi-definite. Directions that depend on those before add nothing.

    Returns
    -------
    (B, V) float64 ndarray

    Examples
    --------
    >>> quadratic_form(np.array([2.0, 3.0]).reshape(1, 2, 1), np.diag([1.0, 9.0]).reshape(1, 2, 2, 1))
    array([[5.]])
    """
    rows = [matrix[:, column] for column in range(matrix.shape[1])]
    values = [vector[:, column] for column in range(matrix.shape[1])]
    form = np.zeros((1, 1))
    for column, row in enumerate(rows):
        pivot = row[:, column]
        pivot = np.where(pivot > NEGLIGIBLE * matrix[:, column, column], pivot, np.inf)
        form = form + np.square(values[column]) / pivot
        for later in range(column + 1, len(rows)):
            factor = rows[later][:, column] / pivot
            rows[later] = rows[later] - factor[:, None] * np.where(np.isinf(row), 0, row)
            values[later] = values[later] - factor * values[column]
    return form
