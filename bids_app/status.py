"""How every scan ended when the participant level last ran on it, as kept in ``logs/status``."""

import logging

from bids_app.errors import DataError
from bids_app.outputs import save_json
from bids_app.smallfiles import read_record

logger = logging.getLogger(__name__)

KEYS = {"Participant": str, "Run": str, "Scans": list}


def status_path(output_dir, participant):
    """Return where a participant's state after the participant level is kept."""
    return output_dir / "logs" / "status" / f"sub-{participant}.json"


def read_status(output_dir, participant):
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


def participants_with_status(output_dir):
    """List the labels of the participants that the participant level has run on, in order."""
    found = sorted((output_dir / "logs" / "status").glob("sub-*.json"))
    return [path.stem.removeprefix("sub-") for path in found if not path.name.startswith(".")]


def read_statuses(output_dir):
    """Read how the scans of everyone ended, as a list of `read_status`."""
    return [read_status(output_dir, participant) for participant in participants_with_status(output_dir)]


def earlier_scans(output_dir, participant):
    """Return what earlier runs left of a participant's scans by their names: nothing of what is damaged, and said."""
    if not status_path(output_dir, participant).exists():
        return {}
    try:
        return {scan["Scan"]: scan for scan in read_status(output_dir, participant)["Scans"]}
    except DataError as error:
        logger.warning("%s It is made anew.", error)
        return {}


def save_status(output_dir, participant, run_name, scans):
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
