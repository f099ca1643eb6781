"""Parcels: their names and time series, from an atlas laid over the nodes or from another tool's table."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.runs import BoldRun
from bids_app.bids.scan_facts import SERIES_RECEIVED, Cleaning, Origin, ScanFacts, Volumes
from bids_app.bids.series_runs import SeriesRun
from bids_app.bids.timing import repetition_time
from bids_app.errors import DataError
from bids_app.graph import parcel_matrix
from bids_app.participant.correlations import Correlations
from bids_app.participant.received import Received, read_received
from bids_app.participant.series_table import SeriesTable, read_series
from bids_app.space.atlas import Atlas
from bids_app.space.atlas_labels import unique_names

logger = logging.getLogger("bids_app")

MIN_COVERAGE = 0.5
MIN_VOLUMES = 20


@dataclass(frozen=True)
class Parcels:
    """The parcels of one scan.

    Attributes
    ----------
    entities : dict
        What the scan's outputs are named by.
    table : DataFrame
        index, name and coverage of each of the P parcels.
    series : (P, T) float64 ndarray or None
        NaN rows for parcels without enough signal. None where another tool left a matrix alone.
    facts : ScanFacts
    coordinates : (P, 3) float64 ndarray or None
        Centre of each parcel's nodes, mm; NaN without nodes.
    networks : (P,) object ndarray or None
        Network of each parcel by name, None for none.
    received : Correlations or None
        In place of series.
    """

    entities: dict[str, str]
    table: pd.DataFrame
    series: np.ndarray | None
    facts: ScanFacts
    coordinates: np.ndarray | None = None
    networks: np.ndarray | None = None
    received: Correlations | None = None

    def matrix(self, kind: str) -> np.ndarray:
        """Return how strongly every pair of parcels goes together, (P, P), as `graph.parcel_matrix`."""
        if self.received is not None:
            return self.received.as_kind(kind)
        return parcel_matrix(np.asarray(self.series), kind)


def places_of(coordinates: Mapping[str, Sequence[float]] | None, names: Sequence[str]) -> np.ndarray | None:
    """Return the centres of parcels in mm, (P, 3), or None unless every one is known."""
    if coordinates is None or not set(names) <= set(coordinates):
        return None
    return np.array([coordinates[name] for name in names], dtype=np.float64)


def average_parcels(atlas: Atlas, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average the nodes of each parcel; the maps of a probabilistic atlas are fitted to each volume together.

    Parameters
    ----------
    atlas : Atlas
    series : (N, T) ndarray
        NaN rows have no signal.

    Returns
    -------
    means : (P, T) float64 ndarray
        NaN where less than half of the parcel's nodes, or of its map's weight, have a signal.
    coverage : (P,) float64 ndarray
        Share of the parcel's nodes in the analysis mask, or of its map's weight, that has a signal; 0 if there is
        nothing of it.

    Notes
    -----
    Maps overlap, so that weighted means would mix what they are meant to tell apart: each volume is regressed on all
    maps at once, as in the first step of dual regression (Nickerson et al. 2017, doi:10.3389/fnins.2017.00115).
    """
    alive = np.isfinite(series).all(axis=1)
    if atlas.maps is not None:
        return _fit_maps(atlas.maps, series, alive)
    n_parcels = len(atlas.parcels)
    means, coverage = np.full((n_parcels, series.shape[1]), np.nan), np.zeros(n_parcels)
    for parcel in range(n_parcels):
        nodes = atlas.of_node == parcel
        if nodes.any():
            coverage[parcel] = alive[nodes].mean()
        if coverage[parcel] >= MIN_COVERAGE:
            means[parcel] = series[nodes & alive].mean(axis=0, dtype=np.float64)
    return means, coverage


