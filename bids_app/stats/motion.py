"""Motion and what it costs, by arm and visit: a difference of the arms in the brain may be one in motion."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import mannwhitneyu, ttest_1samp, ttest_ind, wilcoxon

from bids_app.stats.balance import standardized_difference

MEASURES = {
    "mean_fd": "mean framewise displacement, mm",
    "minutes": "minutes of data kept",
    "coverage": "share of the analysis mask with a signal",
}
MOMENTS = ("baseline", "followup", "change")
MOTION_COLUMNS = {
    "variable": "; ".join(f"{name}: {text}" for name, text in MEASURES.items()),
    "visit": "baseline, followup, or the change from one to the other",
    "n_active": "Participants of the active arm with a value",
    "n_reference": "Participants of the reference arm with a value",
    "mean_active": "Mean of the active arm",
    "sd_active": "Standard deviation of the active arm",
    "mean_reference": "Mean of the reference arm",
    "sd_reference": "Standard deviation of the reference arm",
    "difference": "Active minus reference arm",
    "ci_low": "Lower end of its 95 % confidence interval, after Welch",
    "ci_high": "Upper end of its 95 % confidence interval, after Welch",
    "t": "Welch's t",
    "df": "Welch's degrees of freedom",
    "p": "Two-sided p of Welch's t; none at baseline, where chance alone can make the arms differ",
    "p_rank": "Two-sided p of Mann and Whitney's test; none at baseline",
    "standardized_difference": "Difference over the root of the mean of the arms' variances",
}
ONE_GROUP_COLUMNS = {
    "variable": MOTION_COLUMNS["variable"],
    "visit": MOTION_COLUMNS["visit"],
    "n_active": "Participants with a value",
    "mean_active": "Mean",
    "sd_active": "Standard deviation",
    "ci_low": "Of a change, the lower end of the 95 % confidence interval of its mean, by Student's t",
    "ci_high": "Upper end",
    "t": "Student's t of one sample, of a change",
    "df": "Its degrees of freedom",
    "p": "Two-sided p of t",
    "p_rank": "Two-sided p of Wilcoxon's signed ranks",
}


def motion_table(flow: pd.DataFrame, arm: npt.ArrayLike) -> pd.DataFrame:
    """Compare motion and data kept between the arms, at each visit and in their change.

    Parameters
    ----------
    flow : DataFrame
        A row per participant, columns ``baseline_mean_fd``, ``followup_mean_fd`` and so on for `MEASURES`, as in
        the flow of participants; a measure without columns is left out.
    arm : (n,) array-like of int
        1 for the active arm, 0 for the reference arm.

    Returns
    -------
    DataFrame
        Columns as `MOTION_COLUMNS`. Motion after randomization may be an effect of treatment: the table shows it,
        and adjusting for it would answer another question.
    """
    active = np.asarray(arm) == 1
    rows = []
    for measure in MEASURES:
        columns = [f"{visit}_{measure}" for visit in MOMENTS[:2]]
        if set(columns) <= set(flow):
            baseline, followup = (flow[column].to_numpy(float) for column in columns)
            values = dict(zip(MOMENTS, (baseline, followup, followup - baseline), strict=True))
            for visit, of_visit in values.items():
                row = compared(of_visit, active)
                untested = {"t": np.nan, "p": np.nan, "p_rank": np.nan} if visit == "baseline" else {}
                rows.append({"variable": measure, "visit": visit, **row, **untested})
    return pd.DataFrame(rows, columns=list(MOTION_COLUMNS))


def compared(values: np.ndarray, active: np.ndarray) -> dict[str, Any]:
    """Compare one measure between the arms.

    Parameters
    ----------
    values : (n,) float ndarray
        NaN are left out.
    active : (n,) bool ndarray

    Returns
    -------
    dict
        The numbers of a row of `MOTION_COLUMNS`; NaN where an arm has fewer than two values, or nothing varies.

    Notes
    -----
    Welch (1947), doi:10.1093/biomet/34.1-2.28: the arms' variances may differ. The p are for orientation, and not
    corrected for their number; a small study finds no large difference in motion significant.
    """
    groups = [values[members & np.isfinite(values)] for members in (active, ~active)]
    row: dict[str, Any] = {}
    for name, group in zip(("active", "reference"), groups, strict=True):
        row |= {f"n_{name}": len(group), f"mean_{name}": group.mean() if len(group) else np.nan}
        row[f"sd_{name}"] = group.std(ddof=1) if len(group) > 1 else np.nan
    row["difference"] = row["mean_active"] - row["mean_reference"]
    row["standardized_difference"] = standardized_difference(*groups)
    if min(map(len, groups)) > 1 and row["sd_active"] + row["sd_reference"] > 0:
        welch = ttest_ind(*groups, equal_var=False)
        low, high = welch.confidence_interval(0.95)
        row |= {"ci_low": low, "ci_high": high, "t": welch.statistic, "df": welch.df, "p": welch.pvalue}
        row["p_rank"] = mannwhitneyu(*groups).pvalue
    return row


def described(values: np.ndarray, *, is_change: bool = False) -> dict[str, Any]:
    """Describe one measure of one group, and test whether it changes.

    Parameters
    ----------
    values : (n,) float ndarray
        NaN are left out.
    is_change : bool, optional
        Whether they are changes, whose mean is tested.

    Returns
    -------
    dict
        The numbers of a row of `ONE_GROUP_COLUMNS`.

    Examples
    --------
    >>> row = described(np.array([1.0, 2.0, 3.0]), is_change=True)
    >>> round(float(row["t"]), 3), int(row["df"]), float(row["p_rank"])
    (3.464, 2, 0.25)
    """
    known = values[np.isfinite(values)]
    row: dict[str, Any] = {"n_active": len(known), "mean_active": known.mean() if len(known) else np.nan}
    row["sd_active"] = known.std(ddof=1) if len(known) > 1 else np.nan
    if is_change and len(known) > 1 and row["sd_active"] > 0:
        student = ttest_1samp(known, 0)
        low, high = student.confidence_interval(0.95)
        row |= {"ci_low": low, "ci_high": high, "t": student.statistic, "df": student.df, "p": student.pvalue}
        row["p_rank"] = wilcoxon(known).pvalue
    return row
