"""The objectives of a plan, each an estimand as ICH E9(R1) has it, and how the trial is decided by them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bids_app.graph.rules import EdgeRule
from bids_app.settings.interim import Interim

NOT_STATED = "not stated"
OF_ENDPOINTS = {  # what an endpoint may be, by the key of an objective
    "measure": "a measure",
    "outcome": "an outcome",
    "whole_graph": "a measure of the whole graph",
    "connections": "the connections of an atlas",
}
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
LEAVES_OUT = {  # what that amounts to, where a column says who had the event
    "hypothetical": "it is missing, and taken as missing at random by the model",
    "composite": "a missing follow-up counts as a failure",
    "while on treatment": "of the one follow-up, only what was measured before the event is compared",
}
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
    column : str or None
        Of sessions.tsv or participants.tsv, which says whether it happened: it is counted, and visits after it are left
        out where the strategy asks for that.
    note : str
    """

    name: str
    strategy: str
    prepared: bool = False
    column: str | None = None
    note: str = ""

    @property
    def departs(self) -> bool:
        """True where the analysis does not do what the strategy asks.

        Examples
        --------
        >>> [Event(name="rescue", strategy=one).departs for one in ("treatment policy", "hypothetical")]
        [False, True]
        >>> Event(name="rescue", strategy="hypothetical", column="rescue").departs
        False
        """
        done = self.strategy == AS_IT_IS or self.prepared or self.leaves_out
        return STRATEGIES[self.strategy] is None or not done

    @property
    def leaves_out(self) -> bool:
        """Whether the app itself leaves out what was measured after it."""
        return self.column is not None and self.strategy in LEAVES_OUT

    @property
    def done(self) -> str:
        """What the analysis does with it, in words."""
        asked = STRATEGIES[self.strategy]
        if self.leaves_out:
            return f"what was measured after it ({self.column}) is left out: {LEAVES_OUT[self.strategy]}"
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
    whole_graph : str or None
        Or a measure of the whole graph of an atlas, one of `GLOBALS`.
    connections : str or None
        Or all connections between the parcels of an atlas, by its name.
    nodes : str or None
        Of a measure: voxels, grayordinates, or the name of an atlas; of a whole graph that name.
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
    whole_graph: str | None = None
    connections: str | None = None
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
    def endpoints(self) -> tuple[str, ...]:
        """Which of the kinds of endpoint it says: of a plan that can be used, one."""
        return tuple(name for name in OF_ENDPOINTS if getattr(self, name) is not None)

    @property
    def _endpoint(self) -> str:
        """What is measured and where, in words."""
        rule = f" ({EdgeRule.parse(self.edges).text})" if self.edges else ""
        if self.connections:
            return f"every connection between the parcels of {self.connections}"
        if self.whole_graph:
            return f"{self.whole_graph}{rule} of the whole graph{f' of {self.nodes}' if self.nodes else ''}"
        where = self.region or (f"every one of the {self.nodes}" if self.nodes else "every node of the mask")
        return self.outcome or f"{self.measure}{rule} in {where}"

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
        endpoint = [self._endpoint, f"at ses-{self.visit}" if self.visit else ""]
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
            {"Event": one.name, "Strategy": one.strategy, "Done": one.done, "Departs": one.departs}
            | {"Column": one.column, "Note": one.note}
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
