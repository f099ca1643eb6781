"""Where a cluster lies: the labels of an atlas at its peak and over its voxels."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.errors import UsageError
from bids_app.graph.features import Feature, short_titles
from bids_app.settings.atlas_source import AtlasSource, find_atlas
from bids_app.space.atlas import Atlas, read_atlas
from bids_app.space.atlas_names import source_entities
from bids_app.space.grid import Grid, Nodes
from bids_app.space.places import Place, atlas_words, nearest_sphere, sentence

NOWHERE, AAL = "none", "AAL"
NAME_COLUMNS = {
    "cluster": "What the cluster is known by in every table and, after its number, in the image of the clusters",
    "region": "What it is called: a place, which is a label and nothing that was computed on, and the measure",
    "named_by": "What the place was named by, at the cluster's peak",
    "named_mm": "How far from the peak that is, mm; n/a for the label of an atlas",
}


@dataclass(frozen=True)
class Anatomy:
    """The labels of a cluster.

    Attributes
    ----------
    peak : str
        Label at the peak, ``none`` outside the atlas.
    nearest : str
        Label of the cluster's voxel nearest to the peak that has one, for a peak outside; else as ``peak``.
    shares : tuple of (str, float)
        Labels and their percentages of the cluster, from large to small, ``none`` last.
    """

    peak: str
    nearest: str
    shares: tuple[tuple[str, float], ...]

    def text(self, minimum: float = 5.0) -> str:
        """Return the percentages for people; labels below ``minimum`` percent are summed as others.

        Examples
        --------
        >>> Anatomy("a", "a", (("a", 62.0), ("b", 28.0), ("c", 2.0), ("none", 8.0))).text()
        'a 62 %; b 28 %; others 2 %; none 8 %'
        """
        labelled = [(name, share) for name, share in self.shares if name != NOWHERE]
        shown = [part for rank, part in enumerate(labelled) if part[1] >= minimum or rank == 0]
        rest = sum(share for _, share in labelled[len(shown) :])
        parts = [*shown, *([("others", rest)] if rest else []), *(s for s in self.shares if s[0] == NOWHERE)]
        return "; ".join(f"{name} {_percent(share)} %" for name, share in parts)


def _percent(share: float) -> str:
    return f"{share:.0f}" if share >= 0.5 else "<1"


def cluster_anatomy(
    nodes: np.ndarray, peak: int, of_node: np.ndarray, names: Sequence[str], coordinates: np.ndarray | None = None
) -> Anatomy:
    """Label a cluster.

    Parameters
    ----------
    nodes : (C,) int ndarray
        The cluster's nodes, as `stats.Cluster` has them.
    peak : int
        One of the nodes.
    of_node : (N,) int ndarray
        Position in ``names`` of each node's label, -1 for none, as `parcel_series.Atlas` has them.
    names : sequence of str
    coordinates : (N, 3) float ndarray, optional
        In mm; to name the label nearest to a peak outside the atlas.

    Returns
    -------
    Anatomy

    Examples
    --------
    >>> cluster_anatomy(np.array([0, 1, 2, 3]), 0, np.array([1, 1, 0, -1, 0]), ["Angular_L", "Parietal_Inf_L"]).shares
    (('Parietal_Inf_L', 50.0), ('Angular_L', 25.0), ('none', 25.0))
    """
    labels = np.asarray(of_node)[nodes]
    found, counts = np.unique(labels[labels >= 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shares = [(str(names[found[place]]), 100 * counts[place] / len(nodes)) for place in order]
    if (outside := np.mean(labels < 0)) > 0:
        shares.append((NOWHERE, 100 * outside))
    label = str(names[of_node[peak]]) if of_node[peak] >= 0 else NOWHERE
    nearest = _nearest(nodes, peak, labels, names, coordinates) if label == NOWHERE else label
    return Anatomy(label, nearest, tuple((name, float(share)) for name, share in shares))


def _nearest(
    nodes: np.ndarray, peak: int, labels: np.ndarray, names: Sequence[str], coordinates: np.ndarray | None
) -> str:
    if coordinates is None or not (labels >= 0).any():
        return NOWHERE
    labelled = np.asarray(nodes)[labels >= 0]
    distances = np.linalg.norm(np.asarray(coordinates)[labelled] - np.asarray(coordinates)[peak], axis=1)
    return str(names[labels[labels >= 0][np.argmin(distances)]])


def label_columns(
    clusters: Sequence[stats.Cluster], of_node: np.ndarray, names: Sequence[str], coordinates: np.ndarray | None = None
) -> dict[str, list[str]]:
    """Label every cluster of a table.

    Parameters
    ----------
    clusters : list of stats.Cluster
        In the order of the table's rows.
    of_node, names, coordinates
        As of `cluster_anatomy`.

    Returns
    -------
    dict of list of str
        ``peak_label`` and ``labels``, columns as `ANATOMY_COLUMNS` describes them.
    """
    found = [cluster_anatomy(cluster.nodes, cluster.peak, of_node, names, coordinates) for cluster in clusters]
    return {"peak_label": [_peak(anatomy) for anatomy in found], "labels": [anatomy.text() for anatomy in found]}


def _peak(anatomy: Anatomy) -> str:
    return anatomy.peak if anatomy.peak == anatomy.nearest else f"{NOWHERE} (nearest: {anatomy.nearest})"


ANATOMY_COLUMNS = {
    "peak_label": "Label of the atlas at the peak; if it has none, the nearest in the cluster",
    "labels": "Percentages of the cluster's voxels per label of the atlas",
}


def with_anatomy(clusters: Sequence[stats.Cluster], grid: Nodes, atlases: Mapping[AtlasSource, Atlas]) -> pd.DataFrame:
    """Label every cluster of a table by every atlas.

    Parameters
    ----------
    clusters : list of stats.Cluster
        In the order of the table's rows; their nodes are those of the grid.
    grid : Grid or Surface
    atlases : dict of Atlas
        Laid over the grid.

    Returns
    -------
    DataFrame
        A row per cluster, columns as `anatomy_columns`.
    """
    columns: dict[str, list[str]] = {}
    for atlas, suffix in zip(atlases.values(), _suffixes(atlases), strict=True):
        names = atlas.parcels["name"].astype(str).tolist()
        labels = label_columns(clusters, atlas.of_node, names, grid.coordinates)
        columns |= {f"{name}{suffix}": values for name, values in labels.items()}
    return pd.DataFrame(columns, index=range(len(clusters)), dtype=object)


def anatomy_columns(atlases: Collection[AtlasSource]) -> dict[str, str]:
    """Describe the columns of `with_anatomy`; with several atlases each has columns of its own."""
    described: dict[str, str] = {}
    for path, suffix in zip(atlases, _suffixes(atlases), strict=True):
        described |= {f"{name}{suffix}": f"{text} ({path})" for name, text in ANATOMY_COLUMNS.items()}
    return described


def _suffixes(atlases: Collection[AtlasSource]) -> list[str]:
    if len(atlases) < 2:
        return [""] * len(atlases)
    return ["_" + "".join(source_entities(path).values()) for path in atlases]


def cluster_places(
    clusters: Sequence[stats.Cluster], grid: Nodes, atlases: Iterable[Atlas], space: str | None = None
) -> list[Place]:
    """Name every cluster by the first that has a label there: the given atlases, AAL where it is installed, spheres.

    Parameters
    ----------
    clusters, grid
        As of `with_anatomy`.
    atlases : iterable of Atlas
        Laid over the grid.
    space : str, optional
        Of the grid.

    Returns
    -------
    list of Place
    """
    found: list[Place | None] = [None] * len(clusters)
    for atlas in atlases:
        found = [place or own for place, own in zip(found, _places_by(atlas, clusters, grid), strict=True)]
    for source in _installed(grid) if None in found else []:
        by_aal = _places_by(read_atlas(source, grid, space), clusters, grid)
        found = [place or own for place, own in zip(found, by_aal, strict=True)]
    peaks = [grid.coordinates[cluster.peak] for cluster in clusters]
    return [place or nearest_sphere(peak, space) for place, peak in zip(found, peaks, strict=True)]


def _places_by(atlas: Atlas, clusters: Sequence[stats.Cluster], grid: Nodes) -> list[Place | None]:
    """Name every cluster as an atlas has it, AAL in whole words; None where it has no label."""
    names, by = atlas.parcels["name"].astype(str).tolist(), "".join(atlas.entities.values())
    found = (cluster_anatomy(one.nodes, one.peak, atlas.of_node, names, grid.coordinates) for one in clusters)
    return [None if one.nearest == NOWHERE else Place(_in_words(one.nearest, by), by) for one in found]


def _in_words(label: str, by: str) -> str:
    return sentence(atlas_words(label)) if by == AAL else label


def _installed(grid: Nodes) -> list[AtlasSource]:
    """Return AAL for voxels where its file is there."""
    try:
        return [find_atlas(AAL.lower())] if isinstance(grid, Grid) else []
    except UsageError:
        return []


def region_names(places: Sequence[str], features: Sequence[Feature], among: Sequence[Feature]) -> list[str]:
    """Return what regions are called: the place and the measure, and a number where several would be called alike.

    Parameters
    ----------
    places : sequence of str
    features : sequence of Feature
        Of each region.
    among : sequence of Feature
        All that are compared: a measure of several edge rules is told apart by them.

    Examples
    --------
    >>> degree = Feature("degree", "r025")
    >>> region_names(["Left insula", "Left insula", "Right insula"], [degree] * 3, [degree])
    ['Left insula 1 (degree)', 'Left insula 2 (degree)', 'Right insula (degree)']
    """
    pairs, titles, names = list(zip(places, features, strict=True)), short_titles(among), []
    for k, (place, feature) in enumerate(pairs):
        number = f" {pairs[: k + 1].count((place, feature))}" if pairs.count((place, feature)) > 1 else ""
        names.append(f"{place}{number} ({titles[feature]})")
    return names
