"""Ordinal outcomes: the arms compared by ranks, which assume no distances between the steps of a scale."""

from dataclasses import replace

import numpy as np
from scipy import special
from scipy.stats import rankdata, wilcoxon

from bids_app.stats.estimates import LEVEL, Estimate, counts, rerandomized_p
from bids_app.stats.twovisits import TwoVisits

ADJUSTED = "ranks, adjusted"


def rank_estimate(data: TwoVisits, *, higher_is_better: bool = False, n_draws: int = 10_000, seed: int = 0) -> Estimate:
    r"""Compare an ordinal outcome at follow-up among those who have one.

    Parameters
    ----------
    data : TwoVisits
    higher_is_better : bool, optional
        Decides which arm's advantage the probability describes; the p do not depend on it.
    n_draws : int, optional
        Of the re-randomization; 0 for none.
    seed : int, optional

    Returns
    -------
    Estimate
        ``estimate`` is the probability that a participant of the active arm does better than one of the reference
        arm, ties counted half; t, df, p and interval are Brunner & Munzel's. The effect size is Cliff's delta,
        :math:`2 P - 1`. ``p_rerandomized`` is of the same ranks, not adjusted, re-randomized within the strata.

    Notes
    -----
    .. math:: P = \frac{\bar R_1 - \bar R_0}{n_1 + n_0} + \frac12

    Brunner & Munzel (2000), doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U. The p of the
    re-randomization is exact.
    """
    data = data.completers()
    if min(counts(data.arm)) < 2:
        return Estimate("ranks", *counts(data.arm), note="not estimated: too few participants")
    scores = data.followup if higher_is_better else -data.followup
    better, error, df = superiority(scores[data.arm == 1], scores[data.arm == 0])
    t = (better - 0.5) / error if error > 0 else np.nan
    margin = special.stdtrit(df, 0.5 + LEVEL / 2) * error if error > 0 else np.nan
    low, high = np.clip([better - margin, better + margin], 0, 1)
    alone, ranks = replace(data, covariates=None, baseline=None), rankdata(data.followup)
    p = rerandomized_p(alone, ranks, None, adjusted=False, n_draws=n_draws, seed=seed) if n_draws else np.nan
    return Estimate(
        "ranks",
        *counts(data.arm),
        estimate=better,
        standard_error=error,
        ci_low=float(low),
        ci_high=float(high),
        t=float(t),
        df=df,
        p=float(2 * special.stdtr(df, -abs(t))),
        p_rerandomized=p,
        effect_size=2 * better - 1,
        effect_low=float(2 * low - 1),
        effect_high=float(2 * high - 1),
        effect_kind="Cliff's delta",
        note="the estimate is the probability of doing better in the active arm, not adjusted for the baseline",
    )


def adjusted_rank_estimate(data: TwoVisits, *, n_draws: int = 10_000, seed: int = 0) -> Estimate:
    """Test the ranks of the follow-up adjusted for those of the baseline, strata and covariates.

    Returns
    -------
    Estimate
        ``p_rerandomized`` alone: it has neither an estimate nor an interval on a scale of its own.

    Notes
    -----
    Ranks in ANCOVA: Quade (1967), doi:10.1080/01621459.1967.10500925. The p of the re-randomization is exact.
    """
    data = data.completers()
    if min(counts(data.arm)) < 2 or data.baseline is None:
        return Estimate(ADJUSTED, *counts(data.arm), note="not estimated: too few participants, or no baseline")
    ranks, own = rankdata(data.followup), rankdata(data.baseline)
    p = rerandomized_p(data, ranks, own, n_draws=n_draws, seed=seed) if n_draws else np.nan
    return Estimate(ADJUSTED, *counts(data.arm), p_rerandomized=p, note="a test alone, without an estimate of its own")


def superiority(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Return the probability that ``first`` exceeds ``second``, its standard error and degrees of freedom.

    Examples
    --------
    >>> superiority(np.array([2.0, 3.0, 5.0]), np.array([1.0, 2.0, 4.0]))[0].round(4)
    np.float64(0.7222)
    """
    sizes = np.array([len(first), len(second)])
    ranks = np.split(rankdata(np.concatenate([first, second])), [len(first)])
    own = [rankdata(first), rankdata(second)]
    probability = (ranks[0].mean() - ranks[1].mean()) / sizes.sum() + 0.5
    placements = [(among - alone) / sizes[1 - arm] for arm, (among, alone) in enumerate(zip(ranks, own, strict=True))]
    parts = np.array([placement.var(ddof=1) for placement in placements]) / sizes
    if not parts.sum() > 0:
        return probability, 0.0, np.nan
    return probability, np.sqrt(parts.sum()), parts.sum() ** 2 / np.sum(parts**2 / (sizes - 1))


def signed_rank_estimate(data: TwoVisits) -> Estimate:
    """Test the changes of one group by Wilcoxon's signed ranks.

    Parameters
    ----------
    data : TwoVisits
        Of those with both visits.

    Returns
    -------
    Estimate
        The estimate is the median change; it has no interval. p is exact where no ranks are tied and n is at most 50.

    Examples
    --------
    >>> four = TwoVisits(np.ones(4, dtype=int), np.zeros(4), np.array([1.0, 2.0, 3.0, 4.0]))
    >>> signed_rank_estimate(four).p
    0.125
    """
    n = len(data.arm)
    if n < 2 or not data.change.any():
        return Estimate("signed-ranks", n, 0, note="not tested: nothing changes, or too few participants")
    return Estimate("signed-ranks", n, 0, estimate=float(np.median(data.change)), p=float(wilcoxon(data.change).pvalue))
