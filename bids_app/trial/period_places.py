"""Which period each session was in: by times of each participant, or by labels that are alike for everyone."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from bids_app.bids.findings import Finding
from bids_app.bids.values import in_order
from bids_app.errors import UsageError
from bids_app.trial.period_sessions import PeriodSessions, Visit
from bids_app.trial.visit_order import order_of


@dataclass(frozen=True)
class Placed:
    """Where sessions are in time.

    Attributes
    ----------
    places : dict of int
        Of each session that is known to be of a period, 0 for the first.
    source : str
        By what, for people.
    findings : tuple of Finding
    """

    places: Mapping[Visit, int]
    source: str
    findings: tuple[Finding, ...] = ()


def placed(found: PeriodSessions, treated: Mapping[Visit, str], n_periods: int) -> Placed:
    """Find the periods of sessions: by times, of who has a session of each; else by labels alike for everyone.

    Parameters
    ----------
    found : PeriodSessions
    treated : dict of str
        The treatment of each session; empty if nothing tells it.
    n_periods : int

    Raises
    ------
    UsageError
        Nothing tells the treatment of a session, and there are not as many sessions as periods, or in no order.
    """
    if not treated:
        before = found.baselines.in_order(found.sessions, n_periods)
        rest = tuple(one for one in found.sessions if one and one not in before) if before else ()
        return _alike(found, n_periods, found.trial.followup or rest)
    timed = _timed(treated, found.tables.times, n_periods)
    sessions = {session for _, session in treated}
    by_label = len(sessions) == n_periods and not any(map(found.treatments.of_session, sessions))
    alike = _alike(found, n_periods, tuple(sessions)) if by_label else Placed({}, "")
    places = {visit: place for visit, place in alike.places.items() if visit in treated}
    sources = ["acq_time"] * bool(timed) + [alike.source] * bool(places.keys() - timed.keys())
    return Placed({**places, **timed}, " and ".join(sources), alike.findings if places.keys() - timed.keys() else ())


def _timed(treated: Mapping[Visit, str], times: Mapping[Visit, float], n_periods: int) -> dict[Visit, int]:
    """Return the places of the sessions of those who have all of them, at different times."""
    own: dict[str, list[Visit]] = {}
    for visit in treated:
        own.setdefault(visit[0], []).append(visit)
    known = [
        visits
        for visits in own.values()
        if len(visits) == n_periods and len({times[visit] for visit in visits if visit in times}) == n_periods
    ]
    return {visit: place for visits in known for place, visit in enumerate(sorted(visits, key=times.__getitem__))}


def _alike(found: PeriodSessions, n_periods: int, sessions: tuple[str, ...] = ()) -> Placed:
    """Return the places of sessions that have the same labels for everyone."""
    wanted = sessions or found.trial.followup or tuple(filter(None, found.sessions))
    there = ", ".join(filter(None, found.sessions)) or "none"
    if unknown := [one for one in wanted if one not in found.sessions]:
        raise UsageError(f"--followup {' '.join(unknown)}: no such session; there are {there}.")
    if len(wanted) != n_periods:
        raise UsageError(f"Sessions are {there}: which are those of the {n_periods} periods? Say so with --followup.")
    own = [visit for visit in found.visits if visit[1] in wanted]
    order = order_of(own, found.tables.moments, found.tables.logged)
    if not (order.sessions or found.trial.followup):
        raise UsageError(
            f"In which order were {', '.join(f'ses-{one}' for one in in_order(wanted))}? {order.evidence[0].upper()}"
            f"{order.evidence[1:]}. Say so with --followup, the first period first."
        )
    first = order.sessions or found.trial.followup
    why = order.evidence if order.sessions else "--followup names them so"
    text = f"{', '.join(f'ses-{one}' for one in first)} are periods 1 to {n_periods}, because {why}."
    said = [Finding("Visits", text, warning=order.weak), *(Finding("Visits", one, True) for one in order.doubts)]
    return Placed({visit: first.index(visit[1]) for visit in own}, "the order of the sessions", tuple(said))


def not_in_turn(periods: Mapping[Visit, int], found: PeriodSessions) -> list[str]:
    """Return the participants whose sessions were, by acq_time, in another order than their periods."""
    times = found.tables.times
    of_whom: dict[str, list[tuple[int, float]]] = {}
    for visit, place in periods.items():
        if visit in times:
            of_whom.setdefault(visit[0], []).append((place, times[visit]))
    return [name for name, own in of_whom.items() if any(b[1] <= a[1] for a, b in pairwise(sorted(own)))]
