"""The design of a trial: which arm is compared with which, from which visit to which, by what evidence."""

from dataclasses import dataclass

from bids_app.bids.findings import Finding
from bids_app.trial.summaries import Summary
from bids_app.trial.wording import PARALLEL, Wording

PERIODS = ("period1", "period2")  # what the visits of a cross-over trial are called in place of their sessions


@dataclass(frozen=True)
class Design:
    """Which arm is compared with which, from which visit to which, and by what evidence these were found.

    Attributes
    ----------
    arm_column : str
    active, reference : str
        The arms; differences are those of the active arm from the reference.
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
    summaries : tuple of Summary
        Visits among these that are made of several sessions; they have its name where others have their session's.
    """

    arm_column: str
    active: str
    reference: str
    baseline: str | None
    followup: str
    findings: tuple[Finding, ...] = ()
    further: tuple[str, ...] = ()
    words: Wording = PARALLEL
    treatments: tuple[str, str] | None = None
    summaries: tuple[Summary, ...] = ()

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
        if not self.followup or self.treatments:  # which are compared over both visits
            return ""
        found = self.summary("followup")
        return f", {found.called}" if found else f" at ses-{self.followup}"

    @property
    def visits(self) -> dict[str, str | None]:
        """The sessions that are compared, by visit and in order; None is that of scans without one."""
        before = {} if self.baseline is None else {"baseline": self.baseline}
        return {**before, "followup": self.followup or None}

    @property
    def called(self) -> dict[str, str]:
        """What each visit is called, for people."""
        if self.baseline is None:
            found = self.summary("followup")
            return {"followup": found.called if found else "visit"}
        if self.treatments:
            return {"baseline": "period 1", "followup": "period 2"}
        found = self.summary("followup")
        return {"baseline": "baseline", "followup": found.called if found else "follow-up"}

    @property
    def scanned(self) -> dict[str, str]:
        """What the scans of each visit are called: motion is that of all of them, whatever their maps come to."""
        return self.called | ({"followup": "follow-ups"} if self.summary("followup") else {})

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
    def sides(self) -> tuple[str, str]:
        """What a difference is of, the first minus the second: the arms, or of a cross-over trial the treatments."""
        return self.treatments or (self.active, self.reference)

    @property
    def sessions(self) -> str:
        """The visits that are compared, for people; nothing where the scans have no session."""
        if self.treatments:
            return " and ".join(self.called.values())
        return " and ".join(filter(None, map(self.named, self.visits)))

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms in the order of their numbers: the reference is 0, the active arm 1."""
        return self.reference, self.active, *self.further

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
        return self.treatments[0] if (arm == self.active) == (session == self.baseline) else self.treatments[1]

    @property
    def contrast(self) -> str:
        """The direction of every difference, for people."""
        return " − ".join(self.sides)
