"""How many days lie between the visits of a study: by acq_time, a column of days, or labels with units."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.values import all_numbers
from bids_app.errors import UsageError
from bids_app.trial.moments import has_one_reading, read_moments
from bids_app.trial.session_labels import meaning_of
from bids_app.trial.tables import Tables

COLUMN = "days"  # of sessions.tsv
DAY = 86400  # s
EITHER = "m"  # months, or minutes
APART = 0.25  # share by which the labels may differ from the dates before it is said
Days = dict[str, float]


@dataclass(frozen=True)
class Times:
    """When the visits of a study were, nominally.

    Attributes
    ----------
    days : dict of float
        By session, since the first.
    source : str
        By what they are known, for people.
    findings : tuple of Finding
    """

    days: Mapping[str, float]
    source: str
    findings: tuple[Finding, ...] = ()


def nominal_times(tables: Tables, scanned: Collection[tuple[str, str]], sessions: Sequence[str]) -> Times:
    """Find when sessions were: the median over the participants where these have dates or days of their own.

    Parameters
    ----------
    tables : Tables
    scanned : set of (str, str)
        Participant and session of every scan.
    sessions : sequence of str
        The baseline first, where there is one.

    Returns
    -------
    Times

    Raises
    ------
    UsageError
        It is not known of all, or two were at once.
    """
    by_labels = _by_labels(sessions)
    found = _by_moments(tables.moments, scanned, sessions) or _by_column(tables, scanned, sessions)
    found = found or (Times(by_labels, "the labels of the sessions") if by_labels else None)
    listed = ", ".join(f"ses-{one}" for one in sessions)
    if found is None:
        raise UsageError(
            f"On which days were {listed}? Neither acq_time nor a column {COLUMN} of sessions.tsv says so for all, nor "
            f"do labels with units (day3, week8). Give sessions.tsv a column {COLUMN}."
        )
    said = ", ".join(f"ses-{one} on day {found.days[one]:g}" for one in sessions)
    if len(set(found.days.values())) < len(sessions) or min(found.days.values()) < 0:
        raise UsageError(f"By {found.source} visits were {said}: each must be later than the first, no two at once.")
    if by_labels and (odd := [one for one in sessions if _differ(found.days[one], by_labels[one])]):
        text = f"By {found.source} {said}; the labels of {', '.join(f'ses-{one}' for one in odd)} say otherwise."
        return Times(found.days, found.source, (Finding("Visits", text, warning=True),))
    return found


def _differ(days: float, by_label: float) -> bool:
    return abs(days - by_label) > APART * max(by_label, 1)


def _by_moments(
    moments: pd.Series | None, scanned: Collection[tuple[str, str]], sessions: Sequence[str]
) -> Times | None:
    """Return the times by acq_time: days since each one's own first session, for dates may be shifted for each."""
    if moments is None:
        return None
    own = moments[[key in scanned for key in moments.index]]
    if own.empty or not has_one_reading(own):
        return None
    read = read_moments(own)[0]
    moment = pd.Series([np.nan if pd.isna(one) else one.timestamp() / DAY for one in read], index=read.index)
    days = moment.unstack().reindex(columns=list(sessions))
    return _medians(days.sub(days.iloc[:, 0], axis=0), "acq_time")


def _by_column(tables: Tables, scanned: Collection[tuple[str, str]], sessions: Sequence[str]) -> Times | None:
    """Return the times by the column of days; of a first session without any they are 0."""
    if COLUMN not in tables.sessions:
        return None
    own = tables.sessions[COLUMN][[key in scanned for key in tables.sessions.index]]
    days = all_numbers(own, f"Column {COLUMN}").unstack().reindex(columns=list(sessions))
    if len(days.columns) > 1 and days.iloc[:, 0].isna().all():
        days.iloc[:, 0] = 0.0
    return _medians(days.sub(days.iloc[:, 0], axis=0), f"the column {COLUMN} of sessions.tsv")


def _medians(days: pd.DataFrame, source: str) -> Times | None:
    medians = days.median()
    if medians.isna().any():
        return None
    n = int(days.notna().all(axis=1).sum())
    rounded = {str(one): round(float(day), 3) for one, day in medians.items()}
    return Times(rounded, f"{source}, medians ({n} participants have all)")


def _by_labels(sessions: Sequence[str]) -> Days:
    """Return the times by numbers with units; a word such as baseline, at the first, is day 0.

    Examples
    --------
    >>> _by_labels(["baseline", "day3", "week2"]), _by_labels(["pre", "post"]), _by_labels(["pre", "m6"])
    ({'baseline': 0.0, 'day3': 3.0, 'week2': 14.0}, {}, {})
    """
    meanings = [meaning_of(one) for one in sessions]
    days = [one.days if not one.rest and one.word != EITHER else None for one in meanings]
    if days and days[0] is None and meanings[0].phase < 0 and meanings[0].count is None:
        days[0] = 0.0
    known = np.array([np.nan if day is None else day for day in days])
    return {} if np.isnan(known).any() else dict(zip(sessions, (known - known[0]).tolist(), strict=True))
