"""Null trials that test claims of the page: losses that differ by arm, regions chosen by the effect, enumerated tails.

python -m benchmarks.missing_followups [--trials 1000]
"""

import argparse

import numpy as np
from scipy.ndimage import gaussian_filter

from bids_app.stats import Inference, allocations, compare, hypothesis, neighbours, nuisance, two_visits
from bids_app.stats.ancova import linear_estimate
from bids_app.stats.attrition import attrition
from bids_app.stats.missing import extreme_cases
from bids_app.stats.permutation import compare_arms
from bids_app.stats.robustness import median_p
from bids_app.stats.tail import familywise_tail
from bids_app.stats.twovisits import TwoVisits

ALPHA, N_DRAWS = 0.05, 200
MASK = np.ones((5, 5, 4), dtype=bool)
TOUCHING = neighbours(MASK)
ARM = np.repeat([1, 0], [35, 14])
N_LOST = 12  # of the first arm; of the other nobody


def maps(generator, n):
    """Baseline and follow-up (n, V), smooth, test-retest r = 0.5, without an effect."""
    noise = gaussian_filter(generator.standard_normal((3, n, *MASK.shape)), (0, 0, 0.7, 0.7, 0.7))[..., MASK]
    noise = noise / noise.std()
    return noise[0] + noise[1], noise[0] + noise[2]


def lost(generator, driver):
    """Lose twelve of the first arm, likelier the larger the driver is."""
    members = np.flatnonzero(ARM == 1)
    keys = 2 * driver[members] / driver.std() + generator.gumbel(size=len(members))
    gone = np.zeros(len(ARM), dtype=bool)
    gone[members[np.argsort(keys)[-N_LOST:]]] = True
    return gone


def losses(seed, mechanism):
    """Return whether the map, its mean, are significant; whether a warning is given; whether the bounds hold 0."""
    generator = np.random.default_rng(seed)
    baseline, followup = maps(generator, len(ARM))
    driver = {"MAR": baseline, "MNAR": followup}[mechanism].mean(axis=1)
    gone = lost(generator, driver)
    draws = allocations(ARM[~gone], None, N_DRAWS, seed)
    design = nuisance(int((~gone).sum()))
    tested = hypothesis(
        two_visits("ancova"), {"baseline": baseline[~gone], "followup": followup[~gone]}, design, arm=ARM[~gone]
    )
    of_map = compare(tested, draws, Inference("tfce", TOUCHING)).p_fwe.min() <= ALPHA
    means = [values.mean(axis=1) for values in (baseline, followup)]
    whole = linear_estimate(TwoVisits(ARM, *means), n_draws=0).estimate
    data = TwoVisits(ARM, means[0], np.where(gone, np.nan, means[1]))
    of_mean = linear_estimate(data, n_draws=N_DRAWS, seed=seed).p_rerandomized <= ALPHA
    cases = extreme_cases(data)
    low, high = sorted(case.estimate for case in cases)
    conclusive = min(case.ci_low for case in cases) > 0 or max(case.ci_high for case in cases) < 0
    return of_map, of_mean, attrition(ARM, ~gone).differs, low <= whole <= high, not conclusive


def chosen(seed):
    """Return p of the median t in the first region that a null map has, or NaN."""
    generator = np.random.default_rng(seed)
    arm = np.arange(26) % 2
    baseline, followup = maps(generator, 26)
    tested = hypothesis(two_visits("ancova"), {"baseline": baseline, "followup": followup}, nuisance(26), arm=arm)
    p = compare(tested, allocations(arm, None, N_DRAWS, seed), Inference("tfce", TOUCHING)).p_fwe
    if p.min() > ALPHA:
        return np.nan
    region = p <= ALPHA
    values = []
    for noise in (0.0, 0.3, 0.6):  # other thresholds, smoothing ...: the same maps with some noise of their own
        both = [visit + noise * generator.standard_normal(visit.shape) for visit in (baseline, followup)]
        values.append(TwoVisits(arm, *(visit[:, region].mean(axis=1) for visit in both)))
    return median_p(values, n_draws=N_DRAWS, seed=seed)


def enumerated(seed):
    """Return the smallest p of 5 against 5 with the tail that was fitted to all 252 allocations, and with none."""
    arm, followup = np.arange(10) % 2, np.random.default_rng(seed).standard_normal((10, 20))
    found = compare_arms(followup, None, nuisance(10), allocations(arm), tail=True)
    return familywise_tail(found.max_statistics, found.statistic).min(), found.p_fwe.min()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    seeds = range(parser.parse_args().trials)
    for mechanism in ("MAR", "MNAR"):
        rates = np.mean([losses(seed, mechanism) for seed in seeds], axis=0)
        print(f"{mechanism}, 12 of 35 and 0 of 14 lost, {len(seeds)} null trials: map p <= .05 {rates[0]:.3f}, mean of")
        print(f"  the map {rates[1]:.3f}; warned {rates[2]:.3f}; bounds hold the estimate of everyone {rates[3]:.3f},")
        print(f"  intervals at both bounds exclude 0 on one side {1 - rates[4]:.3f}", flush=True)
    p = np.array([chosen(seed) for seed in seeds])
    there = np.isfinite(p)
    print(
        f"regions chosen by the effect: {there.sum()} null trials of {len(p)} have one, in {(p[there] <= ALPHA).sum()}"
    )
    print("  p of the median t would be <= .05; no p is given", flush=True)
    smallest = np.array([enumerated(seed) for seed in seeds])
    rates = (smallest <= 0.005).mean(axis=0)
    print(f"all 252 allocations, p <= .005: {rates[0]:.3f} with a fitted tail, {rates[1]:.3f} as it is done;")
    print(f"  smallest p {smallest[:, 0].min():.4f} and {smallest[:, 1].min():.4f}")


if __name__ == "__main__":
    main()
