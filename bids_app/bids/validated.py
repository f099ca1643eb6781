"""What the BIDS validator said of a dataset, kept beside the logs until a file of the dataset changes."""

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_app.errors import DataError, MissingInputError
from bids_app.settings.settings import Settings
from bids_app.system.small_files import read_json

OPAQUE = ("derivatives", "sourcedata", "code")  # which the validator is told to leave out
KEPT = ("code", "subCode", "location")  # of each error


@dataclass(frozen=True)
class Validated:
    """What the validator listed of a dataset as it was.

    Attributes
    ----------
    listing : str
        `digest_of_listing` of the dataset and of the validator.
    errors : sequence of dict
        Each with its ``code``, ``subCode`` and ``location``, of whatever file.
    date : str
        When.
    said : str or None
        What the run that asked said of it.
    """

    listing: str
    errors: Sequence[Mapping[str, Any]]
    date: str
    said: str | None = None

    def keep(self, output_dir: Path) -> None:
        """Write it, whole or not at all."""
        from bids_app.bids.files import save_json  # here, for the command line loads nothing of what it loads

        content = {"Date": self.date, "Listing": self.listing, "Said": self.said, "Errors": list(self.errors)}
        save_json(place(output_dir), content)


def place(output_dir: Path) -> Path:
    """Return where it is kept."""
    return output_dir / "logs" / "validation.json"


def kept(output_dir: Path) -> Validated | None:
    """Read what an earlier run kept; None if there is nothing that can be read, which only costs asking again."""
    try:
        content = read_json(place(output_dir))
        errors = [{"code": one["code"]} | {key: one.get(key) for key in KEPT[1:]} for one in content["Errors"]]
        return Validated(str(content["Listing"]), errors, str(content["Date"]), content.get("Said"))
    except (DataError, MissingInputError, KeyError, TypeError, AttributeError):
        return None


def digest_of_listing(bids_dir: Path, beside: Collection[Path] = (), validator: Path | None = None) -> str:
    """Return a digest of what the validator would see: names, sizes and times of the files, and which validator.

    A file that was changed and given its old size and date back is noticed by the time of its inode.

    Parameters
    ----------
    bids_dir : Path
    beside : collection of Path, optional
        Folders that a run writes to, which may lie in the dataset and are left out.
    validator : Path, optional
    """
    digest = hashlib.sha256()
    without = {path.resolve() for path in beside}
    for name, state in sorted(_files(bids_dir, "", without)):
        digest.update(f"{name}\0{state}\0".encode("utf-8", "surrogateescape"))
    if validator is not None:
        digest.update(_state(validator).encode())
    return digest.hexdigest()


def _files(folder: Path, within: str, without: Collection[Path]) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        for one in entries:
            hidden = one.name.startswith(".") and one.name != ".bidsignore"
            if hidden or (not within and one.name in OPAQUE):
                continue
            path = Path(one.path)
            if not one.is_dir():
                yield within + one.name, _state(path)
            elif path.resolve() not in without:
                yield from _files(path, f"{within}{one.name}/", without)


def _state(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:  # a link to what was not fetched
        return "not there"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def said_of_validation(settings: Settings) -> str | None:
    """Say at the group level, which does not validate, what was found at the participant level.

    Returns
    -------
    str or None
        None if nothing is known of a validation.
    """
    earlier = kept(settings.output_dir)
    if earlier is None:
        return None
    said = f" {earlier.said}" if earlier.said else ""
    return f"Validated at the participant level ({earlier.date}), not again.{said}"
