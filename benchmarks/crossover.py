"""Family-wise error and power of a 2 x 2 cross-over trial: with baselines of the periods, and of what stands beside it.

python -m benchmarks.crossover [--trials 1000] [--jobs 1]
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats
from scipy.ndimage import gaussian_filter

from bids_app.stats import Inference, allocations, compare, crossed, hypothesis, neighbours, nuisance, two_periods

ALPHA, N_DRAWS, PER_SEQUENCE = 0.05, 100, 10
MASK = np.ones((5, 5, 4), dtype=bool)
TOUCHING = neighbours(MASK)
PERIODS, BASELINES = ("period1", "period2"), ("baseline1", "baseline2")
ESTIMATORS = {
    "crossover": ("crossover", None),
    "adjusted for the difference of the baselines": ("crossover", BASELINES),
    "first-period": ("first-period", None),
    "carry-over": ("carry-over", None),
    "carry-over at the baselines": ("baseline-carry-over", BASELINES),
}


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
    baseline_carry_over : float
        Of the active treatment, at the baseline after it.
    """

    treatment: float = 0.0
    period: float = 0.0
    carry_over: float = 0.0
    baseline_carry_over: float = 0.0


CASES = {
    "nothing works": Case(),
    "the periods differ": Case(period=0.8),
    "the periods and the treatments differ": Case(treatment=0.3, period=0.8),
    "the periods differ, and the active treatment is carried over": Case(period=0.8, carry_over=0.5),
    "the active treatment is carried over to the baseline, and no further": Case(baseline_carry_over=0.5),
    "the active treatment is carried over, to the baseline too": Case(carry_over=0.5, baseline_carry_over=0.5),
}


def simulate(case, seed):
    """Return the sequence of each participant, 1 for the active treatment first, and the maps of periods and baselines.

    Half of the variance within a participant is of the occasion, which baseline and outcome of a period share.
    """
    rng = np.random.default_rng(seed)
    sequence = rng.permutation(np.repeat([0, 1], PER_SEQUENCE))
    person, *own = noise_of(rng, 3, len(sequence))  # half of the variance is between people
    active_first = sequence[:, None] == 1
    first = person + own[0] + case.treatment * active_first
    second = person + own[1] + case.period + case.treatment * ~active_first + case.carry_over * active_first
    more = noise_of(np.random.default_rng([seed, 1]), 2, len(sequence))
    before = [person + (occasion + own_noise) / np.sqrt(2) for occasion, own_noise in zip(own, more, strict=True)]
    before[1] = before[1] + case.baseline_carry_over * active_first
    return sequence, dict(zip((*PERIODS, *BASELINES), (first, second, *before), strict=True))


def noise_of(rng, n_maps, n):
    """Return smooth maps of n participants, (n_maps, n, V), whose variance is half."""
    noise = gaussian_filter(rng.standard_t(6, (n_maps, n, *MASK.shape)), (0, 0, 0.7, 0.7, 0.7))[..., MASK]
    return noise / noise.std() / np.sqrt(2)


def smallest_p(case, seed):
    """Return of each estimator the smallest p over the voxels."""
    sequence, maps = simulate(case, seed)
    draws = allocations(sequence, None, N_DRAWS, seed=1_000_000 + seed)
    found = {}
    for name, (estimator, before) in ESTIMATORS.items():
        estimand = two_periods(estimator, *PERIODS, before)
        made = crossed(estimator, maps, sequence, PERIODS, before)
        own = {visit: made[visit] for visit in estimand.visits}
        tested = hypothesis(estimand, own, nuisance(len(sequence)), arm=sequence)
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
