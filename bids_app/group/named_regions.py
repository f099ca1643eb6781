"""Regions that are named before the data are seen (--regions): tested over all of them."""

from collections.abc import Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.bids.files import save_described
from bids_app.bids.findings import Finding
from bids_app.bids.masks import read_mask
from bids_app.errors import DataError, UsageError
from bids_app.graph.features import Feature
from bids_app.group.reading import Maps
from bids_app.group.region_values import Everyone, Region, read_regions
from bids_app.group.result_tables import TABLE_COLUMNS, compare_alone
from bids_app.group.routes import MapRoute, ParcelRoute, Route
from bids_app.group.sample import Sample
from bids_app.group.targets import GroupRun, Target
from bids_app.settings.named import NamedRegion
from bids_app.settings.roles import role_of
from bids_app.settings.settings import Trial
from bids_app.space.grid import Grid
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.outcomes import name_of

Found = tuple[np.ndarray | None, str | None]  # the nodes of a region, and a note
REGION_COLUMNS = {
    "region": "Region as named by --regions: a mask, or a parcel",
    "nodes": "Voxels of the mask, or parcels, that are compared; the value is their mean",
    **TABLE_COLUMNS,
    "p_fwe": "p corrected over all regions and measures by the maximum statistic",
}
PLANNED = "The plan names these regions."
NOT_PLANNED = "No plan that was kept to names these regions: exploratory, unless they were registered elsewhere."


def find_named(
    regions: Sequence[NamedRegion], samples: Sequence[tuple[Route, Sample]]
) -> tuple[dict[str, dict[str, np.ndarray]], tuple[Finding, ...]]:
    """Find the nodes of each region in each route.

    Parameters
    ----------
    regions : sequence of NamedRegion
    samples : list of (Route, Sample)

    Returns
    -------
    found : dict of dict of ndarray
        By the name of the route and of the region: which of the V nodes that are compared, in order.
    findings : tuple of Finding

    Raises
    ------
    UsageError
        No route has such a region.
    DataError
        None of its nodes is compared, or the image is no mask.
    """
    found, notes = {}, []
    for route, sample in samples:
        looked = {one.name: _nodes_of(route, one, sample) for one in regions}
        found[route.name] = {name: nodes for name, (nodes, _) in looked.items() if nodes is not None}
        notes += [note for _, note in looked.values() if note]
    lost = [one.name for one in regions if not any(one.name in named for named in found.values())]
    if lost:
        raise UsageError(
            f"--regions {', '.join(lost)}: a mask is given as NAME=IMAGE and needs maps of voxels; a name alone "
            f"must be that of a parcel that is compared. {_names(samples)}"
        )
    return found, tuple(Finding("Named regions", note) for note in notes)


def _names(samples: Sequence[tuple[Route, Sample]]) -> str:
    of_parcels = [(one.name, cast(pd.DataFrame, of.parcels)) for one, of in samples if isinstance(one, ParcelRoute)]
    listed = [
        f"{name[0].upper()}{name[1:]}: {', '.join(map(str, parcels['name'][:12]))}"
        f"{' ...' if len(parcels) > 12 else ''}."
        for name, parcels in of_parcels
    ]
    return " ".join(listed) or "No parcels are compared."


@singledispatch
def _nodes_of(route: Route, region: NamedRegion, sample: Sample) -> Found:
    """Return the nodes of a region, and a note; a route has none where its nodes lie nowhere."""
    return None, None


@_nodes_of.register
def _in_mask(route: MapRoute, region: NamedRegion, sample: Sample) -> Found:
    """Return which of the voxels that are compared have their centre in a mask, and a note if it had to be cut."""
    if region.mask is None or route.name != "voxels":
        return None, None
    from nilearn.image import resample_to_img  # here, for it loads scikit-learn

    called = f"--regions {region.name}: {region.mask.name}"
    inside, affine, note = read_mask(region.mask, called)
    mask = nib.Nifti1Image(inside.astype(np.uint8), affine)
    grid = cast(Grid, sample.grid)
    there = resample_to_img(mask, grid.mask_image(), interpolation="nearest", force_resample=True, copy_header=True)
    nodes = np.flatnonzero(np.asarray(there.dataobj)[grid.mask] > 0)
    if not len(nodes):
        raise DataError(f"{called}: none of its voxels is among the {grid.n_nodes} that are compared.")
    return nodes, note


@_nodes_of.register
def _of_name(route: ParcelRoute, region: NamedRegion, sample: Sample) -> Found:
    if region.mask is not None:
        return None, None
    nodes = np.flatnonzero(cast(pd.DataFrame, sample.parcels)["name"].astype(str) == region.name)
    return (nodes, None) if len(nodes) else (None, None)


def write_named(run: GroupRun, target: Target) -> Path:
    """Compare the arms in each region by each measure, with one correction over all of them.

    Parameters
    ----------
    run : targets.GroupRun
    target : targets.Target
        With the nodes of each region, as from `find_named`.

    Returns
    -------
    Path
    """
    sample, named, trial = target.sample, target.named, run.settings.trial
    pairs = [(name, feature) for name in named for feature in sample.features]
    rows = {
        "region": [name for name, _ in pairs],
        "measure": [feature.metric for _, feature in pairs],
        "edges": [feature.edges for _, feature in pairs],
        "nodes": [len(named[name]) for name, _ in pairs],
    }
    design = sample.design
    visits = {session: _means(sample.maps, session, named, pairs) for session in design.visits.values()}
    table = compare_alone(pd.DataFrame(rows), sample, visits, trial)
    path = run.path(target, "regions")
    note = PLANNED if _is_planned(trial) else NOT_PLANNED
    save_described(path, table, REGION_COLUMNS, Note=note)
    return path


def _is_planned(trial: Trial) -> bool:
    """Say whether a plan that is kept to names the regions."""
    plan = trial.plan
    if plan is None or "regions" not in plan.settled:
        return False
    outcome = None if plan.metric else name_of((plan.primary_outcomes or ("",))[0])  # one of them a plan has
    role = role_of(plan, metric=plan.metric, outcome=outcome, estimator=trial.estimator, departed=trial.departed)
    return role == "primary"


def _means(
    maps: Mapping[Feature, Maps],
    session: str | None,
    named: Mapping[str, np.ndarray],
    pairs: Sequence[tuple[str, Feature]],
) -> np.ndarray:
    """Return the (n, K) means over the nodes that a participant has; NaN for who has none."""
    known = [np.ma.masked_invalid(maps[feature][session][:, named[name]]) for name, feature in pairs]
    return np.column_stack([values.mean(axis=1).filled(np.nan) for values in known])


def region_title(region: str, feature: Feature) -> str:
    """Name the mean of a measure over a region."""
    return f"{region}: {feature.title}"


def named_of_everyone(
    route: Route, sample: Sample, named: Mapping[str, np.ndarray], everyone: Everyone
) -> dict[str, TwoVisits]:
    """Return the values in the regions of everyone randomized, a `TwoVisits` each, by region and measure."""
    place = np.flatnonzero(sample.kept)
    regions = [
        Region(name, region_title(name, feature), feature, place[nodes], name)
        for name, nodes in named.items()
        for feature in sample.features
    ]
    return read_regions(route, regions, **everyone).data()
