"""Family-wise error and power of a 2 x 2 cross-over trial, of its first period alone, and of the test of carry-over.

python -m benchmarks.crossover [--trials 1000] [--jobs 1]
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats
from scipy.ndimage import gaussian_filter

from bids_app.stats import Inference, allocations, compare, hypothesis, neighbours, nuisance, two_periods

ALPHA, N_DRAWS, PER_SEQUENCE = 0.05, 100, 10
MASK = np.ones((5, 5, 4), dtype=bool)
TOUCHING = neighbours(MASK)
ESTIMATORS = ("crossover", "first-period", "carry-over")


@dataclass(frozen=True)
class Case:
    """What acts on every voxel, in standard deviations of one period.

    Attributes
    ----------
    treatment : float
        Of the active treatment, in the period that it is given in.
    period : float
        Of period 2, on everyone.
    carry_over : float
        Of the active treatment, in the period after it.
    """

    treatment: float = 0.0
    period: float = 0.0
    carry_over: float = 0.0


CASES = {
    "nothing works": Case(),
    "the periods differ": Case(period=0.8),
    "the periods and the treatments differ": Case(treatment=0.3, period=0.8),
    "the periods differ, and the active treatment is carried over": Case(period=0.8, carry_over=0.5),
}


def simulate(case, seed):
    """Return the sequence of each participant, 1 for the active treatment first, and the maps of both periods."""
    rng = np.random.default_rng(seed)
    sequence = rng.permutation(np.repeat([0, 1], PER_SEQUENCE))
    noise = gaussian_filter(rng.standard_t(6, (3, len(sequence), *MASK.shape)), (0, 0, 0.7, 0.7, 0.7))[..., MASK]
    person, *own = noise / noise.std() / np.sqrt(2)  # half of the variance is between people
    active_first = sequence[:, None] == 1
    first = person + own[0] + case.treatment * active_first
    second = person + own[1] + case.period + case.treatment * ~active_first + case.carry_over * active_first
    return sequence, {"period1": first, "period2": second}


def smallest_p(case, seed):
    """Return of each estimator the smallest p over the voxels."""
    sequence, maps = simulate(case, seed)
    draws = allocations(sequence, None, N_DRAWS, seed=1_000_000 + seed)
    found = {}
    for name in ESTIMATORS:
        tested = hypothesis(two_periods(name), maps, nuisance(len(sequence)), arm=sequence)
        found[name] = compare(tested, draws, Inference(neighbours=TOUCHING)).p_fwe.min()
    return found


def rates(case, trials, jobs=1):
    """Return of each estimator the share of trials in which it finds something.

    Parameters
    ----------
    case : Case
    trials : range
        Seeds.
    jobs : int, optional
        Processes.
    """
    with ProcessPoolExecutor(jobs) as pool:
        found = list(pool.map(partial(smallest_p, case), trials, chunksize=10))
    return {name: float(np.mean([one[name] <= ALPHA for one in found])) for name in ESTIMATORS}


def main():
    """Print the rates with the interval in which an exact test lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    low, high = stats.binom.interval(0.95, options.trials, ALPHA) / np.array(options.trials)
    print(f"{options.trials} trials, {PER_SEQUENCE} per sequence, {N_DRAWS} draws: exact in {low:.3f} to {high:.3f}")
    for name, case in CASES.items():
        found = rates(case, range(options.trials), options.jobs)
        print(f"{name}: {', '.join(f'{estimator} {rate:.3f}' for estimator, rate in found.items())}")


if __name__ == "__main__":
    main()
