"""The mixed model over visits: everyone randomized counts with the visits that exist."""

import contextlib
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import statsmodels.api as sm

from bids_app.stats.allocation import allocations
from bids_app.stats.design import leading
from bids_app.stats.estimates import Estimate, by_t, counts, hedges_g
from bids_app.stats.leastsquares import LeastSquares, without
from bids_app.stats.pvalues import count_draws
from bids_app.stats.twovisits import TwoVisits

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
    df : int
        Between-within degrees of freedom of what changes over the visits.
    """

    value: np.ndarray
    participant: np.ndarray
    visit: np.ndarray
    fixed: np.ndarray
    df: int

    @classmethod
    def stack(cls, values: np.ndarray, nuisance: np.ndarray, scales: np.ndarray | None = None) -> "Visits":
        """Stack the (n, T) values that exist; with (T,) scales, what is adjusted for has its own effect per visit."""
        participant, visit = np.nonzero(np.isfinite(values))
        at = visit[:, None] == np.arange(values.shape[1])
        if scales is None:
            fixed = np.column_stack([nuisance[participant], at[:, 1:]])
        else:
            values = values * scales
            fixed = np.hstack([nuisance[participant] * column[:, None] for column in at.T])
        fixed = fixed.astype(float)
        fixed = fixed[:, leading(fixed)]  # a stratum may have nobody with a follow-up
        changing = fixed.shape[1] - nuisance.shape[1] + values.shape[1] - 1
        df = len(participant) - len(np.unique(participant)) - changing
        return cls(values[participant, visit], participant, visit, fixed, df)

    def arm_by_visit(self, arm: np.ndarray) -> np.ndarray:
        """Return the columns of the active arm at each visit after the first, (N, T - 1)."""
        later = self.visit[:, None] == np.arange(1, self.visit.max() + 1)
        return np.where(later, arm[self.participant][:, None], 0).astype(float)


def mixed_estimate(data: TwoVisits, *, constrained: bool = True, n_draws: int = 10_000, seed: int = 0) -> Estimate:
    r"""Compare the arms at follow-up by a linear mixed model with a random intercept per participant.

    Parameters
    ----------
    data : TwoVisits
    constrained : bool, optional
        The arms share the mean of the baseline, as randomization has it, so that the effect is adjusted for the
        baseline; else each arm has its own and the effect is the arm-by-visit interaction.
    n_draws : int, optional
        Of the re-randomization, for the constrained model; 0 for none.
    seed : int, optional

    Returns
    -------
    Estimate
        Of the active arm at the follow-up.

    Notes
    -----
    By REML (statsmodels), valid if what is missing depends on observed values only (MAR) and the model holds:

    - constrained: ``value ~ visit + arm:visit + (covariates + strata):visit + (1 | participant)``; Liang & Zeger
      (2000), Sankhya B 62:134. A random intercept alone says that all visits vary alike, and its standard error is
      too small if the follow-up varies more than the baseline, as a scale that patients were selected by does, or
      whose baseline is explained by the strata. Therefore each visit is first scaled to the residual SD of the
      follow-up, after arm, strata and covariates, which for two visits is a covariance of any form but for a negative
      correlation. Other visits are left out: with them a random intercept says that all correlate alike.
    - interaction: ``value ~ visit * arm + covariates + strata + (1 | participant)``, in its own units; without
      covariates and missing values its t is that of the change score.

    The standard error is :math:`(X' V^{-1} X)^{-1}` at the estimated variances, as lme4 has it. t has between-within
    degrees of freedom, as statsmodels' normal deviate gives too small p in trials of this size: values less
    participants less the fixed effects that change over the visits; Schluchter & Elashoff (1990), J. Stat. Comput.
    Simul. 37:69.
    """
    method = "mixed" if constrained else "mixed-interaction"
    if data.baseline is None:
        return Estimate(method, *counts(data.arm), note="not estimated: there is no baseline")
    if not data.observed.any():
        return Estimate(method, *counts(data.arm), note=FEW)
    values = np.column_stack([data.baseline, data.followup])
    present = np.isfinite(values).any(axis=1)
    data, values = data.filled().of(present), values[present]
    nuisance, found = data.nuisance(), counts(data.arm)
    scales = _scales(values, np.column_stack([data.arm, nuisance])) if constrained else None
    visits = Visits.stack(values, nuisance, scales)
    own = np.empty((len(visits.value), 0)) if constrained else data.arm[visits.participant][:, None]
    interest = visits.arm_by_visit(data.arm)
    design = np.column_stack([interest, own, visits.fixed])
    if min(found) < 2 or visits.df < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return Estimate(method, *found, note=FEW)
    estimate, error, note = _fit(visits, design, interest.shape[1] - 1)
    if not present.all():
        note = "; ".join(filter(None, [note, f"{np.sum(~present)} randomized have no value at any visit"]))
    effect = hedges_g(estimate, error, visits.df, data.followup, data.arm)
    p = _rerandomized_p(values, data, n_draws, seed) if n_draws and constrained else np.nan
    return by_t(method, found, estimate, error, visits.df, p_rerandomized=p, note=note, **effect)


def _scales(values: np.ndarray, explained: np.ndarray) -> np.ndarray:
    """Return what brings each visit to the residual spread of the last one; 1 where it is not known.

    Parameters
    ----------
    values : (n, T) float ndarray
        NaN where missing.
    explained : (n, m) float ndarray
        What the values are explained by, at each visit with coefficients of its own.
    """
    spreads = np.array([_residual_sd(column, explained) for column in values.T])
    known = np.isfinite(spreads) & (spreads > 0)
    return np.where(known & known[-1], spreads[-1] / np.where(known, spreads, 1), 1.0)


def _residual_sd(column: np.ndarray, explained: np.ndarray) -> float:
    there = np.isfinite(column)
    value, basis = column[there], explained[there].astype(float)
    basis = basis[:, leading(basis)]
    df = len(value) - basis.shape[1]
    residual = value - basis @ np.linalg.lstsq(basis, value)[0]
    return np.sqrt(residual @ residual / df) if df > 0 else np.nan


def _fit(visits: Visits, design: np.ndarray, column: int) -> tuple[float, float, str]:
    """Return coefficient and standard error of a column, and what went wrong."""
    fit = _mixed(visits, design)
    note = DIVERGED if fit is None else SINGULAR if fit.cov_re[0, 0] <= 1e-6 * fit.scale else ""
    if not note:
        return fit.fe_params[column], _standard_error(fit, visits, design, column), ""
    least = sm.OLS(visits.value, design).fit(cov_type="cluster", cov_kwds={"groups": visits.participant})
    return least.params[column], least.bse[column], f"{note}: {FALLBACK}"


def _standard_error(fit: Any, visits: Visits, design: np.ndarray, column: int) -> float:
    """Return the standard error of a coefficient given the variances; statsmodels' own is up to 1.4 % larger."""
    whitened = _whitening(visits.participant, float(fit.cov_re[0, 0] / fit.scale)) @ design
    return float(np.sqrt(fit.scale * np.linalg.inv(whitened.T @ whitened)[column, column]))


