"""Which sessions are the two periods of a cross-over trial, and by what times the treatments are in order."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from bids_app.bids.findings import Finding
from bids_app.bids.values import in_order
from bids_app.errors import UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.design import PERIODS
from bids_app.trial.moments import read_moments
from bids_app.trial.period_baselines import PeriodBaselines
from bids_app.trial.period_orders import baseline_name
from bids_app.trial.tables import Tables
from bids_app.trial.treatments import Treatments
from bids_app.trial.visit_order import order_of

Visit = tuple[str, str]  # participant and session
Order = tuple[str, str]  # the treatments of the two periods

NO_ORDER = (
    "The order of the treatments is not known: {looked}. Without it the treatment cannot be told from the period. "
    "Any of these would tell it: acq_time in sub-*_sessions.tsv or sub-*_scans.tsv; in participants.tsv a column "
    "sequence ({active}-{reference} or {reference}-{active}), or a column for each period (period_1, period_2) with "
    "the treatment. Or give --design paired, which takes the periods to be alike and says so."
)


@dataclass(frozen=True)
class PeriodSessions:
    """What is looked through for the sessions of the two periods.

    Attributes
    ----------
    tables : Tables
    visits : list of (str, str)
        Participant and session of every scan, and of what the tables say of sessions of the same labels.
    treatments : Treatments
    trial : settings.Trial
    """

    tables: Tables
    visits: Collection[Visit]
    treatments: Treatments
    trial: Trial

    @property
    def sessions(self) -> tuple[str, ...]:
        """The labels of all sessions."""
        return tuple(in_order(session for _, session in self.visits))

    @property
    def baselines(self) -> PeriodBaselines:
        """What finds the baselines of the periods."""
        return PeriodBaselines(self.treatments, self.trial)

    def one_of_each(self, of_visits: Mapping[Visit, str]) -> dict[Visit, str]:
        """Return of each participant the session of each treatment whose outcome is compared."""
        wanted = self.trial.followup
        chosen = {
            visit: name for visit, name in of_visits.items() if not wanted or self.baselines.is_named(visit[1], wanted)
        }
        of_each: dict[tuple[str, str], list[str]] = {}
        for (participant, session), name in chosen.items():
            of_each.setdefault((participant, name), []).append(session)
        if self.trial.followup and not of_each:
            raise UsageError(f"--followup {' '.join(self.trial.followup)}: sessions are {', '.join(self.sessions)}.")
        if any(len(sessions) > 1 for sessions in of_each.values()):
            raise UsageError(self._which(chosen))
        return chosen

    def _which(self, chosen: Mapping[Visit, str]) -> str:
        sessions = {
            name: in_order(session for (_, session), of in chosen.items() if of == name)
            for name in self.treatments.names
        }
        listed = " and ".join(f"{', '.join(f'ses-{one}' for one in own)} of {name}" for name, own in sessions.items())
        rests = [{(self.treatments.of_session(one) or ("", ""))[1] for one in own} for own in sessions.values()]
        example = in_order(set.intersection(*rests) - {""})
        how = (
            " or ".join(f"--followup {one}" for one in example)
            or f"--followup {' '.join(own[0] for own in sessions.values() if own)}"
        )
        text = f"There are several sessions of one treatment: {listed}. Which is the outcome of a period?"
        return f"{text} Say so with {how}."

    def timed(self, outcomes: Mapping[Visit, str]) -> tuple[dict[str, Order], str]:
        """Return the order of those whose sessions of both treatments have a place in time, and by what."""
        both: dict[str, dict[str, str]] = {}
        for (participant, session), name in outcomes.items():
            both.setdefault(participant, {})[name] = session
        both = {one: of for one, of in both.items() if len(of) == 2}
        for place, source in self._places():
            found = {one: _ordered(of, one, place) for one, of in both.items()}
            orders = {one: order for one, order in found.items() if order is not None}
            if orders:
                return orders, source
        return {}, ""

    def _places(self) -> Iterator[tuple[Callable[[str, str], float | None], str]]:
        """Yield what says when a session was: acq_time, or labels that mean a time."""
        if known := self.tables.times:
            yield (lambda participant, session: known.get((participant, session))), "acq_time"
        if not any(self.treatments.of_session(session) for session in self.sessions):
            order = order_of(self.visits, None, self.tables.logged)
            places = {session: float(place) for place, session in enumerate(order.sessions)}
            yield (lambda participant, session: places.get(session)), "the order of the sessions"

    @property
    def doubts(self) -> tuple[str, ...]:
        """What of acq_time could not be read, in whole sentences."""
        return () if self.tables.moments is None else read_moments(self.tables.moments)[1]

    def in_order(self) -> tuple[dict[Visit, str], list[Finding]]:
        """Return the period of each session where everyone's have the same labels, and by what it is known."""
        sessions = self._two()
        own = {visit for visit in self.visits if visit[1] in sessions}
        order, wanted = order_of(own, self.tables.moments, self.tables.logged), self.trial.followup
        first, second = order.sessions or wanted or sessions
        if not (order.sessions or wanted):
            raise UsageError(
                f"Which session was period 1, ses-{first} or ses-{second}? {order.evidence[0].upper()}"
                f"{order.evidence[1:]}. Say so with --followup SESSION SESSION, period 1 first."
            )
        why = order.evidence if order.sessions else "--followup names them so"
        text = f"ses-{first} is period 1 and ses-{second} is period 2, because {why}."
        periods = dict(zip((first, second), PERIODS, strict=True)) | self.in_order_before()
        own = {visit for visit in self.visits if visit[1] in periods}
        said = [Finding("Visits", text, warning=order.weak), *(Finding("Visits", one, True) for one in order.doubts)]
        return {visit: periods[visit[1]] for visit in sorted(own)}, said

    def in_order_before(self, n_periods: int = 2) -> dict[str, str]:
        """Return the baselines that have the same labels for everyone, with the period that each is of."""
        before = self.baselines.in_order(self.sessions, n_periods)
        known = order_of(
            {visit for visit in self.visits if visit[1] in before}, self.tables.moments, self.tables.logged
        )
        if before and not (known.sessions or self.trial.baseline):
            raise UsageError(
                f"Which baseline is that of period 1, {' or '.join(f'ses-{one}' for one in before)}? Say so with "
                f"--baseline {' '.join(['SESSION'] * n_periods)}, period 1 first."
            )
        return dict(zip(known.sessions or before, map(baseline_name, range(n_periods)), strict=True)) if before else {}

    def _two(self) -> tuple[str, ...]:
        """Return the sessions of the two periods, in no order: as --followup says, or all but baselines."""
        wanted, there = self.trial.followup, ", ".join(filter(None, self.sessions)) or "none"
        before = self.baselines.in_order(self.sessions)
        rest = tuple(one for one in self.sessions if one not in before)
        if unknown := [one for one in wanted if one not in self.sessions]:
            raise UsageError(f"--followup {' '.join(unknown)}: no such session; there are {there}.")
        if len(wanted or rest) != 2:
            raise UsageError(
                f"Sessions are {there}: which are the outcomes of period 1 and of period 2? Say so with --followup "
                "SESSION SESSION."
            )
        return wanted or rest

    def not_known(self, looked: str) -> str:
        """Return that the order is not known, and what would tell it."""
        active, reference = self.treatments.both
        return NO_ORDER.format(looked=looked, active=active, reference=reference)

    def unused(self, periods: Mapping[Visit, str]) -> Iterator[Finding]:
        """Say which sessions are no outcome of a period."""
        used = {session for _, session in periods}
        if rest := [f"ses-{session}" for session in self.sessions if session and session not in used]:
            text = f"{', '.join(rest)}: not the outcome of a period, and not used. The treatments are compared within "
            yield Finding("Visits", f"{text}participants, who need no common visit before period 1 for that.")


def _ordered(of: Mapping[str, str], participant: str, place: Callable[[str, str], float | None]) -> Order | None:
    """Return the treatments of a participant by when their sessions were; None if that is not known."""
    (first, one), (second, other) = ((name, place(participant, session)) for name, session in of.items())
    if one is None or other is None or one == other:
        return None
    return (first, second) if one < other else (second, first)
