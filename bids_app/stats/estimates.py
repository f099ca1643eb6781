"""An estimated difference between the arms, with its interval, its p-values and its effect size."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from bids_app.stats.allocation import allocations
from bids_app.stats.effects import hedges
from bids_app.stats.permutation import compare_arms
from bids_app.stats.twovisits import TwoVisits

LEVEL = 0.95
OF_KIND = {  # what a column is beside, of methods whose names begin so
    "estimate": {"ranks": "; for ranks the probability", "proportion": "; for cut-offs the difference of the shares"},
    "t": {"ranks": "; of ranks Brunner and Munzel's"},
    "df": {"mixed": "; of the mixed model by Kenward and Roger, as its standard error"},
    "p": {"proportion": "; for proportions, of the score test whose interval is given"},
}


@dataclass(frozen=True)
class Estimate:
    """Active minus reference arm, by one method; NaN for what the method does not give.

    Attributes
    ----------
    method : str
    n_active, n_reference : int
        Participants that it rests on.
    estimate, standard_error, ci_low, ci_high : float
        In the units of the outcome, unless the method says otherwise; 95 % interval.
    t, df, p : float
        Student's t, its degrees of freedom, and the two-sided p of it or of the method's own test.
    p_hc3 : float
        p by the HC3 standard error, which allows the arms' variances to differ.
    p_rerandomized : float
        p by re-randomization of the arms.
    effect_size, effect_low, effect_high : float
        With its 95 % interval.
    effect_kind : str
        What the effect size is.
    note : str
        What the reader must know.
    """

    method: str
    n_active: int
    n_reference: int
    estimate: float = np.nan
    standard_error: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    t: float = np.nan
    df: float = np.nan
    p: float = np.nan
    p_hc3: float = np.nan
    p_rerandomized: float = np.nan
    effect_size: float = np.nan
    effect_low: float = np.nan
    effect_high: float = np.nan
    effect_kind: str = ""
    note: str = ""


def described(columns: Mapping[str, str], methods: Mapping[str, str], used: Iterable[str]) -> dict[str, str]:
    """Describe the columns of a table of estimates by the methods that are in it, and by no other.

    Parameters
    ----------
    columns : dict of str
        What they are for any method.
    methods : dict of str
        What each method is.
    used : iterable of str
        Those in the table.

    Examples
    --------
    >>> columns = {"estimate": "Difference", "t": "t", "df": "df", "p": "p"}
    >>> methods = {"post": "alone", "ranks": "ranks"}
    >>> described(columns, methods, ["ranks"])["estimate"], described(columns, methods, ["post"])["method"]
    ('Difference; for ranks the probability', 'post: alone')
    """
    there = set(used)
    special = {
        name: columns[name]
        + "".join(text for kind, text in kinds.items() if any(one.startswith(kind) for one in there))
        for name, kinds in OF_KIND.items()
    }
    method = "; ".join(f"{name}: {text}" for name, text in methods.items() if name in there)
    return {**columns, **special, "method": method}


def by_t(
    method: str, counts: tuple[int, int], estimate: float, standard_error: float, df: float, **more: Any
) -> Estimate:
    """Return an `Estimate` with the interval and p of Student's t.

    Examples
    --------
    >>> found = by_t("change", (20, 20), 2.0, 1.0, 38)
    >>> round(found.ci_low, 3), round(found.ci_high, 3), round(found.p, 4)
    (-0.024, 4.024, 0.0527)
    """
    margin = special.stdtrit(df, 0.5 + LEVEL / 2) * standard_error
    t = estimate / standard_error if standard_error > 0 else np.nan
    return Estimate(
        method,
        *counts,
        estimate=float(estimate),
        standard_error=float(standard_error),
        ci_low=float(estimate - margin),
        ci_high=float(estimate + margin),
        t=float(t),
        df=float(df),
        p=two_sided(t, df),
        **more,
    )


def two_sided(t: float, df: float) -> float:
    """Return the two-sided p of Student's t."""
    return float(2 * special.stdtr(df, -np.abs(t)))


def counts(arm: np.ndarray) -> tuple[int, int]:
    """Return the number of participants in the active and in the reference arm."""
    return int(np.sum(arm == 1)), int(np.sum(arm == 0))


def pooled_sd(values: np.ndarray, arm: np.ndarray) -> tuple[float, int]:
    """Return the standard deviation within the arms, pooled.

    Parameters
    ----------
    values : (n,) float ndarray
        NaN are left out.
    arm : (n,) int ndarray

    Returns
    -------
    sd : float
    df : int
        Participants less two.
    """
    groups = [values[(arm == label) & np.isfinite(values)] for label in (0, 1)]
    df = sum(map(len, groups)) - 2
    squares = sum(np.square(group - group.mean()).sum() for group in groups if len(group))
    return (float(np.sqrt(squares / df)), df) if df > 0 else (np.nan, df)


def hedges_g(estimate: float, standard_error: float, df: float, values: np.ndarray, arm: np.ndarray) -> dict[str, Any]:
    r"""Return Hedges' g of an adjusted difference, and its 95 % interval.

    Parameters
    ----------
    estimate, standard_error, df : float
        The adjusted difference.
    values : (n,) float ndarray
        The outcome analysed; g is in units of its SD within the arms, not adjusted for covariates.
    arm : (n,) int ndarray

    Returns
    -------
    dict
        effect_size, effect_low, effect_high and effect_kind, as `Estimate` has them.

    Notes
    -----
    As `effects.hedges`.
    """
    sd, freedom = pooled_sd(values, arm)
    if not sd > 0 or freedom < 2:
        return {"effect_kind": "Hedges g"}
    found = hedges(np.array([estimate]), np.array([standard_error]), df, values[:, None], arm)
    names = ("effect_size", "effect_low", "effect_high")
    return {name: float(value[0]) for name, value in zip(names, found, strict=True)} | {"effect_kind": "Hedges g"}


def rerandomized_p(
    data: TwoVisits,
    outcome: np.ndarray,
    baseline: np.ndarray | None,
    *,
    adjusted: bool = True,
    n_draws: int = 10_000,
    seed: int = 0,
) -> float:
    """Return the two-sided p of the arms' difference when the arms are re-randomized within strata.

    Parameters
    ----------
    data : TwoVisits
        Without missing covariates.
    outcome : (n,) float ndarray
    baseline : (n,) float ndarray or None
        Adjusted for.
    adjusted : bool, optional
        Adjust for strata and covariates too; else the strata bound what is exchanged, and nothing else.

    Returns
    -------
    float
        NaN if no other allocation is possible, or nothing is left to test.
    """
    own = None if baseline is None else baseline[:, None]
    try:
        draws = allocations(data.arm, data.strata, n_draws, seed)
        explained = data.nuisance() if adjusted else np.ones((len(data.arm), 1))
        return float(compare_arms(outcome[:, None], own, explained, draws).p[0])
    except ValueError:
        return np.nan
