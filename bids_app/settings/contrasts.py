"""Comparisons of arms by weights, as the command line gives them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bids_app.errors import UsageError
from bids_app.settings.settings import CONTRASTS

NAME = re.compile(r"(?P<name>[A-Za-z][\w-]*)\s*=(?P<weights>.*)", re.DOTALL)
OF_ARM = re.compile(r"\s*(?P<arm>[^=]+?)\s*=\s*(?P<number>\S+)(?=\s|$)")
RESERVED = (*CONTRASTS, "all", "any", "dose")  # what files and rows are called that no weights have
SYNTAX = "NAME='ARM=WEIGHT ARM=WEIGHT ...', as in doses='low=0.5 high=0.5 placebo=-1' (in quotation marks)"


@dataclass(frozen=True)
class Weights:
    """Weights of arms, before it is known which arms there are.

    Attributes
    ----------
    name : str
    arms : tuple of str
        As they are named; none where the numbers stand in the order of the arms.
    numbers : tuple of Fraction
    """

    name: str
    arms: tuple[str, ...]
    numbers: tuple[Fraction, ...]


def chosen_contrasts(words: Sequence[str]) -> tuple[str, ...]:
    """Return the comparisons of two arms that are made, then each that has weights, as the settings keep them.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> chosen_contrasts(["doses=low=0.5 high=0.5 placebo=-1", "all-pairs"])
    ('all-pairs', 'doses=low=0.5 high=0.5 placebo=-1')
    """
    named = tuple(dict.fromkeys(word for word in words if word not in CONTRASTS))
    parse_weights(named)
    return ("all-pairs" if "all-pairs" in words else "reference", *named)


def parse_weights(words: Iterable[str]) -> list[Weights]:
    """Read the comparisons by weights among the words of ``--contrasts``.

    Examples
    --------
    >>> [one] = parse_weights(["reference", "mean=low=1/2 high=1/2 usual care=-1"])
    >>> one.arms, [float(number) for number in one.numbers]
    (('low', 'high', 'usual care'), [0.5, 0.5, -1.0])
    >>> parse_weights(["linear=-1 0 1"])[0].arms
    ()
    """
    found = [_weights(word) for word in words if word not in CONTRASTS]
    names = [one.name.lower() for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"--contrasts: {', '.join(twice)} is given twice.")
    return found


def _weights(word: str) -> Weights:
    parts = NAME.fullmatch(word.strip())
    if parts is None:
        raise UsageError(f"--contrasts {word}: it is {' or '.join(CONTRASTS)}, or weights: {SYNTAX}.")
    name, text = parts["name"], parts["weights"]
    if name.lower() in RESERVED:
        raise UsageError(f"--contrasts {word}: {name} is a word with its own meaning; give another name.")
    if "=" in text:
        arms, numbers = numbers_of_arms(text, f"--contrasts {word}")
    else:
        arms, numbers = (), tuple(_number(one, f"--contrasts {word}") for one in text.split())
    if not any(numbers):
        raise UsageError(f"--contrasts {word}: no arm has a weight; write {SYNTAX}.")
    if total := sum(numbers):
        raise UsageError(f"--contrasts {word}: the weights add up to {float(total):g}; they must to 0 (1/3 is exact).")
    return Weights(name, arms, numbers)


def numbers_of_arms(text: str, option: str) -> tuple[tuple[str, ...], tuple[Fraction, ...]]:
    """Read ARM=NUMBER ARM=NUMBER; names of arms may have blanks, numbers may be fractions.

    Examples
    --------
    >>> numbers_of_arms("usual care=0 drug=1/4", "--dose")[0]
    ('usual care', 'drug')
    """
    found = list(OF_ARM.finditer(text))
    if "".join(one.group() for one in found).strip() != text.strip():
        raise UsageError(f"{option}: write ARM=NUMBER ARM=NUMBER.")
    arms = tuple(one["arm"] for one in found)
    if len(set(arms)) < len(arms):
        raise UsageError(f"{option}: an arm is named twice.")
    return arms, tuple(_number(one["number"], option) for one in found)


def _number(word: str, option: str) -> Fraction:
    try:
        return Fraction(word)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{option}: {word!r} is no number.") from None
