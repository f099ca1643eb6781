"""The restricted likelihood of repeated scores, its derivatives, and the search for its maximum."""

from dataclasses import dataclass

import numpy as np

from bids_app.stats.scores.covariance import Structure
from bids_app.stats.scores.patterns import NotEstimated, Patterns

N_STEPS, N_HALVINGS = 100, 30
CLOSE = 1e-12  # of the log-likelihood, that another step would gain
SINGULAR = 1e-8  # an eigenvalue of a correlation
DEPENDENT = "the likelihood grows on as the follow-ups come to depend on each other exactly"
UNKNOWN = 1e-6  # of what one participant with all visits tells of a parameter


@dataclass(frozen=True)
class Likelihood:
    r"""The restricted likelihood at a covariance, the coefficients profiled out.

    Attributes
    ----------
    patterns : Patterns
    weights : (P, M, M) float ndarray
        Inverse of the covariance of each pattern; 0 where a visit is not observed.
    coefficients : (p,) float ndarray
    covariance : (p, p) float ndarray
        :math:`(X' V^{-1} X)^{-1}`.
    mixed, residual, leverage : (P, M, r), (P, M, M), (P, M, M) float ndarrays
        Sums of the products of residuals with the regressors and with each other; sums of :math:`X_i \Phi X_i'`.
    value : float
        Its logarithm.

    Notes
    -----
    .. math:: \ell = -\tfrac12 \{(N - p) \log 2 \pi + \log |V| + \log |X' V^{-1} X| + r' V^{-1} r\}

    for N values, as lme4 and nlme have it; Patterson & Thompson (1971), Biometrika 58:545.
    """

    patterns: Patterns
    weights: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray
    mixed: np.ndarray
    residual: np.ndarray
    leverage: np.ndarray
    value: float

    @classmethod
    def at(cls, patterns: Patterns, covariance: np.ndarray) -> "Likelihood":
        """Evaluate at the (M, M) covariance of the visits; LinAlgError if it is not positive definite."""
        np.linalg.cholesky(covariance)
        both = patterns.observed[:, :, None] & patterns.observed[:, None, :]
        own = np.where(both, covariance, np.eye(patterns.n_visits))
        weights = np.where(both, np.linalg.inv(own), 0)
        information = patterns.information(weights)
        inverse = np.linalg.inv(information)
        coefficients = inverse @ patterns.projection(weights, patterns.mixed)
        at_visits = (patterns.spread @ coefficients).reshape(patterns.n_visits, -1)
        fitted = at_visits @ patterns.regressors
        half = patterns.mixed @ at_visits.T
        residual = patterns.squares - half - half.swapaxes(1, 2) + fitted @ at_visits.T
        whole = (patterns.spread @ inverse @ patterns.spread.T).reshape(2 * at_visits.shape)
        leverage = np.einsum("jakb,pab->pjk", whole, patterns.regressors)
        size = patterns.n_values - len(inverse)
        determinants = patterns.counts @ np.linalg.slogdet(own)[1] + np.linalg.slogdet(information)[1]
        value = -(size * np.log(2 * np.pi) + determinants + np.sum(weights * residual)) / 2
        mixed = patterns.mixed - fitted
        return cls(patterns, weights, coefficients, inverse, mixed, residual, leverage, float(value))

    def slope(self) -> np.ndarray:
        r"""Return :math:`-2 \partial \ell / \partial \Sigma`, the entries taken one by one, (M, M)."""
        inner = self.weights @ (self.leverage + self.residual) @ self.weights
        return np.asarray(np.einsum("p,pjk->jk", self.patterns.counts, self.weights) - inner.sum(axis=0))

    def score(self, first: np.ndarray) -> np.ndarray:
        """Return the derivatives by the parameters, (H,), of those of the covariance (H, M, M)."""
        return -np.einsum("hjk,jk->h", first, self.slope()) / 2

    def changes(self, first: np.ndarray) -> np.ndarray:
        r"""Return :math:`X' V^{-1} V_h V^{-1} X`, (H, p, p): minus the derivatives of the information."""
        weights = self.weights[:, None]
        return self.patterns.information(weights @ first @ weights)

    def expected(self, first: np.ndarray) -> np.ndarray:
        r"""Return the expected information of the parameters, :math:`\tfrac12 \mathrm{tr}(P V_h P V_i)`, (H, H)."""
        steps = self.weights[:, None] @ first
        counted = np.einsum("p,phjk,pikj->hi", self.patterns.counts, steps, steps, optimize=True)
        inner = (self.weights @ self.leverage)[:, None] @ steps
        shifts = self.covariance @ self.changes(first)
        return np.asarray(counted - 2 * _traces(inner, steps) + np.einsum("hab,iba->hi", shifts, shifts)) / 2

    def observed(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the observed information, minus the second derivatives of the log-likelihood, (H, H)."""
        steps = self.weights[:, None] @ first
        inner = (self.weights @ self.residual)[:, None] @ steps
        pulls = self.patterns.projection(steps @ self.weights[:, None], self.mixed)
        quadratic = _traces(inner, steps) - pulls @ self.covariance @ pulls.T
        bend = np.einsum("hijk,jk->hi", second, self.slope()) / 2
        return np.asarray(quadratic + bend - self.expected(first))


@dataclass(frozen=True)
class Maximum:
    """Where the restricted likelihood of a structure is largest.

    Attributes
    ----------
    structure : Structure
    parameters : (H,) float ndarray
    likelihood : Likelihood
    expected, observed : (H, H) float ndarray
        Information of the parameters.
    n_steps : int
    """

    structure: Structure
    parameters: np.ndarray
    likelihood: Likelihood
    expected: np.ndarray
    observed: np.ndarray
    n_steps: int

    @property
    def covariance(self) -> np.ndarray:
        """Of the visits, (M, M)."""
        return self.structure.matrix(self.parameters, self.likelihood.patterns.n_visits)

    def determined_by(self, information: np.ndarray) -> bool:
        """Whether an information, (H, H), tells of every parameter, as judged by that of one complete participant."""
        steps = np.linalg.solve(self.covariance, self.first)
        root = np.linalg.cholesky(np.einsum("hjk,ikj->hi", steps, steps) / 2)
        share = np.linalg.solve(root, np.linalg.solve(root, information).T)
        return bool(np.isfinite(share).all() and np.linalg.eigvalsh(share)[0] > UNKNOWN)

    @property
    def first(self) -> np.ndarray:
        """First derivatives of the covariance, (H, M, M)."""
        return self.structure.first(self.parameters, self.likelihood.patterns.n_visits)

    @property
    def second(self) -> np.ndarray:
        """Second derivatives of the covariance, (H, H, M, M)."""
        return self.structure.second(self.parameters, self.likelihood.patterns.n_visits)


def maximize(patterns: Patterns, structure: Structure, start: np.ndarray) -> Maximum:
    """Search the maximum by Newton's steps, or Fisher's where the likelihood is not concave, halved as needed.

    Parameters
    ----------
    patterns : Patterns
    structure : Structure
    start : (M, M) float ndarray
        A positive definite covariance to begin near to.

    Returns
    -------
    Maximum
        Where the gradient is 0 and the observed information positive definite.

    Raises
    ------
    NotEstimated
        If there is no such place, or it was not found.
    """
    require_known(patterns, structure)
    size = patterns.n_visits
    parameters = structure.start(start)
    try:
        here = Likelihood.at(patterns, structure.matrix(parameters, size))
    except np.linalg.LinAlgError:
        parameters = structure.start(np.diag(np.diag(start)))
        here = Likelihood.at(patterns, structure.matrix(parameters, size))
    for count in range(N_STEPS):
        found = _examined(here, structure, parameters, count)
        concave = found.determined_by(found.observed)
        if not concave and not found.determined_by(found.expected):
            raise NotEstimated(DEPENDENT if count else "the scores do not determine its parameters")
        score = here.score(found.first)
        step = np.linalg.solve(found.observed if concave else found.expected, score)
        parameters, here = _advance(here, structure, parameters, step)
        if concave and score @ step < CLOSE:  # which the step just made has squared
            return _examined(here, structure, parameters, count + 1)
    raise NotEstimated(f"the likelihood has no maximum that {N_STEPS} steps reach")


def require_known(patterns: Patterns, structure: Structure) -> None:
    """Refuse a structure of which no participant tells a parameter, or that has more of them than the values."""
    gaps = structure.gaps(patterns.together)
    if gaps:
        words = ", nor at ".join(" and ".join(patterns.visits[visit] for visit in pair) for pair in gaps)
        raise NotEstimated(f"nobody has scores at both {words}")
    free = patterns.n_values - patterns.spread.shape[1]
    needed = structure.n_parameters(patterns.n_visits)
    if free < needed:
        raise NotEstimated(f"{free} degrees of freedom are too few for its {needed} parameters")


def _examined(here: Likelihood, structure: Structure, parameters: np.ndarray, count: int) -> Maximum:
    size = here.patterns.n_visits
    _require_regular(structure.matrix(parameters, size))
    first, second = structure.first(parameters, size), structure.second(parameters, size)
    return Maximum(structure, parameters, here, here.expected(first), here.observed(first, second), count)


def _advance(
    here: Likelihood, structure: Structure, parameters: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, Likelihood]:
    """Go along a step as far as the covariance stays positive definite and the likelihood does not fall."""
    for halving in range(N_HALVINGS):
        there = parameters + step / 2**halving
        try:
            found = Likelihood.at(here.patterns, structure.matrix(there, here.patterns.n_visits))
        except np.linalg.LinAlgError:
            continue
        if found.value >= here.value - 1e-10 * (1 + abs(here.value)):
            return there, found
    raise NotEstimated(DEPENDENT)


def _require_regular(covariance: np.ndarray) -> None:
    deviations = np.sqrt(np.diag(covariance))
    if np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))[0] < SINGULAR:
        raise NotEstimated(DEPENDENT)


def _traces(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the sums over patterns of the traces of products, (H, H) of twice (P, H, M, M)."""
    return np.asarray(np.einsum("phjk,pikj->hi", one, other))
