"""Who takes part in a simulated study, what lasts between their visits, and their scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from bids_app.simulate.brain import PLANTED, n_seeds
from bids_app.simulate.scenarios import ADULTS, Scenario, Shares

ONE_RESTLESS_IN = 14
LASTING_SPREAD = 0.8
RESPONSE_SPREAD = 0.3
# Mean, spread and range of the scores: with symptoms, and without.
PATIENTS = {"hamd17": (24, 3, 18, 35), "cssrs": (3.5, 0.9, 1, 5)}
HEALTHY = {"hamd17": (3, 2, 0, 7), "cssrs": (0.2, 0.4, 0, 1)}
# How much a score falls without a response, how much more with a whole one, and the spread of that.
FALLS = {"hamd17": (6, 5, 4.5), "cssrs": (0.6, 1.2, 0.9)}
HIGHEST = {"hamd17": 52, "cssrs": 5}


@dataclass(frozen=True)
class Visit:
    """One scan with the scores of its day.

    Attributes
    ----------
    session_id : str
    acq_time : str
    scores : dict of str to int
        ``hamd17`` and ``cssrs``.
    shares : dict of float
        Share of the planted change that is present, by region.
    random_seed : numpy.random.SeedSequence
    """

    session_id: str
    acq_time: str
    scores: dict[str, int]
    shares: Shares
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


def recruit(scenario: Scenario, *, effect: float = 1.0, seed: int) -> list[Participant]:
    """Put participants into arms by chance; the last ones drop out.

    Parameters
    ----------
    scenario : Scenario
    effect : float
        Mean size of the difference between the arms, where 1 is the scenario's own.
    seed : int

    Returns
    -------
    list of Participant
        ``scenario.n_people``.
    """
    trial_seed, *own_seeds = np.random.SeedSequence(seed).spawn(1 + scenario.n_people)
    rng = np.random.default_rng(trial_seed)
    arms = rng.permutation(list(scenario.arms) * scenario.n_per_arm).tolist()
    arms += [rng.choice(list(scenario.arms)) for _ in scenario.n_visits_of_lost]
    order = rng.permutation(len(arms))
    restless = order < max(1, len(arms) // ONE_RESTLESS_IN)
    n_visits = [len(scenario.sessions)] * (len(scenario.arms) * scenario.n_per_arm) + [*scenario.n_visits_of_lost]
    people = [
        _participant(scenario, str(arm), effect=effect, seed=own, restless=bool(moves))
        for arm, own, moves in zip(arms, own_seeds, restless, strict=True)
    ]
    return [
        replace(who, label=f"sub-{number:02d}", visits=who.visits[:count])
        for number, (who, count) in enumerate(zip(people, n_visits, strict=True), start=1)
    ]


def _participant(
    scenario: Scenario, arm: str, *, effect: float, seed: np.random.SeedSequence, restless: bool
) -> Participant:
    own_seed, *visit_seeds = seed.spawn(1 + len(scenario.sessions))
    rng = np.random.default_rng(own_seed)
    seed_gains = np.exp(rng.normal(0, LASTING_SPREAD, n_seeds()))
    eagerness = effect * max(0.0, rng.normal(1, RESPONSE_SPREAD))
    age, sex = int(rng.integers(*scenario.ages.get(arm, ADULTS))), str(rng.choice(["F", "M"]))
    responses = [eagerness * sum(scenario.effect(arm, one).values()) / len(PLANTED) for one in scenario.sessions]
    scores = _scores(scenario, arm, responses, rng)
    first = datetime(2024, 1, 8, 9) + timedelta(days=int(rng.integers(300)), minutes=int(rng.integers(420)))
    visits = tuple(
        Visit(
            session,
            (first + later).isoformat(),
            scores[index],
            scenario.shares(arm, session, age=age, eagerness=eagerness),
            visit_seeds[index],
        )
        for index, (session, later) in enumerate(scenario.sessions.items())
    )
    return Participant("", arm, age, sex, restless, seed_gains, visits)


def _scores(scenario: Scenario, arm: str, responses: Sequence[float], rng: np.random.Generator) -> list[dict[str, int]]:
    """Everyone who is treated improves; who responds more in the brain improves more."""
    typical = HEALTHY if arm in scenario.healthy else PATIENTS
    before = {name: np.clip(rng.normal(mean, spread), low, high) for name, (mean, spread, low, high) in typical.items()}
    visits = []
    for number, response in enumerate(responses):
        falls = FALLS if scenario.is_treated(number) else {}
        now = dict(before)
        for name, (fall, more, spread) in falls.items():
            now[name] -= rng.normal(fall + more * response, spread)
        visits.append({name: int(np.clip(round(now[name]), 0, HIGHEST[name])) for name in now})
    return visits
