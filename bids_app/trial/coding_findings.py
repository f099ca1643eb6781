"""What is said of a column that was coded as a covariate: how it was taken, and what may be wrong with it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.values import UNKNOWN_WORDS, alike, counted, in_order, likely_codes, match, people

if TYPE_CHECKING:  # which imports this module
    from bids_app.trial.covariates import Column

NOMINAL = (
    *("site", "center", "centre", "scanner", "hospital", "clinic", "country", "rater", "therapist", "batch"),
    *("race", "ethnicity", "sex", "gender", "diagnosis", "handedness"),
)
MANY_LEVELS = 10


def coding_findings(column: "Column", own: pd.Series, whom: str, *, used: bool) -> Iterator[Finding]:
    """Say how a column was coded, and what is odd about it.

    Parameters
    ----------
    column : covariates.Column
    own : Series
        Its values for those it was coded for.
    whom : str
        What they are called: analysed, or randomized.
    used : bool
        Whether it varies among them.

    Yields
    ------
    Finding
    """
    describe = _number if column.is_number else _category
    yield Finding("Covariates", describe(column, own, whom) + ("" if used else _constant(own, whom)), not used)
    if used and (missing := own.index[own.isna()]).size:
        by = f"the mean of the others, {own.mean():.4g}" if column.is_number else "the shares of its levels"
        text = (
            f"{column.name} has no value for {len(missing)} of {len(own)} {whom} ({people(missing)}); it is replaced "
            f"by {by}, so that nobody is left out (White & Thompson 2005)."
        )
        yield Finding("Covariates", text, warning=True)
    yield from odd_numbers(column.name, own) if column.is_number else _odd_words(column, own, whom)


def _constant(own: pd.Series, whom: str) -> str:
    missing = own.index[own.isna()]
    lacking = f" It has no value for {people(missing)}, and" if len(missing) else " It"
    return f"{lacking} is the same for everyone {'else ' if len(missing) else ''}{whom}: it is not in the model."


def _number(column: "Column", own: pd.Series, whom: str) -> str:
    text = f"{column.name} is taken as a number ({own.nunique()} different values, {own.min():.4g} to {own.max():.4g})."
    partly = column.codebook.levels and not column.codebook.units
    return text + (" Its Levels name only a few of the values." if partly else "")


def _category(column: "Column", own: pd.Series, whom: str) -> str:
    levels = in_order(own.dropna())
    listed = ", ".join(f"{column.named(level)} ({(own == level).sum()})" for level in levels[:12])
    more = f" and {len(levels) - 12} more" if len(levels) > 12 else ""
    n_levels = counted(len(levels), "level")
    return f"{column.name} is taken as a category of {n_levels}: {listed}{more}; reference {levels[0]}."


def odd_numbers(name: str, read: pd.Series) -> Iterator[Finding]:
    """Warn of numbers that may be codes: of missing values, or of categories."""
    if codes := likely_codes(read):
        listed = "; ".join(f"{code:g} ({people(read.index[read == code])})" for code in codes)
        text = (
            f"{name}: {listed} far from all other values may be a code for a missing value. It is used as a number; "
            "write n/a, or declare it by Levels in the table's JSON file."
        )
        yield Finding("Values", text, warning=True)
    whole = bool((read.dropna() % 1 == 0).all())
    if name.lower() in NOMINAL and whole and read.nunique() > 2:
        text = (
            f"{name} is taken as a number, though its name is that of a category: if {read.min():g} to {read.max():g} "
            "are codes, describe them by Levels in the table's JSON file."
        )
        yield Finding("Values", text, warning=True)


def _odd_words(column: "Column", own: pd.Series, whom: str) -> Iterator[Finding]:
    name, known = column.name, own.dropna()
    if same := alike(known):
        groups = "; ".join(" and ".join(map(repr, group)) for group in same)
        text = f"{name}: {groups} differ by case, blanks or zeros only, and are taken as different levels."
        yield Finding("Values", text, warning=True)
    if unknown := [word for word in in_order(known) if word.lower() in UNKNOWN_WORDS]:
        listed = " and ".join(map(repr, unknown))
        text = f"{name}: {listed} is taken as a level of its own; write n/a if it means that the value is missing."
        yield Finding("Values", text, warning=True)
    if known.nunique() > max(MANY_LEVELS, len(known) / 4):
        text = (
            f"{name} has {known.nunique()} levels for {len(known)} {whom}; each but the first is a column of the model."
        )
        yield Finding("Values", text, warning=True)
    levels = column.codebook.levels
    if undescribed := [word for word in in_order(known) if levels and match(word, levels) is None]:
        text = f"{name}: {', '.join(map(repr, undescribed[:5]))} is not among its Levels, and is taken as one more."
        yield Finding("Values", text, warning=True)
