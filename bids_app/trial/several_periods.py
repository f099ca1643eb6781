"""Cross-over trials of more than two treatments or periods: who was given what in which period."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from bids_app.bids.findings import Finding
from bids_app.bids.values import in_order, people, who
from bids_app.errors import DataError, UsageError
from bids_app.settings.settings import Trial
from bids_app.stats.sequences import told_apart
from bids_app.trial.period_baselines import require_before
from bids_app.trial.period_orders import baseline_name, period_name
from bids_app.trial.period_places import Placed, not_in_turn, placed
from bids_app.trial.period_reading import Reading
from bids_app.trial.period_sessions import PeriodSessions, Visit
from bids_app.trial.periods_found import PeriodsNotCompared, SeveralPeriods
from bids_app.trial.sequences import ABOUT, require_apart
from bids_app.trial.treatment_tables import Stated
from bids_app.trial.treatments import Treatments, all_treatments, named_in

Partial = tuple[str | None, ...]  # treatments of the periods, as far as one source says
Sources = list[tuple[str, dict[str, Partial]]]  # of each source, by participant

TWICE = (
    "Which baseline is that of which period? {who} had a treatment twice. Leave the baselines out, and name the "
    "sessions after treatment with --followup."
)


@dataclass(frozen=True, kw_only=True)
class _Several:
    """What was read, the sessions whose treatment is known, after it and before, and how many periods there are."""

    read: Reading
    found: PeriodSessions
    treated: Mapping[Visit, str]
    before: Mapping[Visit, str]  # the treatment of each baseline of a period
    n_periods: int


def find_several(read: Reading) -> SeveralPeriods | None:
    """Settle who was given what in which period, where there are more than two treatments or periods.

    Parameters
    ----------
    read : Reading

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
    names, known = named_in(read.words, read.trial)
    found = PeriodSessions(read.tables, read.visits, Treatments(tuple(dict.fromkeys(names)), known), read.trial)
    of_visits = read.of_visits(found.treatments)
    before = _baselines(of_visits, found)
    treated = _outcomes({visit: name for visit, name in of_visits.items() if visit not in before}, found)
    n_periods = _n_periods(read.stated, treated, found)
    several = _Several(read=read, found=found, treated=treated, before=before, n_periods=n_periods)
    if not _is_several(several):
        return None
    return _settled(several, all_treatments(names, known, read.trial))


def _baselines(of_visits: Mapping[Visit, str], found: PeriodSessions) -> dict[Visit, str]:
    """Return the treatment of the sessions that are before it in their period, where labels or --baseline say so."""
    before = {visit: name for visit, name in of_visits.items() if found.baselines.is_before(visit[1])}
    after = {name for visit, name in of_visits.items() if visit not in before}
    return before if found.trial.baseline or set(before.values()) == after else {}


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


def _is_several(several: _Several) -> bool:
    """Say whether there are more than two treatments or periods; refuse names that cannot all be treatments."""
    names, arms = several.found.treatments.names, several.found.trial.arms
    stated = {name for one in several.read.stated for order in one.said.values() for name in order if name is not None}
    left_out = {several.found.treatments.words.get(name.lower()) for name in stated} - set(names)
    if several.n_periods < 2 or len(names) < 2 or (len(names) == 2 and (several.n_periods == 2 or left_out)):
        return False
    if several.n_periods > 2 and len(names) > several.n_periods and not arms:
        raise UsageError(
            f"{several.read.named} name {len(names)} treatments for {several.n_periods} periods: "
            f"{' and '.join(map(repr, names))}. Name all that were given with --arms; participants.json can say "
            "under Levels what letters stand for."
        )
    if left_out and len(arms) > 2:
        raise UsageError(f"--arms {' '.join(arms)} leaves out treatments of the order; name two, or all.")
    return several.n_periods > 2 or len(arms) > 2


def _before(several: _Several, merged: Mapping[str, tuple[str, ...]]) -> dict[Visit, int]:
    """Return the period of each baseline: by its treatment, else by labels that are alike for everyone."""
    if not several.before:
        named = several.found.in_order_before(several.n_periods)
        places = {session: place for place, session in enumerate(named)}
        return {visit: places[visit[1]] for visit in several.found.visits if visit[1] in places and visit[0] in merged}
    own = {visit: name for visit, name in several.before.items() if visit[0] in merged}
    if twice := sorted({who for who, _ in own if len(set(merged[who])) < several.n_periods}):
        raise UsageError(TWICE.format(who=people(twice)))
    return {visit: merged[visit[0]].index(name) for visit, name in own.items() if name in merged[visit[0]]}


