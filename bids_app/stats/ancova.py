"""One outcome compared between the arms by a linear model: ANCOVA, change score or follow-up alone."""

from typing import Any

import numpy as np
import statsmodels.api as sm

from bids_app.stats.estimates import Estimate, by_t, counts, hedges_g, rerandomized_p, two_sided
from bids_app.stats.twovisits import TwoVisits

ESTIMATORS = ("ancova", "change", "post")
OF_BOTH = ("change", "crossover")  # need the values of both visits
FEW = "not estimated: too few participants for the model"
NO_BASELINE = "one value per participant: there is no baseline to adjust for"


def linear_estimate(data: TwoVisits, estimator: str = "ancova", *, n_draws: int = 10_000, seed: int = 0) -> Estimate:
    r"""Compare the arms among those with a follow-up.

    Parameters
    ----------
    data : TwoVisits
    estimator : {"ancova", "change", "post", "crossover"}
        Follow-up adjusted for the baseline; follow-up minus baseline; follow-up alone; half of period 1 minus period 2
        of sequences, in place of baseline and follow-up. Without a baseline all are the follow-up alone.
    n_draws : int, optional
        Of the re-randomization; 0 for none.
    seed : int, optional

    Returns
    -------
    Estimate

    Notes
    -----
    ``outcome ~ arm [+ baseline] + covariates + strata`` by least squares. ANCOVA's standard error is about
    :math:`\sqrt{(1 + r) / 2}` of the change score's at a test-retest correlation r, and a chance imbalance of the
    baseline biases it least: Vickers & Altman (2001), doi:10.1136/bmj.323.7321.1123. HC3: MacKinnon & White
    (1985), doi:10.1016/0304-4076(85)90158-7.
    """
    data = completed(data, estimator)
    estimator = "post" if data.baseline is None else estimator
    note = NO_BASELINE if data.baseline is None else ""
    if min(counts(data.arm)) < 2:
        return Estimate(estimator, *counts(data.arm), note=FEW)
    outcome, baseline = outcome_of(data, estimator)
    try:
        design = data.design(baseline)
    except ValueError as error:
        return Estimate(estimator, *counts(data.arm), note=f"not estimated: {error}")
    df = len(design) - design.shape[1]
    if df < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return Estimate(estimator, *counts(data.arm), note=FEW)
    fit = sm.OLS(outcome, design).fit()
    found = by_t(estimator, counts(data.arm), fit.params[0], fit.bse[0], df)
    effect = hedges_g(fit.params[0], fit.bse[0], df, outcome, data.arm)
    p = rerandomized_p(data, outcome, baseline, n_draws=n_draws, seed=seed) if n_draws else np.nan
    more = {"p_hc3": _hc3(fit), "p_rerandomized": p, "note": note, **effect}
    return Estimate(**{**vars(found), **more})


def completed(data: TwoVisits, estimator: str) -> TwoVisits:
    """Return those whose outcome is known; a difference needs both scores, ANCOVA takes the mean baseline."""
    if estimator in OF_BOTH and data.baseline is not None and not data.is_change:
        data = data.of(np.isfinite(data.baseline))
    return data.completers()


def outcome_of(data: TwoVisits, estimator: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what is explained, and what it is adjusted for or None, of those of `completed`."""
    if estimator == "change":
        return data.change, None
    if estimator == "crossover":
        return -data.change / 2, None
    return data.followup, data.baseline if estimator == "ancova" else None


def _hc3(fit: Any) -> float:
    """Return the p of the arm by HC3; NaN where a participant alone determines a coefficient."""
    leverage = fit.get_influence().hat_matrix_diag
    if leverage.max() > 1 - 1e-9 or not fit.bse[0] > 0:
        return np.nan
    return two_sided(fit.params[0] / fit.HC3_se[0], fit.df_resid)
