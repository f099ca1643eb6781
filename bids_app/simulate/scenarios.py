"""The studies that can be simulated: who is given what at which visit, and what is planted where."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bids_app.settings.settings import SINGLE
from bids_app.simulate.brain import PLANTED

Shares = Mapping[str, float]  # by region, the share of the planted change that is present
NONE: Shares = {}
LEFT_ANGULAR, RIGHT_ANGULAR, THALAMUS = (region.name for region in PLANTED)
ANGULAR: Shares = {LEFT_ANGULAR: 1.0, RIGHT_ANGULAR: 1.0}
EVERYWHERE: Shares = {**ANGULAR, THALAMUS: 1.0}
ADULTS = (22, 61)


@dataclass(frozen=True)
class Answer:
    """What is planted in one comparison.

    Attributes
    ----------
    active, reference : str
        A difference is the active minus the reference: arms, treatments or, with ``ses-``, visits of one group.
    session : str
        At which it is compared, without ``ses-``; of visits the active one.
    shares : dict of float
        Size of the difference by region; 1 is the whole of the planted change.
    """

    active: str
    reference: str
    session: str
    shares: Shares

    @property
    def at(self) -> str:
        """At which visit arms are compared, as the end of a phrase."""
        told = self.session and self.active != f"ses-{self.session}"
        return f" at ses-{self.session}" if told else ""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A study that can be simulated.

    Attributes
    ----------
    title : str
        What is simulated, for people.
    design : str
        As ``--design`` of the group level calls it.
    arms : dict of str
        What is said of each arm, group or sequence; the last is the reference, or begins with it. One group has one.
    sessions : dict of timedelta
        The visits, ``ses-`` first, and when they are; of paired treatments the active one first, without a date.
    n_per_arm : int
        Participants with every visit.
    effects : dict of dict of Shares
        What an arm has at a visit, by arm and visit; what is not there is nothing.
    column : str
        Of participants.tsv, that holds the arms; none of one group.
    period_effect : dict of Shares
        What everyone has at a visit.
    with_age : Shares
        What the oldest have and the youngest have not, at every visit.
    ages : dict of (int, int)
        From which to below which age the members of an arm are; those of others are `ADULTS`.
    healthy : tuple of str
        Arms whose members have no symptoms.
    n_visits_of_lost : tuple of int
        How many visits each has of those who are randomized beyond ``n_per_arm`` and drop out.
    treatments : tuple of str
        Of a cross-over trial, the active treatments and the reference; what an arm is given in which period its name
        says, as ``drug-placebo``.
    options : tuple of str
        Of the group level, beside ``--design``.
    adjusting : tuple of str
        Those that take ``with_age`` out: without them it is found between the arms, whose ages differ.
    voxel_size : int
        Edge of the voxels in mm.
    """

    title: str
    design: str = "parallel"
    arms: Mapping[str, str]
    sessions: Mapping[str, timedelta]
    n_per_arm: int
    effects: Mapping[str, Mapping[str, Shares]]
    column: str = "arm"
    period_effect: Mapping[str, Shares] = field(default_factory=dict)
    with_age: Shares = field(default_factory=dict)
    ages: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    healthy: tuple[str, ...] = ()
    n_visits_of_lost: tuple[int, ...] = ()
    treatments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    adjusting: tuple[str, ...] = ()
    voxel_size: int = 6

    @property
    def n_people(self) -> int:
        """How many take part, those who drop out among them."""
        return len(self.arms) * self.n_per_arm + len(self.n_visits_of_lost)

    @property
    def n_scans(self) -> int:
        """How many scans there are."""
        return len(self.arms) * self.n_per_arm * len(self.sessions) + sum(self.n_visits_of_lost)

    @property
    def estimator(self) -> str:
        """What the headline of the group level is about."""
        if self.design == "crossover":
            return "crossover"
        if self.design in SINGLE:
            return "within"
        return "ancova" if len(self.sessions) > 1 else "post"

    def is_treated(self, visit: int) -> bool:
        """Say whether a visit, counted from 0, is after a treatment, whatever the arm."""
        return self.design in ("crossover", "paired") or (self.design in ("parallel", "one-group") and visit > 0)

    @property
    def is_dated(self) -> bool:
        """Whether anybody knows when a visit was."""
        return self.design != "paired"

    def effect(self, arm: str, session: str) -> Shares:
        """Return what an arm is given at a visit, without what everyone has."""
        return self.effects.get(arm, {}).get(session, NONE)

    def shares(self, arm: str, session: str, *, age: int, eagerness: float) -> Shares:
        """Return what is there of the planted change in one scan.

        Parameters
        ----------
        arm, session : str
        age : int
        eagerness : float
            How strongly a participant responds to what the arm is given, about 1.
        """
        given, everyone = self.effect(arm, session), self.period_effect.get(session, NONE)
        years = (age - ADULTS[0]) / (ADULTS[1] - ADULTS[0])
        return {
            region: eagerness * given.get(region, 0.0)
            + everyone.get(region, 0.0)
            + years * self.with_age.get(region, 0.0)
            for region in EVERYWHERE
        }

    @property
    def answers(self) -> Iterator[Answer]:
        """What is planted in each comparison that the group level makes."""
        first, *later = self.sessions
        *others, reference = self.arms
        if self.treatments:
            *active, reference = self.treatments
            for one in active:
                arm = next((arm for arm in self.arms if arm.split("-")[0] == one), next(iter(self.arms)))
                yield Answer(one, reference, "", self.effect(arm, first))
            return
        if self.design in SINGLE:
            for session in later:
                yield Answer(session, first, session.removeprefix("ses-"), self.effect(reference, session))
            return
        for session in later or [first]:
            for arm in others:
                yield Answer(arm, reference, session.removeprefix("ses-"), self.effect(arm, session))

    @property
    def confounded(self) -> Iterator[Answer]:
        """What is there between the arms if their ages are left out; nothing where these do not matter."""
        if self.adjusting:
            yield from (replace(one, shares={**one.shares, **self.with_age}) for one in self.answers)


