"""The table that says which file is of whom and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bids_app.bids.timing import repetition_time
from bids_app.errors import DataError, MissingInputError
from bids_app.importing.meaning import KINDS, SCALES
from bids_app.system.small_files import require_table

NEEDED = ("participant_id", "path")
MAY_BE = ("session", "run", "task", "tr", "variable", "kind", "scale", "part", "index")
ALSO = {"session_id": "session", "ses": "session", "repetition_time": "tr"}  # as tables call them too
CHOICES = {"kind": KINDS, "scale": SCALES}


@dataclass(frozen=True)
class Row:
    """One file of the table.

    Attributes
    ----------
    entities : dict of str
        sub, and ses, task, run where they are said.
    path : Path
    tr : float or None
        Seconds.
    variable, kind, scale, part : str or None
        As `contents.read_content` and `meaning.judge` take them.
    index : int or None
    """

    entities: dict[str, str]
    path: Path
    tr: float | None = None
    variable: str | None = None
    kind: str | None = None
    scale: str | None = None
    part: str | None = None
    index: int | None = None


def read_rows(path: Path, *, task: str, tr: float | None = None, part: str | None = None) -> list[Row]:
    """Read the table of files.

    Parameters
    ----------
    path : Path
        TSV or CSV; paths in it are seen from its folder.
    task : str
        Of rows that name none.
    tr : float, optional
        Seconds, of rows that say none.
    part : str, optional
        Of rows that say none.

    Raises
    ------
    MissingInputError
        There is no table.
    DataError
        A column or a value is missing or unknown, or two rows are of the same scan.
    """
    require_table(path, called=path.name)
    separator = "," if path.suffix == ".csv" else "\t"
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as a table: {error}") from error
    table.columns = pd.Index([ALSO.get(name, name) for name in map(str.strip, map(str, table.columns))])
    heads = [str(name) for name in table.columns]
    if lacking := [name for name in NEEDED if name not in table]:
        raise DataError(f"{path.name} lacks the column {' and '.join(lacking)}; it has {', '.join(heads)}.")
    if unknown := [name for name in heads if name not in (*NEEDED, *MAY_BE)]:
        known = ", ".join((*NEEDED, *MAY_BE))
        raise DataError(f"{path.name}: nothing is known of the column {', '.join(unknown)}; columns are {known}.")
    if table.empty:
        raise DataError(f"{path.name} has no row.")
    rows = [
        _row(path, number, {str(key): _cell(value) for key, value in cells.items()}, task, tr, part)
        for number, cells in enumerate(table.to_dict("records"), start=2)
    ]
    _refuse_repeated(path, rows)
    return rows


def _cell(value: str) -> str:
    return "" if value.strip() == "n/a" else value.strip()


def _row(table: Path, line: int, cells: dict[str, str], task: str, tr: float | None, part: str | None) -> Row:
    where = f"{table.name}, line {line}"
    own = {key: value or None for key, value in cells.items()}
    entities = {
        "sub": (own["participant_id"] or "").removeprefix("sub-"),
        "ses": (own.get("session") or "").removeprefix("ses-"),
        "task": (own.get("task") or task).removeprefix("task-"),
        "run": (own.get("run") or "").removeprefix("run-"),
    }
    entities = {key: value for key, value in entities.items() if value or key == "sub"}
    for key, value in entities.items():
        if not (value.isascii() and value.isalnum()):
            raise DataError(f"{where}: {value!r} cannot be a label of {key}-: letters and digits alone can.")
    for key, choices in CHOICES.items():
        if own.get(key) not in (None, *choices):
            raise DataError(f"{where}: {key} {own[key]!r} is none of {', '.join(choices)}.")
    if own["path"] is None:
        raise DataError(f"{where}: there is no path.")
    path = table.parent / own["path"]
    if not path.exists():
        raise MissingInputError(f"{where}: {own['path']} does not exist, as seen from the folder of the table.")
    said = _number(where, "tr", own.get("tr"))
    seconds = tr if said is None else said
    index = _number(where, "index", own.get("index"))
    return Row(
        entities,
        path,
        None if seconds is None else repetition_time(path.name, seconds, None).seconds,
        own.get("variable"),
        own.get("kind"),
        own.get("scale"),
        own.get("part") or part,
        None if index is None else int(index),
    )


def _number(where: str, column: str, text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        raise DataError(f"{where}: {column} {text!r} is no number.") from None


def _refuse_repeated(path: Path, rows: Iterable[Row]) -> None:
    seen = set()
    for row in rows:
        key = tuple(row.entities.items())
        if key in seen:
            scan = " ".join(f"{name}-{value}" for name, value in key)
            raise DataError(f"{path.name}: two rows are of {scan}. Tell them apart by session, task or run.")
        seen.add(key)
