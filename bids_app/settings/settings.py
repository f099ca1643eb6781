"""Settings: what the command line asked for, made once and passed down."""

import dataclasses
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bids_app.errors import MissingInputError, OutputError, UsageError
from bids_app.graph.features import camel, compared_features, mapped_features
from bids_app.graph.measures import DEFAULT_METRICS, UNSIGNED, needing_modules
from bids_app.graph.rules import EdgeRule, Linking
from bids_app.settings.atlas_source import AtlasSource

if TYPE_CHECKING:  # a plan is read by the parser, which needs this module
    from bids_app.settings.plan import Plan

GROUP = "group"  # where the results of the group level are put, below the output folder
CHOICES = {
    "estimator": ("ancova", "change", "post"),
    "scheme": ("rerandomize", "freedman-lane"),
    "statistic": ("tfce", "t", "cluster-extent", "cluster-mass"),
    "map_values": ("z", "raw"),
}
DENOISE_STRATEGIES = {
    "friston24": "24 motion parameters, mean white matter and CSF signal",
    "24p": "24 motion parameters",
    "36p": "24 motion parameters; white matter, CSF and global signal, each with derivative and squares",
    "acompcor": "24 motion parameters and the first five anatomical CompCor components",
    "simple": "6 motion parameters, mean white matter and CSF signal",
    "none": "no confound is regressed out",
}
EDGE_STATISTICS = {
    "none": "they are not compared",
    "nbs": "connections in the component (network-based statistic)",
    "nbs-intensity": "sum of z over the component",
    "tfnbs": "threshold-free network-based statistic",
    "t": "each connection by itself",
}
QUERIES = ("bold", "mask", "confounds", "timeseries")


@dataclass(frozen=True)
class Selection:
    """Which scans of which derivatives, each with its name, are analysed."""

    participants: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    task: str | None = None
    space: str | None = None
    resolution: str | None = None
    derivatives: tuple[tuple[str, Path], ...] = ()
    filters: dict = field(default_factory=dict)
    meshes: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Preprocessing:
    """Whether raw scans are preprocessed here, and to which template; None is the one that nilearn carries."""

    mode: str = "auto"
    template: Path | None = None


@dataclass(frozen=True)
class Signal:
    """How the signal of a scan is cleaned."""

    denoise: str = "friston24"
    bandpass: tuple[float, float] | None = (0.01, 0.1)
    fd_threshold: float = 0.5
    dummy_scans: int | None = None
    min_minutes: float = 4.0
    detrend: bool = True


@dataclass(frozen=True)
class Measured:
    """What is measured on the graphs of which edge rules."""

    metrics: tuple[str, ...] = DEFAULT_METRICS
    thresholds: tuple[float, ...] = (0.25,)
    densities: tuple[float, ...] = ()

    @property
    def rules(self):
        """By which pairs of nodes are joined, one graph each."""
        return [
            *(EdgeRule("r", value) for value in self.thresholds),
            *(EdgeRule("density", value) for value in self.densities),
        ]

    @property
    def mapped(self):
        """What is mapped for each scan."""
        return mapped_features(self.metrics, self.rules)

    @property
    def compared(self):
        """What is compared between the arms."""
        return compared_features(self.metrics, self.rules)


@dataclass(frozen=True)
class ParcelGraph(Measured):
    """What is measured on the graphs of parcels, and what these are made of."""

    matrices: tuple[str, ...] = ("pearson",)
    negative: str = "drop"
    backbone: bool = False
    n_null_graphs: int = 100
    random_seed: int = 0

    @property
    def kinds(self):
        """For the label of each matrix, which is part of the desc label: the matrix, and how it becomes edges."""
        kinds = {}
        for matrix in self.matrices:
            linking = Linking(self.negative, self.backbone, fisher=matrix == "fisher")
            kinds[camel(["" if matrix == "pearson" else matrix, linking.label])] = (matrix, linking)
        return kinds


@dataclass(frozen=True)
class Graph(Measured):
    """What a graph is made of, and what is measured on it."""

    voxel_size: int | None = 3
    mask: str = "gm"
    smooth_maps: float = 6.0
    atlases: tuple[AtlasSource, ...] = ()
    partition: AtlasSource | None = None
    distance: float = 75.0
    parcels: ParcelGraph = ParcelGraph()