def _mixed(visits: Visits, design: np.ndarray) -> Any:
    """Fit by REML with the first of several optimizers that converges; None if none does."""
    model = sm.MixedLM(visits.value, design, visits.participant)
    for optimizer in OPTIMIZERS:
        with warnings.catch_warnings(), contextlib.suppress(np.linalg.LinAlgError, ValueError):
            warnings.simplefilter("ignore")  # what they would say is checked here
            fit = model.fit(method=optimizer)
            if fit.converged and np.isfinite(fit.bse_fe).all():
                return fit
    return None


def _rerandomized_p(values: np.ndarray, data: TwoVisits, n_draws: int, seed: int) -> float:
    """Re-randomize the arms of everyone, with spreads and a correlation of the visits that do not know the arms.

    Values are whitened by the model without arms, so that each allocation's statistic is a function of the
    labels only, and p is exact if treatment changed nobody's value nor whether it is missing.
    """
    try:
        draws = allocations(data.arm, data.strata, n_draws, seed)
    except ValueError:
        return np.nan
    visits = Visits.stack(values, data.nuisance(), _scales(values, data.nuisance()))
    fit = _mixed(visits, visits.fixed)
    ratio = 0.0 if fit is None else max(float(fit.cov_re[0, 0] / fit.scale), 0.0)
    whiten = _whitening(visits.participant, ratio)
    basis = np.linalg.qr(whiten @ visits.fixed)[0]
    value = without(basis, whiten @ visits.value)

    def t_of(window: slice) -> np.ndarray:
        return np.array([[_t_of_last(whiten @ visits.arm_by_visit(arm), basis, value)] for arm in draws.arms[window]])

    return float(count_draws(t_of, len(draws)).p[0])


def _t_of_last(columns: np.ndarray, basis: np.ndarray, value: np.ndarray) -> float:
    """Return t, up to a factor that the draws share, of the last of the columns beside ``basis``."""
    model = LeastSquares.of(without(basis, columns))
    scale = np.sqrt(model.unit_variance(-1)) * np.linalg.norm(model.residual(value))
    return model.coefficient(value, -1) / scale if scale > 0 else 0.0


def _whitening(participant: np.ndarray, ratio: float) -> np.ndarray:
    r"""Return :math:`V^{-1/2}`, up to a factor, for a random intercept of variance ``ratio`` times the residual's.

    With m visits of a participant, :math:`V = I + \rho J` has :math:`V^{-1/2} = I - (1 - (1 + m \rho)^{-1/2}) J / m`.
    """
    together = participant[:, None] == participant
    sizes = together.sum(axis=1)
    return np.eye(len(participant)) - together * ((1 - 1 / np.sqrt(1 + sizes * ratio)) / sizes)[:, None]
