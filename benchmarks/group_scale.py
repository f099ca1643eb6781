"""Time and memory of the test of one measure, by participants and by how it is tested.

python -m benchmarks.group_scale [--people 43 100 300] [--draws 200] [--voxel-size 3] [--threads]

ANCOVA of two arms, two visits at 3 mm, exact TFCE, its maps mapped from disk as the group level does; each in a process
of its own, which its memory is of. Time is per draw: the longer run less one of a few draws.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np

from benchmarks.machine import machine
from benchmarks.several_scale import noise
from bids_app.group.sample import load_maps
from bids_app.runtime.nipype_run import PROCESS_GB
from bids_app.space.grid import template_grid
from bids_app.stats import Inference, allocations, compare, hypothesis, nuisance, residual_permutations, two_visits
from bids_app.stats.footprint import Footprint

FEW = 32  # draws of the shorter run
WAYS = ("plain", "HC3", "Freedman-Lane")
ANCOVA = two_visits("ancova", baseline="pre", followup="post")


def save(folder, people, grid):
    """Write the maps as the group level keeps them, a participant at a time."""
    rng = np.random.default_rng(0)
    size = (people, grid.n_nodes)
    arrays = [np.lib.format.open_memmap(folder / f"{n}_ses-{visit}.npy", "w+", np.float64, size)
              for n, visit in enumerate(("pre", "post"))]  # fmt: skip
    for row in range(people):
        common, before, after = (noise(rng, grid) for _ in range(3))
        arrays[0][row], arrays[1][row] = common + before, common + after


def measure(folder, people, way, draws, jobs, voxel_size):
    """Print seconds of wall and processor of the draws beyond a few, the count of voxels, and the peak memory in GB."""
    grid, arm, maps = template_grid("gm", voxel_size), np.arange(people) % 2, load_maps(folder)
    motion = np.random.default_rng(1).uniform(0.1, 0.4, (people, 1))
    inference = Inference(neighbours=grid.neighbours(), robust=way == "HC3")
    spent = []
    for count in (FEW, FEW, FEW + draws):  # the first compiles
        drawn = allocations(arm, n_draws=count) if way != WAYS[2] else residual_permutations(people, None, count)
        wall, cpu = perf_counter(), process_time()
        compare(hypothesis(ANCOVA, maps, nuisance(people, motion), arm=arm), drawn, inference, n_jobs=jobs)
        spent.append((perf_counter() - wall, process_time() - cpu))
    wall, cpu = np.subtract(spent[2], spent[1])
    print(wall, cpu, grid.n_nodes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def row(folder, people, way, jobs, options):
    """Return what `measure` prints of a process of its own, and what the forecast says."""
    words = ["--measure", folder, str(people), way, str(jobs), "--draws", str(options.draws)]
    command = [sys.executable, "-m", "benchmarks.group_scale", *words, "--voxel-size", str(options.voxel_size)]
    wall, cpu, voxels, peak = map(
        float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    )
    size = Footprint(n=people, n_voxels=int(voxels), n_nuisance=2, robust=way == "HC3", rearranged=way == WAYS[2])
    return 1e3 * wall / options.draws, 1e3 * cpu / options.draws, peak, PROCESS_GB + (size.maps + size.held(jobs)) / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[43, 100, 300])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--voxel-size", type=int, default=3)
    parser.add_argument("--threads", action="store_true", help="also with two threads, and how much faster that is")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, people, way, jobs = options.measure
        measure(Path(folder), int(people), way, options.draws, int(jobs), options.voxel_size)
        return
    grid = template_grid("gm", options.voxel_size)
    print(f"{machine()}; {grid.n_nodes} voxels, {options.draws} draws, one measure")
    heads = f"{'participants':>12} {'tested by':<14}{'ms wall':>9}{'ms CPU':>9}{'peak GB':>9}{'forecast GB':>13}"
    print(f"{heads}{'2 threads' * options.threads:>11}")
    for people in options.people:
        with TemporaryDirectory() as folder:
            save(Path(folder), people, grid)
            for way in WAYS:
                wall, cpu, peak, forecast = row(folder, people, way, 1, options)
                faster = f"{wall / row(folder, people, way, 2, options)[0]:.2f} x" if options.threads else ""
                print(f"{people:>12} {way:<14}{wall:9.2f}{cpu:9.2f}{peak:9.2f}{forecast:13.2f}{faster:>11}", flush=True)


if __name__ == "__main__":
    main()