@dataclass(frozen=True)
class Trial:
    """Which arms and visits are compared, and how."""

    arm: str | None = None
    arms: tuple[str, ...] = ()
    reference_arm: str | None = None
    baseline: str | None = None
    followup: str | None = None
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    baseline_motion: bool = True
    map_values: str = "z"
    n_permutations: int = 10_000
    random_seed: int = 0
    estimator: str = "ancova"
    scheme: str = "rerandomize"
    allocations: Path | None = None
    statistic: str = "tfce"
    cluster_threshold: float = 3.1
    edge_statistic: str = "none"
    connectivity: int = 6
    hc3: bool = False
    tail_approximation: bool = False
    min_per_arm: int | None = None
    accept_mixed: bool = False
    slopes: tuple[str, ...] = ()
    regions: tuple[tuple[str, Path | None], ...] = ()
    alpha: float = 0.05
    outcomes: tuple[str, ...] = ()
    ordinal: tuple[str, ...] = ()
    higher_is_better: tuple[str, ...] = ()
    cutoffs: tuple[str, ...] = ()
    robustness: bool = False
    also: tuple[tuple[str, Path], ...] = ()
    plan: "Plan | None" = None
    departed: tuple[tuple[str, object, object], ...] = ()


@dataclass(frozen=True)
class Resources:
    """What the run may use of the machine."""

    n_cpus: int = 1
    omp_nthreads: int | None = None
    mem_gb: float | None = None
    plugin: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """Everything one call of the app was asked to do."""

    bids_dir: Path
    output_dir: Path
    level: str
    work_dir: Path
    keep_work_dir: bool = False
    stop_on_first_crash: bool = False
    verbose: int = 0
    skip_validation: bool = False
    reports_only: bool = False
    dry_run: bool = False
    selection: Selection = Selection()
    preprocessing: Preprocessing = Preprocessing()
    signal: Signal = Signal()
    graph: Graph = Graph()
    trial: Trial = Trial()
    resources: Resources = Resources()
    group_folder: str = GROUP

    @property
    def group_dir(self):
        """Where the results of the group level are written."""
        return self.output_dir / self.group_folder

    def to_json(self):
        """Return the settings as JSON text, as kept in ``logs/``."""
        content = dataclasses.asdict(self)
        del content["group_folder"]  # nobody asked for it
        graph = content["graph"]
        graph |= {"atlases": list(map(str, self.graph.atlases)), "partition": self.graph.partition}
        if math.isinf(self.signal.fd_threshold):
            content["signal"]["fd_threshold"] = "off"  # JSON has no infinity
        return json.dumps(content, indent=2, default=str)


def check_settings(settings):
    """Refuse folders and numbers that cannot work, before anything is read or written.

    Raises
    ------
    MissingInputError
        The BIDS folder, a derivative, a template or a mask does not exist.
    OutputError
        The output or work folder cannot be written.
    UsageError
        A folder lies where it must not, or a number is out of its range.
    """
    _check_folders(settings)
    _check_numbers(settings)


def _check_folders(settings):
    for what, path in (("output", settings.output_dir), ("work", settings.work_dir)):
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in str(path)):
            raise UsageError(f"The {what} folder {str(path)!r} has a control character in its name; give another.")
    wanted = {"BIDS folder": [settings.bids_dir], "--derivatives": [path for _, path in settings.selection.derivatives]}
    graph = settings.graph
    wanted["--template"] = [settings.preprocessing.template] if settings.preprocessing.template else []
    wanted["--also"] = [path for _, path in settings.trial.also]
    wanted["--allocations"] = [settings.trial.allocations] if settings.trial.allocations else []
    wanted["--regions"] = [path for _, path in settings.trial.regions if path]
    wanted["--mask"] = [Path(graph.mask)] if graph.mask not in ("gm", "brain") else []
    for what, paths in wanted.items():
        for path in paths:
            if not _exists(what, path):
                raise MissingInputError(f"{what}: {path} does not exist.")
    if not settings.bids_dir.is_dir():
        raise MissingInputError(f"BIDS folder: {settings.bids_dir} is not a folder.")
    for what, path in (("output", settings.output_dir), ("work", settings.work_dir)):
        if _among_raw_data(path.resolve(), settings.bids_dir.resolve()):
            raise UsageError(
                f"The {what} folder {path} lies inside the BIDS folder {settings.bids_dir}. "
                f"Put it elsewhere, or write to {settings.bids_dir / 'derivatives' / 'trialgraph'}."
            )
        if not settings.dry_run:
            _require_writable(what, path, make=what == "output")


