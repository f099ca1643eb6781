"""What the HC3 statistic does against false alarms where the arms differ in size and spread, over whole maps.

python -m benchmarks.unequal_arms [--trials 1000]
"""

import argparse

import numpy as np
from scipy.ndimage import gaussian_filter

from bids_app.stats import Inference, allocations, compare, hypothesis, neighbours, two_visits

MASK = np.ones((8, 8, 6), dtype=bool)
TOUCHING = neighbours(MASK)
SIZES, RATIOS = ((12, 31), (8, 35), (16, 27)), (1.5, 2.0)
N_DRAWS, ALPHA = 200, 0.05


def error_rate(few, many, ratio, n_trials, *, robust, seed=0):
    """Return the family-wise error of TFCE in trials whose smaller arm is so many times as variable, and no more."""
    generator = np.random.default_rng(seed)
    arm = np.repeat([1, 0], [few, many])
    inference = Inference(statistic="tfce", neighbours=TOUCHING, robust=robust)
    found = 0
    for number in range(n_trials):
        noise = generator.standard_normal((few + many, *MASK.shape))
        maps = np.stack([gaussian_filter(one, 1.0) for one in noise])[:, MASK]
        maps = maps * np.where(arm == 1, ratio, 1.0)[:, None]
        tested = hypothesis(two_visits("post"), {"followup": maps}, np.ones((few + many, 1)), arm=arm)
        found += compare(tested, allocations(arm, None, N_DRAWS, number), inference).p_fwe.min() <= ALPHA
    return found / n_trials


def main():
    """Print the family-wise error with and without HC3."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    n_trials = parser.parse_args().trials
    print(f"{n_trials} trials without a difference of means, {MASK.sum()} voxels, nominal {ALPHA}")
    print(f"{'arms':<10}{'SD ratio':<10}{'ordinary':>10}{'HC3':>8}")
    for few, many in SIZES:
        for ratio in RATIOS:
            plain, robust = (error_rate(few, many, ratio, n_trials, robust=one) for one in (False, True))
            print(f"{f'{few} + {many}':<10}{ratio:<10}{plain:>10.3f}{robust:>8.3f}", flush=True)


if __name__ == "__main__":
    main()
