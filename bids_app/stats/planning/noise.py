"""Maps of participants who were never scanned, with the variance and the correlations of those who were."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bids_app.stats.planning.pilot import Pilot, touching_correlation

N_FIELDS = 128
N_SAMPLED = 200  # nodes whose correlations say how far those of the pilot can be trusted
SHARE, MOST_STEPS = 0.25, 400  # of a node's value that its neighbours get in a step of smoothing
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Noise:
    """What random participants are mixed of.

    Attributes
    ----------
    basis : (L, T, M, V) float32 ndarray
        A participant is the sum of its rows, each times a standard normal number.
    shrinkage : float
        Share of the variance that comes from random fields: 0 is the pilot's participants alone, 1 none of them.
    """

    basis: np.ndarray
    shrinkage: float

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of what is drawn, (T, M, V)."""
        return np.sqrt(np.square(self.basis).sum(axis=0, dtype=np.float64))

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Return residual maps (n, T, M, V), float32, of n participants.

        Parameters
        ----------
        n : int
        generator : numpy Generator
        """
        weights = generator.standard_normal((n, len(self.basis)), dtype=np.float32)
        return (weights @ self.basis.reshape(len(self.basis), -1)).reshape(n, *self.basis.shape[1:])


def noise_like(
    pilot: Pilot, *, seed: int = 0, n_fields: int = N_FIELDS, n_visits: int | None = None, r: float | None = None
) -> Noise:
    r"""Return noise that has the variance and the correlations of a pilot.

    Parameters
    ----------
    pilot : Pilot
    seed : int, optional
    n_fields : int, optional
        How many random fields are mixed in.
    n_visits : int, optional
        Of the trial, where the pilot has others: its first visit then stands for all of them.
    r : float, optional
        Correlation of any two of those visits.

    Returns
    -------
    Noise

    Notes
    -----
    A participant is :math:`\sqrt{(1 - \lambda) / (N - 1)} \sum_i w_i R_i + \sqrt{\lambda / L} \sum_l u_l F_l` with w
    and u standard normal, the same for all visits, measures and nodes: the first sum is normal with exactly the
    covariance of the residuals R of the pilot, between nodes, visits and measures. Of N participants that covariance
    has rank N - 1, and in few dimensions nodes that are far apart seem to go along: the largest of many statistics
    would be too small, and power too large. So the covariance is shrunk towards that of random fields F, which have the
    pilot's variance at each node, its mean correlation of visits and measures, and its correlation of nodes
    that touch (nodes without a place do not correlate). The share is that which Schäfer & Strimmer (2005,
    doi:10.2202/1544-6115.1175) show to have the least error,

    .. math:: \lambda = \frac{\sum \widehat{\mathrm{Var}}(r_{uv})}{\sum (r_{uv} - t_{uv})^2},

    over pairs of a sample of nodes, r being the pilot's correlations and t those of the fields (the variance of r is
    estimated by :math:`(1 - r^2)^2 (\nu + 2) / (\nu^2 - 1)`, which of :math:`\nu = N - 1` is without bias where nothing
    goes along): about 1 where
    the pilot says no more than its smoothness, near 0 where many participants agree on how nodes go along.

    Skewness and heavy tails are not kept: noise is normal.

    Examples
    --------
    >>> maps = np.random.default_rng(0).standard_normal((30, 2, 1, 4))
    >>> pilot = Pilot.of(maps)
    >>> noise = noise_like(pilot)
    >>> bool(np.allclose(noise.deviation, pilot.deviation, rtol=1e-5))
    True
    """
    generator = np.random.default_rng(seed)
    if r is not None:
        pilot = Pilot(pilot.residuals[:, :1], pilot.neighbours)
    fields, n_steps = _fields(pilot, n_fields, generator)
    shrinkage = _shrinkage(pilot, n_steps, generator)
    own = np.sqrt((1 - shrinkage) / (pilot.n - 1)) * pilot.residuals.astype(np.float32)
    basis = np.concatenate([own, np.sqrt(shrinkage / n_fields) * fields]).astype(np.float32)
    if r is not None:
        basis = _repeated(basis, n_visits or 1, r)
    return Noise(basis, shrinkage)


def _repeated(basis: np.ndarray, n_visits: int, r: float) -> np.ndarray:
    """Return the rows (T L, T, M, V) that make T visits which correlate r of the rows (L, 1, M, V) of one."""
    root = np.linalg.cholesky((1 - r) * np.eye(n_visits) + r).astype(np.float32)
    rows = np.einsum("tk,lmv->kltmv", root, basis[:, 0])
    return rows.reshape(-1, *rows.shape[2:])


def _fields(pilot: Pilot, n_fields: int, generator: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return random fields (L, T, M, V) like the pilot, and how often they were smoothed."""
    shape = pilot.residuals.shape[1:]
    n_slots, n_nodes = shape[0] * shape[1], shape[2]
    white = generator.standard_normal((n_nodes, n_fields * n_slots), dtype=np.float32)
    smooth, n_steps = _smoothed(white, pilot.neighbours, pilot.touching)
    fields = smooth.T.reshape(n_fields, n_slots, n_nodes)
    fields /= np.sqrt(np.square(fields).mean(axis=0))
    mixed = np.einsum("kj,ljv->lkv", _root(pilot.correlation), fields, optimize=True)
    mixed /= np.sqrt(np.square(mixed).mean(axis=0))
    return mixed.reshape(n_fields, *shape) * pilot.deviation.astype(np.float32), n_steps


