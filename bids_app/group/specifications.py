"""By which other choices a route's scans were processed and measured, and their values in the regions."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any, cast

import numpy as np

from bids_app.bids.files import read_table
from bids_app.bids.names import Name
from bids_app.bids.result_names import PARCELLATION, label_of, read_map_desc
from bids_app.bids.scans import Scan, ScanIndex, index_scans
from bids_app.graph.features import Feature
from bids_app.graph.measures import ALL_GLOBALS, MEASURES
from bids_app.group.region_values import RegionValues, visit_means
from bids_app.group.routes import ConnectionRoute, GlobalRoute, MapRoute, Route, TableRoute, of_session
from bids_app.settings.settings import Settings
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.design import Design

Choices = tuple[tuple[str, Any], ...]  # what was chosen, as pairs of its name and value
OWN = "as here"  # how the scans of this output folder are processed


def found_specifications(settings: Settings, route: Route) -> dict[Choices, list[Scan]]:
    """List what the participant level left of the route's scans.

    Returns
    -------
    dict of list of Scan
        By the choices, as a tuple of sorted pairs: processing, metric, edges, and for maps the values (z or raw) and
        the smoothing in mm.
    """
    compared = next(iter(route.scans.values()))
    allowed: defaultdict[Any, list[Scan]] = defaultdict(list)
    for one in compared:
        allowed[Name.parse(one.path).without("stat", "desc")].append(one)
    found: dict[Choices, list[Scan]] = {}
    for processing, folder in ((OWN, settings.output_dir), *settings.trial.also):
        for pairs, scan in _left(route, index_scans(folder)):
            name = Name.parse(scan.path).without("stat", "desc")
            if name in allowed:
                key = tuple(sorted({**dict(pairs), "processing": processing}.items()))
                alike = (replace(of_session(scan, one.session), part=one.part) for one in allowed[name])
                found.setdefault(key, []).extend(alike)
    return {choices: scans for choices, scans in found.items() if len(scans) == len(compared)}


@singledispatch
def _left(route: Route, index: ScanIndex) -> Iterator[tuple[Choices, Scan]]:
    """Yield what the participant level left of a route's kind, by every choice, with what it is of."""
    for edges, scan in _tables(cast(TableRoute, route), index):
        columns = read_table(scan.path, nrows=0).columns
        for metric, measure in MEASURES.items():
            if label_of(metric) in columns and not measure.is_label:
                yield (("measure", metric), ("edges", edges)), scan


@_left.register
def _maps(route: MapRoute, index: ScanIndex) -> Iterator[tuple[Choices, Scan]]:
    for scan in index.of("boldmap", route.extension):
        metric, parts = scan.sidecar.get("Measure"), read_map_desc(scan.entities.get("desc", ""))
        if parts and metric in MEASURES and not MEASURES[metric].is_label:
            pairs = {"measure": metric, "edges": parts.edges, "values": parts.values, "smoothing": parts.fwhm}
            yield tuple(pairs.items()), scan


@_left.register
def _of_whole_graphs(route: GlobalRoute, index: ScanIndex) -> Iterator[tuple[Choices, Scan]]:
    for edges, scan in _tables(route, index):
        yield (("measure", ALL_GLOBALS.name), ("edges", edges)), scan


def _tables(route: TableRoute, index: ScanIndex) -> Iterator[tuple[str, Scan]]:
    """Yield the edge rule of each of the route's tables, and the table."""
    wanted = {key: route.entities.get(key) for key in PARCELLATION}
    for scan in index.of(route.table, ".tsv", **wanted):
        rest = scan.entities.get("desc", "").removeprefix(route.matrix)
        parts = read_map_desc(rest[:1].lower() + rest[1:])
        if parts and parts.values != "z" and not parts.fwhm:
            yield parts.edges, scan


@_left.register
def _matrices(route: ConnectionRoute, index: ScanIndex) -> Iterator[tuple[Choices, Scan]]:
    """Yield the matrices of the route."""
    ((feature, scans),) = route.scans.items()
    wanted = {key: scans[0].entities.get(key) for key in (*PARCELLATION, "desc", "stat")}
    for scan in index.of("relmat", ".tsv", **wanted):
        yield (("measure", feature.metric), ("edges", feature.edges)), scan


def primary_choices(settings: Settings, route: Route, feature: Feature) -> dict[str, Any]:
    """Return what the headline analysis of a feature chose, the estimator among it."""
    chosen = {
        "processing": OWN,
        "measure": feature.metric,
        "edges": feature.edges,
        "estimator": settings.trial.estimator,
    }
    if not isinstance(route, MapRoute):
        return chosen
    return chosen | {"values": settings.trial.map_values, "smoothing": float(settings.graph.smooth_maps)}


def reader(
    specifications: Mapping[Choices, list[Scan]], values: RegionValues, design: Design
) -> Callable[[Mapping[str, Any]], dict[str, TwoVisits]]:
    """Return what reads a specification's values in all regions, each only once, of those analysed."""
    rows = values.analysed
    names = values.flow["participant_id"].str.removeprefix("sub-")
    cache: dict[Choices, dict[str, TwoVisits]] = {}

    def read(chosen: Mapping[str, Any]) -> dict[str, TwoVisits]:
        key = tuple(chosen.items())
        if key not in cache:
            means: dict[str, np.ndarray] = {}
            for visit, session in design.visits.items():
                of_visit = [(name, session) if used else None for name, used in zip(names, rows, strict=True)]
                means[visit] = visit_means(specifications[key], chosen["measure"], values.regions, of_visit)
            cache[key] = {name: data.of(rows) for name, data in values.data(means).items()}
        return cache[key]

    return read
