"""Null trials that are looked at twice: how often either look finds something.

python -m benchmarks.looks [--trials 1000] [--jobs 1]

Trials of 20 + 20, looked at when half of each arm is there, by the largest t over voxels; by levels that add up to
alpha, as trialgraph tests, by those of the normal theory, and by alpha at both looks.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from scipy.stats import binomtest

from bids_app import stats
from bids_app.stats.interim import SPENDING, levels, normal_levels

ALPHA, N, N_VOXELS, N_DRAWS = 0.05, 40, 60, 2000
LOOKS = (0.5, 1.0)
ARM = np.tile([0, 1], N // 2)


def smallest_p(seed):
    """Return the smallest corrected p at each look."""
    generator = np.random.default_rng(seed)
    maps = generator.standard_normal((N, N_VOXELS)) + 0.5 * generator.standard_normal((N, 1))
    found = []
    for look in LOOKS:
        n = round(N * look)
        draws = stats.allocations(ARM[:n], None, N_DRAWS, seed)
        found.append(stats.compare_arms(maps[:n], None, np.ones((n, 1)), draws).p_fwe.min())
    return found


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs) as pool:
        p = np.array(list(pool.map(smallest_p, range(options.trials), chunksize=10)))
    tested = {
        f"{name}, {how.__name__}": how(LOOKS, ALPHA, name) for name in SPENDING for how in (levels, normal_levels)
    }
    for name, own in (tested | {"alpha at both": (ALPHA, ALPHA)}).items():
        errors = int((p <= own).any(axis=1).sum())
        low, high = binomtest(errors, len(p)).proportion_ci()
        print(f"{name} ({own[0]:.5f}, {own[1]:.5f}): {errors} of {len(p)} ({low:.4f} to {high:.4f})")


if __name__ == "__main__":
    main()
