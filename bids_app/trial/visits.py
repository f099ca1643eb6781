"""Which visit came first: by evidence, strongest first, and never by the alphabet."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from bids_app.trial.moments import read_moments

AGREEMENT = 0.9  # share of the participants whose dates must say the same
BEFORE = (
    *("baseline", "base", "bl", "pre", "before", "screening", "screen", "scr", "intake", "entry", "enrolment"),
    *("enrollment", "start", "initial", "first", "prior"),
)
EARLIEST = ("screening", "screen", "scr", "intake", "entry", "enrolment", "enrollment")
AFTER = (
    *("followup", "fup", "fu", "post", "after", "endpoint", "end", "exit", "final", "last", "completion"),
    *("outcome", "discharge"),
)
COUNTERS = (
    *("timepoint", "session", "visit", "wave", "scan", "time", "mri", "ses", "tp", "v", "t", "s"),
    *("period", "phase", "round"),
)
DAYS = {
    **dict.fromkeys(("minutes", "minute", "mins", "min"), 1 / 1440),
    **dict.fromkeys(("hours", "hour", "hrs", "hr", "h"), 1 / 24),
    **dict.fromkeys(("days", "day", "d"), 1.0),
    **dict.fromkeys(("weeks", "week", "wks", "wk", "w"), 7.0),
    **dict.fromkeys(("months", "month", "mths", "mth", "mos", "mo", "m"), 30.4375),
    **dict.fromkeys(("years", "year", "yrs", "yr", "y"), 365.25),
}
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
NUMBER = r"\d+(?:p\d+)?"


@dataclass(frozen=True)
class Meaning:
    """What the label of a session says about when it was.

    Attributes
    ----------
    phase : int
        -2 for screening, -1 for a word that means before, 1 for one that means after, 0 for none.
    days : float or None
        Time with a unit, in days.
    count : float or None
        A number without a unit.
    rest : str
        What is left of the label: two sessions are only ordered by their words if the rest is the same.
    word : str
        The word or number that decided, for people.
    """

    phase: int = 0
    days: float | None = None
    count: float | None = None
    rest: str = ""
    word: str = ""

    @property
    def says_something(self) -> bool:
        """True if the label holds any word or number that means an order."""
        return self.phase != 0 or self.days is not None or self.count is not None


@dataclass(frozen=True)
class Order:
    """In which order the sessions came.

    Attributes
    ----------
    sessions : tuple of str
        First to last; empty if there is no evidence.
    evidence : str
        By what it is known, or what was looked at in vain, as the end of a sentence.
    weak : bool
        True if it is known by nothing but the order of the rows of sessions.tsv.
    doubts : tuple of str
        Whole sentences: what contradicts it, and what could not be read.
    """

    sessions: tuple[str, ...] = ()
    evidence: str = ""
    weak: bool = False
    doubts: tuple[str, ...] = ()


def order_of(
    scanned: Collection[tuple[str, str]],
    moments: pd.Series | None = None,
    logged: Sequence[tuple[str, str]] | None = None,
) -> Order:
    """Find the order of the sessions.

    Parameters
    ----------
    scanned : set of (str, str)
        Participant and session of every scan.
    moments : Series of str, optional
        ``acq_time``, by participant and session.
    logged : sequence of (str, str), optional
        Participant and session of the rows of each ``sub-*_sessions.tsv``, as they stand there.

    Returns
    -------
    Order
    """
    sessions = sorted({session for _, session in scanned})
    if len(sessions) < 2:
        return Order(tuple(sessions), "there is no other")
    by_time, doubts = _by_time(sessions, scanned, moments)
    by_words = _by_words(sessions)
    by_rows = _by_rows(sessions, scanned, logged)
    weaker = None if doubts else by_rows  # dates that are there but cannot be used are no reason to look at rows
    found = next((order for order in (by_time, by_words, weaker) if order), None)
    if found is None:
        return Order((), "neither acq_time, nor words or numbers of the labels, nor sessions.tsv say it", doubts=doubts)
    for other in (by_words, by_rows if by_words is None else None):
        if other and other.sessions != found.sessions:
            doubts += (
                f"The sessions are taken as {_arrow(found.sessions)}, because {found.evidence}; but "
                f"{_arrow(other.sessions)} would follow, because {other.evidence}.",
            )
    return Order(found.sessions, found.evidence, found is by_rows, doubts)


def _arrow(sessions: Sequence[str]) -> str:
    return " before ".join(f"ses-{session}" for session in sessions)


def _by_time(
    sessions: list[str], scanned: Collection[tuple[str, str]], moments: pd.Series | None
) -> tuple[Order | None, tuple[str, ...]]:
    """Order by when the scans were made, each participant's own, for dates may be shifted for each."""
    if moments is None:
        return None, ()
    moments = moments[[key in scanned for key in moments.index]]
    times, doubts = read_moments(moments)
    ranks = times.unstack().reindex(columns=sessions).rank(axis=1)
    return _agreed(ranks, sessions, "acq_time of {n} participants says so", doubts)


