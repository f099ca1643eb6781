"""How often the mixed model for repeated measures finds a difference where there is none, at a nominal 5 %.

python -m benchmarks.repeated_scores [--trials 1000] [--only "one mean"]
"""

import argparse
import time

import numpy as np

from bids_app.stats.scores import KENWARD_ROGER, SATTERTHWAITE, Randomized, fit_constrained, fit_mmrm

ALPHA, DROPOUT = 0.05, 0.2
CONDITIONS = {
    "20 + 20": {},
    "10 + 10": {"sizes": (10, 10)},
    "30 + 10": {"sizes": (30, 10)},
    "15 + 15 + 15": {"sizes": (15, 15, 15)},
    "20 + 20, five follow-ups": {"n_visits": 5},
    "12 + 12, five follow-ups": {"sizes": (12, 12), "n_visits": 5},
    "20 + 20, one mean at baseline": {"constrained": True},
    "10 + 10, one mean at baseline": {"sizes": (10, 10), "constrained": True},
    "15 + 15 + 15, one mean at baseline": {"sizes": (15, 15, 15), "constrained": True},
    "20 + 20, AR(1) fitted, nearly right": {"structures": ["AR(1)"], "growth": 0.0},
    "20 + 20, heterogeneous Toeplitz fitted": {"structures": ["heterogeneous Toeplitz"]},
    "20 + 20, compound symmetry fitted, wrong": {"structures": ["compound symmetry"]},
}
TESTS = ("last follow-up", "average", "all follow-ups jointly")
RERANDOMIZED, N_DRAWS = "re-randomized", 200


def null_trial(generator, sizes=(20, 20), n_visits=3, growth=0.3):
    """Simulate scores, arm and baseline without an effect; a fifth drop out, likelier after a high score.

    The errors, the baseline's with them, are AR(1) of 0.6, and their standard deviation grows at each follow-up.
    """
    n = sum(sizes)
    arm = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    visits = np.arange(n_visits + 1)
    correlation = 0.6 ** np.abs(visits[:, None] - visits)
    values = generator.standard_normal((n, n_visits + 1)) @ np.linalg.cholesky(correlation).T
    scores = values[:, 1:] * (1 + growth * np.arange(n_visits))
    since = generator.integers(1, n_visits, n)
    keys = values[np.arange(n), since] + generator.gumbel(size=n)  # the last score that would be seen
    for participant in np.argsort(keys)[-round(DROPOUT * n) :]:
        scores[participant, since[participant] :] = np.nan
    return scores, arm, values[:, 0]


def p_values(trial, method, structures=None, constrained=False):
    """Return p of the second arm at the last follow-up, of its average, and of all arms and follow-ups jointly."""
    if method == RERANDOMIZED:
        return p_rerandomized(*trial, structures)
    fit = (fit_constrained if constrained else fit_mmrm)(*trial, structures=structures)
    n_visits = fit.shape[1]
    last = fit.contrast(fit.weights(1, [n_visits - 1]), method=method).p
    average = fit.contrast(fit.weights(1, range(n_visits)), method=method).p
    return last, average, fit.joint(fit.every_difference(), method=method).p


def p_rerandomized(scores, arm, baseline, structures):
    """Return the same p by re-randomization."""
    n, n_visits = scores.shape
    data = Randomized(scores, arm, baseline, np.empty((n, 0)), structures=structures, n_draws=N_DRAWS)
    weights = np.vstack([np.eye(n_visits)[-1], np.full(n_visits, 1 / n_visits)])
    return *data.p_of_differences(1, weights), data.p_of_any()


def error_rates(n_trials, method=KENWARD_ROGER, *, seed=0, structures=None, constrained=False, **condition):
    """Return the share of null trials with p <= .05, by test as `TESTS`, (3,)."""
    generator = np.random.default_rng(seed)
    trials = (null_trial(generator, **condition) for _ in range(n_trials))
    found = [p_values(trial, method, structures, constrained) for trial in trials]
    return np.mean(np.array(found) <= ALPHA, axis=0)


def main():
    """Print a line per condition and method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--only", default="", help="conditions whose name has these words")
    asked = parser.parse_args()
    n_trials = asked.trials
    error = np.sqrt(ALPHA * (1 - ALPHA) / n_trials)
    print(f"{n_trials} null trials, {DROPOUT:.0%} drop out; Monte Carlo standard error at .05: {error:.3f}")
    print(f"{'':<55}" + "".join(f"{name:>24}" for name in TESTS) + f"{'ms per trial':>14}")
    for name, condition in ((name, one) for name, one in CONDITIONS.items() if asked.only in name):
        rerandomized = (RERANDOMIZED,) * condition.get("constrained", False)
        for method in (KENWARD_ROGER, SATTERTHWAITE, *rerandomized):
            began = time.perf_counter()
            rates = error_rates(n_trials, method, **condition)
            spent = 1000 * (time.perf_counter() - began) / n_trials
            print(
                f"{name:<41}{method:<14}" + "".join(f"{rate:>24.3f}" for rate in rates) + f"{spent:>14.1f}", flush=True
            )


if __name__ == "__main__":
    main()
