"""Voxels that lack participants, and every scheme against enumeration by hand."""

from dataclasses import fields
from itertools import permutations, product

import numpy as np
import pytest
import statsmodels.api as sm
from stating import hypothesis

from bids_app.stats import (
    Inference,
    VoxelModels,
    allocations,
    compare,
    compare_arms,
    estimate,
    neighbours,
    nuisance,
    residual_permutations,
    sign_flips,
    t_to_z,
    tabled_allocations,
)

N, V = 24, 30
ROW = np.array([[-1, 1], [0, 2], [1, 3], [2, -1]], dtype=np.int32)


@pytest.fixture(scope="module")
def patchy():
    """Maps in which some voxels lack participants, one has an arm of 1, one nobody; one stratum empty somewhere."""
    generator = np.random.default_rng(31)
    arm, strata = np.arange(N) % 2, np.arange(N) // 8
    baseline, followup = generator.normal([[[3.0]], [[4.0]]], 1.0, (2, N, V))
    followup[:5, 3:9] = np.nan
    baseline[10:13, 7:12] = np.nan
    followup[strata == 2, 15] = np.nan
    followup[np.flatnonzero(arm)[1:], 20] = np.nan
    baseline[:, 21] = np.nan
    return arm, strata, baseline, followup


def prepare(patchy, estimator="ancova", **options):
    arm, strata, baseline, followup = patchy
    covariate = np.sin(np.arange(N)) if "slope" in estimator else None
    design = nuisance(N, np.cos(np.arange(N))[:, None], strata)
    stated = hypothesis(estimator, followup, baseline, design, arm=arm, covariate=covariate)
    return VoxelModels.prepare(stated, **options)


@pytest.mark.parametrize("robust", [False, True])
def test_every_voxel_is_fitted_on_the_participants_it_has(patchy, robust):
    arm, strata, baseline, followup = patchy
    effect = estimate(prepare(patchy, robust=robust))
    present = np.isfinite(baseline) & np.isfinite(followup)
    np.testing.assert_array_equal(effect.n, present.sum(axis=0) * (present.sum(axis=0) > 0))
    for voxel in np.setdiff1d(np.arange(V), [20, 21]):
        rows = present[:, voxel]
        dummies = strata[rows, None] == np.unique(strata[rows])[1:]
        columns = np.column_stack([arm[rows], baseline[rows, voxel], np.ones(rows.sum()), np.cos(np.arange(N))[rows]])
        fit = sm.OLS(followup[rows, voxel], np.column_stack([columns, dummies])).fit()
        assert effect.voxel_df[voxel] == fit.df_resid
        fit = fit.get_robustcov_results("HC3", use_t=True) if robust else fit
        assert effect.t[voxel] == pytest.approx(fit.tvalues[0], rel=1e-8)
        assert effect.ci_low[voxel] == pytest.approx(fit.conf_int()[0][0], rel=1e-7)
    assert effect.df == effect.voxel_df.max() == N - 6


def test_voxels_with_too_few_in_an_arm_are_nan(patchy):
    arm, _, baseline, followup = patchy
    found = compare_arms(followup, baseline, nuisance(N), allocations(arm, n_draws=40), min_per_arm=8)
    present = np.isfinite(baseline) & np.isfinite(followup)
    expected = np.min([present[arm == label].sum(axis=0) for label in (0, 1)], axis=0) < 8
    assert expected.sum() == 4
    for values in (found.effect.t, found.effect.hedges_g, found.statistic, found.p, found.p_fwe, found.p_fdr):
        np.testing.assert_array_equal(np.isnan(values), expected)


@pytest.mark.parametrize("estimator", ["ancova", "within", "slope", "slope-by-arm"])
@pytest.mark.parametrize("robust", [False, True])
def test_missing_voxels_leave_the_others_as_they_were(patchy, estimator, robust):
    """The batches of a complete voxel do not depend on what others lack."""
    arm, strata, baseline, followup = patchy
    whole = [0, 1, 25]
    draws = {"ancova": allocations(arm, strata, 9), "within": sign_flips(N, 9)}.get(
        estimator, residual_permutations(N, strata, 9)
    )
    among = prepare(patchy, estimator, robust=robust).statistics(draws, slice(0, 9), as_z=True)[:, whole]
    alone = prepare((arm, strata, baseline[:, whole], followup[:, whole]), estimator, robust=robust)
    np.testing.assert_allclose(alone.statistics(draws, slice(0, 9), as_z=True), among, rtol=1e-9, atol=1e-12)


