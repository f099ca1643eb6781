"""Response and remission: the cut-offs of a clinical scale, as the command line gives them."""

import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bids_app.errors import UsageError

BOUNDS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt}
RULE = re.compile(r"(?P<name>[A-Za-z][\w-]*)(?P<sign><=|>=|<|>|=)(?P<number>[+-]?\d+(?:\.\d+)?)(?P<percent>%?)")
ROUNDING = 1e-9  # percent of the baseline: 4.0 - 3.2 is a little less than 0.8 in binary
SYNTAX = "OUTCOME:NAME=PERCENT%,NAME<=SCORE, as in hamd17:response=50%,remission<=7"


@dataclass(frozen=True)
class Cutoff:
    """When a participant counts as a responder or remitter.

    Attributes
    ----------
    outcome, name : str
        As in hamd17 and response.
    sign : {"=", "<=", "<", ">=", ">"}
        ``=`` is a change in percent of the baseline, the others bound the follow-up score.
    value : float
        For ``=``, the fall in percent that is needed; a negative one is a rise.
    """

    outcome: str
    name: str
    sign: str
    value: float

    @property
    def rule(self) -> str:
        """The rule for people.

        Examples
        --------
        >>> Cutoff("hamd17", "response", "=", 50.0).rule, Cutoff("hamd17", "remission", "<=", 7.0).rule
        ('fall of at least 50 % from baseline', 'follow-up <= 7')
        """
        if self.sign != "=":
            return f"follow-up {self.sign} {self.value:g}"
        return f"{'fall' if self.value > 0 else 'rise'} of at least {abs(self.value):g} % from baseline"

    def reached(self, baseline: Any, followup: Any) -> Any:
        """Say who reached the cut-off.

        Parameters
        ----------
        baseline, followup : (n,) float ndarray
            NaN where missing; a baseline of 0 or less leaves a change in percent unknown.

        Returns
        -------
        (n,) float ndarray
            1 or 0, NaN where it is not known.
        """
        unknown = followup * 0
        if self.sign != "=":
            return BOUNDS[self.sign](followup, self.value) + unknown
        positive = baseline > 0
        unknown = unknown + baseline * 0
        unknown[~positive] = float("nan")
        fall = (baseline - followup) * 100
        bound = self.value * baseline
        rounding = abs(baseline) * ROUNDING
        return (fall >= bound - rounding if self.value > 0 else fall <= bound + rounding) + unknown


def parse_cutoffs(words: Iterable[str]) -> list[Cutoff]:
    """Read the cut-offs of the command line.

    Parameters
    ----------
    words : iterable of str
        One per outcome, ``hamd17:response=50%,remission<=7``. ``=P%`` is a fall from baseline by at least P
        percent (``=-P%``: a rise), a bound is on the follow-up score.

    Returns
    -------
    list of Cutoff

    Raises
    ------
    UsageError

    Examples
    --------
    >>> [cutoff.rule for cutoff in parse_cutoffs(["sofas:response=-20%,well>70"])]
    ['rise of at least 20 % from baseline', 'follow-up > 70']
    """
    cutoffs = []
    for word in words:
        outcome, colon, rules = word.rpartition(":")
        if not colon or not outcome or not rules:
            raise UsageError(f"--cutoffs {word}: write {SYNTAX}.")
        cutoffs += [_cutoff(word, outcome, rule) for rule in rules.split(",")]
    named = [(cutoff.outcome, cutoff.name) for cutoff in cutoffs]
    if twice := sorted({f"{outcome}:{name}" for outcome, name in named if named.count((outcome, name)) > 1}):
        raise UsageError(f"--cutoffs: {', '.join(twice)} is given twice.")
    return cutoffs


def _cutoff(word: str, outcome: str, rule: str) -> Cutoff:
    found = RULE.fullmatch(rule.strip())
    if found is None:
        raise UsageError(f"--cutoffs {word}: {rule!r} is no rule; write {SYNTAX}.")
    relative, value = found["sign"] == "=", float(found["number"])
    if relative and not found["percent"]:
        raise UsageError(f"--cutoffs {word}: {rule!r}: = is a change in percent, {rule}%; a bound is <=, <, >= or >.")
    if not relative and found["percent"]:
        raise UsageError(f"--cutoffs {word}: {rule!r}: a bound is a score; a change in percent is written with =.")
    if relative and (value == 0 or value > 100):
        raise UsageError(f"--cutoffs {word}: {rule!r}: a fall is above 0 and at most 100 %.")
    return Cutoff(outcome, found["name"], found["sign"], value)
