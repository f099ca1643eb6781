"""Who and what enters the mixed model for repeated measures, in units in which it is computed."""

from dataclasses import dataclass

import numpy as np

from bids_app.stats.scores.patterns import NotEstimated, Patterns, Regressors


@dataclass(frozen=True)
class Scores:
    """Scores of n participants at M follow-ups, and what they are adjusted for.

    Attributes
    ----------
    values : (n, M) or (n, 1 + M) float ndarray
        NaN where missing; of a constrained model the baseline first.
    arm : (n,) int ndarray
        0 to K - 1.
    baseline : (n,) float ndarray or None
        NaN where missing.
    covariates : (n, c) float ndarray
    constrained : bool
        Whether the baseline is one of the values, of which the arms have one mean, rather than adjusted for.
    given : (K, M) int ndarray or None
        Of a cross-over trial, whose sequences are the arms and whose periods the follow-ups, the treatments.
    """

    values: np.ndarray
    arm: np.ndarray
    baseline: np.ndarray | None
    covariates: np.ndarray
    constrained: bool = False
    given: np.ndarray | None = None

    @classmethod
    def checked(
        cls,
        values: np.ndarray,
        arm: np.ndarray,
        baseline: np.ndarray | None,
        covariates: np.ndarray | None,
        *,
        constrained: bool = False,
    ) -> "Scores":
        """Refuse arrays that do not fit each other."""
        values, arm = np.asarray(values, dtype=np.float64), np.asarray(arm)
        n = len(arm)
        covariates = np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
        baseline = None if baseline is None else np.asarray(baseline, dtype=np.float64)
        if values.ndim != 2 or len(values) != n or not values.shape[1]:
            raise ValueError(f"scores must have shape ({n}, M), not {values.shape}")
        if covariates.ndim != 2 or len(covariates) != n:
            raise ValueError(f"covariates must have shape ({n}, c), not {covariates.shape}")
        if baseline is not None and baseline.shape != (n,):
            raise ValueError(f"the baseline must have shape ({n},), not {baseline.shape}")
        if np.isinf(values).any():
            raise ValueError(f"scores hold {np.isinf(values).sum()} infinite values")
        if not np.issubdtype(arm.dtype, np.integer) or (n and arm.min() < 0):
            raise ValueError("arms must be integers from 0 on")
        if not constrained:
            return cls(values, arm, baseline, covariates)
        if baseline is None:
            raise ValueError("a constrained model needs the baseline")
        return cls(np.column_stack([baseline, values]), arm, None, covariates, constrained=True)

    @property
    def visits(self) -> tuple[str, ...]:
        """What the visits of the values are called."""
        n_followups = self.values.shape[1] - self.constrained
        return ("baseline",) * self.constrained + tuple(f"follow-up {visit + 1}" for visit in range(n_followups))

    @property
    def scored(self) -> np.ndarray:
        """Who has any of the values, (n,) bool."""
        return np.asarray(np.isfinite(self.values).any(axis=1))

    @property
    def based(self) -> np.ndarray:
        """Who has a baseline, if there is one, (n,) bool."""
        return np.ones(len(self.arm), dtype=bool) if self.baseline is None else np.isfinite(self.baseline)

    @property
    def n_arms(self) -> int:
        """K."""
        return int(self.arm.max(initial=-1)) + 1

    def of(self, members: np.ndarray) -> "Scores":
        """Return those for whom ``members``, (n,) bool, is true."""
        baseline = None if self.baseline is None else self.baseline[members]
        covariates = self.covariates[members]
        return Scores(self.values[members], self.arm[members], baseline, covariates, self.constrained, self.given)

    def require_every_cell(self, n_arms: int) -> None:
        """Refuse arms and follow-ups at which nobody has a score."""
        there, names = np.isfinite(self.values[:, self.constrained :]), self.visits[self.constrained :]
        counts = np.stack([there[self.arm == arm].sum(axis=0) for arm in range(n_arms)]) if n_arms else there[:0]
        empty = [f"arm {arm} at {names[visit]}" for arm, visit in np.argwhere(counts == 0)]
        if empty or not n_arms:
            raise NotEstimated(f"nobody has a score in: {', '.join(empty) or 'any arm'}")
        if not np.isfinite(self.covariates).all():
            raise ValueError(f"covariates hold {np.sum(~np.isfinite(self.covariates))} values that are not finite")


