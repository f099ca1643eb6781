"""A fitted mixed model for repeated measures: what it says of the arms at the follow-ups."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from bids_app.stats.estimates import LEVEL, two_sided
from bids_app.stats.scores.degrees import KENWARD_ROGER, METHODS, JointTest, SmallSample
from bids_app.stats.scores.simultaneous import LargestT


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of the arms' adjusted means, in the units of the score.

    Attributes
    ----------
    estimate, standard_error, df, t, p : float
        Two-sided p of t.
    ci_low, ci_high : float
    level : float
        Of the interval.
    """

    estimate: float
    standard_error: float
    df: float
    t: float
    p: float
    ci_low: float
    ci_high: float
    level: float = LEVEL


def contrast_of(small: SmallSample, row: np.ndarray, level: float = LEVEL) -> Contrast:
    """Estimate the sum of the coefficients with weights, (p,)."""
    estimate, df = float(row @ small.coefficients), small.df(row)
    error = float(np.sqrt(row @ small.covariance @ row))
    margin = _quantile(df, 0.5 + level / 2) * error
    t = estimate / error
    return Contrast(estimate, error, df, t, two_sided(t, df), estimate - margin, estimate + margin, level)


@dataclass(frozen=True)
class Simultaneous:
    """Several contrasts whose intervals hold together, and whose p are adjusted for their number.

    Attributes
    ----------
    contrasts : tuple of Contrast
        With the adjusted p and intervals; df are their own.
    critical : float
        Of the largest :math:`|t|`.
    df : float
        The smallest of theirs, which the common distribution has: on the safe side.
    correlation : (C, C) float ndarray
    """

    contrasts: tuple[Contrast, ...]
    critical: float
    df: float
    correlation: np.ndarray


