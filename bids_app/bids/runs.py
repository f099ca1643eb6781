"""From settings to the runs that will be analysed: the only importer of pybids."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from bids.layout import BIDSLayout, BIDSLayoutIndexer, Query

from bids_app.bids.companions import Companions, the_one
from bids_app.bids.datasets import Dataset, find_derivatives
from bids_app.bids.names import Name, known_entities, other_hemisphere, scan_label
from bids_app.bids.pipelines import DENOISED_DESCS, is_denoised, warn_of_faults
from bids_app.bids.selection import (
    SPATIAL,
    SURFACE_SPACES,
    Why,
    best_desc,
    of_one,
    one_hash,
    prefer_rest,
    prefer_template,
    refuse_duplicates,
    with_both_hemispheres,
    without_concatenations,
)
from bids_app.bids.sidecars import Sidecars
from bids_app.bids.timing import declared
from bids_app.errors import DataError, NothingSelectedError, UsageError
from bids_app.settings.settings import Selection, Settings

IN_VOLUME = {"desc": "preproc", "extension": [".nii", ".nii.gz"]}
ON_SURFACE = {"desc": Query.NONE, "extension": [".dtseries.nii", ".func.gii"]}
PARCELLATION = ("atlas", "seg", "scale", "space", "cohort", "res", "den", "desc")


@dataclass(frozen=True)
class BoldRun:
    """One preprocessed BOLD run with what belongs to it."""

    entities: dict[str, str]
    bold: Path
    mask: Path | None
    confounds: Path | None
    repetition_time: object  # as the sidecar has it; `timing.repetition_time` checks it where the run is read
    sources: tuple[str, ...]
    _: KW_ONLY
    reason: str = "the only one"
    denoised: bool = False
    outliers: Path | None = None

    @property
    def label(self) -> str:
        """The run's name for people."""
        return scan_label(self.entities)


@dataclass(frozen=True)
class SeriesRun:
    """One table of parcel time series that another tool extracted and cleaned."""

    entities: dict[str, str]
    timeseries: Path
    repetition_time: object  # as the sidecar has it; `timing.repetition_time` checks it where the run is read
    sources: tuple[str, ...]
    _: KW_ONLY
    reason: str = "the only one"
    motion: Path | None = None
    outliers: Path | None = None

    @property
    def label(self) -> str:
        """The run's name for people."""
        parcellation = [self.entities[key] for key in PARCELLATION if key in self.entities]
        return " ".join([scan_label(self.entities), *parcellation])


@dataclass(frozen=True)
class Inputs:
    """What was found.

    Attributes
    ----------
    datasets : tuple of Dataset
    runs : tuple of BoldRun or SeriesRun
        Those that are selected.
    everyone : frozenset of str
        Labels of all participants of the datasets.
    """

    datasets: tuple[Dataset, ...]
    runs: tuple[BoldRun | SeriesRun, ...]
    everyone: frozenset[str]

    @property
    def by_participant(self) -> dict[str, list[BoldRun | SeriesRun]]:
        """Runs of each participant, participants and runs in order."""
        runs = defaultdict(list)
        for run in sorted(self.runs, key=lambda run: run.label):
            runs[run.entities["sub"]].append(run)
        return dict(runs)


def find_inputs(settings: Settings) -> Inputs:
    """Find the runs to analyse.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Inputs

    Raises
    ------
    MissingInputError
        There is no preprocessed data.
    NothingSelectedError
        The filters leave nothing, or name what does not exist.
    UsageError
        Several tasks, spaces or resolutions could be meant.
    DataError
        Two files claim to be the same run, or to belong to it.
    """
    datasets = find_derivatives(settings.bids_dir, settings.selection.derivatives)
    for dataset in datasets:
        warn_of_faults(dataset)
    layouts = [(dataset, _open(dataset.path)) for dataset in datasets]
    _check_labels(settings.selection, [layout for _, layout in layouts])
    bold = _bold_runs(settings, layouts)
    series = _series_runs(settings, layouts)
    if not bold and not series:
        looked_in = ", ".join(str(dataset.path) for dataset in datasets)
        raise NothingSelectedError(
            f"No run is selected in {looked_in}. Looked for func/*_desc-preproc_bold.nii[.gz] and "
            f"*_timeseries.tsv with an atlas or seg entity{_described(settings.selection)}. "
            f"{_at_minimal_level(layouts)}"
        )
    everyone = frozenset(label for _, layout in layouts for label in layout.get_subjects())
    return Inputs(tuple(datasets), (*bold, *series), everyone)