def _exists(what, path):
    try:
        return path.exists()
    except OSError as error:
        raise MissingInputError(f"{what}: {path} cannot be looked at: {error.strerror}.") from error


def _among_raw_data(path, bids_dir):
    if not path.is_relative_to(bids_dir):
        return False
    parts = path.relative_to(bids_dir).parts
    return len(parts) < 2 or parts[0] != "derivatives"


def _require_writable(what, path, *, make):
    """Make a folder, or see whether it could be made: the work folder is made by who marks it as its own."""
    try:
        if make:
            path.mkdir(parents=True, exist_ok=True)
        while not path.exists() and path != path.parent:
            path = path.parent
    except OSError as error:
        raise OutputError(f"The {what} folder {path} cannot be created: {error.strerror}.") from error
    if not os.access(path, os.W_OK | os.X_OK) or not path.is_dir():
        raise OutputError(f"The {what} folder {path} is not writable by user {os.getuid()}.")


def _check_numbers(settings):
    signal, graph, trial, resources = settings.signal, settings.graph, settings.trial, settings.resources
    limits = [
        *(("--threshold", value, 0 <= value < 1, "at least 0 and below 1") for value in graph.thresholds),
        *(("--density", value, 0 < value <= 1, "above 0 and at most 1") for value in graph.densities),
        *(("--parcel-threshold", v, 0 <= v < 1, "at least 0 and below 1") for v in graph.parcels.thresholds),
        *(("--parcel-density", v, 0 < v <= 1, "above 0 and at most 1") for v in graph.parcels.densities),
        ("--distance", graph.distance, graph.distance > 0, "above 0 mm"),
        ("--fd-threshold", signal.fd_threshold, signal.fd_threshold > 0, "above 0 mm"),
        ("--min-minutes", signal.min_minutes, signal.min_minutes >= 0, "0 or more"),
        ("--alpha", trial.alpha, 0 < trial.alpha < 1, "above 0 and below 1"),
        ("--cluster-threshold", trial.cluster_threshold, 0 < trial.cluster_threshold < math.inf, "above 0"),
        ("--smooth-maps", graph.smooth_maps, 0 <= graph.smooth_maps < math.inf, "0 mm or more"),
    ]
    if resources.mem_gb is not None:
        limits.append(("--mem-gb", resources.mem_gb, resources.mem_gb > 0, "above 0 GB"))
    whole = {
        "--dummy-scans": (signal.dummy_scans, 0),
        "--voxel-size": (graph.voxel_size, 1),
        "--n-permutations": (trial.n_permutations, 1),
        "--min-per-arm": (trial.min_per_arm, 2),
        "--random-seed": (trial.random_seed, 0),
        "--n-null-graphs": (graph.parcels.n_null_graphs, 0),
        "--n-cpus": (resources.n_cpus, 1),
        "--omp-nthreads": (resources.omp_nthreads, 1),
    }
    given = {option: limit for option, limit in whole.items() if limit[0] is not None}
    limits += [(option, value, value >= least, f"{least} or more") for option, (value, least) in given.items()]
    if signal.bandpass:
        low, high = signal.bandpass
        limits.append(("--bandpass", f"{low:g} {high:g}", 0 <= low < high, "LOW HIGH in Hz with 0 <= LOW < HIGH"))
    for option, value, fits, allowed in limits:
        if not fits:
            raise UsageError(f"{option} {value}: must be {allowed}.")
    _check_metrics(graph)


def _check_metrics(graph):
    needing = needing_modules(graph.metrics)
    if needing and not (graph.partition or graph.atlases):
        raise UsageError(
            f"--metrics {' '.join(needing)}: which nodes form a network? Give a label image with --partition."
        )
    signed = [name for name in UNSIGNED if name in graph.parcels.metrics]
    if graph.parcels.negative == "keep" and signed:
        raise UsageError(
            f"--negative keep: {', '.join(signed)} cannot be computed with negative weights; choose others with "
            "--parcel-metrics, or --negative absolute."
        )