def _root(correlation: np.ndarray) -> np.ndarray:
    """Return a square root of a correlation matrix that may be singular."""
    values, vectors = np.linalg.eigh(correlation)
    return (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)


def _averaging(neighbours: np.ndarray) -> sparse.csr_array:
    """Return the step of smoothing: a node keeps most of its value, and gets the rest from its neighbours."""
    n_nodes = len(neighbours)
    there = neighbours >= 0
    counts = there.sum(axis=1)
    rows = np.repeat(np.arange(n_nodes), counts)
    weights = np.repeat(SHARE / np.maximum(counts, 1), counts).astype(np.float32)
    between = sparse.csr_array((weights, (rows, neighbours[there])), shape=(n_nodes, n_nodes))
    kept = np.where(counts > 0, 1 - SHARE, 1).astype(np.float32)
    return sparse.csr_array(between + sparse.diags_array(kept))


def _smoothed(white: np.ndarray, neighbours: np.ndarray | None, touching: float) -> tuple[np.ndarray, int]:
    """Smooth white noise (V, L) step by step until nodes that touch correlate so much; return it and the steps."""
    if neighbours is None or touching <= 0:
        return white, 0
    step = _averaging(neighbours)
    watched = min(white.shape[1], 64)  # columns are enough: there are many pairs
    correlation, n_steps = 0.0, 0
    while correlation < touching and n_steps < MOST_STEPS:
        white, n_steps = step @ white, n_steps + 1
        few = white[:, :watched] / np.sqrt(np.square(white[:, :watched]).mean(axis=1, keepdims=True))
        correlation = touching_correlation(few.T, neighbours)
    return white, n_steps


def _shrinkage(pilot: Pilot, n_steps: int, generator: np.random.Generator) -> float:
    """Return the share of random fields that has the least error, see `noise_like`."""
    standard = pilot.standard.reshape(pilot.n, -1, pilot.standard.shape[-1])
    varies = np.flatnonzero((np.abs(standard).max(axis=0) > 0).all(axis=0))
    if len(varies) < 2:
        return 0.0
    nodes = np.sort(generator.choice(varies, min(N_SAMPLED, len(varies)), replace=False))
    target = _target(pilot, n_steps, nodes)
    pairs = np.triu_indices(len(nodes), 1)
    error, distance, freedom = 0.0, 0.0, pilot.n - 1
    for slot in range(standard.shape[1]):
        values = standard[:, slot, nodes]
        r = (values.T @ values / freedom)[pairs]
        error += float(np.square(1 - r**2).sum() * (freedom + 2) / (freedom**2 - 1))
        distance += float(np.square(r - target[pairs]).sum())
    return float(np.clip(error / max(distance, NEGLIGIBLE), 0, 1))


def _target(pilot: Pilot, n_steps: int, nodes: np.ndarray) -> np.ndarray:
    """Return the correlations of the random fields between some nodes."""
    if pilot.neighbours is None or not n_steps:
        return np.eye(len(nodes))
    n_nodes = len(pilot.neighbours)
    kernels = np.zeros((n_nodes, len(nodes)), dtype=np.float32)
    kernels[nodes, np.arange(len(nodes))] = 1
    step = _averaging(pilot.neighbours).T.tocsr()  # what goes into a node is a row of the powers of the step
    for _ in range(n_steps):
        kernels = step @ kernels
    covariance = kernels.T @ kernels
    deviation = np.sqrt(np.diag(covariance))
    return covariance / np.outer(deviation, deviation)
