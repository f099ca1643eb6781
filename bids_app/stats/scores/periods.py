"""The mixed model of a cross-over trial: everyone counts with the periods that exist."""

from dataclasses import replace

import numpy as np

from bids_app.stats.ancova import outcome_of
from bids_app.stats.estimates import Estimate, by_t, counts, hedges_g
from bids_app.stats.manyperiods import ManyPeriods, counts_of
from bids_app.stats.scores.covariance import COMPOUND_SYMMETRY
from bids_app.stats.scores.degrees import SmallSample
from bids_app.stats.scores.fitted import Contrast, contrast_of
from bids_app.stats.scores.patterns import NotEstimated
from bids_app.stats.scores.reml import maximize
from bids_app.stats.scores.sample import Sample, Scores
from bids_app.stats.twovisits import TwoVisits, filled

AB_BA = np.array([[0, 1], [1, 0]])  # treatments of the periods: sequence 1 has the active one first
LEAST_WITH_BOTH = 3


def fit_periods(
    scores: np.ndarray, sequence: np.ndarray, given: np.ndarray, covariates: np.ndarray | None = None
) -> tuple[Contrast, ...]:
    r"""Compare the treatments of a cross-over trial by restricted maximum likelihood.

    Parameters
    ----------
    scores : (n, M) float ndarray
        Of n participants in M periods; NaN where missing. Who has none is left out.
    sequence : (n,) int ndarray
        0 to S - 1.
    given : (S, M) int ndarray
        The treatment of each sequence in each period, 0 to K - 1.
    covariates : (n, c) float ndarray, optional
        Measured before treatment, with a coefficient in each period.

    Returns
    -------
    tuple of Contrast
        Treatments 1 to K - 1, each minus treatment 0, with the standard errors and degrees of freedom of Kenward and
        Roger.

    Raises
    ------
    NotEstimated
        If the scores do not determine the model.

    Notes
    -----
    ``score ~ period + treatment + (1 | participant)``, as a covariance of compound symmetry, which may be negative too.
    Values of participants who lack a period tell the treatments apart between participants, weighted by what that is
    worth; a 2 x 2 trial in which nobody does is half the difference between the periods. Valid if what is missing
    depends on observed values only (MAR). Degrees of freedom: Kenward & Roger (1997), doi:10.2307/2533558.

    Examples
    --------
    Half the differences between the periods are 1, 2 and 3, and -1, 0 and 1: means that differ by 2, a variance of 1.

    >>> scores = np.array([[2.0, 0], [5, 1], [9, 3], [0, 2], [4, 4], [6, 4]])
    >>> (found,) = fit_periods(scores, np.array([1, 1, 1, 0, 0, 0]), AB_BA)
    >>> round(found.estimate, 6), round(found.standard_error**2, 6), round(found.df, 6)
    (2.0, 0.666667, 4.0)
    """
    everyone = Scores.checked(scores, sequence, None, covariates)
    everyone.of(everyone.scored).require_every_cell(len(given))
    small = model_of_periods(scores, sequence, given, covariates)
    return tuple(contrast_of(small, row) for row in np.eye(len(small.coefficients))[: np.max(given)])


def model_of_periods(
    scores: np.ndarray, sequence: np.ndarray, given: np.ndarray, covariates: np.ndarray | None = None
) -> SmallSample:
    """Return the model of `fit_periods`, whose first K - 1 coefficients are treatments 1 to K - 1 minus treatment 0."""
    everyone = Scores.checked(scores, sequence, None, covariates)
    entered = replace(everyone.of(everyone.scored), given=np.asarray(given))
    _require_told_apart(entered.values, np.asarray(given)[entered.arm])
    sample = Sample.of(entered, len(given), by_visit=True)
    found = maximize(sample.patterns, COMPOUND_SYMMETRY, sample.start())
    return SmallSample.of(found).in_units(sample.scale, sample.offset)


def _require_told_apart(values: np.ndarray, treated: np.ndarray) -> None:
    """Refuse scores that do not tell treatments from periods, whoever has which; values are (n, M)."""
    there = np.isfinite(values)
    period, treatment = np.nonzero(there)[1], treated[there]
    columns = [period[:, None] == np.arange(values.shape[1]), treatment[:, None] == np.arange(1, treated.max() + 1)]
    design = np.column_stack(columns)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise NotEstimated("the scores that are there do not tell the treatments from the periods")


def periods_estimate(data: TwoVisits) -> Estimate:
    """Compare the treatments of a 2 x 2 cross-over trial, whose periods stand for the visits, by `fit_periods`."""
    present = np.isfinite(data.baseline) | data.observed if data.baseline is not None else data.observed
    periods = np.column_stack([np.nan * data.followup if data.baseline is None else data.baseline, data.followup])
    both, found = np.isfinite(periods).all(axis=1), counts(data.arm[present])
    if both.sum() < LEAST_WITH_BOTH or min(counts(data.arm[both])) < 1:
        return Estimate("mixed-periods", *found, note="not estimated: too few have both periods")
    own = data.filled().of(present)
    try:
        (effect,) = fit_periods(periods[present], own.arm, AB_BA, own.nuisance()[:, 1:])
    except (NotEstimated, np.linalg.LinAlgError) as error:
        return Estimate("mixed-periods", *found, note=f"not estimated: {error}")
    numbers = effect.estimate, effect.standard_error, effect.df
    half = outcome_of(data.of(both), "unadjusted")[0]
    alone, missing = int(np.sum(present & ~both)), int(np.sum(~present))
    said = [f"{alone} with one period only"] * (alone > 0) + [f"{missing} randomized have none"] * (missing > 0)
    size = hedges_g(*numbers, half, data.arm[both])
    return by_t("mixed-periods", found, *numbers, note="; ".join(said), **size)


def mixed_periods(data: ManyPeriods) -> Estimate:
    """Compare two treatments by the mixed model of `fit_periods`: everyone counts with the periods that exist."""
    there = np.isfinite(data.values).any(axis=1)
    n, complete = counts_of(data.of(there)), np.isfinite(data.values).all(axis=1)
    own = replace(data, covariates=None if data.covariates is None else filled(data.covariates)).of(there)
    active, reference = data.pair
    places = [reference, active, *(one for one in range(len(data.row)) if one not in data.pair)]
    used, sequence = np.unique(own.sequence, return_inverse=True)
    try:
        small = model_of_periods(own.values, sequence, np.argsort(places)[own.given[used]], own.nuisance()[:, 1:])
        effect = contrast_of(small, np.eye(len(small.coefficients))[0])
    except (NotEstimated, ValueError, np.linalg.LinAlgError) as error:
        return Estimate("mixed-periods", *n, note=f"not estimated: {error}")
    alone, missing = int(np.sum(there & ~complete)), int(np.sum(~there))
    said = [f"{alone} without some period"] * (alone > 0) + [f"{missing} randomized have none"] * (missing > 0)
    return by_t("mixed-periods", n, effect.estimate, effect.standard_error, effect.df, note="; ".join(said))
