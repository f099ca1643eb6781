"""What missing follow-ups may do to a result: everyone randomized, by several assumptions side by side."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from bids_app.stats.ancova import linear_estimate
from bids_app.stats.clinical import COMPLETE, ESTIMATE_COLUMNS, EVERYONE
from bids_app.stats.estimates import Estimate, counts, described
from bids_app.stats.imputation import METHOD, MOVED, N_IMPUTATIONS, impute, tipping_points
from bids_app.stats.responders import proportion_estimate
from bids_app.stats.scores.two_visits import mixed_estimate
from bids_app.stats.twovisits import TwoVisits

WORST, BEST = "worst case", "best case"
ASSUMPTIONS = {
    "ancova": "complete cases: valid if missingness depends on the arm and the baseline only",
    "post": "complete cases: valid if missingness depends on the arm only",
    "mixed": "mixed model for repeated measures: missing at random, baselines too",
    METHOD: "multiple imputation by the regression on arm, baseline, covariates and strata: missing at random",
    WORST: "against the effect: missing follow-ups are the extremes observed that lessen the difference that was found",
    BEST: "the reverse of the worst case",
}
_COLUMNS = {
    "value": "Outcome, region or parcel",
    "method": "",
    "population": f"{COMPLETE}, or {EVERYONE}",
    "missing_active": "Participants of the active arm without a follow-up",
    "missing_reference": "Participants of the reference arm without a follow-up",
    **ESTIMATE_COLUMNS,
}
MISSING_COLUMNS = described(_COLUMNS, ASSUMPTIONS, ASSUMPTIONS)
TIPPING_COLUMNS = {
    "value": "Outcome, region or parcel",
    "moved": "Whose imputed follow-ups are moved: of the active arm, of the reference arm, or of both by the same",
    "missing_active": "Participants of the active arm without a follow-up",
    "missing_reference": "Participants of the reference arm without a follow-up",
    "delta": "Least shift of the imputed follow-ups at which p of ANCOVA crosses alpha, in units of the value",
    "delta_sd": "The same in standard deviations within the arms",
    "delta_error": "Monte Carlo standard error of delta, from the draws of the imputation",
    "p": "Two-sided p without a shift",
    "alpha": "Level of significance",
    "note": "What else must be known",
}


def missing_columns(table: pd.DataFrame) -> dict[str, str]:
    """Describe the columns of `missing_table` by what is in it."""
    return described(_COLUMNS, ASSUMPTIONS, table["method"])


def extreme_cases(data: TwoVisits) -> tuple[Estimate, ...]:
    """Bound the difference: fill the missing follow-ups with the extremes that were observed.

    Parameters
    ----------
    data : TwoVisits

    Returns
    -------
    (Estimate, Estimate)
        The worst and the best case for the difference of the complete cases, ANCOVA of everyone randomized.

    Notes
    -----
    No assumption about why a follow-up is missing, only that it lies within what was seen; after Horowitz & Manski
    (2000), doi:10.1080/01621459.2000.10473902. The interval and p take the filled values as measured.
    """
    low, high = np.nanquantile(data.followup, [0, 1]) if data.observed.any() else (np.nan, np.nan)
    found = linear_estimate(data, n_draws=0).estimate
    poor, good = (high, low) if found < 0 else (low, high)
    cases = []
    for name, active, reference in ((WORST, poor, good), (BEST, good, poor)):
        filled = np.where(data.observed, data.followup, np.where(data.arm == 1, active, reference))
        cases.append(replace(linear_estimate(replace(data, followup=filled), n_draws=0), method=name))
    return tuple(cases)


def extreme_shares(
    success: np.ndarray, data: TwoVisits, *, n_draws: int = 10_000, seed: int = 0
) -> tuple[Estimate, ...]:
    """Bound the difference of responders: everyone unknown a failure in one arm and a success in the other.

    Parameters
    ----------
    success : (n,) float ndarray
        1 or 0, NaN where it is not known.
    data : TwoVisits
        Gives arms and strata.

    Returns
    -------
    (Estimate, Estimate)
        The worst and the best case for the active arm.
    """
    cases = []
    for name, active in ((WORST, 0.0), (BEST, 1.0)):
        filled = np.where(np.isnan(success), np.where(data.arm == 1, active, 1 - active), success)
        cases.append(replace(proportion_estimate(filled, data, n_draws=n_draws, seed=seed), method=name))
    return tuple(cases)


def missing_table(
    values: Mapping[str, TwoVisits], *, n_draws: int = 10_000, n_imputations: int = N_IMPUTATIONS, seed: int = 0
) -> pd.DataFrame:
    """Estimate each difference under every assumption about what is missing.

    Parameters
    ----------
    values : dict of TwoVisits
        Clinical outcomes, or regions or parcels, of everyone randomized.
    n_draws, n_imputations, seed : int, optional

    Returns
    -------
    DataFrame
        Columns as `MISSING_COLUMNS`. A value without a baseline has no row of the mixed model.
    """
    rows = []
    for name, data in values.items():
        lacking = dict(zip(("missing_active", "missing_reference"), counts(data.arm[~data.observed]), strict=True))
        found = [(linear_estimate(data, n_draws=n_draws, seed=seed), COMPLETE)]
        if data.baseline is not None:
            found.append((mixed_estimate(data, n_draws=n_draws, seed=seed), EVERYONE))
        found.append((_imputed(data, n_imputations, seed), EVERYONE))
        found += [(case, EVERYONE) for case in extreme_cases(data)]
        rows += [{"value": name, "population": who, **lacking, **vars(estimate)} for estimate, who in found]
    return pd.DataFrame(rows, columns=list(MISSING_COLUMNS))


def _imputed(data: TwoVisits, n_imputations: int, seed: int) -> Estimate:
    try:
        return impute(data, n_imputations=n_imputations, seed=seed).estimate()
    except ValueError as error:
        return Estimate(METHOD, *counts(data.arm), note=f"not estimated: {error}")


def tipping_table(
    values: Mapping[str, TwoVisits], *, alpha: float = 0.05, n_imputations: int = N_IMPUTATIONS, seed: int = 0
) -> pd.DataFrame:
    """Find each value's tipping points: of the missing follow-ups of one arm, of the other, and of both.

    Parameters
    ----------
    values : dict of TwoVisits
    alpha : float, optional
    n_imputations, seed : int, optional

    Returns
    -------
    DataFrame
        Columns as `TIPPING_COLUMNS`; three rows for a value.
    """
    rows = []
    for name, data in values.items():
        lacking = dict(zip(("missing_active", "missing_reference"), counts(data.arm[~data.observed]), strict=True))
        row = {"value": name, **lacking, "alpha": alpha}
        try:
            points = tipping_points(data, alpha=alpha, n_imputations=n_imputations, seed=seed)
            rows += [row | vars(point) for point in points]
        except ValueError as error:
            rows += [row | {"moved": moved, "note": f"not estimated: {error}"} for moved in MOVED]
    return pd.DataFrame(rows, columns=list(TIPPING_COLUMNS))
