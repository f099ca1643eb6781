"""What the words of a column mean: numbers, or categories; nothing in between is guessed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_app.errors import DataError

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# A number with something about it that a person reads over: <5, 12 years, 1,234, 5 (?), inf.
NEARLY = re.compile(
    r"[<>≤≥~=≈]*\s*[+\-−]?\s*\d[\d.,' ]*\s*([a-zA-Z%/µ²³]+|\(.*\)|[?*])?|[+-]?inf(inity)?", re.IGNORECASE
)
# Numbers with a comma or several points: nobody names a category so.
GROUPED = re.compile(r"[+\-]?\d+([.,]\d+)+")
LIKELY_CODE = re.compile(r"[+-]?(9{2,}|8{2,}|7{2,})(\.[0789]+)?|-[1789](\.0+)?")
UNKNOWN_WORDS = (
    *("missing", "unknown", "n.a.", "n.a", "none", "null", "-", "--", ".", "?", "not available", "not done"),
    *("not applicable", "not known", "undefined", "nd", "n.d.", "not assessed", "not recorded", "refused"),
)
AT_LEAST_NUMBERS = 2  # two numbers may be codes


@dataclass(frozen=True)
class Codebook:
    """What a sidecar says of one column.

    Attributes
    ----------
    levels : dict of str
        Code to meaning, without the codes of missing values.
    units : bool
        Whether it is said to have units.
    """

    levels: dict[str, str]
    units: bool = False


def numbers(column: pd.Series) -> pd.Series:
    """Return a column as float: NaN where it is missing or no finite number.

    Examples
    --------
    >>> numbers(pd.Series(["12", "1e2", "inf", "12 years", None])).tolist()
    [12.0, 100.0, nan, nan, nan]
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype(float).where(np.isfinite(column.astype(float)))
    words = column.map(str, na_action="ignore").astype(object)
    known = words.map(lambda word: isinstance(word, str) and bool(NUMBER.fullmatch(word))).astype(bool)
    read = pd.to_numeric(words.where(known), errors="coerce").astype(float)
    return read.where(np.isfinite(read))


def all_numbers(column: pd.Series, name: str) -> pd.Series:
    """Return a column that must be of numbers.

    Parameters
    ----------
    column : Series
        Indexed by participant, or by participant and session.
    name : str
        What it is, for people: "Covariate age".

    Raises
    ------
    DataError
        A value is something else; the message says whose.
    """
    read = numbers(column)
    if (wrong := column[read.isna() & column.notna()]).size:
        first, n = str(wrong.iloc[0]), wrong.size
        listed = ", ".join(f"{str(value)!r} of {who(label)}" for label, value in wrong.iloc[:5].items())
        listed += f" and {n - 5} more" if n > 5 else ""
        raise DataError(
            f"{name}: {first!r} is not a number ({counted(n, 'such value')}): {listed}. Correct that, or "
            "write n/a where a value is missing; names of categories are described by Levels in the table's JSON file."
        )
    return read


def is_number(column: pd.Series, codebook: Codebook | None = None) -> bool:
    """Say whether a column is meant as numbers, also where some words in it are none.

    Parameters
    ----------
    column : Series
    codebook : Codebook, optional

    Returns
    -------
    bool
        By `codebook` first: units are of numbers, levels of categories unless they name only the ends of a scale.
        Else as the words are: numbers if most of them are, and more than two differ.

    Examples
    --------
    >>> is_number(pd.Series(["31", "28", "45", "n.a."])), is_number(pd.Series(["1", "0", "unknown"]))
    (True, False)
    >>> is_number(pd.Series(["1", "2", "3"]), Codebook({"1": "Basel", "2": "Bern", "3": "Ulm"}))
    False
    """
    known = column.dropna()
    if codebook is not None and codebook.units:
        return True
    read = numbers(known)
    if codebook is not None and codebook.levels:
        described = known.map(lambda value: match(value, codebook.levels) is not None)
        if 2 * known[described].astype(str).nunique() >= known.astype(str).nunique():
            return False
    if read.notna().all():
        return True
    nearly = known.astype(str).map(lambda word: bool(NEARLY.fullmatch(word)))
    if 2 * (read.notna() | nearly).sum() < len(known):
        return False
    shaped = read.notna() | known.astype(str).map(lambda word: bool(GROUPED.fullmatch(word)))
    own = known[shaped | nearly].nunique()
    return bool(known[shaped].nunique() > AT_LEAST_NUMBERS or (2 * own > len(known) and own > AT_LEAST_NUMBERS))


