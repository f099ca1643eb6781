"""Which voxels of a mask touch."""

from itertools import product

import numpy as np

SHARED_AXES = {6: 1, 18: 2, 26: 3}


def neighbours(mask: np.ndarray, connectivity: int = 6) -> np.ndarray:
    """Neighbours of each voxel of a mask, within the mask.

    Parameters
    ----------
    mask : (X, Y, Z) bool ndarray
    connectivity : {6, 18, 26}
        Voxels touch by a face; by a face or an edge; by a face, an edge or a corner.

    Returns
    -------
    (V, connectivity) int32 ndarray
        Indices into the voxels of the mask in C order, -1 where the neighbour is outside.

    Raises
    ------
    ValueError
        If the connectivity is another number.

    Examples
    --------
    >>> neighbours(np.ones((1, 1, 3), dtype=bool)).max(axis=1)
    array([1, 2, 1], dtype=int32)
    """
    if connectivity not in SHARED_AXES:
        raise ValueError(f"connectivity must be 6, 18 or 26, not {connectivity}")
    index = np.full(np.add(mask.shape, 2), -1, dtype=np.int32)
    index[1:-1, 1:-1, 1:-1][mask] = np.arange(mask.sum(), dtype=np.int32)
    voxels = np.argwhere(mask) + 1
    steps = [step for step in product((-1, 0, 1), repeat=3) if 0 < np.count_nonzero(step) <= SHARED_AXES[connectivity]]
    return np.column_stack([index[tuple((voxels + step).T)] for step in steps])
