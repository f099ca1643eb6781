"""How every scan ended when the participant level last ran on it, as kept in ``logs/status``."""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bids_app.bids.files import save_json
from bids_app.bids.result_names import status_path
from bids_app.errors import DataError
from bids_app.system.small_files import Record, read_record

logger = logging.getLogger(__name__)

KEYS = {"Participant": str, "Run": str, "Scans": list}
STATES = {
    "done": "finished",
    "failed": "could not be processed when it was last tried",
    "gone": "its input is no longer there",
}


def read_status(output_dir: Path, participant: str) -> Record:
    """Read how the scans of a participant ended.

    Returns
    -------
    Record
        Participant, Run (the folder in ``logs/`` of the last run) and Scans.

    Raises
    ------
    DataError
        It is not there, or damaged.
    """
    mend = f"Run the participant level again for sub-{participant}."
    path = status_path(output_dir, participant)
    status = read_record(path, mend)
    wrong = [key for key, kind in KEYS.items() if not isinstance(status[key], kind)]
    if not wrong and not all(isinstance(scan, dict) and {"Scan", "State"} <= set(scan) for scan in status["Scans"]):
        wrong = ["Scans"]
    if wrong:
        raise DataError(f"{path} is damaged: {', '.join(wrong)} is not what a run writes. {mend}")
    return status


def participants_with_status(output_dir: Path) -> list[str]:
    """List the labels of the participants that the participant level has run on, in order."""
    found = sorted((output_dir / "logs" / "status").glob("sub-*.json"))
    return [path.stem.removeprefix("sub-") for path in found if not path.name.startswith(".")]


def read_statuses(output_dir: Path, participants: Collection[str] | None = None) -> list[Record]:
    """Read how the scans ended, and look whether their inputs are still there.

    Parameters
    ----------
    output_dir : Path
    participants : collection of str, optional
        Whose; of everyone by default.

    Returns
    -------
    list of Record
        As `read_status`; a scan whose input is gone by now has the state gone, whatever the last run left.
    """
    known, roots = participants_with_status(output_dir), dataset_roots(output_dir)
    wanted = known if participants is None else [label for label in known if label in participants]
    statuses = [read_status(output_dir, label) for label in wanted]
    for status in statuses:
        status["Scans"] = [_as_gone(scan, roots) for scan in status["Scans"]]
    return statuses


def _as_gone(scan: Mapping[str, Any], roots: Mapping[str, Path]) -> Mapping[str, Any]:
    """Return a scan as it is, or with the state gone if its input is no longer there."""
    gone = gone_sources(scan.get("Sources", ()), roots)
    if not gone or scan["State"] == "gone":
        return scan
    return {**scan, "State": "gone", "Reason": f"Its input is no longer there: {', '.join(gone)}."}


def earlier_scans(output_dir: Path, participant: str) -> dict[str, Any]:
    """Return what earlier runs left of a participant's scans by their names: nothing of what is damaged, and said."""
    if not status_path(output_dir, participant).exists():
        return {}
    try:
        return {scan["Scan"]: scan for scan in read_status(output_dir, participant)["Scans"]}
    except DataError as error:
        logger.warning("%s It is made anew.", error)
        return {}


def dataset_roots(output_dir: Path) -> dict[str, Path]:
    """Return where the datasets that the results come from lie, by their names, as far as they can be seen."""
    path = output_dir / "dataset_description.json"
    links = read_record(path, "Run the participant level again.").get("DatasetLinks", {}) if path.exists() else {}
    roots = {name: (output_dir / link).resolve() for name, link in links.items() if isinstance(link, str)}
    return {name: root for name, root in roots.items() if root.is_dir()}


def gone_sources(sources: Sequence[str], roots: Mapping[str, Path]) -> list[str]:
    """List those of a scan's BIDS URIs whose dataset is there and whose file is not.

    A link whose content is elsewhere (git-annex) is there.

    Examples
    --------
    >>> from pathlib import Path
    >>> gone_sources(["bids:here:sub-01/func/x.nii.gz", "bids:elsewhere:y.nii.gz"], {"here": Path("/nowhere")})
    ['bids:here:sub-01/func/x.nii.gz']
    """
    gone = []
    for uri in sources:
        _, name, place = (*uri.split(":", 2), "", "")[:3]
        if name in roots and not os.path.lexists(roots[name] / place):
            gone.append(uri)
    return gone


def mark_gone(
    output_dir: Path, roots: Mapping[str, Path], selected: Collection[str] = (), present: Collection[str] = ()
) -> list[str]:
    """Mark the scans whose input is no longer there: their results are not read any more.

    Parameters
    ----------
    output_dir : Path
    roots : dict of Path
        By the dataset's name.
    selected : sequence of str
        Participants to look at; all where there are none.
    present : collection of str
        Names of scans that are known to be there.

    Returns
    -------
    list of str
        Names of the scans that were marked now.
    """
    marked = []
    for participant in participants_with_status(output_dir):
        if selected and participant not in selected:
            continue
        scans = earlier_scans(output_dir, participant)
        for name, scan in scans.items():
            found = scan if name in present else _as_gone(scan, roots)
            if found is not scan:
                scans[name] = found
                marked.append(name)
        if set(marked) & set(scans):
            save_status(output_dir, participant, read_status(output_dir, participant)["Run"], scans)
    return marked


def save_status(output_dir: Path, participant: str, run_name: str, scans: Mapping[str, Any]) -> None:
    """Write how the scans of a participant ended.

    Parameters
    ----------
    output_dir : Path
    participant, run_name : str
    scans : dict of dict
        By their names.
    """
    content = {"Participant": participant, "Run": run_name, "Scans": [scans[name] for name in sorted(scans)]}
    save_json(status_path(output_dir, participant), content)