MIDAZOLAM = {"midazolam": "Active placebo, one infusion"}
KETAMINE = {"ketamine": "Active arm, one infusion"}
BEFORE_AND_AFTER = {"ses-baseline": timedelta(0), "ses-day3": timedelta(days=3)}

SIX = (  # a Williams design: each treatment in each period, and after each other, equally often
    "high-low-placebo",
    "low-placebo-high",
    "placebo-high-low",
    "high-placebo-low",
    "low-high-placebo",
    "placebo-low-high",
)


def _given(sequence: str, effects: Mapping[str, Shares]) -> dict[str, Shares]:
    """Return what a sequence has in each period."""
    return {f"ses-{n + 1}": effects[one] for n, one in enumerate(sequence.split("-")) if one in effects}


SCENARIOS = {
    "two-arms": Scenario(
        title="a trial of ketamine against midazolam",
        arms=KETAMINE | MIDAZOLAM,
        sessions=BEFORE_AND_AFTER,
        n_per_arm=14,
        effects={"ketamine": {"ses-day3": EVERYWHERE}},
        n_visits_of_lost=(1,),
        voxel_size=5,
    ),
    "three-arms": Scenario(
        title="a trial of two doses of ketamine against placebo",
        arms={"high": "Ketamine, 0.5 mg/kg", "low": "Ketamine, 0.1 mg/kg", "placebo": "Saline"},
        sessions=BEFORE_AND_AFTER,
        n_per_arm=10,
        effects={"high": {"ses-day3": EVERYWHERE}, "low": {"ses-day3": {LEFT_ANGULAR: 1.0}}},
        n_visits_of_lost=(1,),
        voxel_size=8,
    ),
    "three-visits": Scenario(
        title="a trial of ketamine against midazolam with two follow-ups",
        arms=KETAMINE | MIDAZOLAM,
        sessions={**BEFORE_AND_AFTER, "ses-day14": timedelta(days=14)},
        n_per_arm=9,
        effects={"ketamine": {"ses-day3": EVERYWHERE, "ses-day14": {LEFT_ANGULAR: 1.0}}},
        n_visits_of_lost=(1, 2, 2),
        voxel_size=8,
    ),
    "groups": Scenario(
        title="a comparison of patients with controls, who are younger",
        design="groups",
        column="group",
        arms={"patient": "Depression", "control": "Nobody with depression"},
        sessions={"ses-1": timedelta(0)},
        n_per_arm=20,
        effects={"patient": {"ses-1": {LEFT_ANGULAR: 1.0}}},
        with_age={RIGHT_ANGULAR: 2.0},
        ages={"control": (22, 44), "patient": (39, 61)},
        healthy=("control",),
        adjusting=("--covariates", "age"),
        voxel_size=8,
    ),
    "crossover": Scenario(
        title="a cross-over trial of ketamine and placebo",
        design="crossover",
        column="sequence",
        arms={"ketamine-placebo": "Ketamine in period 1", "placebo-ketamine": "Placebo in period 1"},
        sessions={"ses-1": timedelta(0), "ses-2": timedelta(days=28)},
        n_per_arm=10,
        effects={"ketamine-placebo": {"ses-1": ANGULAR}, "placebo-ketamine": {"ses-2": ANGULAR}},
        period_effect={"ses-2": {THALAMUS: 0.8}},
        n_visits_of_lost=(1,),
        treatments=("ketamine", "placebo"),
    ),
    "williams": Scenario(
        title="a cross-over trial of two doses of ketamine and placebo in three periods",
        design="crossover",
        column="sequence",
        arms={one: f"{one.split('-')[0].capitalize()} in period 1" for one in SIX},
        sessions={f"ses-{n + 1}": timedelta(days=28 * n) for n in range(3)},
        n_per_arm=3,
        effects={one: _given(one, {"high": ANGULAR, "low": {LEFT_ANGULAR: 1.0}}) for one in SIX},
        period_effect={"ses-2": {THALAMUS: 0.8}, "ses-3": {THALAMUS: 0.8}},
        n_visits_of_lost=(2,),
        treatments=("high", "low", "placebo"),
        voxel_size=8,
    ),
    "one-group": Scenario(
        title="one group of patients before and twice after ketamine",
        design="one-group",
        column="",
        arms={"everyone": "One infusion of ketamine"},
        sessions={**BEFORE_AND_AFTER, "ses-day14": timedelta(days=14)},
        n_per_arm=10,
        effects={"everyone": {"ses-day3": EVERYWHERE, "ses-day14": {LEFT_ANGULAR: 1.0}}},
        n_visits_of_lost=(1, 2),
        voxel_size=8,
    ),
    "paired": Scenario(
        title="ketamine and placebo given to everyone, in an order that nobody wrote down",
        design="paired",
        column="",
        arms={"everyone": "Ketamine and placebo"},
        sessions={"ses-ketamine": timedelta(0), "ses-placebo": timedelta(days=28)},
        n_per_arm=12,
        effects={"everyone": {"ses-ketamine": ANGULAR}},
        n_visits_of_lost=(1,),
        treatments=("ketamine", "placebo"),
        options=("--reference-arm", "placebo"),
        voxel_size=8,
    ),
}
