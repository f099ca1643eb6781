"""Cross-over trials of more than two treatments or periods: who was given what in which period."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from bids_app.bids.findings import Finding
from bids_app.bids.values import in_order, people, who
from bids_app.errors import DataError, UsageError
from bids_app.settings.settings import Trial
from bids_app.stats.sequences import told_apart
from bids_app.trial.period_places import Placed, not_in_turn, placed
from bids_app.trial.period_sessions import PeriodSessions, Visit
from bids_app.trial.periods_found import SeveralPeriods
from bids_app.trial.sequences import ABOUT, all_words, treatments_of_visits, visits_of, where
from bids_app.trial.tables import Tables
from bids_app.trial.treatment_tables import Given, Stated, stated_orders, treatments_of_sessions
from bids_app.trial.treatments import Treatments, all_treatments, named_in

Partial = tuple[str | None, ...]  # treatments of the periods, as far as one source says
Sources = list[tuple[str, dict[str, Partial]]]  # of each source, by participant

BASELINES_TOO = (
    "Baselines within the periods ({sessions}) are adjusted for with two treatments in two periods only; leave them "
    "out, and name the sessions after treatment with --followup."
)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What says who was given what: tables, the treatment of each session, and its place in time."""

    stated: list[Stated]
    given: Given | None
    found: PeriodSessions
    treated: Mapping[Visit, str]
    n_periods: int


def find_several(tables: Tables, scanned: Collection[Visit], trial: Trial) -> SeveralPeriods | None:
    """Settle who was given what in which period, where there are more than two treatments or periods.

    Parameters
    ----------
    tables : Tables
    scanned : set of (str, str)
        Participant and session of every scan.
    trial : settings.Trial

    Returns
    -------
    SeveralPeriods or None
        None where it is for `find_sequences` to read: two treatments and periods, or nothing that says otherwise.

    Raises
    ------
    UsageError
        A choice is open; the message lists what there is.
    DataError
        The order is not known, sources contradict each other, or treatments cannot be told from periods.
    """
    stated, given = stated_orders(tables, trial), treatments_of_sessions(tables)
    visits = visits_of(tables, scanned)
    words, named = all_words(stated, given, {session for _, session in scanned})
    names, known = named_in(words, trial)
    found = PeriodSessions(tables, visits, Treatments(tuple(dict.fromkeys(names)), known), trial)
    treated = _outcomes(treatments_of_visits(given, found.treatments, visits), found)
    read = _Read(stated=stated, given=given, found=found, treated=treated, n_periods=_n_periods(stated, treated, found))
    if not _is_several(read, named):
        return None
    _require_no_baselines(read)
    return _settled(read, all_treatments(names, known, trial), scanned)


def _outcomes(of_visits: Mapping[Visit, str], found: PeriodSessions) -> dict[Visit, str]:
    """Return the treatment of the sessions that --followup names, or of all."""
    wanted, named = found.trial.followup, found.baselines.is_named
    return {visit: name for visit, name in of_visits.items() if not wanted or named(visit[1], wanted)}


def _n_periods(stated: list[Stated], treated: Mapping[Visit, str], found: PeriodSessions) -> int:
    """Return how many periods tables state; else how many sessions of different treatments anybody has."""
    if stated:
        return max(one.n_periods for one in stated)
    own: dict[str, list[str]] = {}
    for (participant, _), name in treated.items():
        own.setdefault(participant, []).append(name)
    if all(len(set(names)) == len(names) for names in own.values()):
        return max(map(len, own.values()), default=0)
    alike = [one for one in found.trial.followup if one in found.sessions and not found.treatments.of_session(one)]
    return len(alike)  # a treatment twice may be two visits in one period, unless the sessions are said to be periods


def _is_several(read: _Read, named: str) -> bool:
    """Say whether there are more than two treatments or periods; refuse names that cannot all be treatments."""
    names, arms = read.found.treatments.names, read.found.trial.arms
    stated = {name for one in read.stated for order in one.said.values() for name in order if name is not None}
    left_out = {read.found.treatments.words.get(name.lower()) for name in stated} - set(names)
    if read.n_periods < 2 or len(names) < 2 or (len(names) == 2 and (read.n_periods == 2 or left_out)):
        return False
    if read.n_periods > 2 and len(names) > read.n_periods and not arms:
        raise UsageError(
            f"{named} name {len(names)} treatments for {read.n_periods} periods: {' and '.join(map(repr, names))}. "
            "Name all that were given with --arms; participants.json can say under Levels what letters stand for."
        )
    if left_out and len(arms) > 2:
        raise UsageError(f"--arms {' '.join(arms)} leaves out treatments of the order; name two, or all.")
    return read.n_periods > 2 or len(arms) > 2


def _require_no_baselines(read: _Read) -> None:
    found, trial = read.found, read.found.trial
    sessions = in_order({session for _, session in read.treated}) or found.sessions
    before = trial.baseline or [one for one in sessions if not trial.followup and found.baselines.is_before(one)]
    if before and (trial.baseline or len(sessions) > read.n_periods):
        raise UsageError(BASELINES_TOO.format(sessions=", ".join(f"ses-{one}" for one in before)))


