"""From settings to the raw runs that are to be preprocessed."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.bids.datasets import find_derivatives
from bids_app.bids.index import index_of, labels_of
from bids_app.bids.names import Name, scan_label
from bids_app.bids.runs import query_files
from bids_app.bids.selection import of_one, prefer_rest
from bids_app.bids.sidecars import Sidecars
from bids_app.bids.variants import refuse_echoes
from bids_app.errors import MissingInputError, NothingSelectedError, UsageError
from bids_app.preproc.distortion.found import FieldMap, Image, fieldmap_of, images_of, or_syn
from bids_app.preproc.fitted.dataset import fitted_dataset
from bids_app.preproc.fitted.fit import Fit, not_corrected_because
from bids_app.settings.settings import Selection, Settings

if TYPE_CHECKING:
    from bids.layout import BIDSLayout
from bids_app.trial.session_labels import earliest_of

logger = logging.getLogger(__name__)

IMAGES = [".nii", ".nii.gz"]
OF_DERIVATIVES = ("desc", "space", "res", "resolution", "cohort", "den", "density")


@dataclass(frozen=True)
class RawRun:
    """One BOLD run as acquired.

    Attributes
    ----------
    entities : dict
    bold : Path
    t1w : Path or None
        The T1-weighted image of the same visit, else that of the baseline.
    metadata : dict
        What the sidecars say, those above the file too.
    t1w_session : str or None
        Whose T1w it is, where the participant's runs do not all share one.
    t1w_because : str
        Why it is that one, for people.
    fieldmap : FieldMap or str
        What distortions are corrected by, or why there is nothing.
    fit : Fit or None
        What fMRIPrep left of it, where that is only to be applied; the T1w is then fMRIPrep's.
    space : str or None
        The template that the fit leads to.
    """

    entities: dict[str, str]
    bold: Path
    t1w: Path | None
    metadata: dict[str, Any]
    t1w_session: str | None = None
    t1w_because: str = ""
    fieldmap: FieldMap | str = "there is no field map"
    fit: Fit | None = None
    space: str | None = None

    @property
    def anatomy(self) -> dict[str, str]:
        """Entities of the files that are made of the T1w."""
        owner = {"sub": self.entities["sub"], "ses": self.t1w_session}
        return {key: value for key, value in owner.items() if value}

    @property
    def target(self) -> str:
        """What it is brought to."""
        return "Template" if self.fit is None else "T1w"

    @property
    def sources(self) -> list[Path]:
        """The files that its result is made of."""
        fieldmap = self.fieldmap.paths if isinstance(self.fieldmap, FieldMap) else ()
        others = (self.t1w, *fieldmap) if self.fit is None else self.fit.files
        return [path for path in (self.bold, *others) if path is not None]

    @property
    def label(self) -> str:
        """The run's name for people."""
        return scan_label(self.entities)


def wants_preprocessing(settings: Settings) -> bool:
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
    if fitted_dataset(settings) is not None:
        return True
    if mode == "never" or given:
        return False
    try:
        find_derivatives(settings.bids_dir)
    except MissingInputError:
        return any(settings.bids_dir.glob("sub-*/**/func/*_bold.nii*"))
    return False


def raw_bold(settings: Settings, layout: "BIDSLayout | None" = None) -> list[tuple[Name, Path, dict[str, Any]]]:
    """Find the raw BOLD images that are selected, and what the sidecars say of each.

    Raises
    ------
    NothingSelectedError
        The filters leave nothing, or name what does not exist.
    UsageError
        Several tasks could be meant.
    """
    layout = layout or _open(settings.bids_dir)
    sidecars = Sidecars.of_layout(layout)
    _check_labels(settings.selection, layout)
    of_raw = {
        key: value for key, value in settings.selection.filters.get("bold", {}).items() if key not in OF_DERIVATIVES
    }
    filters = settings.selection.filters | {"bold": of_raw}
    paths = query_files(layout, settings.selection, filters, "bold", suffix="bold", datatype="func", extension=IMAGES)
    found = [(Name.parse(path), path) for path in paths]
    found = [item for item in found if _is_raw_magnitude(item[0])]
    found = of_one("task", settings.selection.task, found, prefer_rest)
    refuse_echoes(name for name, _ in found)
    if not found:
        raise NothingSelectedError(f"No raw run is selected in {settings.bids_dir} (looked for func/*_bold.nii[.gz]).")
    return [(name, path, sidecars.metadata(path)) for name, path in sorted(found, key=lambda item: item[1])]


