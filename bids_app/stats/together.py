"""p-values across several tests that share their draws."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from bids_app.stats.earlier import going_on
from bids_app.stats.pvalues import ABSOLUTE_TIE, RELATIVE_TIE, count_reaching, familywise

if TYPE_CHECKING:  # which asks this module for its p
    from bids_app.stats.permutation import Comparison
    from bids_app.stats.settling import Stopping


def across(comparisons: "Sequence[Comparison]") -> list[np.ndarray]:
    """Correct family-wise p-values for several metrics, estimators or contrasts tested together.

    Each draw is ranked within each comparison's own maxima, so that no metric wins by its scale or
    smoothness, and the smallest of a draw's p-values is what an observed p-value must beat.

    Parameters
    ----------
    comparisons : list of Comparison
        From the same allocations, in the same order.

    Returns
    -------
    list of (V_m,) float64 ndarray
        Corrected over voxels and comparisons.

    Raises
    ------
    ValueError
        If the draws differ.

    References
    ----------
    Alberton et al. (2020), doi:10.1016/j.neuroimage.2020.116760.

    Notes
    -----
    Where draws stop when p is settled, see `reached_across`; where there were earlier looks, `earlier.going_on`.
    """
    draws = {(len(comparison.max_statistics), comparison.fingerprint) for comparison in comparisons}
    if len(draws) != 1:
        counts = sorted(count for count, _ in draws)
        raise ValueError(f"the comparisons must share their draws, they have {len(draws)} sets of {counts}")
    going = going_on([comparison.earlier for comparison in comparisons])
    if (stopping := comparisons[0].stopping) is not None:
        n, most, reached = reached_across(comparisons)
        return [np.where(one < 0, np.nan, stopping.p(np.maximum(one, 0), n, most=most)) for one in reached]
    own = [familywise(comparison.max_statistics, comparison.max_statistics) for comparison in comparisons]
    smallest = np.min(own, axis=0)
    counting = np.sort(smallest if going is None else smallest[going])
    return [_against(counting, comparison) for comparison in comparisons]


def reached_across(comparisons: "Sequence[Comparison]") -> tuple[int, int, list[np.ndarray]]:
    """Count the draws that reach each statistic over several comparisons, so that the count can go on.

    Parameters
    ----------
    comparisons : list of Comparison
        Whose draws stop when p is settled.

    Returns
    -------
    n, most : int
        How many draws were counted, the observed one not among them, and how many there could be.
    reached : list of (V_m,) int64 ndarray
        -1 where a voxel is not tested.

    Notes
    -----
    If each draw were ranked among all, the ranks would change with every further draw, and the counts would be none
    of an urn (see `settling.anytime_p`). So the first draws are used up to say how large the maxima of each comparison
    are; the observed statistics and all further draws are measured by them, and are as exchangeable as before.
    """
    stopping = cast("Stopping", comparisons[0].stopping)
    if len(comparisons) == 1:
        one = comparisons[0]
        counts = count_reaching(one.max_statistics, one.statistic) - 1
        return len(one.max_statistics) - 1, stopping.most, [np.where(np.isnan(one.statistic), -1, counts)]
    first = stopping.calibration + 1
    scales = [np.sort(one.max_statistics[1:first]) for one in comparisons]
    shares = [_share(scale, one.max_statistics[first:]) for scale, one in zip(scales, comparisons, strict=True)]
    smallest = np.sort(np.min(shares, axis=0))
    reached = []
    for scale, one in zip(scales, comparisons, strict=True):
        share = _share(scale, one.statistic) * (1 + RELATIVE_TIE)
        reached.append(np.where(np.isnan(one.statistic), -1, np.searchsorted(smallest, share, side="right")))
    return len(smallest), stopping.most - stopping.calibration, reached


def _share(scale: np.ndarray, statistic: np.ndarray) -> np.ndarray:
    """Return the share of the sorted maxima that reach each statistic; beyond them, less the larger it is."""
    magnitude, largest = np.abs(statistic), scale[-1]
    share = (1 + count_reaching(scale, magnitude)) / (1 + len(scale))
    beyond = magnitude > max(largest, ABSOLUTE_TIE)
    return share * np.where(beyond, largest / np.where(beyond, magnitude, 1.0), 1.0)


def _against(smallest: np.ndarray, comparison: "Comparison") -> np.ndarray:
    p = familywise(comparison.max_statistics, comparison.statistic)
    corrected = np.searchsorted(smallest, p, side="right") / len(comparison.max_statistics)
    return np.where(np.isnan(comparison.statistic), np.nan, corrected)
