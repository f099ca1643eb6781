"""A study: what its tables say, and which arms are compared from which visit to which."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bids_app.bids.findings import Finding
from bids_app.errors import UsageError
from bids_app.settings.settings import SINGLE, Trial
from bids_app.trial.arms import Arms, find_arms
from bids_app.trial.design import PERIODS, Design
from bids_app.trial.keys import unmatched
from bids_app.trial.other_designs import by_treatment, other_designs
from bids_app.trial.paired import find_pairs
from bids_app.trial.period_reading import read_treatments
from bids_app.trial.periods_found import SeveralPeriods
from bids_app.trial.sequences import Sequences, find_sequences
from bids_app.trial.several_periods import find_several
from bids_app.trial.summaries import Summary, averaged, over_followups, require_apart
from bids_app.trial.summed_tables import with_summaries
from bids_app.trial.tables import Tables
from bids_app.trial.visit_order import Order, order_of
from bids_app.trial.visit_times import Times, nominal_times
from bids_app.trial.visits import Visits, find_visits
from bids_app.trial.weights import Weighted, asked_weights, find_weighted
from bids_app.trial.wording import CROSSOVER, ONE_GROUP, ONE_VISIT, PAIRED, SEVERAL_PERIODS, WORDINGS, Wording

Followups = dict[str, tuple[Summary, ...]]
EVERYONE = "everyone"  # what the one group is called


@dataclass(frozen=True)
class Study:
    """The tables of a trial, and the comparisons that are made of it.

    Attributes
    ----------
    tables : Tables
        Of everyone, also of those whom an option leaves out.
    designs : tuple of Design
        One for each pair of arms that is compared and each follow-up, or what is made of several, with the evidence by
        which the visits were told apart. All have the same column of arms, and the same baseline or none.
    sequences : Sequences, SeveralPeriods or None
        Of treatments within participants; the tables then have the periods, or where nobody knows the order the
        treatments, in place of the sessions that they were.
    weighted : tuple of Weighted
        What is compared of several arms at once, at every follow-up, beside these.
    """

    tables: Tables
    designs: tuple[Design, ...]
    sequences: Sequences | SeveralPeriods | None = None
    weighted: tuple[Weighted, ...] = ()

    def by_weights(self, designs: Collection[Design]) -> tuple[list[Design], list[str]]:
        """Return the comparisons by weights that can be made beside those of two arms, and which cannot, and why."""
        there = {(one.followup, arm) for one in designs for arm in one.levels}
        followups = {one.followup: one for one in self.designs}.values()
        wanted = [one.by_weights(weighted) for one in followups for weighted in self.weighted]
        lacking = {one: [arm for arm in one.levels if (one.followup, arm) not in there] for one in wanted}
        left = [
            f"{one.comparison}: {' and '.join(arms)} cannot be compared then." for one, arms in lacking.items() if arms
        ]
        return [one for one in wanted if not lacking[one]], left

    @property
    def first(self) -> Design:
        """The first comparison, for what all have alike."""
        return self.designs[0]

    @property
    def has_several(self) -> bool:
        """True if there is more than one comparison."""
        return len(self.designs) > 1

    @property
    def summaries(self) -> tuple[Summary, ...]:
        """What is made of several sessions in any of the comparisons."""
        return tuple(dict.fromkeys(one for design in self.designs for one in design.summaries))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in the tables, and of arms and visits."""
        return (*self.tables.findings, *self.first.findings)


def find_study(tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial) -> Study:
    """Settle arms and visits: as told, or found where only one choice makes sense.

    Parameters
    ----------
    tables : Tables
    scanned : set of (str, str)
        Participant and session of every scan.
    trial : settings.Trial

    Returns
    -------
    Study

    Raises
    ------
    UsageError
        A choice is open; the message lists what there is.
    DataError
        There are not at least two arms, or not two visits.
    """
    if trial.design in SINGLE:
        _require_no_weights(trial)
    if trial.design == "crossover":
        return _crossover(tables, scanned, trial)
    if trial.design == "one-group":
        return _one_group(tables, scanned, trial)
    if trial.design == "paired":
        return _paired(tables, scanned, trial)
    arms = find_arms(tables, trial, other_designs(scanned))
    weighted, weights = find_weighted(tables, arms, trial)
    order = order_of(scanned, tables.moments, tables.logged)
    visits = find_visits(order, scanned, trial)
    followups, made = _put_together(tables, scanned, visits, order, trial)
    words = WORDINGS[trial.design]
    findings = (*_first_said(words), *arms.findings, *weights, *visits.findings, *made, *unmatched(tables, scanned))
    designs = tuple(
        Design(arms.column, active, reference, visits.baseline, followup, findings, words=words, summaries=of)
        for followup, of in followups.items()
        for active, reference in arms.pairs(trial.contrasts)
    )
    return Study(with_summaries(tables, _all_of(followups), trial.outcomes), designs, weighted=weighted)


def _put_together(
    tables: Tables, scanned: Collection[tuple[str, str]], visits: Visits, order: Order, trial: Trial
) -> tuple[Followups, tuple[Finding, ...]]:
    """Return every follow-up, and what several come to, with the visits in it that are made of several sessions."""
    several = visits.baselines[1:] and visits.baseline
    before = (averaged(visits.baselines, several),) if several else ()
    summaries, times = _over_followups(tables, scanned, visits, order, trial)
    followups: Followups = dict.fromkeys(visits.followups, before)
    followups |= {one.name: (*before, one) for one in summaries}
    return followups, (*(one.finding() for one in (*before, *summaries)), *(times.findings if times else ()))


