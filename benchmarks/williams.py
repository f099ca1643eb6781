"""Family-wise error and power of three treatments in a Williams design of six sequences, and how long its draws take.

python -m benchmarks.williams [--trials 1000] [--jobs 1] [--time]
"""

from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from benchmarks.designs import INFERENCE, N_DRAWS, noise
from benchmarks.trials import ALPHA, asked, exact, of_each
from bids_app.stats import (
    Inference,
    allocations,
    compare,
    compare_arms,
    compared_treatments,
    nuisance,
    of_rows,
    sequence_draws,
)

GIVEN = np.array([(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
PER_SEQUENCE = 4
ALIKE = "2 - 0, among sequences that differ in their places only"
TESTED = {"1 - 0": [(-1, 1, 0)], "2 - 0": [(-1, 0, 1)], "any": [(-1, 1, 0), (-1, 0, 1)]}


@dataclass(frozen=True)
class Case:
    """What acts on every voxel, in standard deviations of one period.

    Attributes
    ----------
    effect : float
        Of treatment 1, in the period that it is given in.
    period : float
        More in each period than in that before it, on everyone.
    carry_over : float
        Of treatment 1, in the period after it.
    """

    effect: float = 0.0
    period: float = 0.0
    carry_over: float = 0.0


CASES = {
    "nothing works": Case(),
    "the periods differ": Case(period=0.8),
    "treatment 1 works": Case(effect=0.3, period=0.8),
    "treatment 1 is carried over": Case(period=0.8, carry_over=0.5),
}


def simulate(case, seed):
    """Return the sequence of each participant, and the maps of the three periods."""
    rng = np.random.default_rng(seed)
    sequence = rng.permutation(np.repeat(np.arange(len(GIVEN)), PER_SEQUENCE))
    person, *own = noise(rng, 4, len(sequence)) / np.sqrt(2)
    given = GIVEN[sequence]
    after = np.column_stack([np.zeros(len(given)), given[:, :-1] == 1])
    added = case.effect * (given == 1) + case.period * np.arange(3) + case.carry_over * after
    return sequence, [person + one + added[:, [place]] for place, one in enumerate(own)]


def smallest_p(case, seed):
    """Return of each difference the smallest p over the voxels; of one also by the draws that are exact for it."""
    sequence, maps = simulate(case, seed)
    draws = of_rows(allocations(sequence, None, N_DRAWS, seed=1_000_000 + seed), 3)
    found = {}
    for name, rows in TESTED.items():
        tested = compared_treatments(maps, sequence, GIVEN, rows, nuisance(len(sequence)))
        found[name] = compare(tested, draws, INFERENCE).p_fwe.min()
    alike = sequence_draws(sequence, GIVEN, (0, 1, 0), None, N_DRAWS, seed=1_000_000 + seed).allocations
    tested = compared_treatments(maps, sequence, GIVEN, TESTED["2 - 0"], nuisance(len(sequence)))
    return found | {ALIKE: compare(tested, of_rows(alike, 3), INFERENCE).p_fwe.min()}


def rates(case, trials, jobs=1):
    """Return of each difference the share of trials, by seed, in which it is found; and of claims after a rule.

    Either of the two by Bonferroni; treatment 2 by itself only where F of any difference is found too, a closed test.
    """
    found = of_each(partial(smallest_p, case), trials, jobs)
    p = {name: np.array([one[name] for one in found]) for name in (*TESTED, ALIKE)}
    shares = {name: values <= ALPHA for name, values in p.items()}
    shares["either, Bonferroni"] = np.minimum(p["1 - 0"], p["2 - 0"]) <= ALPHA / 2
    shares["2 - 0, Bonferroni"] = p["2 - 0"] <= ALPHA / 2
    shares["2 - 0, closed"] = shares["2 - 0"] & shares["any"]
    return {name: float(values.mean()) for name, values in shares.items()}


def time_draws(n_voxels=20_000, n_draws=1_000):
    """Return the seconds of t of every draw: of the rows of a Williams design, and of two arms of as many people."""
    rng = np.random.default_rng(0)
    sequence = np.repeat(np.arange(len(GIVEN)), PER_SEQUENCE)
    maps = rng.normal(size=(3, len(sequence), n_voxels))
    rows = compared_treatments(maps, sequence, GIVEN, TESTED["1 - 0"], nuisance(len(sequence)))
    drawn, arms = allocations(sequence, None, n_draws), allocations(sequence % 2, None, n_draws)
    start = perf_counter()
    compare(rows, of_rows(drawn, 3), Inference(statistic="voxel"))
    middle = perf_counter()
    compare_arms(maps[1], maps[0], nuisance(len(sequence)), arms, statistic="voxel")
    return middle - start, perf_counter() - middle


def main():
    """Print the rates with the interval in which an exact test lies, or the times."""
    options = asked(__doc__, time={"action": "store_true"})
    if options.time:
        print("Williams {:.2f} s, two arms by ANCOVA {:.2f} s".format(*time_draws()))
        return
    print(f"{options.trials} trials, {PER_SEQUENCE} per sequence, {N_DRAWS} draws: {exact(options.trials)}")
    for name, case in CASES.items():
        found = rates(case, range(options.trials), options.jobs)
        print(f"{name}: {', '.join(f'{which} {rate:.3f}' for which, rate in found.items())}", flush=True)


if __name__ == "__main__":
    main()
