"""The trial's tables: who was randomized to what, which visit came when, and who can be compared."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.tables import keyed, read_rows, tidy
from bids_app.bids.values import Codebook, as_text
from bids_app.errors import DataError, MissingInputError, UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.arms import find_arms
from bids_app.trial.codebook import codebook_of, levels_of, read_codebook, without_codes
from bids_app.trial.keys import unmatched
from bids_app.trial.visits import Order, order_of

PARTICIPANTS = "participants.tsv"


@dataclass(frozen=True)
class Tables:
    """What participants.tsv, sessions.tsv and phenotype/ say.

    Attributes
    ----------
    participants : DataFrame
        Text, indexed by participant without sub-; phenotype columns joined to it. Where a column is used it is
        settled what its words mean: `bids_app.bids.values`.
    sessions : DataFrame
        The same per visit, indexed by participant and session, in the order of the files.
    levels : dict
        For a column of any table, what the JSON file beside it says of its levels.
    findings : tuple of Finding
        What the tables were taken to mean.
    units : frozenset of str
        Columns that have units.
    logged : tuple of (str, str)
        Participant and session of each row of sub-*_sessions.tsv, in the order of the files.
    moments : Series of str or None
        ``acq_time`` by participant and session, of sub-*_sessions.tsv or else of sub-*_scans.tsv.
    """

    participants: pd.DataFrame
    sessions: pd.DataFrame
    levels: dict[str, dict[str, Any]]
    findings: tuple[Finding, ...] = ()
    units: frozenset[str] = frozenset()
    logged: tuple[tuple[str, str], ...] = ()
    moments: pd.Series | None = None

    def codebook(self, name: str) -> Codebook:
        """Return what is known of a column's values, as `values.Codebook`."""
        return codebook_of({"Levels": self.levels.get(name), "Units": name in self.units})


@dataclass(frozen=True)
class Design:
    """Which arm is compared with which, from which visit to which, and by what evidence these were found."""

    arm_column: str
    active: str
    reference: str
    baseline: str
    followup: str
    findings: tuple[Finding, ...] = ()

    @property
    def contrast(self) -> str:
        """The direction of every difference, for people."""
        return f"{self.active} − {self.reference}"


def read_tables(bids_dir: Path) -> Tables:
    """Read the trial's tables.

    Raises
    ------
    MissingInputError
        There is no participants.tsv.
    DataError
        A table cannot be read, lacks its key, or two tables disagree.
    """
    path = bids_dir / PARTICIPANTS
    if not path.exists():
        raise MissingInputError(f"{path} does not exist: the group level needs to know who was in which arm.")
    participants, described, findings = _read(path, ["participant_id"])
    sessions, of_sessions, more = _sessions(bids_dir)
    logged, moments = tuple(sessions.index), _moments(bids_dir, sessions)
    described, findings = of_sessions | described, [*findings, *more]
    for path in sorted((bids_dir / "phenotype").glob("*.tsv")):
        table, columns, more = _read(path, ["participant_id"])
        described, findings = columns | described, [*findings, *more]
        if "session_id" in table:
            table = keyed(table.reset_index(), ["participant_id", "session_id"], path)
            visits = sessions.index.append(table.index.difference(sessions.index, sort=False))
            sessions = _joined(sessions.reindex(visits), table, path)
        else:
            participants = _joined(participants, table, path)
    levels = {name: column["Levels"] for name, column in described.items() if levels_of(column)}
    units = frozenset(name for name, column in described.items() if column.get("Units"))
    return Tables(participants, sessions, levels, tuple(findings), units, logged, moments)


def _moments(bids_dir: Path, sessions: pd.DataFrame) -> pd.Series | None:
    """Return when each visit was, as it is written: acq_time of sessions.tsv, else of the first functional scan."""
    if "acq_time" in sessions and sessions["acq_time"].notna().any():
        return sessions["acq_time"].map(as_text, na_action="ignore")
    found = {}
    for path in sorted(bids_dir.glob("sub-*/ses-*/sub-*_scans.tsv")):
        rows, _ = read_rows(path)
        if {"filename", "acq_time"} <= set(rows):
            functional = rows.loc[rows["filename"].str.contains("func/", regex=False), "acq_time"]
            known = functional[functional != "n/a"]
            if len(known):
                found[tuple(part.partition("-")[2] for part in path.parts[-3:-1])] = known.iloc[0]
    return pd.Series(found, dtype=object) if found else None


def _read(path: Path, key: list[str]) -> tuple[pd.DataFrame, dict[str, dict[str, Any]], list[Finding]]:
    """Return a table, what the JSON file beside it says of its columns, and what was found in reading it."""
    rows, findings = read_rows(path)
    table, more = tidy(rows, path.name)
    columns = read_codebook(path.with_suffix(".json"))
    table, declared = without_codes(keyed(table, key, path), columns, path.with_suffix(".json").name)
    return table, columns, [*findings, *more, *declared]


def _sessions(bids_dir: Path) -> tuple[pd.DataFrame, dict[str, dict[str, Any]], list[Finding]]:
    """Return the visits of everyone as `_read`: each column is read as a whole, over all participants' files."""
    tables, columns = [], read_codebook(bids_dir / "sessions.json")
    findings: list[Finding] = []
    for path in sorted(bids_dir.glob("sub-*/sub-*_sessions.tsv")):
        rows, found = read_rows(path)
        table = keyed(rows, ["session_id"], path).reset_index()
        tables.append(table.assign(participant_id=path.parent.name.removeprefix("sub-")))
        columns |= read_codebook(path.with_suffix(".json"))
        findings += found
    if not tables:
        index = pd.MultiIndex.from_arrays([[], []], names=["participant_id", "session_id"])
        return pd.DataFrame(index=index), columns, findings
    table, more = tidy(pd.concat(tables), "sessions.tsv")
    table = table.set_index(["participant_id", "session_id"])
    table, declared = without_codes(table, columns, "sessions.json")
    return table, columns, [*findings, *more, *declared]


