"""What the group level found of everyone: arms, visits, and who is not in the comparison."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bids_app.bids.result_names import beside
from bids_app.report.group import design_paths
from bids_app.report.overview import comparison_folders
from bids_app.settings.settings import GROUP
from bids_app.trial.comparison_record import read_comparison
from bids_app.trial.flow_table import read_flow
from bids_app.trial.wording import PARALLEL, Wording


@dataclass(frozen=True)
class Compared:
    """What the comparisons of an output folder say; empty where there are none.

    Attributes
    ----------
    arms : dict of str
        By participant_id.
    left_out : dict of str
        Why participants are in none of the comparisons.
    visits : dict of str
        What each session is called.
    min_minutes : float or None
        A visit needs so much data.
    words : Wording
    """

    arms: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    visits: dict[str, str] = field(default_factory=dict)
    min_minutes: float | None = None
    words: Wording = PARALLEL

    def named(self, session: str) -> str:
        """Name a session, and what it is called in the comparison.

        Examples
        --------
        >>> Compared(visits={"1": "baseline"}).named("1"), Compared(visits={"baseline": "baseline"}).named("baseline")
        ('ses-1 (baseline)', 'ses-baseline')
        """
        called = self.visits.get(session)
        return f"ses-{session} ({called})" if called and called != session else f"ses-{session}"


def read_compared(output_dir: Path) -> Compared:
    """Read what the group level found of everyone, from its records and flows.

    Parameters
    ----------
    output_dir : Path

    Returns
    -------
    Compared
    """
    paths = [path for folder in comparison_folders(output_dir / GROUP) for path in design_paths(folder)]
    if not paths:
        return Compared()
    records = [read_comparison(path) for path in paths]
    designs = [record.arms.design for record in records]
    flows = pd.concat([read_flow(beside(path, "flow")) for path in paths])
    known = flows.dropna(subset="arm").drop_duplicates("participant_id").set_index("participant_id")["arm"]
    return Compared(
        arms={str(name): str(arm) for name, arm in known.items()},
        left_out=_left_out(flows),
        visits={
            session: design.called[visit]
            for design in reversed(designs)
            if not design.treatments  # whose periods are other sessions for each sequence
            for visit, session in design.visits.items()
            if session
        },
        min_minutes=records[0].data.min_minutes,
        words=designs[0].words,
    )


def _left_out(flows: pd.DataFrame) -> dict[str, str]:
    """Say of whom no comparison holds anything, and why; each reason once."""
    never = flows[~flows.groupby("participant_id")["analysed"].transform("any")]
    reasons = never.fillna({"reason": "no reason given"}).groupby("participant_id")["reason"].unique()
    return {str(name): "; ".join(found) for name, found in reasons.items()}
