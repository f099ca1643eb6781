"""Everyone's values in regions: means over their nodes, visit by visit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from bids_app.bids.scans import Scan
from bids_app.errors import DataError
from bids_app.graph.features import Feature
from bids_app.group.node_values import values_of
from bids_app.group.routes import Route
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.crossed_values import many_periods
from bids_app.trial.design import BASELINES, Design
from bids_app.trial.flow import Visit, by_visit
from bids_app.trial.visit_scans import MIN_COVERAGE, too_little, weights

ROI_COLUMNS = {
    "participant_id": "Participant",
    "arm": "Arm that the participant was randomized to",
    "visit": "baseline or followup",
    "cluster": "Region where the arms differ, as it is known in every table",
    "region": "What the region is called",
    "measure": "Graph measure whose map is averaged over the region",
    "edges": "Its edge rule",
    "value": "Mean over the region of the map that is compared; n/a where there is no scan with enough data",
    "analysed": "Whether the participant is in the comparison of the maps",
}


@dataclass(frozen=True)
class Region:
    """Voxels of a cluster, or one parcel, where the arms differ.

    Attributes
    ----------
    cluster : str
        What it is known by: the feature's label and the number of the cluster, or the parcel's name.
    name : str
        What it is called: a place and the measure.
    feature : Feature
    nodes : (C,) int ndarray
        Voxels of the flattened image, or rows of the nodal tables.
    text : str
        Size, place and direction for people.
    """

    cluster: str
    name: str
    feature: Feature
    nodes: np.ndarray
    text: str


def region_means(scan: Scan, metric: str, regions: Sequence[Region]) -> np.ndarray:
    """Return the mean of a scan's values over each region, (K,), over the nodes that are known."""
    values, means = values_of(scan, metric), []
    for region in regions:
        known = values[region.nodes][np.isfinite(values[region.nodes])]
        means.append(known.mean() if len(known) else np.nan)
    return np.array(means)


def visit_means(
    scans: Sequence[Scan], metric: str, regions: Sequence[Region], visits: Sequence[Visit | None]
) -> np.ndarray:
    """Return the (n, K) means of the given visits, scans of one visit weighted by the volumes kept.

    Parameters
    ----------
    scans : list of Scan
    metric : str
    regions : list of Region
    visits : list of (str, str) or None
        Participant and session; None where there is nothing to read.
    """
    found = by_visit(scans)
    rows = np.full((len(visits), len(regions)), np.nan)
    for row, visit in enumerate(visits):
        if visit in found:
            rows[row] = weights(found[visit]) @ np.stack([region_means(s, metric, regions) for s in found[visit]])
    return rows


def usable_visits(flow: pd.DataFrame, design: Design, min_minutes: float) -> dict[str, list[Visit | None]]:
    """Say of everyone randomized which visits have a scan with enough data.

    Returns
    -------
    dict of list
        For each of the design's visits, (participant, session) or None, in the order of the flow.
    """
    visits = {}
    for visit, session in design.visits.items():
        scanned = flow[f"{visit}_scans"] > 0
        enough = ~too_little(flow[f"{visit}_minutes"], min_minutes) & ~(flow[f"{visit}_coverage"] < MIN_COVERAGE)
        participants = flow["participant_id"].str.removeprefix("sub-")
        visits[visit] = [
            (name, session) if fits else None for name, fits in zip(participants, scanned & enough, strict=True)
        ]
    return visits


class Everyone(TypedDict):
    """Everyone randomized, their usable visits and what they are adjusted for, as `read_regions` takes them."""

    flow: pd.DataFrame
    visits: dict[str, list[Visit | None]]
    covariates: pd.DataFrame
    strata: np.ndarray | None


