"""What was found of a cross-over trial of more than two treatments or periods."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bids_app.bids.findings import Finding
from bids_app.errors import DataError
from bids_app.trial.period_orders import PeriodOrders, baseline_name, period_name, sequence_name
from bids_app.trial.period_sessions import Visit
from bids_app.trial.tables import Tables
from bids_app.trial.told_sessions import told


@dataclass(frozen=True, kw_only=True)
class SeveralPeriods:
    """Who was given which of several treatments in which of several periods.

    Attributes
    ----------
    treatments : tuple of str
        The reference last.
    orders : dict of tuple of str
        Of each participant of whom every period is known, the treatments, first to last.
    periods : dict of int
        By participant and session, 0 for the first; also of sessions that have no scan but a row in a table.
    before : dict of int
        The same of the baselines of the periods, where there are such.
    scanned : frozenset of (str, str)
    evidence : str
        By what the orders are known, for people; it stands for the column of the arms.
    findings : tuple of Finding
    """

    treatments: tuple[str, ...]
    orders: Mapping[str, tuple[str, ...]]
    periods: Mapping[Visit, int]
    before: Mapping[Visit, int] = field(default_factory=dict)
    scanned: frozenset[Visit]
    evidence: str
    findings: tuple[Finding, ...]

    @property
    def n_periods(self) -> int:
        """How many periods there are."""
        return len(next(iter(self.orders.values())))

    @property
    def has_baselines(self) -> bool:
        """Whether the periods have baselines."""
        return bool(self.before)

    @property
    def sequences(self) -> PeriodOrders:
        """The sequences that anybody was given, in the order of their names."""
        *active, reference = self.treatments
        return PeriodOrders((reference, *active), tuple(sorted(set(self.orders.values()))))

    def sequence(self, participant: str) -> str | None:
        """Return what a participant's sequence is called, or None."""
        order = self.orders.get(participant)
        return None if order is None else sequence_name(order)

    def session(self, participant: str, session: str | None) -> str | None:
        """Return what a session is compared as: its period, the baseline of one, or itself."""
        return self.named.get((participant, session or ""), session)

    @property
    def named(self) -> dict[Visit, str]:
        """What each session of a period is called."""
        of_baselines = {visit: baseline_name(place) for visit, place in self.before.items()}
        return of_baselines | {visit: period_name(place) for visit, place in self.periods.items()}

    def told(self, tables: Tables) -> Tables:
        """Return the tables with everyone's sequence, and with the periods in place of the sessions they were."""
        return told(tables, self)

    @property
    def title(self) -> str:
        """What was found, for people."""
        return f"{len(self.treatments)} treatments in {self.n_periods} periods ({', '.join(self.treatments)})"

    @property
    def heads(self) -> tuple[str, ...]:
        """What the columns of `rows` are."""
        return ("participant", *(f"period {n + 1}" for n in range(self.n_periods)))

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Of each participant, what was given in which period and which scan that is, for people."""
        found = []
        for participant, order in sorted(self.orders.items()):
            scans = self.scans(participant)
            sessions = [f"ses-{scans[n]}" if n in scans else "no scan" for n in range(len(order))]
            cells = (f"{name}, {session}" for name, session in zip(order, sessions, strict=True))
            found.append((f"sub-{participant}", *cells))
        return found

    def scans(self, participant: str) -> dict[int, str]:
        """Return which session of a participant is the scan of which period."""
        own = {visit: place for visit, place in self.periods.items() if visit[0] == participant}
        return {place: visit[1] for visit, place in own.items() if visit in self.scanned}


class PeriodsNotCompared(DataError):
    """What was found is read and cannot be compared.

    Attributes
    ----------
    found : SeveralPeriods
    """

    def __init__(self, found: SeveralPeriods, why: str) -> None:
        self.found = found
        super().__init__(
            f"{found.title} were found, by {found.evidence}. {why} trialgraph check lists who had what in which "
            "period. Where the treatment of each session is known, --design paired with --arms and two of them compares"
            " these, and takes the periods to be alike."
        )
