"""From settings to the raw runs that are to be preprocessed."""

import logging
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bids.layout import BIDSLayout, BIDSLayoutIndexer

from bids_app.choices import of_one, prefer_rest
from bids_app.datasets import find_derivatives
from bids_app.errors import DataError, MissingInputError, NothingSelectedError, UsageError
from bids_app.inputs import query_files
from bids_app.names import Name, scan_label

logger = logging.getLogger(__name__)

IMAGES = [".nii", ".nii.gz"]
ELSEWHERE = ("derivatives", "sourcedata", "code", "logs", "work")
OF_DERIVATIVES = ("desc", "space", "res", "resolution", "cohort", "den", "density")


@dataclass(frozen=True)
class RawRun:
    """One BOLD run as acquired.

    Attributes
    ----------
    entities : dict
    bold : Path
    t1w : Path or None
        The participant's T1-weighted image.
    metadata : dict
        What the sidecars say, those above the file too.
    """

    entities: dict[str, str]
    bold: Path
    t1w: Path | None
    metadata: dict

    @property
    def label(self):
        """The run's name for people."""
        return scan_label(self.entities)


def wants_preprocessing(settings):
    """Say whether scans are to be preprocessed here.

    Raises
    ------
    UsageError
        Both preprocessed data and preprocessing are asked for.
    """
    mode, given = settings.preprocessing.mode, settings.selection.derivatives
    if mode == "always" and given:
        raise UsageError("--preprocess always and --derivatives: preprocess the raw data, or take what is given?")
    if mode == "always":
        return True
    if mode == "never" or given:
        return False
    try:
        find_derivatives(settings.bids_dir)
    except MissingInputError:
        return any(settings.bids_dir.glob("sub-*/**/func/*_bold.nii*"))
    return False


def raw_runs(settings):
    """Find the raw runs that are selected, and the T1-weighted image of each participant.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of RawRun

    Raises
    ------
    NothingSelectedError
        The filters leave nothing, or name what does not exist.
    UsageError
        Several tasks could be meant.
    """
    layout = _open(settings.bids_dir)
    _check_labels(settings.selection, layout)
    of_raw = {
        key: value for key, value in settings.selection.filters.get("bold", {}).items() if key not in OF_DERIVATIVES
    }
    filters = settings.selection.filters | {"bold": of_raw}
    paths = query_files(layout, settings.selection, filters, "bold", suffix="bold", datatype="func", extension=IMAGES)
    found = [(Name.parse(path), path) for path in paths]
    found = [item for item in found if _is_raw_magnitude(item[0])]
    found = of_one("task", settings.selection.task, found, prefer_rest)
    if not found:
        raise NothingSelectedError(f"No raw run is selected in {settings.bids_dir} (looked for func/*_bold.nii[.gz]).")
    t1w = {participant: _t1w(layout, participant) for participant in {name.entities["sub"] for name, _ in found}}
    return [
        RawRun(name.entities, path, t1w[name.entities["sub"]], layout.get_metadata(str(path)))
        for name, path in sorted(found, key=lambda item: item[1])
    ]


def by_participant(runs):
    """Sort runs by participant, participants and runs in order."""
    sorted_runs = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.label):
        sorted_runs[run.entities["sub"]].append(run)
    return dict(sorted_runs)


def _open(path):
    indexer = BIDSLayoutIndexer(validate=False, ignore=list(ELSEWHERE))
    try:
        return BIDSLayout(path, validate=False, indexer=indexer)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be indexed: {error}.") from error


def _check_labels(selection, layout):
    for what, wanted, known in (
        ("participant", selection.participants, layout.get_subjects(suffix="bold")),
        ("session", selection.sessions, layout.get_sessions(suffix="bold")),
    ):
        if unknown := [label for label in wanted if label not in known]:
            raise NothingSelectedError(
                f"--{what}-label: no {what} {', '.join(unknown)} with raw BOLD data; "
                f"there are {', '.join(sorted(known)) or 'none'}."
            )


def _t1w(layout, participant):
    """Choose a participant's T1w, of whatever session: the first in the order of names."""
    entities = {"subject": participant, "suffix": "T1w", "datatype": "anat", "extension": IMAGES}
    paths = sorted(Path(path) for path in layout.get(return_type="filename", **entities))
    paths = [path for path in paths if _is_raw_magnitude(Name.parse(path))]
    if not paths:
        logger.warning("sub-%s: no T1w image; its BOLD data are aligned straight with the template.", participant)
        return None
    if len(paths) > 1:
        logger.info("sub-%s: %s is used of %d T1w images.", participant, paths[0].name, len(paths))
    return paths[0]


def _is_raw_magnitude(name):
    return name.entities.get("part", "mag") == "mag" and not {"desc", "space"} & set(name.entities)
