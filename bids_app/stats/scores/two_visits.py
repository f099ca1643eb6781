"""The mixed model of one score before and after treatment: everyone counts with the visits that exist."""

import numpy as np

from bids_app.stats.estimates import Estimate, by_t, counts, hedges_g
from bids_app.stats.scores.covariance import UNSTRUCTURED
from bids_app.stats.scores.fitted import Contrast
from bids_app.stats.scores.mmrm import fit_constrained, fit_mmrm
from bids_app.stats.scores.patterns import NotEstimated
from bids_app.stats.scores.rerandomized import Randomized
from bids_app.stats.twovisits import TwoVisits

FEW = "not estimated: too few visits for the model"
LEAST_PER_ARM, LEAST_WITH_BOTH = 2, 3


def mixed_estimate(data: TwoVisits, *, constrained: bool = True, n_draws: int = 10_000, seed: int = 0) -> Estimate:
    r"""Compare the arms at follow-up by a mixed model for repeated measures of both visits.

    Parameters
    ----------
    data : TwoVisits
    constrained : bool, optional
        The arms share the mean of the baseline, as randomization has it, so that the effect is adjusted for the
        baseline; else each has its own, and the effect is the difference of their changes.
    n_draws : int, optional
        Of the re-randomization, for the constrained model; 0 for none.
    seed : int, optional

    Returns
    -------
    Estimate
        Of the active arm at the follow-up.

    Notes
    -----
    By REML with a covariance of the visits of any form, valid if what is missing depends on observed values only (MAR);
    strata and covariates have a coefficient at each visit; standard errors and degrees of freedom of Kenward and Roger.
    With all values there, and without covariates, the constrained estimate is that of the ANCOVA, and the other's t is
    that of the change score. See `fit_constrained`.
    """
    method = "mixed" if constrained else "mixed-interaction"
    if data.baseline is None:
        return Estimate(method, *counts(data.arm), note="not estimated: there is no baseline")
    present = np.isfinite(data.baseline) | data.observed
    baseline = data.baseline[present]
    data = data.filled().of(present)
    found, both = counts(data.arm), np.isfinite(baseline) & data.observed
    fewest = min(counts(data.arm[data.observed if constrained else both]))
    if fewest < LEAST_PER_ARM or both.sum() < LEAST_WITH_BOTH:
        return Estimate(method, *found, note=FEW)
    try:
        effect = _fitted(data, baseline, constrained)
    except NotEstimated as error:
        return Estimate(method, *found, note=f"not estimated: {error}")
    missing = np.sum(~present)
    return by_t(
        method,
        found,
        effect.estimate,
        effect.standard_error,
        effect.df,
        p_rerandomized=_rerandomized_p(data, baseline, n_draws, seed) if n_draws and constrained else np.nan,
        note=f"{missing} randomized have no value at any visit" if missing else "",
        **hedges_g(effect.estimate, effect.standard_error, effect.df, data.followup, data.arm),
    )


def _fitted(data: TwoVisits, baseline: np.ndarray, constrained: bool) -> Contrast:
    explained, structures = data.nuisance()[:, 1:], [UNSTRUCTURED.name]
    if constrained:
        fit = fit_constrained(data.followup[:, None], data.arm, baseline, explained, structures=structures)
        return fit.differences()[1, 0]
    values = np.column_stack([baseline, data.followup])
    fit = fit_mmrm(values, data.arm, covariates=explained, by_visit=True, structures=structures)
    return fit.contrast(np.array([[1, -1], [-1, 1]]))


def _rerandomized_p(data: TwoVisits, baseline: np.ndarray, n_draws: int, seed: int) -> float:
    """Re-randomize the arms of everyone, as `Randomized`.

    NaN where no other allocation is possible, or the model without the arms is not estimated.
    """
    everyone = Randomized(
        data.followup[:, None],
        data.arm,
        baseline,
        data.nuisance()[:, 1:],
        data.strata,
        structures=[UNSTRUCTURED.name],
        n_draws=n_draws,
        seed=seed,
    )
    try:
        return float(everyone.p_of_differences(1, np.ones((1, 1)))[0])
    except ValueError:
        return np.nan
