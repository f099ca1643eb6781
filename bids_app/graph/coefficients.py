"""Nodal measures from the sums that the voxel and the parcel route both arrive at."""

import numpy as np

NO_PAIR = 1e-10  # what rounding leaves of the weights of a node that has fewer than two


def binary_clustering(degree: np.ndarray, common: np.ndarray) -> np.ndarray:
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


def weighted_clustering(degree: np.ndarray, strength: np.ndarray, weighted_common: np.ndarray) -> np.ndarray:
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


def onnela_clustering(degree: np.ndarray, cube_roots: np.ndarray) -> np.ndarray:
    """Mean over the pairs of neighbours of the geometric mean of the triangle's weights [1]_.

    C_i = sum_jh (w_ij w_ih w_jh)^(1/3) / (k_i (k_i - 1)); 0 where k_i < 2. Weights in [0, 1] are taken as they are:
    to divide by a graph's own largest weight would put a factor of each participant's into a comparison.

    Parameters
    ----------
    degree : (N,) float64 ndarray
    cube_roots : (N,) float64 ndarray
        Cube roots of the products of weights, summed over the ordered pairs of neighbours.

    Returns
    -------
    (N,) float64 ndarray
        In [0, 1].

    References
    ----------
    .. [1] Onnela et al. 2005, doi:10.1103/PhysRevE.71.065103

    Examples
    --------
    Two of three neighbours are joined, all weights 0.5: 2 * 0.5 / (3 * 2).

    >>> onnela_clustering(np.array([3.0]), np.array([1.0])).round(3)
    array([0.167])
    """
    return _ratio(cube_roots, degree * (degree - 1))


