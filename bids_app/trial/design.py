"""The design of a trial: which arm is compared with which, from which visit to which, by what evidence."""

from dataclasses import dataclass

from bids_app.bids.findings import Finding
from bids_app.trial.wording import PARALLEL, Wording


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
    """

    arm_column: str
    active: str
    reference: str
    baseline: str | None
    followup: str
    findings: tuple[Finding, ...] = ()
    further: tuple[str, ...] = ()
    words: Wording = PARALLEL

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
        return {"baseline": "baseline", "followup": "follow-up"}

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
        return f"{self.contrast} at ses-{self.followup}" if self.followup else self.contrast

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms in the order of their numbers: the reference is 0, the active arm 1."""
        return self.reference, self.active, *self.further

    @property
    def contrast(self) -> str:
        """The direction of every difference, for people."""
        return f"{self.active} − {self.reference}"
