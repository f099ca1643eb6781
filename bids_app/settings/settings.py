"""Settings: what the command line asked for, made once and passed down."""

import dataclasses
import json
import math
from dataclasses import KW_ONLY, Field, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.graph.features import Feature, camel, compared_features, mapped_features
from bids_app.graph.measures import DEFAULT_METRICS, MEASURES
from bids_app.graph.rules import MATRICES, NEGATIVES, EdgeRule, Linking
from bids_app.settings.atlas_source import AtlasSource
from bids_app.settings.deviation import Deviation
from bids_app.settings.fields import (
    ABOVE_0,
    ABOVE_0_GB,
    ABOVE_0_MM,
    FIELDS,
    PROBABILITY,
    R_VALUE,
    SHARE,
    at_least,
    option_of,
    setting,
)
from bids_app.settings.interim import Look
from bids_app.settings.named import Call, NamedPath, NamedRegion

if TYPE_CHECKING:  # a plan is read by the parser, which needs this module
    from bids_app.settings.plan import Plan

N_DRAWS, AUTO = 10_000, "auto"
GROUP = "group"  # where the results of the group level are put, below the output folder
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
CONTRASTS = {
    "reference": "each arm with the reference",
    "all-pairs": "each arm with each other",
}
OVER_FOLLOWUPS = {
    "mean": "their mean",
    "area": "the area under the curve from the baseline on, over its length",
    "slope": "the slope of the line through them, per day, of one group through the first visit too",
    "last-first": "the last minus the first",
}
DESIGNS = {
    "parallel": "arms that were randomized",
    "groups": "people whom nobody randomized, as patients and controls, also at one visit",
    "crossover": "treatments that everyone was given in turn, in an order that was randomized",
    "one-group": "everybody as one group: each later visit with the first, or one visit by itself",
    "paired": "two treatments that everyone was given, in an order that nobody knows",
}
OUTCOME_MODELS = {
    "auto": "ancova of one comparison, mmrm of several",
    "ancova": "least squares at the follow-up of a comparison, adjusted for the baseline",
    "mmrm": "the mixed model for repeated measures; of several comparisons its F of any difference",
}
BLINDINGS = {
    "pooled": "everyone as one group, each visit described and nothing compared",
    "between": "the arms compared as letters",
}
SINGLE = ("one-group", "paired")  # designs without a second arm
DESCRIBED = "none"  # the estimator where nothing is tested
RANDOM_SEED = 0  # of the permutations and of the random graphs
QUERIES = ("bold", "mask", "confounds", "timeseries", "relmat")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which scans of which derivatives, each with its name, are analysed."""

    participants: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    task: str | None = None
    space: str | None = None
    resolution: str | None = None
    derivatives: tuple[NamedPath, ...] = ()
    filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    meshes: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Preprocessing:
    """Whether raw scans are preprocessed here, to which template, and how without a field map.

    The template is that which nilearn carries where it is None.
    """

    mode: str = setting("auto", choices=("auto", "never", "always"))
    template: Path | None = None
    use_syn_sdc: bool = False


@dataclass(frozen=True, kw_only=True)
class Signal:
    """How the signal of a scan is cleaned."""

    denoise: str = setting("friston24", choices=DENOISE_STRATEGIES)
    bandpass: tuple[float, float] | None = (0.01, 0.1)
    fd_threshold: float = setting(0.5, ABOVE_0_MM)
    dummy_scans: int | None = setting(None, at_least(0), said="auto")
    min_minutes: float = setting(4.0, at_least(0))
    detrend: bool = setting(True, choices=("linear", "none"), said="linear")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is measured on the graphs of which edge rules."""

    metrics: tuple[str, ...] = setting(DEFAULT_METRICS, choices=MEASURES)
    thresholds: tuple[float, ...] = setting((0.25,), R_VALUE)
    densities: tuple[float, ...] = setting((), SHARE)

    @property
    def rules(self) -> list[EdgeRule]:
        """By which pairs of nodes are joined, one graph each."""
        return [
            *(EdgeRule("r", value) for value in self.thresholds),
            *(EdgeRule("density", value) for value in self.densities),
        ]

    @property
    def mapped(self) -> list[Feature]:
        """What is mapped for each scan."""
        return mapped_features(self.metrics, self.rules)

    @property
    def compared(self) -> list[Feature]:
        """What is compared between the arms."""
        return compared_features(self.metrics, self.rules)


@dataclass(frozen=True, kw_only=True)
class ParcelGraph(Measured):
    """What is measured on the graphs of parcels, and what these are made of."""

    matrices: tuple[str, ...] = setting(("pearson",), choices=MATRICES)
    negative: str = setting("drop", choices=NEGATIVES)
    backbone: bool = False
    n_null_graphs: int = setting(100, at_least(0))
    random_seed: int = setting(RANDOM_SEED, at_least(0))

    @property
    def kinds(self) -> dict[str, tuple[str, Linking]]:
        """For the label of each matrix, which is part of the desc label: the matrix, and how it becomes edges."""
        kinds = {}
        for matrix in self.matrices:
            linking = Linking(self.negative, self.backbone, fisher=matrix == "fisher")
            kinds[camel(["" if matrix == "pearson" else matrix, linking.label])] = (matrix, linking)
        return kinds


