"""Draws until what p says at a level is settled, with a p that holds wherever they stop."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.stats import beta

ROUNDING = 1e-9  # of sums of probabilities
RISK = 2e-4
DOUBT = 0.01  # from which on the side of alpha is said to be by chance


@dataclass(frozen=True)
class Stopping:
    r"""When draws stop.

    Attributes
    ----------
    alpha : float
        The level that p is compared with.
    risk : float, optional
        Probability, given the draws so far, that the run of all draws would conclude otherwise.
    least, step, most : int, optional
        Draws, the observed one not counted, before the first look, between looks, and at most.
    whole : bool, optional
        Whether all draws that are possible are no more than ``most``.

    Notes
    -----
    The draws are the first of a sequence that `most` would complete, and stop when it is clear what all of it would
    say. With b of n draws that reach the observed statistic, :math:`q = (B + 1) / (N + 1)` of all N is known but for
    what is to come of B, see `anytime_p`. The draws stop when

    .. math:: P(q \le (1 - \mathrm{risk})\, \alpha \mid b, n)

    is no less than 1 - risk, which is p at or below alpha, or no more than risk. The nearer n is to N, the less is to
    come: what cannot be turned any more is settled whatever the risk, and after N draws all is.

    The risk is of those that stop where the rule is just met; most stop far beyond it. Of trials whose p is evenly
    spread over 0 to 1, one in 67,000 concludes otherwise than all 99,999 draws, and where p is between .04 and .06 one
    in 1,300. (A q of alpha itself, one in N + 1, is among them: it no longer counts.)

    Draws of the maximum over nodes are one sequence, and the larger a node's statistic, the fewer reach it, so that the
    nodes next to alpha on either side settle for all. Nodes that are not looked at for being settled have a p that is
    as valid, but may lie near alpha still.

    References
    ----------
    Lan, Simon & Halperin (1982), doi:10.1080/07474948208836014, stop when the conclusion would hardly change; Besag &
    Clifford (1991), doi:10.1093/biomet/78.2.301; Gandy (2009), doi:10.1198/jasa.2009.tm08368, on the resampling risk;
    Fischer & Ramdas (2025), doi:10.1093/jrsssb/qkaf014, on tests by martingales of the draws.
    """

    alpha: float = 0.05
    risk: float = RISK
    least: int = 999
    step: int = 500
    most: int = 99_999
    whole: bool = False

    @property
    def calibration(self) -> int:
        """How many draws say how large the maxima of each of several comparisons are, see `across`."""
        return min(self.least, self.most // 2)

    def looks(self) -> Iterator[int]:
        """Yield how many draws, the observed one included, there are at each look."""
        yield from range(self.least + 1, self.most + 1, self.step)
        yield self.most + 1

    def p(self, reached: npt.ArrayLike, n: int, *, most: int | None = None) -> np.ndarray:
        """Return `anytime_p` of counts ``reached`` among ``n`` draws, the observed one not counted."""
        return anytime_p(reached, n, most or self.most, self.risk)

    def settled(self, reached: npt.ArrayLike, n: int, *, most: int | None = None) -> np.ndarray:
        """Tell which of the conclusions are settled after ``n`` draws: all draws would hardly change one.

        Examples
        --------
        >>> Stopping().settled([0, 36, 90], 999), Stopping().settled([4998, 4999], 99_999)
        (array([ True, False,  True]), array([ True,  True]))
        """
        reached, of_all = np.asarray(reached), most or self.most
        least = _quantiles_of(n, of_all, self.risk)[reached]
        above = (least + 1) / (of_all + 1) / (1 - self.risk) > self.alpha
        return (self.p(reached, n, most=most) <= self.alpha) | above

    def by_chance(self, reached: npt.ArrayLike, n: int) -> np.ndarray:
        """Tell of which counts ``n`` draws leave open on which side of alpha p of all possible draws is.

        It is open if p is on the less likely side with a probability of more than 1 %: given b of n, it is of a beta
        distribution with b + 1 and n - b + 1. Another seed could then conclude otherwise, however many draws these are
        of those that this one would make. Nothing is open where all possible draws are made.

        Examples
        --------
        >>> Stopping().by_chance([4700, 4990, 5300], 99_999)
        array([False,  True, False])
        """
        reached = np.asarray(reached)
        if self.whole:
            return np.zeros(reached.shape, dtype=bool)
        below = beta.cdf(self.alpha, reached + 1, n - reached + 1)
        return (below > DOUBT) & (below < 1 - DOUBT)


def anytime_p(reached: npt.ArrayLike, n: int, most: int, loss: float = RISK) -> np.ndarray:
    r"""Return a p that holds whenever one stops to draw, for whatever reason.

    Parameters
    ----------
    reached : array-like of int
        b, how many of the draws have a statistic at least as large as the observed one.
    n : int
        Draws so far, the observed one not counted.
    most : int
        N, the draws that there will be at most.
    loss : float, optional
        :math:`\delta`.

    Returns
    -------
    float64 ndarray of the shape of ``reached``
        In [1 / (N + 1), 1]; after all N draws :math:`\min(1, q / (1 - \delta))` with the ordinary
        :math:`q = (b + 1) / (N + 1)`.

    Notes
    -----
    It is the q that the run of all N draws will have, at most, with probability :math:`1 - \delta` given the draws so
    far, over :math:`1 - \delta`:

    .. math:: p_n = \min\{u : P(q \le (1 - \delta) u \mid b, n) \ge 1 - \delta\}.

    If the observed statistic is exchangeable with those of the draws, its rank among them is uniform, so that b is
    enough to know how q is distributed: what is still to come of b is beta-binomial with parameters b + 1 and
    n - b + 1 (Pólya's urn). For any c, :math:`P(q \le c \mid b, n)` is a martingale in n, as the expectation of one
    event given ever more, and it begins with :math:`P(q \le c) \le c`. It ever reaches :math:`1 - \delta` with a
    probability of :math:`c / (1 - \delta)` at most (Ville 1939). With :math:`c = (1 - \delta) u` that is u:

    .. math:: P(p_n \le u \text{ at any } n) \le u \quad \text{for every } u.

    So it holds at any n that depends on the draws, on other nodes or on whoever looks. Ties count as reached, and make
    it larger only. Fischer & Ramdas (2025), doi:10.1093/jrsssb/qkaf014, have the test at one level.

    Examples
    --------
    >>> anytime_p([0, 20, 40], 999, 99_999).round(4), anytime_p([49], 999, 999).round(4)
    (array([0.0084, 0.0406, 0.0665]), array([0.05]))
    """
    largest = _quantiles_of(n, most, 1 - loss - ROUNDING)[np.asarray(reached)]
    return np.minimum((largest + 1) / (most + 1) / (1 - loss), 1.0)


@lru_cache(maxsize=256)
def _quantiles_of(n: int, most: int, level: float) -> np.ndarray:
    """Return, for each count of n draws, which count of all draws is not exceeded with the probability ``level``."""
    return _quantiles(n, most, level)


@njit(cache=True, nogil=True)
def _log_choose(n: int, k: int) -> float:
    if k < 0 or k > n:
        return -np.inf
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)


@njit(cache=True, nogil=True)
def _quantiles(n: int, most: int, level: float) -> np.ndarray:
    """Return for b = 0 to n the smallest B with P(b of all draws <= B | b of n) >= level.

    With one more of all, the probability grows by that of just so many; with one more of n, it falls by a
    hypergeometric probability: P(B or fewer of N | b of n) is that of more than b among n + 1 of N + 1, of which B + 1.
    """
    found = np.empty(n + 1, np.int64)
    of_all, whole = 0, _log_choose(most + 1, n + 1)
    probability = math.exp(_log_choose(most, n) - whole)
    for b in range(n + 1):
        while probability < level and of_all < most - (n - b):
            of_all += 1
            probability += math.exp(_log_choose(of_all, b) + _log_choose(most - of_all, n - b) - whole)
        found[b] = of_all
        probability -= math.exp(_log_choose(of_all + 1, b + 1) + _log_choose(most - of_all, n - b) - whole)
    return found
