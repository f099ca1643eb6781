"""When something was: dates and times as people write them, read for a whole column at once or named."""

import re
from collections.abc import Sequence

import pandas as pd
from pandas.api.typing import NaTType

ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?")
NUMERIC = re.compile(r"(\d{1,4})\s*[./-]\s*(\d{1,2})\s*[./-]\s*(\d{1,4})(?:[T ,]+(.+))?")
COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})?)?")
NAMED = re.compile(
    r"(?:[A-Za-z]{3,9}\.?[ -]\d{1,2}(?:st|nd|rd|th)?,?[ -]\d{4}|\d{1,2}[. -]+[A-Za-z]{3,9}\.?[ -]\d{2,4})(?:[T ,]+.+)?"
)
MISSING = ("", "n/a", "na", "nan", "nat", "none")
SHOWN = 3

Moment = pd.Timestamp | NaTType
Parts = tuple[int, int, int, str]  # three numbers, the last the year, and the time of the day


def read_moments(words: pd.Series) -> tuple[pd.Series, tuple[str, ...]]:
    """Read dates and times.

    Parameters
    ----------
    words : Series of str
        Of one column, all participants together: one value whose day is above 12 settles how all are read.

    Returns
    -------
    times : Series of datetime64[ns, UTC]
        NaT where there is none, or it could not be read.
    doubts : tuple of str
        Whole sentences that name what could not be read.

    Examples
    --------
    >>> times, doubts = read_moments(pd.Series(["10.05.2021 10:00", "13.03.2021 09:30", "n/a"]))
    >>> [str(time.date()) for time in times.dropna()], doubts
    (['2021-05-10', '2021-03-13'], ())
    """
    text = words.where(words.notna(), "").astype(str).str.strip()
    known = text[~text.str.lower().isin(MISSING)]
    times = pd.Series(pd.NaT, index=words.index, dtype="datetime64[ns, UTC]")
    parts = {place: _parts(word) for place, word in enumerate(known)}
    readings = _readings([part for part in parts.values() if isinstance(part, tuple)])
    read = {
        order: [_moment(part, order) if isinstance(part, tuple) else part for part in parts.values()]
        for order in readings
    }
    first = pd.Series(read[readings[0]] if readings else list(parts.values()), index=known.index, dtype=times.dtype)
    if len(readings) > 1:
        second = pd.Series(read[readings[1]], index=known.index, dtype=times.dtype)
        if not _same_order(first, second):
            return times, (
                f"acq_time could be read with the day or with the month first, which gives different orders: "
                f"{_quoted(known)}. Write dates as BIDS wants them, 2021-05-10T10:00:00.",
            )
    times.loc[known.index] = first
    unread = known[first.isna().to_numpy()]
    doubts = (f"acq_time cannot be read: {_quoted(unread)}. BIDS wants 2021-05-10T10:00:00.",) if len(unread) else ()
    return times, doubts


def has_one_reading(words: pd.Series) -> bool:
    """Say whether dates and times can be read in one way only, so that the time between them is known.

    Examples
    --------
    >>> has_one_reading(pd.Series(["2021-05-10"])), has_one_reading(pd.Series(["01.02.2021", "03.02.2021"]))
    (True, False)
    """
    parts = [_parts(str(word).strip()) for word in words.dropna()]
    return len(_readings([part for part in parts if isinstance(part, tuple)])) < 2


def _quoted(words: pd.Series) -> str:
    shown = ", ".join(
        f"{word!r} (sub-{key[0]})" if isinstance(key, tuple) else repr(word) for key, word in words[:SHOWN].items()
    )
    return shown + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")


def _parts(word: str) -> Moment | Parts:
    """Return a moment that can be read in one way only, or the three numbers and the time of one that cannot."""
    if ISO.fullmatch(word):
        return _parsed(word)
    if compact := COMPACT.fullmatch(word):
        year, month, day, *digits = compact.groups()
        return _parsed(f"{year}-{month}-{day} {':'.join(part or '00' for part in digits)}")
    if numeric := NUMERIC.fullmatch(word):
        first, second, third, clock = numeric.groups()
        if len(first) == 4:
            return _parsed(f"{first}-{second:0>2}-{third:0>2} {clock or ''}")
        return int(first), int(second), _year(third), clock or ""
    return _parsed(word) if NAMED.fullmatch(word) else pd.NaT


def _year(digits: str) -> int:
    return int(digits) + 2000 if len(digits) <= 2 else int(digits)


def _parsed(word: str) -> Moment:
    try:
        moment = pd.to_datetime(word.strip(), format="mixed", utc=True)
    except (ValueError, OverflowError):
        return pd.NaT
    return moment.as_unit("ns")


def _readings(parts: Sequence[Parts]) -> list[str]:
    """Return which of day first and month first fit all dates."""
    fits = {
        "day": all(first <= 31 and second <= 12 for first, second, *_ in parts),
        "month": all(first <= 12 and second <= 31 for first, second, *_ in parts),
    }
    return [order for order, fit in fits.items() if fit] if parts else []


def _moment(part: Parts, order: str) -> Moment:
    first, second, year, clock = part
    day, month = (first, second) if order == "day" else (second, first)
    return _parsed(f"{year:04d}-{month:02d}-{day:02d} {clock}")


def _same_order(first: pd.Series, second: pd.Series) -> bool:
    """Say whether two readings put each participant's moments in the same order."""
    if not isinstance(first.index, pd.MultiIndex):
        return bool((first.rank() == second.rank()).all())
    both = [times.groupby(level=0).rank() for times in (first, second)]
    return bool((both[0] == both[1])[first.notna() & second.notna()].all())
