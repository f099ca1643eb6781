"""Family-wise error of every estimator and scheme in simulated null trials, and power in trials with an effect.

python -m benchmarks.error_rates [--trials 1000] [--jobs 1] [--headline]
"""

import argparse
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats
from scipy.ndimage import gaussian_filter

from bids_app.stats import (
    Inference,
    across,
    allocations,
    compare,
    exchange_blocks,
    hypothesis,
    neighbours,
    nuisance,
    residual_permutations,
    sign_flips,
    tabled_allocations,
    two_visits,
)

ALPHA, N_DRAWS = 0.05, 100
MASK = np.ones((5, 5, 4), dtype=bool)
TOUCHING = neighbours(MASK)
PLANTED = np.zeros(MASK.shape, dtype=bool)
PLANTED[:3, :3, :2] = True
N = 26


@dataclass(frozen=True)
class Condition:
    """What a trial has: strata of its randomization, covariates that matter, participants and voxels missing."""

    strata: bool = False
    covariates: bool = False
    missing: bool = False

    def __str__(self):
        return " + ".join(name for name, there in vars(self).items() if there) or "none"


@dataclass(frozen=True)
class Row:
    """A way to test a trial."""

    estimator: str
    scheme: str
    statistic: str = "tfce"
    robust: bool = False

    def __str__(self):
        t = "HC3" if self.robust else "t"
        return f"{self.estimator:<13}{self.scheme:<17}{self.statistic:<7}{t:<4}"


@dataclass(frozen=True)
class Trial:
    """One simulated trial."""

    arm: np.ndarray
    strata: np.ndarray | None
    design: np.ndarray
    covariate: np.ndarray
    baseline: np.ndarray
    followup: np.ndarray
    table: np.ndarray
    seed: int


CONDITIONS = (
    Condition(),
    Condition(strata=True),
    Condition(covariates=True),
    Condition(missing=True),
    Condition(strata=True, covariates=True, missing=True),
)
ROWS = (
    *(Row(name, scheme) for name in ("ancova", "change", "post") for scheme in ("re-randomization", "Freedman-Lane")),
    *(Row("ancova", "re-randomization", statistic) for statistic in ("voxel", "extent", "mass")),
    Row("ancova", "re-randomization", robust=True),
    Row("ancova", "Freedman-Lane", robust=True),
    Row("ancova", "table"),
    Row("within", "sign flips"),
    Row("within", "sign flips", robust=True),
    *(Row(name, "Freedman-Lane", "tfce", robust) for name in ("slope", "slope-by-arm") for robust in (False, True)),
)


def simulate(condition, seed, effect=0.0):
    """Simulate a trial: heavy-tailed smooth maps, test-retest r = 0.5, the effect planted in one corner."""
    generator = np.random.default_rng(seed)
    strata = np.repeat([0, 1, 2], [6, 8, 12]) if condition.strata else None
    arm, table = _allocate(condition, generator)
    covariate = generator.standard_normal(N)
    noise = generator.standard_t(6, (3, N, *MASK.shape))
    common, before, after = gaussian_filter(noise, (0, 0, 0.7, 0.7, 0.7))[..., MASK]
    deviation = np.sqrt(common.var() + before.var())
    shared = 0.0 if strata is None else deviation * strata[:, None]
    matters = 0.5 * deviation * covariate[:, None] if condition.covariates else 0.0
    baseline, followup = common + before + shared + matters, common + after + shared + matters
    followup = followup + effect * deviation * np.outer(arm, PLANTED[MASK])
    if condition.missing:
        followup[generator.choice(N, 3, replace=False)] = np.nan
        baseline[np.ix_(generator.choice(N, 4, replace=False), generator.choice(MASK.sum(), 20, replace=False))] = (
            np.nan
        )
    design = nuisance(N, covariate[:, None] if condition.covariates else None, strata)
    slope = generator.standard_normal(N)
    return Trial(arm, strata, design, slope, baseline, followup, table, seed)