def _at_minimal_level(layouts: Sequence[tuple[Dataset, BIDSLayout]]) -> str:
    """Say what to run again where fMRIPrep left what it leaves at its lowest level."""
    found = any(layout.get(suffix="boldref", desc=["hmc", "coreg"], return_type="filename") for _, layout in layouts)
    if not found:
        return "(fMRIPrep writes no preproc_bold at --level minimal.)"
    return (
        "These are outputs of fMRIPrep at --level minimal, without resampled images. With the raw scans as BIDS_DIR "
        "and these outputs alone as --derivatives, they are applied here (--preprocess auto). For surfaces or "
        "other spaces run it again with --level full --output-spaces MNI152NLin2009cAsym and these as --derivatives."
    )


def _open(path: Path) -> BIDSLayout:
    """Index a derivative as a root of its own: pybids finds none of its files otherwise."""
    own_entities = str(files("bids_app") / "data" / "entities.json")
    indexer = BIDSLayoutIndexer(
        validate=False, index_metadata=False, ignore=["sourcedata", "logs", "figures", "log", "anat", "fmap"]
    )
    try:
        return BIDSLayout(path, validate=False, config=["bids", "derivatives", own_entities], indexer=indexer)
    except OSError as error:
        raise DataError(f"{path} cannot be indexed: {error}.") from error


def _check_labels(selection: Selection, layouts: Sequence[BIDSLayout]) -> None:
    known: dict[str, set[str]] = {"participant": set(), "session": set()}
    for layout in layouts:
        known["participant"].update(layout.get_subjects())
        known["session"].update(layout.get_sessions())
    for what, wanted in (("participant", selection.participants), ("session", selection.sessions)):
        if unknown := [label for label in wanted if label not in known[what]]:
            raise NothingSelectedError(
                f"--{what}-label: no {what} {', '.join(unknown)} in the preprocessed data; "
                f"there are {', '.join(sorted(known[what])) or 'none'}."
            )


def _described(selection: Selection) -> str:
    filters = {
        "participants": " ".join(selection.participants),
        "sessions": " ".join(selection.sessions),
        **{"task": selection.task, "space": selection.space, "res": selection.resolution},
    }
    given = [f"{what} {value}" for what, value in filters.items() if value]
    return f" ({'; '.join(given)})" if given else ""


def _query(layout: BIDSLayout, settings: Settings, query: str, **entities: Any) -> list[Path]:
    return query_files(layout, settings.selection, settings.selection.filters, query, **entities)


def query_files(
    layout: BIDSLayout, selection: Selection, filters: Mapping[str, Any], query: str, **entities: Any
) -> list[Path]:
    """List the files of one query of the selected participants and sessions, as the user's filters narrow it."""
    if selection.participants:
        entities["subject"] = list(selection.participants)
    if selection.sessions:
        entities["session"] = list(selection.sessions)
    special = {None: Query.NONE, "*": Query.ANY}
    user = filters.get(query, {})
    entities |= {key: value if isinstance(value, list) else special.get(value, value) for key, value in user.items()}
    try:
        return [Path(path) for path in layout.get(return_type="filename", **entities)]
    except ValueError as error:
        raise UsageError(f"--bids-filter-file: query {query}: {error}") from error


