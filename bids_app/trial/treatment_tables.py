"""What tables say of the treatments of a cross-over trial: of their order, or of one session each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.values import in_order, people, words_of
from bids_app.errors import UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.arms import ARM_COLUMNS, period_columns
from bids_app.trial.tables import Tables
from bids_app.trial.treatments import Treatments, in_letters, name_of, read_order

SEQUENCE_COLUMNS = re.compile(
    r"seq(uence)?|(treatment|drug|dosing|intervention|session|condition|randomi[sz]ation)?_?(order|seq(uence)?)"
    r"(_group|_of_treatments?)?",
    re.IGNORECASE,
)
TREATMENT_COLUMNS = (*(name for name in ARM_COLUMNS if name != "group"), "infusion", "substance", "dose", "agent")


@dataclass(frozen=True)
class Stated:
    """What one source says of the order of the treatments.

    Attributes
    ----------
    source : str
        For people.
    said : dict of tuple of (str or None)
        By participant, the names of the treatments, first to last, as far as they are stated.
    words : dict of str
        Name by every word that stands for a treatment.
    findings : tuple of Finding
    """

    source: str
    said: Mapping[str, tuple[str | None, ...]]
    words: Mapping[str, str]
    findings: tuple[Finding, ...] = ()

    @property
    def n_periods(self) -> int:
        """The most periods of anybody."""
        return max(map(len, self.said.values()), default=0)

    def orders(self, treatments: Treatments) -> dict[str, tuple[str, str]]:
        """Return both treatments of each participant; who had one of the two first had the other second."""
        found = {}
        for participant, said in self.said.items():
            first, second = (None if one is None else treatments.named(one) for one in said)
            unread = [one for one, name in zip(said, (first, second), strict=True) if one is not None and name is None]
            first = first or (treatments.other(second) if second else None)
            if first and not unread and second != first:
                found[participant] = (first, treatments.other(first))
        return found


@dataclass(frozen=True)
class Given:
    """What a column of sessions.tsv says was given at each session.

    Attributes
    ----------
    source : str
    names : dict of str
        By participant and session.
    words : dict of str
        As in `Stated`.
    """

    source: str
    names: Mapping[tuple[str, str], str]
    words: Mapping[str, str]

    def of(self, treatments: Treatments) -> dict[tuple[str, str], str]:
        """Return the treatment of each session that was of one of the two."""
        named = {visit: treatments.named(name) for visit, name in self.names.items()}
        return {visit: name for visit, name in named.items() if name is not None}


def stated_orders(tables: Tables, trial: Trial) -> list[Stated]:
    """Read what participants.tsv says of the order: a column of sequences, and a column for each period.

    Raises
    ------
    UsageError
        ``--arm`` is no column, or says neither.
    """
    participants = tables.participants
    if trial.arm is not None and trial.arm not in participants:
        raise UsageError(f"--arm {trial.arm}: no such column; participants.tsv has {', '.join(participants.columns)}.")
    names = [trial.arm] if trial.arm else [one for one in participants if SEQUENCE_COLUMNS.fullmatch(str(one))]
    families = of_many_periods(participants, trial.arm)
    longer = {column for family in families for column in family}
    families += [one for one in period_columns(participants) if len(one) == 2 and not longer & {*one}]
    of_periods = [family for family in families if trial.arm in (None, *family)]
    found = [_of_column(tables, str(name)) for name in names if not any(name in family for family in families)]
    found += [_of_periods(tables, family) for family in of_periods]
    known = [one for one in found if one.said]
    if trial.arm and not known:
        raise UsageError(f"--arm {trial.arm}: no value says an order of treatments, as ketamine-placebo or AB would.")
    return known


def _of_column(tables: Tables, column: str) -> Stated:
    """Read a column of sequences: AB, ketamine-placebo, placebo first."""
    codebook, words = tables.codebook(column), words_of(tables.participants[column]).dropna()
    as_letters = in_letters(list(words))
    said: dict[str, tuple[str | None, ...]] = {}
    for participant, word in words.items():
        if order := read_order(word, codebook) or (tuple(word) if as_letters else None):
            names = tuple(name_of(one, codebook) for one in order)
            said[str(participant)] = names if len(names) > 1 else (*names, None)
    return Stated(column, said, {name: name for order in said.values() for name in order if name is not None})


def _of_periods(tables: Tables, columns: Sequence[str]) -> Stated:
    """Read a column for each period."""
    words: dict[str, str] = {}
    said: dict[str, list[str | None]] = {}
    for place, column in enumerate(columns):
        for participant, word in words_of(tables.participants[column]).dropna().items():
            words[word] = name_of(word, tables.codebook(column))
            said.setdefault(str(participant), [None] * len(columns))[place] = words[word]
    half = [name for name, order in said.items() if None in order]
    source = " and ".join(columns)
    text = f"{source}: one treatment is not stated for {people(half)} ({len(half)}); it is taken to be the other one."
    findings = (Finding("Sequences", text),) if half and len(columns) == 2 else ()
    return Stated(source, {name: tuple(order) for name, order in said.items()}, words, findings)


def of_many_periods(participants: pd.DataFrame, arm: str | None) -> list[list[str]]:
    """Return columns that are called as treatments of three periods or more, and hold no more treatments than these."""
    families: dict[str, list[str]] = {}
    for column in map(str, participants.columns):
        if number := re.search(r"\d+$", column):
            families.setdefault(column[: number.start()], []).append(column)
    called = [
        in_order(columns)
        for stem, columns in families.items()
        if stem.rstrip("_-. ").lower() in (*TREATMENT_COLUMNS, "period") or arm in columns
    ]
    return [
        columns
        for columns in called
        if len(columns) > 2 and 2 <= len({*participants[columns].stack().dropna()}) <= len(columns)
    ]


def require_two_periods(stated: Sequence[Stated]) -> None:
    """Refuse orders of more periods, where two treatments of two periods are compared."""
    for one in stated:
        for order in one.said.values():
            if len(order) > 2:
                words = " then ".join("nothing stated" if name is None else name for name in order)
                raise UsageError(f"{one.source} of participants.tsv: {words}: more than two periods; two are compared.")


def treatments_of_sessions(tables: Tables) -> Given | None:
    """Read the column of sessions.tsv that says what was given: the one that differs within participants.

    Raises
    ------
    UsageError
        Several columns could be it.
    """
    found = list(_columns(tables))
    if len(found) > 1:
        several = ", ".join(found)
        raise UsageError(f"Several columns of sessions.tsv could hold the treatment: {several}. Leave one in it.")
    if not found:
        return None
    codebook, column = tables.codebook(found[0]), tables.sessions[found[0]]
    words = words_of(column).dropna()
    names = [name_of(word, codebook) for word in words]
    visits = [(str(participant), str(session)) for participant, session in words.index]
    source = f"{found[0]} of sessions.tsv"
    return Given(source, dict(zip(visits, names, strict=True)), dict(zip(words, names, strict=True)))


def _columns(tables: Tables) -> Iterator[str]:
    for column in tables.sessions:
        words = words_of(tables.sessions[column]).dropna()
        known = str(column).lower() in TREATMENT_COLUMNS and len(words) > 0
        if known and words.groupby(level=0).nunique().max() > 1:
            yield str(column)
