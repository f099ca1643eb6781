"""What the JSON files beside the tables say of their columns: units, levels, and codes for missing values."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.tables import MISSING
from bids_app.bids.values import Codebook, match, people
from bids_app.system.small_files import read_json

MISSING_KEYS = ("MissingValues", "MissingValue", "missingValues", "MissingCodes")
MOST_SAID = 12
_NOUN = r"(values?|data|answers?|scores?|responses?|codes?|observations?|items?|information)"
_NOT = (
    r"not (available|applicable|done|known|assessed|recorded|collected|reported|measured|administered|obtained|tested|"
    r"asked|given|answered|stated|specified)"
)
_MEANS_MISSING = re.compile(
    rf"(value |data |code for |coded as )?(missing|missed|unknown|unavailable|unspecified|unreported|skipped|invalid|"
    rf"{_NOT}|no {_NOUN}|n/?a|n\.a\.?|nan|null|don'?t know|do not know|refused|declined|"
    rf"(prefers? not|refused|declined) to (say|answer|respond))( {_NOUN})?\s*([,;:(/.\-].*)?",
    re.IGNORECASE,
)


def means_missing(meaning: object) -> bool:
    """Say whether the description of a level is of a value that is not there.

    Examples
    --------
    >>> [means_missing(text) for text in ("Missing", "not done (no show)", "unknown aetiology", "no response", "none")]
    [True, True, False, True, False]
    """
    return _MEANS_MISSING.fullmatch(" ".join(str(meaning).split())) is not None


def read_codebook(path: Path) -> dict[str, dict[str, Any]]:
    """Read what a JSON file says of each column, as it stands there; nothing if there is no such file.

    Raises
    ------
    DataError
        As `small_files.read_json`: it is no file, no JSON, or no object.
    """
    if not path.exists():
        return {}
    columns = read_json(path, must="must describe the columns by their names, as an object")
    return {name: column for name, column in columns.items() if isinstance(column, dict)}


def meaning_of(level: object) -> str:
    """Return what a level of a sidecar means: its text, or the description in it."""
    described = level.get("Description") or level.get("LongName") or "" if isinstance(level, dict) else level
    return "" if described is None else " ".join(str(described).split())


def levels_of(column: Mapping[str, Any]) -> dict[str, str]:
    """Return code and meaning of the levels of a column, if they are described."""
    levels = column.get("Levels")
    return {str(code): meaning_of(level) for code, level in levels.items()} if isinstance(levels, dict) else {}


def missing_codes(column: Mapping[str, Any]) -> dict[str, str]:
    """Return the codes that a sidecar declares to be of missing values, with what it says of them.

    Examples
    --------
    >>> missing_codes({"Levels": {"1": "yes", "-99": {"Description": "Not done"}}, "MissingValues": [999]})
    {'-99': 'Not done', '999': 'MissingValues'}
    """
    codes = {code: meaning for code, meaning in levels_of(column).items() if means_missing(meaning)}
    for key in MISSING_KEYS:
        listed = column.get(key, [])
        for code in listed if isinstance(listed, list) else [listed]:
            codes[str(code)] = key
    return codes


def codebook_of(column: Mapping[str, Any]) -> Codebook:
    """Return what a sidecar says of a column's values, without those that are missing."""
    codes = missing_codes(column)
    levels = {code: text for code, text in levels_of(column).items() if code not in codes and code not in MISSING}
    return Codebook(levels, bool(column.get("Units")))


def without_codes(
    table: pd.DataFrame, columns: Mapping[str, Mapping[str, Any]], source: str
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Take the codes that are declared as missing out of a table.

    Parameters
    ----------
    table : DataFrame of str
    columns : dict of dict
        As from `read_codebook`.
    source : str
        Which file declares them, for people.

    Returns
    -------
    DataFrame
    tuple of Finding
    """
    said, table = [], table.copy()
    for name in [name for name in table.columns if name in columns]:
        codes = missing_codes(columns[name])
        found = table[name].map(lambda value, codes=codes: match(value, codes), na_action="ignore")
        for code, labels in found.dropna().groupby(found.dropna()).groups.items():
            said.append(f"{name} {code!r} is {codes[str(code)]!r} ({people(list(labels))})")
        table[name] = table[name].mask(found.notna(), np.nan)
    listed = "; ".join(said[:MOST_SAID]) + (f" and {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else "")
    text = f"{source} declares codes for missing values; they are missing in every use: {listed}."
    return table, (Finding("Values", text),) if said else ()
