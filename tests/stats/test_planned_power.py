"""Power of planned trials: closed forms of a single node, the error without an effect, and the noise's covariance."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as distributions
from statsmodels.stats.power import TTestIndPower, TTestPower

from bids_app.stats import Inference, allocations, compare, hypothesis, neighbours, nuisance, two_visits
from bids_app.stats.planning import (
    Decision,
    Pilot,
    PlannedTrial,
    Region,
    as_it_is,
    decide,
    expected_power,
    fit_curve,
    mean_spread,
    noise_like,
    simulate_once,
    size_for,
    smoothness,
    touching_correlation,
    try_size,
)
from bids_app.stats.planning import planned as planned_trials

TRIALS = 400
R = 0.6
TWO_ARMS = {"shares": (1, 1), "effects": ((0.0, 0.0), (0.0, 1.0)), "n_visits": 2, "n_draws": 100}
HERE = Region(np.array([0]), np.array([1.0]))


@pytest.fixture(scope="module")
def single():
    """Noise of one node of variance 1, whose two visits correlate R exactly."""
    rng = np.random.default_rng(1)
    both = rng.multivariate_normal([0, 0], np.eye(2), 400)
    both = (both - both.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(both.T))).T
    both = both @ np.linalg.cholesky(np.array([[1, R], [R, 1]])).T
    return noise_like(Pilot.of(both[:, :, None, None]))


def share_found(trial, noise, n, size, region=HERE):
    tried = try_size(trial, noise, n, region=region, size=size, n_trials=TRIALS, seed=7)
    return tried.hits, tried.trials


def agrees(hits, trials, expected, slack=0.02):
    """Say whether a share lies within its Monte Carlo interval of what is expected.

    A test by so few draws as here finds a hair less than one by t (Hope 1968): hence the slack below.
    """
    low, high = distributions.binomtest(hits, trials).proportion_ci(0.999)
    return low - 0.005 <= expected <= high + slack


@pytest.mark.parametrize(
    ("estimator", "outcome", "adjusts"), [("ancova", [0, 1], [0]), ("change", [-1, 1], []), ("post", [0, 1], [])]
)
def test_power_of_a_single_node_is_that_of_its_closed_form(single, estimator, outcome, adjusts):
    n, g = 40, 0.75
    correlation = np.array([[1, R], [R, 1]])
    spread, df = mean_spread(correlation, outcome, adjusts, [-1, 1], [20, 20])
    expected = expected_power(g, spread, df)
    trial = PlannedTrial(estimator=estimator, **TWO_ARMS)
    assert agrees(*share_found(trial, single, n, g), expected)
    if estimator == "post":
        table = TTestIndPower().power(g, 20, 0.05, alternative="two-sided")
        assert expected == pytest.approx(table, abs=1e-3)
    if estimator == "change":
        assert expected == pytest.approx(TTestIndPower().power(g / np.sqrt(2 * (1 - R)), 20, 0.05), abs=1e-3)


def test_unequal_arms_lose_power(single):
    trial = PlannedTrial(estimator="ancova", **{**TWO_ARMS, "shares": (1, 3)})
    spread, df = mean_spread(np.array([[1, R], [R, 1]]), [0, 1], [0], [-1, 1], trial.sizes(40))
    assert trial.sizes(40) == (10, 30)
    assert agrees(*share_found(trial, single, 40, 0.8), expected_power(0.8, spread, df))


def test_power_of_a_crossover_is_that_of_its_closed_form(single):
    trial = PlannedTrial(
        estimator="crossover", n_visits=2, shares=(1, 1), effects=((0.0, 1.0), (1.0, 0.0)), n_draws=100
    )
    assert trial.effect_of((1, 0)) == 1
    n, g = 24, 0.5
    spread, df = mean_spread(np.array([[1, R], [R, 1]]), [0.5, -0.5], [], [-1, 1], [12, 12])
    own = TTestIndPower().power(2 * g / np.sqrt(2 * (1 - R)), 12, 0.05)  # of the difference of the periods
    assert expected_power(g, spread, df) == pytest.approx(own, abs=1e-3)
    assert agrees(*share_found(trial, single, n, g), own)


def test_power_of_one_group_is_that_of_the_paired_t_test(single):
    trial = PlannedTrial(estimator="within", n_visits=2, shares=(1,), effects=((0.0, 1.0),), n_draws=200)
    g = 0.45
    expected = TTestPower().power(g / np.sqrt(2 * (1 - R)), 25, 0.05)
    assert expected_power(g, *mean_spread(np.array([[1, R], [R, 1]]), [-1, 1], [], [1], [25])) == pytest.approx(
        expected, abs=1e-3
    )
    assert agrees(*share_found(trial, single, 25, g), expected)


def test_who_is_lost_counts_for_nothing(single):
    trial = PlannedTrial(estimator="ancova", lost=0.3, **TWO_ARMS)
    tried = try_size(trial, single, 50, region=HERE, size=0.75, n_trials=TRIALS)
    assert tried.analysed == pytest.approx(35, abs=0.5)
    spread, df = mean_spread(np.array([[1, R], [R, 1]]), [0, 1], [0], [-1, 1], [17, 18])
    assert agrees(tried.hits, tried.trials, expected_power(0.75, spread, df))


@pytest.fixture(scope="module")
def smooth():
    """A pilot of 14 participants on a small grid, smooth, at three visits and in two measures."""
    mask = np.ones((5, 5, 4), dtype=bool)
    rng = np.random.default_rng(3)
    touching = neighbours(mask)
    maps = rng.standard_normal((14, 4, 2, *mask.shape))
    for axis in (3, 4, 5):
        maps = maps + np.roll(maps, 1, axis)
    maps = maps[:, :3] + maps[:, 3:]  # visits share half of their variance
    maps = maps.reshape(14, 3, 2, -1) * (1 + np.arange(mask.sum()) / 50)
    return Pilot.of(maps, touching)


@pytest.mark.parametrize(
    "planned",
    [
        {"estimator": "ancova", "shares": (1, 1), "effects": ((0.0, 0.0, 0.0), (0.0, 1.0, 1.0))},
        {"estimator": "ancova", "shares": (1, 1, 1), "effects": ((0.0,) * 3, (0.0, 1.0, 1.0), (0.0,) * 3)},
        {"estimator": "within", "shares": (1,), "effects": ((0.0, 1.0, 1.0),)},
        {"estimator": "ancova", "shares": (1, 1), "effects": ((0.0, 0.0), (0.0, 1.0)), "over_measures": True},
        {"estimator": "ancova", "shares": (2, 1), "effects": ((0.0, 0.0), (0.0, 1.0)), "scheme": "freedman-lane"},
    ],
    ids=["two follow-ups", "three arms", "one group", "two measures", "residuals"],
)
def test_nothing_is_found_more_often_than_alpha_where_there_is_no_effect(smooth, planned):
    n_visits = len(planned["effects"][0])
    pilot = Pilot(smooth.residuals[:, :n_visits], smooth.neighbours)
    inference = Inference("tfce", smooth.neighbours)
    trial = PlannedTrial(n_visits=n_visits, n_draws=40, inference=inference, **planned)
    n_trials = 150
    tried = try_size(trial, noise_like(pilot), 18, region=None, n_trials=n_trials)
    low, high = distributions.binom.interval(0.998, n_trials, 0.05)
    conservative = len(trial.questions) > 1 or trial.over_measures  # the smallest of several p ties in so few draws
    assert tried.hits <= high
    assert conservative or tried.hits >= low


def test_an_effect_is_found_where_it_is_and_by_whom_it_is_had(smooth):
    effects = ((0.0,) * 3, (0.0, 1.0, 1.0), (0.0,) * 3)
    inference = Inference("tfce", smooth.neighbours)
    trial = PlannedTrial(
        estimator="ancova", n_visits=3, shares=(1, 1, 1), effects=effects, n_draws=60, inference=inference
    )
    nodes = np.arange(20)
    region = Region(nodes, smooth.deviation[1, 1, nodes], measure=1)
    tried = try_size(trial, noise_like(smooth), 36, region=region, size=-3.0, n_trials=20)
    assert tried.hits == 20
    assert set(tried.of_each) == {(1, 1), (1, 2)}
    assert tried.share > 0.5


def test_a_decision_is_that_of_all_draws(smooth):
    rng = np.random.default_rng(0)
    noise = noise_like(smooth)
    nodes, inference = np.arange(30), Inference("tfce", smooth.neighbours)
    decided = []
    for seed in range(30):
        arm = rng.permutation(np.repeat([0, 1], 9))
        maps = noise.draw(18, rng)[:, :, 0].astype(float)
        maps[:, 1, nodes] += 0.9 * np.outer(arm, smooth.deviation[1, 0, nodes]) * (seed % 3)
        stated = hypothesis(
            two_visits("ancova"), {"baseline": maps[:, 0], "followup": maps[:, 1]}, nuisance(18), arm=arm
        )
        draws = allocations(arm, None, 100, seed)
        whole = compare(stated, draws, inference)
        for sign in (0, 1, -1):
            right = sign * whole.statistic[nodes] > 0 if sign else np.ones(len(nodes), dtype=bool)
            decision = decide(stated, draws, inference, nodes=nodes, sign=sign)
            assert decision.found == bool((right & (whole.p_fwe[nodes] <= 0.05)).any())
            if decision.n_draws == len(draws):
                assert decision.share == pytest.approx(np.mean(right & (whole.p_fwe[nodes] <= 0.05)))
            decided.append(decision)
    assert {one.found for one in decided} == {True, False}
    assert min(one.n_draws for one in decided) < 100  # where many draws reach it, the rest are not made


@pytest.mark.parametrize(
    "planned",
    [
        {"shares": (1, 1, 1), "effects": ((0.0,) * 3, (0.0, 1.0, 1.0), (0.0,) * 3)},
        {"shares": (1, 1), "effects": ((0.0, 0.0), (0.0, 1.0)), "over_measures": True},
    ],
    ids=["three arms", "two measures"],
)
def test_nothing_is_lost_by_looking_at_each_by_itself_first(smooth, planned, monkeypatch):
    """The whole test, made of every trial, finds the same as where it is made only if one finds something alone."""
    n_visits = len(planned["effects"][0])
    noise = noise_like(Pilot(smooth.residuals[:, :n_visits], smooth.neighbours))
    inference = Inference("tfce", smooth.neighbours)
    trial = PlannedTrial(estimator="ancova", n_visits=n_visits, n_draws=60, inference=inference, **planned)
    region = Region(np.arange(20), smooth.deviation[1, 0, :20])

    def outcomes():
        sought = [(one, size) for one, size in ((region, 1.3), (None, 0.0)) for _ in range(12)]
        return [simulate_once(trial, noise, 24, one, size, seed) for seed, (one, size) in enumerate(sought)]

    before = outcomes()
    monkeypatch.setattr(planned_trials, "decide", lambda *_, **__: Decision(True, 1, 1.0))
    assert outcomes() == before
    assert {one.any for one in before} == {True, False}


def test_noise_has_the_variances_and_correlations_of_the_pilot(smooth):
    noise = noise_like(smooth)
    assert 0 < noise.shrinkage < 1
    assert noise.deviation == pytest.approx(smooth.deviation, rel=1e-5)
    drawn = Pilot.of(noise.draw(4000, np.random.default_rng(5)), smooth.neighbours)
    assert drawn.deviation == pytest.approx(smooth.deviation, rel=0.06)
    assert drawn.correlation == pytest.approx(smooth.correlation, abs=0.06)
    assert drawn.touching == pytest.approx(smooth.touching, abs=0.04)


def test_visits_that_nobody_has_seen_correlate_as_is_said(smooth):
    noise = noise_like(smooth, n_visits=4, r=0.3)
    drawn = Pilot.of(noise.draw(4000, np.random.default_rng(5)), smooth.neighbours)
    assert drawn.of_visits() == pytest.approx(0.3 + 0.7 * np.eye(4), abs=0.03)
    assert drawn.deviation[3] == pytest.approx(smooth.deviation[0], rel=0.06)


def test_the_pilot_is_trusted_as_far_as_its_participants_agree():
    rng = np.random.default_rng(0)
    everywhere = rng.standard_normal((60, 1, 1, 1)) + 0.5 * rng.standard_normal((60, 1, 1, 200))
    nowhere = rng.standard_normal((8, 1, 1, 200))
    assert noise_like(Pilot.of(everywhere)).shrinkage < 0.05
    assert noise_like(Pilot.of(nowhere)).shrinkage > 0.9


def test_smoothness_is_that_of_the_filter():
    from scipy.ndimage import gaussian_filter

    sigma = 1.2
    mask = np.ones((20, 20, 20), dtype=bool)
    maps = gaussian_filter(np.random.default_rng(0).standard_normal((20, *mask.shape)), (0, *(sigma,) * 3), mode="wrap")
    pilot = Pilot.of(maps.reshape(20, 1, 1, -1), neighbours(mask))
    width = sigma * np.sqrt(8 * np.log(2)) * 4
    assert smoothness(pilot.touching, 4.0) == pytest.approx(width, rel=0.03)
    drawn = noise_like(pilot).draw(60, np.random.default_rng(1))[:, 0, 0]
    assert touching_correlation(drawn, pilot.neighbours) == pytest.approx(pilot.touching, abs=0.03)


def test_the_curve_finds_the_size_that_was_wanted():
    sizes, true = [20, 30, 45, 70, 100], lambda n: distributions.norm.cdf(0.45 * np.sqrt(n) - 2.4)
    covered = 0
    for seed in range(200):
        hits = np.random.default_rng(seed).binomial(200, true(np.array(sizes)))
        curve = fit_curve(sizes, hits, [200] * 5)
        at, low, high = curve.reaches(0.8, 4, 400)
        assert low <= at <= high
        wanted = ((distributions.norm.ppf(0.8) + 2.4) / 0.45) ** 2
        covered += low <= wanted <= high
    assert covered >= 182  # of 190 expected
    assert fit_curve([20, 30], [5, 5], [100, 100]) is None
    assert fit_curve([20, 30], [50, 5], [100, 100], as_it_is) is None


def test_the_closed_form_gives_the_size_too():
    def power_of(n):
        return TTestIndPower().power(0.5, n / 2, 0.05)

    assert size_for(0.8, power_of, 6, 1000) == pytest.approx(127.5, abs=0.1)
    assert size_for(0.8, power_of, 6, 20) == 20


def test_what_makes_no_trial_is_refused():
    whole = {"estimator": "ancova", **TWO_ARMS}
    for wrong in ({"effects": ((0.0, 1.0),)}, {"lost": 1.0}, {"scheme": "bootstrap"}, {"estimator": "within"}):
        with pytest.raises(ValueError, match=r"effects|lost|scheme|arms"):
            PlannedTrial(**{**whole, **wrong})
    with pytest.raises(ValueError, match="participants at least"):
        Pilot.of(np.zeros((4, 2, 1, 3)))
    assert replace(PlannedTrial(**whole), n_visits=2).questions == ((1, 1),)


def test_results_do_not_depend_on_the_threads(smooth):
    trial = PlannedTrial(estimator="ancova", inference=Inference("tfce", smooth.neighbours), **TWO_ARMS)
    noise = noise_like(Pilot(smooth.residuals[:, :2], smooth.neighbours))
    region = Region(np.arange(9), smooth.deviation[1, 0, :9])
    one, two = (try_size(trial, noise, 20, region=region, size=1.0, n_trials=30, n_jobs=jobs) for jobs in (1, 2))
    assert one == two


@pytest.mark.parametrize("estimator", ["ancova", "post"])
def test_covariates_and_strata_do_what_their_closed_form_says(single, estimator):
    """A share of the error variance goes, and so do degrees of freedom."""
    adjusted = {"n_covariates": 3, "n_strata": 2, "explained": 0.4}
    trial = PlannedTrial(estimator=estimator, **adjusted, **TWO_ARMS)
    outcome, adjusts = [0, 1], [0] if estimator == "ancova" else []
    left = 0.6 * np.array([[1, R], [R, 1]])
    spread, df = mean_spread(left, outcome, adjusts, [-1, 1], [16, 16], n_columns=4)
    assert df == 32 - 2 - len(adjusts) - 3 - 1
    expected = expected_power(0.7, spread, df)
    assert agrees(*share_found(trial, single, 32, 0.7), expected)
    without, df = mean_spread(np.array([[1, R], [R, 1]]), outcome, adjusts, [-1, 1], [16, 16])
    assert expected > expected_power(0.7, without, df) + 0.05


def test_strata_are_randomized_in_blocks():
    trial = PlannedTrial(estimator="ancova", n_strata=3, **{**TWO_ARMS, "shares": (1, 2)})
    arm, stratum = trial.randomized(100, np.random.default_rng(0))
    for one in range(3):
        sizes = np.bincount(arm[stratum == one], minlength=2)
        assert abs(2 * sizes[0] - sizes[1]) <= 2  # one block at most is not full
    assert len(np.unique(stratum)) == 3


def test_too_many_columns_for_a_trial_find_nothing(single):
    trial = PlannedTrial(estimator="ancova", n_covariates=20, **TWO_ARMS)
    assert not simulate_once(trial, single, 20, HERE, 5.0, 0).any
    with pytest.raises(ValueError, match="no covariates and no strata"):
        PlannedTrial(estimator="ancova", explained=0.2, **TWO_ARMS)


@pytest.mark.parametrize("statistic", ["extent", "tfce"])
def test_a_network_is_found_and_nothing_without_one(statistic):
    """All connections of a node of a graph of six, by the network-based statistic and the threshold-free one."""
    first, second = np.triu_indices(6, 1)
    pairs = np.column_stack([first, second]).astype(np.int32)
    pilot = Pilot.of(np.random.default_rng(2).standard_normal((30, 2, 1, len(pairs))))
    inference = Inference(statistic, pairs=pairs, threshold=2.0)
    trial = PlannedTrial(estimator="ancova", inference=inference, **TWO_ARMS)
    own = np.flatnonzero(first == 0)
    noise = noise_like(pilot)
    region = Region(own, noise.deviation[1, 0, own])
    assert try_size(trial, noise, 40, region=region, size=1.5, n_trials=20).hits >= 18
    nulls = try_size(trial, noise, 40, region=None, n_trials=100)
    assert nulls.hits <= distributions.binom.ppf(0.999, 100, 0.05)


def test_power_of_one_of_three_arms_is_that_of_the_closed_test(single):
    """Both must be found together at the bound of Dunnett's distribution, then the one by itself."""
    n, g, df = 20, 1.0, 57
    rng, n_drawn = np.random.default_rng(0), 200_000
    means, spread = rng.standard_normal((n_drawn, 3)) / np.sqrt(n), np.sqrt(rng.chisquare(df, n_drawn) / df)

    def statistics(effect):
        of_arms = means + np.array([0, effect, 0])
        return np.abs(of_arms[:, 1:] - of_arms[:, :1]) / (spread * np.sqrt(2 / n))[:, None]

    bound = np.quantile(statistics(0).max(axis=1), 0.95)
    assert bound == pytest.approx(2.27, abs=0.01)  # Dunnett (1955), two-sided .05, two against one, 60 df
    there = statistics(g)
    expected = np.mean((there.max(axis=1) >= bound) & (there[:, 0] >= distributions.t.ppf(0.975, df)))
    effects = ((0.0, 0.0), (0.0, g), (0.0, 0.0))
    trial = PlannedTrial(estimator="post", n_visits=2, shares=(1, 1, 1), effects=effects, n_draws=500)
    assert agrees(*share_found(trial, single, 3 * n, g), expected)
