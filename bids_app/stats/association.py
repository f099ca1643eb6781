"""Brain and symptom: does the outcome go along with a region's value, and differently in the two arms."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special
from statsmodels.stats.multitest import multipletests

from bids_app.stats.design import leading
from bids_app.stats.estimates import LEVEL, counts
from bids_app.stats.fit import Fit
from bids_app.stats.leastsquares import without, without_units
from bids_app.stats.pvalues import count_draws, familywise
from bids_app.stats.rearrangement import exchange_blocks, residual_permutations

TERMS = {
    "active": "slope within the active arm",
    "reference": "slope within the reference arm",
    "pooled": "slope within the arms, the same for both",
    "interaction": "slope of the active arm minus slope of the reference arm",
}
ASSOCIATION_COLUMNS = {
    "region": "Region or cluster",
    "outcome": "Clinical outcome",
    "term": "; ".join(f"{name}: {text}" for name, text in TERMS.items()),
    "n_active": "Participants of the active arm who have everything",
    "n_reference": "Participants of the reference arm who have everything",
    "slope": "Units of the outcome per unit of the region's value, adjusted for the arm and what else is adjusted for",
    "standard_error": "Standard error of the slope",
    "ci_low": "Lower end of the 95 % confidence interval, by Student's t",
    "ci_high": "Upper end of the 95 % confidence interval, by Student's t",
    "boot_low": "Lower end of the 95 % percentile interval of a bootstrap within the arms",
    "boot_high": "Upper end of the 95 % percentile interval of a bootstrap within the arms",
    "t": "Student's t",
    "df": "Residual degrees of freedom",
    "p": "Two-sided p of t",
    "p_permutation": "Two-sided p of Freedman and Lane's permutation within arms and strata",
    "p_holm": "p_permutation corrected over the family, after Holm",
    "p_max": "p corrected over the family by the maximum statistic of the same permutations",
    "correlation": "Within an arm Pearson's r; pooled: partial r",
    "family": "Which tests are corrected together: the regions of one term",
    "family_size": "How many tests those are",
}
# Values of permuted residuals that are held at once.
BLOCK = 4_000_000
NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Pairs:
    """An outcome and K brain values of n participants.

    Attributes
    ----------
    brain : (n, K) float64 ndarray
        Regions, clusters or voxels; for change by change, their change.
    outcome : (n,) float64 ndarray
    arm : (n,) int ndarray
        1 for the active arm, 0 for the reference arm.
    nuisance : (n, m) float64 ndarray
        With an intercept, as `design.nuisance`.
    strata : (n,) ndarray of labels, optional
        Residuals are exchanged within them and the arms, as `exchange_blocks`.
    """

    brain: np.ndarray
    outcome: np.ndarray
    arm: np.ndarray
    nuisance: np.ndarray
    strata: np.ndarray | None = None

    def known(self) -> "Pairs":
        """Return those who have an outcome and every brain value, and the brain values centred."""
        rows = np.isfinite(self.outcome) & np.isfinite(self.brain).all(axis=1)
        brain = self.brain[rows] - self.brain[rows].mean(axis=0)
        brain[:, np.linalg.norm(brain, axis=0) <= NEGLIGIBLE * np.linalg.norm(self.brain[rows], axis=0)] = 0
        strata = None if self.strata is None else np.asarray(self.strata)[rows]
        return Pairs(brain, self.outcome[rows], self.arm[rows], self.nuisance[rows], strata)

    def columns(self, term: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the (n, K) columns of a term and those that it competes with, or None."""
        active = self.arm[:, None] == 1
        first, second = np.where(active, self.brain, 0), np.where(active, 0, self.brain)
        chosen = {"active": (first, second), "reference": (second, first)}
        return {**chosen, "pooled": (self.brain, None), "interaction": (first, self.brain)}[term]


def _independent(columns: np.ndarray) -> np.ndarray:
    """Leave out columns that depend on those before: a stratum may have lost all its members."""
    norm = np.linalg.norm(columns, axis=0)
    return columns[:, leading(columns / np.where(norm > 0, norm, 1))]


