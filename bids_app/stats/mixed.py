"""The mixed model over visits: everyone randomized counts with the visits that exist."""

import contextlib
import warnings
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm

from bids_app.stats.design import allocations
from bids_app.stats.estimate import Estimate, by_t, counts, hedges_g
from bids_app.stats.pvalues import tie_bound

FEW = "not estimated: too few visits for the model"
SINGULAR = "the participants' variance is estimated as 0"
DIVERGED = "the mixed model did not converge"
OPTIMIZERS = ("bfgs", "powell", "cg")
FALLBACK = "least squares over all visits, errors clustered by participant"


@dataclass(frozen=True)
class Visits:
    """The N observed values of n participants, and what explains them.

    Attributes
    ----------
    value : (N,) float ndarray
    participant, visit : (N,) int ndarray
        Rows and columns of the values.
    fixed : (N, m) float ndarray
        Visits, strata and covariates: what does not depend on the arm.
    """

    value: np.ndarray
    participant: np.ndarray
    visit: np.ndarray
    fixed: np.ndarray

    def arm_by_visit(self, arm):
        """Return the columns of the active arm at each visit after the first, (N, T - 1)."""
        return arm[self.participant][:, None] * (self.visit[:, None] == np.arange(1, self.visit.max() + 1))


def mixed_estimate(data, *, constrained=True, others=None, n_draws=10_000, seed=0):
    r"""Compare the arms at follow-up by a linear mixed model with a random intercept per participant.

    Parameters
    ----------
    data : TwoVisits
    constrained : bool, optional
        The arms share the mean of the baseline, as randomization has it, so that the effect is adjusted for the
        baseline; else each arm has its own and the effect is the arm-by-visit interaction.
    others : (n, K) float ndarray, optional
        Values at visits between the two.
    n_draws : int, optional
        Of the re-randomization, for the constrained model of two visits; 0 for none.
    seed : int, optional

    Returns
    -------
    Estimate
        Of the active arm at the follow-up.

    Notes
    -----
    ``value ~ visit + arm:visit [+ arm] + covariates + strata + (1 | participant)`` by REML (statsmodels), valid
    if what is missing depends on observed values only (MAR) and the model holds. Constrained: Liang & Zeger
    (2000), Sankhya B 62:134. t has between-within degrees of freedom, visits less participants less
    :math:`2 (T - 1)`, as statsmodels' normal deviate gives too small p in trials of this size; Schluchter &
    Elashoff (1990), doi:10.1080/00949659008811295.
    """
    method = "mixed" if constrained else "mixed-interaction"
    if data.baseline is None:
        return Estimate(method, *counts(data.arm), note="not estimated: there is no baseline")
    columns = [data.baseline, *(() if others is None else others.T), data.followup]
    data = data.of(np.isfinite(np.column_stack(columns)).any(axis=1))
    visits = _visits(np.column_stack(columns), data)
    interest, found = visits.arm_by_visit(data.arm), counts(data.arm)
    own = np.empty((len(visits.value), 0)) if constrained else data.arm[visits.participant][:, None]
    design = np.column_stack([interest, own, visits.fixed]).astype(float)
    df = len(visits.value) - len(data.arm) - 2 * interest.shape[1]
    if min(found) < 2 or df < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return Estimate(method, *found, note=FEW)
    estimate, error, note = _fit(visits, design, interest.shape[1] - 1)
    effect = hedges_g(estimate, error, df, data.followup, data.arm)
    p = np.nan
    if n_draws and constrained and interest.shape[1] == 1:
        p = _rerandomized_p(visits, data, n_draws, seed)
    return by_t(method, found, estimate, error, df, p_rerandomized=p, note=note, **effect)


def _visits(values, data):
    """Stack what exists of ``values``, (n, T) before anyone without any value is left out."""
    values = values[np.isfinite(values).any(axis=1)]
    participant, visit = np.nonzero(np.isfinite(values))
    dummies = visit[:, None] == np.arange(1, values.shape[1])
    fixed = np.column_stack([dummies, data.filled().nuisance()[participant]]).astype(float)
    return Visits(values[participant, visit], participant, visit, fixed)


def _fit(visits, design, column):
    """Return coefficient and standard error of a column, and what went wrong."""
    fit = _mixed(visits, design)
    note = DIVERGED if fit is None else SINGULAR if fit.cov_re[0, 0] <= 1e-6 * fit.scale else ""
    if not note:
        return fit.fe_params[column], fit.bse_fe[column], ""
    least = sm.OLS(visits.value, design).fit(cov_type="cluster", cov_kwds={"groups": visits.participant})
    return least.params[column], least.bse[column], f"{note}: {FALLBACK}"


def _mixed(visits, design):
    """Fit by REML with the first of several optimizers that converges; None if none does."""
    model = sm.MixedLM(visits.value, design, visits.participant)
    for optimizer in OPTIMIZERS:
        with warnings.catch_warnings(), contextlib.suppress(np.linalg.LinAlgError, ValueError):
            warnings.simplefilter("ignore")  # what they would say is checked here
            fit = model.fit(method=optimizer)
            if fit.converged and np.isfinite(fit.bse_fe).all():
                return fit
    return None


def _rerandomized_p(visits, data, n_draws, seed):
    """Re-randomize the arms of everyone, with a correlation of the visits that does not know the arms.

    Values are whitened by the model without arms, so that each allocation's statistic is a function of the
    labels only, and p is exact if treatment changed nobody's value nor whether it is missing.
    """
    try:
        draws = allocations(data.arm, data.strata, n_draws, seed)
    except ValueError:
        return np.nan
    fit = _mixed(visits, visits.fixed)
    ratio = 0.0 if fit is None else max(float(fit.cov_re[0, 0] / fit.scale), 0.0)
    whiten = _whitening(visits.participant, ratio)
    basis = np.linalg.qr(whiten @ visits.fixed)[0]
    arms = (draws.arms.T[visits.participant] * (visits.visit == 1)[:, None]).astype(float)
    arms = whiten @ arms
    arms -= basis @ (basis.T @ arms)
    norms = np.linalg.norm(arms, axis=0)
    statistic = np.abs(np.divide((whiten @ visits.value) @ arms, norms, out=np.zeros_like(norms), where=norms > 1e-9))
    return float(np.mean(statistic >= tie_bound(statistic[0])))


def _whitening(participant, ratio):
    r"""Return :math:`V^{-1/2}`, up to a factor, for a random intercept of variance ``ratio`` times the residual's.

    With m visits of a participant, :math:`V = I + \rho J` has :math:`V^{-1/2} = I - (1 - (1 + m \rho)^{-1/2}) J / m`.
    """
    together = participant[:, None] == participant
    sizes = together.sum(axis=1)
    return np.eye(len(participant)) - together * ((1 - 1 / np.sqrt(1 + sizes * ratio)) / sizes)[:, None]
