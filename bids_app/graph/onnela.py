"""Weighted clustering after Onnela, which no shortcut through bits gives: a product of dense blocks."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from bids_app.graph.exact import cube_root
from bids_app.graph.products import PANEL as TOGETHER
from bids_app.graph.products import multiply, packed

PANEL, SLICE = 1024, 128
AT_ONCE = 2048  # columns that are summed before their sums are added up, which rounds less


def sum_cube_roots(unit: np.ndarray, bits: np.ndarray, *, n_threads: int = 1, panel: int = PANEL) -> np.ndarray:
    """Sum the cube roots of the products of weights over the triangles of each node.

    Parameters
    ----------
    unit : (N', T) float32 ndarray
        Unit rows.
    bits : (C, N, 64) uint64 ndarray
    n_threads : int
    panel : int
        Rows of a block of cube roots; memory is 8 * panel * N bytes.

    Returns
    -------
    (N,) float64 ndarray
        sum_jh (w_ij w_ih w_jh)^(1/3).

    Notes
    -----
    With V the cube roots of the weights over the edges, the sum is that of V * (V @ V) along the rows. It takes
    N^3 multiplications in float32, twice as many operations: a minute at N = 10,000 and some hours at N = 64,000
    on two cores. The blocks of V are made anew from the series where they are needed.

    References
    ----------
    Onnela et al. (2005), doi:10.1103/PhysRevE.71.065103.
    """
    n_nodes = bits.shape[1]
    sums = np.zeros(n_nodes)
    with ThreadPoolExecutor(n_threads) as pool:
        for start in range(0, n_nodes, panel):
            rows = _cube_roots(unit, bits, start, panel, pool)
            for column in range(start, n_nodes, panel):
                columns = rows if column == start else _cube_roots(unit, bits, column, panel, pool)
                common = _product(rows, columns, pool) * rows[:, column : column + panel]
                sums[start : start + panel] += common.sum(axis=1, dtype=np.float64)
                if column > start:
                    sums[column : column + panel] += common.sum(axis=0, dtype=np.float64)
    return sums


def _product(first: np.ndarray, second: np.ndarray, pool: ThreadPoolExecutor) -> np.ndarray:
    """Multiply each row of one float32 array with each of another, slices of so many rows by one thread each."""
    out = np.zeros((len(first), len(second)), dtype=np.float32)

    def add(start: int) -> None:
        some, n_rows = one[start // TOGETHER :][: SLICE // TOGETHER], min(SLICE, len(first) - start)
        part = np.empty((len(some) * TOGETHER, len(other) * TOGETHER), dtype=np.float32)
        multiply(some, other, part)
        out[start : start + SLICE] += part[:n_rows, : len(second)]

    for begin in range(0, first.shape[1], AT_ONCE):
        one, other = (packed(rows[:, begin : begin + AT_ONCE]) for rows in (first, second))
        list(pool.map(add, range(0, len(first), SLICE)))
    return out


def _cube_roots(unit: np.ndarray, bits: np.ndarray, start: int, panel: int, pool: ThreadPoolExecutor) -> np.ndarray:
    """Return rows of the cube roots of the weights, (panel, N) float32, 0 where there is no edge."""
    n_nodes = bits.shape[1]
    stop = min(start + panel, n_nodes)
    roots = _product(unit[start:stop], unit[:n_nodes], pool)
    flags = np.unpackbits(bits[:, start:stop].view(np.uint8), axis=-1, bitorder="little")
    parts = [slice(row, row + SLICE) for row in range(0, len(roots), SLICE)]
    list(pool.map(lambda some: _take_roots(roots[some], flags[:, some]), parts))
    return roots


@njit(cache=True, nogil=True)
def _take_roots(values: np.ndarray, flags: np.ndarray) -> None:
    """Set the weights of edges to their cube roots, the others, and those that rounding made negative, to 0."""
    width = flags.shape[2]
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            r = values[row, column]
            kept = flags[column // width, row, column % width] and r > 0
            values[row, column] = cube_root(np.float64(r)) if kept else 0
