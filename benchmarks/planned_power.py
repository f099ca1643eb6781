"""Power of planned trials: that of the trials of error_rates re-found from a pilot of them, and how long it takes.

python -m benchmarks.planned_power [--trials 1000] [--jobs 2] [--scale]
"""

import argparse
import time

import numpy as np

from benchmarks.error_rates import ALPHA, MASK, N_DRAWS, PLANTED, TOUCHING, Condition, N, examine, simulate
from benchmarks.error_rates import Row as Way
from bids_app.stats import Inference, neighbours
from bids_app.stats.planning import Pilot, PlannedTrial, Region, noise_like, try_size, wilson

EFFECT = 1.2  # of error_rates.power
ARMS = {"shares": (1, 1), "effects": ((0.0, 0.0), (0.0, 1.0)), "n_visits": 2}
PILOTS, N_PILOTS = (13, 26, 60), 10


def pilot_of(n, seed):
    """Return the maps of a pilot of n participants, (n, 2, 1, V), whom nothing was given."""
    parts = []
    while sum(map(len, parts)) < n:
        trial = simulate(Condition(), seed + len(parts))
        parts.append(np.stack([trial.baseline, trial.followup], axis=1)[:, :, None])
    return Pilot.of(np.concatenate(parts)[:n], TOUCHING)


def print_refound(n_trials, n_jobs):
    """Compare the power that is planned with that of trials which are simulated anew."""
    planted = np.flatnonzero(PLANTED[MASK])
    inference = Inference("tfce", TOUCHING)
    print(
        f"{N} participants, {MASK.sum()} voxels, d = {EFFECT} in {len(planted)} of them, {N_DRAWS} draws, alpha {ALPHA}"
    )
    for estimator in ("ancova", "change", "post"):
        way, shares, any_voxel = Way(estimator, "re-randomization"), [], 0
        for seed in range(n_trials):
            found = examine(way, simulate(Condition(), seed, EFFECT))
            there = ((found.p_fwe <= ALPHA) & (found.statistic > 0))[planted]
            shares.append(there.mean())
            any_voxel += there.any()
        low, high = wilson(any_voxel, n_trials)
        said = f"{any_voxel / n_trials:.3f} ({low:.3f} to {high:.3f})"
        print(f"{estimator:<8}simulated anew: voxels found {np.mean(shares):.3f}, any voxel {said}", flush=True)
        trial = PlannedTrial(estimator=estimator, n_draws=N_DRAWS, inference=inference, alpha=ALPHA, **ARMS)
        for n in PILOTS:
            print_planned(trial, n, planted, n_trials, n_jobs)


def print_planned(trial, n_pilot, planted, n_trials, n_jobs):
    """Plan from pilots of one size, and say what is found with and without an effect, over all of them."""
    found, nulls, shrinkage = [], [], []
    for number in range(N_PILOTS):
        noise = noise_like(pilot_of(n_pilot, 10_000 * (1 + number)), seed=number)
        everywhere = np.sqrt(np.square(noise.deviation[1, 0]).mean())  # the unit of error_rates
        region = Region(planted, np.full(len(planted), everywhere))
        how = {"n_trials": n_trials // N_PILOTS, "seed": number, "n_jobs": n_jobs}
        found.append(try_size(trial, noise, N, region=region, size=EFFECT, **how))
        nulls.append(try_size(trial, noise, N, region=None, **how))
        shrinkage.append(noise.shrinkage)
    shares = [one.share * one.rate for one in found]
    said = []
    for tried in (found, nulls):
        hits, trials = sum(one.hits for one in tried), sum(one.trials for one in tried)
        low, high = wilson(hits, trials)
        said.append(f"{hits / trials:.3f} ({low:.3f} to {high:.3f})")
    print(
        f"    {N_PILOTS} pilots of {n_pilot}: voxels {np.mean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})"
        f", any voxel {said[0]}, without an effect {said[1]}; random fields {np.mean(shrinkage):.2f}",
        flush=True,
    )


def print_time(n_trials, n_jobs):
    """Time one design at 4 mm: five sizes, with and without an effect."""
    from scipy.ndimage import gaussian_filter

    from bids_app.space.grid import template_grid

    grid = template_grid("gm", 4)
    rng = np.random.default_rng(0)
    white = rng.standard_normal((30, 3, *grid.mask.shape), dtype=np.float32)
    fields = gaussian_filter(white, (0, 0, 1, 1, 1))[..., grid.mask]
    started = time.perf_counter()
    pilot = Pilot.of((fields[:, :1] + fields[:, 1:])[:, :, None], neighbours(grid.mask))
    noise = noise_like(pilot)
    print(f"{grid}: noise of {len(noise.basis)} rows in {time.perf_counter() - started:.1f} s", flush=True)
    place = np.linalg.norm(grid.coordinates - (-48, -63, 35), axis=1) <= 10
    region = Region(np.flatnonzero(place), noise.deviation[1, 0, place])
    trial = PlannedTrial(estimator="ancova", n_draws=200, inference=Inference("tfce", pilot.neighbours), **ARMS)
    for n in (24, 36, 48, 64, 90):
        for where, called in ((region, "power"), (None, "without an effect")):
            started, worked = time.perf_counter(), time.process_time()
            found = try_size(trial, noise, n, region=where, size=1.0, n_trials=n_trials, n_jobs=n_jobs)
            seconds, of_cpu = time.perf_counter() - started, time.process_time() - worked
            print(f"{n:>4} {called:<18} {found.rate:.3f} in {seconds:.0f} s, processor {of_cpu:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scale", action="store_true", help="time it at 4 mm instead")
    options = parser.parse_args()
    (print_time if options.scale else print_refound)(options.trials, options.jobs)


if __name__ == "__main__":
    main()
