"""Family-wise error of comparisons by weights beside those of arms with the reference, in the closed test.

python -m benchmarks.weights [--trials 1000] [--jobs 1]
"""

from functools import partial

import numpy as np

from benchmarks.trials import ALPHA, asked, exact, of_each
from bids_app.stats import (
    Estimand,
    Inference,
    across,
    allocations,
    closed,
    compare,
    hypothesis,
    intersections,
    nuisance,
)

N_DRAWS, PER_ARM, NODES = 200, 8, 3
ROWS = {  # of the reference and arms a, b and c
    "a": (-1.0, 1.0, 0.0, 0.0),
    "b": (-1.0, 0.0, 1.0, 0.0),
    "c": (-1.0, 0.0, 0.0, 1.0),
    "mean of a and b": (-1.0, 0.5, 0.5, 0.0),
}
CASES = {  # what acts on each arm, in standard deviations; which comparisons are then without a difference
    "nothing": ((0.0, 0.0, 0.0, 0.0), tuple(ROWS)),
    "c works": ((0.0, 0.0, 0.0, 2.0), ("a", "b", "mean of a and b")),
    "a and b act in opposite ways": ((0.0, 2.0, -2.0, 0.0), ("c", "mean of a and b")),
}


def smallest_p(effects, seed):
    """Return the smallest p over the nodes of each comparison, over all comparisons together."""
    rng, arm = np.random.default_rng(seed), np.repeat(np.arange(4), PER_ARM)
    before = rng.standard_normal((len(arm), NODES))
    after = 0.5 * before + rng.standard_normal(before.shape) + np.array(effects)[arm][:, None]
    tests = []
    for number, one in enumerate(intersections(list(ROWS.values()))):
        draws = allocations(arm, [str(one.blocks[own]) for own in arm], N_DRAWS, seed=100 * seed + number)
        held, compared = [name for name, row in ROWS.items() if row in one.rows], []
        for name in held:
            estimand = Estimand(outcome={"after": 1.0}, adjusts=("before",), tested=(ROWS[name],))
            stated = hypothesis(estimand, {"before": before, "after": after}, nuisance(len(arm)), arm=arm)
            compared.append(compare(stated, draws, Inference(statistic="voxel")))
        tests.append(dict(zip(held, across(compared), strict=True)))
    return {name: p.min() for name, p in closed(tests).items()}


def main():
    """Print how often anything is found that is not there, and each comparison, with what is exact."""
    options = asked(__doc__)
    print(f"{options.trials} trials of 4 arms of {PER_ARM}, {N_DRAWS} draws: {exact(options.trials)}")
    for case, (effects, true) in CASES.items():
        found = of_each(partial(smallest_p, effects), range(options.trials), options.jobs)
        wrong = np.mean([min(one[name] for name in true) <= ALPHA for one in found])
        each = ", ".join(f"{name} {np.mean([one[name] <= ALPHA for one in found]):.3f}" for name in ROWS)
        print(f"{case}: anything that is not there {wrong:.3f}; {each}", flush=True)


if __name__ == "__main__":
    main()