@dataclass(frozen=True)
class RegionValues:
    """Everyone's values in the regions.

    Attributes
    ----------
    regions : list of Region
    flow : DataFrame
        Of everyone randomized to one of the two arms, the order of the n participants.
    baseline, followup : (n, K) float ndarray
        NaN where there is no scan with enough data; the baseline is None where one visit is compared by itself.
    arm : (n,) int ndarray
    covariates : DataFrame
        n rows; what the maps are adjusted for.
    strata : (n,) ndarray of str or None
    before : dict of (n, K) float ndarray
        Of a cross-over trial, the values of further periods than two, and at the baselines of the periods.
    is_change : bool
        Of `TwoVisits`.
    design : Design or None
        Of a cross-over trial of several treatments or periods, which these are.
    """

    regions: list[Region]
    flow: pd.DataFrame
    baseline: np.ndarray | None
    followup: np.ndarray
    arm: np.ndarray
    covariates: pd.DataFrame
    strata: np.ndarray | None
    before: Mapping[str, np.ndarray] = field(default_factory=dict)
    is_change: bool = False
    design: Design | None = None

    @property
    def visits(self) -> dict[str, np.ndarray]:
        """The values of each visit that is compared, in order."""
        both = {"baseline": self.baseline, "followup": self.followup}
        return {visit: values for visit, values in both.items() if values is not None} | dict(self.before)

    @property
    def analysed(self) -> np.ndarray:
        """Who is in the comparison of the maps, (n,) bool."""
        return self.flow["analysed"].to_numpy(bool)

    def data(
        self, means: Mapping[str, np.ndarray] | None = None, covariates: pd.DataFrame | None = None
    ) -> dict[str, Any]:
        """Return a `TwoVisits` per region, or of several periods a `ManyPeriods`.

        They are of these values or of others of the same participants, by visit.
        """
        means = self.visits if means is None else means
        covariates = self.covariates if covariates is None else covariates
        numbers = covariates.to_numpy(float) if len(covariates.columns) else None
        if self.design and self.design.orders:
            return {
                region.name: many_periods(
                    self.design, {visit: of[:, k] for visit, of in means.items()}, self.arm, numbers, self.strata
                )
                for k, region in enumerate(self.regions)
            }
        first, second = (means.get(name) for name in BASELINES)
        return {
            region.name: TwoVisits(
                self.arm,
                means["baseline"][:, k] if "baseline" in means else None,
                means["followup"][:, k],
                numbers,
                self.strata,
                None if first is None or second is None else first[:, k] - second[:, k],
                self.is_change,
            )
            for k, region in enumerate(self.regions)
        }


def of_regions(
    regions: list[Region], flow: pd.DataFrame, values: Mapping[str, np.ndarray], **rest: Any
) -> RegionValues:
    """Return the values of each visit, (n, K), as `RegionValues`; the rest are its covariates and strata."""
    before = {visit: of for visit, of in values.items() if visit not in ("baseline", "followup")}
    arm = flow["active"].to_numpy(int)
    return RegionValues(regions, flow, values.get("baseline"), values["followup"], arm, **rest, before=before)


def read_regions(
    route: Route,
    regions: list[Region],
    flow: pd.DataFrame,
    *,
    visits: Mapping[str, Sequence[Visit | None]],
    covariates: pd.DataFrame,
    strata: np.ndarray | None,
) -> RegionValues:
    """Read everyone's values in the regions.

    Parameters
    ----------
    route : Route
    regions : list of Region
    flow : DataFrame
        Of everyone randomized to one of the two arms; its ``active`` column says to which.
    visits : dict
        From `usable_visits`.
    covariates : DataFrame
    strata : (n,) ndarray of str or None

    Returns
    -------
    RegionValues
    """
    values = {visit: np.full((len(flow), len(regions)), np.nan) for visit in visits}
    for feature, scans in route.scans.items():
        own = [k for k, region in enumerate(regions) if region.feature == feature]
        if own:
            of_feature = [regions[k] for k in own]
            for visit, of_visit in visits.items():
                values[visit][:, own] = visit_means(scans, feature.metric, of_feature, of_visit)
    if not np.isfinite(values["followup"]).any():
        raise DataError(f"{route.name}: no value in the regions could be read.")
    return of_regions(regions, flow, values, covariates=covariates, strata=strata)


def roi_table(values: RegionValues) -> pd.DataFrame:
    """List the values of everyone, one row per participant, region and visit; columns as `ROI_COLUMNS`."""
    who, parts = values.flow["participant_id"], []
    for k, region in enumerate(values.regions):
        for visit, of_visit in values.visits.items():
            columns = {"participant_id": who, "arm": values.flow["arm"], "visit": visit}
            columns |= {"cluster": region.cluster, "region": region.name}
            columns |= {"measure": region.feature.metric, "edges": region.feature.edges}
            parts.append(pd.DataFrame({**columns, "value": of_visit[:, k], "analysed": values.analysed}))
    return pd.concat(parts, ignore_index=True)[list(ROI_COLUMNS)]
