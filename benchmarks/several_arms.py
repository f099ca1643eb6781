"""Family-wise error of the closed test over three arms and two follow-ups, with drop-out, and its power.

python -m benchmarks.several_arms [--trials 1000] [--jobs 1]

Labels of all arms drawn alike, with the largest statistic over the comparisons, stand beside it: they hold the level
only where no arm works.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from scipy import stats
from scipy.ndimage import gaussian_filter

from bids_app.stats import (
    Estimand,
    Inference,
    across,
    allocations,
    closed,
    compare,
    hypothesis,
    intersections,
    neighbours,
    nuisance,
)

ALPHA, N_DRAWS, PER_ARM = 0.05, 100, 10
MASK = np.ones((5, 5, 4), dtype=bool)
TOUCHING = neighbours(MASK)
PAIRS = [(1, 0), (2, 0)]
ROWS = {(1, 0): (-1.0, 1.0, 0.0), (2, 0): (-1.0, 0.0, 1.0)}
VISITS = ("day3", "day14")
N_LOST = 4  # have no second follow-up
# Effect of the first arm in standard deviations, and the spread of the second arm.
CASES = {"no arm works": (0.0, 1.0), "one arm works": (1.2, 1.0), "one arm works, the other varies less": (1.2, 0.5)}


def simulate(effect, spread, seed):
    """Return arm, maps by visit, and who is there at each follow-up."""
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.repeat([0, 1, 2], PER_ARM))
    n = len(arm)
    noise = gaussian_filter(rng.standard_t(6, (4, n, *MASK.shape)), (0, 0, 0.7, 0.7, 0.7))[..., MASK]
    common, *own = noise / noise.std()
    scale = np.where(arm == 2, spread, 1.0)[:, None]
    maps = {"baseline": common + own[0]}
    for visit, values in zip(VISITS, own[1:], strict=True):
        maps[visit] = common + scale * values + effect * (arm == 1)[:, None]
    there = {"day3": np.arange(n), "day14": np.sort(rng.choice(n, n - N_LOST, replace=False))}
    return arm, maps, there


def p_of(arm, maps, there, draws, pairs):
    """Return p of the comparisons over voxels, comparisons and visits, by comparison and visit."""
    found = {}
    for pair in pairs:
        for visit, rows in there.items():
            estimand = Estimand(outcome={visit: 1.0}, adjusts=("baseline",), tested=(ROWS[pair],))
            own = {name: maps[name][rows] for name in ("baseline", visit)}
            tested = hypothesis(estimand, own, nuisance(len(rows)), arm=arm[rows])
            found[pair, visit] = compare(tested, draws.of(rows), Inference(neighbours=TOUCHING))
    return dict(zip(found, across(list(found.values())), strict=True))


def trial(effect, spread, seed):
    """Return for each method whether there is a false alarm, and whether the arm that works is found."""
    arm, maps, there = simulate(effect, spread, seed)
    tests = []
    for one in intersections(PAIRS, 3):
        draws = allocations(arm, [one.blocks[label] for label in arm], N_DRAWS, seed=1_000_000 + seed)
        tests.append(p_of(arm, maps, there, draws, one.pairs))
    null = [pair for pair in PAIRS if not effect or pair == (2, 0)]
    found = {}
    for name, p in {"closed test": closed(tests), "all labels alike": tests[-1]}.items():
        alarm = min(p[pair, visit].min() for pair in null for visit in VISITS) <= ALPHA
        found[name] = (alarm, min(p[(1, 0), visit].min() for visit in VISITS) <= ALPHA)
    return found


def main():
    """Print the rates with the interval in which an exact test lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    low, high = stats.binom.interval(0.95, options.trials, ALPHA) / np.array(options.trials)
    print(
        f"{options.trials} trials, {PER_ARM} per arm, {N_DRAWS} draws, level {ALPHA}: exact in {low:.3f} to {high:.3f}"
    )
    with ProcessPoolExecutor(options.jobs) as pool:
        for case, (effect, spread) in CASES.items():
            found = list(pool.map(partial(trial, effect, spread), range(options.trials), chunksize=10))
            for name in found[0]:
                alarms, hits = (np.mean([one[name][place] for one in found]) for place in (0, 1))
                power = f", the arm that works is found in {hits:.3f}" if effect else ""
                print(f"{case}; {name}: false alarms {alarms:.3f}{power}")


if __name__ == "__main__":
    main()
