"""How often the mixed model of a clinical outcome finds a difference where there is none, at a nominal 5 %.

python -m benchmarks.clinical_errors [--trials 1000]
"""

import argparse

import numpy as np

from bids_app.stats.ancova import linear_estimate
from bids_app.stats.scores.two_visits import mixed_estimate
from bids_app.stats.twovisits import TwoVisits

N_ACTIVE, N_REFERENCE, N_LOST = 22, 21, 5
CONDITIONS = {
    "two visits": {},
    "strata: median split of the baseline": {"split": True},
    "covariates that explain 84 % of the baseline": {"explained": 0.84},
    "three visits, AR(1) of 0.8, first and last used": {"n_visits": 3, "ar": 0.8},
    "five visits, AR(1) of 0.8, first and last used": {"n_visits": 5, "ar": 0.8},
    "three visits, compound symmetry": {"n_visits": 3},
    "follow-up twice as variable": {"growth": 2.0},
}


def trial(generator, *, split=False, explained=0.0, n_visits=2, ar=None, growth=1.0):
    """Simulate one trial without any effect of treatment; five participants, at random, have no follow-up."""
    n = N_ACTIVE + N_REFERENCE
    arm = generator.permutation(np.repeat([1, 0], [N_ACTIVE, N_REFERENCE]))
    distance = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    correlation = np.where(distance == 0, 1.0, 0.5) if ar is None else ar**distance
    values = generator.standard_normal((n, n_visits)) @ np.linalg.cholesky(correlation).T
    covariates = None
    if explained:
        covariates = generator.standard_normal((n, 1))
        values[:, 0] = np.sqrt(explained) * covariates[:, 0] + np.sqrt(1 - explained) * values[:, 0]
    followup = values[:, -1] * growth
    followup[generator.choice(n, N_LOST, replace=False)] = np.nan
    strata = np.where(values[:, 0] > np.median(values[:, 0]), "high", "low") if split else None
    return TwoVisits(arm, values[:, 0], followup, covariates, strata)


def error_rate(condition, n_trials, estimate=mixed_estimate, seed=0):
    """Return the share of null trials with p <= .05."""
    generator = np.random.default_rng(seed)
    found = [estimate(trial(generator, **condition), n_draws=0).p for _ in range(n_trials)]
    return float(np.mean(np.array(found) <= 0.05))


def main():
    """Print a line per condition, with ANCOVA beside the mixed model on the same trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    n_trials = parser.parse_args().trials
    print(
        f"{n_trials} null trials of {N_ACTIVE} + {N_REFERENCE}, {N_LOST} lost; Monte Carlo standard error at .05: "
        f"{np.sqrt(0.05 * 0.95 / n_trials):.3f}"
    )
    print(f"{'':<50}{'mixed':>8}{'ANCOVA':>8}")
    for name, condition in CONDITIONS.items():
        mixed, linear = (error_rate(condition, n_trials, one) for one in (mixed_estimate, linear_estimate))
        print(f"{name:<50}{mixed:>8.3f}{linear:>8.3f}", flush=True)


if __name__ == "__main__":
    main()
