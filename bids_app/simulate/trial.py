"""A study with a known answer, from its seed to its files."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bids_app.simulate.brain import PLANTED, Brain, PlantedRegion, make_brain
from bids_app.simulate.confounds import make_confounds
from bids_app.simulate.files import write_atlas, write_dataset, write_json, write_scan
from bids_app.simulate.people import Participant, Visit, recruit
from bids_app.simulate.scan import simulate_bold, simulate_motion
from bids_app.simulate.scenarios import SCENARIOS, Scenario
from bids_app.space.grid import Grid

MIN_DURATION_S = 120.0
PASSING_SPREAD = 0.2


@dataclass(frozen=True)
class SimulatedTrial:
    """Where a simulated study lies and what was planted in it.

    Attributes
    ----------
    scenario : Scenario
    bids_dir, derivatives_dir : Path
        Raw dataset and its fMRIPrep-like derivatives.
    atlas : Path
        Label image, with a table of names beside it.
    planted : tuple of PlantedRegion
    """

    scenario: Scenario
    bids_dir: Path
    derivatives_dir: Path
    atlas: Path
    planted: tuple[PlantedRegion, ...]


@dataclass(frozen=True)
class Scan:
    """One simulated scan: ``bold`` is (V, T) int16 on the V voxels of ``grid``."""

    grid: Grid
    bold: np.ndarray
    confounds: pd.DataFrame
    confounds_metadata: dict[str, Any]
    repetition_time: float


def simulate_trial(  # noqa: PLR0913 - called by hand, by keyword
    root: str | PathLike[str],
    *,
    scenario: Scenario = SCENARIOS["two-arms"],
    n_per_arm: int | None = None,
    voxel_size: int | None = None,
    n_volumes: int = 180,
    repetition_time: float = 2.0,
    effect: float = 1.0,
    seed: int = 0,
    n_jobs: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> SimulatedTrial:
    """Simulate a study and write it as BIDS.

    Parameters
    ----------
    root : path-like
        Gets ``bids/`` and ``atlas/``.
    scenario : Scenario, optional
        By default a trial of ketamine against midazolam: the regions of ``PLANTED`` change in the ketamine arm, at
        follow-up only. One participant beyond the two arms is randomized too but has no follow-up.
    n_per_arm, voxel_size : int, optional
        In place of the scenario's.
    n_volumes : int
    repetition_time : float
        In seconds.
    effect : float
        What all differences of arms are multiplied by; 0 makes a null trial.
    seed : int
        Equal seeds give equal files, whatever ``n_jobs`` is.
    n_jobs : int
        Threads.
    progress : callable, optional
        Called with the counts of scans done and of all scans.

    Returns
    -------
    SimulatedTrial

    Raises
    ------
    FileExistsError
        If ``root/bids`` holds something.
    ValueError
        If the scan is too short to hold the pass band.
    """
    if n_volumes * repetition_time < MIN_DURATION_S:
        raise ValueError(f"A scan must last {MIN_DURATION_S:g} s, got {n_volumes} volumes of {repetition_time} s")
    bids_dir = Path(root) / "bids"
    if bids_dir.exists() and any(bids_dir.iterdir()):
        raise FileExistsError(f"{bids_dir} already holds files; choose another folder or remove it")
    derivatives_dir = bids_dir / "derivatives" / "fmriprep"
    scenario = replace(scenario, n_per_arm=n_per_arm or scenario.n_per_arm)
    participants = recruit(scenario, effect=effect, seed=seed)
    write_dataset(bids_dir, derivatives_dir, scenario, participants)
    write_json(bids_dir / "code" / "planted.json", _ground_truth(scenario, participants, effect, seed))
    brain = make_brain(voxel_size or scenario.voxel_size)

    def make(job: tuple[Participant, Visit]) -> None:
        who, visit = job
        scan = _simulate_scan(brain, who, visit, n_volumes, repetition_time)
        write_scan(bids_dir, derivatives_dir, (who.label, visit.session_id), scan)

    jobs = [(who, visit) for who in participants for visit in who.visits]
    # More threads inside linear algebra could round differently and change bytes.
    with threadpool_limits(1), ThreadPoolExecutor(n_jobs) as pool:
        for done, _ in enumerate(pool.map(make, jobs), start=1):
            if progress:
                progress(done, len(jobs))
    return SimulatedTrial(scenario, bids_dir, derivatives_dir, write_atlas(Path(root) / "atlas"), PLANTED)


def _simulate_scan(brain: Brain, who: Participant, visit: Visit, n_volumes: int, repetition_time: float) -> Scan:
    rng = np.random.default_rng(visit.random_seed)
    passing = rng.normal(0, PASSING_SPREAD, who.seed_gains.shape)
    loadings = brain.loadings(who.seed_gains + passing, visit.shares)
    motion = simulate_motion(n_volumes, restless=who.restless, rng=rng)
    bold = simulate_bold(brain, loadings, motion, repetition_time=repetition_time, rng=rng)
    confounds, metadata = make_confounds(brain, bold, motion, repetition_time=repetition_time)
    return Scan(brain.grid, bold, confounds, metadata, repetition_time)


def _ground_truth(scenario: Scenario, participants: Sequence[Participant], effect: float, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "effect": effect,
        "regions": [asdict(region) for region in PLANTED],
        "comparisons": [{**vars(one), "shares": dict(one.shares)} for one in scenario.answers],
        "present": {who.label: {visit.session_id: visit.shares for visit in who.visits} for who in participants},
    }
