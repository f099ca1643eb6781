"""The design of a trial: which arm is compared with which, from which visit to which, by what evidence."""

from dataclasses import dataclass

from bids_app.bids.findings import Finding
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

    @property
    def visits(self) -> dict[str, str | None]:
        """The sessions that are compared, by visit and in order; None is that of scans without one."""
        before = {} if self.baseline is None else {"baseline": self.baseline}
        return {**before, "followup": self.followup or None}

    @property
    def called(self) -> dict[str, str]:
        """What each visit is called, for people."""
        if self.baseline is None:
            return {"followup": "visit"}
        if self.treatments:
            return {"baseline": "period 1", "followup": "period 2"}
        return {"baseline": "baseline", "followup": "follow-up"}

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
        at = self.followup and not self.treatments  # which are compared over both visits
        return f"{self.contrast} at ses-{self.followup}" if at else self.contrast

    @property
    def sides(self) -> tuple[str, str]:
        """What a difference is of, the first minus the second: the arms, or of a cross-over trial the treatments."""
        return self.treatments or (self.active, self.reference)

    @property
    def sessions(self) -> str:
        """The visits that are compared, for people; nothing where the scans have no session."""
        if self.treatments:
            return " and ".join(self.called.values())
        return " and ".join(f"ses-{session}" for session in self.visits.values() if session)

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
