import numpy as np
import pytest
import statsmodels.api as sm
from stating import hypothesis

from bids_app.stats import (
    VoxelModels,
    allocations,
    estimate,
    nuisance,
    residual_permutations,
    sign_flips,
)

N, V = 26, 12
ESTIMATORS = ["ancova", "change", "post", "within", "slope", "slope-by-arm"]


@pytest.fixture(scope="module")
def trial():
    """Maps with offsets, scales and correlation as real ones have; voxel-wise and other covariates."""
    generator = np.random.default_rng(20)
    arm = generator.permutation(np.repeat([0, 1], [12, 14]))
    scale = 10.0 ** generator.uniform(-3, 3, V)
    baseline = scale * (5 + generator.standard_normal((N, V)))
    noise = generator.standard_normal((N, V)) * (1 + arm[:, None])
    return {
        "arm": arm,
        "nuisance": nuisance(N, generator.normal([40, 0.2], [12, 0.05], (N, 2)), np.arange(N) % 3),
        "baseline": baseline,
        "followup": scale * (5 + 0.8 * arm[:, None] + noise) + 0.6 * baseline,
        "covariate": generator.standard_normal((N, 3)) + 4,
        "regressor": scale * generator.standard_normal((N, V)),
    }


def state(trial, estimator, columns=1, regressors=()):
    covariate = trial["covariate"][:, :columns] if "slope" in estimator else None
    maps = trial["followup"], trial["baseline"]
    return hypothesis(estimator, *maps, trial["nuisance"], arm=trial["arm"], covariate=covariate, regressors=regressors)


def design(trial, estimator, voxel, columns=1, regressor=False):
    """Return outcome and design of one voxel, tested columns first, written down anew."""
    arm, covariate = trial["arm"], trial["covariate"][:, :columns]
    before, after = trial["baseline"][:, voxel], trial["followup"][:, voxel]
    own = [trial["regressor"][:, voxel]] if regressor else []
    fixed, centred = trial["nuisance"], trial["nuisance"] - trial["nuisance"].mean(axis=0)
    outcome, parts = {
        "ancova": (after, [arm, before, fixed]),
        "change": (after - before, [arm, fixed]),
        "post": (after, [arm, fixed]),
        "within": (after - before, [np.ones(N), centred[:, 1:]]),
        "slope": (after, [covariate, arm, before, fixed]),
        "slope-by-arm": (after, [covariate * arm[:, None], covariate, arm, before, fixed]),
    }[estimator]
    return outcome, np.column_stack([*parts, *own])


