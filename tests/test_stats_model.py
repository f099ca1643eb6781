import numpy as np
import pytest
import statsmodels.api as sm

from bids_app.stats import ArmModel, nuisance

N, V = 26, 40


@pytest.fixture(scope="module")
def trial():
    """Arm, nuisance, baseline and follow-up with offsets, scales and correlation as real maps have."""
    generator = np.random.default_rng(20)
    arm = generator.permutation(np.repeat([0, 1], [12, 14]))
    design = nuisance(N, generator.normal([40, 0.2], [12, 0.05], (N, 2)), np.arange(N) % 3)
    scale = 10.0 ** generator.uniform(-3, 3, V)
    baseline = scale * (5 + generator.standard_normal((N, V)))
    followup = scale * (5 + 0.8 * arm[:, None] + generator.standard_normal((N, V))) + 0.6 * baseline
    return arm, design, baseline, followup


@pytest.mark.parametrize("kind", ["ancova", "change", "followup only"])
def test_effect_equals_least_squares_by_statsmodels(trial, kind):
    arm, design, baseline, followup = trial
    outcome, own = (followup - baseline, None) if kind == "change" else (followup, None)
    own = baseline if kind == "ancova" else own
    effect = ArmModel.prepare(outcome, own, design).effect(arm)
    for voxel in range(V):
        columns = [arm, design] if own is None else [arm, own[:, voxel], design]
        fit = sm.OLS(outcome[:, voxel], np.column_stack(columns)).fit()
        assert effect.df == fit.df_resid
        assert effect.t[voxel] == pytest.approx(fit.tvalues[0], rel=1e-8)
        assert effect.difference[voxel] == pytest.approx(fit.params[0], rel=1e-8)
        assert effect.standard_error[voxel] == pytest.approx(fit.bse[0], rel=1e-8)
        interval = [effect.ci_low[voxel], effect.ci_high[voxel]]
        np.testing.assert_allclose(interval, fit.conf_int()[0], rtol=1e-8)


def test_batch_of_allocations_equals_one_fit_each(trial):
    arm, design, baseline, followup = trial
    arms = np.random.default_rng(2).permuted(np.tile(arm, (5, 1)), axis=1)
    t = ArmModel.prepare(followup, baseline, design).t(arms)
    for row, allocation in enumerate(arms):
        columns = np.column_stack([allocation, baseline[:, 7], design])
        assert t[row, 7] == pytest.approx(sm.OLS(followup[:, 7], columns).fit().tvalues[0], rel=1e-8)


def test_change_adjusted_for_baseline_has_the_t_of_ancova(trial):
    arm, design, baseline, followup = trial
    ancova = ArmModel.prepare(followup, baseline, design).effect(arm)
    adjusted_change = ArmModel.prepare(followup - baseline, baseline, design).effect(arm)
    np.testing.assert_allclose(adjusted_change.t, ancova.t, rtol=1e-8)


def test_hedges_g_of_two_small_groups():
    # Means 2 and 6, both variances 1: g = (1 - 3 / (4 * 4 - 1)) * 4.
    outcome = np.array([[1.0], [2.0], [3.0], [5.0], [6.0], [7.0]])
    effect = ArmModel.prepare(outcome, None, np.ones((6, 1))).effect(np.repeat([0, 1], 3))
    assert effect.hedges_g[0] == pytest.approx(0.8 * 4)


def test_swapping_the_arms_flips_the_sign(trial):
    arm, design, baseline, followup = trial
    model = ArmModel.prepare(followup, baseline, design)
    effect, swapped = model.effect(arm), model.effect(1 - arm)
    np.testing.assert_allclose(swapped.z, -effect.z, rtol=1e-9)
    np.testing.assert_allclose(swapped.ci_low, -effect.ci_high, rtol=1e-7)


def test_voxels_without_variance_have_no_effect(trial):
    arm, design, baseline, followup = trial
    followup = np.column_stack([np.full(N, 0.3), baseline[:, 0] * 2 + 1, followup[:, :1], followup[:, :1]])
    baseline = np.column_stack([baseline[:, 0], baseline[:, 0], np.full(N, 0.3), arm])
    effect = ArmModel.prepare(followup, baseline, design).effect(arm)
    assert effect.t[[0, 1, 3]].tolist() == effect.z[[0, 1, 3]].tolist() == [0, 0, 0]
    assert effect.difference[[0, 1]].tolist() == [0, 0]
    assert effect.t[2] != 0
    assert all(np.isfinite(getattr(effect, name)).all() for name in ("difference", "ci_low", "hedges_g"))


def test_ancova_is_more_sensitive_than_change():
    """At test-retest r = 0.5 its variance is (1 + r) / 2 of the change score's."""
    generator = np.random.default_rng(4)
    arm, r, voxels = np.repeat([0, 1], [21, 22]), 0.5, 4000
    baseline = generator.standard_normal((43, voxels))
    noise = generator.standard_normal((43, voxels))
    followup = r * baseline + np.sqrt(1 - r**2) * noise + 0.9 * arm[:, None]
    ancova = ArmModel.prepare(followup, baseline, nuisance(43)).effect(arm)
    change = ArmModel.prepare(followup - baseline, None, nuisance(43)).effect(arm)
    ratio = np.mean(ancova.standard_error**2) / np.mean(change.standard_error**2)
    assert ratio == pytest.approx(0.75, abs=0.03)
    assert np.mean(ancova.z > 3.29) > np.mean(change.z > 3.29) + 0.05
    assert np.mean(ancova.difference) == pytest.approx(0.9, abs=0.02)


def test_refuses_what_it_cannot_fit(trial):
    arm, design, baseline, followup = trial
    with pytest.raises(ValueError, match="linear combination"):
        ArmModel.prepare(followup, baseline, np.column_stack([np.ones(N), arm])).effect(arm)
    with pytest.raises(ValueError, match="followup"):
        ArmModel.prepare(np.full((N, 3), np.nan), None, design)
    with pytest.raises(ValueError, match="baseline"):
        ArmModel.prepare(followup, baseline[:, 1:], design)
    with pytest.raises(ValueError, match="df"):
        ArmModel.prepare(followup[:3], baseline[:3], nuisance(3))
