"""The index of a dataset, made by pybids of the folders that a run reads."""

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bids_app.bids.names import Name
from bids_app.errors import DataError

if TYPE_CHECKING:
    from bids.layout import BIDSLayout

# Folders of a participant that no run looks for files in, and of a dataset that hold no participant's.
OTHER_DATA = (
    *("fmap", "dwi", "perf", "meg", "eeg", "ieeg", "emg", "pet", "micr", "nirs", "motion", "mrs", "beh"),
    *("figures", "log", "logs"),
)
ELSEWHERE = ("derivatives", "sourcedata", "code", "work", "stimuli", "phenotype", *OTHER_DATA)


def index_of(
    path: Path, *, without: Sequence[str] = (), participants: Collection[str] = (), entities: Sequence[str] = ()
) -> "BIDSLayout":
    """Index the files of a dataset; pybids takes milliseconds for each, so that what no run reads is left out.

    Parameters
    ----------
    path : Path
        The dataset, as a root of its own: pybids finds none of a derivative's files otherwise.
    without : sequence of str
        Further folders of a participant that are left out, for example ``anat``.
    participants : collection of str, optional
        Whose files; everyone's by default.
    entities : sequence of str, optional
        Configurations of pybids that say which entities there are; its own by default.

    Returns
    -------
    BIDSLayout

    Raises
    ------
    DataError
        A folder cannot be looked into.
    """
    from bids.layout import BIDSLayout, BIDSLayoutIndexer  # here, for they take a second to load

    indexer = BIDSLayoutIndexer(validate=False, index_metadata=False, ignore=_ignored(without, participants))
    try:
        return BIDSLayout(path, validate=False, config=list(entities) or None, indexer=indexer)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be indexed: {error}.") from error


def _ignored(without: Sequence[str], participants: Collection[str]) -> list[re.Pattern[str]]:
    """Return patterns of the paths within a dataset, from a slash on, that are not indexed.

    Examples
    --------
    >>> elsewhere, others = _ignored(["anat"], ["01"])
    >>> [bool(elsewhere.search(path)) for path in ("/sub-01/ses-1/anat", "/sub-01/figures/a.svg", "/sub-01/func")]
    [True, True, False]
    >>> [bool(others.search(path)) for path in ("/sub-011/func", "/sub-01/func", "/sub-01.html", "/task-x_bold.json")]
    [True, False, True, False]
    """
    top, within = ("|".join(map(re.escape, names)) for names in ((*ELSEWHERE, *without), (*OTHER_DATA, *without)))
    patterns = [rf"^/(?:(?:{top})|sub-[^/]+/(?:ses-[^/]+/)?(?:{within}))(?:/|$)"]
    if participants:
        patterns.append(rf"^/sub-(?!(?:{'|'.join(map(re.escape, sorted(participants)))})(?:/|$))")
    return [re.compile(pattern) for pattern in patterns]


def labels_of(paths: Collection[Path | str], entity: str) -> set[str]:
    """Return the labels of an entity in the names of files.

    Examples
    --------
    >>> sorted(labels_of(["sub-01_ses-1_bold.nii", "sub-02_bold.nii"], "sub"))
    ['01', '02']
    """
    found = (Name.parse(path).entities.get(entity) for path in paths)
    return {label for label in found if label}


def folder_labels(path: Path) -> tuple[set[str], set[str]]:
    """Return the labels of the participants and of the sessions that a dataset has a folder of.

    Raises
    ------
    DataError
        The dataset cannot be looked into.
    """
    try:
        people = _folders(path, "sub-")
        sessions = {label for one in people.values() for label in _folders(one, "ses-")}
    except OSError as error:
        raise DataError(f"{path} cannot be indexed: {error}.") from error
    return set(people), sessions


def _folders(path: Path, prefix: str) -> dict[str, Path]:
    with os.scandir(path) as entries:
        return {
            one.name.removeprefix(prefix): Path(one.path)
            for one in entries
            if one.name.startswith(prefix) and one.is_dir()
        }
