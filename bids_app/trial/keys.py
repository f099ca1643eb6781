"""Rows of tables that belong to no scan, and scans that belong to no row, with the likely cause."""

import re
from collections.abc import Collection, Iterable, Mapping, Set
from typing import TYPE_CHECKING

from bids_app.bids.findings import Finding

if TYPE_CHECKING:  # which imports this module
    from bids_app.trial.tables import Tables

SHOWN = 6


def plain_key(label: object) -> str:
    """Reduce a label to what people mean by it: no zeros in front, no case, no prefix, letters and digits only.

    Examples
    --------
    >>> plain_key("ses-01"), plain_key("001"), plain_key("Pre ")
    ('1', '1', 'pre')
    """
    text = re.sub(r"[^a-z0-9]", "", re.sub(r"^(sub|ses)[-_ ]?", "", str(label).strip().casefold()))
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def likely(label: str, others: Iterable[str]) -> str | None:
    """Return the label among others that the same was probably meant by, or None.

    Examples
    --------
    >>> likely("01", ["1", "2"]), likely("x", ["1", "2"])
    ('1', None)
    """
    same = [other for other in sorted(others) if other != label and plain_key(other) == plain_key(label)]
    return same[0] if len(same) == 1 else None


def unmatched(tables: "Tables", scanned: Collection[tuple[str, str]]) -> tuple[Finding, ...]:
    """Say which keys of the tables match no scan, and the reverse.

    Parameters
    ----------
    tables : design.Tables
    scanned : set of (str, str)
        Participant and session of every scan.

    Returns
    -------
    tuple of Finding
    """
    sessions = {session for _, session in scanned if session}
    in_tables = set(tables.sessions.index.get_level_values("session_id"))
    participants = {participant for participant, _ in scanned}
    listed = set(tables.participants.index)
    of_visits = set(tables.sessions.index.get_level_values("participant_id"))
    return tuple(
        filter(
            None,
            (
                _sessions(in_tables, sessions),
                _pairs("participants.tsv", "participant", "sub", listed - participants, participants - listed),
                _pairs("The tables of visits", "participant", "sub", of_visits - listed, listed - of_visits),
            ),
        )
    )


def _sessions(in_tables: Set[str], scanned: Set[str]) -> Finding | None:
    """Say which sessions of the tables have no scan: of nothing where all have, a warning where none has."""
    without = in_tables - scanned
    if not without:
        return None
    causes = {label: likely(label, scanned - in_tables) for label in without}
    text = f"sessions.tsv and phenotype/ have {_listed('ses', without)}, of which there is no scan; there are scans of "
    text += f"{_listed('ses', scanned)}.{_cause('ses', causes)}"
    if not in_tables & scanned:
        text += " Nothing that these tables say of a visit can be used: give the sessions the same labels."
    return Finding("Keys", text, warning=not in_tables & scanned or any(causes.values()))


def _pairs(table: str, what: str, prefix: str, without: Iterable[str], unlisted: Iterable[str]) -> Finding | None:
    """Say which labels of a table are probably those of others that the table lacks."""
    causes = {label: other for label in without if (other := likely(label, unlisted))}
    if not causes:
        return None
    text = f"{table}: {_listed(prefix, causes)} match no {what} that is known otherwise.{_cause(prefix, causes)}"
    return Finding("Keys", text, warning=True)


def _cause(prefix: str, causes: Mapping[str, str | None]) -> str:
    pairs = [f"{prefix}-{label} may be meant for {prefix}-{other}" for label, other in sorted(causes.items()) if other]
    return f" {', '.join(pairs[:SHOWN])}: labels are compared letter by letter." if pairs else ""


def _listed(prefix: str, labels: Collection[str]) -> str:
    shown = ", ".join(f"{prefix}-{label}" for label in sorted(labels)[:SHOWN]) or "none"
    return shown + (f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else "")
