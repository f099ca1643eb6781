"""The trial's tables: who was randomized to what, which visit came when, and who can be compared."""

import logging
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_app.arms import find_arms
from bids_app.codebook import codebook_of, levels_of, read_codebook, without_codes
from bids_app.errors import DataError, MissingInputError, UsageError
from bids_app.findings import Finding
from bids_app.tables import keyed, read_rows, tidy

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tables:
    """What participants.tsv, sessions.tsv and phenotype/ say.

    Attributes
    ----------
    participants : DataFrame
        Text, indexed by participant without sub-; phenotype columns joined to it. Where a column is used it is
        settled what its words mean: `bids_app.values`.
    sessions : DataFrame
        The same per visit, indexed by participant and session, in the order of the files.
    levels : dict
        For a column of any table, what the JSON file beside it says of its levels.
    findings : tuple of Finding
        What the tables were taken to mean.
    units : frozenset of str
        Columns that have units.
    """

    participants: pd.DataFrame
    sessions: pd.DataFrame
    levels: dict[str, dict]
    findings: tuple[Finding, ...] = ()
    units: frozenset[str] = frozenset()

    def codebook(self, name):
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
    def contrast(self):
        """The direction of every difference, for people."""
        return f"{self.active} − {self.reference}"


def read_tables(bids_dir):
    """Read the trial's tables.

    Raises
    ------
    MissingInputError
        There is no participants.tsv.
    DataError
        A table cannot be read, lacks its key, or two tables disagree.
    """
    path = bids_dir / "participants.tsv"
    if not path.exists():
        raise MissingInputError(f"{path} does not exist: the group level needs to know who was in which arm.")
    participants, described, findings = _read(path, ["participant_id"])
    sessions, of_sessions, more = _sessions(bids_dir)
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
    return Tables(participants, sessions, levels, tuple(findings), units)


def _read(path, key):
    """Return a table, what the JSON file beside it says of its columns, and what was found in reading it."""
    rows, findings = read_rows(path)
    table, more = tidy(rows, path.name)
    columns = read_codebook(path.with_suffix(".json"))
    table, declared = without_codes(keyed(table, key, path), columns, path.with_suffix(".json").name)
    return table, columns, [*findings, *more, *declared]


def _sessions(bids_dir):
    """Return the visits of everyone as `_read`: each column is read as a whole, over all participants' files."""
    tables, columns, findings = [], read_codebook(bids_dir / "sessions.json"), []
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


def _joined(table, more, path):
    if both := sorted(set(table) & set(more)):
        raise DataError(f"{path}: the column {', '.join(both)} is in another table too; rename one.")
    return table.join(more, how="left")


def find_design(tables, sessions_with_scans, trial):
    """Settle arms and visits: as told, or found where only one choice makes sense.

    Parameters
    ----------
    tables : Tables
    sessions_with_scans : set of str
    trial : config.Trial

    Returns
    -------
    Design

    Raises
    ------
    UsageError
        A choice is open; the message lists what there is.
    DataError
        There are not two arms, or not two visits.
    """
    arms = find_arms(tables, trial)
    baseline, followup = _visits(tables.sessions, sessions_with_scans, trial)
    design = Design(arms.column, arms.active, arms.reference, baseline, followup, arms.findings)
    logger.info("Visits: baseline ses-%s, follow-up ses-%s.", baseline, followup)
    return design


def _visits(table, with_scans, trial):
    sessions = _in_order(table, with_scans)
    chosen = {"baseline": trial.baseline, "followup": trial.followup}
    for option, session in chosen.items():
        if session is not None and session not in sessions:
            raise UsageError(
                f"--{option} {session}: no scan of that session; there are {', '.join(sessions) or 'none'}."
            )
    if None in chosen.values():
        rest = [session for session in sessions if session not in chosen.values()]
        if len(sessions) < 2:
            raise DataError(f"Two visits are needed; there are scans of {', '.join(sessions) or 'no session'}.")
        if len(rest) != list(chosen.values()).count(None):
            raise UsageError(
                f"Sessions are {_listed(sessions)}: choose with --baseline and --followup.{_dates(sessions)}"
            )
        chosen = {option: session or rest.pop(0) for option, session in chosen.items()}
    if chosen["baseline"] == chosen["followup"]:
        raise UsageError(f"--baseline and --followup are both {trial.baseline}.")
    return chosen["baseline"], chosen["followup"]


def _listed(sessions, most=12):
    return ", ".join(sessions[:most]) + (f" and {len(sessions) - most} more" if len(sessions) > most else "")


def _dates(sessions):
    """Say what to do where every session is named by its date: the same visit then has another label for everyone."""
    if not all(re.fullmatch(r"(19|20)\d{2}[01]\d[0-3]\d.*", session) for session in sessions):
        return ""
    return (
        " They are named by date. If everyone's dates differ, a visit has no label of its own: give it one in the "
        "preprocessed data (for example ses-baseline and ses-followup for everyone)."
    )


def _in_order(table, with_scans):
    """Order the sessions by acq_time, else as sessions.tsv lists them, else by name with numbers as numbers."""
    by_name = sorted(with_scans, key=_natural)
    times = table["acq_time"] if "acq_time" in table else pd.Series(None, index=table.index, dtype=object)
    times = pd.to_datetime(times.astype(str), errors="coerce", format="ISO8601", utc=True)
    place = _mean_rank(times).reindex(by_name)
    if place.isna().any():
        place = _mean_rank(pd.Series(np.arange(len(table)), index=table.index)).reindex(by_name)
    return sorted(by_name, key=lambda session: (np.isnan(place[session]), place[session]))


def _mean_rank(moments):
    """Return where each session comes among a participant's own, on average: dates may be shifted for each."""
    return moments.groupby("participant_id").rank().groupby("session_id").mean()


def _natural(text):
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", text)]
