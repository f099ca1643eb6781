"""Draws that stop when p is settled: false alarms, what is concluded, and how many draws it takes.

python -m benchmarks.settled [--trials 1000] [--full 10000] [--jobs 1]

Trials of 12 + 12 on a small cube, by TFCE. Of null trials, the share in which anything is significant; of trials with
an effect of 0 to 2 SD in one corner, whether the run that stops concludes as one of so many draws does of the same.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from scipy.stats import binomtest

from bids_app import stats

N_PER_ARM, ALPHA, SIDE = 12, 0.05, 3
ARM = np.repeat([0, 1], N_PER_ARM)
CORNER = np.zeros((SIDE,) * 3, bool)
CORNER[:2, :2, :2] = True


def simulated(seed, effect):
    """Return the hypothesis of a trial whose voxels share a third of their variance, and its inference."""
    generator = np.random.default_rng(seed)
    maps = generator.standard_normal((len(ARM), CORNER.size)) + 0.7 * generator.standard_normal((len(ARM), 1))
    maps[:, CORNER.ravel()] += effect * ARM[:, np.newaxis]
    tested = stats.hypothesis(stats.two_visits("post"), {"followup": maps}, np.ones((len(ARM), 1)), arm=ARM)
    return tested, stats.Inference(neighbours=stats.neighbours(np.ones(CORNER.shape, bool)))


def one_trial(seed, *, planted, full):
    """Return draws used, whether settled, and the smallest p where draws stop, and of a full run."""
    effect = np.random.default_rng((seed, 1)).uniform(0, 2) if planted else 0.0
    tested, inference = simulated((seed, 0), effect)
    draws = stats.allocations(ARM, None, stats.Stopping.most + 1, seed)
    (found,) = stats.compare_until_settled([(tested, draws, inference)], stats.Stopping(ALPHA))
    p = stats.compare(tested, stats.allocations(ARM, None, full, seed), inference).p_fwe.min() if planted else np.nan
    return len(found.max_statistics), stats.settled([found])[0], found.p_fwe.min(), p


def said(count, of):
    low, high = binomtest(count, of).proportion_ci()
    return f"{count} of {of} ({low:.4f} to {high:.4f})"


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--full", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    for planted in (False, True):
        with ProcessPoolExecutor(options.jobs) as pool:
            run = partial(one_trial, planted=planted, full=options.full)
            found = np.array(list(pool.map(run, range(options.trials), chunksize=10)))
        drawn, settled, p, full = found[:, 0], found[:, 1].astype(bool), found[:, 2], found[:, 3]
        print("\nwith an effect of 0 to 2 SD" if planted else "null trials")
        print(f"  draws: median {np.median(drawn):,.0f}, mean {drawn.mean():,.0f}, at most {drawn.max():,.0f}")
        print(f"  not settled: {said(int((~settled).sum()), len(found))}")
        print(f"  p at or below {ALPHA}: {said(int((p <= ALPHA).sum()), len(found))}")
        if planted:
            alike = (p <= ALPHA) == (full <= ALPHA)
            print(f"  concludes as {options.full:,} draws: {said(int(alike.sum()), len(found))}")
            print(f"  p of the others, and that of {options.full:,} draws: {found[~alike, 2:].round(4).tolist()}")


if __name__ == "__main__":
    main()
