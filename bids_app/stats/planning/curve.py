"""Power over the sizes that were tried: intervals, the curve through them, and where it reaches what is wanted."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as distributions
from scipy.optimize import brentq

LEVEL = 0.95
FINE = 4000  # points of the grid on which the curve is read


def wilson(hits: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    r"""Return the interval of a share after Wilson (1927), doi:10.1080/01621459.1927.10502953.

    Parameters
    ----------
    hits, trials : int
    level : float, optional

    Examples
    --------
    >>> [round(one, 4) for one in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    interval = distributions.binomtest(hits, trials).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class Curve:
    r"""The probit of power as a line: :math:`\Phi^{-1}(\mathrm{power}) = a + b x`.

    Attributes
    ----------
    coefficients : (2,) float64 ndarray
    covariance : (2, 2) float64 ndarray
    transform : callable
        From a size to x: the square root of a number of participants; an effect is taken as it is.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    transform: Callable[[npt.ArrayLike], np.ndarray]

    def power(self, sizes: npt.ArrayLike) -> np.ndarray:
        """Return the power at some sizes."""
        return np.asarray(distributions.norm.cdf(self._design(sizes) @ self.coefficients))

    def band(self, sizes: npt.ArrayLike, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """Return the interval of the power at some sizes."""
        design = self._design(sizes)
        middle = design @ self.coefficients
        margin = self._quantile(level) * np.sqrt(np.einsum("ni,ij,nj->n", design, self.covariance, design))
        return distributions.norm.cdf(middle - margin), distributions.norm.cdf(middle + margin)

    def reaches(self, power: float, low: float, high: float) -> tuple[float, float, float] | None:
        """Return the size from which on the power is reached, and its interval (Fieller's, as those of the band).

        Parameters
        ----------
        power : float
        low, high : float
            Between which it is looked for; an end of the interval that lies outside is infinite, or the lower end.

        Returns
        -------
        size, lower, upper : float
            Or None where it is not reached.
        """
        grid = np.linspace(low, high, FINE)
        middle, (lower, upper) = self.power(grid), self.band(grid)
        if middle[-1] < power or middle[0] > power:
            return None
        at = float(grid[np.argmax(middle >= power)])
        first = float(grid[np.argmax(upper >= power)])
        last = float(grid[np.argmax(lower >= power)]) if (lower >= power).any() else float("inf")
        return at, first, last

    def _design(self, sizes: npt.ArrayLike) -> np.ndarray:
        x = np.atleast_1d(self.transform(np.asarray(sizes, dtype=float)))
        return np.column_stack([np.ones_like(x), x])

    @staticmethod
    def _quantile(level: float) -> float:
        return float(distributions.norm.ppf((1 + level) / 2))


def as_it_is(sizes: npt.ArrayLike) -> np.ndarray:
    """Return sizes as they are."""
    return np.asarray(sizes, dtype=float)


def fit_curve(
    sizes: Sequence[float],
    hits: Sequence[int],
    trials: Sequence[int],
    transform: Callable[[npt.ArrayLike], np.ndarray] = np.sqrt,
) -> Curve | None:
    r"""Fit a probit line through the shares of trials that found the effect, by maximum likelihood.

    Parameters
    ----------
    sizes : sequence of float
    hits, trials : sequence of int
        How many of how many found it at each size.
    transform : callable, optional

    Returns
    -------
    Curve or None
        None where the shares do not say how power rises: fewer than two sizes, or it does not.

    Notes
    -----
    A test that finds a mean z above a bound c has power :math:`\Phi(\theta \sqrt n - c)`: a line in :math:`\sqrt n`,
    and in the effect :math:`\theta`. That of the largest of many statistics is nearly so over the sizes that matter.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> sizes = [16, 36, 64]
    >>> hits = [round(float(norm.cdf(0.5 * n**0.5 - 3)) * 1000) for n in sizes]
    >>> fit_curve(sizes, hits, [1000] * 3).coefficients.round(1).tolist()
    [-3.0, 0.5]
    """
    from statsmodels.genmod.families import Binomial, links  # here, for they load a language of formulas
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    found, total = np.asarray(hits, dtype=float), np.asarray(trials, dtype=float)
    if len(sizes) < 2 or len(np.unique(found / total)) < 2:
        return None
    # Half a trial found and half not, more: a share of 0 or 1 has no probit, and would hold the line up or down alone.
    counts = np.column_stack([found + 0.5, total - found + 0.5])
    x = transform(np.asarray(sizes, dtype=float))
    family = Binomial(links.Probit())
    with warnings.catch_warnings():
        for kind in (PerfectSeparationWarning, RuntimeWarning):  # a line through two points fits them exactly
            warnings.simplefilter("ignore", kind)
        fit = GLM(counts, np.column_stack([np.ones_like(x), x]), family=family).fit()
    if not np.isfinite(fit.params).all() or fit.params[1] <= 0:
        return None
    return Curve(np.asarray(fit.params), np.asarray(fit.cov_params()), transform)


def expected_power(effect: float, spread: float, df: float, alpha: float = 0.05) -> float:
    r"""Return the power of a two-sided t test, counting what is found with the right sign.

    Parameters
    ----------
    effect : float
    spread : float
        Standard error of its estimate, in the same unit.
    df : float
    alpha : float, optional

    Examples
    --------
    Cohen's tables: 64 of each arm find 0.5 standard deviations in .80.

    >>> round(expected_power(0.5, (2 / 64) ** 0.5, 126), 2)
    0.8
    """
    critical = distributions.t.isf(alpha / 2, df)
    return float(distributions.nct(df, abs(effect) / spread).sf(critical))


def mean_spread(
    correlation: np.ndarray,
    outcome: npt.ArrayLike,
    adjusts: Sequence[int],
    weights: npt.ArrayLike,
    sizes: Sequence[int],
    n_columns: int = 0,
) -> tuple[float, int]:
    r"""Return the standard error of an estimand of a single node, and its degrees of freedom.

    Parameters
    ----------
    correlation : (T, T) float ndarray
        Of the visits, of variance 1; a covariance will do.
    outcome : (T,) array-like of float
        Weights of the visits.
    adjusts : sequence of int
        Visits that are adjusted for.
    weights : (K,) array-like of float
        Of the arms.
    sizes : sequence of int
        Of the K arms.
    n_columns : int, optional
        Others that are adjusted for, alike for every node: covariates, and strata but the first. What they explain is
        not in the covariance that is given.

    Returns
    -------
    spread : float
    df : int

    Notes
    -----
    The variance of the outcome that is left when the p visits adjusted for are taken out,
    :math:`\sigma^2 = c'Cc - c'C_{\cdot a} C_{aa}^{-1} C_{a \cdot}c`, times :math:`\sum_k w_k^2 / n_k`, and times
    :math:`1 + p / (n - K - p - 1)`, because the arms differ at baseline by chance: of normal baselines that is the
    expected square of their difference over its sum of squares within the arms, an inverse chi-squared. With one
    baseline that correlates r, :math:`\sigma^2 = 1 - r^2` (Borm et al. 2007,
    doi:10.1016/j.jclinepi.2007.02.006).

    Examples
    --------
    >>> both = np.array([[1, 0.6], [0.6, 1]])
    >>> spread, df = mean_spread(both, [0, 1], [0], [-1, 1], [20, 20])
    >>> round(spread**2 / (0.64 * 2 / 20 * (1 + 1 / 36)), 6), df
    (1.0, 37)
    """
    c, w, n = np.asarray(outcome, float), np.asarray(weights, float), np.asarray(sizes, float)
    variance = float(c @ correlation @ c)
    taken = list(adjusts)
    if taken:
        across = correlation[taken] @ c
        variance -= float(across @ np.linalg.solve(correlation[np.ix_(taken, taken)], across))
    by_chance = len(taken) + n_columns
    df = int(n.sum()) - len(n) - by_chance
    if df < 1:
        raise ValueError(f"{int(n.sum())} participants leave {df} degrees of freedom")
    chance = 1 + by_chance / (df - 1) if len(n) > 1 and df > 1 else 1.0
    return float(np.sqrt(max(variance, 0) * (w**2 / n).sum() * chance)), df


def size_for(power: float, power_of: Callable[[float], float], low: float, high: float) -> float:
    """Return where a power that rises is reached, between two ends; the upper end where it is not."""
    if power_of(high) < power:
        return high
    return low if power_of(low) >= power else float(brentq(lambda one: power_of(one) - power, low, high))
