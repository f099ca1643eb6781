"""Closed testing of several comparisons of arms: every way in which some of them could all be without a difference."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

Pair = tuple[int, int]  # of arms
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Intersection:
    """A hypothesis that some arms do not differ.

    Attributes
    ----------
    blocks : tuple of int
        For each arm, the first of the arms that are like it. Under this hypothesis the labels of one block could
        have been drawn otherwise without any difference.
    pairs : tuple of (int, int)
        The comparisons that find nothing if it holds.
    """

    blocks: tuple[int, ...]
    pairs: tuple[Pair, ...]


def intersections(pairs: Sequence[Pair], n_arms: int) -> list[Intersection]:
    """List every hypothesis that some of the comparisons are all without a difference.

    Parameters
    ----------
    pairs : sequence of (int, int)
        The arms, from 0, of each comparison.
    n_arms : int

    Returns
    -------
    list of Intersection
        Each once, those of fewer comparisons first. That arm 1 is like 0 and 2 like 0 says that 2 is like 1 too.

    Examples
    --------
    Two doses, each compared with the reference:

    >>> for one in intersections([(1, 0), (2, 0)], n_arms=3):
    ...     print(one.blocks, one.pairs)
    (0, 0, 2) ((1, 0),)
    (0, 1, 0) ((2, 0),)
    (0, 0, 0) ((1, 0), (2, 0))
    """
    found = dict.fromkeys(blocks for some in _subsets(pairs) for blocks in [_joined(some, n_arms)])
    return [
        Intersection(blocks, tuple(pair for pair in pairs if blocks[pair[0]] == blocks[pair[1]])) for blocks in found
    ]


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


def _subsets(pairs: Sequence[Pair]) -> Iterator[tuple[Pair, ...]]:
    for size in range(1, len(pairs) + 1):
        yield from combinations(pairs, size)


def _joined(pairs: Iterable[Pair], n_arms: int) -> tuple[int, ...]:
    """Return the block of each arm when the arms of each pair are in one."""
    block = list(range(n_arms))
    for first, second in pairs:
        old, new = max(block[first], block[second]), min(block[first], block[second])
        block = [new if one == old else one for one in block]
    return tuple(block)
