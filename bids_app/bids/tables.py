"""Tables as people have them: tabs or not, marks of Windows, decimal commas. Every leniency is said."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.findings import Finding, say_all
from bids_app.bids.values import as_text, numbers
from bids_app.errors import DataError
from bids_app.system.small_files import require_table

MISSING = ("n/a", "N/A", "N/a", "n/A", "NA", "NaN", "nan", "NAN", "<NA>", "#N/A", "")  # None may be an arm
LABELS = ("participant_id", "session_id")
PLAIN = re.compile(r"0|-?[1-9]\d{0,14}")  # numbers that are written in one way
WHOLE = re.compile(r"[+-]?\d+(\.0+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
IN_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")  # or a decimal comma before three digits: nobody can tell
SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}


def read_table(path: Path, key: list[str]) -> pd.DataFrame:
    """Read a table of the trial, and log what was read otherwise than it is written.

    Parameters
    ----------
    path : Path
    key : list of str
        Columns that name the rows.

    Returns
    -------
    DataFrame
        Indexed by the key, labels without sub- and ses-. As `tidy` leaves it; what a column means is settled where it
        is used.

    Raises
    ------
    DataError
        It cannot be read, lacks a column of the key, or names a row twice.
    """
    rows, findings = read_rows(path)
    table, more = tidy(rows, str(path))
    say_all((*findings, *more))
    return keyed(table, key, path)


def read_rows(path: Path) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Read the cells of a table as they are written, and say by what they are separated if not by tabs.

    Raises
    ------
    DataError
        It cannot be read, two columns have one name, or a row has more cells than there are columns.
    """
    require_table(path)
    try:
        text = path.read_bytes().decode("utf-8-sig").lstrip("\r\n")
        separator = _separator(text)
        lines = csv.reader(
            io.StringIO(text, newline=None), delimiter=separator, strict=True, skipinitialspace=separator != "\t"
        )
        heads, *rows = (line for line in lines if line) if text else ([],)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
    heads = [head.strip() for head in heads]
    if not any(heads):
        raise DataError(f"{path} cannot be read as a table: it is empty.")
    findings: tuple[Finding, ...] = ()
    if separator != "\t":
        text = f"{path} is separated by {SEPARATORS[separator]}; BIDS wants tabs. It is read as it is."
        findings = (Finding("Values", text, warning=True),)
    return _frame(heads, rows, path), findings


def _separator(text: str) -> str:
    """Return what separates the columns of the first line: a tab wherever there is one."""
    first = next(iter(text.splitlines()), "")
    return next((mark for mark in ("\t", ";", ",") if mark in first), "\t")


def _frame(heads: Sequence[str], rows: Sequence[Sequence[str]], path: Path) -> pd.DataFrame:
    """Return the cells as a table; cells beyond the heads, and heads without a name, must be empty."""
    width = len(heads)
    for number, row in enumerate(rows, start=2):
        if any(map(str.strip, row[width:])):
            raise DataError(
                f"{path}: row {number} has {len(row)} cells, but there are {width} columns: {', '.join(heads)}."
            )
    cells = [[*row[:width], *[""] * (width - len(row))] for row in rows if any(map(str.strip, row))]
    table = pd.DataFrame(cells, columns=range(width), dtype=object)
    named = [place for place, head in enumerate(heads) if head or table[place].astype(bool).any()]
    names = [heads[place] or f"column {place + 1}" for place in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path}: more than one column is called {', '.join(twice)}; rename one.")
    return table[named].set_axis(names, axis="columns")


