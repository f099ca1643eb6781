"""Every analysis of a small sample against least squares, and what each is called."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from bids_app.group.analyses import Analysis, analyses_of, run_analysis
from bids_app.group.sample import Sample
from bids_app.settings.settings import Trial
from bids_app.space.grid import Grid
from bids_app.trial.design import Design

DESIGN = Design("arm", "drug", "usual care", "pre", "post")
N = 24
TRIAL = Trial(n_permutations=200, random_seed=2, slopes=("age",))


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    symptoms = pd.DataFrame({"hamd": rng.normal(size=N)})
    symptoms.loc[[3, 8], "hamd"] = np.nan
    return Sample(
        design=DESIGN,
        maps={},
        arm=np.arange(N) % 2,
        covariates=pd.DataFrame({"motion": rng.normal(size=N), "age": rng.normal(40, 9, N)}),
        strata=None,
        kept=np.ones(27, bool),
        grid=Grid(np.ones((3, 3, 3), bool), np.eye(4)),
        parcels=None,
        slopes=pd.DataFrame({"age": rng.normal(40, 9, N)}),
        symptoms=symptoms,
    )


@pytest.fixture(scope="module")
def maps(sample):
    rng = np.random.default_rng(1)
    baseline = rng.normal(size=(N, 27))
    change = rng.normal(size=(N, 27)) + 0.8 * np.nan_to_num(sample.symptoms["hamd"].to_numpy())[:, np.newaxis]
    return {"pre": baseline, "post": baseline + change}


def least_squares(columns, outcome, place):
    fit = sm.OLS(outcome, np.column_stack(columns)).fit()
    return fit.tvalues[place]


def test_names_and_order():
    keys = [one.key for one in analyses_of(TRIAL, DESIGN, ["hamd"])]
    assert keys == [
        *("ancova", "change", "within:drug", "within:usual care", "slope:age", "slope-by-arm:age"),
        *("symptom:hamd", "symptom-by-arm:hamd"),
    ]
    assert [one.key for one in analyses_of(replace(TRIAL, estimator="post", slopes=()), DESIGN)][:3] == [
        *("post", "ancova", "change"),
    ]
    suffixes = [one.suffix for one in analyses_of(TRIAL, DESIGN, ["hamd"])]
    assert len(set(suffixes)) == len(suffixes)
    assert suffixes[:3] == ["", "Change", "WithinDrug"]


def test_the_arms_are_compared_by_least_squares(sample, maps):
    baseline, followup = maps["pre"], maps["post"]
    shared = [np.ones(N), *sample.covariates.to_numpy().T]
    for estimator, outcome, own in (
        ("ancova", followup, [baseline[:, 5]]),
        ("change", followup - baseline, []),
        ("post", followup, []),
    ):
        found = run_analysis(Analysis(estimator), sample, maps, TRIAL)
        expected = least_squares([sample.arm, *own, *shared], outcome[:, 5], 0)
        assert found.effect.t[5] == pytest.approx(expected, rel=1e-8)


def test_a_symptom_is_held_against_the_change_of_those_who_have_it(sample, maps):
    change, rows = maps["post"] - maps["pre"], sample.symptoms["hamd"].notna().to_numpy()
    symptom, arm = sample.symptoms["hamd"][rows].to_numpy(), sample.arm[rows]
    shared = [np.ones(rows.sum()), *sample.covariates.to_numpy()[rows].T, arm]
    found = run_analysis(Analysis("symptom", "hamd"), sample, maps, TRIAL)
    assert found.effect.t[5] == pytest.approx(least_squares([symptom, *shared], change[rows, 5], 0), rel=1e-8)
    assert found.effect.n[5] == N - 2
    assert found.p_fwe.min() < 0.05
    found = run_analysis(Analysis("symptom-by-arm", "hamd"), sample, maps, TRIAL)
    expected = least_squares([(symptom - symptom.mean()) * arm, symptom, *shared], change[rows, 5], 0)
    assert found.effect.t[5] == pytest.approx(expected, rel=1e-8)
    assert found.p_fwe.min() > 0.01


def test_a_slope_is_not_adjusted_for_itself(sample, maps):
    baseline, followup = maps["pre"], maps["post"]
    age = sample.slopes["age"]
    own = replace(sample, covariates=sample.covariates.assign(age=age))
    found = run_analysis(Analysis("slope", "age"), own, maps, TRIAL)
    columns = [age - age.mean(), sample.arm, baseline[:, 5], np.ones(N), sample.covariates["motion"]]
    assert found.effect.t[5] == pytest.approx(least_squares(columns, followup[:, 5], 0), rel=1e-8)


@pytest.mark.parametrize("arm", [1, 0])
def test_within_an_arm(sample, maps, arm):
    found = run_analysis(Analysis("within", sample.design.arms[arm]), sample, maps, TRIAL)
    change = (maps["post"] - maps["pre"])[sample.arm == arm]
    np.testing.assert_allclose(
        found.effect.t, change.mean(axis=0) / change.std(axis=0, ddof=1) * np.sqrt(len(change)), rtol=1e-8
    )


@pytest.mark.parametrize(
    "options",
    [
        {"scheme": "freedman-lane"},
        {"statistic": "cluster-mass", "cluster_threshold": 1.0},
        {"statistic": "cluster-extent", "cluster_threshold": 1.0, "connectivity": 26},
        {"statistic": "t"},
        {"hc3": True},
        {"tail_approximation": True},
    ],
)
def test_other_inference_leaves_the_estimate(sample, maps, options):
    usual = run_analysis(Analysis("ancova"), sample, maps, TRIAL)
    found = run_analysis(Analysis("ancova"), sample, maps, replace(TRIAL, **options))
    np.testing.assert_allclose(found.effect.difference, usual.effect.difference, rtol=1e-10)
    assert (found.effect.standard_error != usual.effect.standard_error).any() == bool(options.get("hc3"))
    assert ((found.p_fwe > 0) & (found.p_fwe <= 1)).all()


def test_voxels_that_some_lack(sample, maps):
    baseline, followup = (values.copy() for values in maps.values())
    followup[[0, 2, 5], 7] = np.nan
    found = run_analysis(Analysis("ancova"), sample, {"pre": baseline, "post": followup}, replace(TRIAL, min_per_arm=8))
    assert (found.effect.n[7], found.effect.n[8]) == (N - 3, N)
    rows = np.isfinite(followup[:, 7])
    columns = [sample.arm[rows], baseline[rows, 7], np.ones(N - 3), *sample.covariates.to_numpy()[rows].T]
    assert found.effect.t[7] == pytest.approx(least_squares(columns, followup[rows, 7], 0), rel=1e-8)