@dataclass(frozen=True)
class Slopes:
    """A term at K regions: (K,) float64 ndarrays but ``df``."""

    slope: np.ndarray
    standard_error: np.ndarray
    t: np.ndarray
    df: int
    p: np.ndarray
    p_permutation: np.ndarray
    p_max: np.ndarray


def associate(pairs: Pairs, term: str, *, n_draws: int = 10_000, seed: int = 0) -> Slopes:
    r"""Estimate and test one term of the association at every region or voxel.

    Parameters
    ----------
    pairs : Pairs
    term : str
        One of `TERMS`.
    n_draws : int, optional
        Permutations, the identity counted.
    seed : int, optional
        The same for all terms and regions, so that they are permuted alike.

    Returns
    -------
    Slopes

    Raises
    ------
    ValueError
        If no degree of freedom is left.

    Notes
    -----
    ``outcome ~ arm + nuisance + brain`` (pooled), or with one slope per arm. The residuals of the model without
    the term are permuted within arms and strata, and the term is tested anew: Freedman & Lane (1983),
    doi:10.2307/1391660; Winkler et al. (2014), doi:10.1016/j.neuroimage.2014.01.060. p is approximate, with the
    covariates' influence estimated. The arm is always adjusted for: regions that were chosen because the arms
    differ in them are not favoured by that. Regions that were chosen by this very association are; give their
    values by `leave_one_out`.
    """
    pairs = pairs.known()
    column, competing = pairs.columns(term)
    basis = np.linalg.qr(_independent(np.column_stack([pairs.nuisance, pairs.arm])))[0]
    df = len(pairs.outcome) - basis.shape[1] - 1 - (competing is not None)
    if df < 1:
        raise ValueError(f"{len(pairs.outcome)} participants leave {df} degrees of freedom")
    own = [] if competing is None else [_unit(without(basis, competing), pairs.brain)]
    tested = without_units(own, without(basis, column))
    unit = _unit(tested, pairs.brain)
    residual = without_units(own, without(basis, pairs.outcome[:, None]))  # (n, 1) if no region has its own
    norm = np.where(unit.any(axis=0), np.linalg.norm(tested, axis=0), np.inf)  # no variance: no slope
    slope = (unit * residual).sum(axis=0) / norm
    error = np.sqrt(np.square(residual - tested * slope).sum(axis=0) / df) / norm
    total = np.square(residual).sum(axis=0)

    def t_of(window: slice) -> np.ndarray:
        permuted = residual[rows[window]]
        explained = np.square(basis.T @ permuted).sum(axis=1)
        for competitor in own:
            explained += np.square(np.einsum("nk,bnk->bk", competitor, permuted))
        free = np.sqrt(np.maximum(total - explained, np.finfo(float).eps * total))
        along = np.einsum("nk,bnk->bk", unit, permuted) if own else permuted[..., 0] @ unit
        r = along / np.where(free > 0, free, 1)
        return Fit(r[:, None], np.ones((1, 1, 1, 1)), np.ones((1, 1)), df).t()

    blocks = exchange_blocks(pairs.arm, pairs.strata)
    rows = residual_permutations(len(blocks), blocks, n_draws, seed).order
    found = count_draws(t_of, len(rows), max(1, BLOCK // max(residual.size, column.shape[1])))
    t, p_max = found.observed, familywise(found.maxima, found.observed)
    return Slopes(slope, error, t, df, 2 * special.stdtr(df, -np.abs(t)), found.p, p_max)


def _unit(values: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Scale to unit norm; 0 where what is left of the brain values is rounding."""
    norm = np.linalg.norm(values, axis=0)
    varies = norm > NEGLIGIBLE * np.linalg.norm(brain, axis=0)
    return np.divide(values, norm, out=np.zeros_like(values), where=varies)


def bootstrap_slopes(pairs: Pairs, *, n_draws: int = 2000, seed: int = 0) -> dict[str, np.ndarray]:
    """Draw participants with replacement within the arms, and estimate every term anew.

    Returns
    -------
    dict of (2, K) float64 ndarray
        Lower and upper end of the 95 % percentile interval of each of `TERMS`: Efron & Tibshirani (1993), An
        Introduction to the Bootstrap, chapter 13.
    """
    pairs = pairs.known()
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(pairs.arm == label) for label in (0, 1)]
    rows = np.hstack([generator.choice(block, (n_draws, len(block))) for block in members])
    common = np.column_stack([pairs.nuisance, pairs.arm])
    drawn: dict[str, list[np.ndarray]] = {term: [] for term in TERMS}
    for region in range(pairs.brain.shape[1]):
        columns = [values[:, region] for values in pairs.columns("active") if values is not None]
        active, reference = _resampled(np.column_stack([*columns, common]), pairs.outcome, rows)[:, :2].T
        pooled = _resampled(np.column_stack([pairs.brain[:, region], common]), pairs.outcome, rows)[:, 0]
        for term, draws in zip(TERMS, (active, reference, pooled, active - reference), strict=True):
            drawn[term].append(np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]))
    return {term: np.transpose(limits) for term, limits in drawn.items()}


def _resampled(design: np.ndarray, outcome: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the least-squares coefficients of each resample, (R, p)."""
    drawn, values = design[rows], outcome[rows][..., None]
    moments = drawn.transpose(0, 2, 1)
    return (np.linalg.pinv(moments @ drawn, hermitian=True) @ (moments @ values))[..., 0]


def association_table(
    pairs: Pairs, regions: list[str], outcome: str, *, n_draws: int = 10_000, n_bootstrap: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Test every term at every region of a family.

    Parameters
    ----------
    pairs : Pairs
    regions : list of str
        Names of the K regions, which are the family.
    outcome : str
    n_draws, n_bootstrap, seed : int, optional

    Returns
    -------
    DataFrame
        Columns as `ASSOCIATION_COLUMNS`, a row per region and term.
    """
    limits = bootstrap_slopes(pairs, n_draws=n_bootstrap, seed=seed)
    numbers = dict(zip(("n_active", "n_reference"), counts(pairs.known().arm), strict=True))
    tables = []
    for term in TERMS:
        found = associate(pairs, term, n_draws=n_draws, seed=seed)
        margin = special.stdtrit(found.df, 0.5 + LEVEL / 2) * found.standard_error
        values = {"region": regions, "outcome": outcome, "term": term, **numbers, **vars(found)}
        values |= {"ci_low": found.slope - margin, "ci_high": found.slope + margin}
        values |= dict(zip(("boot_low", "boot_high"), limits[term], strict=True))
        values["p_holm"] = multipletests(found.p_permutation, method="holm")[1]
        values["correlation"] = _correlation(pairs.known(), term, found)
        values["family"] = f"{TERMS[term]}: {', '.join(regions)}"
        tables.append(pd.DataFrame({**values, "family_size": len(regions)}))
    return pd.concat(tables, ignore_index=True)[list(ASSOCIATION_COLUMNS)]


def _correlation(pairs: Pairs, term: str, found: Slopes) -> np.ndarray | float:
    if term == "interaction":
        return np.nan
    if term == "pooled":
        return found.t / np.sqrt(found.t**2 + found.df)
    members = pairs.arm == (term == "active")
    brain, outcome = (v[members] - v[members].mean(axis=0) for v in (pairs.brain, pairs.outcome[:, None]))
    return (_unit(brain, brain).T @ _unit(outcome, outcome))[:, 0]


def leave_one_out(maps: np.ndarray, select: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Give each participant's value in a region that was chosen without that participant.

    Parameters
    ----------
    maps : (n, V) float ndarray
    select : callable
        From (n,) bool, who may be looked at, to (V,) bool, the region; it must not look at the others.

    Returns
    -------
    (n,) float64 ndarray
        NaN where no region was found.

    Notes
    -----
    A region that is chosen because its values go along with an outcome goes along with it in the same data by
    construction: Kriegeskorte et al. (2009), doi:10.1038/nn.2303; Esterman et al. (2010),
    NeuroImage 50:572.

    Examples
    --------
    >>> maps = np.array([[1.0, 9.0], [2.0, 8.0], [3.0, 7.0]])
    >>> leave_one_out(maps, lambda kept: maps[kept].mean(axis=0) > 5)
    array([9., 8., 7.])
    """
    values = np.full(len(maps), np.nan)
    for participant in range(len(maps)):
        kept = np.arange(len(maps)) != participant
        region = select(kept)
        if region.any():
            values[participant] = maps[participant, region].mean()
    return values
