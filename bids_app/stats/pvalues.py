"""p-values from the draws: counted, family-wise, and their Monte Carlo error."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Allocations that tie in exact arithmetic differ by rounding; they must count as ties.
RELATIVE_TIE, ABSOLUTE_TIE = 1e-9, 1e-12


def tie_bound(statistic: np.ndarray) -> np.ndarray:
    """Smallest magnitude that counts as at least ``statistic``, of any shape."""
    return np.abs(statistic) * (1 - RELATIVE_TIE) - ABSOLUTE_TIE


@dataclass(frozen=True)
class Counted:
    """The observed statistics among those of the draws.

    Attributes
    ----------
    observed : (V,) float64 ndarray
    reached : (V,) int64 ndarray
        How many of the draws, the observed one included, have a statistic at least as large in magnitude.
    maxima : (D,) float64 ndarray
        Largest magnitude of each draw.
    """

    observed: np.ndarray
    reached: np.ndarray
    maxima: np.ndarray

    @property
    def p(self) -> np.ndarray:
        """The share of the draws that reach the observed statistics, (V,) float64."""
        return self.reached / len(self.maxima)


def count_draws(
    statistics_of: Callable[[slice], np.ndarray],
    n_draws: int,
    batch: int | None = None,
    *,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Counted:
    """Count the draws that reach the observed statistics, and keep each draw's maximum.

    Parameters
    ----------
    statistics_of : callable
        From a slice of the draws to their statistics, a new (B, V) float64 ndarray. The first draw is the observed one.
    n_draws : int
    batch : int, optional
        How many draws are done at once; all of them by default.
    n_jobs : int, optional
        Count of threads; the result does not depend on it.
    progress : callable, optional
        Called with the count of draws done and their total.

    Returns
    -------
    Counted

    Examples
    --------
    >>> draws = np.array([[2.0, -3.0], [1.0, 3.0], [-2.0, 0.5], [0.0, 4.0]])
    >>> found = count_draws(lambda window: draws[window].copy(), len(draws))
    >>> found.p, found.maxima
    (array([0.5 , 0.75]), array([3., 3., 2., 4.]))
    """
    *_, counted = counted_at((n_draws,), statistics_of, batch or n_draws, n_jobs=n_jobs, progress=progress)
    return counted


def counted_at(
    looks: Iterable[int],
    statistics_of: Callable[[slice], np.ndarray],
    batch: int,
    *,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Counted]:
    """Yield what `count_draws` would return, each time that there are so many draws.

    Parameters
    ----------
    looks : iterable of int
        Ascending.
    """
    observed = statistics_of(slice(0, 1))[0]
    bound = tie_bound(observed)

    def examine(window: slice) -> tuple[np.ndarray, np.ndarray]:
        statistics = statistics_of(window)
        magnitude = np.abs(statistics, out=statistics)
        return np.sum(magnitude >= bound, axis=0), magnitude.max(axis=1)

    reached, maxima = np.zeros(len(observed), dtype=np.int64), np.empty(0)
    with ThreadPoolExecutor(n_jobs) as pool:
        for look in looks:
            done, maxima = len(maxima), np.append(maxima, np.empty(look - len(maxima)))
            windows = (slice(start, min(start + batch, look)) for start in range(done, look, batch))
            for counts, largest in pool.map(examine, windows):
                reached += counts
                following = done + len(largest)
                maxima[done:following], done = largest, following
                if progress is not None:
                    progress(done, look)
            yield Counted(observed, reached.copy(), maxima)


def familywise(maxima: np.ndarray, statistic: np.ndarray, going: np.ndarray | None = None) -> np.ndarray:
    """Two-sided p-value of each statistic against the maxima of the draws.

    Parameters
    ----------
    maxima : (D,) float ndarray
        Largest magnitude of each draw, the identity included.
    statistic : (V,) float ndarray
    going : (D,) bool ndarray, optional
        Which draws count, as `earlier.going_on`; all by default.

    Returns
    -------
    (V,) float64 ndarray
        Share of the draws whose maximum is at least as large, in [1/D, 1] for the statistics of a draw.

    References
    ----------
    Westfall & Young (1993); Winkler et al. (2014), doi:10.1016/j.neuroimage.2014.01.060.

    Examples
    --------
    >>> familywise(np.array([4.0, 1.0, 2.0, 3.0]), np.array([-4.0, 2.5]))
    array([0.25, 0.5 ])
    """
    return count_reaching(maxima if going is None else maxima[going], statistic) / len(maxima)


def count_reaching(maxima: np.ndarray, statistic: np.ndarray) -> np.ndarray:
    """Count the maxima (D,) that are at least as large as each statistic (V,) in magnitude."""
    return len(maxima) - np.searchsorted(np.sort(maxima), tie_bound(np.abs(statistic)))


def monte_carlo_error(p: npt.ArrayLike, n_draws: int, exhaustive: bool = False) -> np.ndarray:
    r"""Return the standard error of a p-value from a finite count of draws.

    .. math:: \mathrm{SE} = \sqrt{p (1 - p) / D}

    Parameters
    ----------
    p : array-like of float
        In [0, 1].
    n_draws : int
        Count of draws.
    exhaustive : bool, optional
        True if the draws are all there are: no error then.

    Returns
    -------
    float64 ndarray of the shape of ``p``

    Examples
    --------
    >>> round(float(monte_carlo_error(0.05, 10_000)), 4)
    0.0022
    """
    p = np.asarray(p, dtype=np.float64)
    return np.zeros_like(p) if exhaustive else np.sqrt(p * (1 - p) / n_draws)
