"""Family-wise error and power by design: several arms, several follow-ups with drop-out, cross-over, groups.

python -m benchmarks.designs [--trials 1000] [--jobs 1] [--case WORDS]
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats
from scipy.ndimage import gaussian_filter

from benchmarks.trials import ALPHA, asked, exact, of_each
from bids_app.stats import (
    Estimand,
    Inference,
    across,
    allocations,
    closed,
    compare,
    crossed,
    hypothesis,
    intersections,
    neighbours,
    nuisance,
    residual_permutations,
    two_periods,
    two_visits,
)
from bids_app.stats.overvisits import mean_weights, slope_weights

N_DRAWS = 100
MASK = np.ones((5, 5, 4), dtype=bool)
INFERENCE = Inference(neighbours=neighbours(MASK))
ROWS = {1: ((-1.0, 1.0),), 2: ((-1.0, 1.0, 0.0), (-1.0, 0.0, 1.0))}  # by the count of arms beside the reference
FOLLOWUPS = ("day3", "day14")
DAYS = (3, 14)
PERIODS = ("period1", "period2")
OF_CROSSOVER = {name: (name, False) for name in ("crossover", "first-period", "carry-over")}
OF_BASELINES = {
    "adjusted for the difference of the baselines": ("crossover", True),
    "carry-over at the baselines": ("baseline-carry-over", True),
}


@dataclass(frozen=True)
class Case:
    """A kind of trial.

    Attributes
    ----------
    trial : callable
        Of a seed: by what is looked for, whether it was found.
    exact : tuple of str
        What has to be found in as many trials as the level says.
    bounded : tuple of str
        What has to be found in no more: the smallest of several p of a hundred draws ties often, which is conservative.
        Of the rest the rate is told.
    """

    trial: Callable[[int], dict[str, bool]]
    exact: tuple[str, ...] = ()
    bounded: tuple[str, ...] = ()


def noise(rng, *shape):
    """Return heavy-tailed smooth maps (..., V) with variance 1."""
    maps = rng.standard_t(6, (*shape, *MASK.shape))
    maps = gaussian_filter(maps, (*[0] * len(shape), 0.7, 0.7, 0.7))[..., MASK]
    return maps / maps.std()


def over_followups(arm, maps, there, draws, rows):
    """Return p over voxels, comparisons and follow-ups, by comparison and follow-up."""
    found = {}
    for number, row in rows.items():
        for visit, members in there.items():
            estimand = Estimand(outcome={visit: 1.0}, adjusts=("baseline",), tested=(row,))
            own = {name: maps[name][members] for name in ("baseline", visit)}
            tested = hypothesis(estimand, own, nuisance(len(members)), arm=arm[members])
            found[number, visit] = compare(tested, draws.of(members), INFERENCE)
    return dict(zip(found, across(list(found.values())), strict=True))


def joint_tests(arm, maps, there, seed, n_draws=N_DRAWS):
    """Return p of each test of the closed test of every arm against the reference, that of all arms last."""
    n_others = int(arm.max())
    tests = []
    for one in intersections(ROWS[n_others]):
        draws = allocations(arm, [one.blocks[label] for label in arm], n_draws, seed=1_000_000 + seed)
        rows = {number: row for number, row in enumerate(ROWS[n_others], 1) if row in one.rows}
        tests.append(over_followups(arm, maps, there, draws, rows))
    return tests


def is_found(p, keys):
    return bool(min(p[key].min() for key in keys) <= ALPHA)


def three_arms(seed, effect=0.0, spread=1.0):
    """Ten per arm, two follow-ups of which 4 people lack the second; the first arm works, the second varies so much."""
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.repeat([0, 1, 2], 10))
    common, *own = noise(rng, 4, len(arm))
    scale = np.where(arm == 2, spread, 1.0)[:, None]
    maps = {"baseline": common + own[0]}
    for visit, values in zip(FOLLOWUPS, own[1:], strict=True):
        maps[visit] = common + scale * values + effect * (arm == 1)[:, None]
    there = {"day3": np.arange(len(arm)), "day14": np.sort(rng.choice(len(arm), len(arm) - 4, replace=False))}
    tests = joint_tests(arm, maps, there, seed)
    working = [(1, visit) for visit in FOLLOWUPS] if effect else []
    idle = [(number, visit) for number in (1, 2) for visit in FOLLOWUPS if (number, visit) not in working]
    found = {}
    for name, p in {"closed test": closed(tests), "labels of all arms alike": tests[-1]}.items():
        found[f"{name}: false alarm"] = is_found(p, idle)
        if working:
            found[f"{name}: the arm that works"] = is_found(p, working)
    return found


def three_visits(seed, effects=(0.0, 0.0), n_draws=N_DRAWS, *, put_together=False):
    """Fifteen per arm, two follow-ups; of the second 8 are lost, likelier who was high at the baseline.

    Put together, the mean of the follow-ups and the slope over them are tested beside them.
    """
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.repeat([0, 1], 15))
    common, *own = noise(rng, 4, len(arm))
    maps = {"baseline": common + own[0]}
    for visit, values, effect in zip(FOLLOWUPS, own[1:], effects, strict=True):
        maps[visit] = common + values + effect * (arm == 1)[:, None]
    means = maps["baseline"].mean(axis=1)
    keys = 2 * means / means.std() + rng.gumbel(size=len(arm))
    there = {"day3": np.arange(len(arm)), "day14": np.sort(np.argsort(keys)[:-8])}
    shares = dict(zip(FOLLOWUPS, effects, strict=True))
    if put_together:
        weights = {"mean": mean_weights(DAYS), "slope": slope_weights(DAYS)}
        for name, own in weights.items():
            maps[name] = sum(weight * maps[visit] for weight, visit in zip(own, FOLLOWUPS, strict=True))
            there[name], shares[name] = there["day14"], float(own @ np.array(effects))
    p = closed(joint_tests(arm, maps, there, seed, n_draws))
    idle = [(1, name) for name, effect in shares.items() if not effect]
    found = {"false alarm": is_found(p, idle)}
    return found | ({"the effect of day 3": is_found(p, [(1, "day3")])} if effects[0] else {})


def crossover(seed, treatment=0.0, period=0.0, carry_over=0.0, baseline_carry_over=None):
    """Ten per sequence; what acts on every voxel in standard deviations of one period, carry-over in period 2.

    With a number for the carry-over to the baseline of period 2 there are baselines: half of the variance within a
    participant is of the occasion, which baseline and outcome of a period share.
    """
    rng = np.random.default_rng(seed)
    sequence = rng.permutation(np.repeat([0, 1], 10))
    person, *own = noise(rng, 3, len(sequence)) / np.sqrt(2)  # half of the variance is between people
    active_first = sequence[:, None] == 1
    maps = {
        "period1": person + own[0] + treatment * active_first,
        "period2": person + own[1] + period + treatment * ~active_first + carry_over * active_first,
    }
    before = None
    if baseline_carry_over is not None:
        before = ("baseline1", "baseline2")
        more = noise(np.random.default_rng([seed, 1]), 2, len(sequence)) / np.sqrt(2)
        maps |= {name: person + (one + two) / np.sqrt(2) for name, one, two in zip(before, own, more, strict=True)}
        maps["baseline2"] = maps["baseline2"] + baseline_carry_over * active_first
    draws = allocations(sequence, None, N_DRAWS, seed=1_000_000 + seed)
    found = {}
    for name, (estimator, baselines) in (OF_CROSSOVER | (OF_BASELINES if before else {})).items():
        estimand = two_periods(estimator, *PERIODS, before if baselines else None)
        made = crossed(estimator, maps, sequence, PERIODS, before if baselines else None)
        own_maps = {visit: made[visit] for visit in estimand.visits}
        tested = hypothesis(estimand, own_maps, nuisance(len(sequence)), arm=sequence)
        found[name] = bool(compare(tested, draws, INFERENCE).p_fwe.min() <= ALPHA)
    return found


def groups(seed, effect=0.0):
    """Fifteen and fifteen, seen once; one group is older by 1.5 deviations, and age raises every voxel by 0.5."""
    rng = np.random.default_rng(seed)
    group = np.repeat([0, 1], 15)
    age = rng.standard_normal(len(group)) + 1.5 * group
    maps = {"followup": noise(rng, len(group)) + 0.5 * age[:, None] + effect * group[:, None]}
    draws = residual_permutations(len(group), None, N_DRAWS, 1_000_000 + seed)
    found = {}
    for name, covariate in {"adjusted for age": age[:, None], "not adjusted": None}.items():
        tested = hypothesis(two_visits("post"), maps, nuisance(len(group), covariate), arm=group)
        found[name] = bool(compare(tested, draws, INFERENCE).p_fwe.min() <= ALPHA)
    return found


OF_CLOSED = ("closed test: false alarm",)
PARALLEL = ("crossover", "first-period")
CASES = {
    "three arms, none works": Case(three_arms, bounded=(*OF_CLOSED, "labels of all arms alike: false alarm")),
    "three arms, one works": Case(partial(three_arms, effect=1.2), bounded=OF_CLOSED),
    "three arms, one works, the other varies less": Case(
        partial(three_arms, effect=1.2, spread=0.5), bounded=OF_CLOSED
    ),
    "three visits, nothing works": Case(three_visits, bounded=("false alarm",)),
    "three visits, nothing works, 500 draws": Case(partial(three_visits, n_draws=500), exact=("false alarm",)),
    "three visits, effect at the first follow-up": Case(
        partial(three_visits, effects=(1.0, 0.0)), bounded=("false alarm",)
    ),
    "follow-ups, mean and slope, nothing works": Case(
        partial(three_visits, put_together=True), bounded=("false alarm",)
    ),
    "follow-ups, mean and slope, nothing, 500 draws": Case(
        partial(three_visits, n_draws=500, put_together=True), exact=("false alarm",)
    ),
    "follow-ups, mean and slope, an effect that stays": Case(
        partial(three_visits, effects=(1.0, 1.0), put_together=True), bounded=("false alarm",)
    ),
    "cross-over, nothing works": Case(crossover, exact=(*PARALLEL, "carry-over")),
    "cross-over, the periods differ": Case(partial(crossover, period=0.8), exact=(*PARALLEL, "carry-over")),
    "cross-over, periods and treatments differ": Case(
        partial(crossover, treatment=0.3, period=0.8), exact=("carry-over",)
    ),
    "cross-over, periods differ, carry-over": Case(
        partial(crossover, period=0.8, carry_over=0.5), exact=("first-period",)
    ),
    "cross-over with baselines, nothing works": Case(
        partial(crossover, baseline_carry_over=0.0), exact=(*PARALLEL, "carry-over", *OF_BASELINES)
    ),
    "cross-over with baselines, treatments differ": Case(partial(crossover, treatment=0.3, baseline_carry_over=0.0)),
    "cross-over with baselines, carried over to them": Case(
        partial(crossover, baseline_carry_over=0.5), exact=("crossover",)
    ),
    "cross-over with baselines, carried over to all": Case(partial(crossover, carry_over=0.5, baseline_carry_over=0.5)),
    "groups, only their ages differ": Case(groups, exact=("adjusted for age",)),
    "groups, they differ too": Case(partial(groups, effect=1.2)),
}


def counts(case, trials, jobs=1):
    """Return in how many trials each thing that is looked for is found.

    Parameters
    ----------
    case : Case
    trials : range
        Seeds.
    jobs : int, optional
        Processes.
    """
    total = Counter()
    for found in of_each(case.trial, trials, jobs):
        total.update(found)
    return total


def judged(case, name, count, n_trials, level=0.95):
    """Say whether a count may be that of an exact test, or of one that is no worse; nothing where it need not.

    Examples
    --------
    >>> case = Case(print, exact=("a",), bounded=("b",))
    >>> [judged(case, *one, 100) for one in (("a", 5), ("a", 0), ("b", 0), ("b", 20), ("power", 20))]
    ['as it should', 'below', 'as it should', 'above', '']
    """
    if name not in (*case.exact, *case.bounded):
        return ""
    low, high = stats.binom.interval(level, n_trials, ALPHA)
    return "above" if count > high else "below" if count < low and name in case.exact else "as it should"


def main():
    """Print a table of the rates with their intervals."""
    options = asked(__doc__, case={"default": "", "help": "only the cases that have these words"})
    n = options.trials
    print(f"{n} trials of a case, {MASK.sum()} voxels, {N_DRAWS} draws, level {ALPHA}: {exact(n)}")
    for title, case in CASES.items():
        if options.case in title:
            for name, count in counts(case, range(n), options.jobs).items():
                interval = stats.binomtest(count, n).proportion_ci()
                rate = f"{count / n:.3f} ({interval.low:.3f} to {interval.high:.3f})"
                print(f"{title:<46}{name:<46}{rate} {judged(case, name, count, n)}", flush=True)


if __name__ == "__main__":
    main()
