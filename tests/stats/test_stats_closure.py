"""Closed testing: the hypotheses against set partitions, and the error rate with one arm that works."""

from itertools import combinations

import numpy as np
import pytest

from bids_app.stats import Inference, across, allocations, compare, hypothesis, nuisance
from bids_app.stats.closure import closed, intersections
from bids_app.stats.estimands import Estimand

BELL = {2: 2, 3: 5, 4: 15, 5: 52}  # in how many ways so many arms can be sorted into groups


def pair(n_arms, active, reference):
    """Return the weights of one arm against another."""
    return tuple(float(arm == active) - float(arm == reference) for arm in range(n_arms))


def partitions(members):
    """List all partitions of a list, one element after the other."""
    if not members:
        yield []
        return
    first, *rest = members
    for partition in partitions(rest):
        yield [[first], *partition]
        for place, block in enumerate(partition):
            yield [*partition[:place], [first, *block], *partition[place + 1 :]]


@pytest.mark.parametrize("n_arms", BELL)
def test_of_all_pairs_every_partition_but_the_one_of_single_arms(n_arms):
    rows = [pair(n_arms, later, earlier) for earlier, later in combinations(range(n_arms), 2)]
    found = {one.blocks for one in intersections(rows)}
    expected = {
        tuple(min(next(block for block in one if arm in block)) for arm in range(n_arms))
        for one in partitions(list(range(n_arms)))
    }
    assert len(expected) == BELL[n_arms]
    assert found == expected - {tuple(range(n_arms))}


@pytest.mark.parametrize("n_arms", [2, 3, 4, 6])
def test_against_the_reference_every_set_of_arms(n_arms):
    rows = [pair(n_arms, arm, 0) for arm in range(1, n_arms)]
    found = intersections(rows)
    assert len(found) == 2 ** (n_arms - 1) - 1
    for one in found:
        assert one.rows == tuple(row for arm, row in enumerate(rows, start=1) if one.blocks[arm] == 0)


def test_what_follows_from_two_equalities_is_tested_with_them():
    """If 1 is like 0 and 2 is like 0, then 2 is like 1: no hypothesis holds two of these alone."""
    found = intersections([pair(3, 1, 0), pair(3, 2, 0), pair(3, 2, 1)])
    assert sorted(len(one.rows) for one in found) == [1, 1, 1, 3]


def test_a_node_that_one_test_does_not_know_is_not_known():
    found = closed([{"a": np.array([0.1, np.nan])}, {"a": np.array([0.05, 0.2])}])
    np.testing.assert_array_equal(found["a"], [0.1, np.nan])


@pytest.mark.parametrize(
    "rows",
    [
        [pair(4, 1, 0), pair(4, 2, 0), pair(4, 3, 0), (-0.3, -0.1, 0.1, 0.3)],
        [pair(4, 1, 0), pair(4, 2, 0), pair(4, 3, 0), (-1.0, 1 / 3, 1 / 3, 1 / 3), (-1.0, 0.5, 0.5, 0.0)],
        [(-0.3, -0.1, 0.1, 0.3)],
    ],
)
def test_whichever_arms_are_alike_one_test_with_valid_draws_has_all_that_is_then_without_a_difference(rows):
    """Over all partitions: the test's blocks lie in those that are alike, and it has all true comparisons."""
    tests = intersections(rows)
    for blocks in partitions(list(range(4))):
        true = {row for row in rows if all(abs(sum(row[arm] for arm in block)) < 1e-9 for block in blocks)}
        alike = [next(number for number, block in enumerate(blocks) if arm in block) for arm in range(4)]
        valid = [one for one in tests if all(alike[arm] == alike[first] for arm, first in enumerate(one.blocks))]
        assert not true or any(set(one.rows) == true for one in valid)


def three_arms(rng, works, n=5):
    """Return p over comparisons with the reference and of both doses' mean, of 3 nodes; the first has an effect."""
    arm = np.repeat([0, 1, 2], n)
    maps = {"post": rng.normal(0, 1, (3 * n, 3)) + works * (arm == 1)[:, None]}
    columns, rows = nuisance(3 * n), {"low": pair(3, 1, 0), "high": pair(3, 2, 0), "doses": (-1.0, 0.5, 0.5)}
    tests = []
    for one in intersections(list(rows.values())):
        draws = allocations(arm, [one.blocks[label] for label in arm], 100, seed=1)
        held = {name: row for name, row in rows.items() if row in one.rows}
        stated = [Estimand(outcome={"post": 1.0}, tested=(row,)) for row in held.values()]
        tested = [hypothesis(estimand, maps, columns, arm=arm) for estimand in stated]
        compared = [compare(hypothesis, draws, Inference(statistic="voxel")) for hypothesis in tested]
        tests.append(dict(zip(held, across(compared), strict=True)))
    return closed(tests)


@pytest.mark.parametrize("works", [0.0, 2.5])
def test_false_alarms_are_rare_whichever_arms_differ(works):
    """Strong control: with no effect of any arm, and with an effect of the first that shifts all labels' draws."""
    rng, n_trials, alarms, found = np.random.default_rng(5), 100, 0, 0
    for _ in range(n_trials):
        p = three_arms(rng, works)
        null = [p["high"]] if works else list(p.values())
        alarms += min(values.min() for values in null) <= 0.1
        found += p["low"].min() <= 0.1
    assert alarms <= 0.1 * n_trials + 3 * np.sqrt(n_trials * 0.1 * 0.9)
    assert found > 0.8 * n_trials if works else found <= 0.1 * n_trials + 10