@dataclass(frozen=True, kw_only=True)
class Graph(Measured):
    """What a graph is made of, and what is measured on it."""

    voxel_size: int | None = setting(3, at_least(1, "mm"))
    mask: str = "gm"
    smooth_maps: float = setting(6.0, at_least(0, "mm"))
    atlases: tuple[AtlasSource, ...] = ()
    partition: AtlasSource | None = None
    distance: float = setting(75.0, ABOVE_0_MM)
    parcels: ParcelGraph = ParcelGraph()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Which arms and visits are compared, and how."""

    design: str = setting("parallel", choices=DESIGNS)
    arm: str | None = None
    arms: tuple[str, ...] = ()
    reference_arm: str | None = None
    baseline: tuple[str, ...] = ()
    followup: tuple[str, ...] = ()
    over_followups: tuple[str, ...] = setting((), choices=OVER_FOLLOWUPS)
    contrasts: tuple[str, ...] = ("reference",)
    dose: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    baseline_motion: bool = True
    map_values: str = setting("z", choices=("z", "raw"))
    n_permutations: int | str = setting(N_DRAWS, at_least(1))  # or AUTO
    random_seed: int = setting(RANDOM_SEED, at_least(0))
    estimator: str = setting("ancova", choices=("ancova", "change", "post", "crossover"))
    estimator_told: bool = False
    scheme: str = setting("rerandomize", choices=("rerandomize", "freedman-lane"))
    allocations: Path | None = None
    statistic: str = setting("tfce", choices=("tfce", "t", "cluster-extent", "cluster-mass"))
    cluster_threshold: float = setting(3.1, ABOVE_0)
    edge_statistic: str = setting("none", choices=EDGE_STATISTICS)
    connectivity: int = setting(6, choices=(6, 18, 26))
    hc3: bool = False
    tail_approximation: bool = False
    min_per_arm: int | None = setting(None, at_least(2))
    accept_mixed: bool = False
    slopes: tuple[str, ...] = ()
    regions: tuple[NamedRegion, ...] = ()
    alpha: float = setting(0.05, PROBABILITY)
    outcomes: tuple[str, ...] = ()
    ordinal: tuple[str, ...] = ()
    outcome_model: str = setting("auto", choices=OUTCOME_MODELS)
    higher_is_better: tuple[str, ...] = ()
    cutoffs: tuple[str, ...] = ()
    robustness: bool = False
    also: tuple[NamedPath, ...] = ()
    look: int | None = None
    interim: Look | None = None
    plan: "Plan | None" = None
    departed: tuple[Deviation, ...] = ()

    @property
    def until_settled(self) -> bool:
        """Whether draws of maps and tables stop when p is settled."""
        return self.n_permutations == AUTO

    @property
    def n_draws(self) -> int:
        """How many draws are made; where they stop when p is settled, of what takes no time."""
        return N_DRAWS if self.until_settled else int(self.n_permutations)


@dataclass(frozen=True)
class Resources:
    """What the run may use of the machine."""

    n_cpus: int = setting(1, at_least(1))
    omp_nthreads: int | None = setting(None, at_least(1))
    mem_gb: float | None = setting(None, ABOVE_0_GB)
    plugin: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """Everything one call of the app was asked to do."""

    bids_dir: Path
    output_dir: Path
    level: str
    work_dir: Path
    _: KW_ONLY
    keep_work_dir: bool = False
    stop_on_first_crash: bool = False
    verbose: int = 0
    skip_validation: bool = False
    reports_only: bool = False
    dry_run: bool = False
    blind: str | None = setting(None, choices=BLINDINGS)
    key: Path | None = None
    call: Call | None = None  # a blinded one, which only the key may hold
    selection: Selection = Selection()
    preprocessing: Preprocessing = Preprocessing()
    signal: Signal = Signal()
    graph: Graph = Graph()
    trial: Trial = Trial()
    resources: Resources = Resources()
    group_folder: str = GROUP
    adopted: str | None = None  # what the group level took from what the participant level was given

    @property
    def group_dir(self) -> Path:
        """Where the results of the group level are written."""
        return self.output_dir / self.group_folder

    def to_json(self) -> str:
        """Return the settings as JSON text, as kept in ``logs/``."""
        content = dataclasses.asdict(self)
        for name in (
            "group_folder",
            "key",
            "call",
        ):  # nobody asked for the first; the others are not for who reads this
            del content[name]
        graph = content["graph"]
        del content["trial"]["estimator_told"]  # the estimator itself is there
        graph |= {"atlases": list(map(str, self.graph.atlases)), "partition": self.graph.partition}
        content["trial"]["departed"] = list(map(dataclasses.astuple, self.trial.departed))
        if math.isinf(self.signal.fd_threshold):
            content["signal"]["fd_threshold"] = "off"  # JSON has no infinity
        return json.dumps(content, indent=2, default=str)


def keyed_fields(part: Any) -> dict[str, Field[Any]]:
    """Return the fields of a part of the settings by the key that a plan has for each.

    Examples
    --------
    >>> list(keyed_fields(Measured)), list(keyed_fields(ParcelGraph))[:4]
    (['metrics', 'threshold', 'density'], ['parcel_metrics', 'parcel_threshold', 'parcel_density', 'matrix'])
    """
    of_parcels = issubclass(part if isinstance(part, type) else type(part), ParcelGraph)
    both = Measured.__dataclass_fields__ if of_parcels else {}
    return {
        ("parcel_" if field.name in both else "") + FIELDS.get(field.name, field.name): field
        for field in dataclasses.fields(part)
    }


_PARTS = (Settings, Selection, Preprocessing, Signal, Graph, ParcelGraph, Trial, Resources)
# What an option sets by itself, by the name of the option.
BY_OPTION = {option_of(key): field for part in _PARTS for key, field in keyed_fields(part).items()}
