"""Cross-over trials of several treatments: what a sample is tested for, against least squares and the closed test."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from bids_app import stats
from bids_app.errors import DataError
from bids_app.graph.features import Feature
from bids_app.group.analyses import Analysis, analyses_of, run_analysis
from bids_app.group.drawing import blocks_of_pair, is_exact, main_draws
from bids_app.group.estimable import check_design
from bids_app.group.sample import Sample
from bids_app.group.together import compare_any, compare_together, joints
from bids_app.group.treatments import how_drawn
from bids_app.settings.settings import Trial
from bids_app.trial.design import PERIODS, Design
from bids_app.trial.period_orders import PeriodOrders
from bids_app.trial.wording import SEVERAL_PERIODS

NAMES = ("placebo", "low", "high")
SIX = tuple((NAMES[a], NAMES[b], NAMES[3 - a - b]) for a in range(3) for b in range(3) if a != b)
TRIAL = Trial(design="crossover", estimator="crossover", n_permutations=100, statistic="t", baseline_motion=False)
DEGREE = Feature("degree", "r025")


def design(orders=SIX, treatments=("high", "placebo"), **more):
    sequences = PeriodOrders(NAMES, orders)
    first, second, *further = sequences.names
    words = {"words": SEVERAL_PERIODS, "treatments": treatments, "orders": sequences, "further": tuple(further)}
    return Design("sequence", second, first, *PERIODS, **words, **more)


def sample(each=3, seed=0, n_nodes=4, effect=0.0, **more):
    """Return a sample of everyone with every period; ``effect`` is of the high dose, everywhere."""
    found, rng = design(**more), np.random.default_rng(seed)
    given = np.array(found.orders.given)
    arm = rng.permutation(np.repeat(np.arange(len(given)), each))
    person = rng.normal(0, 3, (len(arm), n_nodes))
    maps = {}
    for place, name in enumerate(found.of_periods):
        treated = (given[arm, place] == 2)[:, None]
        maps[name] = person + place + effect * treated + rng.normal(0, 1, person.shape)
        maps |= {f"baseline{place + 1}": person + rng.normal(0, 1, person.shape)} if found.has_baselines else {}
    age = pd.DataFrame({"age": rng.normal(40, 9, len(arm))}, index=[f"sub-{n:02d}" for n in range(len(arm))])
    made = {"covariates": age, "strata": None, "kept": np.ones(n_nodes, bool), "grid": None, "parcels": None}
    return Sample(design=found, maps={DEGREE: maps}, arm=arm, **made)


def least_squares(of, node, formula):
    given, periods = np.array(of.design.orders.given), of.design.of_periods
    age = of.covariates["age"].to_numpy() - of.covariates["age"].mean()
    rows = []
    for who, arm in enumerate(of.arm):
        for place, name in enumerate(periods):
            before = of.maps[DEGREE].get(f"baseline{place + 1}")
            row = {"y": of.maps[DEGREE][name][who, node], "who": who, "period": place, "given": given[arm, place]}
            row |= {"age": age[who], "last": given[arm, place - 1] if place else -1}
            rows.append(row | ({"before": before[who, node]} if before is not None else {}))
    table = pd.DataFrame(rows)
    for treatment in (1, 2):
        table[f"c{treatment}"] = (table["last"] == treatment).astype(float)
    return smf.ols(formula, table).fit()


@pytest.mark.parametrize(
    ("estimator", "more", "name"),
    [
        ("crossover", "", "C(given)[T.2]"),
        ("crossover", " + before", "C(given)[T.2]"),
        ("unadjusted", "", "C(given)[T.2]"),
        ("beside-carry-over", " + c1 + c2", "C(given)[T.2]"),
        ("carry-over", " + c1 + c2", "c2"),
    ],
)
def test_estimates_of_a_sample_are_those_of_least_squares(estimator, more, name):
    of = sample(has_baselines="before" in more or estimator == "unadjusted")
    found = run_analysis(Analysis(estimator), of, of.maps[DEGREE], TRIAL)
    fit = least_squares(of, 1, f"y ~ C(who) + C(period) + C(period):age + C(given){more}")
    assert found.effect.difference[1] == pytest.approx(fit.params[name])
    assert found.effect.t[1] == pytest.approx(fit.tvalues[name])
    assert found.effect.df == pytest.approx(fit.df_resid)
    assert (found.effect.n == 18).all()  # participants, not rows


def test_analyses_are_those_that_the_sequences_tell():
    keys = [one.key for one in analyses_of(TRIAL, design())]
    assert keys == ["crossover", "beside-carry-over", "first-period", "period", "carry-over"]
    assert "unadjusted" in [one.key for one in analyses_of(TRIAL, design(has_baselines=True))]
    never_first = design((("low", "high", "placebo"), ("high", "placebo", "low"), ("low", "placebo", "high")))
    assert "first-period" not in [one.key for one in analyses_of(TRIAL, never_first)]
    texts = [one.text("voxel", design(has_baselines=True)) for one in analyses_of(TRIAL, design())]
    assert texts[0].startswith("the treatments within participants, participant and period taken out, adjusted for")
    assert Analysis("period").direction(1, design()) == "period 1 > period 3"
    assert Analysis("carry-over").direction(-1, design()) == "placebo > high"


def test_labels_move_among_sequences_that_differ_in_the_two_treatments_only():
    of = sample(each=4)
    draws, patterns = main_draws(of, TRIAL), np.array(of.design.orders.given) == 1  # where the low dose is
    places = patterns[draws.arms]
    assert (places == places[0]).all()
    assert len(np.unique(draws.arms, axis=0)) == len(draws)
    assert is_exact(of, blocks_of_pair(of.design))
    assert "the test is exact" in how_drawn(of)
    square = sample(each=4, orders=(SIX[0], SIX[3], SIX[4]))
    assert not is_exact(square, blocks_of_pair(square.design))
    assert "approximate where one of the others does" in how_drawn(square)


def test_several_treatments_are_tested_together_by_the_closed_test_and_any_by_f(tmp_path):
    of = sample(each=4, effect=2.5)
    designs = [design(treatments=one) for one in (("high", "placebo"), ("low", "placebo"))]
    path = of.save_maps(DEGREE, tmp_path / "maps.npz")
    bare, followup = of.without_maps(), of.design.followup
    tests = joints(designs, {followup: bare}, pd.Series("", index=[f"{n:02d}" for n in range(len(of.arm))]), TRIAL)
    assert [len(one.members) for one in tests] == [1, 1, 2]
    found = [compare_together(one, {followup: path}, TRIAL) for one in tests]
    closed = stats.closed([{name: one.p for name, one in test.items()} for test in found])
    assert list(closed) == ["contrast-highVsPlacebo", "contrast-lowVsPlacebo"]
    assert (closed["contrast-highVsPlacebo"] <= 0.05).all()
    assert (closed["contrast-lowVsPlacebo"] > 0.05).any()
    (any_one,) = compare_any(tests[-1], {followup: path}, TRIAL).values()
    fit = least_squares(of, 0, "y ~ C(who) + C(period) + C(period):age + C(given)")
    rows = np.eye(len(fit.params))[[list(fit.params.index).index(f"C(given)[T.{one}]") for one in (1, 2)]]
    assert any_one.comparison.effect.f[0] == pytest.approx(float(fit.f_test(rows).fvalue))


def test_residuals_of_whole_participants_are_permuted_where_that_is_asked():
    of, lane = sample(), replace(TRIAL, scheme="freedman-lane")
    found = run_analysis(Analysis("crossover"), of, of.maps[DEGREE], lane)
    assert found.p.min() > 0
    assert len(main_draws(of, lane)) == 100


def test_too_few_participants_are_refused():
    of = sample(each=1)
    few = np.isin(np.arange(6), (0, 1, 2))
    cut = replace(of, arm=of.arm[few], covariates=of.covariates[few])
    with pytest.raises(DataError, match="3 participants are too few to compare 3 treatments in 3 periods"):
        check_design(SimpleNamespace(name="voxels"), cut)
