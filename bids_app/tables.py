"""Tables as people have them: tabs or not, marks of Windows, decimal commas. Every leniency is said."""

import csv
import io
import logging
import re

import pandas as pd

from bids_app.errors import DataError

logger = logging.getLogger(__name__)

MISSING = ("n/a", "N/A", "NA", "NaN", "nan", "")  # None may be an arm
LABELS = ("participant_id", "session_id")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}


def read_table(path, key):
    """Read a table of the trial.

    Parameters
    ----------
    path : Path
    key : list of str
        Columns that name the rows.

    Returns
    -------
    DataFrame
        Indexed by the key, labels without sub- and ses-.

    Raises
    ------
    DataError
        It cannot be read, lacks a column of the key, or names a row twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        separator = _separator(text)
        table = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            na_values=list(MISSING),
            keep_default_na=False,
            skipinitialspace=separator != "\t",
            dtype=dict.fromkeys(LABELS, str),
        )
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
    if separator != "\t":
        logger.warning("%s is separated by %s; BIDS wants tabs. It is read as it is.", path, SEPARATORS[separator])
    table.columns = [str(column).strip() for column in table.columns]
    return keyed(_numbers(table, path), key, path)


def _separator(text):
    """Return what separates the columns of the first line: a tab wherever there is one."""
    first = text.partition("\n")[0]
    return next((mark for mark in ("\t", ";", ",") if mark in first), "\t")


def _numbers(table, path):
    """Read numbers with decimal commas as numbers."""
    read = []
    for column in table.columns.difference(LABELS, sort=False):
        words = table[column].dropna()
        if not pd.api.types.is_numeric_dtype(words) and words.astype(str).str.fullmatch(DECIMAL_COMMA).any():
            numbers = pd.to_numeric(table[column].astype(str).str.replace(",", ".", regex=False), errors="coerce")
            if numbers.notna().sum() == len(words):
                table[column] = numbers
                read.append(column)
    if read:
        logger.warning("%s: decimal commas are read as points in %s.", path, ", ".join(read))
    return table


def keyed(table, key, path):
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
