"""The flow of participants and scans: who is analysed, and why the others are not."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd

MIN_COVERAGE = 0.5
VISITS = ("baseline", "followup")
LEFT_OUT = "left out by --participant-label"
FLOW_COLUMNS = {
    "participant_id": "Participant",
    "arm": "Arm that the participant was randomized to",
    **{f"{visit}_scans": f"Scans at {visit}" for visit in VISITS},
    **{f"{visit}_volumes": f"Volumes kept at {visit}" for visit in VISITS},
    **{f"{visit}_minutes": f"Minutes of data kept at {visit}" for visit in VISITS},
    **{f"{visit}_mean_fd": f"Mean framewise displacement at {visit}, mm" for visit in VISITS},
    **{f"{visit}_coverage": f"Share of the analysis mask with a signal at {visit}" for visit in VISITS},
    "analysed": "Whether the participant is in the comparison",
    "reason": "Why not",
}


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


def reasons_by_visit(failed):
    """Return why scans failed, by (participant, session).

    Examples
    --------
    >>> reasons_by_visit([FailedScan("01", "2", "run-1", "empty"), FailedScan("01", "2", "run-2", "3D")])
    {('01', '2'): 'empty; 3D'}
    """
    reasons = defaultdict(list)
    for scan in failed:
        reasons[scan.participant, scan.session].append(scan.reason)
    return {visit: "; ".join(given) for visit, given in reasons.items()}


def by_visit(scans):
    """Group scans by participant and session.

    Parameters
    ----------
    scans : list of outputs.Scan

    Returns
    -------
    dict of list
        Keyed by (participant, session).
    """
    visits = defaultdict(list)
    for scan in scans:
        visits[scan.participant, scan.session].append(scan)
    return visits


def weights(scans):
    """Return the weight of each scan of a visit: its share of the volumes that were kept.

    Examples
    --------
    >>> from bids_app.outputs import Scan
    >>> weights([Scan({}, None, {"NumberOfVolumesKept": kept}) for kept in (150, 50)])
    array([0.75, 0.25])
    """
    kept = np.array([scan.sidecar["NumberOfVolumesKept"] for scan in scans], dtype=float)
    return kept / kept.sum()


def participant_flow(tables, design, visits, failures, min_minutes):
    """Say for everyone who was randomized or scanned what there is, and whether it can be compared.

    Parameters
    ----------
    tables : cohort.Tables
    design : cohort.Design
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
    participants = sorted({*tables.participants.index, *(participant for participant, _ in visits)})
    rows = []
    for participant in participants:
        listed = participant in tables.participants.index
        arm = tables.participants[design.arm_column].get(participant) if listed else None
        row = {"participant_id": f"sub-{participant}", "arm": _arm(arm)}
        reasons = [] if listed else ["not in participants.tsv"]
        if listed and pd.isna(arm):
            reasons.append("no arm stated")
        for visit, session in zip(VISITS, (design.baseline, design.followup), strict=True):
            facts, reason = _visit(visits.get((participant, session), []), min_minutes)
            row |= {f"{visit}_{name}": value for name, value in facts.items()}
            if reason:
                failed = failures.get((participant, session))
                why = f"{reason} (processing failed: {failed})" if failed else reason
                reasons.append(f"{visit.replace('up', '-up')}: {why}")
        rows.append({**row, "analysed": not reasons, "reason": "; ".join(reasons) or None})
    return pd.DataFrame(rows)


def without(flow, chosen):
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


def _arm(value):
    return None if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value)


def _visit(scans, min_minutes):
    if not scans:
        nothing = dict.fromkeys(("minutes", "mean_fd", "coverage"), np.nan)
        return {"scans": 0, "volumes": 0, **nothing}, "no scan"
    minutes = _known([scan.sidecar.get("MinutesKept") for scan in scans]).sum()
    unknown = any(scan.sidecar.get("MinutesKept") is None for scan in scans)
    facts = {
        "scans": len(scans),
        "volumes": sum(scan.sidecar["NumberOfVolumesKept"] for scan in scans),
        "minutes": np.nan if unknown else minutes,
        "mean_fd": _weighted([scan.sidecar.get("MeanFramewiseDisplacement") for scan in scans], weights(scans)),
        "coverage": _weighted([scan.sidecar.get("Coverage") for scan in scans], weights(scans)),
    }
    if not unknown and minutes < min_minutes:
        return facts, f"{minutes:.2f} min of data kept, less than {min_minutes:g}"
    if facts["coverage"] < MIN_COVERAGE:
        return facts, f"{facts['coverage']:.0%} of the analysis mask covered, less than {MIN_COVERAGE:.0%}"
    return facts, None


def _known(values):
    return np.array([value for value in values if isinstance(value, (int, float))], dtype=float)


def _weighted(values, shares):
    known = _known(values)
    return float(known @ shares) if len(known) == len(shares) else np.nan


def counts(flow, design):
    """Count participants and scans per arm at each step.

    Returns
    -------
    DataFrame
        Rows are the steps, columns the arms (active first) and, if anyone has none, "no arm".
    """
    steps = {
        "in participants.tsv or scanned": flow["participant_id"].notna(),
        "with a baseline scan": flow["baseline_scans"] > 0,
        "with a follow-up scan": flow["followup_scans"] > 0,
        "with both": (flow["baseline_scans"] > 0) & (flow["followup_scans"] > 0),
        "analysed": flow["analysed"],
    }
    groups = {design.active: flow["arm"] == design.active, design.reference: flow["arm"] == design.reference}
    if flow["arm"].isna().any():
        groups["no arm"] = flow["arm"].isna()
    return pd.DataFrame(
        {arm: {step: int((rows & members).sum()) for step, rows in steps.items()} for arm, members in groups.items()}
    )
