"""Comparisons of several arms by weights: as they are named, and the slope over doses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.names import contrast_label, label
from bids_app.bids.values import in_order, match, people, words_of
from bids_app.errors import UsageError
from bids_app.settings.argument_parser import meant
from bids_app.settings.contrasts import numbers_of_arms, parse_weights
from bids_app.settings.settings import Trial

if TYPE_CHECKING:  # which import this module
    from bids_app.trial.arms import Arms
    from bids_app.trial.tables import Tables

DOSE = "dose"


@dataclass(frozen=True)
class Weighted:
    """A comparison of several arms: the sum of their means with weights that add up to 0.

    Attributes
    ----------
    name : str
    weights : tuple of (str, float)
        Of the arms whose weight is not 0, the reference first if it is one.
    doses : tuple of (str, float)
        Of which this is the slope; none of weights that were given.
    """

    name: str
    weights: tuple[tuple[str, float], ...]
    doses: tuple[tuple[str, float], ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that have weight."""
        return tuple(arm for arm, _ in self.weights)

    def row(self, arms: Sequence[str]) -> tuple[float, ...]:
        """Return the weight of each of some arms, 0 of those without."""
        return tuple(dict(self.weights).get(arm, 0.0) for arm in arms)

    @property
    def text(self) -> str:
        """What it is, for people.

        Examples
        --------
        >>> Weighted("doses", (("placebo", -1.0), ("low", 0.5), ("high", 0.5))).text
        'doses = −1 placebo + 0.5 low + 0.5 high'
        """
        signed = [f"{'−' if weight < 0 else '+'} {abs(weight):.4g} {arm}" for arm, weight in self.weights]
        text = " ".join(signed)
        text = f"{self.name} = {text.removeprefix('+ ') if text[0] == '+' else text.replace('− ', '−', 1)}"
        if not self.doses:
            return text
        said = ", ".join(f"{arm} {dose:g}" for arm, dose in self.doses)
        return f"{text}: the least-squares slope over the doses ({said}), each arm counting alike, per unit of dose"


def find_weighted(tables: "Tables", arms: "Arms", trial: Trial) -> tuple[tuple[Weighted, ...], tuple[Finding, ...]]:
    """Settle the comparisons by weights: of arms that there are, each with its own name.

    Parameters
    ----------
    tables : Tables
    arms : Arms
        That are compared.
    trial : settings.Trial
        Its ``contrasts``, ``dose``, and the order of its ``arms``.

    Returns
    -------
    weighted : tuple of Weighted
    findings : tuple of Finding
        Which weights, and by what evidence.

    Raises
    ------
    UsageError
        An arm is unknown, fewer than two have weight, or a dose is not one number for everyone in an arm.
    """
    if not (asked := asked_weights(trial)):
        return (), ()
    everyone = (arms.reference, *arms.others)
    if len(everyone) < 3:
        raise UsageError(f"{asked}: weights are of three arms and more; there are {' and '.join(everyone)}.")
    if trial.allocations:
        raise UsageError(f"{asked}: not with --allocations, by which two arms or treatments are compared at a time.")
    order = [str(match(arm, everyone)) for arm in trial.arms] or in_order(everyone)
    said = "as --arms has them" if trial.arms else "in the order of their names"
    found, findings = [], []
    for one in parse_weights(trial.contrasts):
        option = f"--contrasts {one.name}"
        given = _by_arm(one.arms or _listed(order, one.numbers, option), one.numbers, everyone, option)
        found.append(Weighted(one.name, _with_weight(given, everyone, option)))
        how = "" if one.arms else f" The numbers stand for the arms {said}: {', '.join(order)}."
        findings.append(Finding("Weights", f"{found[-1].text}.{how}"))
    if trial.dose:
        found.append(_of_doses(_doses(tables, arms, trial.dose), everyone))
        findings.append(Finding("Weights", f"{found[-1].text}."))
    _require_apart(found, arms.pairs(("all-pairs",)))
    return tuple(found), tuple(findings)


def asked_weights(trial: Trial) -> str:
    """Return which options ask for comparisons by weights; empty where none does."""
    named = [f"--contrasts {one.name}" for one in parse_weights(trial.contrasts)]
    return " and ".join([*named, *(["--dose"] if trial.dose else [])])