def test_absent_participants_are_passed_over_within_their_stratum():
    strata = np.array([0, 1, 0, 1, 0, 1, 1])
    draws = residual_permutations(7, strata, n_draws=50, seed=2)
    rows = np.array([0, 1, 3, 4, 6])
    order, signs = draws.take(slice(None), rows)
    np.testing.assert_array_equal(order[0], np.arange(5))
    assert (signs == 1).all()
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(5), (50, 1)))
    np.testing.assert_array_equal(strata[rows][order], np.tile(strata[rows], (50, 1)))
    straight = np.isin(draws.order[:, rows], rows)
    np.testing.assert_array_equal(rows[order][straight], draws.order[:, rows][straight])


def test_permutations_of_those_present_are_equally_likely():
    draws = residual_permutations(5)
    order, _ = draws.take(slice(None), np.array([0, 2, 3]))
    counts = np.unique(order, axis=0, return_counts=True)[1]
    assert counts.tolist() == [120 // 6] * 6


SMALL = np.random.default_rng(8).standard_normal((2, 6, 4)) + np.arange(4)
ARM = np.array([1, 0, 1, 0, 1, 0])


def p_by_hand(statistics):
    """Return p and corrected p of the first of all draws, (D, V)."""
    magnitude = np.abs(np.array(statistics))
    reached = magnitude >= magnitude[0] - 1e-8
    return reached.mean(axis=0), (magnitude.max(axis=1, keepdims=True) >= magnitude[0] - 1e-8).mean(axis=0)


def t_of(outcome, columns, at=0):
    return [sm.OLS(outcome[:, voxel], columns).fit().tvalues[at] for voxel in range(outcome.shape[1])]


def test_enumerated_sign_flips_equal_those_by_hand():
    change = SMALL[1] - SMALL[0]
    found = compare(hypothesis("within", SMALL[1], SMALL[0], np.ones((6, 1))), sign_flips(6))
    by_hand = [t_of(change * np.array(signs)[:, None], np.ones(6)) for signs in product((1, -1), repeat=6)]
    p, p_fwe = p_by_hand(by_hand)
    assert found.exhaustive
    np.testing.assert_array_equal(found.p, p)
    np.testing.assert_array_equal(found.p_fwe, p_fwe)


def test_enumerated_permutations_of_residuals_equal_those_by_hand():
    covariate = np.array([0.3, 1.0, -2.0, 0.1, 0.9, 2.2])
    stated = hypothesis("slope", SMALL[1], None, np.ones((6, 1)), arm=ARM, covariate=covariate)
    found = compare(stated, residual_permutations(6))
    reduced = np.column_stack([np.ones(6), ARM])
    fitted = reduced @ np.linalg.lstsq(reduced, SMALL[1], rcond=None)[0]
    whole = np.column_stack([covariate, reduced])
    by_hand = [t_of(fitted + (SMALL[1] - fitted)[list(order)], whole) for order in permutations(range(6))]
    p, p_fwe = p_by_hand(by_hand)
    assert found.exhaustive
    assert len(found.max_statistics) == 720
    np.testing.assert_array_equal(found.p, p)
    np.testing.assert_array_equal(found.p_fwe, p_fwe)


def test_tabled_allocations_equal_those_by_hand():
    table = np.array(
        [[0, 1, 0, 1, 0, 1], [1, 1, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0], [0, 0, 1, 1, 1, 0], [1, 0, 0, 1, 0, 1]]
    )
    found = compare_arms(SMALL[1], None, np.ones((6, 1)), tabled_allocations(ARM, table, exhaustive=True))
    rows = [ARM, *(row for row in table if (row != ARM).any())]
    p, p_fwe = p_by_hand([t_of(SMALL[1], np.column_stack([row, np.ones(6)])) for row in rows])
    assert found.exhaustive
    np.testing.assert_array_equal(found.p, p)
    np.testing.assert_array_equal(found.p_fwe, p_fwe)


def test_enumerated_allocations_of_voxels_that_lack_participants_equal_those_by_hand():
    """Each voxel by the z of its own df; 0 in the draws that leave one participant in an arm."""
    outcome = SMALL[1].copy()
    outcome[0, 1], outcome[[2, 3], 2] = np.nan, np.nan
    draws = allocations(ARM)
    found = compare_arms(outcome, None, np.ones((6, 1)), draws)
    by_hand = np.zeros((20, 4))
    for row, arm in zip(by_hand, draws.arms, strict=True):
        for voxel in range(4):
            rows = np.isfinite(outcome[:, voxel])
            if 2 <= arm[rows].sum() <= rows.sum() - 2:
                fit = sm.OLS(outcome[rows, voxel], np.column_stack([arm[rows], np.ones(rows.sum())])).fit()
                row[voxel] = t_to_z(fit.tvalues[0], fit.df_resid)
    p, p_fwe = p_by_hand(by_hand)
    assert (by_hand == 0).sum() == 8
    assert found.effect.n.tolist() == [6, 5, 4, 6]
    np.testing.assert_array_equal(found.p, p)
    np.testing.assert_array_equal(found.p_fwe, p_fwe)


@pytest.mark.parametrize("statistic", ["voxel", "tfce", "extent", "mass"])
@pytest.mark.parametrize("scheme", ["allocations", "permutations", "flips"])
@pytest.mark.parametrize("robust", [False, True])
def test_result_depends_on_neither_threads_nor_order_of_voxels(patchy, statistic, scheme, robust):
    arm, strata, baseline, followup = patchy
    mask = np.ones((5, 3, 2), dtype=bool)
    draws = {
        "allocations": allocations(arm, strata, 600, seed=1),
        "permutations": residual_permutations(N, strata, 600, seed=1),
        "flips": sign_flips(N, 600, seed=1),
    }[scheme]
    stated = hypothesis("ancova", followup, baseline, nuisance(N, strata=strata), arm=arm)
    inference = Inference(statistic, neighbours(mask), threshold=1.0, robust=robust)
    one, three = (compare(stated, draws, inference, n_jobs=jobs) for jobs in (1, 3))
    for field in fields(one):
        if field.name != "effect":
            np.testing.assert_array_equal(getattr(one, field.name), getattr(three, field.name))
    shuffle = np.random.default_rng(0).permutation(V)
    position = np.append(np.argsort(shuffle), -1).astype(np.int32)
    moved = hypothesis("ancova", followup[:, shuffle], baseline[:, shuffle], nuisance(N, strata=strata), arm=arm)
    inference = Inference(statistic, position[neighbours(mask)[shuffle]], threshold=1.0, robust=robust)
    found = compare(moved, draws, inference)
    np.testing.assert_allclose(found.statistic, one.statistic[shuffle], rtol=1e-8)
    np.testing.assert_array_equal(found.p_fwe, one.p_fwe[shuffle])
    np.testing.assert_array_equal(found.p, one.p[shuffle])


@pytest.mark.parametrize(
    ("estimator", "draws", "message"),
    [
        ("within", allocations(ARM), "allocations test a difference"),
        ("within", residual_permutations(6), "needs sign flips"),
        ("post", allocations(1 - ARM), "allocations test a difference of the observed arms"),
        ("post", sign_flips(7), "7 participants, the maps of 6"),
    ],
)
def test_refuses_draws_that_do_not_suit(estimator, draws, message):
    with pytest.raises(ValueError, match=message):
        compare(hypothesis(estimator, *SMALL[::-1], np.ones((6, 1)), arm=ARM), draws)


def test_refuses_statistics_it_does_not_know():
    with pytest.raises(ValueError, match="must be one of tfce"):
        Inference("maximum")
    with pytest.raises(ValueError, match="mass needs the neighbours"):
        Inference("mass")
    assert (Inference().statistic, Inference(neighbours=ROW).statistic) == ("voxel", "tfce")