def _settled(several: _Several, treatments: Treatments) -> SeveralPeriods:
    """Put together what the sources say, which must not contradict each other."""
    when = placed(several.found, several.treated, several.n_periods)
    sources: Sources = [(one.source, _padded(one, treatments, several.n_periods)) for one in several.read.stated]
    sources += [(when.source, of)] if (of := _by_session(when, several)) else []
    merged = _merged(sources)
    orders = {name: tuple(filter(None, order)) for name, order in merged.items() if None not in order}
    _require_known(orders, treatments)
    periods, before = _periods(when, several.treated, orders), _before(several, orders)
    _require_apart(periods, before, several.read.scanned)
    if wrong := not_in_turn(periods, several.found):
        raise DataError(f"acq_time of {people(wrong)}: the sessions were not in the order of the treatments.")
    everyone = {name for one in several.read.stated for name in one.said} | {one for one, _ in several.read.scanned}
    evidence = " and ".join(source for source, of in sources if of)
    given = Finding("Visits", f"Which treatment a session was of is said by {several.read.where}.")
    found = SeveralPeriods(
        treatments=treatments.names,
        orders=orders,
        periods=periods,
        before=before,
        scanned=frozenset(several.read.scanned),
        evidence=evidence,
        findings=(
            *_said(orders, treatments, evidence),
            *((given,) if several.treated else ()),
            *when.findings,
            *_said_before(before, several.found.trial),
            *several.found.unused(dict.fromkeys([*periods, *before], "")),
            *_open(orders, periods, everyone),
        ),
    )
    require_before(found.named, several.found.tables, found.n_periods)
    if why := _not_told_apart(orders, treatments):
        raise PeriodsNotCompared(found, why)
    return found


def _require_apart(periods: Mapping[Visit, int], before: Mapping[Visit, int], scanned: Collection[Visit]) -> None:
    """Refuse a session that has the name of a period and is not that one."""
    names = {visit: period_name(place) for visit, place in periods.items()}
    names |= {visit: baseline_name(place) for visit, place in before.items()}
    known = {participant for participant, _ in periods}
    require_apart(names, [visit for visit in scanned if visit[0] in known])


def _said_before(before: Mapping[Visit, int], trial: Trial) -> Iterator[Finding]:
    """Say which sessions are the baselines of the periods."""
    if before:
        labels = ", ".join(f"ses-{one}" for one in in_order({session for _, session in before}))
        why = "--baseline says so" if trial.baseline else "the labels mean before treatment"
        text = f"{labels}: baselines within the periods, because {why}. They are adjusted for as they differ within "
        yield Finding("Visits", f"{text}participants.")


def _padded(stated: Stated, treatments: Treatments, n_periods: int) -> dict[str, Partial]:
    """Return the order of each participant as a source states it, of as many periods as there are."""
    found: dict[str, Partial] = {}
    for participant, said in stated.said.items():
        order = tuple(None if one is None else treatments.named(one) for one in said)
        if all((name is None) == (one is None) for name, one in zip(order, said, strict=True)):
            found[participant] = (*order, *[None] * (n_periods - len(order)))
    return found


def _by_session(when: Placed, several: _Several) -> dict[str, Partial]:
    """Return the order of each participant as the treatments of the sessions and their places say."""
    found: dict[str, list[str | None]] = {}
    for visit, name in several.treated.items():
        if visit in when.places:
            found.setdefault(visit[0], [None] * several.n_periods)[when.places[visit]] = name
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


def _require_known(orders: Mapping[str, tuple[str, ...]], treatments: Treatments) -> None:
    """Refuse a trial of which no order is known."""
    if not orders:
        raise DataError(
            "The order of the treatments is not known of anybody. Any of these would tell it: acq_time in "
            "sub-*_sessions.tsv or sub-*_scans.tsv, if sessions have their treatment; in participants.tsv a column "
            f"sequence ({'-'.join(treatments.names)}), or a column for each period (period_1, period_2 and so on). If "
            "one of these is no treatment, name those that are with --arms."
        )


def _not_told_apart(orders: Mapping[str, tuple[str, ...]], treatments: Treatments) -> str:
    """Say why sequences leave treatments and periods alike; nothing where they tell them apart."""
    names, used = treatments.names, sorted(set(orders.values()))
    missing = set(names) - {name for order in used for name in order}
    if not missing and told_apart([[names.index(name) for name in order] for order in used]):
        return ""
    return (
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
