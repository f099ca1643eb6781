"""Series of parcels that another tool extracted and cleaned: which of its files are read."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from bids_app.bids.companions import Companions, flagged_above, the_one
from bids_app.bids.matrix_runs import coordinates_in, region_label
from bids_app.bids.names import Key, Name, known_entities
from bids_app.bids.pipelines import left_in, of_series, tool_of
from bids_app.bids.selection import (
    SPATIAL,
    Found,
    of_one,
    one_hash,
    prefer_rest,
    refuse_duplicates,
    without_concatenations,
)
from bids_app.bids.variants import MARKS, in_space, one_of
from bids_app.settings.settings import Settings

logger = logging.getLogger(__name__)

FORMATS = (".tsv", ".ptseries.nii", ".1D")  # the first of them that there is of the same series


@dataclass(frozen=True)
class SeriesRun:
    """One table of parcel time series that another tool extracted and cleaned."""

    entities: dict[str, str]
    timeseries: Path
    repetition_time: object  # as the sidecar has it; `timing.repetition_time` checks it where the run is read
    sources: tuple[str, ...]
    _: KW_ONLY
    reason: str = "the only one"
    motion: Path | None = None
    outliers: Path | None = None
    flagged_above: float | None = None  # in mm, where the outliers are those of several thresholds
    mean_displacement: float | None = None  # in mm, as the sidecar says it
    note: str = ""  # what is odd about the sidecar, or still in the series, as a sentence
    coordinates: Mapping[str, Sequence[float]] | None = None

    @property
    def label(self) -> str:
        """The run's name for people."""
        return region_label(self.entities)


def series_runs(found: list[Found], companions: Mapping[str, Companions], settings: Settings) -> list[SeriesRun]:
    """Choose among tables of series.

    Parameters
    ----------
    found : list of tuple
        Name, path, dataset and sidecars of whatever has the suffix of series; their names are settled.
    companions : dict of Companions
        By the name of the dataset.
    settings : Settings
    """
    found = [item for item in found if {"atlas", "seg"} & set(item[0].entities)]
    found = [item for item in found if item[0].entities.get("stat", "mean") == "mean"]
    found = in_space(found, settings.selection.space)
    found = of_one("task", settings.selection.task, found, prefer_rest)
    for mark in MARKS:
        one_of(found, mark, "timeseries")
    found = without_concatenations(one_hash(_of_best_format(found)))
    refuse_duplicates(found)
    return [_run(*item, companions[item[2].name], settings.signal.fd_threshold) for item in found]


def _of_best_format(found: Sequence[Found]) -> list[Found]:
    """Keep one file of series that a tool writes in several formats."""
    best: dict[tuple[Key, str], Found] = {}
    for item in sorted(found, key=lambda item: FORMATS.index(item[0].extension)):
        kept = best.setdefault((item[0].without("den"), item[2].name), item)
        if kept is not item:
            logger.info("%s is left out: %s has the same series.", item[1].name, kept[1].name)
    return [item for item in found if item in best.values()]


def _run(name: Name, path: Path, dataset: Any, sidecars: Any, companions: Companions, fd_threshold: float) -> SeriesRun:
    tool, told = tool_of(dataset), sidecars.metadata(path)
    own = name.without("desc", "stat", "atlas", "seg", "scale", *MARKS, *SPATIAL)
    tables = [one for one in companions.confounds.get(own, []) if one.name.endswith("_motion.tsv")]
    motion = the_one("motion table", path, tables)
    flags = the_one("table of outliers", path, companions.outliers.get(own, []))
    entities = known_entities({key: value for key, value in name.entities.items() if key != "stat"})
    said = of_series(tool, path.name, told)
    kept = left_in(tool, name, path.name, told, flagged=flags is not None, table=True)
    return SeriesRun(
        entities,
        path,
        said.repetition_time,
        tuple(dataset.uri(source) for source in (path, motion, flags) if source),
        motion=motion,
        outliers=flags,
        flagged_above=flagged_above(flags, fd_threshold),
        mean_displacement=said.mean_displacement,
        note=" ".join(one for one in (said.note, kept) if one),
        coordinates=coordinates_in(told),
    )
