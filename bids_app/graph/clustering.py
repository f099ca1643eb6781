"""Clustering coefficients from the sums that the voxel and the parcel route both arrive at."""

import numpy as np


def binary_clustering(degree, common):
    """Fraction of the pairs of neighbours that are joined [1]_.

    C_i = sum_j a_ij c_ij / (k_i (k_i - 1)), with c_ij the common neighbours of i and j; 0 where k_i < 2.

    Parameters
    ----------
    degree : (N,) float64 ndarray
        Number of neighbours, k.
    common : (N,) float64 ndarray
        Common neighbours summed over the edges of each node: twice its triangles.

    Returns
    -------
    (N,) float64 ndarray
        In [0, 1].

    References
    ----------
    .. [1] Watts & Strogatz 1998, doi:10.1038/30918

    Examples
    --------
    A triangle with a pendant on its last corner, and the pendant.

    >>> binary_clustering(np.array([2.0, 2, 3, 1]), np.array([2.0, 2, 2, 0])).round(3)
    array([1.   , 1.   , 0.333, 0.   ])
    """
    return _ratio(common, degree * (degree - 1))


def weighted_clustering(degree, strength, weighted_common):
    """Clustering in which a pair of neighbours counts by the mean weight of its two edges to the node [1]_.

    C_i = sum_j a_ij w_ij c_ij / (s_i (k_i - 1)), with c_ij the common neighbours of i and j; 0 where k_i < 2.

    Parameters
    ----------
    degree : (N,) float64 ndarray
        Number of neighbours, k.
    strength : (N,) float64 ndarray
        Sum of the weights of the edges of each node, s.
    weighted_common : (N,) float64 ndarray
        Common neighbours times weight, summed over the edges of each node.

    Returns
    -------
    (N,) float64 ndarray
        In [0, 1].

    References
    ----------
    .. [1] Barrat et al. 2004, doi:10.1073/pnas.0400087101

    Examples
    --------
    Two edges of weight 0.9 and 0.5 close a triangle, a third of weight 0.6 is a pendant:
    (0.9 * 1 + 0.5 * 1 + 0.6 * 0) / (2 * 2) = 0.35; without the weights it would be 1/3.

    >>> weighted_clustering(np.array([3.0]), np.array([2.0]), np.array([1.4]))
    array([0.35])
    """
    return _ratio(weighted_common, strength * (degree - 1))


def _ratio(numerator, denominator):
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
