"""One outcome compared by a linear model: of arms ANCOVA, change score or follow-up alone, of one group its change."""

from dataclasses import replace
from typing import Any

import numpy as np

from bids_app.stats.effects import hedges
from bids_app.stats.estimands import Estimand
from bids_app.stats.estimates import Estimate, by_t, counts, hedges_g, rerandomized_p, two_sided
from bids_app.stats.hypotheses import hypothesis
from bids_app.stats.manyperiods import ManyPeriods, compare_periods
from bids_app.stats.permutation import compare
from bids_app.stats.rearrangement import sign_flips
from bids_app.stats.twovisits import TwoVisits

ESTIMATORS = ("ancova", "change", "post")
OF_BOTH = ("change", "crossover", "unadjusted", "within")  # need the values of both visits
FEW = "not estimated: too few participants for the model"
NO_BASELINE = "one value per participant: there is no baseline to adjust for"


def linear_estimate(
    data: TwoVisits | ManyPeriods, estimator: str = "ancova", *, n_draws: int = 10_000, seed: int = 0
) -> Estimate:
    r"""Compare the arms among those with a follow-up.

    Parameters
    ----------
    data : TwoVisits or ManyPeriods
        Of the latter see `compare_periods`.
    estimator : {"ancova", "change", "post", "crossover", "unadjusted", "within"}
        Follow-up adjusted for the baseline; follow-up minus baseline; follow-up alone; half of period 1 minus period 2
        of sequences, in place of baseline and follow-up, adjusted for the difference of their baselines where there
        are such, or not. Without a baseline all are the follow-up alone. ``within`` is
        of one group, whose arm is 1: see `mean_change`.
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
    if isinstance(data, ManyPeriods):
        return compare_periods(data, estimator, n_draws=n_draws, seed=seed)
    if estimator == "within":
        return mean_change(data, n_draws=n_draws, seed=seed)
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
    fit = _fitted(outcome, design)
    found = by_t(estimator, counts(data.arm), fit.params[0], fit.bse[0], df)
    effect = hedges_g(fit.params[0], fit.bse[0], df, outcome, data.arm)
    p = rerandomized_p(data, outcome, baseline, n_draws=n_draws, seed=seed) if n_draws else np.nan
    more = {"p_hc3": _hc3(fit), "p_rerandomized": p, "note": note, **effect}
    return Estimate(**{**vars(found), **more})


def mean_change(data: TwoVisits, *, n_draws: int = 10_000, seed: int = 0) -> Estimate:
    r"""Test the mean change of one group by Student's t of one sample, and by flipping signs.

    Parameters
    ----------
    data : TwoVisits
        The arm of everyone is 1. Covariates and strata are not looked at.
    n_draws : int, optional
        Of the signs; 0 for none.
    seed : int, optional

    Returns
    -------
    Estimate
        ``p_rerandomized`` is that of flipping signs; the effect size is Hedges' g of the changes, over their own
        standard deviation.

    Notes
    -----
    The paired t test: :math:`t = \bar d / (s_d / \sqrt n)` with n - 1 degrees of freedom.

    Examples
    --------
    >>> three = TwoVisits(np.ones(3, dtype=int), np.zeros(3), np.array([1.0, 2.0, 3.0]))
    >>> found = mean_change(three, n_draws=100)
    >>> round(found.estimate, 3), round(found.t, 3), found.p_rerandomized
    (2.0, 3.464, 0.25)
    """
    if data.baseline is None and not data.is_change:
        return Estimate("within", int(data.observed.sum()), 0, note=NO_BASELINE)
    data = completed(data, "within")
    members, df = (len(data.arm), 0), len(data.arm) - 1
    if df < 1:
        return Estimate("within", *members, note=FEW)
    fit = _fitted(data.change, np.ones(len(data.arm)))
    found = by_t("within", members, fit.params[0], fit.bse[0], df)
    sizes = hedges(fit.params[:1], fit.bse[:1], df, data.change[:, None])
    names = ("effect_size", "effect_low", "effect_high")
    more: dict[str, Any] = (
        {name: float(value[0]) for name, value in zip(names, sizes, strict=True)} if fit.bse[0] > 0 else {}
    )
    p = _flipped_p(data, n_draws, seed) if n_draws and fit.bse[0] > 0 else np.nan
    more |= {"p_hc3": _hc3(fit), "p_rerandomized": p, "effect_kind": "Hedges g of the changes"}
    return replace(found, **more)


def _flipped_p(data: TwoVisits, n_draws: int, seed: int) -> float:
    """Return the two-sided p of the mean change by flipping the signs of everyone's."""
    change = Estimand(outcome={"change": 1}, of_arm=0)
    stated = hypothesis(change, {"change": data.change[:, None]}, np.ones((len(data.arm), 1)))
    return float(compare(stated, sign_flips(len(data.arm), n_draws, seed)).p[0])


def completed(data: TwoVisits, estimator: str) -> TwoVisits:
    """Return those whose outcome is known; a difference needs both scores, ANCOVA takes the mean baseline.

    Of the baselines of periods both are needed: the second is no longer from before any treatment.
    """
    if estimator in OF_BOTH and data.baseline is not None and not data.is_change:
        data = data.of(np.isfinite(data.baseline))
    if estimator == "crossover" and data.of_baselines is not None:
        data = data.of(np.isfinite(data.of_baselines))
    return data.completers()


def outcome_of(data: TwoVisits, estimator: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what is explained, and what it is adjusted for or None, of those of `completed`."""
    if estimator == "change":
        return data.change, None
    if estimator in ("crossover", "unadjusted"):
        return -data.change / 2, data.of_baselines if estimator == "crossover" else None
    return data.followup, data.baseline if estimator == "ancova" else None


def _fitted(outcome: np.ndarray, design: np.ndarray) -> Any:
    from statsmodels.regression.linear_model import OLS  # here, for it loads a language of formulas

    return OLS(outcome, design).fit()


def _hc3(fit: Any) -> float:
    """Return the p of the arm by HC3; NaN where a participant alone determines a coefficient."""
    leverage = fit.get_influence().hat_matrix_diag
    if leverage.max() > 1 - 1e-9 or not fit.bse[0] > 0:
        return np.nan
    return two_sided(fit.params[0] / fit.HC3_se[0], fit.df_resid)