def _allocate(condition, generator):
    """Draw the allocation, and a table of others that the same procedure yields: a biased coin without strata."""
    if condition.strata:
        blocks = [generator.permutation(np.arange(size) % 2) for size in (6, 8, 12)]
        return np.concatenate(blocks), None
    arms = np.zeros((N_DRAWS, N), dtype=np.int8)
    for participant in range(N):
        ahead = 2 * arms[:, :participant].sum(axis=1) - participant
        arms[:, participant] = generator.random(N_DRAWS) < 0.5 - np.sign(ahead) / 6
    return arms[0], arms[1:]


def draws_of(trial, scheme, estimated=""):
    """Draw what a scheme compares the trial with, from another stream than the trial itself."""
    seed = 1_000_000 + trial.seed
    if scheme == "re-randomization":
        return allocations(trial.arm, trial.strata, N_DRAWS, seed)
    if scheme == "table":
        return tabled_allocations(trial.arm, trial.table, n_draws=N_DRAWS)
    if scheme == "Freedman-Lane" and estimated.startswith("slope"):
        return residual_permutations(N, exchange_blocks(trial.arm, trial.strata), N_DRAWS, seed)
    if scheme == "Freedman-Lane":
        return residual_permutations(N, trial.strata, N_DRAWS, seed)
    return sign_flips(N, N_DRAWS, seed)


def examine(row, trial):
    """Test one trial one way; a `Comparison`."""
    covariate = trial.covariate if "slope" in row.estimator else None
    stated = hypothesis(
        two_visits(row.estimator),
        {"baseline": trial.baseline, "followup": trial.followup},
        trial.design,
        arm=trial.arm,
        covariate=covariate,
    )
    inference = Inference(row.statistic, TOUCHING, threshold=2.3, robust=row.robust)
    return compare(stated, draws_of(trial, row.scheme, row.estimator), inference)


def false_alarms(rows, seeds, condition):
    """Count the null trials in which a way to test them finds anything."""
    counts = Counter()
    for seed in seeds:
        trial = simulate(condition, seed)
        for row in rows:
            if row.scheme != "table" or trial.table is not None:
                counts[row] += bool(np.nanmin(examine(row, trial).p_fwe) <= ALPHA)
    return counts


def power(rows, seeds, condition, effect=1.2):
    """Return the share of the planted, and of the other voxels, that are found with the right sign, (2,) by row."""
    found = {row: np.zeros(2) for row in rows}
    planted = PLANTED[MASK]
    for seed in seeds:
        trial = simulate(condition, seed, effect)
        for row in rows:
            comparison = examine(row, trial)
            positive = (comparison.p_fwe <= ALPHA) & (comparison.statistic > 0)
            found[row] += positive[planted].mean(), positive[~planted].mean()
    return {row: shares / len(seeds) for row, shares in found.items()}


def spread(function, n_trials, n_jobs, condition):
    """Run a function of seeds in processes; return their results."""
    chunks = [range(start, min(start + 50, n_trials)) for start in range(0, n_trials, 50)]
    call = partial(function, condition=condition)
    if n_jobs == 1:
        return list(map(call, chunks))
    with ProcessPoolExecutor(n_jobs) as pool:
        return list(pool.map(call, chunks))


def print_errors(n_trials, n_jobs):
    low, high = stats.binom.interval(0.95, n_trials, ALPHA)
    print(f"{n_trials} null trials, {N} participants, {MASK.sum()} voxels, {N_DRAWS} draws, alpha {ALPHA}")
    print(f"inside: {low / n_trials:.3f} to {high / n_trials:.3f}; each line: rate (95 % interval)")
    print("extents are counts, which tie: their test is conservative on small maps")
    tested = outside = 0
    for condition in CONDITIONS:
        print(f"\nwith: {condition}")
        counts = sum(spread(partial(false_alarms, ROWS), n_trials, n_jobs, condition), Counter())
        for row in ROWS:
            if row.scheme == "table" and condition.strata:
                continue
            interval = stats.binomtest(counts[row], n_trials).proportion_ci()
            inside = low <= counts[row] <= high
            tested, outside = tested + 1, outside + (not inside)
            rate = f"{counts[row] / n_trials:.3f} ({interval.low:.3f} to {interval.high:.3f})"
            print(f"{row} {rate} {'' if inside else 'below' if counts[row] < low else 'above'}", flush=True)
    print(f"\n{outside} of {tested} outside; {0.05 * tested:.1f} are to be expected")