@dataclass(frozen=True)
class Sample:
    """What the likelihood is computed of, and the way back to the units of the scores.

    Attributes
    ----------
    patterns : Patterns
        Of the residuals of least squares, in units of their standard deviation, and of regressors that are scaled.
    explained : Regressors
        What explains them, of n participants and p coefficients.
    residuals : (n, M) float ndarray
        Those of the patterns.
    scale : (p,) float ndarray
        What a coefficient is multiplied by ...
    offset : (p,) float ndarray
        ... and what is added then.
    unit : float
        Of the scores.
    constant : float
        What is added to the logarithm of the likelihood.
    """

    patterns: Patterns
    explained: Regressors
    residuals: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    unit: float
    constant: float

    @classmethod
    def of(cls, scores: Scores, n_arms: int, by_visit: bool) -> "Sample":
        """Prepare scores of participants who have all that is needed."""
        explained, units = _explained(scores, n_arms, by_visit)
        observed, size = np.isfinite(scores.values), explained.of_participant.shape[1]
        rows = explained.rows(observed)
        offset = np.linalg.lstsq(rows, scores.values[observed])[0]
        residuals = scores.values.copy()
        residuals[observed] -= rows @ offset
        free = len(rows) - rows.shape[1]
        unit = float(np.sqrt(np.nansum(np.square(residuals)) / free)) if free > 0 else 0.0
        if unit <= 1e-10 * np.nanmax(np.abs(scores.values)):
            raise NotEstimated("the scores leave no error: as many coefficients as values, or scores that do not vary")
        belongs = explained.spread.reshape(-1, size, len(offset)).max(axis=0)
        own = (1 / units) @ belongs / belongs.sum(axis=0)
        patterns = Patterns.of(residuals / unit, explained, scores.visits)
        constant = -free * np.log(unit) + np.log(own).sum()
        return cls(patterns, explained, residuals / unit, own * unit, own * offset, unit, float(constant))

    def start(self) -> np.ndarray:
        """Return a covariance of the visits to begin with, (M, M): of pairs, as near to them as it may be."""
        values = np.nan_to_num(self.residuals)
        pairs = values.T @ values / np.maximum(self.patterns.together, 1)
        variances = np.maximum(np.diag(pairs), 1e-3)
        alone = np.diag(variances)
        bound = 0.95 * np.sqrt(np.outer(variances, variances))
        pairs = np.clip(pairs - np.diag(np.diag(pairs)), -bound, bound) * (1 - np.eye(len(pairs)))
        scaled = pairs / np.sqrt(np.outer(variances, variances))
        lowest = -np.linalg.eigvalsh(scaled)[0]
        return np.asarray(alone + pairs * (min(1.0, 0.9 / lowest) if lowest > 0 else 1.0))


def _explained(scores: Scores, n_arms: int, by_visit: bool) -> tuple[Regressors, np.ndarray]:
    """Return what explains the scores, and the units (r,) by which it was divided."""
    names = [f"arm {arm}" for arm in range(n_arms)]
    columns, own = [scores.arm[:, None] == np.arange(n_arms)], [True] * n_arms
    if scores.baseline is not None:
        columns.append(scores.baseline[:, None])
        names, own = [*names, "baseline"], [*own, True]
    n_covariates = scores.covariates.shape[1]
    columns.append(scores.covariates)
    names += [f"covariate {column}" for column in range(n_covariates)]
    own += [by_visit] * n_covariates
    whole = np.column_stack(columns).astype(np.float64)
    centred = whole[:, n_arms:] - whole[:, n_arms:].mean(axis=0)
    spread = np.sqrt(np.square(centred).mean(axis=0))
    units = np.concatenate([np.ones(n_arms), np.where(spread > 0, spread, 1)])
    whole[:, n_arms:] = centred
    n_visits = len(scores.visits)
    explained = Regressors.of(whole / units, tuple(names), np.array(own), scores.visits)
    needed = n_visits * (n_arms + (scores.baseline is not None))
    if scores.constrained:
        explained, needed = explained.with_one_baseline(n_arms, n_visits), needed - n_arms + 1
    if scores.given is not None:
        explained, needed = explained.with_treatments(scores.given), n_visits + int(scores.given.max())
    return explained.independent(np.isfinite(scores.values), needed), units
