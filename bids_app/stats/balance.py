"""How alike the arms were before treatment: standardized differences, and no p-values."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

BALANCE_COLUMNS = {
    "variable": "What was measured before randomization",
    "level": "Level of a categorical variable; n/a for numbers",
    "n_active": "Participants of the active arm with a value",
    "n_reference": "Participants of the reference arm with a value",
    "missing_active": "Participants of the active arm without",
    "missing_reference": "Participants of the reference arm without",
    "active": "Mean of the active arm; for a level, its count",
    "active_spread": "Standard deviation; for a level, its share",
    "reference": "Mean of the reference arm; for a level, its count",
    "reference_spread": "Standard deviation; for a level, its share",
    "standardized_difference": "Active minus reference arm in standard deviations; of a variable with several levels "
    "the distance of the arms over all of them, without a sign",
}


def standardized_difference(first: Any, second: Any) -> float:
    r"""Return the difference of two means in standard deviations.

    Parameters
    ----------
    first, second : array-like of float
        NaN are left out; 0 and 1 for a variable of two levels.

    Returns
    -------
    float
        NaN where neither group varies, but differ.

    Notes
    -----
    .. math:: d = \frac{\bar x_1 - \bar x_0}{\sqrt{(s_1^2 + s_0^2) / 2}}

    with :math:`s^2 = p (1 - p)` for shares. No test: of arms that were randomized any difference is by chance;
    Austin (2009), doi:10.1002/sim.3697.

    Examples
    --------
    >>> standardized_difference([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    -1.0
    """
    first, second = (np.asarray(group, dtype=float) for group in (first, second))
    first, second = first[np.isfinite(first)], second[np.isfinite(second)]
    if not (len(first) and len(second)):
        return np.nan
    shares = np.isin(np.concatenate([first, second]), (0, 1)).all()
    if not shares and min(len(first), len(second)) < 2:
        return np.nan
    variances = [group.var(ddof=0 if shares else 1) for group in (first, second)]
    difference = float(first.mean() - second.mean())
    if difference == 0:
        return 0.0
    return difference / sqrt(sum(variances) / 2) if sum(variances) > 0 else np.nan


def category_distance(first: Any, second: Any, levels: Sequence[Any]) -> float:
    r"""Return the distance of two groups over all levels of a variable.

    Parameters
    ----------
    first, second : array-like of labels
    levels : list of labels
        Two give the magnitude of `standardized_difference`.

    Returns
    -------
    float

    Notes
    -----
    .. math:: d = \sqrt{(p_1 - p_0)' S^{-1} (p_1 - p_0)}

    over all levels but the first, S the mean of the two multinomial covariances: Yang & Dalton (2012), SAS Global
    Forum, paper 335.
    """
    if not (len(first) and len(second)):
        return np.nan
    shares = [np.array([np.mean(np.asarray(group) == level) for level in levels[1:]]) for group in (first, second)]
    covariance = sum(np.diag(p) - np.outer(p, p) for p in shares) / 2
    difference = shares[0] - shares[1]
    if not difference.any():
        return 0.0
    if np.linalg.matrix_rank(covariance) < len(difference):
        return np.nan
    return float(np.sqrt(difference @ np.linalg.solve(covariance, difference)))


def standardized_differences(table: pd.DataFrame, arm: npt.ArrayLike) -> pd.DataFrame:
    """Describe what was measured before randomization, for table 1 of the trial's report.

    Parameters
    ----------
    table : DataFrame
        A row per participant; numbers are described by mean and SD, the rest and two-valued numbers by levels.
    arm : (n,) array-like of int
        1 for the active arm, 0 for the reference arm.

    Returns
    -------
    DataFrame
        Columns as `BALANCE_COLUMNS`. The standardized difference of a categorical variable is on its first row;
        of two levels it is that of the first one's share.
    """
    active = np.asarray(arm) == 1
    rows = []
    for name, column in table.items():
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        groups = [column[active].dropna(), column[~active].dropna()]
        sizes = {"n_active": len(groups[0]), "n_reference": len(groups[1])}
        sizes |= {
            "missing_active": active.sum() - len(groups[0]),
            "missing_reference": (~active).sum() - len(groups[1]),
        }
        describe = _of_numbers if numeric and column.nunique() > 2 else _of_levels
        rows += [{"variable": name, **sizes, **row} for row in describe(*groups)]
    return pd.DataFrame(rows, columns=list(BALANCE_COLUMNS))


def _of_numbers(first: pd.Series, second: pd.Series) -> list[dict[str, Any]]:
    described = {"active": first.mean(), "active_spread": first.std()}
    described |= {"reference": second.mean(), "reference_spread": second.std()}
    return [{**described, "standardized_difference": standardized_difference(first, second)}]


def _of_levels(first: pd.Series, second: pd.Series) -> list[dict[str, Any]]:
    first, second = (
        group.map(lambda value: f"{value:g}" if isinstance(value, float) else str(value)) for group in (first, second)
    )
    levels = sorted({*first, *second})
    rows = []
    for level in levels:
        counts = [(group == level).sum() for group in (first, second)]
        shares = [
            count / len(group) if len(group) else np.nan for count, group in zip(counts, (first, second), strict=True)
        ]
        described = {"active": counts[0], "active_spread": shares[0]}
        rows.append({"level": level, **described, "reference": counts[1], "reference_spread": shares[1]})
    if not levels:
        return [{}]
    # Two levels have a direction: that of the level shown first.
    if len(levels) == 2:
        rows[0]["standardized_difference"] = standardized_difference(first == levels[0], second == levels[0])
    else:
        rows[0]["standardized_difference"] = category_distance(first, second, levels)
    return rows
