"""One participant's scan from BOLD to maps at 3 mm: seconds, peak memory, and the share of the graph kernels.

    python -m benchmarks.participant [--volumes 200] [--n-cpus 2]

A scan of T volumes on the 2 mm grid of the brain template is simulated and run through the participant level in a
process of its own. In the same run, the bare float32 matrix products over the same pairs of nodes are timed as the
yardstick: the ratio is what to quote.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bids_app.graph import standardize
from bids_app.simulate.brain import make_brain
from bids_app.simulate.confounds import make_confounds
from bids_app.simulate.scan import simulate_bold, simulate_motion
from bids_app.space.grid import template_grid

ROOT = Path(__file__).parents[1]
PREFIX = "sub-01_task-rest"
BLOCK = 512


def write_scan(root, n_volumes):
    """Simulate at 4 mm and interpolate to 2 mm, as an fMRIPrep-like derivative."""
    rng = np.random.default_rng(0)
    brain = make_brain(4)
    motion = simulate_motion(n_volumes, restless=False, rng=rng)
    seeds = rng.normal(1, 0.2, brain.network_spread.shape[1])
    bold = simulate_bold(brain, brain.loadings(seeds), motion, repetition_time=2.0, rng=rng)
    confounds, metadata = make_confounds(brain, bold, motion, repetition_time=2.0)
    coarse = np.zeros((*brain.grid.mask.shape, n_volumes), np.int16)
    coarse[brain.grid.mask] = bold
    fine = coarse.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    fine += (fine > 0) * rng.integers(-8, 9, (*fine.shape[:3], 1), dtype=np.int16)
    affine = brain.grid.affine @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] -= 1
    func = root / "sub-01" / "func"
    func.mkdir(parents=True)
    description = {"Name": "benchmark", "BIDSVersion": "1.10.0", "DatasetType": "derivative"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    space = f"{PREFIX}_space-MNI152NLin2009cAsym"
    nib.save(nib.Nifti1Image(fine, affine), func / f"{space}_desc-preproc_bold.nii.gz")
    (func / f"{space}_desc-preproc_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    nib.save(nib.Nifti1Image((fine[..., 0] > 0).astype(np.uint8), affine), func / f"{space}_desc-brain_mask.nii.gz")
    confounds.to_csv(func / f"{PREFIX}_desc-confounds_timeseries.tsv", sep="\t", na_rep="n/a", index=False)
    (func / f"{PREFIX}_desc-confounds_timeseries.json").write_text(json.dumps(metadata))
    return fine.shape


def run_app(root, output, n_cpus):
    """Run the participant level; return wall and processor seconds, peak memory in MiB, the log and the sidecar."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, ROOT / "run.py", root, output, "participant", "--n-cpus", str(n_cpus)]
    subprocess.run(command, check=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (log,) = output.glob("logs/*/trialgraph.log")
    facts = json.loads(next(output.glob("sub-01/func/*_stat-degree_desc-r025_boldmap.json")).read_text())
    return wall, cpu, after.ru_maxrss / 1024, log.read_text(), facts


def seconds_of_steps(log):
    """Read from the log how long each step took, from the end of the one before."""
    lines = [line for line in log.splitlines() if re.search(r"_wf\.\w+: (start|end)", line)]
    times = {}
    for line in lines:
        name, state = re.search(r"\.(\w+): (start|end)", line).groups()
        times[name, state] = pd.Timestamp(line[:23].replace(",", "."))
    return {
        name: (times[name, "end"] - times[name, "start"]).total_seconds() for name, state in times if state == "end"
    }


def seconds_of_products(n_nodes, n_volumes, n_threads):
    """Time the bare products of all pairs, in blocks, on and above the diagonal."""
    rows = standardize(np.random.default_rng(0).standard_normal((n_nodes, n_volumes)))
    buffer = np.empty((BLOCK, n_nodes), np.float32)
    started = time.perf_counter()
    with threadpool_limits(n_threads, user_api="blas"):
        for start in range(0, n_nodes, BLOCK):
            part = rows[start : start + BLOCK]
            np.matmul(part, rows[start:].T, out=buffer[: len(part), : n_nodes - start])
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=200)
    parser.add_argument("--n-cpus", type=int, default=2)
    options = parser.parse_args()
    n_nodes = template_grid("gm", 3).n_nodes
    with tempfile.TemporaryDirectory() as folder:
        shape = write_scan(Path(folder) / "fmriprep", options.volumes)
        wall, cpu, peak, log, facts = run_app(Path(folder) / "fmriprep", Path(folder) / "out", options.n_cpus)
    steps = seconds_of_steps(log)
    products = seconds_of_products(n_nodes, options.volumes, options.n_cpus)
    edges = f"{facts['NumberOfEdges']:,} edges, density {facts['Density']:.1%}"
    print(f"BOLD {shape}, {n_nodes} nodes at 3 mm, {edges}, {options.n_cpus} processors")
    print(f"whole run          {wall:7.1f} s wall, {cpu:.1f} s of processor, peak {peak:.0f} MiB in one process")
    for name, seconds in steps.items():
        print(f"  {name:16} {seconds:7.1f} s  {seconds / wall:5.0%} of the run")
    print(f"bare products      {products:7.1f} s; graph step / products = {steps['graph'] / products:.2f}")


if __name__ == "__main__":
    main()
