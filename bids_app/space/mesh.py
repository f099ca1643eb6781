"""Numerics of triangle meshes: which vertices touch, and how warmth spreads over them."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import expm_multiply


def mesh_edges(faces: np.ndarray) -> np.ndarray:
    """List the edges of triangles, each once.

    Parameters
    ----------
    faces : (M, 3) int ndarray

    Returns
    -------
    (E, 2) int ndarray
        The smaller vertex first.

    Examples
    --------
    >>> mesh_edges(np.array([[0, 1, 2], [2, 1, 3]])).tolist()
    [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    """
    faces = np.asarray(faces).reshape(-1, 3)
    return np.unique(np.sort(np.vstack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [0, 2]]]), axis=1), axis=0)


def neighbour_table(edges: np.ndarray, n_nodes: int) -> np.ndarray:
    """Arrange edges as `stats.tfce` takes them.

    Parameters
    ----------
    edges : (E, 2) int ndarray
        Each pair once.
    n_nodes : int

    Returns
    -------
    (N, K) int32 ndarray
        Neighbours of each node in order, -1 where there are fewer than the K of the node that has most.

    Examples
    --------
    >>> neighbour_table(np.array([[0, 1], [0, 2]]), 3).tolist()
    [[1, 2], [0, -1], [0, -1]]
    """
    both = np.vstack([edges, edges[:, ::-1]])
    both = both[np.lexsort(both.T[::-1])]
    counts = np.bincount(both[:, 0], minlength=n_nodes)
    place = np.arange(len(both)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((n_nodes, max(counts.max(initial=0), 1)), -1, dtype=np.int32)
    table[both[:, 0], place] = both[:, 1]
    return table


def mesh_laplacian(positions: np.ndarray, faces: np.ndarray) -> sparse.csr_array:
    r"""Return the Laplace-Beltrami operator by linear finite elements with lumped masses.

    .. math:: (L u)_i = \frac{1}{A_i} \sum_j \frac{\cot \alpha_{ij} + \cot \beta_{ij}}{2} (u_i - u_j)

    with the angles opposite to the edge in its two triangles, and a third of the area of the triangles around i.

    Parameters
    ----------
    positions : (N, 3) float ndarray
        In mm.
    faces : (M, 3) int ndarray

    Returns
    -------
    (N, N) sparse array
        Positive semidefinite; in mm^-2. Zero rows for vertices without a triangle.

    References
    ----------
    Chung et al. (2005), doi:10.1016/j.neuroimage.2004.12.052; Pinkall & Polthier (1993).
    """
    n_nodes, corners = len(positions), positions[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    whole = area > 0
    faces, corners, area = faces[whole], corners[whole], area[whole]
    rows, columns, weights = [], [], []
    for corner in range(3):
        here, next_one, last = (corners[:, (corner + step) % 3] for step in range(3))
        cotangent = ((next_one - here) * (last - here)).sum(axis=1) / (2 * area)
        first, second = faces[:, (corner + 1) % 3], faces[:, (corner + 2) % 3]
        rows += [first, second]
        columns += [second, first]
        weights += [cotangent / 2, cotangent / 2]
    shape = (n_nodes, n_nodes)
    stiffness = sparse.coo_array((np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape)
    mass = np.bincount(faces.ravel(), np.repeat(area / 3, 3), minlength=n_nodes)
    return _laplacian(stiffness.tocsr(), mass)


def lattice_laplacian(edges: np.ndarray, size: float, n_nodes: int) -> sparse.csr_array:
    """Return the Laplacian of voxels that touch with their faces, in mm^-2.

    Parameters
    ----------
    edges : (E, 2) int ndarray
    size : float
        Edge of a voxel in mm.
    n_nodes : int
    """
    both = np.vstack([edges, edges[:, ::-1]])
    weights = sparse.coo_array((np.ones(len(both)), both.T), (n_nodes, n_nodes))
    return _laplacian(weights.tocsr(), np.full(n_nodes, float(size) ** 2))


def _laplacian(weights: sparse.csr_array, mass: np.ndarray) -> sparse.csr_array:
    scale = np.divide(1.0, mass, out=np.zeros(len(mass)), where=mass > 0)
    return (sparse.diags_array(scale) @ (sparse.diags_array(weights.sum(axis=1)) - weights)).tocsr()


def heat_smooth(laplacian: sparse.csr_array, values: np.ndarray, fwhm: float) -> np.ndarray:
    """Smooth a map by heat diffusion, a Gaussian in the plane, within the nodes that have a value.

    Parameters
    ----------
    laplacian : (N, N) sparse array
        In mm^-2.
    values : (N,) ndarray
        NaN where a node has no value; such nodes keep NaN and lend no weight.
    fwhm : float
        Full width at half maximum, in mm.

    Returns
    -------
    (N,) float64 ndarray
    """
    present = np.isfinite(values)
    time = fwhm**2 / (8 * np.log(2)) / 2  # the heat kernel at time t is a Gaussian of variance 2 t
    before = np.column_stack([np.where(present, values, 0), present]).astype(float)
    total, weight = expm_multiply(-time * laplacian, before, traceA=-time * laplacian.diagonal().sum()).T
    return np.where(present, total / np.where(present, weight, 1), np.nan)
