"""p over objectives: statsmodels, closed tests by enumeration, and how often a false one is confirmed."""

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from bids_app.stats.objectives import CORRECTIONS, fixed_sequence, gatekeeping, holm

P = st.lists(st.floats(0, 1), min_size=1, max_size=6)
OF_EACH = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=6)

FEW = settings(max_examples=50)


def subsets(members):
    return chain.from_iterable(combinations(members, n) for n in range(1, len(members) + 1))


def closed(p, test):
    """Return p of each: the largest of all sets that it is in, each tested as a whole."""
    every = list(subsets(range(len(p))))
    return [max(test(own) for own in every if one in own) for one in range(len(p))]


@FEW
@given(P)
def test_holm_is_that_of_statsmodels_and_the_closed_test_by_bonferroni(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert holm(p) == pytest.approx(closed(p, lambda own: min(1, len(own) * min(p[one] for one in own))), abs=1e-12)


@FEW
@given(P)
def test_a_fixed_sequence_is_the_closed_test_that_looks_at_the_first_of_each_set(p):
    assert fixed_sequence(p) == pytest.approx(closed(p, lambda own: p[min(own)]))


@FEW
@given(OF_EACH)
def test_gatekeeping_is_the_closed_test_that_looks_at_the_primary_ones_of_each_set(objectives):
    p, primary = zip(*objectives, strict=True)

    def test(own):
        first = [one for one in own if primary[one]] or own
        return min(1, len(first) * min(p[one] for one in first))

    assert gatekeeping(p, primary) == pytest.approx(closed(p, test), abs=1e-12)


def test_by_hand():
    assert holm([0.02, np.nan]).tolist() == [0.04, 1.0]
    assert fixed_sequence([np.nan, 0.001]).tolist() == [1.0, 1.0]
    assert gatekeeping([0.03, 0.001], [True, False]).tolist() == [0.03, 0.03]
    assert gatekeeping([0.03, 0.01], [False, False]).tolist() == [0.03, 0.02]
    assert holm([]).tolist() == []
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm([1.2])


@pytest.mark.parametrize("name", CORRECTIONS)
@pytest.mark.parametrize("works", [(), (0,), (0, 1)])
def test_a_false_objective_is_confirmed_no_more_often_than_alpha(name, works):
    """Two primary and two secondary objectives, of which some are true, 4,000 trials: Monte Carlo error .0034."""
    rng = np.random.default_rng(7)
    p = rng.uniform(size=(4_000, 4))
    p[:, list(works)] **= 8
    found = np.array([CORRECTIONS[name](one, np.array([True, True, False, False])) for one in p])
    false = [one for one in range(4) if one not in works]
    assert (found[:, false] <= 0.05).any(axis=1).mean() <= 0.05 + 3 * 0.0034