def tidy(table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Write the values of each column in one way: what is missing, decimal commas, whole numbers.

    Parameters
    ----------
    table : DataFrame of str
    name : str
        Of the table, for people.

    Returns
    -------
    DataFrame
        What is missing is NaN. A column is of numbers where that loses nothing of its words; else they stay as they
        are written, such as TRUE and 01.
    tuple of Finding

    Examples
    --------
    >>> table, (finding,) = tidy(pd.DataFrame({"bmi": ["19,8", "21,75", "n/a"], "arm": ["1.0", "0.0", "1.0"]}), "x.tsv")
    >>> table["bmi"].tolist(), table["arm"].tolist()
    ([19.8, 21.75, nan], [1, 0, 1])
    >>> finding.text
    'x.tsv: decimal commas are read as points in bmi.'
    """
    values = table.astype(object).where(table.notna(), "").astype(object)
    columns: dict[Any, pd.Series] = {}
    commas: list[str] = []
    blanks: list[str] = []
    for column in values:
        written = values[column]
        words = pd.Series([word.strip() for word in written], index=written.index)
        blanks += _blanks(str(column), written, words)
        words = words.mask(words.isin(MISSING), np.nan)
        if column not in LABELS and not _says_no_number(words):
            read = _whole(_with_points(words))
            if _has_commas(words) and not _has_commas(read):
                commas.append(str(column))
            words = _plain(read)
        columns[column] = words
    said = [f"decimal commas are read as points in {', '.join(commas)}"] if commas else []
    said += [f"blanks around words are left out, {', '.join(blanks)}"] if blanks else []
    findings = tuple(Finding("Values", f"{name}: {text}.", warning=True) for text in said)
    return pd.DataFrame(columns, index=table.index, columns=table.columns), findings


def _blanks(column: str, written: pd.Series, words: pd.Series) -> Iterator[str]:
    """Yield words that are there with and without blanks around them."""
    if written.tolist() == words.tolist():
        return
    changed = written[(written != words) & ~words.isin(MISSING)]
    for word in dict.fromkeys(changed):
        if (written == word.strip()).any():
            yield f"{column} {word!r} is {word.strip()!r}"


def _says_no_number(words: pd.Series) -> bool:
    """Say at once that a column is of words: tables have thousands of columns."""
    known = {word for word in words.tolist() if isinstance(word, str)}
    return bool(known) and not any(character.isdigit() for word in known for character in word)


def _holds(words: pd.Series, character: str) -> bool:
    """Say at once whether any word holds a character, before a column is read by patterns."""
    return any(character in word for word in words.tolist() if isinstance(word, str))


def _has_commas(words: pd.Series) -> bool:
    if not _holds(words, ","):
        return False
    known = words.dropna()
    return len(known) > 0 and bool(known.str.fullmatch(DECIMAL_COMMA).any())


def _with_points(words: pd.Series) -> pd.Series:
    """Read decimal commas as points where the whole column is of numbers, and no comma can part thousands."""
    if not _holds(words, ","):
        return words
    known = words.dropna()
    commas = known[known.str.contains(",", regex=False)]
    numbers = known.str.fullmatch(rf"{WHOLE.pattern}|{DECIMAL_COMMA.pattern}") & ~known.str.contains(".", regex=False)
    if not len(commas) or not numbers.all() or commas.str.fullmatch(IN_THOUSANDS).all():
        return words
    return words.str.replace(",", ".", regex=False)


def _whole(words: pd.Series) -> pd.Series:
    """Write 1.0 as 1 where all numbers of the column are whole: software writes it so beside a missing value."""
    if not _holds(words, "."):
        return words
    numbers = words[words.str.fullmatch(r"[+-]?\d+\.\d+", na=False)] if words.notna().any() else words[:0]
    if not len(numbers) or not numbers.str.fullmatch(WHOLE).all():
        return words
    return words.mask(words.isin(numbers), words.str.replace(r"\.0+$", "", regex=True))


def _plain(words: pd.Series) -> pd.Series:
    """Return words as the numbers that they are the plain form of, if all are."""
    cells = words.tolist()
    if all(isinstance(word, str) and PLAIN.fullmatch(word) for word in cells):
        return words.astype("int64")
    read = numbers(words)
    if read.notna().all() and words.str.fullmatch(r"-?\d+").all():
        read = read.astype("int64") if read.abs().max() < 2**53 else read
    same = (read.map(as_text, na_action="ignore") == words) | (read % 1 > 0) | words.isna()
    return read if same.all() else words


def keyed(table: pd.DataFrame, key: list[str], path: Path) -> pd.DataFrame:
    """Name the rows of a table by its key, as `read_table`."""
    if missing := [column for column in key if column not in table]:
        raise DataError(f"{path}: no column {', '.join(missing)}; there are {', '.join(map(str, table.columns))}.")
    for column, prefix in (("participant_id", "sub-"), ("session_id", "ses-")):
        if column in table:
            words = table[column].astype(object).where(table[column].notna(), "n/a")
            table[column] = words.astype(str).str.strip().str.removeprefix(prefix)
    if key == ["participant_id"] and "session_id" in table:
        return table.set_index(key)
    if table.duplicated(key).any():
        twice = table.loc[table.duplicated(key), key].astype(str).agg(" ".join, axis=1)
        raise DataError(f"{path}: more than one row for {', '.join(twice[:5])}.")
    return table.set_index(key)
