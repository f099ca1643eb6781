"""The trial's tables: what participants.tsv, sessions.tsv and phenotype/ say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.tables import keyed, read_rows, tidy
from bids_app.bids.values import Codebook, as_text
from bids_app.errors import DataError, MissingInputError
from bids_app.trial.codebook import codebook_of, levels_of, read_codebook, without_codes
from bids_app.trial.moments import read_moments

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

    @property
    def times(self) -> dict[tuple[str, str], float]:
        """When each visit was, ns, by participant and session; none whose acq_time cannot be read."""
        if self.moments is None:
            return {}
        times = read_moments(self.moments)[0].dropna()
        return {(str(key[0]), str(key[1])): float(time.value) for key, time in zip(times.index, times, strict=True)}

    def codebook(self, name: str) -> Codebook:
        """Return what is known of a column's values, as `values.Codebook`."""
        return codebook_of({"Levels": self.levels.get(name), "Units": name in self.units})


def read_tables(bids_dir: Path, everyone: Iterable[str] = ()) -> Tables:
    """Read the trial's tables.

    Parameters
    ----------
    bids_dir : Path
    everyone : iterable of str, optional
        Who there is where no participants.tsv says so, if that can do without.

    Raises
    ------
    MissingInputError
        There is no participants.tsv, and nobody is named.
    DataError
        A table cannot be read, lacks its key, or two tables disagree.
    """
    path = bids_dir / PARTICIPANTS
    there = sorted(set(everyone))
    if not path.exists() and not there:
        raise MissingInputError(
            f"{path} does not exist: the group level needs to know who was in which arm. Where everybody is one group "
            "it needs no table: --design one-group tests how everyone changes, or describes one visit."
        )
    participants, described, findings = _read(path, ["participant_id"]) if path.exists() else _scanned(there)
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


def _scanned(everyone: Sequence[str]) -> tuple[pd.DataFrame, dict[str, dict[str, Any]], list[Finding]]:
    """Return the participants as `_read`, without a table: those who were scanned."""
    text = f"There is no {PARTICIPANTS}: the group is the {len(everyone)} who were scanned."
    table = pd.DataFrame(index=pd.Index(list(everyone), name="participant_id"))
    return table, {}, [Finding("Tables", text, warning=True)]


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