def raw_runs(settings: Settings) -> list[RawRun]:
    """Find the raw runs that are selected, and the T1-weighted image of each participant.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of RawRun

    Raises
    ------
    NothingSelectedError, UsageError
        As `raw_bold`; the latter too if several T1w could be meant.
    """
    layout = _open(settings.bids_dir)
    found = raw_bold(settings, layout)
    runs = []
    for participant in sorted({name.entities["sub"] for name, *_ in found}):
        own = [item for item in found if item[0].entities["sub"] == participant]
        images = _t1ws(layout, participant)
        chosen = [_t1w(images, name.entities.get("ses"), settings.trial.baseline) for name, *_ in own]
        shared = len({t1w for t1w, _ in chosen}) == 1
        telling = images_of(settings.bids_dir, participant)
        for (name, path, metadata), (t1w, because) in zip(own, chosen, strict=True):
            session = None if shared or t1w is None else Name.parse(t1w).entities.get("ses")
            fieldmap = fieldmap_of(Image(path, metadata), telling, settings.bids_dir)
            if settings.preprocessing.use_syn_sdc and t1w is not None:
                fieldmap = or_syn(fieldmap, metadata)
            runs.append(RawRun(name.entities, path, t1w, metadata, session, because, fieldmap))
    return runs


def by_participant(runs: Iterable[RawRun]) -> dict[str, list[RawRun]]:
    """Sort runs by participant, participants and runs in order."""
    sorted_runs = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.label):
        sorted_runs[run.entities["sub"]].append(run)
    return dict(sorted_runs)


def _open(path: Path) -> "BIDSLayout":
    return index_of(path)


def _check_labels(selection: Selection, layout: "BIDSLayout") -> None:
    paths = layout.get(suffix="bold", return_type="filename")
    for what, wanted, known in (
        ("participant", selection.participants, labels_of(paths, "sub")),
        ("session", selection.sessions, labels_of(paths, "ses")),
    ):
        if unknown := [label for label in wanted if label not in known]:
            raise NothingSelectedError(
                f"--{what}-label: no {what} {', '.join(unknown)} with raw BOLD data; "
                f"there are {', '.join(sorted(known)) or 'none'}."
            )


def _t1ws(layout: "BIDSLayout", participant: str) -> dict[str | None, list[Path]]:
    """List the T1w images of a participant by session, those without one under None."""
    entities = {"subject": participant, "suffix": "T1w", "datatype": "anat", "extension": IMAGES}
    paths = sorted(Path(path) for path in layout.get(return_type="filename", **entities))
    images = defaultdict(list)
    for path in paths:
        if _is_raw_magnitude(Name.parse(path)):
            images[Name.parse(path).entities.get("ses")].append(path)
    if not images:
        logger.warning("sub-%s: no T1w image; its BOLD data are aligned straight with the template.", participant)
    return images


def _t1w(
    images: Mapping[str | None, list[Path]], session: str | None, baseline: Sequence[str]
) -> tuple[Path | None, str]:
    """Choose the T1w of a run: of its own visit, else the only one, else of the baseline, else of the earliest visit.

    Parameters
    ----------
    images : dict of list of Path
        By session.
    session : str or None
        Of the run.
    baseline : sequence of str
        As --baseline says.

    Returns
    -------
    path : Path or None
    because : str
        Why it is that one.

    Raises
    ------
    UsageError
        No evidence says which one it is.
    """
    if not images:
        return None, "there is none"
    earliest = earliest_of([one for one in images if one])
    of_visit = next((one for one in (session, *baseline, earliest) if one in images), None)
    if of_visit is None and len(images) == 1:
        (of_visit,) = images
    if of_visit not in images:
        listed = ", ".join(path.name for found in images.values() for path in found)
        raise UsageError(
            f"There is no T1w of ses-{session}; which of {listed} is that of the baseline? Say so with --baseline."
        )
    paths = images[of_visit]
    because = _because(images, session, of_visit, baseline)
    if len(paths) > 1:
        because += f"; the first by name of {len(paths)} there"
        logger.info(
            "%s is used of the %d T1w images of its visit, the first of their names.", paths[0].name, len(paths)
        )
    if of_visit != session and session is not None:
        logger.info("ses-%s has no T1w: %s is used.", session, paths[0].name)
    return paths[0], because


def _because(
    images: Mapping[str | None, list[Path]], session: str | None, of_visit: str | None, baseline: Sequence[str]
) -> str:
    """Say why a T1w is that of a run."""
    if of_visit == session:
        return "of the same visit" if session else "of the participant"
    lacking = f"ses-{session} has no T1w" if session else "there is no T1w without a session"
    if len(images) == 1:
        return f"the participant's only one; {lacking}"
    return f"of the {'baseline' if of_visit in baseline else 'earliest visit'}; {lacking}"


def _is_raw_magnitude(name: Name) -> bool:
    return name.entities.get("part", "mag") == "mag" and not {"desc", "space"} & set(name.entities)


def uncorrected_because(run: RawRun) -> str | None:
    """Say why distortions of a run are not corrected, as far as names and sidecars tell; None if they are."""
    if run.fit is not None:
        return not_corrected_because(run.fit, run.metadata)
    return run.fieldmap if isinstance(run.fieldmap, str) else None
