"""Time one permutation of the voxel-wise test, beside nilearn's, on a simulated trial.

python -m benchmarks.permutation [--draws 160] [--nilearn-draws 4] [--jobs 1]
"""

import argparse
from time import perf_counter, process_time

import nibabel as nib
import numpy as np
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

from bids_app.stats import allocations, compare_arms, neighbours, nuisance

ARMS = np.repeat([0, 1], [21, 22])


def ellipsoid():
    """Return a mask of about 47,000 voxels."""
    offsets = (np.indices((60, 60, 60)) - 29.5) / np.array([21, 24, 22.3])[:, None, None, None]
    return (offsets**2).sum(axis=0) < 1


def simulate(mask, generator):
    """Return baseline and follow-up maps (n, V), smooth in space, correlated by 0.5."""
    noise = generator.standard_normal((3, len(ARMS), *mask.shape))
    common, before, after = gaussian_filter(noise, (0, 0, 1.1, 1.1, 1.1))[..., mask]
    return common + before, common + after


def clock(function):
    """Return wall and CPU seconds of a call."""
    wall, cpu = perf_counter(), process_time()
    function()
    return np.array([perf_counter() - wall, process_time() - cpu])


def per_permutation(run, few, n_draws, repeats):
    """Return wall and CPU ms of a permutation, the least of the repeats: other processes only add to it."""
    run(few)  # compiles
    times = [clock(lambda: run(few + n_draws)) - clock(lambda: run(few)) for _ in range(repeats)]
    return 1e3 * np.min(times, axis=0) / n_draws


def time_ours(maps, mask, n_draws, n_jobs):
    baseline, followup = maps
    touching, design = neighbours(mask), nuisance(len(ARMS))

    def run(count):
        draws = allocations(ARMS, n_draws=count)
        compare_arms(followup, baseline, design, draws, neighbours=touching, n_jobs=n_jobs)

    return per_permutation(run, 16, n_draws, repeats=5)


def time_nilearn(maps, mask, n_draws):
    change = maps[1] - maps[0]
    masker = NiftiMasker(nib.Nifti1Image(mask.astype(np.uint8), np.eye(4)), standardize=False).fit()

    def run(count):
        permuted_ols(ARMS, change, n_perm=count, random_state=0, masker=masker, tfce=True, verbose=0)

    with threadpool_limits(1):
        return per_permutation(run, 2, n_draws, repeats=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=160)
    parser.add_argument("--nilearn-draws", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    mask = ellipsoid()
    maps = simulate(mask, np.random.default_rng(0))
    print(f"{len(ARMS)} participants, {mask.sum()} voxels; ms per permutation, wall and CPU")
    ours = time_ours(maps, mask, options.draws, options.jobs)
    print(f"trialgraph, ANCOVA, exact TFCE, {options.jobs} thread(s): {ours[0]:.2f} {ours[1]:.2f}")
    theirs = time_nilearn(maps, mask, options.nilearn_draws)
    print(f"nilearn, change score, stepped TFCE, 1 thread: {theirs[0]:.0f} {theirs[1]:.0f}")
    print(f"ratio by CPU: {theirs[1] / ours[1]:.0f}")


if __name__ == "__main__":
    main()