def _by_rows(
    sessions: list[str], scanned: Collection[tuple[str, str]], logged: Sequence[tuple[str, str]] | None
) -> Order | None:
    """Order by the rows of sessions.tsv, where all who have one list the sessions alike."""
    rows = [key for key in logged or () if key in scanned]
    if not rows:
        return None
    places = pd.Series(np.arange(len(rows), dtype=float), index=pd.MultiIndex.from_tuples(rows))
    ranks = places[~places.index.duplicated()].unstack().reindex(columns=sessions).rank(axis=1)
    order, _ = _agreed(ranks, sessions, "sessions.tsv of {n} participants lists them so", (), least=1.0)
    return order


def _agreed(
    ranks: pd.DataFrame, sessions: list[str], text: str, doubts: tuple[str, ...], least: float = AGREEMENT
) -> tuple[Order | None, tuple[str, ...]]:
    """Return the order that so large a share of the participants has, and who has another."""
    signs, against, n = {}, set(), set()
    for first, second in combinations(sessions, 2):
        both = (ranks[second] - ranks[first]).dropna()
        both = both[both != 0]
        if both.empty:
            return None, doubts
        later = float((both > 0).mean())
        if max(later, 1 - later) < least:
            return None, (*doubts, *_disputed(first, second, both, text))
        signs[first, second] = 1 if later > 0.5 else -1
        against |= set(both.index[np.sign(both) != signs[first, second]])
        n |= set(both.index)
    order = sorted(
        sessions, key=lambda one: sum(sign if one == b else -sign for (a, b), sign in signs.items() if one in (a, b))
    )
    if any((order.index(b) - order.index(a)) * sign < 0 for (a, b), sign in signs.items()):
        return None, doubts
    if against:
        who = ", ".join(f"sub-{name}" for name in sorted(against)[:10])
        doubts = (
            *doubts,
            f"{who}: the dates of the visits are in another order than those of all others; are they mixed up?",
        )
    return Order(tuple(order), text.format(n=len(n)), doubts=doubts), doubts


def _disputed(first: str, second: str, both: pd.Series, text: str) -> tuple[str, ...]:
    if "acq_time" not in text:
        return ()
    return (
        f"By acq_time ses-{first} came before ses-{second} for {int((both > 0).sum())} participants and after it for "
        f"{int((both < 0).sum())}: this says no order.",
    )


def _by_words(sessions: list[str]) -> Order | None:
    """Order by the words and numbers of the labels, if every two of them can be compared."""
    meanings = {session: meaning_of(session) for session in sessions}
    signs = {pair: compared(*(meanings[one] for one in pair)) for pair in combinations(sessions, 2)}
    if not all(signs.values()):
        return None
    wins = dict.fromkeys(sessions, 0)
    for (first, second), sign in signs.items():
        wins[first] -= sign
        wins[second] += sign
    order = sorted(sessions, key=wins.__getitem__)
    if any((order.index(second) - order.index(first)) * sign < 0 for (first, second), sign in signs.items()):
        return None
    said = [f"'{meanings[one].word}'" for one in order if meanings[one].word]
    return Order(tuple(order), f"the labels say so ({', '.join(dict.fromkeys(said))})")


def compared(first: Meaning, second: Meaning) -> int:
    """Say which of two labels means the earlier time.

    Parameters
    ----------
    first, second : Meaning

    Returns
    -------
    int
        1 if the second is later, -1 if it is earlier, 0 if the labels do not say.

    Examples
    --------
    >>> compared(meaning_of("post"), meaning_of("pre")), compared(meaning_of("24h"), meaning_of("day3"))
    (-1, 1)
    >>> compared(meaning_of("ketamine"), meaning_of("midazolam")), compared(meaning_of("post"), meaning_of("day3"))
    (0, 0)
    """
    if first.rest and second.rest and first.rest != second.rest:
        return 0
    if first.phase != second.phase:
        return _by_phase(first, second)
    one, other = (first.days, second.days) if first.days is not None else (first.count, second.count)
    if (first.days is None) != (second.days is None):
        return 0
    if one is not None and other is not None and one != other:
        return 1 if other > one else -1
    if first.phase > 0 and (first.count is None) != (second.count is None) and first.word == second.word:
        return 1 if first.count is None else -1  # followup, then followup2
    return 0


