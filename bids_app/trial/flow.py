"""The flow of participants and scans: who is analysed, and why the others are not."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.names import Name
from bids_app.bids.scans import Scan
from bids_app.bids.values import people
from bids_app.trial.arms import arm_words
from bids_app.trial.design import Design
from bids_app.trial.summaries import listed
from bids_app.trial.tables import Tables
from bids_app.trial.visit_scans import NO_SCAN, facts_of, known

VISITS = ("baseline", "followup")
AFTER_EVENT = "left out after"  # an intercurrent event
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
        For (participant, session), why a scan could not be processed, or is left out after an intercurrent event.
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
            facts, reason = facts_of(scans, min_minutes)
            if design.own_sessions:
                row[f"{visit}_session"] = _label_of(scans)
            elif (summary := design.summary(visit)) and not summary.needs_all:
                row["baseline_sessions"] = len({scan.part for scan in scans})
            row |= {f"{visit}_{name}": value for name, value in facts.items()}
            if reason == NO_SCAN:
                reason = "; ".join(_absent(participant, visit, design, visits, failures))
            elif reason:
                reason = _failing(reason, failures.get((participant, session)))
            if reason:
                reasons.append(f"{design.called[visit]}: {reason}" if design.baseline is not None else reason)
        rows.append({**row, "analysed": not reasons, "reason": "; ".join(reasons) or None})
    return pd.DataFrame(rows)


def _absent(
    participant: str,
    visit: str,
    design: Design,
    visits: Mapping[Visit, Sequence[Scan]],
    failures: Mapping[Visit, str],
) -> Iterator[str]:
    """Say which scans a visit lacks, and why; of several sessions those that are no visit by themselves."""
    summary, session = design.summary(visit), design.visits[visit]
    for one in summary.sessions if summary else (session,):
        if (participant, one) in visits or (summary and one == design.baseline):
            continue
        reason = f"{NO_SCAN} of ses-{one}" if summary else NO_SCAN
        if one and (participant, None) in visits:
            reason = f"no scan of ses-{one}; there is one whose name says no session"
        yield _failing(reason, failures.get((participant, one)))


def _failing(reason: str, failed: str | None) -> str:
    if failed and failed.startswith(AFTER_EVENT):
        return failed
    return f"{reason} (processing failed: {failed})" if failed else reason


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


def runs_without_motion(
    visits: Mapping[Visit, Sequence[Scan]], design: Design, participants: Iterable[str]
) -> Iterator[Finding]:
    """Say whose mean FD at the first visit is of a part of the runs, because it is not known of the others."""
    unknown, session = [], design.visits[design.first]
    for participant in participants:
        found = [scan.facts.volumes.mean_displacement for scan in visits[participant, session]]
        if 0 < len(known(found)) < len(found):
            unknown.append(participant)
    if unknown:
        text = (
            f"One of several {'' if design.baseline is None else 'baseline '}scans has no mean framewise displacement; "
            f"the mean is that of the others, weighted by the volumes kept: {people(unknown)}."
        )
        yield Finding("Motion", text, warning=True)


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
        steps["with a scan"] = next(iter(has.values()))
    else:
        for visit, called in design.called.items():
            steps[f"with {_scan_of(visit, design)}"] = has[called]
            if (one := design.summary(visit)) and not one.needs_all:
                steps[f"of these with all of {listed(one.sessions)}"] = flow["baseline_sessions"] == len(one.sessions)
        steps["with both" if len(has) == 2 else "with all"] = pd.concat(has, axis=1).all(axis=1)
    steps["analysed"] = flow["analysed"]
    return pd.DataFrame(
        {
            name: {step: int((rows & members).sum()) for step, rows in steps.items()}
            for name, members in groups(flow, design).items()
        }
    )


def _scan_of(visit: str, design: Design) -> str:
    summary = design.summary(visit)
    all_of = summary and summary.needs_all
    return f"scans of {listed(summary.sessions)}" if summary and all_of else f"a {design.called[visit]} scan"


def several_scans(flow: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Say which visits have several scans of a session, by participant."""
    sessions = {visit: len(one.sessions) if (one := design.summary(visit)) else 1 for visit in design.visits}
    return pd.DataFrame({visit: flow[f"{visit}_scans"] > n for visit, n in sessions.items()})


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
    compared = {arm: flow["arm"] == arm for arm in design.compared}
    rest = {
        f"other {design.words.arms}": flow["arm"].notna() & ~flow["arm"].isin(design.compared),
        f"no {design.words.arm}": flow["arm"].isna(),
    }
    return compared | {name: members for name, members in rest.items() if members.any()}
