"""Several comparisons together, against every allocation counted one by one in plain numpy."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from bids_app.bids.result_names import comparison_folder
from bids_app.graph.features import Feature
from bids_app.group.analyses import Analysis, run_analysis
from bids_app.group.family import of_all_arms
from bids_app.group.sample import Sample
from bids_app.group.together import (
    compare_any,
    compare_together,
    everyone_of,
    joints,
    one_by_one,
    together_until_settled,
    why_not_closed,
)
from bids_app.settings import settings
from bids_app.settings.settings import Trial
from bids_app.stats import across, by_chance, closed
from bids_app.trial.design import Design
from bids_app.trial.tables import Tables
from bids_app.trial.weights import Weighted

DEGREE = Feature("degree", "r025")
ARMS = ("placebo", "low", "high")
PARTICIPANTS = [f"{number:02d}" for number in range(1, 8)]
ARM = np.array([0, 0, 1, 1, 2, 2, 2])
LOST = {"day7": ["05"]}  # who has no second follow-up
TRIAL = Trial(n_permutations=1000, random_seed=3, statistic="t", baseline_motion=False)
DESIGNS = [
    Design("arm", active, "placebo", "pre", followup) for followup in ("day3", "day7") for active in ("low", "high")
]
WEIGHTED = (
    Weighted("doses", (("placebo", -1.0), ("low", 0.25), ("high", 0.75))),
    Weighted("dose", (("placebo", -0.5), ("high", 0.5))),
)
BY_WEIGHTS = [one.by_weights(weighted) for one in (DESIGNS[0], DESIGNS[2]) for weighted in WEIGHTED]


def tables():
    participants = pd.DataFrame({"arm": [ARMS[arm] for arm in ARM]}, index=PARTICIPANTS)
    none = pd.DataFrame(index=pd.MultiIndex.from_tuples([], names=["participant_id", "session_id"]))
    return Tables(participants, none, {})


def sample(design, maps):
    there = [name for name in PARTICIPANTS if name not in LOST.get(design.followup, [])]
    rows = [PARTICIPANTS.index(name) for name in there]
    chosen = [row for row in rows if ARMS[ARM[row]] in design.arms]
    return Sample(
        design=design,
        maps={DEGREE: {visit: maps[visit][chosen] for visit in ("pre", design.followup)}},
        arm=np.array([design.arms.index(ARMS[ARM[row]]) for row in chosen]),
        covariates=pd.DataFrame(index=[f"sub-{PARTICIPANTS[row]}" for row in chosen]),
        strata=None,
        kept=np.array([True, False, True]),
        grid=None,
        parcels=pd.DataFrame({"index": [1, 3], "name": ["a", "c"]}),
    )


@pytest.fixture(scope="module")
def maps():
    rng = np.random.default_rng(8)
    pre = rng.normal(0, 1, (7, 2))
    return {
        "pre": pre,
        "day3": 0.6 * pre + rng.normal(0, 1, (7, 2)) + np.outer(ARM == 2, [2.0, 0.0]),
        "day7": 0.3 * pre + rng.normal(0, 1, (7, 2)) + np.outer(ARM == 2, [1.0, 0.0]),
    }


@pytest.fixture(scope="module")
def found(maps, tmp_path_factory):
    """What the app finds: p of every comparison over all, and of any difference."""
    return together(DESIGNS, maps, tmp_path_factory.mktemp("maps"))


@pytest.fixture(scope="module")
def found_by_weights(maps, tmp_path_factory):
    return together([*DESIGNS, *BY_WEIGHTS], maps, tmp_path_factory.mktemp("weights"))


def together(designs, maps, folder):
    samples, files = {}, {}
    for design in of_all_arms(designs):
        whole = sample(design, maps)
        files[design.followup] = whole.save_maps(DEGREE, folder / f"{design.followup}.npz")
        samples[design.followup] = whole.without_maps()
    tests = joints(designs, samples, everyone_of(samples, tables(), TRIAL), TRIAL)
    results = [compare_together(one, files, TRIAL) for one in tests]
    p = closed({name: one.p for name, one in result.items()} for result in results)
    return p, results, compare_any(tests[-1], files, TRIAL)


def assert_alike(one, other):
    assert list(one) == list(other)
    for name, result in one.items():
        np.testing.assert_array_equal(result.p, other[name].p)


def test_all_draws_there_are_say_the_same_whether_or_not_they_may_stop(maps, found, tmp_path):
    tests, files = stating(maps, tmp_path, replace(TRIAL, n_permutations="auto"))
    both = together_until_settled(tests[-1], [files, files], TRIAL)
    assert_alike(both[0], found[1][-1])
    assert_alike(both[1], found[1][-1])
    assert_alike(together_until_settled(tests[-1], [files], TRIAL, any_difference=True)[0], found[2])


def test_draws_that_may_stop_are_shared_by_all_comparisons_and_features(maps, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "N_DRAWS", 100)  # of the 210 that there are
    tests, files = stating(maps, tmp_path, replace(TRIAL, n_permutations="auto"))
    first, second = together_until_settled(tests[-1], [files, files], TRIAL)
    compared = [one.comparison for one in first.values()]
    assert {len(one.max_statistics) for one in compared} == {210}
    for p, one in zip(across(compared), first.values(), strict=True):
        np.testing.assert_array_equal(one.p, p)
    assert_alike(first, second)
    both = [by_chance(compared), by_chance(compared * 2)[: len(compared)]]
    assert [not one.settled for one in first.values()] == np.any(both, axis=0).tolist()


def stating(maps, folder, trial):
    """Return the joint tests of all comparisons, and the files of their maps."""
    samples, files = {}, {}
    for design in of_all_arms(DESIGNS):
        whole = sample(design, maps)
        files[design.followup] = whole.save_maps(DEGREE, folder / f"{design.followup}.npz")
        samples[design.followup] = whole.without_maps()
    return joints(DESIGNS, samples, everyone_of(samples, tables(), trial), trial), files


def t_of(labels, maps, followup, weights):
    """Return t of weights of low and high (of one arm, 1), of the model with all arms and each node's own baseline."""
    weights = np.array([*weights, 0, 0])
    rows = [row for row, name in enumerate(PARTICIPANTS) if name not in LOST.get(followup, [])]
    own = labels[rows]
    found = []
    for node in range(2):
        x = np.column_stack([own == 1, own == 2, np.ones(len(rows)), maps["pre"][rows, node]]).astype(float)
        y = maps[followup][rows, node]
        if min(np.count_nonzero(own == arm) for arm in range(3)) < 2:  # the app leaves such a draw at 0
            found.append(0.0)
            continue
        b = np.linalg.lstsq(x, y, rcond=None)[0]
        variance = np.sum((y - x @ b) ** 2) / (len(y) - 4)
        covariance = variance * np.linalg.inv(x.T @ x)
        found.append(weights @ b / np.sqrt(weights @ covariance @ weights))
    return np.array(found)


