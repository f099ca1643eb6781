"""The trial's tables: who was randomized to what, which visit came when, and who can be compared."""

import json
import logging
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_app.errors import DataError, MissingInputError, UsageError
from bids_app.findings import Finding
from bids_app.tables import keyed, read_table

logger = logging.getLogger(__name__)

ARM_COLUMNS = (
    *("arm", "study_arm", "treatment_arm", "trial_arm", "group", "treatment", "treatment_group", "trt"),
    *(
        "allocation",
        "assignment",
        "randomization",
        "randomisation",
        "intervention",
        "condition",
        "drug",
        "medication",
    ),
)
REFERENCE_LEVELS = (
    *("placebo", "sham", "control", "controls", "comparator", "saline", "vehicle", "midazolam"),
    *("waitlist", "waiting list", "usual care", "treatment as usual", "tau", "inactive"),
)


@dataclass(frozen=True)
class Tables:
    """What participants.tsv, sessions.tsv and phenotype/ say.

    Attributes
    ----------
    participants : DataFrame
        Text and numbers, indexed by participant without sub-; phenotype columns joined to it.
    sessions : DataFrame
        The same per visit, indexed by participant and session, in the order of the files.
    levels : dict
        For a column of participants.tsv, what participants.json says of its levels.
    findings : tuple of Finding
        What the tables were taken to mean.
    """

    participants: pd.DataFrame
    sessions: pd.DataFrame
    levels: dict[str, dict]
    findings: tuple[Finding, ...] = ()


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
    participants = read_table(path, ["participant_id"])
    sessions = _concatenated([_sessions_of(path) for path in sorted(bids_dir.glob("sub-*/sub-*_sessions.tsv"))])
    for path in sorted((bids_dir / "phenotype").glob("*.tsv")):
        table = read_table(path, ["participant_id"])
        if "session_id" in table:
            table = keyed(table.reset_index(), ["participant_id", "session_id"], path)
            visits = sessions.index.append(table.index.difference(sessions.index, sort=False))
            sessions = _joined(sessions.reindex(visits), table, path)
        else:
            participants = _joined(participants, table, path)
    return Tables(participants, sessions, _levels(bids_dir / "participants.json"))


def _sessions_of(path):
    participant = path.parent.name.removeprefix("sub-")
    table = read_table(path, ["session_id"]).reset_index()
    return table.assign(participant_id=participant).set_index(["participant_id", "session_id"])


def _concatenated(tables):
    if tables:
        return pd.concat(tables)
    return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=["participant_id", "session_id"]))


def _joined(table, more, path):
    if both := sorted(set(table) & set(more)):
        raise DataError(f"{path}: the column {', '.join(both)} is in another table too; rename one.")
    return table.join(more, how="left")


def _levels(path):
    if not path.exists():
        return {}
    try:
        columns = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error}).") from error
    if not isinstance(columns, dict):
        raise DataError(f"{path}: must describe the columns by their names, as an object; it is something else.")
    levels = {name: column.get("Levels") for name, column in columns.items() if isinstance(column, dict)}
    return {name: described for name, described in levels.items() if isinstance(described, dict)}


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
    column = _arm_column(tables.participants, trial.arm)
    active, reference = _arms(tables, column, trial.reference_arm)
    baseline, followup = _visits(tables.sessions, sessions_with_scans, trial)
    design = Design(column, active, reference, baseline, followup)
    logger.info("Arms (column %s): %s compared with %s.", column, active, reference)
    logger.info("Visits: baseline ses-%s, follow-up ses-%s.", baseline, followup)
    return design


def _arm_column(participants, wanted):
    if wanted is not None:
        if wanted not in participants:
            raise UsageError(f"--arm {wanted}: no such column; participants.tsv has {', '.join(participants)}.")
        return wanted
    named = [column for column in participants if column.lower() in ARM_COLUMNS]
    two = [column for column in named if participants[column].nunique() == 2]
    if len(two) == 1:
        return two[0]
    if len(two) > 1:
        raise UsageError(f"Several columns could hold the arm: {', '.join(two)}. Choose with --arm.")
    if periods := _periods(participants):
        raise UsageError(_CROSSOVER.format(columns=", ".join(periods), first=periods[0]))
    if len(named) == 1:
        return named[0]
    levels = [f"{column} ({participants[column].nunique()} values)" for column in participants]
    raise UsageError(
        f"No column of participants.tsv is known to hold the arm; there are {', '.join(levels)}. Choose with --arm."
    )


_CROSSOVER = (
    "This looks like a cross-over trial: {columns} of participants.tsv hold the same two treatments in turn. Two "
    "parallel arms are compared here: give --arm {first}, which compares the first period, with --reference-arm, "
    "--baseline and --followup. The visits of both arms must have the same session labels: where the label says the "
    "treatment (d2, p2), rename the sessions of the first period alike (for example ses-followup) in a copy of the "
    "preprocessed data."
)


def _periods(participants):
    """Return columns that differ by a number in their names alone and hold the same two values."""
    families = {}
    for column in participants:
        values = participants[column].dropna()
        if re.search(r"\d$", column) and values.nunique() == 2:
            stem = re.sub(r"\d+$", "", column)
            families.setdefault((stem, *sorted(map(str, values.unique()))), []).append(column)
    return next((columns for columns in families.values() if len(columns) > 1), [])


def _arms(tables, column, wanted):
    levels = sorted(as_text(value) for value in tables.participants[column].dropna().unique())
    if len(levels) != 2:
        raise DataError(
            f"Column {column} of participants.tsv must hold two arms; "
            f"it holds {len(levels)}: {', '.join(levels) or 'none'}."
        )
    if wanted is None:
        meaning = tables.levels.get(column, {})
        reference = [level for level in levels if {level.lower(), _meant(meaning.get(level))} & set(REFERENCE_LEVELS)]
        if len(reference) != 1:
            raise UsageError(f"Which arm is the reference: {' or '.join(levels)}? Say so with --reference-arm.")
        wanted = reference[0]
    if wanted not in levels:
        raise UsageError(f"--reference-arm {wanted}: column {column} holds {' and '.join(levels)}.")
    return next(level for level in levels if level != wanted), wanted


def as_text(value):
    """Write a value of a table as the level of an arm: 1.0 is 1."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _meant(level):
    return str(level.get("Description", "") if isinstance(level, dict) else level or "").lower()


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