def _joined(table: pd.DataFrame, more: pd.DataFrame, path: Path) -> pd.DataFrame:
    if both := sorted(set(table.columns) & set(more.columns)):
        raise DataError(f"{path}: the column {', '.join(both)} is in another table too; rename one.")
    return table.join(more, how="left")


def find_design(tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial) -> Design:
    """Settle arms and visits: as told, or found where only one choice makes sense.

    Parameters
    ----------
    tables : Tables
    scanned : set of (str, str)
        Participant and session of every scan.
    trial : settings.Trial

    Returns
    -------
    Design
        With the evidence by which the visits were told apart.

    Raises
    ------
    UsageError
        A choice is open; the message lists what there is.
    DataError
        There are not two arms, or not two visits.
    """
    arms = find_arms(tables, trial)
    baseline, followup, of_visits = find_visits(order_of(scanned, tables.moments, tables.logged), scanned, trial)
    findings = (*arms.findings, *of_visits, *unmatched(tables, scanned))
    return Design(arms.column, arms.active, arms.reference, baseline, followup, findings)


def find_visits(
    order: Order, scanned: Collection[tuple[str, str]], trial: Trial
) -> tuple[str, str, tuple[Finding, ...]]:
    """Settle which session is the baseline and which the follow-up.

    Parameters
    ----------
    order : visits.Order
    scanned : set of (str, str)
    trial : settings.Trial

    Returns
    -------
    baseline, followup : str
    findings : tuple of Finding

    Raises
    ------
    UsageError
        It is not known, or what is said contradicts what is known.
    DataError
        There are not two visits.
    """
    sessions = list(order.sessions) or sorted({session for _, session in scanned})
    given = {"baseline": trial.baseline, "followup": trial.followup}
    for option, session in given.items():
        if session is not None and session not in sessions:
            raise UsageError(
                f"--{option} {session}: no scan of that session; there are {', '.join(sessions) or 'none'}."
            )
    if len(sessions) < 2:
        raise DataError(f"Two visits are needed; there are scans of {', '.join(sessions) or 'no session'}.")
    if given["baseline"] is not None and given["baseline"] == given["followup"]:
        raise UsageError(f"--baseline and --followup are both {trial.baseline}.")
    baseline, followup = _chosen(order, sessions, given)
    doubts = tuple(Finding("Visits", text, warning=True) for text in order.doubts)
    return baseline, followup, (_evidence(order, baseline, followup, given), *doubts)


def _chosen(order: Order, sessions: Sequence[str], given: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return baseline and follow-up: as given, else by the order of two sessions."""
    told = [session for session in given.values() if session is not None]
    if len(told) == 2:
        return tuple(told)
    rest = [session for session in sessions if session not in told]
    if len(rest) + len(told) != 2:
        raise UsageError(f"Sessions are {_listed(sessions)}: choose with --baseline and --followup.{_dates(sessions)}")
    if not told and not order.sessions:
        raise UsageError(
            f"Which visit came first, ses-{sessions[0]} or ses-{sessions[1]}? {order.evidence[0].upper()}"
            f"{order.evidence[1:]}. {' '.join((*order.doubts, 'Say so with --baseline and --followup.'))}"
        )
    chosen = tuple(given[visit] or rest.pop(0) for visit in ("baseline", "followup"))
    if told and order.sessions and order.sessions.index(chosen[0]) > order.sessions.index(chosen[1]):
        option = "baseline" if given["baseline"] else "followup"
        raise UsageError(
            f"--{option} {told[0]} would make ses-{chosen[0]} the baseline and ses-{chosen[1]} the follow-up, but "
            f"ses-{chosen[1]} came first ({order.evidence}). If that is meant, give both --baseline and --followup."
        )
    return chosen


def _evidence(order: Order, baseline: str, followup: str, given: Mapping[str, str | None]) -> Finding:
    """Say by what evidence the visits are told apart."""
    text = f"ses-{baseline} is the baseline and ses-{followup} the follow-up, "
    if None in given.values():
        told = next((f"--{option} says so" for option, session in given.items() if session), None)
        known = order.evidence if order.sessions else "there are no others"
        only = ": nothing else says which came first" if order.weak else ""
        return Finding(
            "Visits", f"{text}because {' and '.join(filter(None, (told, known)))}{only}.", warning=order.weak
        )
    if {baseline, followup} <= set(order.sessions):
        if order.sessions.index(baseline) > order.sessions.index(followup):
            backwards = f"though ses-{followup} came first ({order.evidence}): the differences are backwards in time."
            return Finding("Visits", f"{text}as the command line or the plan says, {backwards}", warning=True)
        return Finding("Visits", f"{text}as the command line or the plan says; {order.evidence} too.")
    return Finding("Visits", f"{text}as the command line or the plan says; no other evidence was found.")


def _listed(sessions: Sequence[str], most: int = 12) -> str:
    return ", ".join(sessions[:most]) + (f" and {len(sessions) - most} more" if len(sessions) > most else "")


def _dates(sessions: Sequence[str]) -> str:
    """Say what to do where every session is named by its date: the same visit then has another label for everyone."""
    if not all(re.fullmatch(r"(19|20)\d{2}[01]\d[0-3]\d.*", session) for session in sessions):
        return ""
    return (
        " They are named by date. If everyone's dates differ, a visit has no label of its own: give it one in the "
        "preprocessed data (for example ses-baseline and ses-followup for everyone)."
    )
