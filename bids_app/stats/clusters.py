"""Connected sets of significant voxels, or of connections."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class Cluster:
    """Connected significant voxels of one sign.

    Attributes
    ----------
    nodes : (C,) int64 ndarray
        Indices of the voxels, ascending.
    peak : int
        Voxel with the largest magnitude of the statistic.
    sign : {1, -1}
        1 where arm 1 has more.
    """

    nodes: np.ndarray
    peak: int
    sign: int


def find_clusters(
    p_fwe: np.ndarray, statistic: np.ndarray, neighbours: np.ndarray, alpha: float = 0.05
) -> list[Cluster]:
    """Group the significant voxels into connected clusters, each sign on its own.

    Parameters
    ----------
    p_fwe : (V,) float ndarray
        Corrected p-values.
    statistic : (V,) float ndarray
        Signed; the clusters describe where it is significant, they carry no p-value of their own.
    neighbours : (V, K) int32 ndarray
        Neighbours of each voxel, -1 for none.
    alpha : float, optional
        Voxels with ``p_fwe <= alpha`` are significant.

    Returns
    -------
    list of Cluster
        By p-value of the peak, then from large to small.

    Examples
    --------
    >>> row = np.array([[-1, 1], [0, 2], [1, -1]], dtype=np.int32)
    >>> [cluster.nodes.tolist() for cluster in find_clusters(np.full(3, 0.01), np.array([2, 3, -4]), row)]
    [[0, 1], [2]]
    """
    sign = np.where(p_fwe <= alpha, np.sign(statistic), 0).astype(int)
    start, column = np.nonzero(neighbours >= 0)
    end = neighbours[start, column]
    alike = (sign[start] == sign[end]) & (sign[start] != 0)
    links = coo_array((np.ones(alike.sum()), (start[alike], end[alike])), shape=(len(sign), len(sign)))
    labels = connected_components(links, directed=False)[1]
    return _by_label(labels, p_fwe, statistic, sign)


def find_components(p_fwe: np.ndarray, statistic: np.ndarray, pairs: np.ndarray, alpha: float = 0.05) -> list[Cluster]:
    """Group the significant connections into components that hang together by their nodes, each sign on its own.

    Parameters
    ----------
    p_fwe : (V,) float ndarray
        Corrected p-values.
    statistic : (V,) float ndarray
        Signed.
    pairs : (V, 2) int ndarray
        The two nodes of each connection, counted from 0.
    alpha : float, optional
        Connections with ``p_fwe <= alpha`` are significant.

    Returns
    -------
    list of Cluster
        Of connections, as `find_clusters`.

    Examples
    --------
    >>> pairs = np.array([[0, 1], [1, 2], [0, 2], [3, 4]])
    >>> found = find_components(np.full(4, 0.01), np.array([2, 3, -4, 1]), pairs)
    >>> [component.nodes.tolist() for component in found]
    [[0, 1], [3], [2]]
    """
    sign = np.where(p_fwe <= alpha, np.sign(statistic), 0).astype(int)
    n_nodes = int(pairs.max(initial=-1)) + 1
    ends = pairs + np.where(sign > 0, 0, n_nodes)[:, np.newaxis]  # nodes once for each sign
    some = ends[sign != 0]
    links = coo_array((np.ones(len(some)), some.T), shape=(2 * n_nodes, 2 * n_nodes))
    labels = connected_components(links, directed=False)[1][ends[:, 0]] if n_nodes else np.zeros(0, int)
    return _by_label(labels, p_fwe, statistic, sign)


def _by_label(labels: np.ndarray, p_fwe: np.ndarray, statistic: np.ndarray, sign: np.ndarray) -> list[Cluster]:
    significant = np.flatnonzero(sign)
    members = (significant[labels[significant] == label] for label in np.unique(labels[significant]))
    clusters = [_cluster(nodes, statistic, sign) for nodes in members]
    return sorted(clusters, key=lambda cluster: (p_fwe[cluster.peak], -len(cluster.nodes)))


def _cluster(nodes: np.ndarray, statistic: np.ndarray, sign: np.ndarray) -> Cluster:
    peak = int(nodes[np.argmax(np.abs(statistic[nodes]))])
    return Cluster(nodes, peak, int(sign[peak]))
