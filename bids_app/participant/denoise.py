"""From a BOLD image and its confounds to one clean time series per node."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bids_app.bids.runs import BoldRun
from bids_app.bids.scan_facts import Cleaning, Origin, Quality, ScanFacts, Volumes
from bids_app.bids.timing import RepetitionTime
from bids_app.errors import DataError
from bids_app.graph.edges import bands
from bids_app.participant import quality
from bids_app.participant.bold import read_series
from bids_app.participant.confounds import Confounds, read_confounds, received_confounds
from bids_app.participant.echoes import echo_times, said_of_echoes
from bids_app.participant.filtered import Band, filtering_of, passed, without
from bids_app.settings.settings import DENOISE_STRATEGIES, Signal
from bids_app.space.grid import Nodes

MIN_DEGREES_OF_FREEDOM = 10
FEW_DEGREES_OF_FREEDOM = 10  # below this a correlation of 0.6 is within chance (two-sided p 0.05)
CARPET_ROWS = 600
MIN_FOR_FILTER = 34  # what nilearn's Butterworth filter of order 5 needs to begin and end
RECEIVED = "as the images were received"
NODES_AT_ONCE = 8192  # bounds the float64 copies that filtering makes


def clean(
    series: np.ndarray,
    confounds: Confounds,
    repetition_time: float,
    bandpass: Band,
    *,
    detrend: bool = True,
    n_threads: int = 1,
) -> np.ndarray:
    """Remove drift, confounds and slow and fast fluctuations in one model, and drop censored volumes.

    Censored volumes are bridged by a spline for the filter and dropped after it; confounds pass the same
    filter as the data (Lindquist et al. 2019, doi 10.1002/hbm.24528).

    Parameters
    ----------
    series : (N, T) float32 ndarray
        NaN rows stay NaN.
    confounds : Confounds
    repetition_time : float
        In seconds.
    bandpass : (low, high) in Hz, or None
    detrend : bool, optional
        Remove the linear trend of each series and confound; their mean is removed in any case.
    n_threads : int, optional
        The result does not depend on it.

    Returns
    -------
    (N, T') float32 ndarray
        T' volumes are kept.

    Raises
    ------
    DataError
        Too few volumes are left, or the band cannot be passed at this repetition time.
    """
    check_band(bandpass, repetition_time)
    kept = confounds.kept
    if not kept.any():
        raise DataError(f"all {kept.size} volumes are censored (dummy scans or motion above the threshold).")
    n_regressors = confounds.regressors.shape[1]
    if kept.sum() - n_regressors < MIN_DEGREES_OF_FREEDOM:
        raise DataError(
            f"{kept.sum()} of {kept.size} volumes are kept, too few for {n_regressors} confounds "
            f"(at least {MIN_DEGREES_OF_FREEDOM} more are needed)."
        )
    span = int(np.ptp(np.flatnonzero(kept))) + 1
    if bandpass and span < MIN_FOR_FILTER:
        raise DataError(
            f"{span} volumes are too few for a band-pass filter (at least {MIN_FOR_FILTER} are needed); --bandpass off "
            "does without."
        )
    alive = np.flatnonzero(np.isfinite(series[:, 0]) & (np.ptp(series[:, kept], axis=1) > 0))
    result = np.full((len(series), kept.sum()), np.nan, dtype=np.float32)
    parts = [alive[start : start + NODES_AT_ONCE] for start in range(0, alive.size, NODES_AT_ONCE)]
    filtering = filtering_of(bandpass, repetition_time, detrend=detrend)
    with warnings.catch_warnings():  # around the threads, which share the filters of warnings
        warnings.filterwarnings("error", ".*([Ff]ilter|[Nn]yquist|frequenc).*")  # what is not done is not recorded
        regressors = passed(confounds.regressors.to_numpy(), np.flatnonzero(kept), filtering)

        def cleaned(nodes: np.ndarray) -> np.ndarray:
            return without(regressors, passed(series[nodes].T, np.flatnonzero(kept), filtering), filtering).T

        for nodes, values in zip(parts, bands(cleaned, parts, n_threads), strict=True):
            result[nodes] = values
    return result


def check_band(bandpass: Band, repetition_time: float) -> None:
    """Refuse a band that no filter can pass at a repetition time, and that would be left out in silence.

    Raises
    ------
    DataError
        It reaches the highest frequency that there is (Nyquist's).
    """
    highest = 0.5 / repetition_time
    if bandpass and bandpass[1] >= highest:
        raise DataError(
            f"--bandpass {bandpass[0]:g} {bandpass[1]:g} cannot be applied at a repetition time of {repetition_time:g} "
            f"s: the highest frequency there is {highest:.4g} Hz. Give a lower HIGH, or --bandpass off."
        )


def long_gap(confounds: Confounds, repetition_time: float, bandpass: Band) -> str | None:
    """Say which gap of censored volumes is too long for the band to tell what was in it, or return None.

    The slowest wave that passes has then more than half of its period in the gap.

    Parameters
    ----------
    confounds : Confounds
    repetition_time : float
    bandpass : (low, high) in Hz, or None
    """
    gaps = np.diff(np.flatnonzero(confounds.kept)) - 1
    seconds = float(gaps.max(initial=0)) * repetition_time
    if not bandpass or bandpass[0] == 0 or seconds <= 0.5 / bandpass[0]:
        return None
    return (
        f"A gap of {seconds:.0f} s of censored volumes was bridged by a spline for the filter. It is longer than "
        f"{0.5 / bandpass[0]:.0f} s: the band of {bandpass[0]:g} to {bandpass[1]:g} Hz does not say what was in it, "
        "and volumes beside the gap are uncertain."
    )


@dataclass(frozen=True)
class CleanScan:
    """A cleaned run.

    Attributes
    ----------
    series : (N, T') float32 ndarray
        NaN rows for nodes without a signal.
    facts : ScanFacts
    carpet : dict of ndarray
        A sample of nodes before and after, the motion, and the volumes that were kept.
    """

    series: np.ndarray
    facts: ScanFacts
    carpet: dict[str, Any]


def clean_run(run: BoldRun, grid: Nodes, options: Signal, n_threads: int = 1) -> CleanScan:
    """Read one run at the nodes of a grid and clean it.

    Parameters
    ----------
    run : runs.BoldRun
    grid : grid.Grid or surface.Surface
    options : settings.Signal
    n_threads : int, optional

    Returns
    -------
    CleanScan
    """
    before, timing, read = read_series(run, grid)
    repetition_time = timing.seconds
    if run.denoised:
        options = replace(options, denoise="none", bandpass=None)
        confounds = received_confounds(run, before.shape[1])
    else:
        confounds = read_confounds(run.bold, run.confounds, before.shape[1], options)
    left = quality.degrees_of_freedom(
        int(confounds.kept.sum()),
        confounds.regressors.shape[1],
        repetition_time,
        options.bandpass,
        detrend=options.detrend,
    )
    after = clean(before, confounds, repetition_time, options.bandpass, detrend=options.detrend, n_threads=n_threads)
    gap = long_gap(confounds, repetition_time, options.bandpass)
    notes = [*timing.warnings, *read, *confounds.notes, run.note, gap, _few(left)]
    rows = _sample(after)
    facts = ScanFacts(
        origin=Origin.here(run.label, run.sources),
        volumes=_volumes(confounds, timing, np.inf if run.denoised else options.fd_threshold),
        cleaning=_cleaning(run, confounds, options),
        quality=replace(_quality(before, after, rows, grid, confounds), degrees_of_freedom=left),
        warnings=[note for note in notes if note],
    )
    return CleanScan(after, facts, _carpet(before, after, rows, confounds, repetition_time))


def _few(left: float) -> str | None:
    """Refuse a scan without degrees of freedom; return a warning of one with few."""
    if left < 1:
        raise DataError(
            f"no degrees of freedom are left ({left:.1f}): the volumes that are kept, the band-pass, the confounds and "
            "the trend leave nothing to correlate. Fewer confounds (--denoise), a wider band (--bandpass) or more "
            "volumes (--fd-threshold) are needed."
        )
    if left < FEW_DEGREES_OF_FREEDOM:
        return f"About {left:.1f} degrees of freedom are left in each series: correlations are hardly more than chance."
    return None


def _sample(series: np.ndarray) -> np.ndarray:
    alive = np.flatnonzero(np.isfinite(series[:, 0]))
    return alive[np.linspace(0, alive.size - 1, min(CARPET_ROWS, alive.size)).astype(int)]


def _cleaning(run: BoldRun, confounds: Confounds, options: Signal) -> Cleaning:
    return Cleaning(
        denoising=RECEIVED if run.denoised else DENOISE_STRATEGIES[options.denoise],
        confounds=list(confounds.regressors.columns),
        bandpass=RECEIVED if run.denoised else options.bandpass or "off",
        detrend=options.detrend,
        echoes=said_of_echoes(echo_times([path.name for path in run.echoes], run.echo_times)) if run.echoes else None,
    )


def _quality(before: np.ndarray, after: np.ndarray, rows: np.ndarray, grid: Nodes, confounds: Confounds) -> Quality:
    """Return numbers of the scan's quality; correlations are those of a sample of nodes."""
    places = grid.coordinates[rows]
    mean_before, distance_before = quality.correlation_facts(before[rows][:, confounds.kept], places)
    mean_after, distance_after = quality.correlation_facts(after[rows], places)
    return Quality(
        coverage=float(np.isfinite(after[:, 0]).mean()),
        signal_to_noise=quality.signal_to_noise(before[:, confounds.kept]),
        dvars_before=_mean(quality.dvars(before)[confounds.n_dummy + 1 :]),
        dvars_after=_mean(quality.dvars(after, confounds.kept)),
        correlation_before=mean_before,
        correlation_after=mean_after,
        with_distance_before=distance_before,
        with_distance_after=distance_after,
    )


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan


def _volumes(confounds: Confounds, timing: RepetitionTime, threshold: float) -> Volumes:
    displacement = confounds.framewise_displacement[confounds.n_dummy :]
    known = displacement[np.isfinite(displacement)]
    n_kept = int(confounds.kept.sum())
    return Volumes(
        repetition_time=timing.seconds,
        repetition_time_source=timing.source,
        displacement_source=confounds.displacement_source,
        censoring=confounds.censoring,
        total=confounds.kept.size,
        dummy=confounds.n_dummy,
        censored=int(confounds.kept.size - confounds.n_dummy - n_kept),
        kept=n_kept,
        minutes_kept=n_kept * timing.seconds / 60,
        threshold=threshold if np.isfinite(threshold) else "off",
        mean_displacement=float(known.mean()) if known.size else None,
        max_displacement=float(known.max()) if known.size else None,
    )


def _carpet(
    before: np.ndarray, after: np.ndarray, rows: np.ndarray, confounds: Confounds, repetition_time: float
) -> dict[str, Any]:
    return {
        "dvars_before": quality.dvars(before),
        "dvars_after": quality.dvars(after, confounds.kept),
        "before": before[rows],
        "after": after[rows],
        "framewise_displacement": confounds.framewise_displacement,
        "kept": confounds.kept,
        "repetition_time": repetition_time,
    }
