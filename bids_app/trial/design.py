"""The design of a trial: which arm is compared with which, from which visit to which, by what evidence."""

from dataclasses import dataclass, replace

from bids_app.bids.findings import Finding
from bids_app.trial.period_orders import PeriodOrders, baseline_name, period_name
from bids_app.trial.summaries import Summary
from bids_app.trial.weights import Weighted
from bids_app.trial.wording import PAIRED, PARALLEL, Wording

PERIODS = (
    period_name(0),
    period_name(1),
)  # what the visits of a cross-over trial are called in place of their sessions
BASELINES = (baseline_name(0), baseline_name(1))  # and the baselines of its periods, where they have such


@dataclass(frozen=True)
class Design:
    """Which arm is compared with which, from which visit to which, and by what evidence these were found.

    Attributes
    ----------
    arm_column : str
    active : str
    reference : str or None
        The arms; differences are those of the active arm from the reference. None where everybody is one group: then
        the later visit is compared with the earlier.
    baseline : str or None
        Session; None where one visit is compared by itself, which is then the follow-up.
    followup : str
        Session; empty where the scans have none.
    findings : tuple of Finding
    further : tuple of str
        Arms that are in the model beside these two, numbered after them.
    words : Wording
        What is said of them.
    treatments : (str, str) or None
        Of a cross-over trial, what is compared: the arms are then its sequences, that with the first of these first
        and the other, and the visits its periods.
    has_baselines : bool
        Of a cross-over trial, whether each period has a baseline; these are visits beside the periods.
    orders : PeriodOrders or None
        Of a cross-over trial of more than two treatments or periods, its sequences: they are the arms, with names of
        their own, and what has weights are the treatments. Visits of the further periods stand after the first two.
    summaries : tuple of Summary
        Visits among these that are made of several sessions; they have its name where others have their session's.
    weighted : Weighted or None
        Of a comparison by weights: its arms are the two and what is further.
    """

    arm_column: str
    active: str
    reference: str | None
    baseline: str | None
    followup: str
    findings: tuple[Finding, ...] = ()
    further: tuple[str, ...] = ()
    words: Wording = PARALLEL
    treatments: tuple[str, str] | None = None
    has_baselines: bool = False
    orders: PeriodOrders | None = None
    summaries: tuple[Summary, ...] = ()
    weighted: Weighted | None = None

    def by_weights(self, weighted: Weighted) -> "Design":
        """Return the comparison of several arms, or treatments, at the same visits."""
        if self.orders:
            return replace(self, weighted=weighted)
        reference, active, *further = weighted.arms
        return replace(self, active=active, reference=reference, further=tuple(further), weighted=weighted)

    def weight(self, arm: str) -> float:
        """Return the weight of an arm in the difference.

        Examples
        --------
        >>> [Design("arm", "low", "placebo", "pre", "post").weight(arm) for arm in ("placebo", "low", "high")]
        [-1.0, 1.0, 0.0]
        """
        if self.weighted:
            return self.weighted.row([arm])[0]
        active, reference = self.treatments if self.orders and self.treatments else (self.active, self.reference)
        return float(arm == active) - float(arm == reference)

    @property
    def levels(self) -> tuple[str, ...]:
        """What has weights, the reference first: the arms, or of several periods the treatments."""
        return self.orders.treatments if self.orders else self.arms

    def summary(self, visit: str) -> Summary | None:
        """Return of which sessions a visit is made, None where it is one."""
        return next((one for one in self.summaries if one.name == self.visits[visit]), None)

    @property
    def is_change(self) -> bool:
        """True if the follow-up is a slope or a difference by itself: no baseline is subtracted from it."""
        found = self.summary("followup")
        return found is not None and found.is_change

    def named(self, visit: str) -> str:
        """Return which session a visit is, or how it is made, for people."""
        found = self.summary(visit)
        return f"the {found.text}" if found else f"ses-{self.visits[visit]}" if self.visits[visit] else ""

    @property
    def at(self) -> str:
        """At which follow-up arms are compared, as the end of a phrase; nothing where there is none to tell."""
        if not self.followup or self.treatments or self.of_change:  # which are compared over both visits
            return ""
        found = self.summary("followup")
        return f", {found.called}" if found else f" at ses-{self.followup}"

    @property
    def visits(self) -> dict[str, str | None]:
        """The sessions that are compared, by visit and in order; None is that of scans without one.

        Baselines of periods stand after the periods, which are first in every design.
        """
        before = {} if self.baseline is None else {"baseline": self.baseline}
        more = [period_name(place) for place in range(2, self.n_periods)]
        own = {name: name for name in (*more, *(self.baselines or ()))}
        return {**before, "followup": self.followup or None, **own}

    @property
    def n_periods(self) -> int:
        """How many periods a cross-over trial has."""
        return self.orders.n_periods if self.orders else len(PERIODS)

    @property
    def of_periods(self) -> tuple[str, ...]:
        """The periods of a cross-over trial, first to last, as its visits are called."""
        return tuple(period_name(place) for place in range(self.n_periods))

    @property
    def baselines(self) -> tuple[str, ...] | None:
        """The baselines of the periods, if there are such."""
        return tuple(baseline_name(place) for place in range(self.n_periods)) if self.has_baselines else None

    @property
    def periods(self) -> tuple[str, ...]:
        """What the periods of a cross-over trial are called, for people."""
        return tuple(f"period {place + 1}" for place in range(self.n_periods))

    @property
    def called(self) -> dict[str, str]:
        """What each visit is called, for people."""
        if self.baseline is None:
            found = self.summary("followup")
            return {"followup": found.called if found else "visit"}
        if self.treatments:
            before = {name: f"baseline of {of}" for name, of in zip(self.baselines or (), self.periods, strict=False)}
            return {**dict(zip(self.visits, self.periods, strict=False)), **before}
        if self.words.key == PAIRED.key:
            return {"baseline": str(self.baseline), "followup": self.followup}
        found = self.summary("followup")
        if self.single:
            return {"baseline": "first visit", "followup": found.called if found else "later visit"}
        return {"baseline": "baseline", "followup": found.called if found else "follow-up"}

    @property
    def scanned(self) -> dict[str, str]:
        """What the scans of each visit are called: motion is that of all of them, whatever their maps come to."""
        return self.called | (
            {"followup": "visits put together" if self.single else "follow-ups"} if self.summary("followup") else {}
        )

    @property
    def columns(self) -> dict[str, str]:
        """What each visit is called in the columns of tables."""
        return {visit: str(session) if self.treatments else visit for visit, session in self.visits.items()}

    @property
    def first(self) -> str:
        """The visit at which covariates are measured."""
        return next(iter(self.visits))

    @property
    def motion(self) -> str:
        """What the covariate is called that is the motion at the first visit."""
        return "mean_fd" if self.baseline is None else "baseline_mean_fd"

    @property
    def comparison(self) -> str:
        """Which arms are compared at which session, for people."""
        return f"{self.contrast}{self.at}"

    @property
    def sides(self) -> tuple[str, ...]:
        """What a difference is of, the first minus the second: arms, treatments or visits; or what is by itself.

        Of a comparison by weights its name.
        """
        if self.weighted:
            return (self.weighted.name,)
        if self.treatments:
            return self.treatments
        if self.of_change:
            if self.is_change:
                return (self.called["followup"],)
            if found := self.summary("followup"):
                return found.called, f"ses-{self.baseline}"
            of = "" if self.words.key == PAIRED.key else "ses-"
            return f"{of}{self.followup}", f"{of}{self.baseline}"
        return self.compared

    @property
    def sessions(self) -> str:
        """The visits that are compared, for people; nothing where the scans have no session."""
        if self.treatments:
            *first, last = self.periods
            return f"{', '.join(first)} and {last}" + ", each with its baseline" * self.has_baselines
        if self.words.key == PAIRED.key:
            return " and ".join(self.called.values())
        return " and ".join(filter(None, map(self.named, self.visits)))

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms in the order of their numbers: the reference is 0, the active arm 1; or the one group, 0."""
        return (self.active,) if self.reference is None else (self.reference, self.active, *self.further)

    @property
    def compared(self) -> tuple[str, ...]:
        """The active arm and the reference, or the one group; all that have weight."""
        if self.weighted or self.orders:
            return self.arms if self.orders else self.arms[::-1]
        return (self.active,) if self.reference is None else (self.active, self.reference)

    @property
    def single(self) -> bool:
        """True where everybody is one group."""
        return self.reference is None

    @property
    def of_change(self) -> bool:
        """True where the mean difference between two visits of one group is tested."""
        return self.single and self.baseline is not None

    @property
    def own_sessions(self) -> bool:
        """True where a visit is another session for each participant: a period, or a treatment."""
        return self.treatments is not None or self.words.key == PAIRED.key

    def direction(self, sign: int, covariate: str | None = None) -> str:
        """Say which way an effect of a sign goes: of what has more, or of a covariate's slope.

        Examples
        --------
        >>> Design("", "everyone", None, "1", "2").direction(-1)
        'ses-1 > ses-2'
        """
        if covariate is not None:
            return f"{'rises' if sign > 0 else 'falls'} with {covariate}"
        if len(self.sides) == 1:
            return f"{self.sides[0]} {'above' if sign > 0 else 'below'} 0"
        return " > ".join(self.sides[::sign])

    def has_more(self, sign: int) -> str:
        """Say which side an effect of a sign is on, as a clause.

        Examples
        --------
        >>> Design("", "everyone", None, "1", "2").has_more(1)
        'ses-2 has more'
        """
        if len(self.sides) == 1:
            return f"the {self.direction(sign).replace(self.sides[0], f'{self.sides[0]} is', 1)}"
        return f"{self.sides[::sign][0]} has more"

    def given(self, arm: str, session: str | None) -> str:
        """Return what a visit of an arm is a visit of: the arm, or of a cross-over trial the treatment.

        Examples
        --------
        >>> design = Design("sequence", "a first", "b first", *PERIODS, treatments=("a", "b"))
        >>> [design.given(arm, period) for arm in design.arms for period in PERIODS]
        ['b', 'a', 'a', 'b']
        """
        if not self.treatments:
            return arm
        if self.orders:
            named = (*self.of_periods, *(baseline_name(place) for place in range(self.n_periods)))
            return self.orders.orders[self.arms.index(arm)][named.index(str(session)) % self.n_periods]
        first = session in (self.baseline, BASELINES[0])
        return self.treatments[0] if (arm == self.active) == first else self.treatments[1]

    @property
    def contrast(self) -> str:
        """The direction of every difference, for people."""
        return " − ".join(self.sides)
