"""What ``design.json`` of the group level holds of one route: who was compared, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bids_app.bids.findings import Finding
from bids_app.errors import DataError
from bids_app.graph.features import Feature
from bids_app.runtime.group_folder import AGAIN
from bids_app.settings.roles import Role
from bids_app.settings.settings import DESCRIBED
from bids_app.stats.settling import anytime_p
from bids_app.system.small_files import read_record
from bids_app.trial.design import Design
from bids_app.trial.looks_taken import LookTaken
from bids_app.trial.period_orders import PeriodOrders
from bids_app.trial.record_json import as_json, key_of, part_of, value_of
from bids_app.trial.summaries import Summary
from bids_app.trial.wording import ONE_GROUP, ONE_VISIT, WORDINGS, Wording

Kind = Literal["maps", "parcels", "global", "edges"]
Statistic = Literal["tfce", "t", "cluster-extent", "cluster-mass", "nbs", "nbs-intensity", "tfnbs"]


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Which arm was compared with which, from which visit to which, and how many of each.

    Without a baseline one visit was compared by itself. Of a cross-over trial (`comparison_of`) the arms are its
    sequences, the visits its periods, and the contrast is that of the `treatments`; the periods may have baselines.
    `summaries` are visits of several sessions. Of more than two treatments or periods, `all_treatments` are these, the
    reference first, and `orders` the sequences as arms are numbered.
    """

    contrast: str
    arm_column: str
    active_arm: str
    reference_arm: str | None
    baseline_session: str | None
    followup_session: str | None
    number_analysed: dict[str, int]
    comparison_of: str | None = None
    treatments: tuple[str, str] | None = None
    period_baselines: bool | None = None
    summaries: tuple[Summary, ...] | None = None
    all_treatments: tuple[str, ...] | None = None
    orders: tuple[tuple[str, ...], ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The active and the reference arm, or the one group; of several periods all sequences."""
        return self.design.compared

    @property
    def pair(self) -> tuple[str, ...]:
        """What columns of active and reference are of: the arms, or of several periods the treatments."""
        return self.sides if self.orders else self.names

    @property
    def sides(self) -> tuple[str, ...]:
        """What a difference is of, the first minus the second; one group at one visit."""
        return self.design.sides

    @property
    def comparison(self) -> str:
        """Which arms at which follow-up, for people."""
        return self.design.comparison

    @property
    def design(self) -> Design:
        """The same without the numbers, as the flow of participants needs it."""
        visits = (self.baseline_session, self.followup_session or "")
        return Design(
            self.arm_column,
            self.active_arm,
            self.reference_arm,
            *visits,
            words=self.words,
            treatments=self.treatments,
            has_baselines=bool(self.period_baselines),
            summaries=self.summaries or (),
            further=self._sequences.names[2:] if self._sequences else (),
            orders=self._sequences,
        )

    @property
    def _sequences(self) -> PeriodOrders | None:
        return PeriodOrders(self.all_treatments or (), self.orders) if self.orders else None

    @property
    def words(self) -> Wording:
        """What is said of the arms, or groups."""
        if self.comparison_of == ONE_GROUP.key and self.baseline_session is None:
            return ONE_VISIT
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
    def tested(self) -> bool:
        """False where one group is described and nothing is tested."""
        return self.headline != DESCRIBED

    @property
    def slope(self) -> str | None:
        """The covariate whose slope the headline is, or None."""
        return self.headline.removeprefix("slope:") if self.headline.startswith("slope:") else None

    @property
    def headline_text(self) -> str:
        """The headline's estimator in words."""
        return self.estimators[self.headline]


@dataclass(frozen=True, kw_only=True)
class Inference:
    """How p-values were found; None where the statistic needs no such thing.

    Of several treatments in turn, ``exchanged`` says which labels are, and whether the test is exact then.
    Where draws stop when p is settled (`draws_at_most` is known), `draws` are those of the headline, and `not_settled`
    says of which results another seed could find p on the other side of alpha.
    """

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
    exchanged: str | None = None
    draws_at_most: int | None = None
    not_settled: tuple[str, ...] | None = None

    @property
    def smallest_p(self) -> float:
        """The smallest p that so many draws allow."""
        if self.draws_at_most is None:
            return 1 / max(self.draws, 1)
        return float(anytime_p(0, self.draws - 1, self.draws_at_most - 1))


@dataclass(frozen=True, kw_only=True)
class Looked:
    """Which of the planned looks it was; None where there is one analysis, at the end.

    `look_planned` is how many participants, or which share, were planned for it; what it tests at is the record's
    alpha, `alpha_spent` what it and those before it spend of `alpha_of_all_looks`. `jointly` says whether the draws
    that an earlier look would have stopped at are left out, `taken` has this look and those before it.
    """

    look: int | None = None
    looks: int | None = None
    look_planned: float | None = None
    spending: str | None = None
    alpha_spent: float | None = None
    alpha_of_all_looks: float | None = None
    jointly: bool | None = None
    taken: tuple[LookTaken, ...] | None = None


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
    interim: Looked = Looked()

    def direction(self, sign: int) -> str:
        """Say which way an effect of a sign in the headline goes."""
        return self.arms.design.direction(sign, self.analyses.slope)

    def to_json(self) -> dict[str, Any]:
        """Return the content of design.json: the fields of the parts one after the other, without what is None."""
        return as_json(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ComparisonRecord":
        """Return the record that `to_json` wrote.

        Raises
        ------
        DataError
            A key is missing, or its value is of another type; or the headline is none of the estimators.
        """
        record: ComparisonRecord = part_of(cls, content)
        if record.arms.words.several:
            value_of(str, record.arms.reference_arm, key_of("reference_arm"))
        if record.arms.words.randomized:
            for name in ("baseline_session", "followup_session"):
                value_of(str, getattr(record.arms, name), key_of(name))
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