@dataclass(frozen=True)
class Mmrm:
    """A fitted mixed model for repeated measures, of K arms at M follow-ups.

    It has converged: a form of the covariance that does not is ``left``, and none is an error. Methods take
    ``method``, which of `degrees.METHODS` gives standard errors and degrees of freedom: Kenward-Roger by default.

    Attributes
    ----------
    labels : tuple of str
        What the p coefficients belong to: first the K x M adjusted means of the arms at the follow-ups, arm by arm, at
        the mean of the baseline and of the covariates over the participants of the model; then the slopes on the
        baseline at each follow-up, or of a constrained model the mean of the baseline; then those on the covariates.
    of_visits : (M, M) or (1 + M, 1 + M) float ndarray
        Residual covariance of a participant's follow-ups; of a constrained model of the baseline and these.
    structure : str
        Its form.
    left : tuple of str
        The forms that were tried before, each with why it was left.
    loglik : float
        Logarithm of the restricted likelihood.
    n_participants, n_values : int
        In the model; their scores.
    n_without_score, n_without_baseline : int
        Left out: without any score, and of the others without a baseline that is adjusted for.
    n_steps : int
        Of the search.
    shape : tuple of int
        K and M.
    inference : tuple of SmallSample
        One for each method.
    """

    labels: tuple[str, ...]
    of_visits: np.ndarray
    structure: str
    left: tuple[str, ...]
    loglik: float
    n_participants: int
    n_values: int
    n_without_score: int
    n_without_baseline: int
    n_steps: int
    shape: tuple[int, int]
    inference: tuple[SmallSample, ...] = field(repr=False)

    @property
    def coefficients(self) -> np.ndarray:
        """As ``labels`` name them, (p,)."""
        return self.inference[0].coefficients

    @property
    def covariance(self) -> np.ndarray:
        """Of the coefficients at the estimated variances, not adjusted, (p, p)."""
        return self.inference[0].model_based

    @property
    def converged(self) -> bool:
        """Whether the gradient is 0 and the Hessian definite: always."""
        return True

    def adjusted_covariance(self, method: str = KENWARD_ROGER) -> np.ndarray:
        """Return the covariance of the coefficients that contrasts are judged by, (p, p)."""
        return self._by(method).covariance

    def contrast(self, weights: np.ndarray, *, method: str = KENWARD_ROGER, level: float = LEVEL) -> Contrast:
        """Estimate the sum of the adjusted means with weights, (K, M)."""
        return contrast_of(self._by(method), self._row(weights), level)

    def joint(self, weights: np.ndarray, *, method: str = KENWARD_ROGER) -> JointTest:
        """Test that several independent contrasts with weights, (C, K, M), are all 0."""
        return self._by(method).joint(np.array([self._row(one) for one in weights]))

    def adjusted_means(self, *, method: str = KENWARD_ROGER, level: float = LEVEL) -> dict[tuple[int, int], Contrast]:
        """Estimate the mean of each arm at each follow-up, by arm and follow-up."""
        cells = np.eye(self.shape[0] * self.shape[1]).reshape(-1, *self.shape)
        return {
            (int(arm), int(visit)): self.contrast(weights, method=method, level=level)
            for (arm, visit), weights in zip(np.ndindex(self.shape), cells, strict=True)
        }

    def differences(
        self, reference: int = 0, *, method: str = KENWARD_ROGER, level: float = LEVEL
    ) -> dict[tuple[int, int], Contrast]:
        """Estimate each other arm minus the reference at each follow-up, by arm and follow-up."""
        return {
            (arm, visit): self.contrast(self.weights(arm, [visit], reference), method=method, level=level)
            for arm in self._others(reference)
            for visit in range(self.shape[1])
        }

    def average_differences(
        self, reference: int = 0, *, method: str = KENWARD_ROGER, level: float = LEVEL
    ) -> dict[int, Contrast]:
        """Estimate each other arm minus the reference, averaged over the follow-ups, by arm."""
        everywhere = range(self.shape[1])
        return {
            arm: self.contrast(self.weights(arm, everywhere, reference), method=method, level=level)
            for arm in self._others(reference)
        }

    def weights(self, arm: int, visits: Iterable[int], reference: int = 0) -> np.ndarray:
        """Return the weights, (K, M), of an arm minus the reference, averaged over some follow-ups."""
        chosen = list(visits)
        found = np.zeros(self.shape)
        found[arm, chosen] += 1 / len(chosen)
        found[reference, chosen] -= 1 / len(chosen)
        return found

    def every_difference(self, reference: int = 0) -> np.ndarray:
        """Return the weights, (C, K, M), of each other arm minus the reference at each follow-up, arm by arm."""
        n_visits = range(self.shape[1])
        rows = [self.weights(arm, [visit], reference) for arm in self._others(reference) for visit in n_visits]
        return np.array(rows).reshape(-1, *self.shape)

    def every_change(self, reference: int = 0) -> np.ndarray:
        """Return the weights, (C, K, M), of these differences minus those of the first follow-up: the interaction."""
        of_arms = self.every_difference(reference).reshape(-1, self.shape[1], *self.shape)
        return (of_arms[:, 1:] - of_arms[:, :1]).reshape(-1, *self.shape)

    def simultaneous(self, weights: np.ndarray, *, method: str = KENWARD_ROGER, level: float = LEVEL) -> Simultaneous:
        """Estimate several contrasts, with weights (C, K, M), whose intervals hold together.

        Notes
        -----
        By the multivariate t of `LargestT`, with the correlation that the estimates have and the smallest of their
        degrees of freedom. Contrasts may depend on each other.
        """
        single = [self.contrast(one, method=method, level=level) for one in weights]
        rows = np.array([self._row(one) for one in weights])
        covariance = rows @ self.adjusted_covariance(method) @ rows.T
        errors = np.sqrt(np.diag(covariance))
        correlation, df = covariance / np.outer(errors, errors), min(one.df for one in single)
        largest = LargestT.of(correlation, df)
        critical = largest.critical(level)
        return Simultaneous(tuple(_widened(one, largest, critical) for one in single), critical, df, correlation)

    def _by(self, method: str) -> SmallSample:
        if method not in METHODS:
            raise ValueError(f"degrees of freedom are by {' or '.join(METHODS)}, not {method}")
        return self.inference[METHODS.index(method)]

    def _others(self, reference: int) -> list[int]:
        return [arm for arm in range(self.shape[0]) if arm != reference]

    def _row(self, weights: np.ndarray) -> np.ndarray:
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != self.shape or not weights.any():
            raise ValueError(f"weights must have shape {self.shape} and not all be 0")
        return np.concatenate([weights.ravel(), np.zeros(len(self.labels) - weights.size)])


def _quantile(df: float, probability: float) -> float:
    return float(special.ndtri(probability) if np.isinf(df) else special.stdtrit(df, probability))


def _widened(one: Contrast, largest: LargestT, critical: float) -> Contrast:
    margin = critical * one.standard_error
    p = largest.beyond(abs(one.t))
    return replace(one, p=p, ci_low=one.estimate - margin, ci_high=one.estimate + margin)
