"""Trials that are looked at twice: how often either look finds something, and what it finds.

python -m benchmarks.looks [--trials 1000] [--jobs 1]

Trials of 20 + 20, looked at when half of each arm is there, by the largest t over voxels, without an effect and with
one of 1 SD in a tenth of the voxels: by levels that add up to alpha, the draws of the second look counted as if there
had been no first (the bound) or those left out that the first would have stopped at (jointly, as trialgraph tests where
it can); by the levels of the normal theory; and by alpha at both looks.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from scipy.stats import binomtest

from bids_app import stats
from bids_app.stats.interim import SPENDING, levels, normal_levels

ALPHA, N, N_VOXELS, N_DRAWS = 0.05, 40, 60, 2000
LOOKS = (0.5, 1.0)
ARM = np.tile([0, 1], N // 2)
WAVE = np.repeat(["1", "2"], N // 2)


def smallest_p(seed, *, effect):
    """Return the smallest corrected p at the first look, at the second, and jointly by each spending."""
    generator = np.random.default_rng(seed)
    maps = generator.standard_normal((N, N_VOXELS)) + 0.5 * generator.standard_normal((N, 1))
    maps[:, : N_VOXELS // 10] += effect * ARM[:, np.newaxis]
    n = N // 2
    draws = stats.allocations(ARM, WAVE, N_DRAWS, seed)
    first = stats.compare_arms(maps[:n], None, np.ones((n, 1)), draws.of(np.arange(n)))
    # each look by itself, as where nothing is known of the other
    last = stats.compare_arms(maps, None, np.ones((N, 1)), stats.allocations(ARM, None, N_DRAWS, seed))
    tested = stats.hypothesis(stats.two_visits("post"), {"followup": maps}, np.ones((N, 1)), arm=ARM)
    jointly = [
        stats.compare(tested, draws, earlier=[stats.EarlierLook(first.max_statistics, levels(LOOKS, ALPHA, name)[0])])
        for name in SPENDING
    ]
    return [one.p_fwe.min() for one in (first, last, *jointly)]


def tell(name, found, own):
    errors = int((found <= own).any(axis=1).sum())
    low, high = binomtest(errors, len(found)).proportion_ci()
    print(f"  {name} ({own[0]:.5f}, {own[1]:.5f}): {errors} of {len(found)} ({low:.4f} to {high:.4f})")


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    for effect in (0.0, 1.0):
        with ProcessPoolExecutor(options.jobs) as pool:
            run = partial(smallest_p, effect=effect)
            p = np.array(list(pool.map(run, range(options.trials), chunksize=10)))
        print(f"\nan effect of {effect:g} SD")
        for place, name in enumerate(SPENDING, start=2):
            tell(f"{name}, bound", p[:, :2], levels(LOOKS, ALPHA, name))
            tell(f"{name}, jointly", p[:, [0, place]], levels(LOOKS, ALPHA, name))
            tell(f"{name}, normal theory", p[:, :2], normal_levels(LOOKS, ALPHA, name))
        tell("alpha at both", p[:, :2], (ALPHA, ALPHA))


if __name__ == "__main__":
    main()
