"""What the label of a session says about when it was: words and numbers that mean an order, and nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
