"""Differences of the arms at the follow-ups tested by re-randomization, with a covariance that does not know them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bids_app.stats.allocation import allocations
from bids_app.stats.pvalues import count_draws
from bids_app.stats.scores.mmrm import maximum_of
from bids_app.stats.scores.sample import Scores

BATCH = 1000  # allocations at once
REGULAR = 1e-10  # what an allocation's least information must be, of that of all participants


@dataclass(frozen=True)
class Randomized:
    """Scores of n randomized participants at M follow-ups, and how their allocation is repeated.

    Attributes
    ----------
    values : (n, M) float ndarray
    arm : (n,) int ndarray
        0, the reference, to K - 1.
    baseline : (n,) float ndarray or None
        A score like the others, of which the arms have one mean.
    covariates : (n, c) float ndarray
        With a coefficient at each visit; dummies of the strata too.
    strata : (n,) ndarray of labels or None
        Within which labels are re-drawn.
    structures : sequence of str, optional
        Forms of the covariance that are tried, as `fit_mmrm` has them.
    n_draws, seed : int, optional
        As `allocations` has them.
    """

    values: np.ndarray
    arm: np.ndarray
    baseline: np.ndarray | None
    covariates: np.ndarray
    strata: np.ndarray | None = None
    structures: Sequence[str] | None = None
    n_draws: int = 10_000
    seed: int = 0

    def p_of_differences(self, arm: int, weights: np.ndarray) -> np.ndarray:
        """Test weighted sums over the follow-ups, (C, M), of the difference between an arm and the reference.

        The labels of these two arms are re-drawn, within strata, and the others keep theirs.

        Returns
        -------
        (C,) float ndarray
            Two-sided p.

        Raises
        ------
        ValueError
            If no other allocation is possible, or the model without the difference is not estimated.
        """
        return self._p([arm], weights)

    def p_of_weights(self, row: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Test weighted sums over the follow-ups, (C, M), of a sum over the arms with weights, (K,), that add up to 0.

        The labels of the arms that have weight are re-drawn, within strata, and the others keep theirs.

        Returns
        -------
        (C,) float ndarray
            Two-sided p.
        """
        base, *tested = (int(arm) for arm in np.flatnonzero(row))
        return self._p(tested, np.kron(row[tested][None], weights), base)

    def p_of_any(self) -> float:
        """Test whether any arm differs from the reference at any follow-up: the labels of all arms are re-drawn."""
        return float(self._p(list(range(1, int(self.arm.max()) + 1)))[0])

    def _p(self, tested: list[int], weights: np.ndarray | None = None, base: int = 0) -> np.ndarray:
        together = np.where(np.isin(self.arm, tested), base, self.arm)
        without = np.unique(together, return_inverse=True)[1]
        constrained = self.baseline is not None
        everyone = Scores.checked(self.values, without, self.baseline, self.covariates, constrained=constrained)
        whitened = Whitened.of(everyone.of(everyone.scored), everyone.n_arms, self.structures)
        arm, strata = self.arm[everyone.scored], None if self.strata is None else self.strata[everyone.scored]
        draws = allocations(arm, strata, self.n_draws, self.seed, among=[base, *tested])

        def statistics(window: slice) -> np.ndarray:
            labels = draws.arms[window, :, None] == np.array(tested)
            return whitened.statistics(labels.astype(np.float64), weights)

        return count_draws(statistics, len(draws), BATCH).p


@dataclass(frozen=True)
class Whitened:
    r"""What each participant adds to score and information of an arm at M follow-ups.

    Attributes
    ----------
    scores : (n, M) float ndarray
        :math:`s_i = D' V_i^{-1} r_i`, of the residuals r of the model without the arms; D picks the follow-ups.
    shared : (n, M, p) float ndarray
        :math:`G_i = D' V_i^{-1} X_i`, of what explains the scores in that model.
    own : (n, M, M) float ndarray
        :math:`H_i = D' V_i^{-1} D`.
    covariance : (p, p) float ndarray
        :math:`\Phi = (X' V^{-1} X)^{-1}`.

    Notes
    -----
    With the sums s, G and H over who is in an arm, its score is s and its information :math:`J = H - G \Phi G'`;
    :math:`J^{-1} s` are the differences by generalized least squares with the covariance V. Neither V nor r knows the
    labels that are re-drawn, so that every allocation's statistic is the same function of its labels: p is exact,
    whether or not V is right, if treatment changed nobody's score at any visit nor whether it is missing. Rosenbaum
    (2002), doi:10.1214/ss/1042727942.
    """

    scores: np.ndarray
    shared: np.ndarray
    own: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, entered: Scores, n_arms: int, structures: Sequence[str] | None) -> "Whitened":
        """Fit the model without what is tested."""
        sample, found, _ = maximum_of(entered, n_arms, True, structures)
        likelihood, explained = found.likelihood, sample.explained
        pattern = np.unique(np.isfinite(sample.residuals), axis=0, return_inverse=True)[1]
        weights, once = likelihood.weights[pattern.reshape(-1)], explained.of_participant
        by_visit = explained.spread.reshape(-1, once.shape[1], explained.spread.shape[1])
        rows = np.einsum("ia,jap->ijp", once, by_visit)
        residuals = np.nan_to_num(sample.residuals) - rows @ likelihood.coefficients
        scores, later = np.einsum("ijk,ik->ij", weights, residuals), slice(int(entered.constrained), None)
        return cls(scores[:, later], (weights @ rows)[:, later], weights[:, later, later], likelihood.covariance)

    def statistics(self, labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the statistics of some allocations, (B, C), of who is in each of the tested arms, (B, n, L) float.

        Of each weighted sum over the tested arms and the follow-ups, (C, L M), of their differences, the estimate
        divided by its standard error; without weights one squared length of all differences, (B, 1). They are 0 for an
        allocation that leaves an arm without scores at a follow-up.
        """
        score, information = self._of(labels)
        singular = np.linalg.eigvalsh(information)[:, 0] <= REGULAR * np.trace(self.own.sum(axis=0))
        information[singular], score[singular] = np.eye(score.shape[1]), 0
        estimates = np.linalg.solve(information, score[:, :, None])[:, :, 0]
        if weights is None:
            return np.sum(score * estimates, axis=1, keepdims=True)
        variances = np.einsum("cj,bjk,ck->bc", weights, np.linalg.inv(information), weights)
        return np.asarray(estimates @ weights.T / np.sqrt(variances))

    def _of(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return score and information of all arms at all follow-ups, (B, L M) and (B, L M, L M)."""
        n_draws, _, n_arms = labels.shape
        n_visits, members = self.scores.shape[1], labels.transpose(0, 2, 1)
        score, shared, own = (np.tensordot(members, part, axes=1) for part in (self.scores, self.shared, self.own))
        shared = shared.reshape(n_draws, n_arms * n_visits, -1)
        information = -(shared @ self.covariance @ shared.transpose(0, 2, 1))
        for arm in range(n_arms):
            block = slice(arm * n_visits, (arm + 1) * n_visits)
            information[:, block, block] += own[:, arm]
        return score.reshape(n_draws, -1), information
