"""Scores of repeated visits and what explains them, as sums over the participants with the same visits."""

from dataclasses import dataclass

import numpy as np

from bids_app.stats.design import leading


class NotEstimated(ValueError):
    """The scores do not determine the model; the message says what is missing."""


@dataclass(frozen=True)
class Regressors:
    """What explains the scores of n participants at M visits.

    Attributes
    ----------
    of_participant : (n, r) float ndarray
        Arms, baseline, covariates: what a participant has once.
    spread : (M r, p) float ndarray
        The coefficients of ``of_participant`` at each visit, of the p coefficients of the model: one that belongs to a
        visit has one 1, one that is common to all visits has M.
    labels : tuple of str
        What the p coefficients belong to.
    """

    of_participant: np.ndarray
    spread: np.ndarray
    labels: tuple[str, ...]

    @classmethod
    def of(
        cls, of_participant: np.ndarray, names: tuple[str, ...], by_visit: np.ndarray, visits: tuple[str, ...]
    ) -> "Regressors":
        """Give each column of (n, r) a coefficient of its own at each visit where ``by_visit``, (r,) bool, says so."""
        size, n_visits = len(names), len(visits)
        columns, labels = [], []
        for column, name in enumerate(names):
            at = np.zeros((n_visits, size, n_visits))
            at[range(n_visits), column, range(n_visits)] = 1
            flat = at.reshape(n_visits * size, n_visits)
            own = bool(by_visit[column])
            columns.append(flat if own else flat.sum(axis=1, keepdims=True))
            labels += [f"{name} at {visit}" for visit in visits] if own else [name]
        return cls(of_participant, np.hstack(columns), tuple(labels))

    def with_one_baseline(self, n_arms: int, n_visits: int) -> "Regressors":
        """Give the arms, which come first, one coefficient at the first visit: after theirs of the other visits."""
        cells = np.arange(n_arms * n_visits).reshape(n_arms, n_visits)
        later, rest = cells[:, 1:].ravel(), np.arange(cells.size, len(self.labels))
        shared = self.spread[:, cells[:, 0]].sum(axis=1)
        spread = np.column_stack([self.spread[:, later], shared, self.spread[:, rest]])
        labels = [self.labels[one] for one in later] + ["all arms at baseline"] + [self.labels[one] for one in rest]
        return Regressors(self.of_participant, spread, tuple(labels))

    def with_treatments(self, given: np.ndarray) -> "Regressors":
        """Give the arms, which come first, coefficients of the treatments, but the first, and of the visits.

        Treatments are from 0 on, ``given`` to each of K arms at each visit, (K, M): the arms are sequences of them.
        """
        cells, (n_arms, n_visits) = given.size, given.shape
        treated = given.reshape(-1, 1) == np.arange(1, given.max() + 1)
        shared = np.column_stack([treated, np.tile(np.eye(n_visits), (n_arms, 1))])
        names = [f"treatment {one}" for one in range(1, given.max() + 1)]
        labels = [*names, *(f"visit {visit + 1}" for visit in range(n_visits)), *self.labels[cells:]]
        spread = np.column_stack([self.spread[:, :cells] @ shared, self.spread[:, cells:]])
        return Regressors(self.of_participant, spread, tuple(labels))

    def rows(self, observed: np.ndarray) -> np.ndarray:
        """Return the design of the N values that exist, of (n, M) bool, (N, p)."""
        participant, visit = np.nonzero(observed)
        size = self.of_participant.shape[1]
        by_visit = self.spread.reshape(-1, size, self.spread.shape[1])
        return np.einsum("ia,iap->ip", self.of_participant[participant], by_visit[visit])

    def independent(self, observed: np.ndarray, n_needed: int) -> "Regressors":
        """Leave out the coefficients that add nothing to those before; the first ``n_needed`` must all be there."""
        rows = self.rows(observed)
        if np.linalg.matrix_rank(rows) == rows.shape[1]:
            return self
        kept = leading(rows)
        missing = [self.labels[one] for one in range(n_needed) if one not in kept]
        if missing:
            raise NotEstimated(f"the scores do not determine the coefficient of: {', '.join(missing)}")
        return Regressors(self.of_participant, self.spread[:, kept], tuple(self.labels[one] for one in kept))


@dataclass(frozen=True)
class Patterns:
    """The sums of which the likelihood is made, over the participants of each of P patterns of observed visits.

    Attributes
    ----------
    observed : (P, M) bool ndarray
    counts : (P,) int ndarray
        Participants.
    regressors : (P, r, r) float ndarray
        Sums of the products of what a participant has once.
    mixed : (P, M, r) float ndarray
        Sums of the products of scores with it; 0 where the visit is not observed.
    squares : (P, M, M) float ndarray
        Sums of the products of scores.
    spread : (M r, p) float ndarray
        As in `Regressors`.
    visits : tuple of str
        What the M visits are called.
    """

    observed: np.ndarray
    counts: np.ndarray
    regressors: np.ndarray
    mixed: np.ndarray
    squares: np.ndarray
    spread: np.ndarray
    visits: tuple[str, ...]

    @classmethod
    def of(cls, scores: np.ndarray, explained: Regressors, visits: tuple[str, ...]) -> "Patterns":
        """Sum over the participants with the same visits, of scores (n, M) that are NaN where missing."""
        observed, pattern = np.unique(np.isfinite(scores), axis=0, return_inverse=True)
        members = (pattern.reshape(-1) == np.arange(len(observed))[:, None]).astype(float)
        values, once = np.nan_to_num(scores), explained.of_participant
        return cls(
            observed,
            members.sum(axis=1).astype(int),
            np.einsum("pi,ia,ib->pab", members, once, once, optimize=True),
            np.einsum("pi,ij,ia->pja", members, values, once, optimize=True),
            np.einsum("pi,ij,ik->pjk", members, values, values, optimize=True),
            explained.spread,
            visits,
        )

    @property
    def n_visits(self) -> int:
        """M."""
        return self.observed.shape[1]

    @property
    def n_values(self) -> int:
        """Scores that exist."""
        return int(self.counts @ self.observed.sum(axis=1))

    @property
    def together(self) -> np.ndarray:
        """How many have both of two visits, (M, M)."""
        return np.asarray(np.einsum("p,pj,pk->jk", self.counts, self.observed, self.observed.astype(int)))

    def information(self, weights: np.ndarray) -> np.ndarray:
        r"""Return :math:`X' W X` for a matrix of each pattern, (..., p, p) of (P, ..., M, M)."""
        size = self.n_visits * self.regressors.shape[1]
        whole = np.einsum("p...jk,pab->...jakb", weights, self.regressors)
        return np.asarray(self.spread.T @ whole.reshape(*whole.shape[:-4], size, size) @ self.spread)

    def projection(self, weights: np.ndarray, mixed: np.ndarray) -> np.ndarray:
        r"""Return :math:`X' W y` for a matrix of each pattern, (..., p) of (P, ..., M, M), y as its `mixed`."""
        whole = np.einsum("p...jk,pka->...ja", weights, mixed)
        return np.asarray(whole.reshape(*whole.shape[:-2], -1) @ self.spread)
