"""Who takes part in a simulated trial, what lasts between their visits, and their scores."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from bids_app.simulate.brain import n_seeds

ARMS = ("ketamine", "midazolam")
SESSIONS = {"ses-baseline": timedelta(0), "ses-day3": timedelta(days=3)}
ONE_RESTLESS_IN = 14
LASTING_SPREAD = 0.8
RESPONSE_SPREAD = 0.3


@dataclass(frozen=True)
class Visit:
    """One scan with the scores of its day.

    Attributes
    ----------
    session_id : str
    acq_time : str
    scores : dict of str to int
        ``hamd17`` and ``cssrs``.
    response : float
        Share of the planted change that is present.
    random_seed : numpy.random.SeedSequence
    """

    session_id: str
    acq_time: str
    scores: dict[str, int]
    response: float
    random_seed: np.random.SeedSequence


@dataclass(frozen=True)
class Participant:
    """One participant; ``seed_gains``, (S,), is how strongly each network seed speaks at every visit."""

    label: str
    arm: str
    age: int
    sex: str
    restless: bool
    seed_gains: np.ndarray
    visits: tuple[Visit, ...]


def recruit(n_per_arm: int, *, effect: float, seed: int) -> list[Participant]:
    """Randomize participants, the last of whom misses the follow-up.

    Parameters
    ----------
    n_per_arm : int
        Participants with both visits in each arm.
    effect : float
        Mean size of the difference between the arms.
    seed : int

    Returns
    -------
    list of Participant
        ``2 * n_per_arm + 1``.
    """
    trial_seed, *own_seeds = np.random.SeedSequence(seed).spawn(2 * n_per_arm + 2)
    rng = np.random.default_rng(trial_seed)
    arms = [*rng.permutation(ARMS * n_per_arm), rng.choice(ARMS)]
    order = rng.permutation(len(arms))
    restless = order < max(1, len(arms) // ONE_RESTLESS_IN)
    return [
        _participant(
            f"sub-{index + 1:02d}",
            str(arms[index]),
            restless=bool(restless[index]),
            effect=effect,
            seed=own_seeds[index],
            n_visits=1 if index == len(arms) - 1 else len(SESSIONS),
        )
        for index in range(len(arms))
    ]


def _participant(
    label: str, arm: str, *, restless: bool, effect: float, seed: np.random.SeedSequence, n_visits: int
) -> Participant:
    own_seed, *visit_seeds = seed.spawn(1 + len(SESSIONS))
    rng = np.random.default_rng(own_seed)
    seed_gains = np.exp(rng.normal(0, LASTING_SPREAD, n_seeds()))
    eagerness = max(0.0, rng.normal(1, RESPONSE_SPREAD))
    response = effect * eagerness if arm == "ketamine" else 0.0
    age, sex = int(rng.integers(22, 61)), str(rng.choice(["F", "M"]))
    scores = _scores(response, rng)
    first = datetime(2024, 1, 8, 9) + timedelta(days=int(rng.integers(300)), minutes=int(rng.integers(420)))
    visits = tuple(
        Visit(session, (first + later).isoformat(), scores[index], response * (index > 0), visit_seeds[index])
        for index, (session, later) in enumerate(SESSIONS.items())
    )
    return Participant(label, arm, age, sex, restless, seed_gains, visits[:n_visits])


def _scores(response: float, rng: np.random.Generator) -> list[dict[str, int]]:
    """Both arms improve; who responds more in the brain improves more."""
    hamd = np.clip(rng.normal(24, 3), 18, 35)
    ideation = np.clip(rng.normal(3.5, 0.9), 1, 5)
    later_hamd = hamd - rng.normal(6 + 5 * response, 4.5)
    later_ideation = ideation - rng.normal(0.6 + 1.2 * response, 0.9)
    return [
        {"hamd17": int(np.clip(round(total), 0, 52)), "cssrs": int(np.clip(round(worst), 0, 5))}
        for total, worst in ((hamd, ideation), (later_hamd, later_ideation))
    ]
