"""The mixed model for repeated measures: scores of several follow-ups, compared between the arms at each of them."""

from collections.abc import Sequence

import numpy as np

from bids_app.stats.scores.covariance import STRUCTURES, Structure, steps
from bids_app.stats.scores.degrees import METHODS, SmallSample
from bids_app.stats.scores.fitted import Mmrm
from bids_app.stats.scores.patterns import NotEstimated
from bids_app.stats.scores.reml import Maximum, maximize
from bids_app.stats.scores.sample import Sample, Scores


def fit_mmrm(
    scores: np.ndarray,
    arm: np.ndarray,
    baseline: np.ndarray | None = None,
    covariates: np.ndarray | None = None,
    *,
    by_visit: bool = False,
    structures: Sequence[str] | None = None,
) -> Mmrm:
    r"""Fit a mixed model for repeated measures by restricted maximum likelihood.

    Parameters
    ----------
    scores : (n, M) float ndarray
        Of n participants at M follow-ups; NaN where missing. Who has none is left out.
    arm : (n,) int ndarray
        As randomized: 0 to K - 1.
    baseline : (n,) float ndarray, optional
        The score before treatment, adjusted for with a slope at each follow-up. Who lacks it is left out.
    covariates : (n, c) float ndarray, optional
        Measured before randomization, dummies of strata too; a column that adds nothing to the others is left out.
    by_visit : bool, optional
        Covariates have a coefficient at each follow-up; else one for all.
    structures : sequence of str, optional
        Forms of the covariance of a participant's follow-ups, names of `covariance.STRUCTURES`, in the order in which
        they are tried; by default `covariance.steps`: unstructured first.

    Returns
    -------
    Mmrm

    Raises
    ------
    NotEstimated
        If the scores determine none of the forms; the message says why of each.
    ValueError
        If the arrays do not fit each other, or a covariate of someone with a follow-up is missing.

    Notes
    -----
    ``score ~ arm x visit + baseline x visit + covariates``, the errors of a participant correlated over the follow-ups
    and participants independent, arms alike in covariance. What is missing is simply absent: valid if it depends on
    what was observed only (MAR), on baseline, covariates and the scores before; Mallinckrodt et al. (2008),
    Drug Inf. J. 42:303.

    Examples
    --------
    Of one follow-up it is least squares: the means are 2 and 5, the pooled variance is 1 and the standard error of
    the difference :math:`\sqrt{1/3 + 1/3}`, with 4 degrees of freedom.

    >>> fit = fit_mmrm(np.array([[1.0], [2], [3], [4], [5], [6]]), np.array([0, 0, 0, 1, 1, 1]))
    >>> found = fit.differences()[1, 0]
    >>> round(found.estimate, 6), round(found.standard_error**2, 6), round(found.df, 6)
    (3.0, 0.666667, 4.0)
    """
    return _fit(Scores.checked(scores, arm, baseline, covariates), by_visit, structures)


def fit_constrained(
    scores: np.ndarray,
    arm: np.ndarray,
    baseline: np.ndarray,
    covariates: np.ndarray | None = None,
    *,
    structures: Sequence[str] | None = None,
) -> Mmrm:
    r"""Fit the same with the baseline as a score like the others, of which the arms have one mean.

    Parameters
    ----------
    scores : (n, M) float ndarray
        Of n participants at M follow-ups; NaN where missing.
    arm : (n,) int ndarray
        As randomized: 0 to K - 1.
    baseline : (n,) float ndarray
        NaN where missing. Who lacks it, or all follow-ups, counts with the scores that are there.
    covariates : (n, c) float ndarray, optional
        As `fit_mmrm` has them, with a coefficient at each visit.
    structures : sequence of str, optional
        Forms of the covariance of the baseline and the follow-ups, as `fit_mmrm` has them; by default those that allow
        the baseline its own variance.

    Returns
    -------
    Mmrm
        Its arms are compared at the follow-ups.

    Raises
    ------
    NotEstimated, ValueError
        As `fit_mmrm`.

    Notes
    -----
    ``score ~ visit + arm:follow-up + covariates:visit``, Liang & Zeger (2000), Sankhya B 62:134: before treatment the
    arms that chance made differ by chance alone. Of one follow-up that nobody misses its differences are those of the
    ANCOVA.

    Examples
    --------
    >>> baseline, arm = np.array([1.0, 2, 3, 2, 3, 4]), np.array([0, 0, 0, 1, 1, 1])
    >>> scores = np.array([[2.0], [2], [5], [5], [4], [6]])
    >>> round(fit_constrained(scores, arm, baseline).differences()[1, 0].estimate, 6)  # 5 - 3 - slope of 1 * (3 - 2)
    1.0
    """
    return _fit(Scores.checked(scores, arm, baseline, covariates, constrained=True), True, structures)


def _fit(everyone: Scores, by_visit: bool, structures: Sequence[str] | None) -> Mmrm:
    members = everyone.scored & everyone.based
    entered = everyone.of(members)
    sample, found, left = maximum_of(entered, everyone.n_arms, by_visit, structures)
    return Mmrm(
        labels=sample.explained.labels,
        of_visits=sample.unit**2 * found.covariance,
        structure=found.structure.name,
        left=left,
        loglik=found.likelihood.value + sample.constant,
        n_participants=len(entered.arm),
        n_values=sample.patterns.n_values,
        n_without_score=int(np.sum(~everyone.scored)),
        n_without_baseline=int(np.sum(everyone.scored & ~everyone.based)),
        n_steps=found.n_steps,
        shape=(everyone.n_arms, len(entered.visits) - everyone.constrained),
        inference=tuple(SmallSample.of(found, method).in_units(sample.scale, sample.offset) for method in METHODS),
    )


def maximum_of(
    entered: Scores, n_arms: int, by_visit: bool, structures: Sequence[str] | None
) -> tuple[Sample, Maximum, tuple[str, ...]]:
    """Find the maximum of the first form of the covariance that has one, of participants who have all that is needed.

    Returns
    -------
    sample : Sample
    found : Maximum
    left : tuple of str
        Why the forms before it were left.
    """
    entered.require_every_cell(n_arms)
    sample = Sample.of(entered, n_arms, by_visit)
    by_default = steps(len(entered.visits), with_baseline=entered.constrained)
    found, left = _first_that_converges(sample, by_default if structures is None else _named(structures))
    return sample, found, left


def _named(structures: Sequence[str]) -> tuple[Structure, ...]:
    unknown = [name for name in structures if name not in STRUCTURES]
    if unknown or not structures:
        raise ValueError(f"structures are of {', '.join(STRUCTURES)}, not {', '.join(unknown) or 'none'}")
    return tuple(STRUCTURES[name] for name in structures)


def _first_that_converges(sample: Sample, structures: tuple[Structure, ...]) -> tuple[Maximum, tuple[str, ...]]:
    """Return the maximum of the first structure that has one, and why those before were left."""
    left: list[str] = []
    for structure in structures:
        try:
            return maximize(sample.patterns, structure, sample.start()), tuple(left)
        except NotEstimated as error:
            left.append(f"{structure.name}: {error}")
        except np.linalg.LinAlgError:
            left.append(f"{structure.name}: its equations have no single solution")
    raise NotEstimated("no form of the covariance of the follow-ups could be estimated; " + "; ".join(left))
