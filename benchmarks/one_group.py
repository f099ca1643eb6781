"""Family-wise error and power of the mean change of one group at two later visits, tested by flipping signs.

python -m benchmarks.one_group [--trials 1000] [--jobs 1]
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.trials import ALPHA, asked, exact, of_each
from bids_app.stats import Inference, across, compare, hypothesis, neighbours, nuisance, sign_flips, two_visits

N_DRAWS, PEOPLE, LOST = 200, 12, 2
MASK = np.ones((5, 5, 4), dtype=bool)
TOUCHING = neighbours(MASK)
LATER = ("visit 2", "visit 3")


@dataclass(frozen=True)
class Case:
    """What acts on every voxel, in standard deviations of one visit.

    Attributes
    ----------
    change : (float, float)
        Of everyone at each of the later visits.
    skewed : bool
        Whether values are exponential, so that a few are far above the others.
    adjusted : bool
        Whether a covariate that changes go along with is adjusted for, centred, as the app does not.
    """

    change: tuple[float, float] = (0.0, 0.0)
    skewed: bool = False
    adjusted: bool = False


CASES = {
    "nothing changes": Case(),
    "nothing changes, and the later visits are skewed": Case(skewed=True),
    "nothing changes on average, adjusted for a covariate": Case(adjusted=True),
    "visit 2 alone changes": Case(change=(1.5, 0.0)),
    "both change": Case(change=(1.0, 1.0)),
}


def simulate(case, seed):
    """Return the maps of three visits, and a covariate of everyone; the last two lack the third visit."""
    rng = np.random.default_rng(seed)
    values = rng.standard_exponential if case.skewed else rng.standard_normal
    noise = gaussian_filter(values((4, PEOPLE, *MASK.shape)), (0, 0, 0.7, 0.7, 0.7))[..., MASK]
    noise -= gaussian_filter(np.full(MASK.shape, float(case.skewed)), 0.7)[MASK]
    person, first, *later = noise / noise.std()
    covariate = rng.standard_normal(PEOPLE)
    of_covariate = covariate[:, None] * case.adjusted
    visits = [person + own + change + of_covariate for own, change in zip(later, case.change, strict=True)]
    return {"first": person + first, **dict(zip(LATER, visits, strict=True))}, covariate


def smallest_p(case, seed):
    """Return of each later visit the smallest p over the voxels, and over both visits together."""
    maps, covariate = simulate(case, seed)
    draws, compared = sign_flips(PEOPLE, N_DRAWS, seed=1_000_000 + seed), []
    for visit in LATER:
        rows = np.arange(PEOPLE - LOST * (visit == LATER[-1]))
        explained = nuisance(len(rows), covariate[rows, None] if case.adjusted else None)
        own = {"first": maps["first"][rows], visit: maps[visit][rows]}
        stated = hypothesis(two_visits("within", "first", visit), own, explained)
        compared.append(compare(stated, draws.of(rows), Inference(neighbours=TOUCHING)))
    alone = {visit: one.p_fwe.min() for visit, one in zip(LATER, compared, strict=True)}
    return alone | {f"{visit}, together": p.min() for visit, p in zip(LATER, across(compared), strict=True)}


def rates(case, trials, jobs=1):
    """Return of each p the share of trials in which it finds something, and in which any of those together does.

    Parameters
    ----------
    case : Case
    trials : range
        Seeds.
    jobs : int, optional
        Processes.
    """
    found = of_each(partial(smallest_p, case), trials, jobs)
    shares = {name: float(np.mean([one[name] <= ALPHA for one in found])) for name in found[0]}
    together = [min(one[f"{visit}, together"] for visit in LATER) <= ALPHA for one in found]
    return shares | {"any, together": float(np.mean(together))}


def main():
    """Print the rates with the interval in which an exact test lies."""
    options = asked(__doc__)
    print(f"{options.trials} trials of {PEOPLE} people, {N_DRAWS} draws: {exact(options.trials)}")
    for name, case in CASES.items():
        found = rates(case, range(options.trials), options.jobs)
        print(f"{name}: {', '.join(f'{of} {rate:.3f}' for of, rate in found.items())}", flush=True)


if __name__ == "__main__":
    main()
