"""Multiple imputation of missing follow-ups by the ANCOVA's own regression, and how far it may be wrong."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from bids_app.stats.estimates import by_t, counts, hedges_g, pooled_sd

METHOD = "imputed"
# Shifts of the imputed values that are tried, in standard deviations within the arms.
LARGEST, STEP = 10.0, 0.05


@dataclass(frozen=True)
class Imputed:
    """Everyone randomized, the missing follow-ups drawn M times.

    Attributes
    ----------
    followup : (n, M) float64 ndarray
    shifted : (n,) float64 ndarray
        1 for the imputed values of the active arm, which a delta moves; 0 for all others.
    design : (n, p) float64 ndarray
        The arm first, then baseline and nuisance.
    arm : (n,) int ndarray
    """

    followup: np.ndarray
    shifted: np.ndarray
    design: np.ndarray
    arm: np.ndarray

    def estimate(self, delta=0.0, note=""):
        r"""Return the adjusted difference, imputed active follow-ups moved by ``delta``, pooled after Rubin.

        Notes
        -----
        With mean :math:`\bar Q`, mean squared standard error W and variance B of the M estimates,

        .. math:: T = W + (1 + 1/M) B

        is the variance; degrees of freedom after Barnard & Rubin (1999), doi:10.1093/biomet/86.4.948.
        """
        values = self.followup + delta * self.shifted[:, None]
        inverse = np.linalg.pinv(self.design)
        n, p = self.design.shape
        residual = values - self.design @ (inverse @ values)
        found = inverse[0] @ values
        within = float(np.mean(np.square(residual).sum(axis=0) / (n - p)) * (inverse[0] @ inverse[0]))
        error, df = pooled(found, within, n - p)
        mean = values.mean(axis=1)
        effect = hedges_g(found.mean(), error, df, mean, self.arm)
        return by_t(METHOD, counts(self.arm), found.mean(), error, df, note=note, **effect)


def pooled(estimates, within, complete_df):
    """Return standard error and degrees of freedom of M estimates.

    Parameters
    ----------
    estimates : (M,) float ndarray
    within : float
        Mean of their squared standard errors.
    complete_df : float
        Degrees of freedom if nothing were missing.

    Examples
    --------
    >>> [round(float(value), 3) for value in pooled(np.array([1.0, 2.0, 3.0]), 1.0, 40)]
    [1.528, 4.455]
    """
    m = len(estimates)
    between = (1 + 1 / m) * estimates.var(ddof=1)
    total = within + between
    share = between / total if total > 0 else 0.0
    observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
    if share <= 1e-12:
        return np.sqrt(total), observed
    return np.sqrt(total), 1 / (share**2 / (m - 1) + 1 / observed)


def impute(data, *, n_imputations=100, seed=0):
    r"""Draw the missing follow-ups from the regression of those that exist.

    Parameters
    ----------
    data : TwoVisits
    n_imputations : int, optional
    seed : int, optional

    Returns
    -------
    Imputed

    Raises
    ------
    ValueError
        If those with a follow-up are too few for the regression.

    Notes
    -----
    ``follow-up ~ arm + baseline + covariates + strata``: :math:`\sigma^2` is drawn from RSS over a
    :math:`\chi^2`, the coefficients from their normal distribution given it, each missing value from the line with
    its own error: Rubin (1987), Multiple Imputation for Nonresponse in Surveys, example 5.1. The analysis uses the
    same regression, so that without a shift the estimate is that of the complete cases, up to Monte Carlo error.
    """
    data = data.filled()
    columns = [data.arm, *([] if data.baseline is None else [data.baseline]), data.nuisance()]
    design = np.column_stack(columns).astype(float)
    known = data.observed
    df = known.sum() - design.shape[1]
    if df < 1 or np.linalg.matrix_rank(design[known]) < design.shape[1]:
        raise ValueError(f"{known.sum()} follow-ups are too few to impute the others")
    basis, upper = np.linalg.qr(design[known])
    line = np.linalg.solve(upper, basis.T @ data.followup[known])
    squares = np.square(data.followup[known] - design[known] @ line).sum()
    generator = np.random.default_rng(seed)
    sigma = np.sqrt(squares / generator.chisquare(df, n_imputations))
    lines = line[:, None] + np.linalg.solve(upper, sigma * generator.standard_normal((len(line), n_imputations)))
    drawn = design @ lines + sigma * generator.standard_normal((len(known), n_imputations))
    followup = np.where(known[:, None], data.followup[:, None], drawn)
    return Imputed(followup, ((data.arm == 1) & ~known).astype(float), design, data.arm)


@dataclass(frozen=True)
class TippingPoint:
    """By how much the missing active follow-ups must differ from what is expected to turn the conclusion.

    Attributes
    ----------
    delta : float
        The shift of least size at which p crosses alpha, in units of the outcome; NaN if there is none.
    delta_sd : float
        The same in standard deviations within the arms.
    p : float
        Without a shift.
    note : str
    """

    delta: float
    delta_sd: float
    p: float
    note: str


def tipping_point(data, *, alpha=0.05, n_imputations=100, seed=0):
    """Shift the imputed follow-ups of the active arm until the conclusion turns.

    Parameters
    ----------
    data : TwoVisits
    alpha : float, optional
    n_imputations, seed : int, optional
        The same draws for every shift, so that p is a smooth function of it.

    Returns
    -------
    TippingPoint

    Notes
    -----
    Whether a shift as large is plausible is for the reader to judge: Cro et al. (2020), doi:10.1002/sim.8569.
    """
    imputed = impute(data, n_imputations=n_imputations, seed=seed)
    sd, _ = pooled_sd(data.followup, data.arm)

    def excess(shift):
        return imputed.estimate(shift * sd).p - alpha

    p = excess(0.0) + alpha
    if not imputed.shifted.any():
        return TippingPoint(np.nan, np.nan, p, "nobody of the active arm lacks a follow-up")
    crossings = [found for sign in (1, -1) if (found := _first_crossing(excess, sign)) is not None]
    state = "significant" if p <= alpha else "not significant"
    if not crossings:
        return TippingPoint(np.nan, np.nan, p, f"{state} whatever the shift, up to {LARGEST:g} standard deviations")
    shift = min(crossings, key=abs)
    return TippingPoint(shift * sd, shift, p, f"{state} without a shift")


def _first_crossing(excess, sign):
    """Return the first root of ``excess`` on one side of 0, or None."""
    before = excess(0.0)
    for shift in np.arange(STEP, LARGEST + STEP / 2, STEP) * sign:
        after = excess(shift)
        if (before > 0) != (after > 0):
            return float(brentq(excess, shift - sign * STEP, shift))
        before = after
    return None


def delta_table(data, deltas, *, n_imputations=100, seed=0):
    """Return the estimate at each of a list of shifts, as a list of `Estimate`, for a table or a figure."""
    imputed = impute(data, n_imputations=n_imputations, seed=seed)
    return [replace(imputed.estimate(delta), note=f"imputed active follow-ups moved by {delta:g}") for delta in deltas]
