"""From what was asked to the trial that is simulated, and what theory says of the mean over its region."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bids_app.bids.findings import Finding
from bids_app.bids.values import counted
from bids_app.errors import UsageError
from bids_app.group.drawing import OF_CONNECTIONS, STATISTICS
from bids_app.power.pilot_maps import PilotMaps
from bids_app.power.places import Place
from bids_app.settings.power_options import PowerOptions
from bids_app.settings.settings import Settings, Trial
from bids_app.stats import Inference
from bids_app.stats.planning import (
    Noise,
    Pilot,
    PlannedTrial,
    Question,
    Region,
    beside_itself,
    expected_power,
    mean_spread,
    noise_like,
)

OF_ONE, OF_SEVERAL = 200, 500  # draws: the smallest of several p ties often in few, which makes it conservative
SIGNS = {"sign-flips": "rerandomize"}  # what one group is tested by follows of it


def n_visits_of(options: PowerOptions) -> int:
    """Return how many visits a trial has."""
    if options.design == "crossover":
        return 2
    followups = options.n_followups
    return 1 + ((0 if options.design == "groups" else 1) if followups is None else followups)


def planned_trial(options: PowerOptions, trial: Trial, maps: PilotMaps) -> PlannedTrial:
    """Return the trial that is simulated.

    Raises
    ------
    UsageError
        The design has no place for what was asked.
    """
    n_visits = n_visits_of(options)
    estimator = trial.estimator
    if n_visits == 1 and options.design != "one-group":
        estimator = "post"
    if n_visits == 1 and options.design == "one-group":
        raise UsageError("--n-followups 0: one group at one visit is described, nothing is tested.")
    if estimator not in ("ancova", "change", "post", "crossover", "within"):
        raise UsageError(f"--estimator {estimator}: its power is not simulated; ancova, change and post are.")
    shares = _shares(options)
    several = len(maps.features) > 1 or len(shares) > 2 or n_visits > 2
    try:
        return PlannedTrial(
            estimator=estimator,
            n_visits=n_visits,
            shares=shares,
            effects=_effects(options, len(shares), n_visits),
            lost=options.lost,
            inference=_inference(trial, maps),
            alpha=trial.alpha,
            n_draws=options.draws or (OF_SEVERAL if several else OF_ONE),
            scheme=SIGNS.get(trial.scheme, trial.scheme),
            over_measures=len(maps.features) > 1,
            n_covariates=_n_covariates(options, trial),
            n_strata=2 ** len(trial.strata) if options.n_strata is None else options.n_strata,
            explained=options.explained,
        )
    except ValueError as error:
        raise UsageError(f"trialgraph power: {error}") from error


def _adjusted(options: PowerOptions, trial: Trial) -> list[str]:
    """Name what the group level will adjust for."""
    moved = trial.baseline_motion and options.design in ("parallel", "groups")
    return [*trial.covariates, *["motion at baseline"] * moved]


def _n_covariates(options: PowerOptions, trial: Trial) -> int:
    return len(_adjusted(options, trial)) if options.n_covariates is None else options.n_covariates


def _shares(options: PowerOptions) -> tuple[int, ...]:
    """Return the shares of the arms, the reference first."""
    if options.design == "one-group":
        return (1,)
    n_arms = 2 if options.design == "crossover" else options.n_arms or 2
    return (1,) * n_arms if options.ratio is None else options.ratio[::-1]


def _effects(options: PowerOptions, n_arms: int, n_visits: int) -> tuple[tuple[float, ...], ...]:
    """Return how often each arm has the effect at each visit."""
    if options.design == "crossover":
        return ((0.0, 1.0), (1.0, 0.0))
    effects = np.zeros((n_arms, n_visits))
    arms = list(options.effect_arms) or list(range(1, n_arms)) or [0]
    later = list(options.effect_followups) or list(range(1, n_visits)) or [0]
    effects[np.ix_(arms, later)] = 1
    return tuple(tuple(float(one) for one in row) for row in effects)


def _inference(trial: Trial, maps: PilotMaps) -> Inference:
    grid, pairs = maps.grid, maps.pairs
    of_nodes = "voxel" if pairs is None else OF_CONNECTIONS[trial.edge_statistic]
    return Inference(
        statistic=of_nodes if grid is None else STATISTICS[trial.statistic],
        pairs=pairs,
        neighbours=None if grid is None else grid.neighbours(trial.connectivity),
        threshold=trial.cluster_threshold,
        robust=trial.hc3,
    )


def assumed(options: PowerOptions, settings: Settings, maps: PilotMaps) -> tuple[Finding, ...]:
    """Say what is planned otherwise than it will be analysed."""
    trial = settings.trial
    said = []
    names = _adjusted(options, trial)
    n_columns = _n_covariates(options, trial)
    if n_columns:
        of_these = f" ({', '.join(names)})" if options.n_covariates is None else ""
        said.append(
            f"The analysis adjusts for {counted(n_columns, 'covariate')}{of_these}; --n-covariates says otherwise, as "
            "where a category has several columns."
        )
    if options.n_strata is None and trial.strata:
        n_strata = 2 ** len(trial.strata)
        said.append(f"{n_strata} strata are taken ({', '.join(trial.strata)}: two of each); --n-strata says otherwise.")
    if n_columns or trial.strata or (options.n_strata or 1) > 1:
        share = f"{100 * options.explained:g} % of the error variance, as is said by --explained"
        none = "nothing: --explained SHARE says how much, and fewer participants are then enough"
        said.append(f"Covariates and strata explain {share if options.explained else none}.")
    if trial.tail_approximation:
        said.append("p of the simulated trials is without a fitted tail.")
    if len(maps.features) > 1 and options.n_arms not in (None, 2):
        said.append("With several arms or follow-ups the measure that has the effect is tested by itself.")
    return tuple(Finding("Analysis", text) for text in said)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What is simulated.

    Attributes
    ----------
    trial : PlannedTrial
    noise : Noise
    region : Region
        Its effect is of one standard deviation.
    correlation : (T, T) ndarray
        Of the visits of the trial, of the measure with the effect, mean over nodes.
    mean : (T, T) ndarray
        Covariance of the visits of the mean over the region.
    mean_effect : float
        Of one standard deviation at each node, in that mean.
    """

    trial: PlannedTrial
    noise: Noise
    region: Region
    correlation: np.ndarray
    mean: np.ndarray
    mean_effect: float

    @property
    def of_mean(self) -> float:
        """What one standard deviation at each node is in standard deviations of the mean over the region."""
        return self.mean_effect / float(np.sqrt(self.mean[-1, -1]))

    def outcome(self, question: Question) -> tuple[np.ndarray, tuple[int, ...], np.ndarray]:
        """Return the weights of the visits, those adjusted for, and the weights of the arms."""
        estimand = self.trial.estimand(question)
        outcome = np.zeros(self.trial.n_visits)
        for visit, weight in estimand.outcome.items():
            outcome[int(visit)] = weight
        arms = np.array(estimand.tested[0] if estimand.tested else (1.0,))
        return outcome, tuple(map(int, estimand.adjusts)), arms

    def theory(self, n: int, size: float) -> float:
        """Return the power of the mean over the region, of its first comparison by itself, at the trial's alpha."""
        question = self.trial.asked[0]
        outcome, adjusts, arms = self.outcome(question)
        sizes = [max(round(one * (1 - self.trial.lost)), 1) for one in self.trial.sizes(n)]
        own = [size for size, weight in zip(sizes, arms, strict=True) if weight]
        trial = self.trial
        left, n_columns = (1 - trial.explained) * self.mean, trial.n_covariates + trial.n_strata - 1
        spread, df = mean_spread(left, outcome, adjusts, arms[arms != 0], own, n_columns)
        return expected_power(self.trial.effect_of(question) * size * self.mean_effect, spread, df, self.trial.alpha)

    @property
    def unit(self) -> float:
        """Standard deviation of the outcome in units of that of a visit: what g of the group's page is in."""
        outcome, *_ = self.outcome(self.trial.asked[0])
        return float(np.sqrt(outcome @ self.correlation @ outcome))


