"""From settings to the runs that will be analysed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.bids.companions import Companions, flagged_above, the_one
from bids_app.bids.datasets import Dataset, find_derivatives
from bids_app.bids.hints import instead_of_runs
from bids_app.bids.index import folder_labels, index_of
from bids_app.bids.matrix_runs import MatrixRun, matrix_runs
from bids_app.bids.names import Name, known_entities, other_hemisphere, scan_label
from bids_app.bids.pipelines import XCPD, Tool, images_of, left_in, tool_of, warn_of_faults
from bids_app.bids.selection import (
    SPATIAL,
    SURFACE_SPACES,
    Found,
    Why,
    best_desc,
    described,
)
from bids_app.bids.series_runs import FORMATS, SeriesRun, series_runs
from bids_app.bids.sidecars import Sidecars
from bids_app.bids.timing import declared
from bids_app.bids.variants import MARKS, chosen, marked, settled
from bids_app.errors import NothingSelectedError, UsageError
from bids_app.settings.settings import Selection, Settings

if TYPE_CHECKING:  # a second, which a process that is given its runs need not wait
    from bids.layout import BIDSLayout


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
    flagged_above: float | None = None  # in mm, where the outliers are those of several thresholds
    note: str = ""  # what the tool that cleaned it did not remove, as a sentence
    echoes: tuple[Path, ...] = ()  # that are to be combined; ``bold`` is the first
    echo_times: tuple[object, ...] = ()  # as their sidecars have them

    @property
    def label(self) -> str:
        """The run's name for people."""
        return scan_label(self.entities)


AnyRun = BoldRun | SeriesRun | MatrixRun


@dataclass(frozen=True)
class Inputs:
    """What was found.

    Attributes
    ----------
    datasets : tuple of Dataset
    runs : tuple of BoldRun, SeriesRun or MatrixRun
        Those that are selected.
    everyone : frozenset of str
        Labels of all participants of the datasets.
    """

    datasets: tuple[Dataset, ...]
    runs: tuple[AnyRun, ...]
    everyone: frozenset[str]

    @property
    def by_participant(self) -> dict[str, list[AnyRun]]:
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
    everyone = _check_labels(settings.selection, datasets)
    layouts = [(dataset, _open(dataset.path, settings.selection.participants)) for dataset in datasets]
    companions = {dataset.name: _companions(settings, layout, tool_of(dataset)) for dataset, layout in layouts}
    bold = _bold_runs(settings, layouts, companions)
    series = _series_runs(settings, layouts, companions)
    matrices = _matrix_runs(settings, layouts, [*bold, *series])
    if not bold and not series and not matrices:
        looked_in = ", ".join(str(dataset.path) for dataset in datasets)
        raise NothingSelectedError(
            f"No run is selected in {looked_in}. Looked for func/*_desc-preproc_bold.nii[.gz], "
            f"*_timeseries.tsv and *_relmat.tsv with an atlas or seg entity{described(settings.selection)}. "
            f"{instead_of_runs([dataset.path for dataset in datasets]) or _at_minimal_level(layouts)}"
        )
    return Inputs(tuple(datasets), (*bold, *series, *matrices), everyone)


def _at_minimal_level(layouts: Sequence[tuple[Dataset, "BIDSLayout"]]) -> str:
    """Say what to run again where fMRIPrep left what it leaves at its lowest level."""
    found = any(layout.get(suffix="boldref", desc=["hmc", "coreg"], return_type="filename") for _, layout in layouts)
    if not found:
        return "(fMRIPrep writes no preproc_bold at --level minimal.)"
    return (
        "These are outputs of fMRIPrep at --level minimal, without resampled images. With the raw scans as BIDS_DIR "
        "and these outputs alone as --derivatives, they are applied here (--preprocess auto). For surfaces or "
        "other spaces run it again with --level full --output-spaces MNI152NLin2009cAsym and these as --derivatives."
    )


def _open(path: Path, participants: Sequence[str]) -> "BIDSLayout":
    """Index what is read of a derivative, of those who are analysed alone: it may be one of hundreds."""
    own_entities = str(files("bids_app") / "data" / "entities.json")
    return index_of(path, without=["anat"], participants=participants, entities=["bids", "derivatives", own_entities])


def _check_labels(selection: Selection, datasets: Sequence[Dataset]) -> frozenset[str]:
    """Refuse labels of nobody and of no session; return those of everyone who is there."""
    found = [folder_labels(dataset.path) for dataset in datasets]
    participants, sessions = (frozenset[str]().union(*labels) for labels in zip(*found, strict=True))
    for what, wanted, known in (
        ("participant", selection.participants, participants),
        ("session", selection.sessions, sessions),
    ):
        if unknown := [label for label in wanted if label not in known]:
            raise NothingSelectedError(
                f"--{what}-label: no {what} {', '.join(unknown)} in the preprocessed data; "
                f"there are {', '.join(sorted(known)) or 'none'}."
            )
    return participants


