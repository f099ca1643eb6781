"""The mixed model of one score before and after treatment: everyone counts with the visits that exist."""

from dataclasses import dataclass

import numpy as np

from bids_app.stats.allocation import allocations
from bids_app.stats.design import leading
from bids_app.stats.estimates import Estimate, by_t, counts, hedges_g
from bids_app.stats.leastsquares import without
from bids_app.stats.pvalues import count_draws
from bids_app.stats.scores.covariance import UNSTRUCTURED
from bids_app.stats.scores.fitted import Contrast
from bids_app.stats.scores.mmrm import fit_constrained, fit_mmrm
from bids_app.stats.scores.patterns import NotEstimated
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
    """Re-randomize the arms of everyone, with a covariance of the visits that does not know the arms.

    Values are whitened by the model without arms, so that each allocation's statistic is a function of the labels only,
    and p is exact if treatment changed nobody's value nor whether it is missing. NaN where no other allocation is
    possible, or that model is not estimated.
    """
    try:
        draws = allocations(data.arm, data.strata, n_draws, seed)
        whitened = Whitened.of(data, baseline)
    except ValueError:
        return np.nan
    return float(count_draws(lambda window: whitened.t_of(draws.arms[window])[:, None], len(draws)).p[0])


@dataclass(frozen=True)
class Whitened:
    """The follow-ups as independent values of one variance, what the arms are not needed for taken out.

    Attributes
    ----------
    members : (m,) int ndarray
        Who has a follow-up.
    weights : (m,) float ndarray
        What a follow-up's mean is multiplied by.
    basis : (m, q) float ndarray
        Their rows of the orthonormal columns, over baselines too, of visits, strata and covariates.
    residual : (m,) float ndarray
    squares : float
        Sum of the squares of all residuals, of baselines too.
    """

    members: np.ndarray
    weights: np.ndarray
    basis: np.ndarray
    residual: np.ndarray
    squares: float

    @classmethod
    def of(cls, data: TwoVisits, baseline: np.ndarray) -> "Whitened":
        """Whiten by the model of one arm."""
        nuisance, nobody = data.nuisance(), np.zeros(len(data.arm), dtype=int)
        fit = fit_constrained(data.followup[:, None], nobody, baseline, nuisance[:, 1:], structures=[UNSTRUCTURED.name])
        of_baseline, together, of_followup = fit.of_visits[np.triu_indices(2)]
        before, members = np.isfinite(baseline), np.flatnonzero(data.observed)
        slopes = np.where(before, together / of_baseline, 0)[members]
        weights = 1 / np.sqrt(of_followup - slopes * together)
        zeros = np.zeros_like(nuisance)
        first = np.column_stack([nuisance, zeros, np.where(before, baseline, 0)])
        last = np.column_stack([zeros, nuisance, data.followup])[members]
        rows = np.vstack(
            [first[before] / np.sqrt(of_baseline), (last - slopes[:, None] * first[members]) * weights[:, None]]
        )
        fixed, values = rows[:, :-1], rows[:, -1]
        basis = np.linalg.qr(fixed[:, leading(fixed)])[0]
        residual, after = without(basis, values), slice(before.sum(), None)
        return cls(members, weights, basis[after], residual[after], float(residual @ residual))

    def t_of(self, arms: np.ndarray) -> np.ndarray:
        """Return t of the arm at follow-up, up to a factor that the draws share, of allocations (D, n)."""
        columns = arms[:, self.members] * self.weights
        products = columns @ self.residual
        left = np.square(columns).sum(axis=1) - np.square(columns @ self.basis).sum(axis=1)
        spread = left * self.squares - np.square(products)
        tested = (left > 1e-10 * np.square(self.weights).sum()) & (spread > 0)
        return np.where(tested, products / np.sqrt(np.where(tested, spread, 1)), 0.0)
