"""Time and memory of the closed test of several arms and follow-ups, on synthetic maps of one measure.

python -m benchmarks.several_scale [--arms 3] [--followups 3] [--people 90] [--draws 5000] [--jobs 2] [--voxel-size 3]
python -m benchmarks.several_scale --growth [--draws 100]
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from bids_app.graph.features import Feature
from bids_app.group.family import of_all_arms
from bids_app.group.sample import Sample
from bids_app.group.together import compare_any, compare_together, joints
from bids_app.settings.settings import Trial
from bids_app.space.grid import template_grid
from bids_app.trial.design import Design

FEATURE = Feature("degree", "r025")


def noise(rng, grid):
    """Return a smooth map (V,)."""
    return gaussian_filter(rng.standard_normal(grid.mask.shape), 2)[grid.mask]


def simulate(design, names, arm, grid, seed):
    """Return the sample of all arms at a follow-up."""
    rng = np.random.default_rng(seed)
    baseline = np.array([noise(rng, grid) for _ in names])
    maps = {design.baseline: baseline, design.followup: baseline / 2 + np.array([noise(rng, grid) for _ in names])}
    motion = pd.DataFrame({"baseline_mean_fd": rng.uniform(0.1, 0.4, len(names))}, index=names)
    kept = np.ones(grid.n_nodes, dtype=bool)
    return Sample(
        design=design, maps={FEATURE: maps}, arm=arm, covariates=motion, strata=None, kept=kept, grid=grid, parcels=None
    )


def compare_all(options, folder):
    """Test every arm against the reference at every follow-up as the group level does; return the count of tests."""
    grid = template_grid("gm", options.voxel_size)
    sessions = [f"day{number}" for number in range(1, options.followups + 1)]
    others = [f"arm{number}" for number in range(1, options.arms)]
    designs = [Design("arm", arm, "placebo", "baseline", session) for session in sessions for arm in others]
    names = [f"sub-{number:03d}" for number in range(options.people)]
    arm = np.arange(options.people) % options.arms
    samples, paths = {}, {}
    for number, design in enumerate(of_all_arms(designs)):
        sample = simulate(design, names, arm, grid, number)
        paths[design.followup] = sample.save_maps(FEATURE, folder / f"{design.followup}.npz")
        samples[design.followup] = sample.without_maps()
    trial = Trial(n_permutations=options.draws)
    labels = pd.Series("", index=[name.removeprefix("sub-") for name in names], dtype=str)
    began, used = perf_counter(), process_time()
    tests = joints(designs, samples, labels, trial)
    for joint in tests:
        compare_together(joint, paths, trial, n_jobs=options.jobs)
    n_compared = sum(len(joint.members) for joint in tests)
    if options.arms > 2:
        compare_any(tests[-1], paths, trial, n_jobs=options.jobs)
        n_compared += options.followups
    return grid.n_nodes, n_compared, perf_counter() - began, process_time() - used


def measure(options):
    """Print one line."""
    with TemporaryDirectory() as folder:
        n_nodes, n_compared, wall, cpu = compare_all(options, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{options.arms} arms, {options.followups} follow-ups, {options.people} people, {n_nodes} voxels, "
        f"{options.draws} draws, {options.jobs} threads: {n_compared} maps of p, wall {wall:.0f} s, "
        f"processor {cpu:.0f} s ({1e3 * cpu / n_compared / options.draws:.1f} ms per draw and map), "
        f"peak memory {peak:.2f} GiB",
        flush=True,
    )


def main():
    """Measure one design, or how time and memory grow; each in a process of its own, which its memory is of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, default=3)
    parser.add_argument("--followups", type=int, default=3)
    parser.add_argument("--people", type=int, default=90)
    parser.add_argument("--draws", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--voxel-size", type=int, default=3)
    parser.add_argument("--growth", action="store_true")
    options = parser.parse_args()
    if not options.growth:
        measure(options)
        return
    for arms, followups in [(2, 1), (3, 1), (4, 1), (3, 2), (3, 3)]:
        same = [f"--{name}={vars(options)[name]}" for name in ("people", "draws", "jobs")]
        size = f"--voxel-size={options.voxel_size}"
        own = [f"--arms={arms}", f"--followups={followups}"]
        subprocess.run([sys.executable, "-m", "benchmarks.several_scale", *own, *same, size], check=True)


if __name__ == "__main__":
    main()
