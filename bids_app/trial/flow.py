"""The flow of participants and scans: who is analysed, and why the others are not."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.names import Name
from bids_app.bids.scans import Scan
from bids_app.bids.values import people
from bids_app.trial.arms import arm_words
from bids_app.trial.design import Design
from bids_app.trial.tables import Tables

MIN_COVERAGE = 0.5
ROUNDING = 1 - 1e-9  # 1350 volumes of 1.4 s are a hair less than 31.5 minutes
VISITS = ("baseline", "followup")
NO_SCAN = "no scan"
EXCLUDED = "scanned, excluded: "
LEFT_OUT = "left out by --participant-label"
Visit = tuple[str, str | None]  # participant and session


@dataclass(frozen=True)
class FailedScan:
    """A scan that the participant level could not process.

    Attributes
    ----------
    participant, session : str
        Labels; the session may be None.
    name : str
        The scan's name for people.
    reason : str
    """

    participant: str
    session: str | None
    name: str
    reason: str


def reasons_by_visit(failed: Iterable[FailedScan]) -> dict[Visit, str]:
    """Return why scans failed, by (participant, session).

    Examples
    --------
    >>> reasons_by_visit([FailedScan("01", "2", "run-1", "Empty."), FailedScan("01", "2", "run-2", "3D")])
    {('01', '2'): 'Empty; 3D'}
    """
    reasons = defaultdict(list)
    for scan in failed:
        reasons[scan.participant, scan.session].append(scan.reason.rstrip("."))
    return {visit: "; ".join(given) for visit, given in reasons.items()}


def by_visit(scans: Iterable[Scan]) -> dict[Visit, list[Scan]]:
    """Group scans by participant and session.

    Parameters
    ----------
    scans : list of scans.Scan

    Returns
    -------
    dict of list
        Keyed by (participant, session).
    """
    visits = defaultdict(list)
    for scan in scans:
        visits[scan.participant, scan.session].append(scan)
    return visits


def weights(scans: Sequence[Scan]) -> np.ndarray:
    """Return the weight of each scan of a visit: its share of the volumes that were kept.

    Examples
    --------
    >>> from bids_app.bids.scans import Scan
    >>> weights([Scan({}, None, {"NumberOfVolumesKept": kept}) for kept in (150, 50)])
    array([0.75, 0.25])
    """
    kept = np.array([scan.facts.volumes.kept for scan in scans], dtype=float)
    return kept / kept.sum()


def participant_flow(
    tables: Tables,
    design: Design,
    visits: Mapping[Visit, Sequence[Scan]],
    failures: Mapping[Visit, str],
    min_minutes: float,
) -> pd.DataFrame:
    """Say for everyone who was randomized or scanned what there is, and whether it can be compared.

    Parameters
    ----------
    tables : design.Tables
    design : design.Design
    visits : dict
        As from `by_visit`.
    failures : dict of str
        For (participant, session), why a scan could not be processed.
    min_minutes : float
        A visit needs so much data.

    Returns
    -------
    DataFrame
        A row per participant: participant_id, arm, per visit the number of scans, volumes and minutes kept,
        mean FD and coverage, whether the participant is analysed, and the reason if not.
    """
    arms, rows = arm_words(tables, design), []
    for participant in sorted({*arms.index, *(participant for participant, _ in visits)}):
        arm = arms.get(participant)
        row = {"participant_id": f"sub-{participant}", "arm": None if pd.isna(arm) else arm}
        reasons = list(no_arm(participant, arms, design))
        for visit, session in design.visits.items():
            scans = visits.get((participant, session), [])
            facts, reason = facts_of_visit(scans, min_minutes)
            if design.treatments:
                row[f"{visit}_session"] = _label_of(scans)
            row |= {f"{visit}_{name}": value for name, value in facts.items()}
            if reason == NO_SCAN and session and (participant, None) in visits:
                reason = f"no scan of ses-{session}; there is one whose name says no session"
            if reason:
                failed = failures.get((participant, session))
                why = f"{reason} (processing failed: {failed})" if failed else reason
                reasons.append(f"{design.called[visit]}: {why}" if design.baseline is not None else why)
        rows.append({**row, "analysed": not reasons, "reason": "; ".join(reasons) or None})
    return pd.DataFrame(rows)


def no_arm(participant: str, arms: pd.Series, design: Design) -> Iterator[str]:
    """Say why a participant is in none of the arms."""
    if participant not in arms.index:
        yield "not in participants.tsv"
    elif pd.isna(arms[participant]):
        yield f"no {design.words.arm} stated"
    elif arms[participant] not in design.arms:
        yield f"{design.words.arm} {arms[participant]!r} is not compared"


def without(flow: pd.DataFrame, chosen: Collection[str]) -> pd.DataFrame:
    """Say of those who were not chosen that an option left them out: they were randomized, and stay in the flow.

    Parameters
    ----------
    flow : DataFrame
        As from `participant_flow`.
    chosen : sequence of str
        Participants without sub-; everyone if empty.

    Returns
    -------
    DataFrame
    """
    if not chosen:
        return flow
    there = flow["participant_id"].str.removeprefix("sub-").isin(chosen)
    return flow.assign(analysed=flow["analysed"] & there, reason=flow["reason"].astype(object).where(there, LEFT_OUT))


def _label_of(scans: Sequence[Scan]) -> str | None:
    """Return the session that the name of a period's scan says."""
    return Name.parse(scans[0].path).entities.get("ses") if scans else None