def _bold_runs(settings: Settings, layouts: Sequence[tuple[Dataset, BIDSLayout]]) -> list[BoldRun]:
    selection = settings.selection
    on_surface = selection.space in SURFACE_SPACES
    found = []
    for dataset, layout in layouts:
        kind = ON_SURFACE if on_surface else IN_VOLUME
        kind = kind | {"desc": list(DENOISED_DESCS)} if is_denoised(dataset) else kind
        paths = _query(layout, settings, "bold", suffix="bold", echo=Query.NONE, **kind)
        sidecars = Sidecars.of_layout(layout)
        found += best_desc([(Name.parse(path), path, dataset, sidecars) for path in paths])
    found = [item for item in found if item[0].entities.get("part", "mag") == "mag"]
    why = Why(found)
    found = of_one("task", selection.task, found, prefer_rest)
    found = of_one("space", selection.space, found, prefer_template)
    found = of_one("den" if on_surface else "res", selection.resolution, found, lambda names: None)
    found = without_concatenations(one_hash(found))
    found = [with_both_hemispheres(item) for item in found if item[0].entities.get("hemi", "L") == "L"]
    refuse_duplicates(found)
    companions = {dataset.name: _companions(settings, layout) for dataset, layout in layouts}
    return [_bold_run(*item, companions[item[2].name], why(item[0], item[2])) for item in found]


def _companions(settings: Settings, layout: BIDSLayout) -> Companions:
    """Index what belongs to the runs of a dataset by the entities that each file shares with a run."""
    return Companions.among(
        _query(layout, settings, "mask", suffix="mask", extension=[".nii", ".nii.gz"]),
        _query(layout, settings, "confounds", suffix=["timeseries", "regressors", "motion"], extension=".tsv"),
        _query(layout, settings, "outliers", suffix="outliers", extension=".tsv"),
    )


def _bold_run(
    name: Name, path: Path, dataset: Dataset, sidecars: Sidecars, companions: Companions, reason: str
) -> BoldRun:
    own, denoised = name.without("desc", "hemi", *SPATIAL), is_denoised(dataset)
    mask = the_one("brain mask", path, companions.masks.get(name.without("desc"), []))
    table = the_one("confounds table", path, companions.confounds.get(own, []))
    flags = the_one("table of outliers", path, companions.outliers.get(own, [])) if denoised else None
    right = other_hemisphere(path) if "hemi" in name.entities else None
    entities = {key: value for key, value in name.entities.items() if key not in ("desc", "hemi")}
    return BoldRun(
        known_entities(entities),
        path,
        mask,
        table,
        declared(sidecars.metadata(path)),
        tuple(dataset.uri(source) for source in (path, right, mask, table, flags) if source),
        reason=reason,
        denoised=denoised,
        outliers=flags,
    )


def _series_runs(settings: Settings, layouts: Sequence[tuple[Dataset, BIDSLayout]]) -> list[SeriesRun]:
    selection = settings.selection
    found = []
    for dataset, layout in layouts:
        sidecars = Sidecars.of_layout(layout)
        for path in _query(layout, settings, "timeseries", suffix="timeseries", extension=".tsv"):
            name = Name.parse(path)
            if {"atlas", "seg"} & set(name.entities) and name.entities.get("stat", "mean") == "mean":
                found.append((name, path, dataset, sidecars))
    if selection.space:
        found = [item for item in found if item[0].entities.get("space", selection.space) == selection.space]
    found = of_one("task", selection.task, found, prefer_rest)
    found = without_concatenations(one_hash(found))
    refuse_duplicates(found)
    companions = {dataset.name: _companions(settings, layout) for dataset, layout in layouts}
    return [_series_run(*item, companions[item[2].name]) for item in found]


def _series_run(name: Name, path: Path, dataset: Dataset, sidecars: Sidecars, companions: Companions) -> SeriesRun:
    own = name.without("desc", "stat", "atlas", "seg", "scale", *SPATIAL)
    tables = [one for one in companions.confounds.get(own, []) if one.name.endswith("_motion.tsv")]
    motion = the_one("motion table", path, tables)
    flags = the_one("table of outliers", path, companions.outliers.get(own, []))
    repetition_time = declared(sidecars.metadata(path))
    entities = known_entities({key: value for key, value in name.entities.items() if key != "stat"})
    sources = tuple(dataset.uri(source) for source in (path, motion, flags) if source)
    return SeriesRun(entities, path, repetition_time, sources, motion=motion, outliers=flags)
