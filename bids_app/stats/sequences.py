"""Cross-over trials of any treatments and periods: the differences within participants, as rows of one linear model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bids_app.stats.allocation import Allocations, allocations, n_allocations
from bids_app.stats.design import stratum_labels
from bids_app.stats.estimands import Row
from bids_app.stats.hypotheses import Hypothesis, arm_codes, require_estimable
from bids_app.stats.rearrangement import Rearrangements


def compared_treatments(  # noqa: PLR0913
    periods: Sequence[npt.ArrayLike],
    sequence: npt.ArrayLike,
    given: npt.ArrayLike,
    tested: Sequence[Row],
    nuisance: np.ndarray,
    *,
    baselines: Sequence[npt.ArrayLike] = (),
    effect: str = "treatment",
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
    effect : {"treatment", "beside-carry-over", "carry-over"}, optional
        Of the treatment of a period; the same, adjusted for what the treatment of the period before left behind
        (first-order carry-over); or what that left behind.

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
    is approximate, unless the draws are those of `sequence_draws`. Hedges g is over the spread within
    participants of one period. Jones & Kenward (2014), Design and Analysis of Cross-Over Trials, 3rd edition.

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
    arm, by_row = _pairs(labels, rows), np.kron(nuisance, np.eye(rows))
    own, along = (_by_row(columns, order) for columns in _columns(order, arm_codes(tested), effect))
    along = _adding(along, arm, by_row)
    if effect != "treatment" and _adding(own, arm, np.column_stack([by_row, along[arm]])).shape != own.shape:
        raise ValueError("the sequences do not tell the treatments from what they leave behind")
    codes = np.column_stack([own, along])
    regressors = (within(baselines),) if len(baselines) else ()
    require_estimable(codes[arm], by_row, len(regressors))
    return Hypothesis(
        kind="difference",
        outcome=outcome,
        tested=codes[arm],
        nuisance=by_row,
        regressors=regressors,
        arm=arm.astype(np.int8),
        codes=codes,
        n_along=codes.shape[1] - own.shape[1],
    )


def _columns(order: np.ndarray, coded: tuple[np.ndarray, np.ndarray], effect: str) -> tuple[np.ndarray, np.ndarray]:
    """Return of each sequence and period what is tested and what goes along, (S, M, R) and (S, M, q)."""
    own, along = (columns[order] for columns in coded)
    if effect == "treatment":
        return own, along
    own_before, along_before = _before(own), _before(along)
    if effect == "carry-over":
        return own_before, np.concatenate([own, along, along_before], axis=2)
    return own, np.concatenate([along, own_before, along_before], axis=2)


def _before(columns: np.ndarray) -> np.ndarray:
    """Return the columns of the period before, 0 in the first."""
    return np.concatenate([np.zeros_like(columns[:, :1]), columns[:, :-1]], axis=1)


def _by_row(columns: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the columns (S, M, q) of the differences within participants, (S (M - 1), q)."""
    found = np.einsum("rm,smq->srq", differences(order.shape[1]), columns)
    return found.reshape(found.shape[0] * found.shape[1], columns.shape[2])


