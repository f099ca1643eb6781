"""Trials of each size that is tried, until their share is known well enough."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from bids_app.stats.permutation import one_thread
from bids_app.stats.planning.curve import wilson
from bids_app.stats.planning.noise import Noise
from bids_app.stats.planning.planned import Outcome, PlannedTrial, Question, Region, simulate_once

LOOK_EVERY = 50


@dataclass(frozen=True)
class Tried:
    """What the trials of one size found.

    Attributes
    ----------
    n : int
        Participants randomized.
    size : float
        What the effect was multiplied by; 0 for trials without one.
    trials, hits : int
        How many there were, and in how many any comparison with an effect found it; without an effect, any anything.
    of_each : dict of int
        The hits of each comparison.
    share : float
        Mean share of the region found, over trials that found it.
    analysed : float
        Mean count of participants analysed.
    """

    n: int
    size: float
    trials: int
    hits: int
    of_each: dict[Question, int]
    share: float
    analysed: float

    @property
    def rate(self) -> float:
        """Share of trials that found something."""
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Its interval of 95 %, after Wilson."""
        return wilson(self.hits, self.trials)


def try_size(  # noqa: PLR0913 - called by keyword
    trial: PlannedTrial,
    noise: Noise,
    n: int,
    *,
    region: Region | None,
    size: float = 1.0,
    n_trials: int = 200,
    precision: float = 0.0,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Tried:
    """Simulate trials of one size.

    Parameters
    ----------
    trial : PlannedTrial
    noise : Noise
    n : int
    region : Region or None
        None for trials without an effect.
    size : float, optional
    n_trials : int, optional
    precision : float, optional
        No more are simulated once the interval is no wider than so much on either side; looked at every 50 trials.
    seed : int, optional
    n_jobs : int, optional
        Threads; the result does not depend on it.
    progress : callable, optional
        Called with the count of trials done.

    Returns
    -------
    Tried
    """
    outcomes: list[Outcome] = []
    one = partial(simulate_once, trial, noise, n, region, size)
    with one_thread(), ThreadPoolExecutor(n_jobs) as pool:
        for seeds in _blocks(n_trials, seed, n, size if region is not None else 0):
            for outcome in pool.map(one, seeds):
                outcomes.append(outcome)
                if progress:
                    progress(len(outcomes))
            low, high = wilson(sum(each.any for each in outcomes), len(outcomes))
            if (high - low) / 2 <= precision:
                break
    hits = [each for each in outcomes if each.any]
    of_each = Counter(question for each in outcomes for question, found in each.found.items() if found)
    return Tried(
        n=n,
        size=0.0 if region is None else size,
        trials=len(outcomes),
        hits=len(hits),
        of_each={question: of_each[question] for question in outcomes[0].found},
        share=float(np.mean([each.share for each in hits])) if hits else 0.0,
        analysed=float(np.mean([each.n_analysed for each in outcomes])),
    )


def _blocks(n_trials: int, *seed: float) -> Iterator[Sequence[int]]:
    """Yield the seeds of so many trials at a time."""
    entropy = [round(abs(one) * 1000) for one in seed]
    seeds = np.random.SeedSequence(entropy).generate_state(n_trials)
    for start in range(0, n_trials, LOOK_EVERY):
        yield [int(one) for one in seeds[start : start + LOOK_EVERY]]