def product_clustering(triangles: np.ndarray, magnitudes: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Clustering of a graph whose every pair has a weight, by products of weights.

    C_i = sum_jh w_ij w_ih w_jh / ((sum_j |w_ij|)² - sum_j w_ij²), with no self-connections; 0 below two weights.
    Zhang & Horvath (2005), doi:10.2202/1544-6115.1128; Costantini & Perugini (2014), doi:10.1371/journal.pone.0088669.

    Parameters
    ----------
    triangles : (N,) ndarray
        Products w_ij w_jh w_hi summed over the ordered pairs of j and h, the diagonal of the cube of the weights.
    magnitudes, squares : (N,) ndarray
        Sums of the absolute and of the squared weights of each node.

    Returns
    -------
    (N,) float64 ndarray
        In [-1, 1]; in [0, 1] where no weight is negative.

    Examples
    --------
    Three nodes whose pairs have the weights 0.5, -0.5 and -0.5: 2 * 0.125 / (1 - 2 * 0.25).

    >>> product_clustering(np.full(3, 0.25), np.full(3, 1.0), np.full(3, 0.5))
    array([0.5, 0.5, 0.5])
    """
    pairs = magnitudes**2 - squares
    if len(pairs) < 3:
        return np.zeros(len(pairs))
    return np.clip(_ratio(triangles, np.where(pairs > NO_PAIR, pairs, 0)), -1, 1)


def efficiency(inverse_lengths: np.ndarray, n_nodes: int) -> np.ndarray:
    """Mean inverse length of the shortest paths to all others [1]_, those that cannot be reached adding 0.

    Parameters
    ----------
    inverse_lengths : (N,) float64 ndarray
        Sum of 1/d over the nodes that can be reached.
    n_nodes : int

    Returns
    -------
    (N,) float64 ndarray
        In [0, 1]; 0 for a graph of one node.

    References
    ----------
    .. [1] Latora & Marchiori 2001, doi:10.1103/PhysRevLett.87.198701

    Examples
    --------
    The end and the middle of a path of three nodes.

    >>> efficiency(np.array([1.5, 2.0]), 3)
    array([0.75, 1.  ])
    """
    return inverse_lengths / max(n_nodes - 1, 1)


def path_length(inverse_lengths: np.ndarray, n_nodes: int) -> np.ndarray:
    """Harmonic mean length of the shortest paths to all others, the inverse of `efficiency`.

    Parameters
    ----------
    inverse_lengths, n_nodes
        As for `efficiency`.

    Returns
    -------
    (N,) float64 ndarray
        1 or more; NaN for a node without neighbours.

    Examples
    --------
    >>> path_length(np.array([1.5, 2.0, 0.0]), 3).round(3)
    array([1.333, 1.   ,   nan])
    """
    return _or_nan(float(n_nodes - 1), inverse_lengths)


def path_length_mean(lengths: np.ndarray, n_reached: np.ndarray) -> np.ndarray:
    """Mean length of the shortest paths to the nodes that can be reached.

    Parameters
    ----------
    lengths, n_reached : (N,) float64 ndarray
        Sum of the lengths to, and number of, the other nodes that can be reached.

    Returns
    -------
    (N,) float64 ndarray
        1 or more; NaN for a node without neighbours.

    Examples
    --------
    >>> path_length_mean(np.array([3.0, 2.0, 0.0]), np.array([2.0, 2.0, 0.0]))
    array([1.5, 1. , nan])
    """
    return _or_nan(lengths, n_reached)


def participation(module_degrees: np.ndarray, in_partition: np.ndarray) -> np.ndarray:
    """How evenly a node's edges are spread over the modules, P_i = 1 - sum_m (k_im / k_i)^2 [1]_.

    Parameters
    ----------
    module_degrees : (N, M) ndarray
        Edges of each node to the members of each module. Edges that leave the partition do not count.
    in_partition : (N,) bool ndarray

    Returns
    -------
    (N,) float64 ndarray
        In [0, 1); 0 without edges, NaN outside the partition.

    References
    ----------
    .. [1] Guimerà & Amaral 2005, doi:10.1038/nature03288

    Examples
    --------
    >>> participation(np.array([[2, 2], [4, 0], [1, 0]]), np.array([True, True, False]))
    array([0.5, 0. , nan])
    """
    degree = module_degrees.sum(axis=1, keepdims=True)
    share = module_degrees / np.maximum(degree, 1)
    values = np.where(degree[:, 0] > 0, 1 - np.square(share).sum(axis=1), 0.0)
    return np.where(in_partition, values, np.nan)


def module_degree(module_degrees: np.ndarray, modules: np.ndarray) -> np.ndarray:
    """Edges to the node's own module, z-scored over that module [1]_.

    Parameters
    ----------
    module_degrees : (N, M) ndarray
    modules : (N,) int ndarray
        Module of each node, -1 for none.

    Returns
    -------
    (N,) float64 ndarray
        By the standard deviation of the module's nodes (over n, as bctpy; Matlab's toolbox divides by n - 1); 0 where
        all of a module have the same, NaN outside the partition.

    References
    ----------
    .. [1] Guimerà & Amaral 2005, doi:10.1038/nature03288

    Examples
    --------
    >>> module_degree(np.array([[1], [3]]), np.array([0, 0]))
    array([-1.,  1.])
    """
    values = np.full(len(modules), np.nan)
    for module in range(module_degrees.shape[1]):
        members = modules == module
        own = module_degrees[members, module].astype(np.float64)
        deviation = own.std() if own.size else 0.0
        values[members] = (own - own.mean()) / deviation if deviation > 0 else 0.0
    return values


def ranked_components(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank the components from the largest to the smallest.

    Parameters
    ----------
    labels : (N,) int ndarray
        Any numbers, the same within a component.

    Returns
    -------
    ranks : (N,) int64 ndarray
        1 for the largest; of components of one size, the one with the first node comes first.
    sizes : (N,) int64 ndarray
        Nodes in the component of each node.

    Examples
    --------
    >>> ranked_components(np.array([0, 1, 1, 2]))
    (array([2, 1, 1, 3]), array([1, 2, 2, 1]))
    """
    _, first, labels, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    ranks = np.empty(len(sizes), np.int64)
    ranks[np.lexsort([first, -sizes])] = np.arange(1, len(sizes) + 1)
    return ranks[labels], sizes[labels]


def _or_nan(numerator: np.ndarray | float, denominator: np.ndarray) -> np.ndarray:
    missing = np.full(len(denominator), np.nan)
    return np.divide(numerator, denominator, out=missing, where=denominator > 0)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
