"""What the benchmarks of error rates share: their options, their processes, and what an exact test may show."""

import argparse
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from scipy import stats

ALPHA = 0.05


def asked(text, **more):
    """Return the options of a benchmark: how many trials, in how many processes, and what it has besides.

    Parameters
    ----------
    text : str
        What ``--help`` says.
    **more : dict
        By option, what `argparse` takes of it.

    Examples
    --------
    >>> import sys
    >>> sys.argv[1:] = ["--trials", "20", "--time"]
    >>> vars(asked("A benchmark.", time={"action": "store_true"}))
    {'trials': 20, 'jobs': 1, 'time': True}
    """
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    for name, how in more.items():
        parser.add_argument(f"--{name}", **how)
    return parser.parse_args()


def of_each(trial, seeds, jobs=1):
    """Return what a function makes of each seed, in order, in some processes.

    Examples
    --------
    >>> of_each(abs, range(-2, 2))
    [2, 1, 0, 1]
    """
    if jobs == 1:
        return list(map(trial, seeds))
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(trial, seeds, chunksize=10))


def exact(n_trials):
    """Return between which rates an exact test lies in 95 of 100 benchmarks, for people.

    Examples
    --------
    >>> exact(1000)
    'exact in 0.037 to 0.064'
    """
    low, high = stats.binom.interval(0.95, n_trials, ALPHA) / np.array(n_trials)
    return f"exact in {low:.3f} to {high:.3f}"
