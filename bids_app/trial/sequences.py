"""Cross-over trials: who was given which treatment in which period, and which sessions these are."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bids_app.bids.findings import Finding
from bids_app.bids.values import in_order, people, who
from bids_app.errors import DataError, UsageError
from bids_app.trial.design import BASELINES, PERIODS
from bids_app.trial.period_baselines import require_before, said_of
from bids_app.trial.period_reading import Reading
from bids_app.trial.period_sessions import Order, PeriodSessions, Visit
from bids_app.trial.tables import Tables
from bids_app.trial.told_sessions import told
from bids_app.trial.treatment_tables import Stated, require_two_periods
from bids_app.trial.treatments import Treatments

ABOUT = "Sequences"
Orders = list[tuple[str, dict[str, Order]]]  # of each source, by participant


@dataclass(frozen=True)
class Sequences:
    """Who was given which treatment in which period.

    Attributes
    ----------
    active, reference : str
        The treatments; differences are those of the active from the reference.
    orders : dict of (str, str)
        Of each participant whose order is known, the treatments of the two periods.
    periods : dict of str
        By participant and session, one of `PERIODS` or of `BASELINES`; the treatment where nobody knows the order.
    evidence : str
        By what the orders are known, for people; it stands for the column of the arms.
    findings : tuple of Finding
    """

    active: str
    reference: str
    orders: Mapping[str, Order]
    periods: Mapping[Visit, str]
    evidence: str
    findings: tuple[Finding, ...] = ()

    @property
    def treatments(self) -> tuple[str, str]:
        """The active and the reference treatment."""
        return self.active, self.reference

    @property
    def names(self) -> tuple[str, str]:
        """What the two sequences are called: that with the active treatment first, and the other."""
        return f"{self.active} first", f"{self.reference} first"

    @property
    def has_baselines(self) -> bool:
        """Whether the periods have baselines."""
        return any(period in BASELINES for period in self.periods.values())

    def sequence(self, participant: str) -> str | None:
        """Return what a participant's sequence is called, or None."""
        order = self.orders.get(participant)
        return None if order is None else f"{order[0]} first"

    def session(self, participant: str, session: str | None) -> str | None:
        """Return what a session is compared as: its period, or itself."""
        return self.periods.get((participant, session or ""), session)

    def told(self, tables: Tables) -> Tables:
        """Return the tables with everyone's sequence, and with the periods in place of the sessions they were."""
        return told(tables, self, has_orders=bool(self.orders))


def find_sequences(read: Reading) -> Sequences:
    """Settle who was given which treatment in which period: as the tables and labels say, never by the alphabet.

    Parameters
    ----------
    read : Reading

    Returns
    -------
    Sequences

    Raises
    ------
    UsageError
        A choice is open; the message lists what there is.
    DataError
        The order is not known, sources contradict each other, or everyone had the same order.
    """
    tables, scanned, trial, stated = read.tables, read.scanned, read.trial, read.stated
    if not read.has_sessions:
        raise DataError("The scans have no session: the two periods of a cross-over trial are two sessions.")
    require_two_periods(stated)
    treatments = read.two_treatments()
    orders = _agreed([(one.source, one.orders(treatments)) for one in stated])
    found = PeriodSessions(tables, read.visits, treatments, trial)
    if of_visits := read.of_visits(treatments):
        orders, periods = _by_treatment(found, of_visits, orders)
        said = f"Which treatment a session was of is said by {read.where}."
        visits_said = [Finding("Visits", said), *(Finding("Visits", text, warning=True) for text in found.doubts)]
    else:
        periods, visits_said = found.in_order()
        if not any(of for _, of in orders):
            raise DataError(found.not_known("neither participants.tsv nor sessions.tsv says who was given what"))
    merged = _merged(orders)
    _require_both(merged, found)
    periods = {visit: period for visit, period in periods.items() if visit[0] in merged}
    require_apart(periods, [visit for visit in scanned if visit[0] in merged])
    require_before(periods, tables)
    findings = (
        *_said(merged, orders, treatments),
        *_left_out(read, treatments),
        *visits_said,
        *said_of(periods, trial),
        *found.unused(periods),
        *_open(stated, merged, periods, scanned),
    )
    evidence = next(source for source, of in orders if of)
    return Sequences(*treatments.both, merged, periods, evidence, findings)


def require_apart(periods: Mapping[Visit, str], scanned: Collection[Visit]) -> None:
    """Refuse a session that has the name of a period and is not that one."""
    if wrong := sorted(
        {session for visit in scanned for session in visit[1:] if periods.get(visit) != session}
        & {*PERIODS, *periods.values()}
    ):
        raise UsageError(
            f"ses-{' and ses-'.join(wrong)}: periods are called so here, and sessions of that name are something else. "
            "Give them other labels."
        )