def _all_of(followups: Followups) -> tuple[Summary, ...]:
    return tuple(dict.fromkeys(one for summaries in followups.values() for one in summaries))


def _over_followups(
    tables: Tables, scanned: Collection[tuple[str, str]], visits: Visits, order: Order, trial: Trial
) -> tuple[list[Summary], Times | None]:
    """Return what --over-followups makes of several follow-ups, and the times that it took."""
    if not trial.over_followups:
        return [], None
    option, followups = f"--over-followups {' '.join(trial.over_followups)}", list(visits.followups)
    if len(followups) < 2:
        raise UsageError(f"{option}: several follow-ups are needed; there is {', '.join(followups) or 'none'}.")
    timed = {"area", "slope"} & set(trial.over_followups)
    if "area" in timed and len(visits.baselines) > 1:
        raise UsageError(f"{option}: the area begins at the baseline, which is then one session; give one --baseline.")
    single = trial.design in SINGLE
    before = visits.baselines if single else visits.baselines[-1:]
    times = nominal_times(tables, scanned, [*before, *followups]) if timed else None
    if times:
        followups.sort(key=times.days.__getitem__)
    elif set(followups) <= set(order.sessions):
        followups.sort(key=order.sessions.index)
    elif "last-first" in trial.over_followups and not trial.followup:
        raise UsageError(
            f"{option}: which of {', '.join(followups)} is the first and the last? List them in order with --followup."
        )
    if single:
        summaries = [_of_one_group(kind, visits, followups, times) for kind in trial.over_followups]
    else:
        summaries = [over_followups(kind, visits.baseline, followups, times) for kind in trial.over_followups]
    require_apart(summaries, {session for _, session in (*scanned, *tables.sessions.index)})
    return summaries, times


def _of_one_group(kind: str, visits: Visits, later: Sequence[str], times: Times | None) -> Summary:
    """Return what visits of one group come to: a slope begins at the first, for nobody is compared with anyone."""
    if kind == "slope" and times:
        return replace(over_followups(kind, None, (*visits.baselines, *later), times), called="slope over the visits")
    found = over_followups(kind, visits.baseline, later, times)
    return replace(found, called=found.called.replace("follow-up", "later visit"))


def _one_group(tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial) -> Study:
    """Settle the visits of one group: each later one is compared with the first."""
    if not trial.baseline and (said := by_treatment(scanned)):
        raise UsageError(f"{said} Two sessions in time are told by --baseline and --followup.")
    order = order_of(scanned, tables.moments, tables.logged)
    visits = find_visits(order, scanned, trial)
    followups, made = _put_together(tables, scanned, visits, order, trial)
    words = ONE_VISIT if visits.baseline is None else ONE_GROUP
    findings = (*_first_said(words), *visits.findings, *made, *unmatched(tables, scanned))
    designs = (
        Design(trial.arm or "", EVERYONE, None, visits.baseline, followup, findings, words=words, summaries=of)
        for followup, of in followups.items()
    )
    return Study(with_summaries(tables, _all_of(followups), trial.outcomes), tuple(designs))


def _paired(tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial) -> Study:
    """Settle the one comparison of two treatments within participants, of whom nobody knows the order."""
    found = find_pairs(read_treatments(tables, scanned, trial))
    findings = (*_first_said(PAIRED), *found.findings, *unmatched(tables, scanned))
    design = Design("", EVERYONE, None, found.reference, found.active, findings, words=PAIRED)
    return Study(found.told(tables), (design,), found)


def _first_said(words: Wording) -> tuple[Finding, ...]:
    """Return what stands first on the page."""
    return (Finding(words.arms.capitalize(), words.warning, warning=True),) if words.warning else ()


def _crossover(tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial) -> Study:
    """Settle the comparisons of a cross-over trial: of two treatments in two periods one, of its sequences."""
    read = read_treatments(tables, scanned, trial)
    if several := find_several(read):
        return _several_periods(tables, scanned, trial, several)
    _require_no_weights(trial)
    found = find_sequences(read)
    findings = (*found.findings, *unmatched(tables, scanned))
    design = Design(
        found.evidence,
        *found.names,
        *PERIODS,
        findings=findings,
        words=CROSSOVER,
        treatments=found.treatments,
        has_baselines=found.has_baselines,
    )
    return Study(found.told(tables), (design,), found)


def _require_no_weights(trial: Trial) -> None:
    if asked := asked_weights(trial):
        raise UsageError(f"--design {trial.design} with {asked}: weights are of three arms and more. Leave it out.")


def _several_periods(
    tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial, found: SeveralPeriods
) -> Study:
    """Settle the comparisons of several treatments or periods: of two treatments each, all within participants."""
    *others, reference = found.treatments
    if trial.ordinal:
        raise UsageError(
            f"--ordinal {' '.join(trial.ordinal)}: ranks are not made of more than two treatments or periods. Leave it "
            "out."
        )
    if trial.dose and "=" not in " ".join(trial.dose):
        raise UsageError(f"--dose {' '.join(trial.dose)}: give the dose of each treatment, as {others[0]}=1.")
    treatments = Arms(found.evidence, reference, tuple(others))
    weighted, weights = find_weighted(tables, treatments, trial)
    orders = found.sequences
    first, second, *further = orders.names
    design = Design(
        found.evidence,
        second,
        first,
        *PERIODS,
        findings=(*found.findings, *weights, *unmatched(tables, scanned)),
        further=tuple(further),
        words=SEVERAL_PERIODS,
        has_baselines=found.has_baselines,
        orders=orders,
    )
    designs = tuple(replace(design, treatments=pair) for pair in treatments.pairs(trial.contrasts))
    return Study(found.told(tables), designs, found, weighted)
