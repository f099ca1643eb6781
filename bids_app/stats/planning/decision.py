"""Whether a test finds something, without the draws that no longer matter."""

from dataclasses import dataclass

import numpy as np

from bids_app.stats.hypotheses import Hypothesis
from bids_app.stats.inference import Inference
from bids_app.stats.permutation import as_drawn, batch_of, one_thread, statistics_at
from bids_app.stats.pvalues import tie_bound
from bids_app.stats.voxels import Draws, VoxelModels


@dataclass(frozen=True)
class Decision:
    """What a test of one map comes to.

    Attributes
    ----------
    found : bool
        Whether the smallest corrected p of the nodes that were looked at is alpha or less.
    n_draws : int
        How many were made until that was settled.
    share : float
        Of the nodes that were looked at, how many are found; 0 where none is.
    """

    found: bool
    n_draws: int
    share: float


def decide(
    hypothesis: Hypothesis,
    draws: Draws,
    inference: Inference,
    *,
    alpha: float = 0.05,
    nodes: np.ndarray | None = None,
    sign: int = 0,
) -> Decision:
    """Say what `compare` would find, and stop as soon as that is settled.

    Parameters
    ----------
    hypothesis : Hypothesis
    draws : Allocations or Rearrangements
    inference : Inference
        Without a fitted tail.
    alpha : float, optional
    nodes : (C,) int ndarray, optional
        Which nodes are looked at: all by default. p is corrected over all in any case.
    sign : {0, 1, -1}, optional
        Which way an effect must go.

    Returns
    -------
    Decision
        The same as from all draws: once more draws than alpha allows reach the observed statistic, nothing can be
        found whatever the others are, and where all that are left could reach it too, something is found in any case.

    Examples
    --------
    >>> from bids_app.stats import allocations, hypothesis, two_visits
    >>> maps, arm = np.array([[1.0], [2.0], [3.0], [4.0]]), [0, 0, 1, 1]
    >>> stated = hypothesis(two_visits("post"), {"followup": maps}, np.ones((4, 1)), arm=arm)
    >>> decide(stated, allocations(arm), Inference(), alpha=0.4).found
    True
    """
    hypothesis = as_drawn(hypothesis, draws)
    models = VoxelModels.prepare(hypothesis, min_per_arm=inference.min_per_arm, robust=inference.robust)
    batch = batch_of(models)
    allowed, maxima = int(np.floor(alpha * len(draws) * (1 + 1e-12))), list[np.ndarray]()
    looked_at = slice(None) if nodes is None else nodes
    with one_thread():
        observed = statistics_at(models, draws, inference, slice(0, 1))[0][looked_at]
        sided = np.abs(observed) if sign == 0 else sign * observed
        bound = float(tie_bound(sided.max()))
        if sided.max() <= 0:
            return Decision(False, 1, 0.0)
        reached = done = 0
        while done < len(draws) and reached <= allowed and reached + len(draws) - done > allowed:
            statistics = statistics_at(models, draws, inference, slice(done, done + batch))
            maxima.append(np.abs(statistics).max(axis=1))
            reached += int((maxima[-1] >= bound).sum())
            done += len(statistics)
    if reached > allowed:
        return Decision(False, done, 0.0)
    counts = (np.concatenate(maxima)[:, None] >= tie_bound(np.maximum(sided, 0))).sum(axis=0) if maxima else sided
    return Decision(True, done, float(np.mean((counts + len(draws) - done <= allowed) & (sided > 0))))
