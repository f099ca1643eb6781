"""What ``design.json`` of the group level holds of one route: who was compared, and how."""

import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from bids_app.bids.findings import Finding
from bids_app.errors import DataError
from bids_app.graph.features import Feature
from bids_app.runtime.group_folder import AGAIN
from bids_app.settings.roles import Role
from bids_app.system.small_files import read_record
from bids_app.trial.design import Design
from bids_app.trial.summaries import Summary
from bids_app.trial.wording import WORDINGS, Wording

Kind = Literal["maps", "parcels", "global", "edges"]
Statistic = Literal["tfce", "t", "cluster-extent", "cluster-mass", "nbs", "nbs-intensity", "tfnbs"]


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Which arm was compared with which, from which visit to which, and how many of each.

    Without a baseline one visit was compared by itself. Of a cross-over trial (`comparison_of`) the arms are its
    sequences, the visits its periods, the contrast that of the `treatments`. `summaries` are visits of several
    sessions.
    """

    contrast: str
    arm_column: str
    active_arm: str
    reference_arm: str
    baseline_session: str | None
    followup_session: str | None
    number_analysed: dict[str, int]
    comparison_of: str | None = None
    treatments: tuple[str, str] | None = None
    summaries: tuple[Summary, ...] | None = None

    @property
    def names(self) -> tuple[str, str]:
        """The active and the reference arm."""
        return self.active_arm, self.reference_arm

    @property
    def sides(self) -> tuple[str, str]:
        """What a difference is of, the first minus the second."""
        return self.design.sides

    @property
    def comparison(self) -> str:
        """Which arms at which follow-up, for people."""
        return self.design.comparison

    @property
    def design(self) -> Design:
        """The same without the numbers, as the flow of participants needs it."""
        visits = (self.baseline_session, self.followup_session or "")
        own = Design(self.arm_column, *self.names, *visits, words=self.words, treatments=self.treatments)
        return own if self.summaries is None else replace(own, summaries=self.summaries)

    @property
    def words(self) -> Wording:
        """What is said of the arms, or groups."""
        return WORDINGS[self.comparison_of or "parallel"]

    @property
    def sessions(self) -> str:
        """The sessions that were compared, for people; nothing where the scans have none."""
        return self.design.sessions


@dataclass(frozen=True, kw_only=True)
class ComparedFeature:
    """A measure that was compared, and what it counts for."""

    metric: str
    edges: str
    title: str
    role: Role

    @property
    def feature(self) -> Feature:
        """The measure on the graph of its edges."""
        return Feature(self.metric, self.edges)


@dataclass(frozen=True, kw_only=True)
class Analyses:
    """What was asked of which measures, and what was adjusted for.

    Attributes
    ----------
    estimators, descriptive : dict of str
        In words, by their keys: the analyses that compare the arms, and those that describe.
    headline : str
        Key of the estimator that the page begins with.
    map_suffixes : dict of str
        By the key of an analysis, what follows the feature in the names of its maps.
    """

    estimators: dict[str, str]
    descriptive: dict[str, str]
    headline: str
    map_suffixes: dict[str, str]
    features: tuple[ComparedFeature, ...]
    covariates: tuple[str, ...]
    baseline_motion_adjusted: bool
    baseline_motion_off: bool
    strata: tuple[str, ...]

    @property
    def texts(self) -> dict[str, str]:
        """All analyses in words, by their keys."""
        return {**self.estimators, **self.descriptive}

    @property
    def headline_text(self) -> str:
        """The headline's estimator in words."""
        return self.estimators[self.headline]


@dataclass(frozen=True, kw_only=True)
class Inference:
    """How p-values were found; None where the statistic needs no such thing."""

    scheme: str
    statistic: Statistic
    connectivity: int | None
    cluster_threshold: float | None
    standard_errors: str
    tail_approximation: bool
    draws: int
    all_allocations_enumerated: bool
    possible_allocations: str | None
    allocations_of: str
    random_seed: int
    alpha: float


@dataclass(frozen=True, kw_only=True)
class ComparedData:
    """Which values of which nodes were compared; None where nothing was asked, or it does not apply."""

    map_values: str
    smoothing_fwhm: float | None
    edge_rules: tuple[str, ...]
    min_minutes: float
    minutes_known: bool
    min_per_arm: int | None
    nodes_in_mask: int
    nodes_compared: int
    anatomy_columns: tuple[str, ...]
    voxel_size: tuple[float, ...] | None
    visits_with_several_scans: int