def allocations(exchanged):
    """Return every allocation that leaves the arms that are not exchanged as they are."""
    places = np.flatnonzero(np.isin(ARM, exchanged))
    orders = sorted(set(permutations(ARM[places])))
    drawn = np.tile(ARM, (len(orders), 1))
    drawn[:, places] = orders
    first = int(np.flatnonzero((drawn == ARM).all(axis=1))[0])
    return np.vstack([drawn[first], np.delete(drawn, first, axis=0)])


def p_of_test(maps, exchanged, comparisons):
    """Return p of each comparison over nodes, signs and comparisons, by the smallest p of every draw."""
    drawn = allocations(exchanged)
    t = np.array([[np.abs(t_of(labels, maps, *one)) for labels in drawn] for one in comparisons])  # (C, D, V)
    maxima = t.max(axis=2)
    alone = np.array([[(own >= value - 1e-9).mean() for value in own] for own in maxima])  # (C, D)
    smallest = alone.min(axis=0)
    p = [[(own >= value - 1e-9).mean() for value in values[0]] for own, values in zip(maxima, t, strict=True)]
    return {
        one: np.array([(smallest <= value + 1e-9).mean() for value in of])
        for one, of in zip(comparisons, p, strict=True)
    }


def test_the_closed_test_is_that_of_every_allocation_counted(maps, found):
    of = {design: (design.followup, tuple(map(design.weight, ARMS[1:]))) for design in DESIGNS}
    low, high = ([one for one in of.values() if one[1] == own] for own in ((1, 0), (0, 1)))
    tests = [p_of_test(maps, (0, 1), low), p_of_test(maps, (0, 2), high), p_of_test(maps, (0, 1, 2), [*of.values()])]
    expected = closed(tests)
    for design, own in of.items():
        np.testing.assert_allclose(found[0][comparison_folder(design)], expected[own], atol=1e-12)


