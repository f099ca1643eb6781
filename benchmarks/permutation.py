"""Time one permutation of the voxel-wise test beside nilearn's and MNE's, on a simulated trial.

python -m benchmarks.permutation [--draws 320] [--peer-draws 6] [--full]
"""

import argparse
from time import perf_counter, process_time

import nibabel as nib
import numpy as np
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine
from bids_app.stats import (
    Inference,
    allocations,
    compare,
    hypothesis,
    neighbours,
    nuisance,
    residual_permutations,
    two_visits,
)

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
    """Return wall and CPU ms of a permutation, the least of the repeats: other processes only add to it.

    What is done once, whatever the count of draws, does not count.
    """
    run(few)  # compiles
    short = np.min([clock(lambda: run(few)) for _ in range(repeats)], axis=0)
    long = np.min([clock(lambda: run(few + n_draws)) for _ in range(repeats)], axis=0)
    return 1e3 * (long - short) / n_draws


def ours(maps, mask, n_jobs, *, robust=False, permuted=False):
    """Return the function that tests the arms with a count of draws."""
    baseline, followup = maps
    design = nuisance(len(ARMS))
    inference = Inference(neighbours=neighbours(mask), robust=robust)

    def run(count):
        visits = {"baseline": baseline, "followup": followup}
        tested = hypothesis(two_visits("ancova"), visits, design, arm=ARMS)
        drawn = residual_permutations(len(ARMS), None, count) if permuted else allocations(ARMS, n_draws=count)
        return compare(tested, drawn, inference, n_jobs=n_jobs)

    return run


def time_nilearn(maps, mask, n_draws):
    change = maps[1] - maps[0]
    masker = NiftiMasker(nib.Nifti1Image(mask.astype(np.uint8), np.eye(4)), standardize=False).fit()

    def run(count):
        permuted_ols(ARMS, change, n_perm=count, random_state=0, masker=masker, tfce=True, verbose=0)

    with threadpool_limits(1):
        return per_permutation(run, 2, n_draws, repeats=2)


def time_mne(maps, mask, n_draws):
    try:
        from mne.stats import permutation_cluster_test, ttest_ind_no_p
    except ImportError:
        return None
    groups = [(maps[1] - maps[0])[arm == ARMS] for arm in (1, 0)]
    touching = neighbours(mask)
    start, column = np.nonzero(touching >= 0)
    links = coo_array((np.ones(len(start)), (start, touching[start, column])), shape=(len(touching),) * 2)

    def run(count):
        permutation_cluster_test(
            groups,
            threshold={"start": 0, "step": 0.1},
            n_permutations=count,
            tail=0,
            stat_fun=ttest_ind_no_p,
            adjacency=links,
            out_type="indices",
            verbose="error",
        )

    with threadpool_limits(1):
        return per_permutation(run, 2, n_draws, repeats=2)


def report(name, times, ratio="", goal=""):
    print(f"{name:<50}{times[0]:8.2f}{times[1]:8.2f}{ratio:>9}{goal:>12}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=320)
    parser.add_argument("--peer-draws", type=int, default=6)
    parser.add_argument("--full", action="store_true", help="also run 10,000 permutations on 2 threads")
    options = parser.parse_args()
    mask = ellipsoid()
    maps = simulate(mask, np.random.default_rng(0))
    print(f"{machine()}; {len(ARMS)} participants, {mask.sum()} voxels")
    print(f"{'ms per permutation':<50}{'wall':>8}{'CPU':>8}{'ratio':>9}{'goal':>12}")
    times = per_permutation(ours(maps, mask, 1), 32, options.draws, repeats=5)
    report("trialgraph, ANCOVA, exact TFCE", times, goal="<= 2.2 ms")
    two = per_permutation(ours(maps, mask, 2), 32, options.draws, repeats=5)
    report("  with two threads, against one: wall", two, f"{times[0] / two[0]:.2f} x", ">= 1.8 x")
    for name, how in (("HC3", {"robust": True}), ("Freedman-Lane", {"permuted": True})):
        own = per_permutation(ours(maps, mask, 1, **how), 32, options.draws // 4, repeats=3)
        report(f"  {name}, against re-randomization: CPU", own, f"{own[1] / times[1]:.2f} x")
    nilearn = time_nilearn(maps, mask, options.peer_draws)
    report("nilearn, change score, 100 steps of t: CPU", nilearn, f"{nilearn[1] / times[1]:.0f} x", ">= 250 x")
    mne = time_mne(maps, mask, options.peer_draws)
    if mne is None:
        print("MNE is not installed: pip install mne")
    else:
        report("MNE, change score, steps of 0.1: CPU", mne, f"{mne[1] / times[1]:.0f} x", ">= 100 x")
    if options.full:
        seconds = clock(lambda: ours(maps, mask, 2)(10_000))
        print(f"10,000 permutations on 2 threads: {seconds[0]:.1f} s wall, {seconds[1]:.1f} s CPU")


if __name__ == "__main__":
    main()
