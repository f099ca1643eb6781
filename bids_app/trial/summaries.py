"""Visits that are made of several sessions: the follow-ups of a participant put together."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bids_app.bids.findings import Finding
from bids_app.bids.values import joined
from bids_app.errors import UsageError
from bids_app.stats import overvisits
from bids_app.trial.visit_times import Times

MADE: dict[str, tuple[str, Callable[[Sequence[float]], np.ndarray]]] = {
    "mean": ("mean over the follow-ups", overvisits.mean_weights),
    "area": ("area over the follow-ups", overvisits.area_weights),
    "slope": ("slope over the follow-ups", overvisits.slope_weights),
    "last-first": ("last minus first follow-up", overvisits.difference_weights),
}
ROUNDING = 1e-9


@dataclass(frozen=True)
class Summary:
    """A visit that is the weighted sum of several sessions.

    Attributes
    ----------
    name : str
        Stands where the label of a session does.
    called : str
        For people.
    text : str
        Of which sessions and how it is made, for people.
    sessions : tuple of str
    weights : tuple of float
        Of each session.
    days : tuple of float
        When each session was, since the first; empty where only their order counts.
    times : str
        By what this is known, as the end of a sentence; empty likewise.
    needs_all : bool
        Whether who lacks a session lacks the visit; otherwise those that there are have the same weight.
    """

    name: str
    called: str
    text: str
    sessions: tuple[str, ...]
    weights: tuple[float, ...]
    days: tuple[float, ...] = ()
    times: str = ""
    needs_all: bool = True

    @property
    def is_change(self) -> bool:
        """True if the weights add up to 0, so that nothing is to be subtracted any more."""
        return abs(sum(self.weights)) < ROUNDING * max(map(abs, self.weights))

    def finding(self) -> Finding:
        """Say what it is made of."""
        if not self.needs_all:
            text = f"The {self.called} is the {self.text}: maps, motion and scores of each participant are averaged."
            return Finding("Visits", text)
        weights = ", ".join(
            f"{weight:.4g} of ses-{session}" for session, weight in zip(self.sessions, self.weights, strict=True)
        )
        when = ", ".join(f"ses-{one} on day {day:g}" for one, day in zip(self.sessions, self.days, strict=False))
        known = f" The times are those of {self.times}: {when}." if self.days else ""
        text = f"{self.called[0].upper()}{self.called[1:]}: the {self.text}, with weights {weights}.{known}"
        return Finding("Visits", f"{text} Who lacks one of these sessions is not in it.")


def averaged(baselines: Sequence[str], name: str) -> Summary:
    """Return the baseline that is the mean of several sessions.

    Examples
    --------
    >>> averaged(("pre1", "pre2"), "pre1+pre2").text
    'mean of ses-pre1 and ses-pre2 (or of those there are)'
    """
    weights, text = overvisits.mean_weights(baselines), f"mean of {listed(baselines)} (or of those there are)"
    return Summary(name, "baseline", text, tuple(baselines), tuple(weights.tolist()), needs_all=False)


def over_followups(kind: str, baseline: str | None, followups: Sequence[str], times: Times | None) -> Summary:
    """Return what --over-followups asks for.

    Parameters
    ----------
    kind : str
        Key of `MADE`.
    baseline : str or None
        The area begins there.
    followups : sequence of str
        From first to last.
    times : Times or None
        Needed of areas and slopes.

    Examples
    --------
    >>> found = over_followups("area", "pre", ("day1", "day4"), Times({"pre": 0, "day1": 1, "day4": 4}, "labels"))
    >>> found.weights, found.text
    ((0.125, 0.5, 0.375), 'area under ses-pre, ses-day1 and ses-day4, divided by its 4 days')
    """
    called, weights_of = MADE[kind]
    sessions = (followups[0], followups[-1]) if kind == "last-first" else tuple(followups)
    if kind == "area" and baseline is not None:
        sessions = (baseline, *followups)
    timed = times if kind in ("area", "slope") else None
    days = tuple(timed.days[one] for one in sessions) if timed else ()
    weights = tuple(weights_of(days or range(len(sessions))).tolist())
    text = {
        "mean": f"mean of {listed(sessions)}",
        "area": f"area under {listed(sessions)}, divided by its {np.ptp(days or (0,)):g} days",
        "slope": f"slope of the least-squares line through {listed(sessions)}, per day",
        "last-first": f"ses-{sessions[-1]} minus ses-{sessions[0]}",
    }[kind]
    return Summary(kind.replace("-", ""), called, text, sessions, weights, days, timed.source if timed else "")


def listed(sessions: Sequence[str]) -> str:
    """List sessions for people.

    Examples
    --------
    >>> listed(("day3", "day7", "day14"))
    'ses-day3, ses-day7 and ses-day14'
    """
    return joined(f"ses-{one}" for one in sessions)


def require_apart(summaries: Iterable[Summary], sessions: Collection[str]) -> None:
    """Refuse a session that is called as a summary is."""
    if both := [one.name for one in summaries if one.name in sessions]:
        raise UsageError(
            f"ses-{both[0]}: the {both[0]} over the follow-ups is called so here. Give the session another label."
        )