def print_power(n_trials, n_jobs):
    rows = [Row(name, "re-randomization") for name in ("ancova", "change", "post")]
    print("\npower at d = 1.2, share of the planted and of the other voxels found")
    for condition in CONDITIONS:
        parts = spread(partial(power, rows), n_trials, n_jobs, condition)
        for row in rows:
            inside, beside = np.mean([part[row] for part in parts], axis=0)
            print(f"{condition!s:<30}{row} {inside:.3f} {beside:.3f}", flush=True)


# The headline of a page with several measures: how often it says that the arms differ where they do not.
SEVERAL = np.ones((6, 7, 7), dtype=bool)
RULES = ("any measure by its own p", "any measure by p over all measures", "the primary measure by its own p")
N_MEASURES, N_HEADLINE, DRAWS_HEADLINE = 4, (22, 21), 200


def simulate_measures(seed, correlation=0.5):
    """Simulate smooth maps of measures that correlate, without an effect; arm, baseline and follow-up (m, n, V)."""
    generator = np.random.default_rng(seed)
    n = sum(N_HEADLINE)
    noise = generator.standard_t(6, (2, 1 + N_MEASURES, n, *SEVERAL.shape))
    maps = gaussian_filter(noise, (0, 0, 0, 1, 1, 1))[..., SEVERAL]
    maps = np.sqrt(correlation) * maps[:, :1] + np.sqrt(1 - correlation) * maps[:, 1:]
    baseline, followup = maps[0], 0.5 * maps[0] + maps[1]
    return generator.permutation(np.repeat([1, 0], N_HEADLINE)), baseline, followup


def headline_alarms(seeds, condition=None):
    """Count the null trials in which each rule for a headline finds anything."""
    counts, inference = Counter(), Inference("tfce", neighbours(SEVERAL))
    for seed in seeds:
        arm, baseline, followup = simulate_measures(seed)
        draws = allocations(arm, None, DRAWS_HEADLINE, 1_000_000 + seed)
        tested = [
            compare(
                hypothesis(two_visits("ancova"), {"baseline": before, "followup": after}, nuisance(len(arm)), arm=arm),
                draws,
                inference,
            )
            for before, after in zip(baseline, followup, strict=True)
        ]
        own = [one.p_fwe.min() <= ALPHA for one in tested]
        alarms = (any(own), min(p.min() for p in across(tested)) <= ALPHA, own[0])
        counts.update(rule for rule, alarm in zip(RULES, alarms, strict=True) if alarm)
    return counts


def print_headlines(n_trials, n_jobs):
    print(f"{n_trials} null trials, {N_HEADLINE} participants, {N_MEASURES} measures of {SEVERAL.sum()} voxels")
    counts = sum(spread(headline_alarms, n_trials, n_jobs, None), Counter())
    for rule in RULES:
        interval = stats.binomtest(int(counts[rule]), n_trials).proportion_ci()
        print(f"{rule:<40}{counts[rule] / n_trials:.3f} ({interval.low:.3f} to {interval.high:.3f})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--power-trials", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--headline", action="store_true", help="the rules for a headline alone")
    options = parser.parse_args()
    if options.headline:
        print_headlines(options.trials, options.jobs)
        return
    print_errors(options.trials, options.jobs)
    print_power(options.power_trials, options.jobs)


if __name__ == "__main__":
    main()
