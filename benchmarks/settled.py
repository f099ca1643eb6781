"""Draws that stop when p is settled: false alarms, what is concluded, and how many draws it takes.

python -m benchmarks.settled [--trials 1000] [--jobs 1]

Trials of 12 + 12 on a small cube, by TFCE: without an effect, with one of 0 to 2 SD in one corner, and those of the
latter whose p of all 100,000 draws is between .03 and .08. Of each, whether the run that stops concludes as all 100,000
draws of the same seed do; of null trials, how often p is at or below some levels.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from scipy.stats import binomtest

from bids_app import stats

N_PER_ARM, ALPHA, SIDE = 12, 0.05, 3
LEVELS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5)
NEAR = (0.03, 0.08)
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


def one_trial(seed, *, planted):
    """Return draws used, whether another seed could conclude otherwise, and the smallest p: stopped, and of all."""
    effect = np.random.default_rng((seed, 1)).uniform(0, 2) if planted else 0.0
    tested, inference = simulated((seed, 0), effect)
    draws = stats.allocations(ARM, None, stats.Stopping.most + 1, seed)
    (found,) = stats.compare_until_settled([(tested, draws, inference)], stats.Stopping(ALPHA))
    full = stats.compare(tested, draws, inference).p_fwe.min()
    return len(found.max_statistics), stats.by_chance([found])[0], found.p_fwe.min(), full


def said(count, of):
    low, high = binomtest(int(count), of).proportion_ci()
    return f"{count} of {of} ({low:.4f} to {high:.4f})"


def tell(name, found):
    drawn, open_, p, full = found.T
    alike = (p <= ALPHA) == (full <= ALPHA)
    print(f"\n{name}")
    print(f"  draws: median {np.median(drawn):,.0f}, mean {drawn.mean():,.0f}, at most {drawn.max():,.0f}")
    print(f"  concludes as all draws: {said(alike.sum(), len(found))}")
    print(f"  p of the others, and of all draws: {found[~alike, 2:].round(5).tolist()}")
    print(f"  another seed could conclude otherwise: {said(int(open_.sum()), len(found))}")


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    found = {}
    for planted in (False, True):
        with ProcessPoolExecutor(options.jobs) as pool:
            run = partial(one_trial, planted=planted)
            found[planted] = np.array(list(pool.map(run, range(options.trials), chunksize=10)))
    tell("null trials", found[False])
    for level in LEVELS:
        p, full = found[False][:, 2:].T
        print(f"  p at or below {level}: {said((p <= level).sum(), len(p))}, of all draws {(full <= level).sum()}")
    tell("with an effect of 0 to 2 SD", found[True])
    near = (found[True][:, 3] >= NEAR[0]) & (found[True][:, 3] <= NEAR[1])
    tell(f"of these, with p between {NEAR[0]} and {NEAR[1]}", found[True][near])


if __name__ == "__main__":
    main()
