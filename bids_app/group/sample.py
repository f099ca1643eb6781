"""From the scans of a route and the trial's tables to the arrays that are compared."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.bids.findings import Finding, of_scans
from bids_app.bids.scans import Scan
from bids_app.errors import DataError
from bids_app.graph.features import Feature
from bids_app.group.alike import made, require_alike
from bids_app.group.node_values import read_same_nodes
from bids_app.group.reading import SESSION, Maps, file_of_visit, read_maps
from bids_app.group.routes import MapRoute, Route, grid_of
from bids_app.group.thinness import thin_places
from bids_app.settings.settings import Trial
from bids_app.space.grid import Nodes
from bids_app.stats.sequences import told_apart
from bids_app.trial.allocation_table import read_allocations
from bids_app.trial.covariates import model_covariates, slopes
from bids_app.trial.design import Design
from bids_app.trial.flow import by_visit, participant_flow, runs_without_motion
from bids_app.trial.looks_taken import LookTaken
from bids_app.trial.period_orders import PeriodOrders
from bids_app.trial.strata import strata, strata_said
from bids_app.trial.tables import Tables

MIN_PER_ARM = 2
Visit = tuple[str, str | None]  # participant and session


@dataclass(frozen=True, kw_only=True)
class EarlierSample:
    """Who of a sample was compared at an earlier look.

    Attributes
    ----------
    taken : LookTaken
    rows : (m,) int ndarray
        Of the sample.
    """

    taken: LookTaken
    rows: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What is compared: n participants, their visits, V voxels or parcels.

    Attributes
    ----------
    maps : dict of dict of (n, V) float64 ndarray
        Of each feature by the session of the visit.
    arm : (n,) int ndarray
        Numbers of the arms as in ``design.arms``: 0 for the reference arm, 1 for the active arm.
    covariates : DataFrame
        n rows of numbers, adjusted for.
    strata : (n,) ndarray of str, or None
        Labels are exchanged within these.
    kept : (N,) bool ndarray
        Which of the N voxels of the image, or parcels, everyone has.
    grid : Grid, Surface or None
        Of the voxels that everyone has.
    parcels : DataFrame or None
        The parcels, measures or connections that everyone has, as `nodes.read_nodes`.
    design : Design
        Which arms and visits these are.
    slopes : DataFrame or None
        n rows, the covariates whose slopes are mapped.
    allocation_table : (D, n) int ndarray or None
        The allocations that were possible, where they are listed.
    symptoms : DataFrame
        n rows, the change of each outcome that is known for enough; NaN where it is missing.
    findings : tuple of Finding
        What was assumed of these scans and columns, and what could not be done with them.
    earlier : tuple of EarlierSample
        Looks before this one whose tests can be made again.
    came : (n,) int ndarray or None
        Then the look at which each was first compared: labels are exchanged within these too.
    """

    design: Design
    maps: dict[Feature, Maps]
    arm: np.ndarray
    covariates: pd.DataFrame
    strata: np.ndarray | None
    kept: np.ndarray
    grid: Nodes | None
    parcels: pd.DataFrame | None
    slopes: pd.DataFrame | None = None
    allocation_table: np.ndarray | None = None
    symptoms: pd.DataFrame = field(default_factory=pd.DataFrame)
    findings: tuple[Finding, ...] = ()
    earlier: tuple[EarlierSample, ...] = ()
    came: np.ndarray | None = None

    @property
    def participants(self) -> tuple[str, ...]:
        """Their labels."""
        return tuple(str(name).removeprefix("sub-") for name in self.covariates.index)

    @property
    def features(self) -> tuple[Feature, ...]:
        """What is compared of everyone."""
        return tuple(self.maps)

    @property
    def pairs(self) -> np.ndarray | None:
        """The two parcels of each connection, (V, 2) int32, or None where the nodes are no connections."""
        if self.parcels is None or "first" not in self.parcels:
            return None
        return self.parcels[["first", "second"]].to_numpy(np.int32)

    def nuisance(self, without: str | None = None) -> np.ndarray:
        """Return the columns that the arms are adjusted for, as `stats.nuisance`, but for one covariate."""
        covariates = self.covariates.drop(columns=without, errors="ignore") if without else self.covariates
        return stats.nuisance(len(self.arm), covariates.to_numpy(), self.strata, [str(name) for name in covariates])

    def draws(self, trial: Trial) -> stats.Allocations:
        """Return the allocations that are tried, as `stats.allocations`."""
        if self.allocation_table is not None:
            table = self.allocation_table
            return stats.tabled_allocations(self.arm, table, n_draws=trial.n_draws, seed=trial.random_seed)
        return stats.allocations(self.arm, self._blocks(), trial.n_draws, trial.random_seed)

    def _blocks(self) -> np.ndarray | None:
        """Return within what labels are exchanged: looks in their order, so that the draws of each begin as it did."""
        if self.came is None:
            return self.strata
        strata = np.full(len(self.arm), "") if self.strata is None else self.strata
        return np.array([f"{look:03d} {stratum}" for look, stratum in zip(self.came, strata, strict=True)])

    def of(self, rows: np.ndarray) -> "Sample":
        """Return what some of the participants would be compared by, by themselves."""
        return replace(
            self,
            maps={
                feature: {visit: values[rows] for visit, values in visits.items()}
                for feature, visits in self.maps.items()
            },
            arm=self.arm[rows],
            covariates=self.covariates.iloc[rows],
            strata=None if self.strata is None else self.strata[rows],
            slopes=None if self.slopes is None else self.slopes.iloc[rows],
            symptoms=self.symptoms.iloc[rows] if len(self.symptoms) else self.symptoms,
            earlier=(),
            came=None,
        )

    def save_maps(self, feature: Feature, folder: Path) -> str:
        """Save the maps of one feature by visit, as float64, in a folder; `load_maps` reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        for place, (visit, maps) in enumerate(self.maps[feature].items()):
            np.save(file_of_visit(folder, place, visit), maps)
        return str(folder)

    def maps_on_disk(self, feature: Feature, folder: Path) -> str:
        """Return the folder of the maps of one feature, for `load_maps`; save them in one of a folder if need be."""
        first = next(iter(self.maps[feature].values()))
        if isinstance(first, np.memmap):
            return str(Path(str(first.filename)).parent)
        return self.save_maps(feature, folder / feature.label)

    def without_maps(self) -> "Sample":
        """Return all but the maps."""
        return replace(self, maps={})


def load_maps(folder: Path | str) -> Maps:
    """Return the maps that `Sample.save_maps` saved: mapped into memory, and read where they are used."""
    files = sorted(Path(folder).glob(f"*_{SESSION}*.npy"))
    return {file.stem.partition(SESSION)[2] or None: np.load(file, mmap_mode="r") for file in files}


def route_flow(
    route: Route, tables: Tables, design: Design, failures: Mapping[Visit, str], min_minutes: float
) -> pd.DataFrame:
    """Return `flow.participant_flow` of a route."""
    visits = by_visit(next(iter(route.scans.values())))
    return participant_flow(tables, design, visits, failures, min_minutes)


def assemble(
    route: Route, flow: pd.DataFrame, tables: Tables, design: Design, trial: Trial, *, folder: Path | None = None
) -> Sample:
    """Load what is compared.

    Parameters
    ----------
    route : Route
    flow : DataFrame
        As from `route_flow`.
    tables : design.Tables
    design : design.Design
    trial : settings.Trial
    folder : Path, optional
        Where the maps are kept, mapped into memory: read where they are used. Without it they are in memory.

    Returns
    -------
    Sample

    Raises
    ------
    DataError
        Too few can be compared, or there is no voxel or parcel that all have.
    """
    analysed = flow[flow["analysed"]]
    arm = analysed["arm"].map(design.arms.index).to_numpy(int)
    if design.orders:
        used = replace(design.orders, used=tuple(np.unique(arm).tolist()))
        design = replace(design, orders=used)
        _require_told_apart(route, flow, used)
    else:
        _require_enough(route, flow, design, arm)
    participants = [label.removeprefix("sub-") for label in analysed["participant_id"]]
    route = _of_those(route, participants, list(design.visits.values()))
    scans = next(iter(route.scans.values()))
    mixed = _mixed(route, scans, dict(zip(participants, analysed["arm"], strict=True)), design, trial)
    parcels = None if isinstance(route, MapRoute) else read_same_nodes(route.name, scans)
    maps, kept = read_maps(route, participants, arm, design, trial.min_per_arm, folder)
    moved = trial.baseline_motion and not design.of_change  # which has nothing to do with the mean of a change
    covariates = model_covariates(tables, design, trial.covariates, analysed, adjust_motion=moved)
    sloping = slopes(tables, design, trial.slopes, participants)
    sample = Sample(
        design=design,
        maps=maps,
        arm=arm,
        covariates=covariates.table,
        strata=strata(tables, trial.strata, participants),
        slopes=sloping.table if trial.slopes else None,
        allocation_table=read_allocations(trial.allocations, participants, design) if trial.allocations else None,
        kept=kept,
        grid=_grid(route, kept) if isinstance(route, MapRoute) else None,
        parcels=None if parcels is None else parcels[kept].reset_index(drop=True),
    )
    of_scans = (*mixed, *runs_without_motion(by_visit(scans), design, participants))
    of_model = (*covariates.findings, *sloping.findings, *strata_said(tables, trial.strata, participants, design.words))
    return replace(sample, findings=(*of_scans, *of_model, *thin_places(sample, design.arms, design.words)))


def _mixed(
    route: Route, scans: Sequence[Scan], arms: Mapping[str, str], design: Design, trial: Trial
) -> tuple[Finding, ...]:
    """Refuse scans that were not made alike, and return what their sidecars say."""
    compared = [made(scan, design.given(arms[scan.participant], scan.session)) for scan in scans]
    alike = require_alike(route.name, compared, accept_mixed=trial.accept_mixed, words=design.words)
    return (*alike, *of_scans(scans))


def _require_enough(route: Route, flow: pd.DataFrame, design: Design, arm: np.ndarray) -> None:
    """Refuse arms that are too small to be compared, and say why."""
    sizes = {name: int((arm == number).sum()) for number, name in enumerate(design.arms)}
    if min(sizes.values()) < MIN_PER_ARM:
        rest = " and ".join(f"{sizes[arm]} of {arm}" for arm in design.arms if arm != design.active)
        who = f"{sizes[design.active]} participants{f' of {design.active} and {rest}' if rest else ''}"
        raise DataError(
            f"{route.name}: {who} can be compared, at least {MIN_PER_ARM}{' of each' if rest else ''} are needed. Not "
            f"analysed: {_reasons(flow)}."
        )


def _require_told_apart(route: Route, flow: pd.DataFrame, orders: PeriodOrders) -> None:
    """Refuse sequences of those who are compared that do not tell the treatments from the periods."""
    if (
        not orders.used
        or max(max(one) for one in orders.there) + 1 < len(orders.treatments)
        or not told_apart(orders.there)
    ):
        names = ", ".join(orders.names[one] for one in orders.used) or "none"
        raise DataError(
            f"{route.name}: the treatments cannot be told from the periods by the sequences of those who can be "
            f"compared ({names}). Not analysed: {_reasons(flow)}."
        )


def _reasons(flow: pd.DataFrame) -> str:
    return "; ".join(f"{reason} ({count})" for reason, count in flow["reason"].value_counts().items()) or "nobody"


def _of_those(route: Route, participants: Collection[str], sessions: Collection[str | None]) -> Route:
    """Leave out the scans that are not compared, so that their gaps cost nobody a voxel."""
    scans = {
        feature: [scan for scan in found if scan.participant in participants and scan.session in sessions]
        for feature, found in route.scans.items()
    }
    return replace(route, scans=scans)


def _grid(route: MapRoute, kept: np.ndarray) -> Nodes:
    scans = next(iter(route.scans.values()))
    images: list[Any] = [nib.load(scan.path) for scan in scans]
    if route.surface is None and not all(np.allclose(one.affine, images[0].affine, atol=1e-3) for one in images):
        raise DataError("voxels: the maps are not on one grid; give --voxel-size in mm at the participant level.")
    return grid_of(route, images[0], kept)
