"""The objectives of a plan, each an estimand as ICH E9(R1) has it, and how the trial is decided by them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bids_app.graph.rules import EdgeRule
from bids_app.settings.interim import Interim

NOT_STATED = "not stated"
OF_OBJECTIVE = ("primary", "secondary")
CORRECTIONS = {  # those of stats.CORRECTIONS
    "fixed-sequence": "tested one after the other in the order of the plan, until one is not confirmed",
    "gatekeeping": "secondary objectives tested only once every primary one is confirmed, each family after Holm",
    "holm": "all objectives after Holm, whatever their roles",
}
# By strategy: what is done with an intercurrent event, and what that needs; None where nothing does it.
STRATEGIES: dict[str, str | None] = {
    "treatment policy": "what was measured is used as it is, whatever happened, in the arm of the randomization",
    "hypothetical": "what was measured after it is missing in the data, and taken as missing at random by the model",
    "composite": "the outcome in the tables holds the value that the event itself counts as",
    "while on treatment": "the outcome in the tables is the last one before the event",
    "principal stratum": None,
}
AS_IT_IS = "treatment policy"
# By summary measure: the methods whose estimate it is. Hedges g stands beside each difference of means.
SUMMARIES = {
    "difference of adjusted means": ("ancova", "mmrm", "mixed", "crossover", "mixed-periods"),
    "difference of mean changes": ("change", "mixed-interaction"),
    "difference of means": ("post", "unadjusted"),
    "mean change": ("within",),
    "difference of shares": ("proportion", "proportion, missing as failure"),
    "odds ratio": ("proportion", "proportion, missing as failure"),
    "probability of doing better": ("ranks",),
}
HEDGES_G = "Hedges g"
OF_MEANS = ("difference of adjusted means", "difference of mean changes", "difference of means", "mean change")

SAID = {  # of the protocol, for people
    "title": "Trial",
    "registration": "Registration",
    "sponsor": "Sponsor",
    "date": "Date of the plan",
    "n_planned": "Participants planned",
    "n_reason": "Why so many",
    "stopping": "Stopping",
    "interim": "Interim looks",
    "missing": "Missing data",
    "blinding": "Blinding",
}


@dataclass(frozen=True, kw_only=True)
class Event:
    """An intercurrent event: what may happen after the randomization that bears on the outcome.

    Attributes
    ----------
    name : str
    strategy : str
        One of `STRATEGIES`.
    prepared : bool
        The team prepared the data as the strategy asks, which the app cannot see.
    note : str
    """

    name: str
    strategy: str
    prepared: bool = False
    note: str = ""

    @property
    def departs(self) -> bool:
        """True where the analysis does not do what the strategy asks.

        Examples
        --------
        >>> [Event(name="rescue", strategy=one).departs for one in ("treatment policy", "hypothetical")]
        [False, True]
        """
        return STRATEGIES[self.strategy] is None or not (self.strategy == AS_IT_IS or self.prepared)

    @property
    def done(self) -> str:
        """What the analysis does with it, in words."""
        asked = STRATEGIES[self.strategy]
        if self.departs:
            lacking = "no analysis here does that" if asked is None else "the plan does not say prepared = true"
            return f"not done ({lacking}): {STRATEGIES[AS_IT_IS]}"
        return f"{asked}{'' if self.strategy == AS_IT_IS else ', as the team prepared it; not checked'}"


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One objective: what is estimated, of whom, and whether the trial is judged by it.

    Attributes
    ----------
    name : str
    role : {"primary", "secondary"}
    population : str
        In words.
    arm, reference : str or None
        Treatment: the arm, and what it is compared with.
    measure : str or None
        The endpoint: a graph measure, over all nodes or in a region.
    outcome : str or None
        Or a clinical outcome, with ``:NAME`` of a cut-off.
    nodes : str or None
        Of a measure: voxels, grayordinates, or the name of an atlas.
    region : str or None
        A region of ``analysis.regions``.
    threshold, density : float or None
        Its edge rule.
    visit : str or None
        Session of the endpoint, without ses-.
    estimator, summary : str or None
        How it is estimated, and what: one of `SUMMARIES` or Hedges g.
    events : tuple of Event
    """

    name: str
    role: str
    population: str = NOT_STATED
    arm: str | None = None
    reference: str | None = None
    measure: str | None = None
    outcome: str | None = None
    nodes: str | None = None
    region: str | None = None
    threshold: float | None = None
    density: float | None = None
    visit: str | None = None
    estimator: str | None = None
    summary: str | None = None
    events: tuple[Event, ...] = ()

    @property
    def edges(self) -> str | None:
        """Label of the edge rule, if it says one."""
        if self.density is not None:
            return EdgeRule("density", self.density).label
        return None if self.threshold is None else EdgeRule("r", self.threshold).label

    @property
    def attributes(self) -> dict[str, str]:
        """The five attributes of its estimand, in words.

        Examples
        --------
        >>> one = Objective(name="Mood", role="primary", arm="drug", outcome="hamd17", visit="day3")
        >>> one.attributes["Treatment"], one.attributes["Endpoint"]
        ('drug', 'hamd17 at ses-day3')
        """
        compared = " compared with ".join(filter(None, (self.arm, self.reference)))
        rule = "" if self.edges is None else EdgeRule.parse(self.edges).text
        where = self.region or (f"every one of the {self.nodes}" if self.nodes else "every node of the mask")
        of_measure = [f"{self.measure}{f' ({rule})' if rule else ''}", f"in {where}"]
        endpoint = [self.outcome or " ".join(of_measure), f"at ses-{self.visit}" if self.visit else ""]
        return {
            "Treatment": compared or NOT_STATED,
            "Population": self.population,
            "Endpoint": " ".join(filter(None, endpoint)),
            "Intercurrent events": "; ".join(f"{one.name}: {one.strategy}" for one in self.events) or NOT_STATED,
            "Summary": self.summary or NOT_STATED,
        }

    def is_of(self, sides: Sequence[str], visits: Sequence[str | None]) -> bool:
        """Say whether a comparison of two sides at a visit is its treatment and visit; what it leaves open fits all.

        Examples
        --------
        >>> one = Objective(name="Mood", role="primary", arm="drug", visit="day3")
        >>> one.is_of(("drug", "placebo"), ["day3"]), one.is_of(("drug", "placebo"), ["day14"])
        (True, False)
        """
        both = (*sides, None, None)[:2]
        return self.arm in (None, both[0]) and self.reference in (None, both[1]) and self.visit in (None, *visits)

    @property
    def record(self) -> dict[str, Any]:
        """What a record holds of it."""
        events = [
            {"Event": one.name, "Strategy": one.strategy, "Done": one.done, "Departs": one.departs, "Note": one.note}
            for one in self.events
        ]
        return {"Name": self.name, "Role": self.role, **self.attributes, "Events": events}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a plan says of the trial as a whole.

    Attributes
    ----------
    title, registration, sponsor, date : str
    correction : str or None
        How p is corrected over the objectives: one of `CORRECTIONS`.
    n_planned : dict of int
        Participants by arm.
    n_reason, stopping, missing, blinding : str
        Why so many, when the trial stops early, what is done about missing data, who knew the arms: words.
    """

    title: str = ""
    registration: str = ""
    sponsor: str = ""
    date: str = ""
    correction: str | None = None
    n_planned: dict[str, int] = field(default_factory=dict)
    n_reason: str = ""
    stopping: str = ""
    missing: str = ""
    blinding: str = ""


def protocol_said(protocol: Protocol, interim: Interim | None = None) -> dict[str, str]:
    """Return what a plan says of the trial as a whole, in words, without what it leaves open.

    Examples
    --------
    >>> protocol_said(Protocol(title="Mood", n_planned={"drug": 20, "placebo": 21}))
    {'Trial': 'Mood', 'Participants planned': '20 drug, 21 placebo'}
    """
    values = {text: getattr(protocol, name, "") for name, text in SAID.items()}
    values[SAID["n_planned"]] = ", ".join(f"{n} {arm}" for arm, n in protocol.n_planned.items())
    values[SAID["interim"]] = interim.text if interim else ""
    return {text: value for text, value in values.items() if value}