def test_by_weights_it_is_that_of_every_allocation_of_the_arms_with_weight(maps, found_by_weights):
    """Half of high minus placebo stands or falls with that pair; low and high against placebo need all three alike."""
    of = {design: (design.followup, tuple(map(design.weight, ARMS[1:]))) for design in (*DESIGNS, *BY_WEIGHTS)}
    low, high = ([one for one in of.values() if one[1][other] == 0] for other in (1, 0))
    tests = [p_of_test(maps, (0, 1), low), p_of_test(maps, (0, 2), high), p_of_test(maps, (0, 1, 2), [*of.values()])]
    expected = closed(tests)
    for design, own in of.items():
        np.testing.assert_allclose(found_by_weights[0][comparison_folder(design)], expected[own], atol=1e-12)


def test_by_weights_the_estimate_is_the_contrast_of_ancova(maps, found_by_weights):
    """Against statsmodels: all arms in the model, and Hedges g over the spread within all of them."""
    one = found_by_weights[1][-1][comparison_folder(BY_WEIGHTS[0])].comparison
    dummies = [ARM == 1, ARM == 2, np.ones(7)]
    for node in range(2):
        y = maps["day3"][:, node]
        fit = sm.OLS(y, np.column_stack([*dummies, maps["pre"][:, node]]).astype(float)).fit()
        expected = fit.t_test([0.25, 0.75, 0, 0])
        got = [one.effect.difference[node], one.effect.standard_error[node], one.effect.t[node]]
        np.testing.assert_allclose(got, [expected.effect[0], expected.sd[0, 0], expected.tvalue[0, 0]])
        np.testing.assert_allclose([one.effect.ci_low[node], one.effect.ci_high[node]], expected.conf_int()[0])
        within = np.sqrt(sum(np.sum((y[arm == ARM] - y[arm == ARM].mean()) ** 2) for arm in range(3)) / 4)
        np.testing.assert_allclose(one.effect.hedges_g[node], 0.797885 * expected.effect[0] / within, rtol=1e-5)


def test_p_over_all_is_at_least_that_of_each_test(found):
    p, results, _ = found
    for test in results:
        for name, one in test.items():
            assert (p[name] >= one.p).all()
    assert len(results) == 3


def test_any_difference_is_f_of_all_arms(maps, found):
    """At the first follow-up, F against the two models' sums of squares."""
    result = found[2]["day3"]
    for node in range(2):
        y, ones = maps["day3"][:, node], np.ones(7)
        small = np.column_stack([ones, maps["pre"][:, node]])
        large = np.column_stack([small, ARM == 1, ARM == 2])
        rest = [np.sum((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2) for x in (small, large)]
        np.testing.assert_allclose(result.comparison.effect.f[node], (rest[0] - rest[1]) / 2 / (rest[1] / 3))


def test_values_lie_where_they_are_of(found):
    one = next(iter(found[1][0].values()))
    np.testing.assert_array_equal(np.isnan(one.whole(one.p)), [False, True, False])


def test_one_by_one_p_is_that_of_each_times_their_number(maps, tmp_path):
    samples = {design: sample(design, maps) for design in DESIGNS}
    files = {
        comparison_folder(one): samples[one].save_maps(DEGREE, tmp_path / f"{k}.npz") for k, one in enumerate(DESIGNS)
    }
    for joint, design in zip(one_by_one(DESIGNS, samples, TRIAL), DESIGNS, strict=True):
        ((name, result),) = compare_together(joint, files, TRIAL).items()
        alone = run_analysis(Analysis("ancova"), samples[design], samples[design].maps[DEGREE], TRIAL)
        assert name == comparison_folder(design)
        np.testing.assert_array_equal(result.p, np.minimum(alone.p_fwe * 4, 1))


@pytest.mark.parametrize(
    ("trial", "designs", "why"),
    [
        (TRIAL, DESIGNS, None),
        (Trial(scheme="freedman-lane"), DESIGNS, "residuals are permuted in place of arms"),
        (Trial(allocations="table.tsv"), DESIGNS, "the possible allocations are of two arms"),
        (TRIAL, [*DESIGNS, *BY_WEIGHTS], None),
        (TRIAL, DESIGNS[:3], "not every arm can be compared at every follow-up"),
    ],
)
def test_when_a_closed_test_cannot_be_made(trial, designs, why):
    assert why_not_closed(designs, trial) == why