def peer(outcome, columns, robust):
    fit = sm.OLS(outcome, columns).fit()
    return fit.get_robustcov_results("HC3", use_t=True) if robust else fit


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("regressor", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_effect_equals_least_squares_by_statsmodels(trial, estimator, regressor, robust):
    regressors = [trial["regressor"]] if regressor else []
    models = VoxelModels.prepare(state(trial, estimator, 1, regressors), robust=robust)
    effect, f = estimate(models), models.parts[0].model.observed(robust).f()[0]
    for voxel in range(V):
        fit = peer(*design(trial, estimator, voxel, regressor=regressor), robust)
        expected = fit.f_test(np.eye(1, len(fit.params)))
        assert f[voxel] == pytest.approx(float(expected.fvalue), rel=1e-8)
        assert effect.df == effect.voxel_df[voxel] == fit.df_resid
        assert effect.n[voxel] == N
        assert effect.t[voxel] == pytest.approx(fit.tvalues[0], rel=1e-8)
        assert effect.difference[voxel] == pytest.approx(fit.params[0], rel=1e-8)
        assert effect.standard_error[voxel] == pytest.approx(fit.bse[0], rel=1e-8)
        np.testing.assert_allclose([effect.ci_low[voxel], effect.ci_high[voxel]], fit.conf_int()[0], rtol=1e-7)
        classical = peer(*design(trial, estimator, voxel, regressor=regressor), False)
        r2 = classical.tvalues[0] ** 2 / (classical.tvalues[0] ** 2 + classical.df_resid)
        assert effect.partial_r2[voxel] == pytest.approx(r2, rel=1e-8)


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("estimator", ["slope", "slope-by-arm"])
@pytest.mark.parametrize("columns", [2, 3])
def test_f_of_several_columns_equals_statsmodels(trial, estimator, columns, robust):
    found = estimate(VoxelModels.prepare(state(trial, estimator, columns), robust=robust))
    assert found.q == columns
    for voxel in range(V):
        fit = peer(*design(trial, estimator, voxel, columns), robust)
        expected = fit.f_test(np.eye(columns, len(fit.params)))
        assert found.f[voxel] == pytest.approx(float(expected.fvalue), rel=1e-8)
        assert found.df == expected.df_denom


@pytest.mark.parametrize("estimator", ["ancova", "change", "post"])
@pytest.mark.parametrize("robust", [False, True])
def test_allocations_give_one_fit_each(trial, estimator, robust):
    stated = state(trial, estimator, 1, [trial["regressor"]])
    draws = allocations(trial["arm"], np.arange(N) % 3, n_draws=6)
    t = VoxelModels.prepare(stated, robust=robust).statistics(draws, slice(0, 6), as_z=False)
    for row, arm in zip(t, draws.arms, strict=True):
        for voxel in (0, 7):
            outcome, columns = design(trial, estimator, voxel, regressor=True)
            columns[:, 0] = arm
            assert row[voxel] == pytest.approx(peer(outcome, columns, robust).tvalues[0], rel=1e-8)


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rearranged_residuals_give_one_fit_each(trial, estimator, columns, robust):
    """Freedman & Lane and sign flips, written down as they are defined: residuals moved, fit added, refitted."""
    stated = state(trial, estimator, columns, [trial["regressor"]])
    q = stated.tested.shape[1]
    draws = sign_flips(N, 5, seed=3) if estimator == "within" else residual_permutations(N, np.arange(N) % 2, 5, 3)
    statistics = VoxelModels.prepare(stated, robust=robust).statistics(draws, slice(1, 5), as_z=False)
    for row, order, signs in zip(statistics, draws.order[1:], draws.signs[1:], strict=True):
        for voxel in (0, 7):
            outcome, whole = design(trial, estimator, voxel, columns, regressor=True)
            reduced = sm.OLS(outcome, whole[:, q:]).fit()
            fit = peer(reduced.fittedvalues + signs * reduced.resid[order], whole, robust)
            expected = fit.tvalues[0] if q == 1 else float(fit.f_test(np.eye(q, len(fit.params))).fvalue)
            assert row[voxel] == pytest.approx(expected, rel=1e-7)


def test_change_adjusted_for_baseline_has_the_t_of_ancova(trial):
    ancova = estimate(VoxelModels.prepare(state(trial, "ancova")))
    adjusted = estimate(VoxelModels.prepare(state(trial, "change", 1, [trial["baseline"]])))
    np.testing.assert_allclose(adjusted.t, ancova.t, rtol=1e-8)


def test_swapping_the_arms_flips_the_sign(trial):
    effect = estimate(VoxelModels.prepare(state(trial, "ancova")))
    swapped = estimate(VoxelModels.prepare(state(trial | {"arm": 1 - trial["arm"]}, "ancova")))
    np.testing.assert_allclose(swapped.z, -effect.z, rtol=1e-9)
    np.testing.assert_allclose(swapped.ci_low, -effect.ci_high, rtol=1e-7)
    np.testing.assert_allclose(swapped.g_low, -effect.g_high, rtol=1e-7)


@pytest.mark.parametrize("robust", [False, True])
def test_voxels_without_variance_have_no_effect(trial, robust):
    baseline, followup, arm = trial["baseline"], trial["followup"], trial["arm"]
    followup = np.column_stack([np.full(N, 0.3), baseline[:, 0] * 2 + 1, followup[:, :1], followup[:, :1]])
    baseline = np.column_stack([baseline[:, 0], baseline[:, 0], np.full(N, 0.3), arm])
    stated = hypothesis("ancova", followup, baseline, trial["nuisance"], arm=arm)
    effect = estimate(VoxelModels.prepare(stated, robust=robust))
    assert effect.t[[1, 3]].tolist() == effect.z[[1, 3]].tolist() == [0, 0]
    assert effect.difference[1] == 0
    assert effect.t[2] != 0
    names = ("difference", "ci_low", "hedges_g", "g_low")
    assert all(np.isfinite(getattr(effect, name)[1:]).all() for name in names)
    assert all(np.isnan(getattr(effect, name)[0]) for name in names)  # the same for everyone: nothing to test


def test_a_participant_alone_in_a_stratum_changes_nothing_robustly(trial):
    """Its leverage is 1 and its residual 0: as if it were absent."""
    alone = np.column_stack([trial["nuisance"], np.arange(N) == 5])
    rest = np.arange(N) != 5
    whole = hypothesis("ancova", trial["followup"], trial["baseline"], alone, arm=trial["arm"])
    without = hypothesis(
        "ancova", trial["followup"][rest], trial["baseline"][rest], trial["nuisance"][rest], arm=trial["arm"][rest]
    )
    found, expected = (estimate(VoxelModels.prepare(stated, robust=True)) for stated in (whole, without))
    np.testing.assert_allclose(found.t, expected.t, rtol=1e-7)


def test_a_participant_who_alone_makes_the_contrast_has_no_robust_t(trial):
    arm = (np.arange(N) == 5).astype(int)
    stated = hypothesis("post", trial["followup"], None, np.ones((N, 1)), arm=arm)
    assert not estimate(VoxelModels.prepare(stated, robust=True, min_per_arm=1)).t.any()
    both = np.column_stack([arm, np.arange(N) == 6]).astype(float)
    stated = hypothesis("slope", trial["followup"], None, np.ones((N, 1)), covariate=both)
    assert not estimate(VoxelModels.prepare(stated, robust=True)).f.any()


@pytest.mark.parametrize("columns", [1, 2])
def test_units_of_the_covariate_do_not_matter(trial, columns):
    for values in (trial["covariate"][:, :columns], trial["covariate"][:, :columns] * [1, 1e-7][:columns]):
        small, large = (
            estimate(VoxelModels.prepare(state(trial | {"covariate": scale * values}, "slope", columns), robust=True))
            for scale in (1e-9, 1e9)
        )
        np.testing.assert_allclose(small.z, large.z, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nuisance": np.column_stack([np.ones(N), np.arange(N) % 2]), "arm": np.arange(N) % 2}, "linear combination"),
        ({"followup": np.full((N, V), np.nan)}, "no voxel of 12"),
        ({"followup": np.full((N, V), np.inf)}, "infinite"),
        ({"baseline": np.zeros((N, V - 1))}, "baseline has shape"),
        ({"nuisance": np.eye(N)[:, : N - 2]}, "df are left"),
        ({"arm": np.full(N, 2)}, "whole numbers from 0 to 1"),
    ],
)
def test_refuses_what_it_cannot_fit(trial, change, message):
    with pytest.raises(ValueError, match=message):
        VoxelModels.prepare(state(trial | change, "ancova"))


@pytest.mark.parametrize(
    ("estimator", "given", "message"),
    [
        ("median", {"arm": [0, 1, 0, 1]}, "must be one of ancova"),
        ("post", {}, "needs the arm"),
        ("slope-by-arm", {"arm": [0, 1, 0, 1]}, "needs a covariate"),
        ("slope", {"covariate": [1, 2, 3, np.nan]}, "1 values that are not finite"),
        ("change", {"arm": [0, 1, 0, 1]}, "needs baseline maps"),
    ],
)
def test_says_what_an_estimator_lacks(estimator, given, message):
    with pytest.raises(ValueError, match=message):
        hypothesis(estimator, np.zeros((4, 2)), None, np.ones((4, 1)), **given)