def _by_treatment(
    found: PeriodSessions, of_visits: Mapping[Visit, str], orders: Orders
) -> tuple[Orders, dict[Visit, str]]:
    """Return the orders that are known with those by times, and the period of each session, by its treatment."""
    before = found.baselines.of_treatment(of_visits, found.sessions)
    outcomes = found.one_of_each({visit: name for visit, name in of_visits.items() if visit not in before})
    timed, source = found.timed(outcomes)
    orders = _agreed([*orders, *([(source, timed)] if timed else [])])
    merged = _merged(orders)
    periods = {
        visit: names[merged[visit[0]].index(name)]
        for names, of in ((PERIODS, outcomes), (BASELINES, before))
        for visit, name in of.items()
        if visit[0] in merged
    }
    of_all = found.in_order_before() if found.trial.baseline and not before else {}  # the same label for everyone
    return orders, periods | {visit: of_all[visit[1]] for visit in found.visits if visit[1] in of_all}


def _open(
    stated: Sequence[Stated], merged: Mapping[str, Order], periods: Mapping[Visit, str], scanned: Collection[Visit]
) -> Iterator[Finding]:
    """Say of whom something is not known: their order, or which of their scans was of which period."""
    for one in stated:
        yield from one.findings
        if unread := [name for name in one.said if name not in merged]:
            text = f"{one.source} says no order of these two treatments for {people(unread)} ({len(unread)})"
            yield Finding(ABOUT, f"{text}: they stand in the flow but are not compared.", warning=True)
    placed = {participant for participant, _ in periods}
    if lost := sorted({participant for participant, _ in scanned if participant in merged} - placed):
        text = f"No scan of {people(lost)} ({len(lost)}) is known to be of a period: they are not compared."
        yield Finding("Visits", text, warning=True)


def _agreed(orders: Orders) -> Orders:
    """Refuse sources that contradict each other."""
    for place, (source, of) in enumerate(orders):
        for other, of_other in orders[:place]:
            if wrong := [one for one in of if of_other.get(one, of[one]) != of[one]]:
                first = wrong[0]
                raise DataError(
                    f"{other} and {source} contradict each other about the order of the treatments of {people(wrong)}: "
                    f"{' then '.join(of_other[first])}, or {' then '.join(of[first])} for {who(first)}. Correct one."
                )
    return orders


def _merged(orders: Orders) -> dict[str, Order]:
    return {name: order for _, of in reversed(orders) for name, order in of.items()}


def _require_both(orders: Mapping[str, Order], found: PeriodSessions) -> None:
    """Refuse a trial of which no order is known, or one only."""
    if not orders:
        sessions = ", ".join(f"ses-{one}" for one in found.sessions if found.treatments.of_session(one))
        named = f"sessions are named by treatment ({sessions}), and " if sessions else ""
        raise DataError(found.not_known(f"{named}neither times nor columns of participants.tsv say what came first"))
    if len(firsts := {order[0] for order in orders.values()}) == 1:
        raise DataError(
            f"Everyone had {firsts.pop()} first ({len(orders)} participants): the treatment cannot be told from the "
            "period. A cross-over trial has participants of both sequences."
        )


def _left_out(read: Reading, two: Treatments) -> Iterator[Finding]:
    """Warn of sessions of further treatments, which --arms left out."""
    others = in_order({*two.words.values()} - {*two.names})
    known = read.of_visits(Treatments((*two.names, *others), two.words)) if others else {}
    if given_too := in_order({*known.values()} & {*others}):
        text = (
            f"{', '.join(given_too)} left out by --arms: period 1 is when the first of these two was given, whatever "
        )
        more = (
            "was given before or between. What periods differ in cancels only if both orders had them in the same ones."
        )
        yield Finding(ABOUT, text + more, warning=True)


def _said(merged: Mapping[str, Order], orders: Orders, treatments: Treatments) -> Iterator[Finding]:
    """Say who had which treatment first, and by what that is known."""
    active, reference = treatments.both
    counts = [f"{name} first: {sum(order[0] == name for order in merged.values())}" for name in treatments.names]
    known = " and ".join(source for source, of in orders if of)
    text = f"{active!r} is compared with {reference!r} within participants, who were given both in turn "
    yield Finding(ABOUT, f"{text}({'; '.join(counts)} participants). The order is that of {known}.")