def _adding(codes: np.ndarray, arm: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Leave out codes whose columns the others hold already: no sequence tells some of what is carried over."""
    kept: list[int] = []
    rank = np.linalg.matrix_rank(others)
    for place in range(codes.shape[1]):
        if np.linalg.matrix_rank(np.column_stack([others, codes[arm][:, [*kept, place]]])) > rank + len(kept):
            kept.append(place)
    return codes[:, kept]


def first_period(
    maps: npt.ArrayLike,
    sequence: npt.ArrayLike,
    given: npt.ArrayLike,
    tested: Sequence[Row],
    nuisance: np.ndarray,
    *,
    baseline: npt.ArrayLike | None = None,
) -> Hypothesis:
    """State what the first period alone tests, as a parallel trial of the treatments that somebody had first.

    Parameters are those of `compared_treatments`, of one period. The arms of the hypothesis are the sequences, so that
    the same draws test it.

    Raises
    ------
    ValueError
        If nobody had a treatment first whose difference is tested.

    Examples
    --------
    >>> from bids_app.stats import VoxelModels, estimate, nuisance
    >>> values, orders = [[4.0], [6.0], [1.0], [3.0]], [[1, 0], [0, 1]]
    >>> found = first_period(values, [0, 0, 1, 1], orders, [(-1, 1)], nuisance(4))
    >>> estimate(VoxelModels.prepare(found)).difference.round(6).tolist()
    [3.0]
    """
    labels, first = np.asarray(sequence), np.asarray(given)[:, 0]
    rows, there = np.asarray(tested, dtype=float), np.unique(first[labels])
    if np.delete(rows, there, axis=1).any():
        raise ValueError("nobody was given one of the treatments in the first period")
    own, along = arm_codes(rows[:, there])
    codes = np.zeros((len(first), len(there) - 1))
    known = np.isin(first, there)
    codes[known] = np.column_stack([own, along])[np.searchsorted(there, first[known])]
    regressors = () if baseline is None else (np.asarray(baseline, dtype=np.float64),)
    require_estimable(codes[labels], nuisance, len(regressors))
    return Hypothesis(
        kind="difference",
        outcome=np.asarray(maps, dtype=np.float64),
        tested=codes[labels],
        nuisance=nuisance,
        regressors=regressors,
        arm=labels.astype(np.int8),
        codes=codes,
        n_along=along.shape[1],
    )


def last_against_first(
    periods: Sequence[npt.ArrayLike],
    sequence: npt.ArrayLike,
    given: npt.ArrayLike,
    nuisance: np.ndarray,
    *,
    baselines: Sequence[npt.ArrayLike] = (),
) -> Hypothesis:
    """State that the first period differs from the last, whatever was given: the treatments are adjusted for.

    Parameters are those of `compared_treatments`. It is tested by flipping signs, see `of_rows`: what the periods
    differ in goes with no label.

    Examples
    --------
    >>> from bids_app.stats import VoxelModels, estimate, nuisance
    >>> periods = [[[5.0], [8.0], [1.0], [2.0]], [[1.0], [3.0], [1.0], [1.0]]]
    >>> found = last_against_first(periods, [0, 0, 1, 1], [[1, 0], [0, 1]], nuisance(4))
    >>> estimate(VoxelModels.prepare(found)).difference.round(6).tolist()  # (4.5 + 0.5) / 2
    [2.5]
    """
    rows = tuple(
        tuple(float(one == place) - float(one == 0) for one in range(_n_treatments(given)))
        for place in range(1, _n_treatments(given))
    )
    whole = compared_treatments(periods, sequence, given, rows, nuisance, baselines=baselines)
    turned = differences(len(periods))[:, 0] - differences(len(periods))[:, -1]
    others = np.linalg.svd(turned[None])[2][1:].T  # what the periods differ in beside
    centred = np.column_stack([np.ones(len(nuisance)), nuisance - nuisance.mean(axis=0)])
    beside = np.column_stack(
        [np.kron(centred[:, :1], others), np.kron(centred[:, 1:], np.eye(len(turned))), whole.tested]
    )
    tested = np.kron(centred[:, :1], (turned / (turned @ turned))[:, None])
    return replace(whole, tested=tested, nuisance=beside, codes=None, n_along=0)


def _n_treatments(given: npt.ArrayLike) -> int:
    return int(np.max(given)) + 1


Draws = Allocations | Rearrangements


def of_rows(draws: Draws, n_periods: int) -> Draws:
    """Return draws of participants as draws of the rows of `compared_treatments`: those of one stay together.

    Parameters
    ----------
    draws : Allocations or Rearrangements
        Of who was given which sequence, or of the residuals or signs of participants.
    n_periods : int

    Examples
    --------
    >>> from bids_app.stats import sign_flips
    >>> of_rows(allocations([0, 1]), 3).arms
    array([[0, 1, 2, 3],
           [2, 3, 0, 1]], dtype=int8)
    >>> of_rows(sign_flips(2), 3).signs[1].tolist()
    [1, 1, -1, -1]
    """
    rows = n_periods - 1
    if isinstance(draws, Allocations):
        return replace(draws, arms=_pairs(draws.arms, rows).astype(np.int8), whole=draws.fingerprint)
    order, signs = _pairs(draws.order, rows).astype(np.int16), np.repeat(draws.signs, rows, axis=1)
    return replace(draws, order=order, signs=signs, whole=draws.fingerprint)


LEAST_EXACT = 200  # allocations among sequences that are alike under a hypothesis, for these to be used alone


@dataclass(frozen=True)
class Exchange:
    """Among whom labels of sequences are exchanged.

    Attributes
    ----------
    strata : (n,) ndarray of labels
        Labels are exchanged within these.
    exact : bool
        Whether that leaves everybody's values as they are if the hypothesis holds, whatever else works.
    """

    strata: np.ndarray
    exact: bool


@dataclass(frozen=True)
class SequenceDraws:
    """Who could have been given which sequence.

    Attributes
    ----------
    allocations : Allocations
        Of the sequences.
    exact : bool
        As of `Exchange`.
    """

    allocations: Allocations
    exact: bool


def exchange(
    sequence: npt.ArrayLike, given: npt.ArrayLike, blocks: Sequence[int], strata: npt.ArrayLike | None = None
) -> Exchange:
    """Settle among whom labels are exchanged for the hypothesis that some treatments are alike, without any draw.

    Parameters
    ----------
    sequence : (n,) array-like of int
    given : (S, M) array-like of int
        The treatment of each sequence in each period.
    blocks : sequence of int
        For each treatment, a number that those have alike which are alike under the hypothesis.
    strata : (n,) array-like of labels, optional

    Returns
    -------
    Exchange

    Notes
    -----
    If A and B are alike, also in what they leave behind, then A-B-C and B-A-C are one sequence under two names, and
    participants of either could have been of the other with the same values. To exchange labels among such sequences
    only is an exact test whatever C does. It needs sequences that differ in nothing else, as the six of a Williams
    design of three treatments do and the three of a Latin square do not. Where there are fewer than `LEAST_EXACT` such
    allocations, all sequences are exchanged, and C is adjusted for in every draw: approximate, if C differs from both.

    Examples
    --------
    >>> square = [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    >>> exchange([0, 1, 2, 0, 1, 2], square, [0, 0, 2]).exact, exchange([0, 1, 2], square, [0, 0, 0]).exact
    (False, True)
    """
    labels, places = np.asarray(sequence), np.asarray(blocks)[np.asarray(given)]
    alike = np.unique(places, axis=0, return_inverse=True)[1].reshape(-1)
    n_alike, of = len(set(alike[labels].tolist())), stratum_labels(strata, len(labels))
    if n_alike > 1:
        among = np.array([f"{stratum} {one}" for stratum, one in zip(of, alike[labels], strict=True)])
        if n_allocations(labels, among) >= LEAST_EXACT:
            return Exchange(among, exact=True)
    return Exchange(of, exact=len(set(places.ravel().tolist())) == 1)


def sequence_draws(
    sequence: npt.ArrayLike,
    given: npt.ArrayLike,
    blocks: Sequence[int],
    strata: npt.ArrayLike | None = None,
    n_draws: int = 10_000,
    seed: int = 0,
) -> SequenceDraws:
    """Draw allocations of the sequences as `exchange` settles it, whose parameters these are.

    Parameters
    ----------
    sequence, given, blocks, strata
    n_draws, seed : int, optional

    Returns
    -------
    SequenceDraws
    """
    how = exchange(sequence, given, blocks, strata)
    return SequenceDraws(allocations(sequence, how.strata, n_draws, seed), how.exact)


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


def tells_carry_over(given: npt.ArrayLike) -> bool:
    """Say whether sequences (S, M) tell the treatments of a period from what those of the period before left behind.

    Examples
    --------
    >>> tells_carry_over([[0, 1], [1, 0]]), tells_carry_over([[0, 1, 1], [1, 0, 0]])
    (False, True)
    """
    order = np.asarray(given)
    own = np.eye(_n_treatments(order))[order][:, :, 1:]
    codes = _by_row(np.concatenate([own, _before(own)], axis=2), order).reshape(len(order), -1, 2 * own.shape[2])
    rows = (codes - codes.mean(axis=0)).reshape(-1, codes.shape[2])
    return bool(np.linalg.matrix_rank(rows) == codes.shape[2])


def _pairs(sequence: np.ndarray, n_rows: int) -> np.ndarray:
    """Return numbers of the pairs of a sequence and a row, (..., n n_rows) of (..., n)."""
    pairs = sequence.astype(int)[..., None] * n_rows + np.arange(n_rows)
    return pairs.reshape(*sequence.shape[:-1], -1)