def _settled(read: _Read, treatments: Treatments, scanned: Collection[Visit]) -> SeveralPeriods:
    """Put together what the sources say, which must not contradict each other."""
    when = placed(read.found, read.treated, read.n_periods)
    sources: Sources = [(one.source, _padded(one, treatments, read.n_periods)) for one in read.stated]
    sources += [(when.source, of)] if (of := _by_session(when, read)) else []
    merged = _merged(sources)
    orders = {name: tuple(filter(None, order)) for name, order in merged.items() if None not in order}
    _require_told_apart(orders, treatments)
    periods = _periods(when, read.treated, orders)
    if wrong := not_in_turn(periods, read.found):
        raise DataError(f"acq_time of {people(wrong)}: the sessions were not in the order of the treatments.")
    evidence = " and ".join(source for source, of in sources if of)
    given = Finding("Visits", f"Which treatment a session was of is said by {where(read.given)}.")
    return SeveralPeriods(
        treatments=treatments.names,
        orders=orders,
        periods=periods,
        scanned=frozenset(scanned),
        evidence=evidence,
        findings=(
            *_said(orders, treatments, evidence),
            *((given,) if read.treated else ()),
            *when.findings,
            *read.found.unused(dict.fromkeys(periods, "")),
            *_open(orders, periods, {name for one in read.stated for name in one.said} | {one for one, _ in scanned}),
        ),
    )


def _padded(stated: Stated, treatments: Treatments, n_periods: int) -> dict[str, Partial]:
    """Return the order of each participant as a source states it, of as many periods as there are."""
    found: dict[str, Partial] = {}
    for participant, said in stated.said.items():
        order = tuple(None if one is None else treatments.named(one) for one in said)
        if all((name is None) == (one is None) for name, one in zip(order, said, strict=True)):
            found[participant] = (*order, *[None] * (n_periods - len(order)))
    return found


def _by_session(when: Placed, read: _Read) -> dict[str, Partial]:
    """Return the order of each participant as the treatments of the sessions and their places say."""
    found: dict[str, list[str | None]] = {}
    for visit, name in read.treated.items():
        if visit in when.places:
            found.setdefault(visit[0], [None] * read.n_periods)[when.places[visit]] = name
    return {participant: tuple(order) for participant, order in found.items()}


def _merged(sources: Sources) -> dict[str, Partial]:
    """Return what all sources say together, and refuse those that contradict each other."""
    merged: dict[str, Partial] = {}
    by: dict[str, str] = {}
    for source, of in sources:
        for name, order in of.items():
            known = merged.setdefault(name, order)
            if any(one and other and one != other for one, other in zip(known, order, strict=True)):
                raise DataError(
                    f"{by[name]} and {source} contradict each other about the order of the treatments of {who(name)}: "
                    f"{_written(known)}, or {_written(order)}. Correct one."
                )
            merged[name] = tuple(one or other for one, other in zip(known, order, strict=True))
            by.setdefault(name, source)
    return merged


def _written(order: Partial) -> str:
    return " then ".join(name or "unknown" for name in order)


def _require_told_apart(orders: Mapping[str, tuple[str, ...]], treatments: Treatments) -> None:
    """Refuse a trial of which no order is known, or whose sequences leave treatments and periods alike."""
    names = treatments.names
    if not orders:
        raise DataError(
            "The order of the treatments is not known of anybody. Any of these would tell it: acq_time in "
            "sub-*_sessions.tsv or sub-*_scans.tsv, if sessions have their treatment; in participants.tsv a column "
            f"sequence ({'-'.join(names)}), or a column for each period (period_1, period_2 and so on). If one of "
            "these is no treatment, name those that are with --arms."
        )
    used = sorted(set(orders.values()))
    missing = set(names) - {name for order in used for name in order}
    if missing or not told_apart([[names.index(name) for name in order] for order in used]):
        raise DataError(
            f"The treatments {', '.join(names)} cannot be told from the periods: the sequences are "
            f"{'; '.join(map(_written, used))}. If one of these is no treatment, name those that are with --arms."
        )


def _periods(when: Placed, treated: Mapping[Visit, str], orders: Mapping[str, tuple[str, ...]]) -> dict[Visit, int]:
    """Return the period of each session of those whose order is known: by its place, else by its treatment."""
    periods = {visit: place for visit, place in when.places.items() if visit[0] in orders}
    for visit, name in treated.items():
        order = orders.get(visit[0], ())
        if visit not in periods and order.count(name) == 1:
            periods[visit] = order.index(name)
        elif visit[0] in orders and name not in order:
            raise DataError(f"{who(visit)} is of {name}, which is not in the order {_written(order)}. Correct one.")
    if len({(visit[0], place) for visit, place in periods.items()}) < len(periods):
        twice = Counter((visit[0], place) for visit, place in periods.items())
        several = [name for (name, _), n in twice.items() if n > 1]
        raise UsageError(f"Several sessions of one period: {people(several)}. Choose with --followup.")
    return periods


def _said(orders: Mapping[str, tuple[str, ...]], treatments: Treatments, evidence: str) -> Iterator[Finding]:
    """Say which sequences there are, and by what that is known."""
    *active, reference = treatments.names
    counts = [f"{_written(order)}: {n}" for order, n in sorted(Counter(orders.values()).items())]
    text = f"{', '.join(map(repr, active))} and the reference {reference!r} were given in turn "
    yield Finding(ABOUT, f"{text}({'; '.join(counts)} participants). The order is that of {evidence}.")


def _open(
    orders: Mapping[str, tuple[str, ...]], periods: Mapping[Visit, int], everyone: Collection[str]
) -> Iterator[Finding]:
    """Say of whom it is not known what was given in every period, or which scan was of which."""
    if unknown := sorted(set(everyone) - set(orders)):
        text = f"What was given in every period is not known of {people(unknown)} ({len(unknown)})."
        yield Finding(ABOUT, text, warning=True)
    if lost := sorted(set(orders) - {participant for participant, _ in periods}):
        yield Finding("Visits", f"No scan of {people(lost)} ({len(lost)}) is known to be of a period.", warning=True)
