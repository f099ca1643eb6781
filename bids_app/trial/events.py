"""Intercurrent events that a column of the tables says: who had one by which follow-up, and what is left out for it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.values import counted, words_of
from bids_app.errors import DataError, UsageError
from bids_app.settings.objectives import Event, Objective
from bids_app.settings.settings import Trial
from bids_app.trial.arms import arm_words
from bids_app.trial.design import Design
from bids_app.trial.flow import AFTER_EVENT, Visit
from bids_app.trial.tables import Tables
from bids_app.trial.visit_order import order_of
from bids_app.trial.visits import find_visits

ABOUT = "Intercurrent events"
HAPPENED = {**dict.fromkeys(("yes", "y", "true", "1"), True), **dict.fromkeys(("no", "n", "false", "0"), False)}


@dataclass(frozen=True)
class Events:
    """What the tables say of the events of a plan.

    Attributes
    ----------
    by : dict of DataFrame
        By column: a row per participant, a column per follow-up in their order; True, False, or None where it is not
        known whether the event happened by then.
    after : dict of str
        Scans that are left out, by participant and session, and why.
    findings : tuple of Finding
    """

    by: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    after: Mapping[Visit, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def find_events(
    tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial, *, named: bool = True
) -> tuple[Tables, Events]:
    """Read the events of the plan's objectives, and leave out of the outcomes what was measured after them.

    Parameters
    ----------
    tables : Tables
    scanned : set of (str, str)
        Participant and session of every scan.
    trial : settings.Trial
    named : bool, optional
        Whether what is said may name the event, which could tell an arm.

    Returns
    -------
    Tables
        With nothing in place of scores that a strategy leaves out.
    Events

    Raises
    ------
    UsageError
        The design, or the number of follow-ups, has no place for a strategy.
    DataError
        There is no such column, or it says something else than yes and no, or not when.
    """
    objectives = trial.plan.objectives if trial.plan else ()
    listed = [(one, event) for one in objectives for event in one.events if event.column]
    if not listed:
        return tables, Events()
    followups = _followups(tables, scanned, trial)
    by = {column: happened(tables, column, followups) for column in dict.fromkeys(str(one.column) for _, one in listed)}
    after: dict[Visit, str] = {}
    for one, event in listed:
        if event.leaves_out:
            _refuse_timeless(tables, event, followups)
        if event.leaves_out and one.outcome:
            tables = _without_scores(tables, one, by[str(event.column)])
        elif event.leaves_out:
            why = f"{AFTER_EVENT} {event.name if named else 'an intercurrent event'} ({event.strategy})"
            after |= dict.fromkeys(_visits_after(by[str(event.column)]), why)
    found = dict.fromkeys(chain(_said(listed, by, followups), _left(after, scanned)))
    return tables, Events(by, after, tuple(Finding(ABOUT, text) for text in found))


def _followups(tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial) -> tuple[str, ...]:
    if trial.design not in ("parallel", "groups", "one-group"):
        raise UsageError(
            f"A column of intercurrent events with --design {trial.design}: an event in one period bears on the others "
            "in ways that no strategy here undoes. Leave column out of the plan; the strategy is recorded then."
        )
    return find_visits(order_of(scanned, tables.moments, tables.logged), scanned, trial).followups


def happened(tables: Tables, column: str, followups: Sequence[str]) -> pd.DataFrame:
    """Say who had an event by which follow-up.

    Parameters
    ----------
    tables : Tables
    column : str
        Of sessions.tsv: whether it happened between the visit before and this one; an event stays for later visits.
        Or of participants.tsv: whether it happened at all, which is taken for every follow-up.
    followups : sequence of str
        Sessions, in their order.

    Returns
    -------
    DataFrame
        As in `Events.by`. What is not known at a visit is not known later either, unless it is yes there.

    Raises
    ------
    DataError
    """
    people = tables.participants.index
    if column in tables.sessions:
        wide = _yes_or_no(tables.sessions[column], column).unstack().reindex(people)
        _refuse_other_visits(wide, column, followups)
        wide = wide.reindex(columns=list(followups))
    elif column in tables.participants:
        own = _yes_or_no(tables.participants[column], column)
        wide = pd.DataFrame(dict.fromkeys(followups, own), index=people)
    else:
        raise DataError(
            f"The plan names {column} as the column of an intercurrent event: neither participants.tsv nor a "
            "sessions.tsv has it."
        )
    known = wide.apply(lambda row: pd.Series(_until_now(row), index=wide.columns, dtype=object), axis=1)
    return known.astype(object)


def _until_now(row: pd.Series) -> Iterator[bool | None]:
    so_far: bool | None = False
    for value in row:
        if value is True or so_far is True:
            so_far = True
        elif value is not False:
            so_far = None
        yield so_far


def _yes_or_no(column: pd.Series, name: str) -> pd.Series:
    words = words_of(column)
    if strange := sorted({str(one) for one in words.dropna() if str(one).lower() not in HAPPENED}):
        raise DataError(
            f"The column {name} of an intercurrent event says {', '.join(strange[:3])}: it has to say yes or no (or "
            "true and false, 1 and 0), and n/a where it is not known."
        )
    return pd.Series([HAPPENED.get(str(one).lower()) for one in words], index=words.index, dtype=object)


def _refuse_other_visits(wide: pd.DataFrame, column: str, followups: Sequence[str]) -> None:
    """Refuse an event at a visit that is no follow-up: whether it was before or after one is not known."""
    others = [str(one) for one in wide if one not in followups and (wide[one] == True).any()]  # noqa: E712
    if others:
        raise DataError(
            f"{column} says an event at ses-{others[0]}, which is no follow-up of the trial: say it at the next "
            f"follow-up (there is {', '.join(followups)}). What was there at the baseline is no intercurrent event."
        )


def _refuse_timeless(tables: Tables, event: Event, followups: Sequence[str]) -> None:
    if len(followups) > 1 and event.column not in tables.sessions:
        raise DataError(
            f"{event.column} of participants.tsv says whether {event.name} happened, and not before which of "
            f"{', '.join(followups)}: the strategy {event.strategy!r} needs a column of the sessions.tsv."
        )
    if len(followups) > 1 and event.strategy == "while on treatment":
        raise UsageError(
            f"{event.name}: while on treatment, with a column and {len(followups)} follow-ups: the last value before "
            "the event would stand at a later visit, which is not done here. Prepare the data and say prepared = true."
        )


def _without_scores(tables: Tables, one: Objective, by: pd.DataFrame) -> Tables:
    name = str(one.outcome).partition(":")[0]
    if name not in tables.sessions:
        raise DataError(
            f"Objective {one.name!r}: values of {name} after an event can be left out only where it is a column of the "
            "sessions.tsv."
        )
    gone = tables.sessions.index.isin(_visits_after(by))
    return replace(tables, sessions=tables.sessions.assign(**{name: tables.sessions[name].mask(gone)}))


def _visits_after(by: pd.DataFrame) -> list[tuple[str, str]]:
    return [(str(who), str(visit)) for visit in by for who in by.index[[one is True for one in by[visit]]]]


def _said(
    listed: Sequence[tuple[Objective, Event]], by: Mapping[str, pd.DataFrame], followups: Sequence[str]
) -> Iterator[str]:
    for _, event in listed:
        at = "; ".join(f"{_count(by[str(event.column)][visit])} by ses-{visit}" for visit in followups)
        yield f"{event.name} ({event.column}): {at}, of everyone in the tables."


def _left(after: Mapping[Visit, str], scanned: Collection[tuple[str, str]]) -> Iterator[str]:
    if n := len([one for one in after if one in scanned]):
        yield f"{counted(n, 'visit')} after an intercurrent event left out of the maps, as the plan has it."


def _count(known: pd.Series) -> str:
    yes, unknown = sum(one is True for one in known), sum(one is None for one in known)
    return f"{yes} of {len(known)}{f' ({unknown} not known)' if unknown else ''}"


def count_by_arm(by: pd.DataFrame, tables: Tables, design: Design) -> str:
    """Say how many of each arm that is compared had an event by the follow-up, in words.

    Parameters
    ----------
    by : DataFrame
        Of one column, as in `Events.by`.
    tables : Tables
    design : Design
    """
    arms, visit = arm_words(tables, design), design.followup
    if visit not in by:
        return "not counted: it is not known by when"
    known = by[visit].reindex(arms.index)
    return ", ".join(f"{arm} {_count(known[arms == arm])}" for arm in design.compared)
