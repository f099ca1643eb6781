"""Which column holds the arm, which of its values are compared, and which is the reference."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.values import UNKNOWN_WORDS, alike, in_order, match, people, words_of
from bids_app.errors import DataError, UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.codebook import means_missing
from bids_app.trial.wording import WORDINGS, Wording

if TYPE_CHECKING:  # which imports this module
    from bids_app.trial.design import Design
    from bids_app.trial.tables import Tables

MeaningOf = Callable[[str], str]  # of a word of the column of the arms

ARM_COLUMNS = (
    *("arm", "study_arm", "treatment_arm", "trial_arm", "group", "treatment", "treatment_group", "trt"),
    *(
        "allocation",
        "assignment",
        "randomization",
        "randomisation",
        "intervention",
        "condition",
        "drug",
        "medication",
    ),
)
REFERENCE_LEVELS = (
    *("placebo", "sham", "control", "controls", "comparator", "saline", "vehicle", "midazolam"),
    *("waitlist", "waiting list", "usual care", "treatment as usual", "tau", "inactive"),
)
NO_ARM = re.compile(
    r"(withdr[ae]wn?|drop(ped)?[ _-]?outs?|(screen(ing)?[ _-]?)fail(ure|ed|s)?|excluded|ineligible|no[ _-]?arm|tbd|"
    r"(not|never|un)[ _-]?(yet[ _-])?(randomi[sz]ed|allocated|assigned|enrolled|included)|lost( to follow[ _-]?up)?|"
    r"did not start)\s*([(,:;-].*|(before|after|from|by|early) ?.*)?",
    re.IGNORECASE,
)
MOST_COMPARED = 6  # arms: the closed test over their contrasts has a test for every way to put them together
HEALTHY = re.compile(r"(healthy|normal|nc|hc|hv|typical|td)([ _-]?(controls?|volunteers?|subjects?)?)s?", re.IGNORECASE)
ARM_OF_NOTHING = ("none", "null")  # who is given nothing may be an arm


@dataclass(frozen=True)
class Arms:
    """The arms that are compared, and the column that holds them.

    Attributes
    ----------
    column : str
    reference : str
    others : tuple of str
        In the order of their names.
    findings : tuple of Finding
    """

    column: str
    reference: str
    others: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    def pairs(self, contrasts: Collection[str]) -> list[tuple[str, str]]:
        """Return which arm is compared with which: with the reference first, then, if asked, the others.

        Examples
        --------
        >>> Arms("arm", "placebo", ("high", "low")).pairs(["all-pairs"])
        [('high', 'placebo'), ('low', 'placebo'), ('low', 'high')]
        """
        found = [(arm, self.reference) for arm in self.others]
        if "all-pairs" in contrasts:
            found += [(later, earlier) for earlier, later in combinations(self.others, 2)]
        return found


def find_arms(tables: "Tables", trial: Trial, instead: str = "") -> Arms:
    """Settle the arms: as told, or found where only one choice makes sense.

    Parameters
    ----------
    tables : design.Tables
    trial : settings.Trial
        Its ``arm``, ``arms`` and ``reference_arm`` go first.
    instead : str, optional
        What can be done where there are no arms.

    Returns
    -------
    Arms

    Raises
    ------
    UsageError
        A choice is open; the message lists what there is.
    DataError
        There are not at least two arms, or too many.
    """
    column, arms, findings = compared_arms(tables, trial, instead)
    reference = _reference(arms, _meanings(tables, column), column, trial.reference_arm)
    found = Arms(column, reference, tuple(arm for arm in arms if arm != reference))
    pairs = " and ".join(f"{active!r} is compared with {other!r}" for active, other in found.pairs(trial.contrasts))
    said = WORDINGS[trial.design]
    text = f"Column {column} of participants.tsv holds the {said.arm}: {pairs}."
    return replace(found, findings=(Finding(said.arms.capitalize(), text), *findings))


def compared_arms(tables: "Tables", trial: Trial, instead: str = "") -> tuple[str, list[str], tuple[Finding, ...]]:
    """Return the column of the arms, those that are compared, and what there is to say of the others.

    Which of them is the reference is not asked; for the rest as `find_arms`.
    """
    column = arm_column(tables, trial, instead)
    words = words_of(tables.participants[column])
    return column, *_compared(words, _meanings(tables, column), column, trial, instead)


def other_arms(tables: "Tables", column: str, compared: Collection[str]) -> list[str]:
    """Return the arms in a column that are not compared, without words that say that someone is in none."""
    return [word for word in in_order(_likely(tables, column)) if word not in compared]


def arm_words(tables: "Tables", design: "Design") -> pd.Series:
    """Return the arm of each participant of the tables as the design writes it; NaN where none is stated."""
    if design.single and design.arm_column not in tables.participants:
        return pd.Series(design.active, index=tables.participants.index, dtype=object)
    return words_of(tables.participants[design.arm_column])


def _meanings(tables: "Tables", column: str) -> MeaningOf:
    """Return what a word of the column means: by its level, else nothing."""
    levels = tables.codebook(column).levels
    return lambda word: "" if (code := match(word, levels)) is None else levels[code].lower()


def _no_arm(word: str, meaning: str) -> bool:
    """Say whether a value is clearly of people who are in no arm."""
    words = [text for text in (word, meaning) if text and text.lower() not in ARM_OF_NOTHING]
    return any(text.lower() in UNKNOWN_WORDS or means_missing(text) or NO_ARM.fullmatch(text) for text in words)


def arm_column(tables: "Tables", trial: Trial, instead: str = "") -> str:
    """Return the column of participants.tsv that holds the arm: as told, or the only one that can."""
    participants, wanted = tables.participants, trial.arm
    if wanted is not None:
        if wanted not in participants:
            raise UsageError(f"--arm {wanted}: no such column; participants.tsv has {', '.join(participants.columns)}.")
        return wanted
    named = [column for column in participants.columns if column.lower() in ARM_COLUMNS]
    if len(holding := [column for column in named if _holds(participants[column], trial.arms)]) == 1:
        return holding[0]
    n_arms = {column: len(_likely(tables, column)) for column in named}
    two = [column for column, count in n_arms.items() if count == 2]
    if len(two) == 1:
        return two[0]
    if len(two) > 1:
        raise UsageError(f"Several columns could hold the arm: {', '.join(two)}. Choose with --arm.")
    if periods := next(iter(period_columns(participants)), []):
        raise UsageError(_CROSSOVER.format(columns=", ".join(periods), first=periods[0]))
    several = [column for column, count in n_arms.items() if 2 < count <= MOST_COMPARED]
    if len(several if len(named) > 1 else named) == 1:
        return (several if len(named) > 1 else named)[0]
    levels = [f"{column} ({participants[column].nunique()} values)" for column in participants.columns]
    raise UsageError(
        f"No column of participants.tsv is known to hold the arm; there are {', '.join(levels)}. Choose with --arm."
        f"{' ' * bool(instead)}{instead}"
    )


def _holds(column: pd.Series, arms: Sequence[str]) -> bool:
    words = set(words_of(column).dropna())
    return bool(arms) and all(match(arm, words) for arm in arms)


def _likely(tables: "Tables", column: str) -> set[str]:
    meaning = _meanings(tables, column)
    return {word for word in words_of(tables.participants[column]).dropna() if not _no_arm(word, meaning(word))}


_CROSSOVER = (
    "This looks like a cross-over trial: {columns} of participants.tsv hold the same two treatments in turn. Give "
    "--design crossover, which compares the treatments within participants. --arm {first}, with --reference-arm, "
    "--baseline and --followup, compares parallel arms in the first period alone, if the visits of both arms have the "
    "same session labels."
)


def _compared(
    words: pd.Series, meaning: MeaningOf, column: str, trial: Trial, instead: str
) -> tuple[list[str], tuple[Finding, ...]]:
    """Return the values that are compared, and what there is to say of the others."""
    levels, said = in_order(words.dropna()), WORDINGS[trial.design]
    if trial.arms:
        arms = [_named(arm, words, column, "--arms") for arm in trial.arms]
        if len(set(arms)) < max(len(arms), 2):
            raise UsageError(f"--arms {' '.join(trial.arms)}: two different values are needed, or more.")
        why = "is not one of --arms"
    else:
        arms, why = (
            [word for word in levels if not _no_arm(word, meaning(word))],
            f"says that someone is in no {said.arm}",
        )
        _refuse_alike(arms, words, column)
    odd = _odd(arms, words, trial)
    if odd or not 2 <= len(arms) <= MOST_COMPARED:
        text = f"Column {column} of participants.tsv must hold two arms, or up to {MOST_COMPARED}; it holds "
        text += f"{len(levels)}: {listed(words)}."
        if len(arms) > 2:
            raise UsageError(f"{text}{odd} Choose which are compared with --arms, for example {_example(arms)}.")
        raise DataError(f"{text} --arm says which column, --arms which of its values are compared. {instead}".strip())
    return in_order(arms), tuple(_others(words, arms, why, said))


def _odd(arms: Sequence[str], words: pd.Series, trial: Trial) -> str:
    """Say which of more than two values that nobody chose may be no arm of the trial, or nothing."""
    if len(arms) == 2 or trial.arms:
        return ""
    counts = words.value_counts()
    found = [f"{word!r} is of one participant" for word in arms if counts[word] == 1]
    if WORDINGS[trial.design].randomized:
        found += [f"{word!r} may be of people who were not randomized" for word in arms if HEALTHY.fullmatch(word)]
    return f" Are these all arms? {'; '.join(found)}." if found else ""


def _others(words: pd.Series, arms: Sequence[str], why: str, said: Wording) -> Iterator[Finding]:
    about = said.arms.capitalize()
    for word in in_order(words.dropna()):
        if word not in arms:
            members = words.index[words == word]
            who = f"{people(members)} ({len(members)}) stand in the flow but are not compared"
            yield Finding(about, f"The {said.arm} {word!r} {why}: {who}.", warning=True)
    if words.isna().any():
        missing = words.index[words.isna()]
        text = f"No {said.arm} is stated for {people(missing)} ({len(missing)}): they are not compared."
        yield Finding(about, text)


def _refuse_alike(arms: Sequence[str], words: pd.Series, column: str) -> None:
    if same := alike(arms):
        groups = "; ".join(" and ".join(map(repr, group)) for group in same)
        raise UsageError(
            f"Column {column} of participants.tsv: {groups} differ by case, blanks or zeros only, of {listed(words)}. "
            "Write one arm in one way, or say with --arms which two values are compared."
        )


def _reference(arms: Sequence[str], meaning: MeaningOf, column: str, wanted: str | None) -> str:
    if wanted is None:
        found = [arm for arm in arms if {arm.lower(), meaning(arm)} & set(REFERENCE_LEVELS)]
        if len(found) != 1:
            raise UsageError(f"Which arm is the reference: {' or '.join(arms)}? Say so with --reference-arm.")
        return found[0]
    if (named := match(wanted, arms)) is None:
        raise UsageError(f"--reference-arm {wanted}: column {column} holds {' and '.join(map(repr, arms))}.")
    return named


def _named(wanted: str, words: pd.Series, column: str, option: str) -> str:
    levels = in_order(words.dropna())
    if (named := match(wanted, levels)) is None:
        raise UsageError(f"{option} {wanted}: column {column} of participants.tsv holds {listed(words)}.")
    return named


def period_columns(participants: pd.DataFrame) -> list[list[str]]:
    """Return columns that differ by a number in their names alone and hold the same two values, by number."""
    families: dict[tuple[str, ...], list[str]] = {}
    for column in participants.columns:
        values = participants[column].dropna()
        if re.search(r"\d$", column) and values.nunique() == 2:
            stem = re.sub(r"\d+$", "", column)
            families.setdefault((stem, *sorted(map(str, values.unique()))), []).append(column)
    return [in_order(columns) for columns in families.values() if len(columns) > 1]


def listed(words: pd.Series) -> str:
    """List the values of a column, quoted, with their counts."""
    counts = words.value_counts()
    return ", ".join(f"{word!r} ({counts[word]})" for word in in_order(words.dropna())) or "none"


def _example(arms: Sequence[str]) -> str:
    return "--arms " + " ".join(f"'{arm}'" if " " in arm else arm for arm in arms[:2])