def _fit_maps(maps: Any, series: np.ndarray, alive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights = abs(maps)
    total = np.asarray(weights.sum(axis=1)).ravel()
    seen = np.asarray(weights[:, alive].sum(axis=1)).ravel()
    coverage = np.divide(seen, total, out=np.zeros(len(total)), where=total > 0)
    enough = coverage >= MIN_COVERAGE
    means = np.full((len(total), series.shape[1]), np.nan)
    regressors = maps[enough][:, alive].toarray().T.astype(np.float64)
    means[enough] = np.linalg.lstsq(regressors, series[alive].astype(np.float64), rcond=None)[0]
    return means, coverage


def atlas_parcels(run: BoldRun, series: np.ndarray, atlas: Atlas, facts: ScanFacts) -> Parcels:
    """Return the parcels of a cleaned BOLD run."""
    means, coverage = average_parcels(atlas, series)
    entities = {**{key: value for key, value in run.entities.items() if key != "res"}, **atlas.entities}
    networks = atlas.parcels["network"].astype(object) if "network" in atlas.parcels else None
    return Parcels(
        entities,
        atlas.parcels[["index", "name"]].assign(coverage=coverage),
        means,
        facts,
        atlas.coordinates,
        None if networks is None else networks.where(networks.notna(), None).to_numpy(),
    )


def table_parcels(run: SeriesRun) -> Parcels:
    """Read the parcels that another tool extracted and cleaned: a table with a column per parcel.

    Rows without any value are censored volumes and are dropped; columns without any are parcels
    without a signal. What is no parcel is left out as `series_table.read_series` says, and stands in the facts.

    Raises
    ------
    DataError
        As `series_table.read_series`; values missing here and there, or hardly any volume.
    """
    path = run.timeseries
    table = read_series(path)
    received = read_received(path.name, len(table.there), run.motion, run.outliers, run.flagged_above)
    values = _with_signal(path.name, table.values[received.kept[table.there]])
    index = pd.Series(np.arange(1, values.shape[1] + 1))
    names = unique_names(pd.Series(table.names, dtype=str), index)
    coverage = np.where(np.isnan(values[0]), 0.0, 1.0)
    volumes = _volumes(run, table, received, kept=len(values))
    for sentence in table.said:
        logger.warning("%s", sentence)
    facts = ScanFacts(
        origin=Origin.here(run.label, run.sources),
        volumes=volumes,
        cleaning=Cleaning(denoising=SERIES_RECEIVED),
        warnings=[sentence for sentence in (*table.said, run.note) if sentence] or None,
    )
    parcels = pd.DataFrame({"index": index, "name": names, "coverage": coverage})
    return Parcels(dict(run.entities), parcels, values.T, facts, places_of(run.coordinates, list(names)))


def _with_signal(name: str, values: np.ndarray) -> np.ndarray:
    """Return (T, P) values with NaN for parcels whose series is constant, or refuse what holds too little signal."""
    absent = np.isnan(values).all(axis=0)
    if np.isnan(values[:, ~absent]).any():
        raise DataError(f"{name}: values are missing here and there; a parcel has all or none.")
    constant = ~absent & (np.ptp(values, axis=0) == 0) if len(values) else absent
    n_volumes, n_parcels = values.shape
    found = np.where(constant, np.nan, values)
    if n_volumes < MIN_VOLUMES or np.isnan(found).all():
        raise DataError(f"{name}: {n_volumes} volumes of {n_parcels} parcels hold too little signal.")
    return found


def _volumes(run: SeriesRun, table: SeriesTable, received: Received, *, kept: int) -> Volumes:
    """Say how many volumes there were and are, how long they last, and how much the head moved in them."""
    told = table.seconds if run.repetition_time is None else run.repetition_time
    seconds = repetition_time(run.timeseries.name, told, None).seconds if told is not None else None
    known = received.displacement[np.isfinite(received.displacement)]
    return Volumes(
        repetition_time=seconds,
        censoring=received.censoring,
        total=len(table.there),
        kept=kept,
        minutes_kept=kept * seconds / 60 if seconds else None,
        mean_displacement=float(known.mean()) if known.size else run.mean_displacement,
    )
