"""Cross-over trials of any treatments and periods: the differences within participants, as rows of one linear model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bids_app.stats.allocation import Allocations
from bids_app.stats.estimands import Row
from bids_app.stats.hypotheses import Hypothesis, arm_codes, require_estimable


def compared_treatments(
    periods: Sequence[npt.ArrayLike],
    sequence: npt.ArrayLike,
    given: npt.ArrayLike,
    tested: Sequence[Row],
    nuisance: np.ndarray,
    *,
    baselines: Sequence[npt.ArrayLike] = (),
) -> Hypothesis:
    r"""State what a cross-over trial of K treatments in M periods tests.

    Parameters
    ----------
    periods : M (n, V) array-likes of float
        Maps of each period; who has no data in one of them has none here.
    sequence : (n,) array-like of int
        Which of the S sequences each participant was given.
    given : (S, M) array-like of int
        The treatment of each sequence in each period, 0 to K - 1.
    tested : R tuples of K floats
        Differences of the treatments, as of the arms of an `Estimand`; several are tested together by F.
    nuisance : (n, m) float64 ndarray
        From `nuisance`: what the periods differ in, for everyone and by covariates and strata.
    baselines : M (n, V) array-likes of float, optional
        Maps at the baseline of each period, adjusted for node by node, as they differ within participants.

    Returns
    -------
    Hypothesis
        Of n (M - 1) rows, `within` participants; its arms are pairs of a sequence and a row, as `of_rows` has them.

    Raises
    ------
    ValueError
        If shapes differ, no degree of freedom is left, or the sequences do not tell the treatments from the periods.

    Notes
    -----
    ``value ~ participant + period + treatment [+ baseline]`` with fixed participants. M - 1 orthonormal differences
    :math:`u_i = C y_i` of each participant hold all that does not depend on the participant, with independent errors of
    the same variance, so that least squares of them are those of the model, with its
    :math:`(n - 1)(M - 1) - (K - 1)` degrees of freedom. A sequence s has the columns :math:`C X_s` of its treatments.
    Which participant was given which of the sequences is re-drawn, whole differences staying together: exact if no
    treatment changes anybody's value, whatever the periods differ in and however the errors of a participant depend on
    each other. Where a treatment works that is not tested, it is adjusted for in every draw, and the test of the others
    is approximate. Hedges g is over the spread within participants of one period. Jones & Kenward
    (2014), Design and Analysis of Cross-Over Trials, 3rd edition.

    Examples
    --------
    Of AB and BA it is half the difference between the periods, as of `two_periods`.

    >>> from bids_app.stats import VoxelModels, estimate, nuisance
    >>> periods = [[[2.0], [5.0], [9.0], [0.0], [4.0], [6.0]], [[0.0], [1.0], [3.0], [2.0], [4.0], [4.0]]]
    >>> found = compared_treatments(periods, [0, 0, 0, 1, 1, 1], [[1, 0], [0, 1]], [(-1, 1)], nuisance(6))
    >>> effect = estimate(VoxelModels.prepare(found))
    >>> effect.difference.round(6), effect.df
    (array([2.]), 4)
    """
    labels, order = np.asarray(sequence), np.asarray(given)
    outcome = within(periods)
    rows = order.shape[1] - 1
    if order.ndim != 2 or rows + 1 != len(periods) or len(outcome) != rows * len(labels):
        raise ValueError(
            f"of {len(labels)} participants and {len(periods)} periods, sequences have shape {order.shape}"
        )
    own, along = arm_codes(tested)
    treatments = np.column_stack([own, along])
    codes = np.concatenate([differences(rows + 1) @ treatments[one] for one in order])
    arm = _pairs(labels, rows)
    regressors = (within(baselines),) if len(baselines) else ()
    by_row = np.kron(nuisance, np.eye(rows))
    require_estimable(codes[arm], by_row, len(regressors))
    return Hypothesis(
        kind="difference",
        outcome=outcome,
        tested=codes[arm],
        nuisance=by_row,
        regressors=regressors,
        arm=arm.astype(np.int8),
        codes=codes,
        n_along=along.shape[1],
    )


def of_rows(draws: Allocations, n_periods: int) -> Allocations:
    """Return draws of who was given which sequence as draws of the rows of `compared_treatments`.

    Examples
    --------
    >>> from bids_app.stats import allocations
    >>> of_rows(allocations([0, 1]), 3).arms
    array([[0, 1, 2, 3],
           [2, 3, 0, 1]], dtype=int8)
    """
    return replace(draws, arms=_pairs(draws.arms, n_periods - 1).astype(np.int8), whole=draws.fingerprint)


def within(periods: Sequence[npt.ArrayLike]) -> np.ndarray:
    """Return orthonormal differences of M maps (n, V) of each participant, (n (M - 1), V), participant by participant.

    Examples
    --------
    >>> (within([[[3.0]], [[1.0]]]) * np.sqrt(2)).round(6)
    array([[2.]])
    """
    maps = np.stack([np.asarray(one, dtype=np.float64) for one in periods], axis=1)
    return np.einsum("rm,nmv->nrv", differences(len(periods)), maps).reshape(-1, maps.shape[2])


def differences(n_periods: int) -> np.ndarray:
    """Return orthonormal rows that add up to 0, (M - 1, M): each period against the mean of those after it.

    Examples
    --------
    >>> differences(3).round(3).tolist()
    [[0.816, -0.408, -0.408], [0.0, 0.707, -0.707]]
    """
    found = np.zeros((n_periods - 1, n_periods))
    for row in range(n_periods - 1):
        left = n_periods - row - 1
        found[row, row], found[row, row + 1 :] = left, -1
        found[row] /= np.sqrt(left * (left + 1))
    return found


def told_apart(given: npt.ArrayLike) -> bool:
    """Say whether sequences (S, M) of treatments 0 to K - 1 tell all treatments from the periods, within participants.

    Examples
    --------
    >>> told_apart([[0, 1], [1, 0]]), told_apart([[0, 1, 1], [1, 0, 0]]), told_apart([[0, 1, 2], [1, 0, 2]])
    (True, True, False)
    """
    order = np.asarray(given)
    codes = np.stack([differences(order.shape[1]) @ np.eye(order.max() + 1)[one] for one in order])
    rows = (codes - codes.mean(axis=0)).reshape(-1, codes.shape[2])
    return bool(np.linalg.matrix_rank(rows) == order.max())


def _pairs(sequence: np.ndarray, n_rows: int) -> np.ndarray:
    """Return numbers of the pairs of a sequence and a row, (..., n n_rows) of (..., n)."""
    pairs = sequence.astype(int)[..., None] * n_rows + np.arange(n_rows)
    return pairs.reshape(*sequence.shape[:-1], -1)