def _listed(order: Sequence[str], numbers: Sequence[Fraction], option: str) -> Sequence[str]:
    if len(order) != len(numbers):
        raise UsageError(f"{option}: {len(numbers)} weights for the {len(order)} arms {', '.join(order)}.")
    return order


def _by_arm(named: Sequence[str], numbers: Sequence[Fraction], arms: Sequence[str], option: str) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for word, number in zip(named, numbers, strict=True):
        if (arm := match(word, arms)) is None:
            raise UsageError(f"{option}: {word!r} is no arm{meant(word, arms)}; there are {', '.join(arms)}.")
        if arm in found:
            raise UsageError(f"{option}: the arm {arm!r} is named twice.")
        found[arm] = number
    return found


def _with_weight(given: Mapping[str, Fraction], arms: Sequence[str], option: str) -> tuple[tuple[str, float], ...]:
    weights = tuple((arm, float(given[arm])) for arm in arms if given.get(arm))
    if len(weights) < 2:
        raise UsageError(f"{option}: at least two arms need a weight.")
    return weights


def _doses(tables: "Tables", arms: "Arms", words: Sequence[str]) -> dict[str, Fraction]:
    """Return the dose of each arm, as given or as a column of participants.tsv has it."""
    everyone, option = (arms.reference, *arms.others), f"--dose {' '.join(words)}"
    if "=" in " ".join(words):
        found = _by_arm(*numbers_of_arms(" ".join(words), option), everyone, option)
        if lacking := [arm for arm in everyone if arm not in found]:
            raise UsageError(f"{option}: no dose is given for {', '.join(lacking)}.")
        return found
    name = " ".join(words)
    if name not in tables.participants:
        columns = ", ".join(tables.participants.columns)
        raise UsageError(f"{option}: no such column{meant(name, list(tables.participants))}; there are {columns}.")
    of_arm, values = words_of(tables.participants[arms.column]), words_of(tables.participants[name])
    return {arm: _one_dose(values[of_arm == arm], arm, option) for arm in everyone}


def _one_dose(values: pd.Series, arm: str, option: str) -> Fraction:
    """Return the dose that everyone of an arm has; refuse what is no number, missing, or another."""
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.isna().any() or numbers.isin([float("inf"), float("-inf")]).any():
        whom = numbers.index[~numbers.abs().lt(float("inf"))]
        raise UsageError(f"{option}: no number for {people(whom)} of the arm {arm}.")
    usual = numbers.mode().iloc[0]
    if (numbers != usual).any():
        others = numbers[numbers != usual]
        raise UsageError(
            f"{option}: it must be the same for everyone in an arm. In {arm} it is {usual:g}, but for "
            f"{people(others.index)} it is {', '.join(f'{one:g}' for one in others.unique()[:5])}."
        )
    return Fraction(str(usual))


def _of_doses(doses: Mapping[str, Fraction], arms: Sequence[str]) -> Weighted:
    """Return the weights of the least-squares slope of the arms' means over their doses, each arm counting alike.

    Examples
    --------
    The mean dose is 1: the slope is half of the difference between the ends.

    >>> _of_doses({"placebo": Fraction(0), "low": Fraction(1), "high": Fraction(2)}, ("placebo", "low", "high")).weights
    (('placebo', -0.5), ('high', 0.5))
    """
    centred = {arm: doses[arm] - sum(doses.values()) / Fraction(len(doses)) for arm in arms}
    if not (squares := sum(value**2 for value in centred.values())):
        raise UsageError(f"--dose: every arm has the same dose, {float(next(iter(doses.values()))):g}.")
    slope = {arm: value / squares for arm, value in centred.items()}
    return Weighted(DOSE, _with_weight(slope, arms, "--dose"), tuple((arm, float(doses[arm])) for arm in arms))


def _require_apart(found: Sequence[Weighted], pairs: Sequence[tuple[str, str]]) -> None:
    """Refuse names that files could not tell apart."""
    labels = [contrast_label(*pair).lower() for pair in pairs]
    for one in found:
        if (own := label(one.name, 30).lower()) in labels:
            raise UsageError(f"--contrasts {one.name}: its files could not be told from others; give another name.")
        labels.append(own)
