"""Draws until what p says at a level is settled, with a p that holds wherever they stop."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.stats import binom

ROUNDING = 1e-9  # of sums of probabilities


@dataclass(frozen=True)
class Stopping:
    r"""When draws stop.

    Attributes
    ----------
    alpha : float
        The level that p is compared with.
    risk : float, optional
        Probability, whatever the data, that further draws would have led to the other conclusion.
    loss : float, optional
        What the level gives away for a p that holds at any time, as a share of it.
    least, step, most : int, optional
        Draws, the observed one not counted, before the first look, between looks, and at most.

    Notes
    -----
    The draws stop when it is clear on which side of alpha p is that all possible draws would give. With b of n draws
    that reach the observed statistic, that is clear when

    .. math:: (n + 1) \binom{n}{b} \alpha^b (1 - \alpha)^{n - b} \le \mathrm{risk} / 2.

    For a p of alpha or on the other side of it, that ever happens in a share of risk / 2 of runs at most (Robbins
    1970). Draws of the maximum over nodes are the same for all nodes, and the larger a node's statistic, the fewer
    reach it. The nodes next to alpha on either side thus settle for all, and the risk is of all nodes of a comparison.
    It is of nodes that are looked at for being settled; of others p is as valid, but may lie near alpha still.

    References
    ----------
    Robbins (1970), doi:10.1214/aoms/1177696786; Gandy (2009), doi:10.1198/jasa.2009.tm08368; Fischer & Ramdas (2025),
    doi:10.1093/jrsssb/qkaf014.
    """

    alpha: float = 0.05
    risk: float = 1e-3
    loss: float = 0.01
    least: int = 999
    step: int = 500
    most: int = 99_999

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
        return anytime_p(reached, n, most or self.most, self.loss)

    def settled(self, reached: npt.ArrayLike, n: int, *, most: int | None = None) -> np.ndarray:
        """Tell which of the conclusions are settled after ``n`` draws: more of them would hardly change one.

        Examples
        --------
        >>> Stopping().settled([0, 27, 90], 999)
        array([ True, False,  True])
        """
        reached = np.asarray(reached)
        evidence = np.log(n + 1) + binom.logpmf(reached, n, self.alpha) <= math.log(self.risk / 2)
        below = self.p(reached, n, most=most) <= self.alpha
        return evidence & (below | (reached > n * self.alpha))


def anytime_p(reached: npt.ArrayLike, n: int, most: int, loss: float = 0.01) -> np.ndarray:
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
    (array([0.0046, 0.0332, 0.0573]), array([0.0505]))
    """
    largest = _most_reached(n, most, loss)[np.asarray(reached)]
    return np.minimum((largest + 1) / (most + 1) / (1 - loss), 1.0)


@lru_cache(maxsize=256)
def _most_reached(n: int, most: int, loss: float) -> np.ndarray:
    """Return, for each count of n draws, which count of all draws is not exceeded with probability 1 - loss."""
    return _quantiles(n, most, 1 - loss - ROUNDING)


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