def match(value: object, codes: Iterable[str]) -> str | None:
    """Return the code that a value of a table is written as, or None: 1.0 is 1, and true is TRUE.

    Examples
    --------
    >>> match("1.0", {"1": "Basel"}), match("TRUE", {"true": "drug"}), match("01", {"1": "Basel"}), match("x", {})
    ('1', 'true', '1', None)
    """
    word = as_text(value)
    if word in codes:
        return word
    if NUMBER.fullmatch(word):
        return next((code for code in codes if NUMBER.fullmatch(code) and float(code) == float(word)), None)
    same = [code for code in codes if code.casefold() == word.casefold()]
    return same[0] if len(same) == 1 else None


def as_text(value: object) -> str:
    """Write a value of a table as the level of an arm: 1.0 is 1."""
    return f"{value:.15g}" if isinstance(value, float) else str(value).strip()


def words_of(column: pd.Series) -> pd.Series:
    """Return the words of a column, NaN where it is missing."""
    return column.astype(object).map(as_text, na_action="ignore")


def likely_codes(read: pd.Series) -> list[float]:
    """Return numbers that look like codes for missing values: 999 or -99, far away from all others.

    Examples
    --------
    >>> likely_codes(pd.Series([31.0, 28, 45, 999])), likely_codes(pd.Series([310.0, 1288, 745, 999]))
    ([999.0], [])
    """
    values = np.unique(read.dropna())
    candidate = np.array([bool(LIKELY_CODE.fullmatch(f"{value:g}")) for value in values], dtype=bool)
    rest = values[~candidate]
    if len(rest) < 2:
        return []
    low, high = rest.min(), rest.max()
    far = (values > high + (high - low) / 2) | (values < low - (high - low) / 2) & (values < 0) & (low >= 0)
    far |= values < low - 2 * (high - low)
    return values[candidate & far].tolist()


def alike(words: Iterable[str]) -> list[list[str]]:
    """Return groups of words that differ by case, blanks or leading zeros only.

    Examples
    --------
    >>> alike(["Drug", "drug", "placebo", "1", "01"])
    [['01', '1'], ['Drug', 'drug']]
    """
    groups: dict[str, list[str]] = {}
    for word in sorted(set(words)):
        plain = "".join(word.casefold().split())
        groups.setdefault(f"{float(plain):g}" if NUMBER.fullmatch(plain) else plain, []).append(word)
    return [group for group in groups.values() if len(group) > 1]


def in_order(words: Iterable[str]) -> list[str]:
    """Return distinct words in order, numbers in them as numbers: 2 comes before 10."""

    def key(word: str) -> list[tuple[int, int, str]]:
        return [(0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"(\d+)", word)]

    return sorted(set(words), key=lambda word: (key(word), word))


def who(label: object) -> str:
    """Write the label of a row for people: sub-01, or sub-01 ses-2."""
    return f"sub-{label[0]} ses-{label[1]}" if isinstance(label, tuple) else f"sub-{str(label).removeprefix('sub-')}"


def counted(n: int, noun: str, several: str = "") -> str:
    """Write how many there are of something.

    Examples
    --------
    >>> counted(1, "participant"), counted(1200, "scan"), counted(0, "analysis", "analyses")
    ('1 participant', '1,200 scans', '0 analyses')
    """
    return f"{n:,} {noun if n == 1 else several or noun + 's'}"


def joined(words: Iterable[str]) -> str:
    """Join words as a sentence does.

    Examples
    --------
    >>> joined(["a"]), joined(["a", "b"]), joined("abc")
    ('a', 'a and b', 'a, b and c')
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def people(labels: Iterable[object], most: int = 5) -> str:
    """List participants, the first few by name.

    Examples
    --------
    >>> people(["01", "sub-02"]), people(["1", "2", "3"], most=1)
    ('sub-01, sub-02', 'sub-1 and 2 more')
    """
    named = [who(label) for label in labels]
    return ", ".join(named[:most]) + (f" and {len(named) - most} more" if len(named) > most else "")