def _query(layout: "BIDSLayout", settings: Settings, query: str, **entities: Any) -> list[Path]:
    return query_files(layout, settings.selection, settings.selection.filters, query, **entities)


def query_files(
    layout: "BIDSLayout", selection: Selection, filters: Mapping[str, Any], query: str, **entities: Any
) -> list[Path]:
    """List the files of one query of the selected participants and sessions, as the user's filters narrow it."""
    from bids.layout import Query

    if selection.participants:
        entities["subject"] = list(selection.participants)
    if selection.sessions:
        entities["session"] = list(selection.sessions)
    special = {None: Query.NONE, "*": Query.ANY}
    user = filters.get(query, {})
    entities |= user
    entities = {key: value if isinstance(value, list) else special.get(value, value) for key, value in entities.items()}
    try:
        return [Path(path) for path in layout.get(return_type="filename", **entities)]
    except ValueError as error:
        raise UsageError(f"--bids-filter-file: query {query}: {error}") from error


def _bold_runs(
    settings: Settings,
    layouts: Sequence[tuple[Dataset, "BIDSLayout"]],
    companions: Mapping[str, Companions],
) -> list[BoldRun]:
    selection = settings.selection
    on_surface = selection.space in SURFACE_SPACES
    found: list[Found] = []
    for dataset, layout in layouts:
        tool, sidecars = tool_of(dataset), Sidecars.of_layout(layout)
        paths = _query(layout, settings, "bold", **images_of(tool, on_surface=on_surface))
        named = [(settled(Name.parse(path), tool), path, dataset, sidecars) for path in paths]
        found += best_desc(marked(named, tool))
    why = Why(found)
    runs = chosen(found, selection, "den" if on_surface else "res")
    above = settings.signal.fd_threshold
    return [_bold_run(item, echoes, companions[item[2].name], why(item[0], item[2]), above) for item, echoes in runs]


def _companions(settings: Settings, layout: "BIDSLayout", tool: Tool | None) -> Companions:
    """Index what belongs to the runs of a dataset by the entities that each file shares with a run."""
    return Companions.among(
        _query(layout, settings, "mask", suffix="mask", extension=[".nii", ".nii.gz"]),
        _query(layout, settings, "confounds", suffix=["timeseries", "regressors", "motion"], extension=".tsv"),
        [
            *_query(layout, settings, "outliers", suffix="outliers", extension=".tsv"),
            *_query(layout, settings, "outliers", suffix="mask", extension=".mat"),
        ],
        tool,
    )


def _bold_run(
    found: Found, echoes: tuple[Path, ...], companions: Companions, reason: str, fd_threshold: float
) -> BoldRun:
    name, path, dataset, sidecars = found
    tool, metadata = tool_of(dataset), sidecars.metadata(path)
    own = name.without("desc", "hemi", *MARKS, *SPATIAL)
    mask = the_one("brain mask", path, companions.of(companions.masks, name.without("desc")))
    tables = companions.of(companions.confounds, own)
    if tool not in (None, XCPD):  # whose tables of confounds hold no displacement
        tables = [one for one in tables if one.name.endswith("_motion.tsv")]
    table = the_one("confounds table", path, tables)
    flags = the_one("table of outliers", path, companions.of(companions.outliers, own)) if tool else None
    note = left_in(tool, name, path.name, metadata, flagged=flags is not None)
    right = other_hemisphere(path) if "hemi" in name.entities else None
    entities = {key: value for key, value in name.entities.items() if key not in ("desc", "hemi")}
    files = dict.fromkeys(source for source in (path, *echoes, right, mask, table, flags) if source)
    return BoldRun(
        known_entities(entities),
        path,
        mask,
        table,
        declared(metadata),
        tuple(map(dataset.uri, files)),
        reason=reason,
        denoised=tool is not None,
        outliers=flags,
        flagged_above=flagged_above(flags, fd_threshold),
        note=note,
        echoes=echoes,
        echo_times=tuple(sidecars.metadata(echo).get("EchoTime") for echo in echoes),
    )


def _series_runs(
    settings: Settings,
    layouts: Sequence[tuple[Dataset, "BIDSLayout"]],
    companions: Mapping[str, Companions],
) -> list[SeriesRun]:
    found: list[Found] = []
    for dataset, layout in layouts:
        tool, sidecars = tool_of(dataset), Sidecars.of_layout(layout)
        paths = _query(layout, settings, "timeseries", suffix="timeseries", extension=list(FORMATS))
        found += marked([(settled(Name.parse(path)), path, dataset, sidecars) for path in paths], tool)
    return series_runs(found, companions, settings)


def _matrix_runs(
    settings: Settings, layouts: Sequence[tuple[Dataset, "BIDSLayout"]], others: Sequence[BoldRun | SeriesRun]
) -> list[MatrixRun]:
    found = [
        (Name.parse(path), path, dataset, Sidecars.of_layout(layout))
        for dataset, layout in layouts
        for path in _query(layout, settings, "relmat", suffix="relmat", extension=".tsv")
    ]
    return matrix_runs(found, others, settings.selection)