@dataclass(frozen=True)
class ScanFailure:
    """A scan that could not be processed, and why."""

    scan: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ComparisonRecord:
    """What was compared on one route, and how.

    Attributes
    ----------
    route : str
        For people: voxels, grayordinates, or what of which atlas.
    kind : {"maps", "parcels", "global", "edges"}
    named_regions : dict of int
        Nodes of each region that was named beforehand.
    variance_warnings : dict of str
        By the title of a measure, why the difference of its means is not to be tested as it is.
    findings : tuple of Finding
        What was found in the data or assumed of them.
    software : str
        What wrote it.
    """

    route: str
    kind: Kind
    arms: Arms
    analyses: Analyses
    inference: Inference
    data: ComparedData
    named_regions: dict[str, int]
    variance_warnings: dict[str, str]
    findings: tuple[Finding, ...]
    failed_scans: tuple[ScanFailure, ...]
    software: str

    def to_json(self) -> dict[str, Any]:
        """Return the content of design.json: the fields of the parts one after the other, without what is None."""
        return _written(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ComparisonRecord":
        """Return the record that `to_json` wrote.

        Raises
        ------
        DataError
            A key is missing, or its value is of another type; or the headline is none of the estimators.
        """
        record: ComparisonRecord = _part(cls, content)
        if record.arms.words.randomized:
            for name in ("baseline_session", "followup_session"):
                _value(str, getattr(record.arms, name), _key(name))
        if not {record.analyses.headline} <= set(record.analyses.estimators) & set(record.analyses.map_suffixes):
            raise DataError(f"Headline is {record.analyses.headline}, which is not among Estimators and MapSuffixes.")
        return record


def read_comparison(path: Path) -> ComparisonRecord:
    """Read a design.json.

    Raises
    ------
    DataError
        It is missing, damaged, or of another version.
    """
    content = read_record(path, AGAIN)
    try:
        return ComparisonRecord.from_json(content)
    except DataError as error:
        raise DataError(f"{path}: {error} It is damaged, or of another version of trialgraph. {AGAIN}") from error


_WORDS = {
    **{str: "text", bool: "true or false", int: "a whole number"},
    **{float: "a number", list: "a list", dict: "an object"},
}


def _key(name: str) -> str:
    """Return the key of a field.

    Examples
    --------
    >>> _key("random_seed"), _key("smoothing_fwhm")
    ('RandomSeed', 'SmoothingFWHM')
    """
    return "".join("FWHM" if word == "fwhm" else word.capitalize() for word in name.split("_"))


def _written(part: Any) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            content |= _written(value)
        elif isinstance(value, tuple):
            content[_key(field.name)] = [_written(one) if is_dataclass(one) else one for one in value]
        elif value is not None:
            content[_key(field.name)] = value
    return content


def _part(kind: Any, content: Mapping[str, Any], within: str = "") -> Any:
    """Return a part of the record; what its fields are made of is what their types say."""
    found = {}
    for name, of in get_type_hints(kind).items():
        key = _key(name)
        found[name] = _part(of, content) if is_dataclass(of) else _value(of, content.get(key), within + key)
    return kind(**found)


def _value(of: Any, value: object, key: str) -> Any:
    origin, inner = get_origin(of), get_args(of)
    if origin in (Union, types.UnionType):
        return None if value is None else _value(inner[0], value, key)
    if value is None:
        raise DataError(f"It lacks {key}.")
    if origin is Literal:
        if value not in inner:
            raise DataError(f"{key} is {value!r:.40}, none of {', '.join(inner)}.")
        return value
    if origin is tuple:
        return tuple(_value(inner[0], one, key) for one in _checked(list, value, key))
    if origin is dict:
        return {name: _value(inner[1], one, f"{key}.{name}") for name, one in _checked(dict, value, key).items()}
    return _part(of, _checked(dict, value, key), f"{key}.") if is_dataclass(of) else _checked(of, value, key)


def _checked(kind: type, value: Any, key: str) -> Any:
    fits = isinstance(value, (int, float) if kind is float else kind)
    if not fits or isinstance(value, bool) != (kind is bool):  # to Python true and false are numbers
        raise DataError(f"{key} is {value!r:.40}, not {_WORDS[kind]}.")
    return value
