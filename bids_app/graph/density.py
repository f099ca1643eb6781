"""Graphs of exactly so many edges: the strongest correlations, found in two passes."""

from functools import partial

import numpy as np
from numba import njit

from bids_app.graph.edges import Cut, Nodes, Sums, bands, products

N_BINS = 2**14
MAX_UNDECIDED = 2**24


def histogram(nodes: Nodes, *, block: int, n_threads: int) -> np.ndarray:
    """Count the positive correlations of the pairs of nodes.

    Parameters
    ----------
    nodes : edges.Nodes
    block, n_threads : int

    Returns
    -------
    (16384,) int64 ndarray
        Of equal bins from 0 to 1, by float32 products.
    """
    counts = np.zeros(N_BINS, np.int64)
    for part in bands(partial(_count_band, nodes, block), range(0, nodes.n_nodes, block), n_threads):
        counts += part
    return counts


def _count_band(nodes: Nodes, block: int, start: int) -> np.ndarray:
    counts = np.zeros(N_BINS, np.int64)
    for column, correlations in products(nodes, start, block):
        _count(correlations, (start, column), nodes.n_nodes, counts)
    return counts


@njit(cache=True, nogil=True)
def _count(correlations: np.ndarray, corner: tuple[int, int], n_nodes: int, counts: np.ndarray) -> None:
    last = len(counts) - 1
    scale = np.float32(len(counts))
    for row in range(correlations.shape[0]):
        first = max(corner[0] + row + 1 - corner[1], 0)
        for r in correlations[row, first : n_nodes - corner[1]]:
            if r > 0:
                counts[min(int(r * scale), last)] += 1


def cut_around(counts: np.ndarray, n_edges: int, margin: float) -> tuple[float, float]:
    """Return the cut that leaves undecided what could be the weakest of the `n_edges` strongest pairs.

    Parameters
    ----------
    counts : (B,) int64 ndarray
        From `histogram`.
    n_edges : int
    margin : float
        How far a float32 product may be off.

    Returns
    -------
    lower, upper : float

    Notes
    -----
    The weakest edge lies, by float32, in the bin where the count from the top reaches `n_edges`; in float64 it
    is within one margin of that bin. What lies more than two margins above is stronger, whatever the rounding.
    """
    from_top = np.cumsum(counts[::-1])[::-1]
    reached = np.flatnonzero(from_top >= n_edges)
    place = reached[-1] if len(reached) else -1  # too few positive pairs: all of them
    top = (place + 1) / len(counts) if place < len(counts) - 1 else 1.0
    return max(place, 0) / len(counts) - 2 * margin, top + 2 * margin


def strongest(sums: Sums, n_edges: int, cut: Cut) -> np.ndarray:
    """Choose the undecided pairs that complete a graph of `n_edges`.

    Parameters
    ----------
    sums : edges.Sums
    n_edges : int
    cut : edges.Cut

    Returns
    -------
    (U,) ndarray of `edges.PAIR`
        The strongest of them; of equal ones, those that come first by row, then column. Fewer than asked for
        where there are no more positive correlations.

    Raises
    ------
    ValueError
        So many pairs are alike that they cannot be sorted in bounded memory.
    """
    pairs = sums.undecided[sums.undecided["r"] > 0]
    if len(pairs) > MAX_UNDECIDED:
        raise ValueError(
            f"{len(pairs)} pairs of nodes have a correlation between {cut.lower:.4f} and {cut.upper:.4f}, where this "
            "density divides them: the series are too much alike; use a threshold"
        )
    missing = n_edges - int(sums.totals[0].sum()) // 2
    return pairs[np.lexsort([pairs["column"], pairs["row"], -pairs["r"]])[: max(missing, 0)]]
