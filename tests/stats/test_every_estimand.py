"""One set of checks over every estimand: least squares, order, units, seeds, missing values, and the draws."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm

from bids_app.stats import (
    Estimand,
    Inference,
    VoxelModels,
    allocations,
    compare,
    estimate,
    exchange_blocks,
    hypothesis,
    nuisance,
    residual_permutations,
    sign_flips,
    two_periods,
    two_visits,
)

N, V = 36, 5
AFTER, CHANGE = {"f1": 1.0}, {"f1": 1.0, "b": -1.0}
TWO = {name: two_visits(name, "b", "f1") for name in ("ancova", "change", "post", "within", "slope", "slope-by-arm")}
TWO |= {name: two_periods(name, "f1", "f2") for name in ("crossover", "first-period", "carry-over")}
THREE = {
    "high dose": Estimand(outcome=AFTER, adjusts=("b",), tested=((-1, 0, 1),)),
    "between doses": Estimand(outcome=CHANGE, tested=((0, -1, 1),)),
    "either dose": Estimand(outcome=AFTER, adjusts=("b",), tested=((-1, 0.5, 0.5),)),
    "dose": Estimand(outcome=AFTER, tested=((-1.2, -0.3, 1.5),)),
    "any difference": Estimand(outcome=AFTER, adjusts=("b",), tested=((-1, 1, 0), (-1, 0, 1))),
    "mean of follow-ups": Estimand(outcome={"f1": 0.5, "f2": 0.5}, adjusts=("b",), tested=((-1, 1, 0),)),
    "arm by visit": Estimand(outcome={"f2": 1, "f1": -1}, tested=((-1, 0, 1),)),
    "two baselines": Estimand(outcome=AFTER, adjusts=("b", "f2"), tested=((0, -1, 1),)),
    "slope": Estimand(outcome=AFTER, adjusts=("b",), covariate="age"),
    "slopes differ": Estimand(outcome=AFTER, covariate="age", tested=((-1, 1, 0), (-1, 0, 1))),
    "one slope differs": Estimand(outcome=CHANGE, covariate="age", tested=((0, -1, 1),)),
    "change of an arm": Estimand(outcome=CHANGE, of_arm=2),
}
EVERY = [(name, one, 2) for name, one in TWO.items()] + [(name, one, 3) for name, one in THREE.items()]
every_estimand = pytest.mark.parametrize(("estimand", "n_arms"), [one[1:] for one in EVERY], ids=[e[0] for e in EVERY])


class Data:
    """A trial whose arms differ in mean and spread."""

    def __init__(self, n_arms, seed=3):
        rng = np.random.default_rng(seed)
        self.n_arms, self.arm, self.strata = n_arms, np.arange(N) % n_arms, np.arange(N) // (N // 2)
        self.age, self.motion = rng.normal(40, 9, N), rng.normal(0.2, 0.05, (N, 1))
        before = rng.normal(5, 1, (N, V))
        noise = rng.normal(0, 1, (2, N, V)) * (1 + 0.3 * self.arm[:, None])
        first, second = (
            0.6 * before + gain * self.arm[:, None] + one for gain, one in zip((0.5, 0.9), noise, strict=True)
        )
        self.maps = {"b": before, "f1": first, "f2": second}

    def taken(self, rows):
        other = object.__new__(Data)
        other.__dict__ = self.__dict__ | {
            name: getattr(self, name)[rows] for name in ("arm", "strata", "age", "motion")
        }
        other.maps = {visit: values[rows] for visit, values in self.maps.items()}
        return other

    def rows(self, estimand):
        return np.full(len(self.arm), True) if estimand.of_arm is None else self.arm == estimand.of_arm

    def stated(self, estimand, covariates=True):
        own = self.taken(self.rows(estimand))
        columns = nuisance(len(own.arm), own.motion if covariates else None, own.strata)
        covariate = None if estimand.covariate is None else own.age
        return hypothesis(estimand, own.maps, columns, arm=own.arm, covariate=covariate)

    def draws(self, estimand, n_draws=60, seed=1):
        own = self.taken(self.rows(estimand))
        if estimand.kind == "difference":
            return allocations(own.arm, own.strata, n_draws, seed)
        if estimand.kind == "mean":
            return sign_flips(len(own.arm), n_draws, seed)
        return residual_permutations(len(own.arm), exchange_blocks(own.arm, own.strata), n_draws, seed)


def peer(data, estimand, voxel, robust=False):
    """Return statistic, and for one row estimate and standard error, by cell means and contrasts in statsmodels."""
    own = data.taken(data.rows(estimand))
    outcome = sum(weight * own.maps[visit][:, voxel] for visit, weight in estimand.outcome.items())
    dummies = (own.arm[:, None] == np.arange(data.n_arms)).astype(float)
    adjusted = [own.maps[visit][:, voxel] for visit in estimand.adjusts]
    other = [
        own.motion - own.motion.mean(),
        own.strata[:, None] - own.strata.mean(),
        *(one[:, None] for one in adjusted),
    ]
    if estimand.kind == "mean":
        tested, first = np.ones((1, 1)), np.ones((len(outcome), 1))
    elif estimand.kind == "difference":
        tested, first = np.array(estimand.tested, dtype=float), dummies
    else:
        age = (own.age - own.age.mean())[:, None]
        tested = np.array(estimand.tested or [[1.0]], dtype=float)
        first, other = (dummies * age if estimand.tested else age), [dummies, *other]
    design = np.column_stack([first, *other])
    fit = sm.OLS(outcome, design).fit(cov_type="HC3" if robust else "nonrobust", use_t=True)
    contrast = np.column_stack([tested, np.zeros((len(tested), design.shape[1] - tested.shape[1]))])
    if len(contrast) > 1:
        return float(np.squeeze(fit.f_test(contrast).fvalue)), None, None, fit.df_resid
    found = fit.t_test(contrast)
    return float(np.squeeze(found.tvalue)), float(np.squeeze(found.effect)), float(np.squeeze(found.sd)), fit.df_resid


@pytest.mark.parametrize("robust", [False, True])
@every_estimand
def test_equals_least_squares_on_cell_means(estimand, n_arms, robust):
    data = Data(n_arms)
    effect = estimate(VoxelModels.prepare(data.stated(estimand), robust=robust))
    for voxel in range(V):
        statistic, difference, error, df = peer(data, estimand, voxel, robust)
        assert effect.df == df
        if difference is None:
            assert effect.f[voxel] == pytest.approx(statistic, rel=1e-8)
        else:
            assert effect.t[voxel] == pytest.approx(statistic, rel=1e-8)
            assert effect.difference[voxel] == pytest.approx(difference, rel=1e-8)
            assert effect.standard_error[voxel] == pytest.approx(error, rel=1e-8)


@every_estimand
def test_order_of_participants_and_units_change_nothing(estimand, n_arms):
    data, order = Data(n_arms), np.random.default_rng(5).permutation(N)
    usual = estimate(VoxelModels.prepare(data.stated(estimand)))
    moved = data.taken(order)
    moved.maps = {visit: 1e-6 * values for visit, values in moved.maps.items()}
    moved.age, moved.motion = 365.25 * moved.age, 1000 * moved.motion
    found = estimate(VoxelModels.prepare(moved.stated(estimand)))
    np.testing.assert_allclose(found.z, usual.z, rtol=1e-8)
    np.testing.assert_allclose(found.partial_r2, usual.partial_r2, rtol=1e-8)


@every_estimand
def test_a_voxel_is_that_of_the_participants_it_has(estimand, n_arms):
    data, gone = Data(n_arms), [0, 4, 11]
    patchy = Data(n_arms)
    patchy.maps = {visit: values.copy() for visit, values in data.maps.items()}
    for visit in estimand.visits[:1]:
        patchy.maps[visit][gone, 2] = np.nan
    found = estimate(VoxelModels.prepare(patchy.stated(estimand)))
    whole = estimate(VoxelModels.prepare(data.stated(estimand)))
    if estimand.kind == "difference":  # else covariates are centred over everyone
        left = estimate(VoxelModels.prepare(data.taken(np.setdiff1d(np.arange(N), gone)).stated(estimand)))
        assert found.z[2] == pytest.approx(left.z[2], rel=1e-8)
        assert found.n[2] == left.n[2]
    np.testing.assert_allclose(np.delete(found.z, 2), np.delete(whole.z, 2), rtol=1e-8)


@every_estimand
def test_draws_are_those_of_the_seed_whatever_the_threads(estimand, n_arms):
    data = Data(n_arms)
    stated = data.stated(estimand)
    first, again = (compare(stated, data.draws(estimand), n_jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(first.max_statistics, again.max_statistics)
    np.testing.assert_array_equal(first.p_fwe, again.p_fwe)
    other = compare(stated, data.draws(estimand, seed=2))
    assert (other.max_statistics != first.max_statistics).any()
    assert ((first.p > 0) & (first.p <= 1)).all()


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("name", ["high dose", "either dose", "any difference", "two baselines"])
def test_each_allocation_is_fitted_anew(name, robust):
    """What tells the arms apart beside what is tested moves with the labels."""
    estimand, data = THREE[name], Data(3)
    draws = data.draws(estimand, 12)
    found = compare(data.stated(estimand), draws, Inference(robust=robust))
    for row, arm in enumerate(draws.arms):
        moved = replace_arm(data, arm)
        by_hand = [abs(peer(moved, estimand, voxel, robust)[0]) for voxel in range(V)]
        assert found.max_statistics[row] == pytest.approx(max(by_hand), rel=1e-8)


def replace_arm(data, arm):
    moved = data.taken(np.arange(N))
    moved.arm = arm.astype(int)
    return moved


def test_two_arms_of_three_exchange_their_labels():
    data, estimand = Data(3), THREE["between doses"]
    draws = allocations(data.arm, data.strata, 40, 0, among=(1, 2))
    assert (draws.arms[:, data.arm == 0] == 0).all()
    found = compare(data.stated(estimand), draws)
    for row in (0, 7, 39):
        by_hand = [abs(peer(replace_arm(data, draws.arms[row]), estimand, voxel)[0]) for voxel in range(V)]
        assert found.max_statistics[row] == pytest.approx(max(by_hand), rel=1e-8)


def test_all_allocations_of_three_arms():
    arm, strata = np.array([0, 1, 2, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 1])
    draws = allocations(arm, strata)
    possible = {(*first, *last) for first in permutations((0, 1, 2)) for last in permutations((0, 1, 1))}
    assert draws.exhaustive
    assert draws.n_possible == len(draws) == len(possible) == 18
    assert set(map(tuple, draws.arms.tolist())) == possible
    assert draws.arms[0].tolist() == arm.tolist()


def test_p_of_three_arms_by_all_allocations():
    """Of 1,680 allocations of 9 people, those whose F is as large, counted by one-way analyses of variance."""
    rng = np.random.default_rng(8)
    arm, outcome = np.repeat([0, 1, 2], 3), rng.normal(size=(9, 1)) + np.repeat([0.0, 0.5, 1.5], 3)[:, None]
    draws = allocations(arm)
    assert len(draws) == 1680
    estimand = Estimand(outcome={"f": 1}, tested=((-1, 1, 0), (-1, 0, 1)))
    found = compare(hypothesis(estimand, {"f": outcome}, np.ones((9, 1)), arm=arm), draws)
    between = [sum(3 * outcome[one == k].mean() ** 2 for k in range(3)) for one in draws.arms]
    assert found.p[0] == pytest.approx(np.mean(np.array(between) >= between[0] - 1e-9))


def test_an_estimand_that_makes_no_sense_is_refused():
    for given, message in (
        ({"outcome": {"f": 0.0}}, "weight is not 0"),
        ({"tested": ((1, 1),)}, "add up to 0"),
        ({"tested": ((-1, 1, 0), (1, -1, 0))}, "depends on the others"),
        ({"of_arm": 1, "covariate": "age"}, "neither a difference"),
    ):
        with pytest.raises(ValueError, match=message):
            Estimand(**({"outcome": {"f": 1}} | given))
    data = Data(3)
    with pytest.raises(ValueError, match="whole numbers from 0 to 1"):
        replace_arm(data, data.arm).stated(TWO["ancova"])
    with pytest.raises(ValueError, match="needs f9 maps"):
        data.stated(replace(THREE["dose"], outcome={"f9": 1}))
