"""Multiple imputation of missing follow-ups by the ANCOVA's own regression, and how far it may be wrong."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from bids_app.stats.estimates import Estimate, by_t, counts, hedges_g, pooled_sd, two_sided
from bids_app.stats.leastsquares import LeastSquares
from bids_app.stats.twovisits import TwoVisits

METHOD = "imputed"
MOVED = ("active", "reference", "both")
N_IMPUTATIONS, N_BATCHES = 5_000, 10
# Shifts of the imputed values that are tried, in standard deviations within the arms.
LARGEST, STEP = 10.0, 0.05


@dataclass(frozen=True)
class Imputed:
    """Everyone randomized, the missing follow-ups drawn M times.

    Attributes
    ----------
    followup : (n, M) float64 ndarray
    lost : (n,) bool ndarray
        Whose follow-up is imputed.
    design : (n, p) float64 ndarray
        The arm first, then baseline and nuisance.
    arm : (n,) int ndarray
    """

    followup: np.ndarray
    lost: np.ndarray
    design: np.ndarray
    arm: np.ndarray

    def shifts(self, moved: str) -> np.ndarray:
        """Return 1 for the imputed values of those that are moved, one of `MOVED`, and 0 for all others, (n,) float."""
        of_arm = {"active": self.arm == 1, "reference": self.arm == 0, "both": np.ones(len(self.arm), dtype=bool)}
        return (of_arm[moved] & self.lost).astype(float)

    def batches(self, n_batches: int) -> "Iterator[Imputed]":
        """Yield the imputations in so many parts."""
        for part in np.array_split(np.arange(self.followup.shape[1]), n_batches):
            yield replace(self, followup=self.followup[:, part])

    def estimate(self, delta: float = 0.0, moved: str = "active", note: str = "") -> Estimate:
        r"""Return the adjusted difference, imputed follow-ups moved by ``delta``, pooled after Rubin.

        Notes
        -----
        With mean :math:`\bar Q`, mean squared standard error W and variance B of the M estimates,

        .. math:: T = W + (1 + 1/M) B

        is the variance; degrees of freedom after Barnard & Rubin (1999), doi:10.1093/biomet/86.4.948.
        """
        values = self.followup + delta * self.shifts(moved)[:, None]
        model = LeastSquares.of(self.design)
        found, squares = model.coefficient(values, 0), np.square(model.residual(values)).sum(axis=0)
        within = float(np.mean(squares / model.df)) * model.unit_variance(0)
        error, df = pooled(found, within, model.df)
        mean = values.mean(axis=1)
        effect = hedges_g(found.mean(), error, df, mean, self.arm)
        return by_t(METHOD, counts(self.arm), found.mean(), error, df, note=note, **effect)


def pooled(estimates: np.ndarray, within: float, complete_df: float) -> tuple[float, float]:
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
    return pooled_variance(float(estimates.var(ddof=1)), within, len(estimates), complete_df)


def pooled_variance(between: float, within: float, m: int, complete_df: float) -> tuple[float, float]:
    """Return standard error and degrees of freedom from the variances between and within M imputations."""
    between = (1 + 1 / m) * between
    total = within + between
    share = between / total if total > 0 else 0.0
    observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
    if share <= 1e-12:
        return np.sqrt(total), observed
    return np.sqrt(total), 1 / (share**2 / (m - 1) + 1 / observed)


def impute(data: TwoVisits, *, n_imputations: int = N_IMPUTATIONS, seed: int = 0) -> Imputed:
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
    design = data.design(data.baseline)
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
    return Imputed(followup, ~known, design, data.arm)


@dataclass(frozen=True)
class TippingPoint:
    """By how much the missing follow-ups must differ from what is expected to turn the conclusion.

    Attributes
    ----------
    moved : str
        One of `MOVED`.
    delta : float
        The shift of least size at which p crosses alpha, in units of the outcome; NaN if there is none.
    delta_sd : float
        The same in standard deviations within the arms.
    delta_error : float
        Monte Carlo standard error of ``delta``.
    p : float
        Without a shift.
    note : str
    """

    moved: str
    delta: float
    delta_sd: float
    delta_error: float
    p: float
    note: str


@dataclass(frozen=True)
class _Shifted:
    """What p is a closed form of a shift by: M estimates move alike, and their mean RSS is a square of it."""

    mean: float  # of the estimates
    between: float  # their variance, which a shift does not change
    move: float  # of each estimate, per unit of the shift
    squares: tuple[float, float, float]  # coefficients of the mean RSS in the shift
    unit: float  # what the residual variance is multiplied by
    n_imputations: int
    df: int

    @classmethod
    def of(cls, imputed: Imputed, moved: str) -> "_Shifted":
        model, shift = LeastSquares.of(imputed.design), imputed.shifts(moved)
        residual, shift_left = model.residual(imputed.followup), model.residual(shift)
        estimates, move = model.coefficient(imputed.followup, 0), float(model.coefficient(shift, 0))
        squares = (
            float(np.square(residual).sum(axis=0).mean()),
            float(2 * (shift_left @ residual).mean()),
            float(shift_left @ shift_left),
        )
        mean, between = float(estimates.mean()), float(estimates.var(ddof=1))
        return cls(mean, between, move, squares, model.unit_variance(0), len(estimates), model.df)

    def p(self, delta: float) -> float:
        """Return the two-sided p after Rubin at a shift."""
        constant, linear, square = self.squares
        within = (constant + linear * delta + square * delta**2) / self.df * self.unit
        error, df = pooled_variance(self.between, within, self.n_imputations, self.df)
        return two_sided((self.mean + delta * self.move) / error, df)


def tipping_points(
    data: TwoVisits, *, alpha: float = 0.05, n_imputations: int = N_IMPUTATIONS, seed: int = 0
) -> list[TippingPoint]:
    """Shift the imputed follow-ups of one arm, of the other, and of both until the conclusion of ANCOVA turns.

    Parameters
    ----------
    data : TwoVisits
    alpha : float, optional
    n_imputations, seed : int, optional
        The same draws for every shift: p is a closed form of it, so that many imputations cost nothing.

    Returns
    -------
    list of TippingPoint
        In the order of `MOVED`.

    Notes
    -----
    Whether a shift as large is plausible is for the reader to judge: Cro et al. (2020), doi:10.1002/sim.8569.
    """
    imputed = impute(data, n_imputations=n_imputations, seed=seed)
    sd, _ = pooled_sd(data.followup, data.arm)
    return [_tipping_point(imputed, moved, alpha, sd) for moved in MOVED]


def _tipping_point(imputed: Imputed, moved: str, alpha: float, sd: float) -> TippingPoint:
    shifted = _Shifted.of(imputed, moved)
    p = shifted.p(0.0)
    if not imputed.shifts(moved).any():
        return TippingPoint(moved, np.nan, np.nan, np.nan, p, "nobody of whom it would be moved lacks a follow-up")
    state = "significant" if p <= alpha else "not significant"
    shift = _crossing(shifted, alpha, sd)
    if shift is None:
        note = f"{state} whatever the shift, up to {LARGEST:g} standard deviations"
        return TippingPoint(moved, np.nan, np.nan, np.nan, p, note)
    batches = [_crossing(_Shifted.of(part, moved), alpha, sd) for part in imputed.batches(N_BATCHES)]
    found = [one for one in batches if one is not None]
    error = float(np.std(found, ddof=1) / np.sqrt(len(found)) * sd) if len(found) > 1 else np.nan
    return TippingPoint(moved, shift * sd, shift, error, p, f"{state} without a shift")


def _crossing(shifted: _Shifted, alpha: float, sd: float) -> float | None:
    """Return the shift of least size at which p crosses alpha, in standard deviations, or None."""

    def excess(shift: float) -> float:
        return shifted.p(shift * sd) - alpha

    crossings = [found for sign in (1, -1) if (found := _first_crossing(excess, sign)) is not None]
    return min(crossings, key=abs) if crossings else None


def _first_crossing(excess: Callable[[float], float], sign: int) -> float | None:
    """Return the first root of ``excess`` on one side of 0, or None."""
    before = excess(0.0)
    for shift in np.arange(STEP, LARGEST + STEP / 2, STEP) * sign:
        after = excess(float(shift))
        if (before > 0) != (after > 0):
            return float(brentq(excess, shift - sign * STEP, shift))
        before = after
    return None


def delta_table(
    data: TwoVisits, deltas: Iterable[float], *, n_imputations: int = N_IMPUTATIONS, seed: int = 0
) -> list[Estimate]:
    """Return the estimate at each of a list of shifts, as a list of `Estimate`, for a table or a figure."""
    imputed = impute(data, n_imputations=n_imputations, seed=seed)
    return [replace(imputed.estimate(delta), note=f"imputed active follow-ups moved by {delta:g}") for delta in deltas]