def facts_of_visit(scans: Sequence[Scan], min_minutes: float) -> tuple[dict[str, float], str | None]:
    """Return what is known of the scans of a visit together, and why they cannot be compared; None if they can."""
    if not scans:
        nothing = dict.fromkeys(("minutes", "mean_fd", "coverage"), np.nan)
        return {"scans": 0, "volumes": 0, **nothing}, NO_SCAN
    minutes = _known([scan.facts.volumes.minutes_kept for scan in scans]).sum()
    unknown = any(scan.facts.volumes.minutes_kept is None for scan in scans)
    facts = {
        "scans": len(scans),
        "volumes": sum(scan.facts.volumes.kept for scan in scans),
        "minutes": np.nan if unknown else minutes,
        "mean_fd": _weighted([scan.facts.volumes.mean_displacement for scan in scans], weights(scans)),
        "coverage": _weighted([scan.facts.quality.coverage for scan in scans], weights(scans)),
    }
    if not unknown and too_little(minutes, min_minutes):
        return facts, f"{EXCLUDED}{minutes:.2f} min of data kept, less than {min_minutes:g}"
    if facts["coverage"] < MIN_COVERAGE:
        covered = f"{facts['coverage']:.0%} of the analysis mask covered, less than {MIN_COVERAGE:.0%}"
        return facts, EXCLUDED + covered
    return facts, None


def too_little(minutes: Any, min_minutes: float) -> Any:
    """Say whether minutes of data, a number or several, are fewer than are needed by more than rounding.

    Examples
    --------
    >>> too_little(1350 * 1.4 / 60, 31.5), too_little(31.49, 31.5), too_little(float("nan"), 31.5)
    (False, True, False)
    """
    return minutes < min_minutes * ROUNDING


def runs_without_motion(
    visits: Mapping[Visit, Sequence[Scan]], design: Design, participants: Iterable[str]
) -> Iterator[Finding]:
    """Say whose mean FD at the first visit is of a part of the runs, because it is not known of the others."""
    unknown, session = [], design.visits[design.first]
    for participant in participants:
        found = [scan.facts.volumes.mean_displacement for scan in visits[participant, session]]
        if 0 < len(_known(found)) < len(found):
            unknown.append(participant)
    if unknown:
        text = (
            f"One of several {'' if design.baseline is None else 'baseline '}scans has no mean framewise displacement; "
            f"the mean is that of the others, weighted by the volumes kept: {people(unknown)}."
        )
        yield Finding("Motion", text, warning=True)


def _is_known(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)


def _known(values: Sequence[object]) -> np.ndarray:
    return np.array([value for value in values if _is_known(value)], dtype=float)


def _weighted(values: Sequence[object], shares: np.ndarray) -> float:
    """Return the mean of the values that are known, by their shares; NaN where none is."""
    there = np.array([_is_known(value) for value in values], dtype=bool)
    return float(_known(values) @ shares[there] / shares[there].sum()) if there.any() else np.nan


def counts(flow: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Count participants and scans per arm at each step.

    Returns
    -------
    DataFrame
        Rows are the steps, columns as the `groups`.
    """
    has = {design.called[visit]: flow[f"{visit}_scans"] > 0 for visit in design.visits}
    steps = {"in participants.tsv or scanned": flow["participant_id"].notna()}
    if len(has) == 1:
        steps["with a scan"] = has["visit"]
    else:
        steps |= {f"with a {visit} scan": there for visit, there in has.items()}
        first, second = has.values()
        steps["with both"] = first & second
    steps["analysed"] = flow["analysed"]
    return pd.DataFrame(
        {
            name: {step: int((rows & members).sum()) for step, rows in steps.items()}
            for name, members in groups(flow, design).items()
        }
    )


def groups(flow: pd.DataFrame, design: Design) -> dict[str, pd.Series]:
    """Say who is in which arm.

    Parameters
    ----------
    flow : DataFrame
        As from `participant_flow`.
    design : design.Design

    Returns
    -------
    dict of Series of bool
        The active arm, the reference arm and, if anyone is there, "other arms" that are not compared and "no arm".
    """
    compared = {design.active: flow["arm"] == design.active, design.reference: flow["arm"] == design.reference}
    rest = {
        f"other {design.words.arms}": flow["arm"].notna() & ~flow["arm"].isin([design.active, design.reference]),
        f"no {design.words.arm}": flow["arm"].isna(),
    }
    return compared | {name: members for name, members in rest.items() if members.any()}
