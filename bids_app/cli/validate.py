"""The input held against the BIDS standard, by bids-validator-deno if it is installed."""

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bids_app.errors import DataError, InvalidDatasetError, MissingInputError
from bids_app.system.small_files import read_json

VALIDATOR = "bids-validator-deno"
SHOWN = 5
# What a run reads of raw data, or would if it had a name of BIDS; what lies elsewhere stops nothing.
READ = re.compile(
    r"""/?( dataset_description\.json | participants\.(tsv|json) | sessions\.json | [^/]*_(bold|T1w)\.json
    | sub-[^/]+/(ses-[^/]+/)?( [^/]*_(sessions|scans)\.(tsv|json) | (func|anat|fmap)/.* ) )?""",
    re.VERBOSE,
)
BESIDE = re.compile(r"_(events|physio|stim|physioevents)\.(tsv|json)(\.gz)?$")  # in func, and never read


def check_dataset(bids_dir: Path, participants: Collection[str] = ()) -> str | None:
    """Refuse raw data that are not valid BIDS where they are read.

    A derivative is not checked: no version of fMRIPrep writes one without errors. Neither are, within raw data,
    the participants that are not analysed, and what is below ``derivatives``. Nor is a folder of tables alone,
    which is never valid: participants are listed there that have no data. Warnings count for nothing; errors in
    files that no run reads (stimuli, events, EEG, questionnaires) are said and stop nothing.

    Parameters
    ----------
    bids_dir : Path
    participants : sequence of str
        Labels of those that are analysed; everyone if empty.

    Returns
    -------
    str or None
        Why nothing was checked, or which errors stop nothing.

    Raises
    ------
    InvalidDatasetError
        With the errors in short.
    """
    if _is_derivative(bids_dir):
        return f"{bids_dir} is a derivative: it is not checked with the BIDS validator."
    if not any(bids_dir.glob("sub-*/")):
        return f"{bids_dir} holds no raw data (sub-*): it is not checked with the BIDS validator."
    validator = find_validator()
    if validator is None:
        return f"{VALIDATOR} is not installed: {bids_dir} is not checked."
    issues = _issues(validator, bids_dir)
    if issues is None:
        return f"{VALIDATOR} could not be run: {bids_dir} is not checked."
    errors = [issue for issue in issues if issue["severity"] == "error" and _concerns(issue, participants)]
    if wrong := [issue for issue in errors if _is_read(issue)]:
        raise InvalidDatasetError(
            f"{bids_dir} is not valid BIDS: {summary(wrong)}. See all with `{VALIDATOR} {bids_dir}`; "
            "correct them, or go on with --skip-bids-validation."
        )
    return (
        f"{bids_dir} has errors in files that are not read, which stop nothing: {summary(errors)}." if errors else None
    )


def find_validator() -> str | None:
    """Return the path of the validator, which lies beside the interpreter or on the PATH, or None."""
    return shutil.which(VALIDATOR, path=str(Path(sys.executable).parent)) or shutil.which(VALIDATOR)


def summary(issues: Iterable[Mapping[str, Any]]) -> str:
    """Say which errors there are, each with how often and where first.

    Examples
    --------
    >>> summary([{"code": "EMPTY_FILE", "location": "/sub-1/a.nii"}, {"code": "EMPTY_FILE", "location": "/b.tsv"}])
    'EMPTY_FILE in /b.tsv and 1 other file'
    """
    places = defaultdict(set)
    for issue in issues:
        places[issue["code"]].add(issue.get("location") or "/")
    kinds = sorted(places.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    said = [f"{code} in {_first(sorted(where))}" for code, where in kinds[:SHOWN]]
    more = len(kinds) - SHOWN
    return "; ".join([*said, f"{more} more kinds of error"] if more > 0 else said)


def _first(places: Sequence[str]) -> str:
    others = len(places) - 1
    return places[0] + (f" and {others} other file{'s' * (others > 1)}" if others else "")


def _is_derivative(bids_dir: Path) -> bool:
    try:
        return read_json(bids_dir / "dataset_description.json").get("DatasetType") == "derivative"
    except (MissingInputError, DataError):
        return False


def _issues(validator: str, bids_dir: Path) -> list[dict[str, Any]] | None:
    """Return what the validator lists, or None if it gives no list."""
    command = [validator, str(bids_dir), "--json", "--ignoreWarnings", "--prune"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return json.loads(done.stdout)["issues"]["issues"]
    except (OSError, ValueError, KeyError):
        return None


def _is_read(issue: Mapping[str, Any]) -> bool:
    place = issue.get("location") or ""
    return READ.fullmatch(place) is not None and not BESIDE.search(place)


def _concerns(issue: Mapping[str, Any], participants: Collection[str]) -> bool:
    owner = re.match(r"/sub-([^/]+)/", issue.get("location") or "")
    return not participants or owner is None or owner.group(1) in participants