def earliest_of(labels: Sequence[str]) -> str | None:
    """Return the label that means an earlier time than every other, or None.

    Examples
    --------
    >>> earliest_of(["week8", "post", "pre"]), earliest_of(["week8", "post"])
    ('pre', None)
    """
    meanings = {label: meaning_of(label) for label in labels}
    first = [
        one for one in labels if all(compared(meanings[one], meanings[other]) > 0 for other in labels if other != one)
    ]
    return first[0] if len(first) == 1 else None


def _by_phase(first: Meaning, second: Meaning) -> int:
    """Compare labels of which one at least says before or after."""
    if min(first.phase, second.phase) < 0:
        return 1 if first.phase < second.phase else -1
    unmarked = first if first.phase == 0 else second  # beside one that means after
    if unmarked.days is not None or (unmarked.count or 0) > 1:
        return 0
    return 1 if second.phase > first.phase else -1


def meaning_of(label: str) -> Meaning:
    """Read what the label of a session says about when it was.

    Parameters
    ----------
    label : str
        Without ses-.

    Returns
    -------
    Meaning

    Examples
    --------
    >>> meaning_of("week8").days, meaning_of("V2").count, meaning_of("preInfusion").phase, meaning_of("T0").phase
    (56.0, 2.0, -1, -1)
    """
    text = re.sub(r"[^a-z0-9]", "", label.lower())
    text = re.sub(r"^(ses|session)(?=\D)", "", text)
    phase, word, text = _phase(text)
    days, count, unit, text = _number(text)
    if count == 0 and phase == 0 and unit in ("v", "t", "tp", "visit", "timepoint", "time", "session", "ses"):
        phase, word = -1, f"{unit}0"
    if (phase, count, text) == (0, 0, "b"):
        phase, word, text = -1, "b0", ""
    if phase == 0 and text in ORDINALS:
        count, word, text = float(ORDINALS[text]), text, ""
    if phase == 0 and days == 0:
        phase = -1
    word = word or (re.sub(r"\.0$", "", f"{unit}{count if days is None else ''}") if count is not None else unit)
    return Meaning(phase, days, count, text, word or label)


def _phase(text: str) -> tuple[int, str, str]:
    """Take a word that means before or after off the beginning or the end of a label."""
    words = [(word, -2 if word in EARLIEST else -1) for word in BEFORE] + [(word, 1) for word in AFTER]
    for word, phase in sorted(words, key=lambda pair: -len(pair[0])):
        if text == word or (text.startswith(word) and _ends_well(word, text[len(word) :])):
            return phase, word, text[len(word) :]
        if text.endswith(word) and len(word) > 2 and not text[: -len(word)].isdigit():
            return phase, word, text[: -len(word)]
    return 0, "", text


def _ends_well(word: str, rest: str) -> bool:
    """Say whether what follows a word leaves it that word: base1 and pre-op, but neither basal nor preserved."""
    return (
        rest[0].isdigit()
        or word in ("pre", "post", "before", "after", "followup", "baseline")
        or (bool(re.fullmatch(rf"(visit|scan|session|mri|day|week|month|hour|year|d|w|m|h|y|t|v)?({NUMBER})?", rest)))
    )


def _may_be_another_date(number: str) -> bool:
    """Say whether a number is so long that it can be a date with the day first, which is no order: 03062021.

    Examples
    --------
    >>> [_may_be_another_date(number) for number in ("12", "2021", "20210603", "03062021", "030621")]
    [False, False, False, True, True]
    """
    return len(number) >= 6 and not re.fullmatch(
        r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{4}|\d{6})?", number
    )


def _number(text: str) -> tuple[float | None, float | None, str, str]:
    """Take a number with what it counts off a label: days, the bare number, the word, and the rest."""
    units = "|".join(sorted(DAYS, key=len, reverse=True))
    counters = "|".join(sorted(COUNTERS, key=len, reverse=True))
    for pattern, of_time in (
        (rf"(?P<unit>{units})(?P<number>{NUMBER})", True),
        (rf"(?P<number>{NUMBER})(?P<unit>{units})", True),
        (rf"(?P<unit>{counters})(?P<number>{NUMBER})", False),
        (rf"(?P<unit>)(?P<number>{NUMBER})", False),
    ):
        found = re.fullmatch(pattern, text)
        if "<unit>)" not in pattern:  # a bare number before letters counts something else: 3T
            found = found or re.fullmatch(rf"{pattern}(?P<rest>[a-z]*)", text)
        found = found or re.fullmatch(rf"(?P<rest>[a-z]*){pattern}", text)
        if found and not _may_be_another_date(found["number"]):
            unit, value = found["unit"], float(found["number"].replace("p", "."))
            rest = found.groupdict().get("rest") or ""
            return (value * DAYS[unit] if of_time else None), value, unit, rest
    return None, None, "", text
