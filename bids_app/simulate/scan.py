"""One scan: head motion and the BOLD series with everything that denoising should remove."""

import numpy as np

from bids_app.simulate.brain import NETWORKS, Brain

PASS_BAND_HZ = (0.01, 0.1)
SPIKE_SPACING = 8
HEAD_RADIUS_MM = 50.0
SIGNAL_UNIT = 0.008
MOTION_UNIT_MM = 0.2
LOCAL_NOISE_SHARE = 0.4


def simulate_motion(n_volumes: int, *, restless: bool, rng: np.random.Generator) -> np.ndarray:
    """Draw the six realignment parameters, a slow wander with a few abrupt movements.

    Parameters
    ----------
    n_volumes : int
    restless : bool
        Whether this participant moves more than most.
    rng : numpy.random.Generator

    Returns
    -------
    (T, 6) ndarray
        Translations in mm, then rotations in radians.
    """
    steps = rng.normal(0, 0.02 if restless else 0.014, (n_volumes, 6))
    few = (7 if restless else 2) + rng.poisson(1.5)
    # Spikes keep a distance, or scrubbing would also discard the short pieces between them.
    places = np.arange(6, n_volumes - 4, SPIKE_SPACING)
    count = min(max(1, round(few * n_volumes / 180)), len(places))
    for place in rng.choice(places, count, replace=False):
        direction = rng.normal(0, 1, 6)
        jump = rng.uniform(0.7, 1.6) * direction / np.abs(direction).sum()
        steps[place] += jump
        steps[place + 1] -= 0.8 * jump
    wander = steps.cumsum(axis=0)
    wander -= wander[0]
    wander[:, 3:] /= HEAD_RADIUS_MM
    return wander


def framewise_displacement(motion: np.ndarray) -> np.ndarray:
    """Sum the absolute changes, rotations as arcs on a 50 mm sphere (Power et al. 2012): (T,) ndarray."""
    arcs = motion * np.r_[np.ones(3), np.full(3, HEAD_RADIUS_MM)]
    return np.r_[np.nan, np.abs(np.diff(arcs, axis=0)).sum(axis=1)]


def simulate_bold(
    brain: Brain, loadings: np.ndarray, motion: np.ndarray, *, repetition_time: float, rng: np.random.Generator
) -> np.ndarray:
    """Make the BOLD series of one scan.

    Parameters
    ----------
    brain : Brain
    loadings : (V, K) ndarray
        Weights of the network series in units of the in-band noise.
    motion : (T, 6) ndarray
    repetition_time : float
        In seconds.
    rng : numpy.random.Generator

    Returns
    -------
    (V, T) int16 ndarray
    """
    n_volumes = len(motion)
    signal = loadings @ _network_series(motion, repetition_time, rng)
    signal += _noise(brain, n_volumes, repetition_time, rng)
    signal += _physiology(brain, n_volumes, rng)
    signal += _motion_artefact(brain, motion, rng)
    signal += _drift(brain, n_volumes, rng)
    series = brain.intensity[:, None] * (1 + SIGNAL_UNIT * signal)
    series[:, 0] *= 1.08
    return np.clip(np.rint(series), 1, np.iinfo(np.int16).max).astype(np.int16)


def _network_series(motion: np.ndarray, repetition_time: float, rng: np.random.Generator) -> np.ndarray:
    """Draw series in the pass band, uncorrelated with each other and with the motion: (K, T) ndarray."""
    n_volumes = len(motion)
    frequencies = np.fft.rfftfreq(n_volumes, repetition_time)
    inside = (frequencies >= PASS_BAND_HZ[0]) & (frequencies <= PASS_BAND_HZ[1])
    moves = np.fft.rfft(np.column_stack([motion, np.gradient(motion, axis=0)]), axis=0)
    spectrum = rng.normal(size=(len(frequencies), len(NETWORKS), 2)) @ np.array([1, 1j])
    both = np.column_stack([moves, spectrum])
    both[~inside] = 0
    both[inside] /= frequencies[inside, None] ** 0.25
    orthogonal, _ = np.linalg.qr(np.fft.irfft(both, n_volumes, axis=0))
    return orthogonal[:, moves.shape[1] :].T * np.sqrt(n_volumes)


def _noise(brain: Brain, n_volumes: int, repetition_time: float, rng: np.random.Generator) -> np.ndarray:
    """Mix local and thermal noise so that the part in the pass band has unit variance."""
    shape = (brain.grid.n_nodes, n_volumes)
    local = brain.noise_smoother @ rng.standard_normal(shape, dtype=np.float32)
    thermal = rng.standard_normal(shape, dtype=np.float32)
    mixed = np.sqrt(LOCAL_NOISE_SHARE) * local + np.sqrt(1 - LOCAL_NOISE_SHARE) * thermal
    low, high = PASS_BAND_HZ
    share_in_band = min(1.0, (high - low) * 2 * repetition_time)
    return mixed / np.sqrt(share_in_band)


def _physiology(brain: Brain, n_volumes: int, rng: np.random.Generator) -> np.ndarray:
    """Breathe everywhere, most in white matter, and pulsate in CSF: two series that WM and CSF means span."""
    breathing, pulsation = _slow_series(2, n_volumes, rng)
    field = (1 + 0.4 * brain.white_matter) * (1 + 0.1 * brain.planes[:, 1:] @ rng.normal(size=3))
    return np.outer(field, 0.6 * breathing) + np.outer(brain.csf + 0.08, 2.0 * pulsation)


def _slow_series(count: int, n_volumes: int, rng: np.random.Generator) -> np.ndarray:
    series = rng.normal(size=(count, n_volumes + 20))
    for volume in range(1, series.shape[1]):
        series[:, volume] += 0.6 * series[:, volume - 1]
    series = series[:, 20:]
    return (series - series.mean(axis=1, keepdims=True)) / series.std(axis=1, keepdims=True)


def _motion_artefact(brain: Brain, motion: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Follow the parameters and their changes in smooth fields, and burst where the head jumps."""
    moves = motion * np.r_[np.ones(3), np.full(3, HEAD_RADIUS_MM)] / MOTION_UNIT_MM
    both = np.column_stack([moves, np.gradient(moves, axis=0)])
    fields = brain.planes @ rng.normal(0, 0.3, (4, both.shape[1]))
    jumps = np.nan_to_num(framewise_displacement(motion))
    burst = np.where(jumps > 0.4, jumps, 0.0)
    return fields @ both.T - np.outer(brain.planes @ np.r_[3.0, rng.normal(size=3)], burst)


def _drift(brain: Brain, n_volumes: int, rng: np.random.Generator) -> np.ndarray:
    time = np.linspace(-1, 1, n_volumes)
    return brain.planes @ rng.normal(0, 1, (4, 2)) @ np.stack([time, time**2])
