"""Which visit came first: by evidence, strongest first, and never by the alphabet."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from bids_app.trial.moments import read_moments
from bids_app.trial.session_labels import compared, meaning_of

AGREEMENT = 0.9  # share of the participants whose dates must say the same


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
