"""The objectives of the plan after the run: planned, done, found, and which of them are confirmed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.files import save_described
from bids_app.bids.result_names import OBJECTIVES
from bids_app.group.first_used import first_used
from bids_app.group.objective_results import Result, gives, result_of
from bids_app.group.targets import GroupRun, TrialScans
from bids_app.settings.deviation import Deviation
from bids_app.settings.objectives import CORRECTIONS, Objective
from bids_app.settings.plan import Plan
from bids_app.settings.roles import LISTS, PRECISION
from bids_app.stats.objectives import CORRECTIONS as COMPUTED
from bids_app.trial.events import count_by_arm

COLUMNS = {
    "objective": "Name of the objective, by the plan",
    "role": "Primary or secondary, by the plan",
    "treatment": "Planned: the arm, and what it is compared with",
    "population": "Planned: whom the conclusion is about",
    "endpoint": "Planned: the measure and where, or the clinical outcome, and at which visit",
    "events": "Planned: intercurrent events, and the strategy for each",
    "summary": "Planned: what is estimated",
    "comparison": "Done: what was compared",
    "method": "Done: how it was estimated",
    "events_done": "Done: what the analysis does about each intercurrent event",
    "events_counted": "Participants of each arm who had each event by the visit, as the column of the plan says",
    "n": "Participants in the result",
    "estimate": "Difference, in the units of the endpoint; n/a where an objective is about every node",
    "ci_low": "Lower end of the 95 % confidence interval, of this difference alone",
    "ci_high": "Upper end",
    "result": "What was found, in words",
    "p": "Two-sided p of the objective by itself, as which_p says",
    "which_p": "What p is of, and corrected over what within the objective",
    "p_objectives": "p corrected over the objectives, as the plan says; an objective that was not analysed as planned "
    "counts as 1, so that it can hold back those after it",
    "confirmed": "yes: analysed as planned, and p_objectives is alpha or less; no; or not as planned",
    "departures": "Why it was not analysed as planned",
}
YES, NO, NOT_PLANNED = "yes", "no", "not as planned"
ONE = "one objective, judged by its own p"


def write_objectives(trial: TrialScans, runs: Sequence[GroupRun]) -> Path | None:
    """Write the objectives of the plan, what came of each, and which are confirmed.

    Parameters
    ----------
    trial : TrialScans
    runs : list of GroupRun
        Of each comparison, whose files are written.

    Returns
    -------
    Path or None
        None where no plan says objectives.
    """
    plan, alpha = trial.settings.trial.plan, runs[0].settings.trial.alpha
    if plan is None or not plan.objectives:
        return None
    folder = trial.settings.group_dir
    used = first_used(trial.settings.output_dir, plan.sha256)
    found = [result_of(one, runs, folder) for one in plan.objectives]
    both = list(zip(plan.objectives, found, strict=True))
    lacking = [Deviation("objective", one.name, of.lacks) for one, of in both if of.lacks]
    general = [*_departed(runs), *([used.text] if used.late else [])]
    why = [[*general, *_own(one, of)] for one, of in both]
    p = over_objectives(plan, [np.nan if one else of.p for one, of in zip(why, found, strict=True)])
    rows = [
        _row(one, of, departures, float(corrected), alpha) | {"events_counted": counted_events(one, of, trial, runs)}
        for one, of, departures, corrected in zip(plan.objectives, found, why, p, strict=True)
    ]
    runs[0].notes.undecided(lacking)  # so that the log and the exit code know
    path = folder / OBJECTIVES
    about = {"Objectives": [one.record for one in plan.objectives], "Alpha": alpha, "PlanWritten": used.record}
    save_described(path, pd.DataFrame(rows, columns=list(COLUMNS)), COLUMNS, Correction=correction_text(plan), **about)
    return path


def counted_events(one: Objective, found: Result, trial: TrialScans, runs: Sequence[GroupRun]) -> str:
    """Say how many of each arm had the events of an objective by its visit, where the plan names a column."""
    run = next((run for run in runs if run.design.comparison == found.comparison), None)
    if run is None:
        return ""
    return "; ".join(
        f"{event.name}: {count_by_arm(trial.events.by[str(event.column)], run.tables, run.design)}"
        for event in one.events
        if event.column in trial.events.by
    )


def over_objectives(plan: Plan, p: Sequence[float]) -> np.ndarray:
    """Return p corrected over the objectives of a plan; one that is not known counts as 1."""
    if len(p) == 1:
        return np.where(np.isnan(p), 1.0, p)
    primary = np.array([one.role == "primary" for one in plan.objectives])
    return COMPUTED[str(plan.protocol.correction)](np.asarray(p, dtype=float), primary)


def correction_text(plan: Plan) -> str:
    """Say how p is corrected over the objectives of a plan."""
    return ONE if len(plan.objectives) == 1 else CORRECTIONS[str(plan.protocol.correction)]


def _departed(runs: Sequence[GroupRun]) -> Iterator[str]:
    """Yield where all of the analysis departs from the plan in what changes the question."""
    found: list[Deviation] = [one for run in runs for one in (*run.settings.trial.departed, *run.notes.departed)]
    for text in dict.fromkeys(one.text for one in found if one.what not in (*PRECISION, *LISTS)):
        yield f"the analysis departs from the plan ({text})"


def _own(one: Objective, found: Result) -> Iterator[str]:
    """Yield where an objective was not analysed as planned."""
    if found.lacks:
        yield found.lacks
        return
    if np.isnan(found.p):
        yield "it could not be estimated"
    if one.estimator not in (None, found.method):
        yield f"planned by {one.estimator}, done by {found.method}"
    if not gives(one, found):
        yield f"{one.summary} is planned, which {found.method} does not estimate"
    yield from (f"{event.name}: {event.strategy} is planned, {event.done}" for event in one.events if event.departs)


def _row(one: Objective, found: Result, departures: Sequence[str], corrected: float, alpha: float) -> dict[str, Any]:
    planned = one.attributes
    return {
        "objective": one.name,
        "role": one.role,
        "treatment": planned["Treatment"],
        "population": planned["Population"],
        "endpoint": planned["Endpoint"],
        "events": planned["Intercurrent events"],
        "summary": planned["Summary"],
        "comparison": found.comparison,
        "method": found.method,
        "events_done": "; ".join(f"{event.name}: {event.done}" for event in one.events),
        "n": found.n,
        "estimate": found.estimate,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "result": found.text,
        "p": found.p,
        "which_p": found.which_p,
        "p_objectives": corrected,
        "confirmed": NOT_PLANNED if departures else YES if corrected <= alpha else NO,
        "departures": "; ".join(departures),
    }
