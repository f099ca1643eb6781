"""Motion by arm and visit, and how alike the arms were before treatment."""

from collections.abc import Hashable
from typing import Any, cast

import numpy as np
import pandas as pd

from bids_app.bids.files import save_described
from bids_app.errors import DataError
from bids_app.group.targets import GroupRun, Target
from bids_app.group.trial_tables import Scores
from bids_app.stats.balance import BALANCE_COLUMNS, standardized_differences
from bids_app.stats.manyperiods import compare_periods
from bids_app.stats.motion import MEASURES, MOTION_COLUMNS, ONE_GROUP_COLUMNS, compared, described, motion_table
from bids_app.trial.covariates import balance_columns
from bids_app.trial.crossed_values import many_periods
from bids_app.trial.design import BASELINES, Design

DESCRIBING = ("age", "sex", "gender", "education", "handedness", "bmi", "ethnicity", "race")
OF_ONE_GROUP = {
    "variable": "What was measured",
    "level": BALANCE_COLUMNS["level"],
    "n_active": "Participants with a value",
    "missing_active": "Participants without",
    "active": "Mean; for a level, its count",
    "active_spread": BALANCE_COLUMNS["active_spread"],
}


def write_arms(run: GroupRun, target: Target) -> None:
    """Write motion by arm and visit, and how alike the arms were before treatment.

    Parameters
    ----------
    run : targets.GroupRun
    target : targets.Target
    """
    design, notes, name, flow = run.design, run.notes, target.route.name, target.flow
    randomized = flow[flow["arm"].isin(design.compared)]
    arm = (randomized["arm"] == design.active).to_numpy(int)
    with notes.softly(f"Motion of {name}"):
        save_described(run.path(target, "motion"), _motion(randomized, arm, design), _motion_columns(design))
    with notes.softly(f"Balance of {name}"):
        table = _before_treatment(run, randomized)
        path = run.path(target, "balance")
        columns = OF_ONE_GROUP if design.single or design.orders else BALANCE_COLUMNS
        arm = np.ones_like(arm) if design.orders else arm  # everyone is given every treatment, or most
        save_described(path, standardized_differences(table, arm)[list(columns)], columns)


def _motion(flow: pd.DataFrame, arm: np.ndarray, design: Design) -> pd.DataFrame:
    """Compare motion and data kept; groups that nobody randomized differ at the first visit by more than chance."""
    if design.single:
        rows = [
            {"variable": measure, "visit": visit, **described(values, is_change=visit == "change")}
            for measure in MEASURES
            for visit, values in _of_visits(flow, measure, design).items()
        ]
        return pd.DataFrame(rows, columns=list(ONE_GROUP_COLUMNS))
    if design.orders:
        return pd.DataFrame([_between_treatments(flow, one, design) for one in MEASURES], columns=list(MOTION_COLUMNS))
    if design.words.randomized and not design.treatments:
        return motion_table(flow, arm)
    rows = [
        {"variable": measure, "visit": visit, **compared(values, arm == 1)}
        for measure in MEASURES
        for visit, values in _of_visits(flow, measure, design).items()
    ]
    return pd.DataFrame(rows, columns=list(MOTION_COLUMNS))


def _between_treatments(flow: pd.DataFrame, measure: str, design: Design) -> dict[str, Any]:
    """Compare a measure of everyone scanned between two treatments of several, within those who have every period."""
    values = {visit: flow[f"{visit}_{measure}"].to_numpy(float) for visit in list(design.visits)[: design.n_periods]}
    data = many_periods(design, values, flow["arm"].map(design.arms.index).to_numpy(int))
    found = compare_periods(data, "crossover", n_draws=0)
    row = {"measure": measure, "visit": design.contrast, "difference": found.estimate, "p": found.p}
    row |= {"ci_low": found.ci_low, "ci_high": found.ci_high, "standardized_difference": found.effect_size}
    for name, of in zip(("active", "reference"), data.by_treatment, strict=True):
        known = of[np.isfinite(of)]
        row |= {f"n_{name}": len(known), f"mean_{name}": known.mean() if len(known) else np.nan}
        row[f"sd_{name}"] = known.std(ddof=1) if len(known) > 1 else np.nan
    return row


def _of_visits(flow: pd.DataFrame, measure: str, design: Design) -> dict[str, np.ndarray]:
    """Return a measure at each visit and its change; of periods half their difference, of the treatments."""
    values = {visit: flow[f"{visit}_{measure}"].to_numpy(float) for visit in design.visits}
    if design.treatments:
        half = (values["baseline"] - values["followup"]) / 2
        of_periods = {design.called[visit]: of for visit, of in values.items()}
        return of_periods | {f"{design.contrast}, half the difference of the periods": half}
    change = len(values) > 1 and not (design.single and design.is_change)  # a slope's visits hold the first
    return values | ({"change": values["followup"] - values["baseline"]} if change else {})


def _motion_columns(design: Design) -> dict[str, str]:
    if design.single:
        return ONE_GROUP_COLUMNS
    if not design.treatments:
        return MOTION_COLUMNS
    columns = {name: design.words.of(text) for name, text in MOTION_COLUMNS.items()}
    if design.orders:
        told = {"visit": "The treatments that are compared within participants, all periods in the model"}
        more = {"p": "Two-sided p of t, participant and period taken out", "p_rank": "Not made of several periods"}
        return columns | told | more | {"standardized_difference": "Hedges g, over the spread within participants"}
    half = "half the difference of the periods, which compares the treatments within participants"
    visits = f"{', '.join(design.called.values())}, or {half}"
    return columns | {
        "visit": visits,
        "p": "Two-sided p of Welch's t",
        "p_rank": "Two-sided p of Mann and Whitney's test",
    }


def _before_treatment(run: GroupRun, randomized: pd.DataFrame) -> pd.DataFrame:
    trial, tables, scores = run.settings.trial, run.tables, run.scores
    participants = [name.removeprefix("sub-") for name in randomized["participant_id"]]
    described = [name for name in tables.participants if str(name).lower() in DESCRIBING]
    names = dict.fromkeys([*described, *trial.covariates, *trial.strata])
    columns: dict[Hashable, pd.Series | np.ndarray] = {}
    for name in names:
        with run.notes.softly(f"Balance of {name}", DataError):
            columns |= (
                balance_columns(tables, run.design, [str(name)], participants).reset_index(drop=True).to_dict("series")
            )
    for name, data in (scores.outcomes if scores else {}).items():
        if not run.design.treatments and data.baseline is not None:
            baseline = pd.Series(data.baseline, index=cast(Scores, scores).participants)
            columns[f"{name} at baseline"] = baseline.reindex(participants).to_numpy()
    if run.design.has_baselines:
        columns["mean FD at the baseline of period 1, mm"] = randomized[f"{BASELINES[0]}_mean_fd"].to_numpy(float)
    if run.design.treatments:  # no other scan is before treatment
        return pd.DataFrame(columns)
    at = " at baseline" if run.design.baseline is not None else ""
    columns[f"mean FD{at}, mm"] = randomized[f"{run.design.first}_mean_fd"].to_numpy(float)
    return pd.DataFrame(columns)
