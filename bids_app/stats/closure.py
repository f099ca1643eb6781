"""Closed testing of several comparisons of arms: every way in which some of them could all be without a difference."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bids_app.stats.estimands import Row

Key = TypeVar("Key", bound=Hashable)
ROUNDING = 1e-9  # of the largest weight: what a sum of weights that add up to 0 may be


@dataclass(frozen=True)
class Intersection:
    """A hypothesis that some arms do not differ.

    Attributes
    ----------
    blocks : tuple of int
        For each arm, the first of the arms that are like it. Under this hypothesis the labels of one block could
        have been drawn otherwise without any difference.
    rows : tuple of tuple of float
        The comparisons that find nothing if it holds: their weights add up to 0 in every block.
    """

    blocks: tuple[int, ...]
    rows: tuple[Row, ...]


def intersections(rows: Sequence[Row]) -> list[Intersection]:
    """List every hypothesis that some of the comparisons are all without a difference.

    Parameters
    ----------
    rows : sequence of tuple of float
        The weights of the arms in each comparison, which add up to 0.

    Returns
    -------
    list of Intersection
        Those of fewer comparisons first. That arm 1 is like 0 and 2 like 0 says that 2 is like 1 too.

    Notes
    -----
    Whichever arms are alike, some comparisons are without a difference. Of the ways to be alike that leave the same
    comparisons so, those that no other refines are enough: their draws are valid under the others as well, so that no
    true comparison is found more often than one of these tests errs (Finner & Strassburger 2002,
    doi:10.1214/aos/1031689023).

    Examples
    --------
    Two doses, each compared with the reference, and their mean with it:

    >>> for one in intersections([(-1, 1, 0), (-1, 0, 1), (-1, 0.5, 0.5)]):
    ...     print(one.blocks, one.rows)
    (0, 0, 2) ((-1, 1, 0),)
    (0, 1, 0) ((-1, 0, 1),)
    (0, 0, 0) ((-1, 1, 0), (-1, 0, 1), (-1, 0.5, 0.5))
    """
    ways: dict[tuple[Row, ...], list[tuple[int, ...]]] = {}
    for blocks in _partitions(len(rows[0])):
        if held := tuple(row for row in rows if _holds(row, blocks)):
            ways.setdefault(held, []).append(blocks)
    found = [
        Intersection(blocks, held)
        for held, alike in ways.items()
        for blocks in alike
        if not any(other != blocks and _refines(other, blocks) for other in alike)
    ]
    return sorted(found, key=lambda one: (len(one.rows), [rows.index(row) for row in one.rows]))


def closed(tests: Iterable[Mapping[Key, np.ndarray]]) -> dict[Key, np.ndarray]:
    r"""Return p that holds over all comparisons together, whichever of them differ.

    Parameters
    ----------
    tests : iterable of dict of (V,) ndarray
        For each intersection, p of every comparison in it, corrected over these; by comparison.

    Returns
    -------
    dict of (V,) ndarray
        The largest p of the intersections that a comparison is in; NaN where one of them is not known.

    Notes
    -----
    At a node, a comparison is rejected if every intersection that contains it is (Marcus, Peritz & Gabriel 1976,
    doi:10.1093/biomet/63.3.655), each tested by the draws that are valid under it. That labels of all arms are drawn
    alike is right only if all arms are alike: one arm that works would shift the null distribution of the others.

    Examples
    --------
    >>> first, both = {"a": np.array([0.01])}, {"a": np.array([0.03]), "b": np.array([0.2])}
    >>> closed([first, {"b": np.array([0.04])}, both])
    {'a': array([0.03]), 'b': array([0.2])}
    """
    largest: dict[Key, np.ndarray] = {}
    for test in tests:
        for key, p in test.items():
            largest[key] = np.maximum(largest[key], p) if key in largest else p
    return largest


def _partitions(n_arms: int) -> Iterator[tuple[int, ...]]:
    """Yield every way in which arms can be alike, as the first arm of each one's block."""
    if not n_arms:
        yield ()
        return
    for blocks in _partitions(n_arms - 1):
        for block in (*sorted(set(blocks)), n_arms - 1):
            yield (*blocks, block)


def _holds(row: Row, blocks: tuple[int, ...]) -> bool:
    """Say whether the weights add up to 0 in every block."""
    sums = np.bincount(blocks, weights=row)
    return bool((np.abs(sums) <= ROUNDING * np.abs(row).max()).all())


def _refines(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Say whether arms that are alike in one way are so in the other."""
    return all(other[arm] == other[first] for arm, first in enumerate(one))
