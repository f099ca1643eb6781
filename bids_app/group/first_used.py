"""Which plan was used when: a plan that is written once results have been seen is said to be so."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_app.bids.files import save_json
from bids_app.runtime.group_folder import AGAIN, read_manifest
from bids_app.system.small_files import read_record

PUBLISHED = "published.json"  # in the log of a group run whose results were put in place
WITHOUT = "without a plan"


@dataclass(frozen=True)
class FirstUsed:
    """When a plan was first used in an output folder, and which results had been seen before.

    Attributes
    ----------
    sha256 : str
        Of the plan.
    run : str or None
        The first run that used it and whose results were put in place; None if this is the first.
    before : tuple of str
        Earlier runs, by their logs, and what they used.
    """

    sha256: str
    run: str | None
    before: tuple[str, ...]

    @property
    def late(self) -> bool:
        """True if results had been seen before."""
        return bool(self.before)

    @property
    def text(self) -> str:
        """What is said of a plan that is late.

        Examples
        --------
        >>> FirstUsed("5f", None, ("20260102-101112_group_ab without a plan",)).text
        'results had been seen before this plan was first used: 20260102-101112_group_ab without a plan'
        """
        return f"results had been seen before this plan was first used: {', '.join(self.before)}"

    @property
    def record(self) -> dict[str, Any]:
        """What a record holds of it."""
        return {"SHA256": self.sha256, "FirstUsed": self.run or "this run", "SeenBefore": list(self.before)}


def log_published(log_dir: Path, sha256: str | None, *, tested: bool = True) -> None:
    """Keep in the log of a run that its results were put in place, by which plan, and whether anything was tested."""
    save_json(log_dir / PUBLISHED, {"Plan": sha256, "Tested": tested})


def first_used(output_dir: Path, sha256: str) -> FirstUsed:
    """Find when a plan was first used, by the logs of an output folder and the record of what lies there.

    A run in which nothing was tested, as one that is blinded, shows nothing that a plan could be written after.

    Parameters
    ----------
    output_dir : Path
    sha256 : str
        Of the plan.

    Returns
    -------
    FirstUsed
    """
    logs = sorted((output_dir / "logs").glob(f"*/{PUBLISHED}"), key=lambda path: path.parent.name)
    records = [(path.parent.name, read_record(path, AGAIN)) for path in logs]
    tested = [(name, record.get("Plan")) for name, record in records if record.get("Tested", True)]
    used = tested if records else _of_manifest(output_dir)
    before = used[: [plan for _, plan in used].index(sha256)] if sha256 in dict(used).values() else used
    run = used[len(before)][0] if len(before) < len(used) else None
    return FirstUsed(sha256, run, tuple(f"{name} {_called(plan)}" for name, plan in before))


def _of_manifest(output_dir: Path) -> Sequence[tuple[str, str | None]]:
    """Return the run whose results lie there, where no log says so."""
    manifest = read_manifest(output_dir)
    if manifest is None:
        return []
    plan = manifest.get("Options", {}).get("trial", {}).get("plan")
    return [("a run whose log is gone", plan["sha256"] if plan else None)]


def _called(plan: str | None) -> str:
    return WITHOUT if plan is None else f"by another plan ({plan[:12]})"
