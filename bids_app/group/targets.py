"""What the writers of the group level are given: the run, and one of the kinds of result that it compares."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bids_app.bids.result_names import group_name, trial_name
from bids_app.group.notes import Notes
from bids_app.group.routes import Route, kept_in
from bids_app.group.sample import Sample
from bids_app.group.trial_tables import Scores
from bids_app.settings.settings import Settings
from bids_app.trial.design import Design
from bids_app.trial.events import Events
from bids_app.trial.flow import FailedScan
from bids_app.trial.study import Study
from bids_app.trial.tables import Tables


@dataclass(frozen=True, kw_only=True)
class TrialScans:
    """What there is to compare: found, but not yet read.

    Attributes
    ----------
    settings : Settings
    study : Study
        The tables, and which arms are compared from which visit to which.
    routes : list of Route
    failed : list of FailedScan
    events : Events
        Intercurrent events that the plan names columns for, and whose visits are left out of the routes for them.
    folder : Path or None
        Where maps that were read are kept while the run lasts; without it they are in memory.
    """

    settings: Settings
    study: Study
    routes: list[Route]
    failed: list[FailedScan]
    events: Events = field(default_factory=Events)
    folder: Path | None = None

    def kept_in(self, folder: Path) -> "TrialScans":
        """Return the same, for which the file of each scan is read only once, as what was read is kept in a folder."""
        return replace(self, folder=folder, routes=[kept_in(route, folder) for route in self.routes])


@dataclass(frozen=True)
class Target:
    """One kind of result that is compared, and on whom.

    Attributes
    ----------
    route : Route
    flow : DataFrame
        As from `flow.participant_flow`.
    sample : Sample
        The arrays that are compared.
    named : dict of ndarray
        The nodes of the regions that were named beforehand, by region.
    """

    route: Route
    flow: pd.DataFrame
    sample: Sample
    named: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupRun:
    """One run of the group level: what it was asked, and what it read before it writes anything.

    Attributes
    ----------
    settings : Settings
        With where what is done departs from the plan.
    design : Design
    tables : Tables
        Of everyone, also of those whom an option leaves out.
    scores : Scores or None
    notes : Notes
    failed : list of FailedScan
    targets : list of Target
    alone : bool
        Whether it is the only comparison.
    """

    settings: Settings
    design: Design
    tables: Tables
    scores: Scores | None = None
    notes: Notes = field(default_factory=Notes)
    failed: list[FailedScan] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    alone: bool = True

    def without_maps(self) -> "GroupRun":
        """Return all but the maps of its samples."""
        return replace(self, targets=[replace(one, sample=one.sample.without_maps()) for one in self.targets])

    @property
    def strangers(self) -> set[str]:
        """Participants with scans but without a row in participants.tsv."""
        known = {f"sub-{label}" for label in self.tables.participants.index}
        return {name for target in self.targets for name in target.flow["participant_id"]} - known

    def path(self, target: Target, suffix: str, extension: str = ".tsv", **entities: str) -> Path:
        """Return where a file of a target is written."""
        return self.settings.group_dir / group_name(target.route, self.design, suffix, extension, **entities)

    def trial_path(self, suffix: str, extension: str = ".tsv") -> Path:
        """Return where a file of the trial as a whole is written."""
        return self.settings.group_dir / trial_name(self.design, suffix, extension)
