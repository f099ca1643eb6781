"""Matrices of correlations that other tools left, of scans of which there is nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from bids_app.bids.names import known_entities, scan_label
from bids_app.bids.result_names import MATRIX_STATS
from bids_app.bids.selection import Found, of_one, one_hash, prefer_rest, refuse_duplicates, without_concatenations
from bids_app.settings.settings import Selection

KIND_OF = {stat: kind for kind, stat in MATRIX_STATS.items()}
PARCELLATION = ("atlas", "seg", "scale", "space", "cohort", "res", "den", "desc")


def region_label(entities: Mapping[str, str]) -> str:
    """Name what there is of a scan's regions, for people: the scan, and which regions."""
    return " ".join([scan_label(entities), *(entities[key] for key in PARCELLATION if key in entities)])


@dataclass(frozen=True)
class MatrixRun:
    """One matrix of correlations of regions, without their series.

    Attributes
    ----------
    kind : str
        Key of `graph.MATRICES`: which correlation it is.
    coordinates : dict of str to sequence of float, or None
        Centres of the regions by name, mm.
    """

    entities: dict[str, str]
    matrix: Path
    kind: str
    sources: tuple[str, ...]
    _: KW_ONLY
    reason: str = "there are no series of it"
    coordinates: Mapping[str, Sequence[float]] | None = None

    @property
    def label(self) -> str:
        """The run's name for people."""
        return region_label(self.entities)


def matrix_runs(found: Iterable[Found], others: Iterable[Any], selection: Selection) -> list[MatrixRun]:
    """Choose the matrices of scans that have neither an image nor series among the other runs.

    Parameters
    ----------
    found : list of tuple
        Name, path, dataset and sidecars of every ``_relmat.tsv``.
    others : list of BoldRun or SeriesRun
    selection : Selection

    Notes
    -----
    Of several correlations of one scan the one is read that stands first in `MATRIX_STATS`; of Fisher's z and r, r.
    """
    there = {scan_label(run.entities) for run in others}
    known = [item for item in found if item[0].entities.get("stat") in KIND_OF]
    known = [item for item in known if {"atlas", "seg"} & set(item[0].entities)]
    known = [item for item in known if scan_label(item[0].entities) not in there]
    if selection.space:
        known = [item for item in known if item[0].entities.get("space", selection.space) == selection.space]
    order = {stat: place for place, stat in enumerate(KIND_OF)}
    known.sort(key=lambda item: order[item[0].entities["stat"]], reverse=True)
    known = list({(item[0].without("stat"), item[2].name): item for item in known}.values())  # the first comes last
    known = of_one("task", selection.task, known, prefer_rest) if known else []
    known = without_concatenations(one_hash(known))
    refuse_duplicates(known)
    return [_run(*item) for item in known]


def _run(name: Any, path: Path, dataset: Any, sidecars: Any) -> MatrixRun:
    entities = known_entities({key: value for key, value in name.entities.items() if key != "stat"})
    places = coordinates_in(sidecars.metadata(path))
    return MatrixRun(entities, path, KIND_OF[name.entities["stat"]], (dataset.uri(path),), coordinates=places)


def coordinates_in(sidecar: Mapping[str, Any]) -> Mapping[str, Sequence[float]] | None:
    """Return the centres of regions by name as a sidecar of `trialgraph import` has them, or None."""
    places = sidecar.get("RegionCoordinates")
    good = isinstance(places, dict) and all(isinstance(one, list) and len(one) == 3 for one in places.values())
    return places if good else None
