"""Degrees of freedom of contrasts of the coefficients, and the covariance that they are judged by."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from bids_app.stats.scores.reml import Maximum

KENWARD_ROGER, SATTERTHWAITE = "Kenward-Roger", "Satterthwaite"
METHODS = (KENWARD_ROGER, SATTERTHWAITE)
EXACT = 1e-9  # how near two terms are that are one in exact tests


@dataclass(frozen=True)
class JointTest:
    """Whether several contrasts are all 0; NaN where the scores are too few for an F.

    Attributes
    ----------
    statistic : float
        F, already scaled.
    df_numerator, df_denominator : float
    p : float
    """

    statistic: float
    df_numerator: int
    df_denominator: float
    p: float


@dataclass(frozen=True)
class SmallSample:
    r"""What inference on the coefficients in small samples rests on.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    coefficients : (p,) float ndarray
    model_based : (p, p) float ndarray
        Their covariance at the estimated variances, :math:`\Phi = (X' V^{-1} X)^{-1}`.
    covariance : (p, p) float ndarray
        The one that is judged by: adjusted by Kenward and Roger, else the model-based.
    changes : (H, p, p) float ndarray
        Derivatives of :math:`\Phi` by the parameters of the covariance.
    uncertainty : (H, H) float ndarray
        The covariance of those parameters: the inverse of their expected information for Kenward and Roger, of the
        observed for Satterthwaite.

    Notes
    -----
    Kenward & Roger (1997), Biometrics 53:983. The adjusted covariance is

    .. math:: \Phi + 2 \Phi \Big\{\sum_{hi} W_{hi} \big(Q_{hi} - P_h \Phi P_i - \tfrac14 R_{hi}\big)\Big\} \Phi

    with :math:`P_h = X' \partial_h V^{-1} X`, :math:`Q_{hi} = X' \partial_h V^{-1} V \partial_i V^{-1} X`, and
    :math:`R_{hi} = X' V^{-1} (\partial_h \partial_i V) V^{-1} X`, which is 0 where the covariance is linear in its
    parameters: unstructured, Toeplitz, compound symmetry. For the others it depends on which parameters are used.
    """

    method: str
    coefficients: np.ndarray
    model_based: np.ndarray
    covariance: np.ndarray
    changes: np.ndarray
    uncertainty: np.ndarray

    @classmethod
    def of(cls, found: Maximum, method: str = KENWARD_ROGER) -> "SmallSample":
        """Prepare at the maximum of the restricted likelihood."""
        if method not in METHODS:
            raise ValueError(f"degrees of freedom are one of {', '.join(METHODS)}, not {method}")
        phi = found.likelihood.covariance
        changes = phi @ found.likelihood.changes(found.first) @ phi
        if method == SATTERTHWAITE:
            uncertainty, covariance = np.linalg.inv(found.observed), phi
        else:
            uncertainty = np.linalg.inv(found.expected)
            covariance = phi + _adjustment(found, uncertainty)
        return cls(method, found.likelihood.coefficients, phi, covariance, changes, uncertainty)

    def in_units(self, scale: np.ndarray, offset: np.ndarray) -> "SmallSample":
        """Return the same for coefficients that are multiplied by a scale (p,), an offset (p,) added."""
        both = np.outer(scale, scale)
        return SmallSample(
            self.method,
            offset + scale * self.coefficients,
            both * self.model_based,
            both * self.covariance,
            both * self.changes,
            self.uncertainty,
        )

    def df(self, row: np.ndarray) -> float:
        r"""Return the degrees of freedom of one contrast, (p,).

        Notes
        -----
        :math:`2 (c' \Phi c)^2 / g' W g` with the derivatives g of :math:`c' \Phi c`. Both methods share it for one row,
        for which the scale of Kenward and Roger is 1, but not W; Satterthwaite (1946), Biometrics Bull. 2:110.
        """
        slopes = np.einsum("a,hab,b->h", row, self.changes, row)
        variance = row @ self.model_based @ row
        spread = float(slopes @ self.uncertainty @ slopes)
        return float(2 * variance**2 / spread) if spread > 0 else np.inf

    def joint(self, rows: np.ndarray) -> JointTest:
        """Test that several independent contrasts, (l, p), are all 0."""
        values = rows @ self.coefficients
        wald = float(values @ np.linalg.solve(rows @ self.covariance @ rows.T, values)) / len(rows)
        scale, df = (1.0, self._fai_cornelius(rows)) if self.method == SATTERTHWAITE else self._kenward_roger(rows)
        if not (df > 0 and scale > 0):
            scale, df = np.nan, np.nan
        return JointTest(scale * wald, len(rows), df, _beyond(scale * wald, len(rows), df))

    def _kenward_roger(self, rows: np.ndarray) -> tuple[float, float]:
        r"""Return scale and denominator degrees of freedom of F, by the moments of the paper.

        Notes
        -----
        With :math:`u = 1 - A_2 / l` and :math:`w = 1 - c_2 B` the paper's degrees of freedom are

        .. math:: 4 + \frac{(l + 2) w^2 (1 - c_3 B)}{(1 + c_1 B) u^2 - w^2 (1 - c_3 B)}

        without the quotients that have no value where F has 2 or 4 of them. Where the tests are exact, of Hotelling or
        of analysis of variance, u is w; the same is then :math:`2 + w s / B` for the denominator s of the c, and the
        scale, of which the paper makes 0 / 0 at 2 degrees of freedom, is :math:`B / s` times them.
        """
        size = len(rows)
        inner = np.linalg.solve(rows @ self.model_based @ rows.T, rows @ self.changes @ rows.T)
        traces = np.trace(inner, axis1=1, axis2=2)
        first = traces @ self.uncertainty @ traces
        second = np.einsum("hi,hab,iba->", self.uncertainty, inner, inner)
        if not second > 0:  # the variances are known
            return 1.0, np.inf
        balance = (first + 6 * second) / (2 * size)
        ratio = ((size + 1) * first - (size + 4) * second) / ((size + 2) * second)
        share = 3 * size + 2 * (1 - ratio)
        one, two, three = np.array([ratio, size - ratio, size + 2 - ratio]) / share
        mean, inverse = 1 - second / size, 1 - two * balance
        if abs(mean - inverse) < EXACT:
            df = 2 + inverse * share / balance
            return float(df * balance / share), float(df)
        spread = inverse**2 * (1 - three * balance)
        excess = (1 + one * balance) * mean**2 - spread
        df = 4 + (size + 2) * spread / excess if excess else np.inf
        return float(mean / (1 - 2 / df)) if df != 2 else np.nan, float(df)

    def _fai_cornelius(self, rows: np.ndarray) -> float:
        """Return the degrees of freedom of F, of those of the independent contrasts that the rows span.

        Fai & Cornelius (1996), J. Stat. Comput. Simul. 54:363.
        """
        directions = np.linalg.eigh(rows @ self.covariance @ rows.T)[1]
        df = np.array([self.df(row) for row in directions.T @ rows])
        if len(rows) == 1:
            return float(df[0])
        above = df[df > 2]
        total = np.sum(above / (above - 2)) if np.isfinite(df).all() else np.nan
        if np.isnan(total):
            return np.inf
        return float(2 * total / (total - len(rows))) if total > len(rows) else 2.0


def _beyond(statistic: float, size: int, df: float) -> float:
    """Return the probability that F with size and df degrees of freedom is larger; of chi-squared if df is infinite.

    Examples
    --------
    >>> round(_beyond(3.0, 2, np.inf), 6) == round(float(np.exp(-3.0)), 6)
    True
    """
    return float(special.chdtrc(size, size * statistic) if np.isinf(df) else special.fdtrc(size, df, statistic))


def _adjustment(found: Maximum, uncertainty: np.ndarray) -> np.ndarray:
    """Return what Kenward and Roger add to the covariance of the coefficients, (p, p)."""
    here, first = found.likelihood, found.first
    phi, weights = here.covariance, here.weights
    steps = weights[:, None] @ first
    twice = np.einsum("hi,phjk,pikl->pjl", uncertainty, steps, steps, optimize=True) @ weights
    bend = weights @ np.einsum("hi,hijk->jk", uncertainty, found.second) @ weights
    own = here.changes(first)
    outer = np.einsum("hi,hab,bc,icd->ad", uncertainty, own, phi, own, optimize=True)
    return np.asarray(2 * phi @ (here.patterns.information(twice - bend / 4) - outer) @ phi)
