"""Extent and mass of the clusters of voxels, and of the components of connections, above a threshold."""

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def cluster_statistic(z: np.ndarray, neighbours: np.ndarray, threshold: float, *, mass: bool = False) -> np.ndarray:
    r"""Give every voxel the extent or the mass of its cluster, each sign on its own.

    Clusters are the connected voxels of one sign with :math:`|z| \ge` threshold.

    Parameters
    ----------
    z : (V,) float64 ndarray
        Finite.
    neighbours : (V, K) int32 ndarray
        Neighbours of each voxel, -1 for none, each pair listed from both sides.
    threshold : float
        Positive.
    mass : bool, optional
        The sum of :math:`|z|` over the cluster, not the count of its voxels.

    Returns
    -------
    (V,) float64 ndarray
        With the signs of ``z``; 0 below the threshold.

    Raises
    ------
    ValueError
        If the threshold is not positive.

    References
    ----------
    Bullmore et al. (1999), doi:10.1109/42.750253. A threshold below z = 3.1 makes clusters that localize
    nothing: Woo et al. (2014), doi:10.1016/j.neuroimage.2013.12.058.

    Examples
    --------
    >>> row = np.array([[-1, 1], [0, 2], [1, -1]], dtype=np.int32)
    >>> cluster_statistic(np.array([4.0, 3.5, -5.0]), row, 3.1)
    array([ 2.,  2., -1.])
    >>> cluster_statistic(np.array([4.0, 3.5, -5.0]), row, 3.1, mass=True)
    array([ 7.5,  7.5, -5. ])
    """
    if not threshold > 0:
        raise ValueError(f"the cluster-forming threshold must be positive, not {threshold}")
    statistic = np.zeros_like(z)
    _spread(z, neighbours, threshold, mass, statistic)
    return statistic


@njit(cache=True, nogil=True)
def _spread(z: np.ndarray, neighbours: np.ndarray, threshold: float, mass: bool, statistic: np.ndarray) -> None:
    """Fill cluster after cluster from its first voxel."""
    members = np.empty(len(z), dtype=np.int32)
    for seed in range(len(z)):
        if abs(z[seed]) < threshold or statistic[seed] != 0.0:
            continue
        sign = 1.0 if z[seed] > 0 else -1.0
        members[0] = seed
        statistic[seed] = sign
        total, count, done = abs(z[seed]), 1, 0
        while done < count:
            voxel = members[done]
            done += 1
            for column in range(neighbours.shape[1]):
                other = neighbours[voxel, column]
                if other >= 0 and statistic[other] == 0.0 and sign * z[other] >= threshold:
                    statistic[other] = sign
                    members[count] = other
                    count += 1
                    total += abs(z[other])
        for index in range(count):
            statistic[members[index]] = sign * (total if mass else count)


def component_statistic(z: np.ndarray, pairs: np.ndarray, threshold: float, *, mass: bool = False) -> np.ndarray:
    r"""Network-based statistic: give every connection the extent or the mass of its component, each sign on its own.

    Components are the connections of one sign with :math:`|z| \ge` threshold that hang together by their nodes.

    Parameters
    ----------
    z : (V,) float64 ndarray
        Finite.
    pairs : (V, 2) int32 ndarray
        The two nodes of each connection, counted from 0.
    threshold : float
        Positive.
    mass : bool, optional
        The sum of :math:`|z|` over the component, not the count of its connections.

    Returns
    -------
    (V,) float64 ndarray
        With the signs of ``z``; 0 below the threshold.

    Raises
    ------
    ValueError
        If the threshold is not positive.

    References
    ----------
    Zalesky, Fornito & Bullmore (2010), doi:10.1016/j.neuroimage.2010.06.041.

    Examples
    --------
    Two connections share node 1; the third is negative, the fourth by itself.

    >>> pairs = np.array([[0, 1], [1, 2], [0, 2], [3, 4]], dtype=np.int32)
    >>> component_statistic(np.array([4.0, 3.5, -5.0, 6.0]), pairs, 3.1)
    array([ 2.,  2., -1.,  1.])
    """
    if not threshold > 0:
        raise ValueError(f"the threshold that forms components must be positive, not {threshold}")
    statistic = np.zeros_like(z)
    for sign in (1.0, -1.0):
        beyond = np.flatnonzero(sign * z >= threshold)
        ends = pairs[beyond]
        shape = (int(pairs.max(initial=-1)) + 1,) * 2
        labels = connected_components(coo_matrix((np.ones(len(beyond)), ends.T), shape=shape), directed=False)[1]
        own = labels[ends[:, 0]]
        sizes = np.bincount(own, weights=np.abs(z[beyond]) if mass else None, minlength=1)
        statistic[beyond] = sign * sizes[own]
    return statistic