def plan_from(maps: PilotMaps, trial: PlannedTrial, place: Place, options: PowerOptions, seed: int) -> Planned:
    """Return what is simulated: the noise that the maps have, and the region with its effect."""
    pilot, n_visits = maps.pilot, trial.n_visits
    seen = len(maps.sessions) == n_visits and options.visit_correlation is None
    r = None if seen else options.visit_correlation
    if not seen and r is None:
        r = max(beside_itself(pilot.of_visits()), 0.0)
    of_visits: dict[str, Any] = {} if seen else {"n_visits": n_visits, "r": r}
    noise = noise_like(pilot, seed=seed, **of_visits)
    mean = pilot.mean_of(place.nodes)
    covariance = _covariance(mean, n_visits, r)
    with_effect = [visit for visit in range(n_visits) if any(row[visit] for row in trial.effects)]
    deviation = noise.deviation[with_effect, 0][:, place.nodes].mean(axis=0)
    return Planned(
        trial=trial,
        noise=noise,
        region=Region(place.nodes, deviation),
        correlation=pilot.of_visits() if r is None else (1 - r) * np.eye(n_visits) + r,
        mean=covariance,
        mean_effect=float(deviation.mean()),
    )


def _covariance(mean: Pilot, n_visits: int, r: float | None) -> np.ndarray:
    if r is not None:
        return float(mean.deviation[0, 0, 0]) ** 2 * ((1 - r) * np.eye(n_visits) + r)
    deviation = mean.deviation[:, 0, 0]
    return mean.of_visits() * np.outer(deviation, deviation)


def called(questions: Mapping[Question, Any] | tuple[Question, ...], trial: PlannedTrial) -> dict[Question, str]:
    """Return what comparisons are called."""
    several = {
        "arms": len(trial.shares) > 2,
        "visits": trial.n_visits > 2,
    }
    names = {}
    for arm, visit in questions:
        parts = [f"arm {arm} against the reference"] if several["arms"] else []
        parts += [f"follow-up {visit}"] if several["visits"] and trial.estimator != "crossover" else []
        names[arm, visit] = ", ".join(parts) or "the comparison"
    return names
