"""The tables of a cross-over trial with everyone's sequence, and with periods in place of sessions."""

from dataclasses import replace
from typing import Protocol

import pandas as pd

from bids_app.trial.tables import Tables


class Told(Protocol):
    """What is known of who was given what in which period."""

    @property
    def evidence(self) -> str:
        """By what, which stands for the column of the arms."""

    def sequence(self, participant: str) -> str | None:
        """Return what a participant's sequence is called, or None."""

    def session(self, participant: str, session: str | None) -> str | None:
        """Return what a session is compared as: its period, or itself."""


def told(tables: Tables, found: Told, *, has_orders: bool = True) -> Tables:
    """Return the tables with everyone's sequence, and with the periods in place of the sessions they were."""
    column = {one: found.sequence(one) for one in tables.participants.index}
    own = {found.evidence: pd.Series(column, dtype=object)} if has_orders else {}
    sessions = tables.sessions.copy()
    if len(sessions):
        sessions.index = pd.MultiIndex.from_tuples(
            [(name, found.session(name, session)) for name, session in sessions.index],
            names=tables.sessions.index.names,
        )
    return replace(
        tables,
        participants=tables.participants.assign(**own),
        sessions=sessions,
        levels={name: of for name, of in tables.levels.items() if name != found.evidence},
    )
