"""What is estimated: an outcome over the visits, and what of the arms or of a covariate is tested."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

Row = tuple[float, ...]
AGAINST_REFERENCE: tuple[Row, ...] = ((-1.0, 1.0),)  # of two arms
BY_TREATMENT = ("on active", "on reference")  # maps of each participant, whichever period they are of
OF_BASELINES = "difference of the baselines"  # maps of each participant


@dataclass(frozen=True, kw_only=True)
class Estimand:
    """What is estimated of a trial of K arms, numbered from 0, the reference.

    Attributes
    ----------
    outcome : mapping of float
        Weight of each visit: ``{"day3": 1}`` is the follow-up, ``{"day3": 1, "baseline": -1}`` the change.
    adjusts : tuple of str
        Visits whose maps are adjusted for, voxel by voxel.
    tested : tuple of tuples of float
        R rows of K weights that add up to 0: differences between the arms. Several are tested together by F.
    covariate : str or None
        Whose slope is tested: over all arms, or with ``tested`` its difference between them.
    of_arm : int or None
        Only the participants of this arm, whose mean outcome is tested.

    Raises
    ------
    ValueError
        If no visit has a weight, a row does not add up to 0, a row depends on those before, or ``of_arm`` comes
        with what needs several arms.

    Examples
    --------
    >>> change = Estimand(outcome={"day3": 1, "baseline": -1}, tested=((-1, 1),))
    >>> change.kind, change.visits
    ('difference', ('day3', 'baseline'))
    """

    outcome: Mapping[str, float]
    adjusts: tuple[str, ...] = ()
    tested: tuple[Row, ...] = ()
    covariate: str | None = None
    of_arm: int | None = None

    def __post_init__(self) -> None:
        if not any(self.outcome.values()):
            raise ValueError("an estimand needs a visit whose weight is not 0")
        if self.of_arm is not None and (self.tested or self.covariate):
            raise ValueError("of one arm, the mean is tested: neither a difference of arms nor a slope")
        rows = np.array(self.tested, dtype=float)
        if not np.allclose(rows.sum(axis=-1), 0):
            raise ValueError(f"weights of arms must add up to 0: {rows.tolist()}")
        if self.tested and np.linalg.matrix_rank(rows) < len(rows):
            raise ValueError(f"one of the differences of arms depends on the others: {rows.tolist()}")

    @property
    def kind(self) -> str:
        """``"difference"`` of arms, ``"slope"`` of a covariate, or ``"mean"`` of one group."""
        return "slope" if self.covariate is not None else "difference" if self.tested else "mean"

    @property
    def visits(self) -> tuple[str, ...]:
        """The visits whose maps are needed."""
        return tuple(dict.fromkeys((*self.outcome, *self.adjusts)))


def two_visits(
    estimator: str, baseline: str = "baseline", followup: str = "followup", covariate: str = "covariate"
) -> Estimand:
    """Return the estimand of an estimator that has a name: two arms, or one, before and after treatment.

    Parameters
    ----------
    estimator : str
        ``ancova``: follow-up adjusted for the baseline; ``change``: follow-up minus baseline; ``post``: follow-up;
        ``within``: mean change of those given; ``slope``: of a covariate, on the follow-up adjusted for the baseline;
        ``slope-by-arm``: its difference between the arms.
    baseline, followup : str, optional
        What the visits are called.
    covariate : str, optional
        Of the slopes.

    Returns
    -------
    Estimand

    Raises
    ------
    ValueError
        If there is no such estimator.

    Notes
    -----
    ``within`` is descriptive: an effect in one arm and none in the other is no difference between arms
    (Bland & Altman 2011, doi:10.1186/1745-6215-12-264). ANCOVA has :math:`(1 + r) / 2` of the variance of the change
    score, with r the test-retest correlation, and no bias from a chance imbalance at baseline
    (Vickers 2001, doi:10.1186/1471-2288-1-6).

    Examples
    --------
    >>> two_visits("ancova", "pre", "post").adjusts
    ('pre',)
    """
    after, change = {followup: 1.0}, {followup: 1.0, baseline: -1.0}
    slope = Estimand(outcome=after, adjusts=(baseline,), covariate=covariate)
    named = {
        "ancova": Estimand(outcome=after, adjusts=(baseline,), tested=AGAINST_REFERENCE),
        "change": Estimand(outcome=change, tested=AGAINST_REFERENCE),
        "post": Estimand(outcome=after, tested=AGAINST_REFERENCE),
        "within": Estimand(outcome=change, of_arm=0),
        "slope": slope,
        "slope-by-arm": replace(slope, tested=AGAINST_REFERENCE),
    }
    if estimator not in named:
        raise ValueError(f"the estimator must be one of {', '.join(named)}, not {estimator!r}")
    return named[estimator]


def two_periods(
    estimator: str, first: str = "period1", second: str = "period2", baselines: tuple[str, str] | None = None
) -> Estimand:
    r"""Return the estimand of an estimator that has a name: of a 2 x 2 cross-over trial, compared as two sequences.

    Parameters
    ----------
    estimator : str
        ``crossover``: half the difference between the periods, which is the treatment effect; ``unadjusted``: the
        same, whatever the baselines; ``first-period``: that of the first period alone; ``carry-over``: the sum of the
        periods; ``period``: the first period minus the second, of maps by treatment as from `by_treatment`;
        ``baseline-carry-over``: the second baseline minus the first.
    first, second : str, optional
        What the periods are called.
    baselines : (str, str), optional
        What the baselines of the periods are called: their difference is adjusted for, of the first period its own.

    Returns
    -------
    Estimand
        Of sequence 1, active treatment first, minus sequence 0.

    Raises
    ------
    ValueError
        If there is no such estimator.

    Notes
    -----
    With :math:`d = y_1 - y_2` the treatment effect is :math:`(\bar d_{AB} - \bar d_{BA}) / 2`, whatever the
    periods differ in, and the period effect :math:`(\bar d_{AB} + \bar d_{BA}) / 2`. That is the first formula for
    the differences between the treatments in place of those between the periods, so that the same draws test it. The
    sum of the periods tells carry-over from nothing between participants only: a weak test, and one that must not
    choose the analysis (Hills & Armitage 1979, doi:10.1111/j.1365-2125.1979.tb05903.x; Freeman 1989,
    doi:10.1002/sim.4780081202). The difference of the baselines as a covariate takes out what of d was there before
    treatment; differences of changes would add the noise of both baselines instead (Kenward & Roger 2010,
    doi:10.1093/biostatistics/kxp046). What the first treatment left behind at the second baseline is told within
    participants too, from how the baselines differ between the sequences.

    Examples
    --------
    >>> two_periods("crossover").outcome
    {'period1': 0.5, 'period2': -0.5}
    >>> two_periods("first-period", baselines=("before1", "before2")).adjusts
    ('before1',)
    """
    weights = {
        "crossover": {first: 0.5, second: -0.5},
        "unadjusted": {first: 0.5, second: -0.5},
        "first-period": {first: 1.0},
        "carry-over": {first: 1.0, second: 1.0},
        "period": dict(zip(BY_TREATMENT, (0.5, -0.5), strict=True)),
    }
    if baselines:
        weights["baseline-carry-over"] = dict(zip(baselines, (-1.0, 1.0), strict=True))
    if estimator not in weights:
        raise ValueError(f"the estimator must be one of {', '.join(weights)}, not {estimator!r}")
    adjusts = {"crossover": (OF_BASELINES,), "period": (OF_BASELINES,), "first-period": (baselines or ())[:1]}
    return Estimand(
        outcome=weights[estimator], adjusts=adjusts.get(estimator, ()) if baselines else (), tested=AGAINST_REFERENCE
    )


def crossed(
    estimator: str,
    maps: Mapping[str, np.ndarray],
    sequence: np.ndarray,
    periods: tuple[str, str],
    baselines: tuple[str, str] | None = None,
) -> dict[str, np.ndarray]:
    """Return the (n, V) maps that the estimand of `two_periods` is of, by name, from those of the visits.

    Examples
    --------
    >>> visits = {"1": np.ones((2, 1)), "2": np.zeros((2, 1)), "a": np.array([[3.0], [5.0]]), "b": np.zeros((2, 1))}
    >>> crossed("period", visits, np.array([1, 0]), ("1", "2"), ("a", "b"))[OF_BASELINES].ravel().tolist()
    [3.0, -5.0]
    """
    made = dict(maps)
    if estimator == "period":
        made |= by_treatment(maps[periods[0]], maps[periods[1]], sequence)
    if baselines is None:
        return made
    first, second = maps[baselines[0]], maps[baselines[1]]
    if estimator == "period":
        first, second = by_treatment(first, second, sequence).values()
    return made | {OF_BASELINES: first - second}


def by_treatment(first: np.ndarray, second: np.ndarray, sequence: np.ndarray) -> dict[str, np.ndarray]:
    """Return the (n, V) maps of each treatment from those of the periods; sequence 1 has the active one first.

    Examples
    --------
    >>> maps = by_treatment(np.array([[1.0], [2.0]]), np.array([[5.0], [7.0]]), np.array([1, 0]))
    >>> [maps[name].ravel().tolist() for name in BY_TREATMENT]
    [[1.0, 7.0], [5.0, 2.0]]
    """
    active_first = np.asarray(sequence)[:, None] == 1
    pair = np.where(active_first, first, second), np.where(active_first, second, first)
    return dict(zip(BY_TREATMENT, pair, strict=True))
