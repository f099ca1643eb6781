"""The input held against the BIDS standard, by bids-validator-deno if it is installed."""

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bids_app.bids.validated import KEPT, Validated, digest_of_listing, kept
from bids_app.cli.raw_reading import RawReading
from bids_app.errors import DataError, InvalidDatasetError, MissingInputError
from bids_app.system.small_files import read_json

VALIDATOR = "bids-validator-deno"
SHOWN = 5


EVERYTHING = RawReading()


def check_dataset(
    bids_dir: Path, reading: RawReading = EVERYTHING, output_dir: Path | None = None, *, keep: bool = False
) -> str | None:
    """Refuse raw data that are not valid BIDS where they are read.

    A derivative is not checked: no version of fMRIPrep writes one without errors. Neither are, within raw data,
    the participants that are not analysed, and what is below ``derivatives``. Nor is a folder of tables alone,
    which is never valid: participants are listed there that have no data. Warnings count for nothing; errors in
    what the run does not read (stimuli, events, EEG, questionnaires, scans of other tasks) are said and stop
    nothing, as do values of tables that are not of the type the standard has: columns that are used have readers of
    their own.

    Parameters
    ----------
    bids_dir : Path
    reading : RawReading
        What the run reads of it; everything that a run can read by default.
    output_dir : Path, optional
        Where the result of an earlier run is taken from, if the dataset is as it was.
    keep : bool, optional
        Keep the result there.

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
    found = _validated(validator, bids_dir, output_dir)
    if found is None:
        return f"{VALIDATOR} could not be run: {bids_dir} is not checked."
    if wrong := [error for error in found.errors if reading.stops(error)]:
        raise InvalidDatasetError(
            f"{bids_dir} is not valid BIDS: {summary(wrong)}. See all with `{VALIDATOR} {bids_dir}`; "
            "correct them, or go on with --skip-bids-validation."
        )
    if keep and output_dir is not None:
        of_all = replace(reading, participants=(), sessions=())
        said = _said(bids_dir, (error for error in found.errors if not of_all.stops(error)))
        replace(found, said=said or f"{bids_dir} has no errors.").keep(output_dir)
    return _said(bids_dir, filter(reading.concerns, found.errors))


def _said(bids_dir: Path, errors: Iterable[Mapping[str, Any]]) -> str | None:
    listed = summary(errors)
    return f"{bids_dir} has errors in what is not read, which stop nothing: {listed}." if listed else None


def _validated(validator: str, bids_dir: Path, output_dir: Path | None) -> Validated | None:
    """Return what an earlier run kept if nothing has changed, else what the validator lists now."""
    beside = [] if output_dir is None else [output_dir]
    listing = digest_of_listing(bids_dir, beside, Path(validator))
    earlier = None if output_dir is None else kept(output_dir)
    if earlier is not None and earlier.listing == listing:
        return earlier
    issues = _issues(validator, bids_dir)
    if issues is None:
        return None
    errors = [{key: one.get(key) for key in KEPT} for one in issues if one["severity"] == "error"]
    return Validated(listing, errors, f"{datetime.now():%Y-%m-%d %H:%M}")


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
