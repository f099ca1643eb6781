"""A trial that is planned: who is randomized to what, what treatment does, and how it will be analysed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from bids_app.stats.allocation import Allocations, allocations
from bids_app.stats.closure import closed, intersections
from bids_app.stats.design import nuisance
from bids_app.stats.estimands import Estimand, Row, two_periods, two_visits
from bids_app.stats.hypotheses import Hypothesis, hypothesis
from bids_app.stats.inference import Inference
from bids_app.stats.permutation import compare
from bids_app.stats.planning.decision import Decision, decide
from bids_app.stats.planning.noise import Noise
from bids_app.stats.rearrangement import residual_permutations, sign_flips
from bids_app.stats.together import across
from bids_app.stats.voxels import Draws

LEAST_PER_ARM = 2
SCHEMES = ("rerandomize", "freedman-lane")
Question = tuple[int, int]  # an arm, compared with the reference, and a visit
Test = tuple[Question, int]  # a comparison of a measure
Joint = tuple[list[Test], Draws, int]  # tests with the same draws, and what their p is multiplied by
ONE_GROUP = "within"


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """A trial that is planned, but for its size.

    Attributes
    ----------
    estimator : str
        ``ancova``, ``change``, ``post``, ``crossover`` or ``within``, as of `two_visits` and `two_periods`.
    n_visits : int
        Of them the first is the baseline, if there is one; of a cross-over trial its two periods.
    shares : tuple of int
        How many are randomized to each arm, or sequence, in proportion; the first is the reference.
    effects : tuple of tuple of float
        For each arm and visit, how many times the effect is added.
    lost : float
        Share of participants who are not in the analysis, whatever their arm.
    inference : Inference
    alpha : float
    n_draws : int
    scheme : str
        How differences of arms are tested: ``rerandomize`` or ``freedman-lane``.
    over_measures : bool
        Whether p is corrected over the measures too.
    n_covariates : int
        Columns that are adjusted for, beside a baseline and strata.
    n_strata : int
        Of the randomization, which is in permuted blocks within them where there are several.
    explained : float
        Share of the error variance that these take out: of what would be left beside the baseline without them.
    """

    estimator: str
    n_visits: int
    shares: tuple[int, ...]
    effects: tuple[tuple[float, ...], ...]
    lost: float = 0.0
    inference: Inference = field(default_factory=Inference)
    alpha: float = 0.05
    n_draws: int = 200
    scheme: str = "rerandomize"
    over_measures: bool = False
    n_covariates: int = 0
    n_strata: int = 1
    explained: float = 0.0

    def __post_init__(self) -> None:
        if len(self.effects) != len(self.shares) or any(len(one) != self.n_visits for one in self.effects):
            raise ValueError(f"effects must be of {len(self.shares)} arms and {self.n_visits} visits: {self.effects}")
        if not 0 <= self.lost < 1:
            raise ValueError(f"the share of participants lost must be from 0 to below 1: {self.lost}")
        if self.explained and not self.n_covariates and self.n_strata < 2:
            raise ValueError("there are no covariates and no strata that could explain a share of the variance")
        if self.scheme not in SCHEMES:
            raise ValueError(f"the scheme must be one of {', '.join(SCHEMES)}, not {self.scheme!r}")
        if (self.estimator == ONE_GROUP) != (len(self.shares) == 1):
            raise ValueError(f"{len(self.shares)} arms cannot be analysed by {self.estimator}")

    def sizes(self, n: int) -> tuple[int, ...]:
        """Share n participants among the arms.

        Examples
        --------
        >>> one = PlannedTrial(estimator="post", n_visits=1, shares=(1, 2), effects=((0.0,), (1.0,)))
        >>> one.sizes(30), one.sizes(31)
        ((10, 20), (10, 21))
        """
        exact = n * np.array(self.shares) / sum(self.shares)
        sizes = np.floor(exact).astype(int)
        sizes[np.argsort(sizes - exact, kind="stable")[: n - sizes.sum()]] += 1
        return tuple(int(size) for size in sizes)

    def randomized(self, n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the arm and the stratum (n,) of participants who come in a random order."""
        shares = np.repeat(np.arange(len(self.shares)), self.shares)
        if self.n_strata == 1:
            return generator.permutation(np.repeat(np.arange(len(self.shares)), self.sizes(n))), np.zeros(n, dtype=int)
        stratum, arm = generator.integers(self.n_strata, size=n), np.zeros(n, dtype=int)
        for one in range(self.n_strata):
            members = np.flatnonzero(stratum == one)
            blocks = np.tile(shares, (len(members) // len(shares) + 1, 1))
            arm[members] = generator.permuted(blocks, axis=1).ravel()[: len(members)]
        return arm, stratum

    @property
    def questions(self) -> tuple[Question, ...]:
        """The comparisons: arms with the reference, at visits."""
        if self.estimator == "crossover":
            return ((1, 0),)
        later = range(1, self.n_visits) if self.n_visits > 1 else (0,)
        arms = range(1, len(self.shares)) if len(self.shares) > 1 else (0,)
        return tuple(product(arms, later))

    def effect_of(self, question: Question) -> float:
        """Return how many times the effect is in what a comparison estimates."""
        arm, visit = question
        if self.estimator == "crossover":
            (r1, r2), (a1, a2) = self.effects
            return ((a1 - a2) - (r1 - r2)) / 2
        if self.estimator == ONE_GROUP:
            return self.effects[0][visit] - self.effects[0][0]
        before = self.estimator == "change"
        gained = [one[visit] - before * one[0] for one in self.effects]
        return gained[arm] - gained[0]

    @property
    def asked(self) -> tuple[Question, ...]:
        """The comparisons in which there is an effect."""
        return tuple(one for one in self.questions if abs(self.effect_of(one)) > 1e-12)

    def estimand(self, question: Question) -> Estimand:
        """Return what a comparison estimates."""
        arm, visit = question
        if self.estimator == "crossover":
            return two_periods("crossover", "0", "1")
        found = two_visits(self.estimator, "0", str(visit))
        if self.estimator == ONE_GROUP:
            return replace(found, of_arm=None)
        return replace(found, tested=(self.row(arm),))

    def row(self, arm: int) -> Row:
        """Return the weights of the arms in the comparison of one with the reference."""
        return tuple(float(one == arm) - float(one == 0) for one in range(len(self.shares)))


@dataclass(frozen=True)
class Region:
    """Where an effect is, and how large.

    Attributes
    ----------
    nodes : (C,) int ndarray
    effect : (C,) float ndarray
        In the unit of the maps, of one.
    measure : int
    """

    nodes: np.ndarray
    effect: np.ndarray
    measure: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a simulated trial found.

    Attributes
    ----------
    found : dict of bool
        For each comparison in which there is an effect, or all without one.
    share : float
        Share of the region's nodes that is found, of the comparison where it is largest.
    n_analysed : int
    """

    found: dict[Question, bool]
    share: float
    n_analysed: int

    @property
    def any(self) -> bool:
        """Whether any comparison found something."""
        return any(self.found.values())


def simulate_once(trial: PlannedTrial, noise: Noise, n: int, region: Region | None, size: float, seed: int) -> Outcome:
    """Simulate a trial and analyse it as planned.

    Parameters
    ----------
    trial : PlannedTrial
    noise : Noise
    n : int
        Participants who are randomized.
    region : Region or None
        Where the effect is; None for a trial without an effect, of which anything anywhere is counted.
    size : float
        What the effect of the region is multiplied by; below 0 for a decrease.
    seed : int

    Returns
    -------
    Outcome
        Of a trial in which an arm has nobody left nothing is found.
    """
    generator = np.random.default_rng(seed)
    people = _People.of(trial, n, generator)
    arm = people.arm
    sign = 0 if region is None else 1 if size > 0 else -1
    asked = trial.questions if region is None else trial.asked
    if not people.estimable(len(trial.shares)):
        return Outcome(dict.fromkeys(asked, False), 0.0, len(arm))
    # What covariates explain the model takes out to the last bit: what is left is all that has to be drawn.
    maps = noise.draw(len(arm), generator) * np.float32(np.sqrt(1 - trial.explained))
    if region is not None:
        added = size * np.array(trial.effects)[arm]
        maps[:, :, region.measure, region.nodes] += (added[..., None] * region.effect).astype(np.float32)
    own = region.measure if region is not None else 0
    nodes = None if region is None else region.nodes
    analysis = _Analysis(trial, maps, people, int(generator.integers(2**31)))
    joints = analysis.joints(own)
    signs = {one: int(np.sign(trial.effect_of(one))) * sign for one in trial.questions}
    # By itself each is tested with the draws of the smallest set that it is in: p over a set can only be larger.
    smallest = {test: (draws, times) for tests, draws, times in reversed(joints) for test in tests}
    alone = {
        test: analysis.decide(test, *how, nodes, signs[test[0]])
        for test, how in smallest.items()
        if test[0] in asked and (region is None or test[1] == own)
    }
    if len(joints) == 1 and len(joints[0][0]) == 1:
        ((question, _),) = alone
        return Outcome({question: alone[question, own].found}, alone[question, own].share, len(arm))
    found = dict.fromkeys(asked, False)
    if not any(one.found for one in alone.values()):
        return Outcome(found, 0.0, len(arm))
    shares = [0.0]
    looked_at = slice(None) if nodes is None else nodes
    for test, (p, statistic) in analysis.corrected(joints).items():
        if test in alone:
            right = signs[test[0]] * statistic[looked_at] >= 0
            there = (p[looked_at] <= trial.alpha * (1 + 1e-12)) & right
            found[test[0]] |= bool(there.any())
            shares.append(float(there.mean()))
    return Outcome(found, max(shares), len(arm))


@dataclass(frozen=True)
class _People:
    """Those of a trial who are analysed: arm and stratum (n,), covariates (n, k)."""

    arm: np.ndarray
    stratum: np.ndarray
    covariates: np.ndarray

    @classmethod
    def of(cls, trial: PlannedTrial, n: int, generator: np.random.Generator) -> "_People":
        """Randomize n participants, of whom some are lost."""
        arm, stratum = trial.randomized(n, generator)
        stays = generator.random(n) >= trial.lost
        return cls(arm[stays], stratum[stays], generator.standard_normal((int(stays.sum()), trial.n_covariates)))

    def estimable(self, n_arms: int) -> bool:
        """Say whether arms are told from strata and covariates, with an error left beside them and a baseline."""
        if np.bincount(self.arm, minlength=n_arms).min() < LEAST_PER_ARM:
            return False
        strata = self.stratum[:, None] == np.unique(self.stratum)
        columns = np.column_stack([strata, self.arm[:, None] == np.arange(1, n_arms), self.covariates]).astype(float)
        n, rank = len(self.arm), columns.shape[1]
        return n >= rank + 2 and int(np.linalg.matrix_rank(columns)) == rank

    @property
    def nuisance(self) -> np.ndarray:
        """What the arms are adjusted for."""
        return nuisance(len(self.arm), self.covariates, self.stratum)


@dataclass(frozen=True)
class _Analysis:
    """The planned analysis of the maps (n, T, M, V) of the people of a trial."""

    trial: PlannedTrial
    maps: np.ndarray
    people: _People
    seed: int

    @property
    def arm(self) -> np.ndarray:
        """The arm of each participant, (n,)."""
        return self.people.arm

    def stated(self, question: Question, measure: int) -> Hypothesis:
        """Return the hypothesis of a comparison of a measure."""
        estimand = self.trial.estimand(question)
        maps = {visit: self.maps[:, int(visit), measure] for visit in estimand.visits}
        return hypothesis(estimand, maps, self.people.nuisance, arm=self.arm)

    def joints(self, measure: int) -> list[Joint]:
        """List what is tested together, by which draws, and what p is multiplied by; larger sets last.

        Parameters
        ----------
        measure : int
            That with the effect: the one that several arms and visits are compared by.
        """
        trial, questions = self.trial, list(self.trial.questions)
        several = len(questions) == 1 and trial.over_measures
        measures = list(range(self.maps.shape[2])) if several else [measure]
        tests = {
            arm: [(one, number) for one in questions if one[0] == arm for number in measures] for arm, _ in questions
        }
        everyone = [test for own in tests.values() for test in own]
        if trial.estimator == ONE_GROUP:
            return [(everyone, sign_flips(len(self.arm), trial.n_draws, self.seed), 1)]
        if trial.scheme != "rerandomize":
            draws = residual_permutations(len(self.arm), self.people.stratum, trial.n_draws, self.seed)
            return [([test for test in everyone if test[0] == one], draws, len(questions)) for one in questions]
        rows = {trial.row(arm): arm for arm in tests}
        return [
            ([test for row in alike.rows for test in tests[rows[row]]], self._blocked(alike.blocks), 1)
            for alike in intersections(list(rows))
        ]

    def _blocked(self, blocks: tuple[int, ...]) -> Allocations:
        alike = np.array(blocks)[self.arm] + len(blocks) * self.people.stratum
        return allocations(self.arm, alike, self.trial.n_draws, self.seed)

    def decide(self, test: Test, draws: Draws, times: int, nodes: np.ndarray | None, sign: int) -> Decision:
        """Say whether a comparison of a measure finds something by itself."""
        alpha = self.trial.alpha / times
        return decide(self.stated(*test), draws, self.trial.inference, alpha=alpha, nodes=nodes, sign=sign)

    def corrected(self, joints: Sequence[Joint]) -> dict[Test, tuple[np.ndarray, np.ndarray]]:
        """Return p over all that is tested, by a closed test, and the statistic, of each comparison of a measure."""
        corrected, statistics = [], dict[Test, np.ndarray]()
        for tests, draws, times in joints:
            compared = {one: compare(self.stated(*one), draws, self.trial.inference) for one in tests}
            own = across(list(compared.values())) if len(compared) > 1 else [one.p_fwe for one in compared.values()]
            corrected.append({one: np.minimum(p * times, 1) for one, p in zip(compared, own, strict=True)})
            statistics |= {one: comparison.statistic for one, comparison in compared.items()}
        return {test: (p, statistics[test]) for test, p in closed(corrected).items()}
