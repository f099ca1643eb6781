"""What must hold of the mixed model for repeated measures: invariances, its steps back, its level."""

import numpy as np
import pytest
from scipy import stats
from scored_trials import all_differences, arrays, fitted

from benchmarks.repeated_scores import error_rates, null_trial, p_values
from bids_app.stats.estimates import by_t
from bids_app.stats.scores import KENWARD_ROGER, SATTERTHWAITE, STRUCTURES, NotEstimated, fit_mmrm
from bids_app.stats.scores.simultaneous import LargestT

NAMES = list(STRUCTURES)


def numbers(contrast):
    return np.array([contrast.estimate, contrast.standard_error, contrast.df, contrast.p])


def last_of(fit, arm=1, visit=-1):
    return numbers(fit.differences()[arm, range(fit.shape[1])[visit]])


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_participants_does_not_matter(name):
    order = np.random.default_rng(0).permutation(40)
    shuffled = fit_mmrm(*(one[order] for one in arrays("dropout")), structures=[name])
    np.testing.assert_allclose(last_of(shuffled), last_of(fitted("dropout", name)), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_visits_in_reverse_give_the_same(name):
    scores, *more = arrays("dropout")
    back, fit = fit_mmrm(scores[:, ::-1], *more, structures=[name]), fitted("dropout", name)
    np.testing.assert_allclose(last_of(back, visit=0), last_of(fit), rtol=1e-6)
    assert back.loglik == pytest.approx(fit.loglik, rel=1e-10)


def test_unstructured_visits_have_no_order():
    scores, *more = arrays("dropout")
    mixed, fit = fit_mmrm(scores[:, [2, 0, 3, 1]], *more), fitted("dropout")
    np.testing.assert_allclose(last_of(mixed, visit=2), last_of(fit), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("factor", "shift"), [(1e-3, 0.0), (-40.0, 1e4)])
def test_units_of_the_score_scale_estimates_and_change_no_p(name, factor, shift):
    scores, *more = arrays("dropout")
    other, fit = fit_mmrm(factor * scores + shift, *more, structures=[name]), fitted("dropout", name)
    scale = np.array([factor, abs(factor), 1, 1])
    np.testing.assert_allclose(last_of(other), scale * last_of(fit), rtol=1e-6)
    np.testing.assert_allclose(other.of_visits, factor**2 * fit.of_visits, rtol=1e-5)
    mean = other.adjusted_means()[0, 2].estimate
    assert mean == pytest.approx(factor * fit.adjusted_means()[0, 2].estimate + shift, rel=1e-8)


def test_units_of_baseline_and_covariates_change_no_contrast():
    scores, arm, baseline, covariates = arrays("dropout")
    moved = covariates.copy()
    moved[:, 0] = 1e4 - 365 * moved[:, 0]
    other, fit = fit_mmrm(scores, arm, 100 - baseline / 7, moved), fitted("dropout")
    for one, same in zip(other.adjusted_means().values(), fit.adjusted_means().values(), strict=True):
        np.testing.assert_allclose(numbers(one), numbers(same), rtol=1e-6)
    assert other.coefficients[fit.labels.index("covariate 0")] == pytest.approx(
        fit.coefficients[fit.labels.index("covariate 0")] / -365, rel=1e-6
    )


def test_who_has_no_follow_up_or_no_baseline_changes_nothing_and_is_counted():
    scores, arm, baseline, covariates = arrays("dropout")
    there = np.isfinite(scores).any(axis=1)
    fit = fitted("dropout")
    assert (fit.n_participants, fit.n_without_score, fit.n_without_baseline) == (there.sum(), (~there).sum(), 0)
    assert fit.n_values == np.isfinite(scores).sum()
    only = fit_mmrm(scores[there], arm[there], baseline[there], covariates[there])
    np.testing.assert_allclose(last_of(only), last_of(fit), rtol=1e-12)
    more = fit_mmrm(
        np.vstack([scores, scores[0]]),
        np.append(arm, 1),
        np.append(baseline, np.nan),
        np.vstack([covariates, [50.0, 0, 1]]),
    )
    np.testing.assert_allclose(last_of(more), last_of(fit), rtol=1e-12)
    assert (more.n_participants, more.n_without_baseline) == (fit.n_participants, 1)


def test_the_labels_of_the_arms_do_not_matter():
    scores, arm, *more = arrays("unbalanced")
    fit, other = fitted("unbalanced"), fit_mmrm(scores, np.array([2, 0, 1])[arm], *more)
    same, found = fit.differences()[1, 2], other.differences(reference=2)[0, 2]
    np.testing.assert_allclose(numbers(found), numbers(same), rtol=1e-6)


def test_a_difference_is_that_of_the_adjusted_means_and_the_average_that_of_the_differences():
    fit = fitted("unbalanced")
    means, differences = fit.adjusted_means(), fit.differences()
    assert set(differences) == {(arm, visit) for arm in (1, 2) for visit in range(3)}
    for (arm, visit), one in differences.items():
        assert one.estimate == pytest.approx(means[arm, visit].estimate - means[0, visit].estimate)
    average = fit.average_differences()[2]
    assert average.estimate == pytest.approx(np.mean([differences[2, visit].estimate for visit in range(3)]))
    plain = by_t("", (0, 0), average.estimate, average.standard_error, average.df)
    assert (average.ci_low, average.ci_high, average.p) == pytest.approx((plain.ci_low, plain.ci_high, plain.p))
    assert fit.contrast(fit.weights(2, range(3)), level=0.99).ci_low < average.ci_low


def test_covariates_by_visit_have_a_coefficient_at_each_follow_up():
    scores, arm, baseline, covariates = arrays("complete")[0], *arrays("complete")[1:3], np.arange(26.0)[:, None] % 7
    fit = fit_mmrm(scores, arm, baseline, covariates, by_visit=True)
    own = [fit_mmrm(scores[:, [visit]], arm, baseline, covariates) for visit in range(3)]  # of complete scores
    assert fit.labels[-3:] == tuple(f"covariate 0 at follow-up {visit}" for visit in (1, 2, 3))
    np.testing.assert_allclose(fit.coefficients[-3:], [one.coefficients[-1] for one in own], rtol=1e-8)
    for visit, one in enumerate(own):
        np.testing.assert_allclose(numbers(fit.differences()[1, visit]), last_of(one), rtol=1e-5)


def test_columns_that_add_nothing_are_left_out():
    scores, arm, baseline, covariates = arrays("dropout")
    more = np.column_stack([np.full(40, 0.1), covariates, covariates[:, 1] + covariates[:, 2], arm])
    fit = fit_mmrm(scores, arm, baseline, more)
    np.testing.assert_allclose(last_of(fit), last_of(fitted("dropout")), rtol=1e-6)
    assert fit.labels[-3:] == ("covariate 1", "covariate 2", "covariate 3")
    np.testing.assert_allclose(fit.coefficients[-3:], fitted("dropout").coefficients[-3:], rtol=1e-6)


def test_a_stratum_that_nobody_has_at_a_follow_up_has_no_coefficient_there():
    scores, arm, baseline, _ = arrays("dropout")
    rare = (np.arange(40) < 4)[:, None].astype(float)
    scores[:4, 3] = np.nan
    fit = fit_mmrm(scores, arm, baseline, rare, by_visit=True)
    assert fit.labels[-3:] == tuple(f"covariate 0 at follow-up {visit}" for visit in (1, 2, 3))


def test_visits_that_nobody_has_both_step_back_and_say_so():
    scores, *more = arrays("complete")
    even = np.arange(len(scores)) % 2 == 0
    scores[even, 1], scores[~even, 2] = np.nan, np.nan
    fit = fit_mmrm(scores, *more)
    assert fit.structure == "heterogeneous Toeplitz"
    assert fit.left == ("unstructured: nobody has scores at both follow-up 2 and follow-up 3",)
    assert last_of(fit)[1:].min() > 0
    np.testing.assert_allclose(last_of(fit), last_of(fit_mmrm(scores, *more, structures=["heterogeneous Toeplitz"])))


def test_the_steps_go_on_as_far_as_they_must():
    scores, *more = arrays("complete")
    even = np.arange(len(scores)) % 2 == 0
    scores[even, 2], scores[~even, :2] = np.nan, np.nan
    fit = fit_mmrm(scores, *more)
    assert fit.structure == "AR(1)"
    assert fit.left == (
        "unstructured: nobody has scores at both follow-up 1 and follow-up 3, nor at follow-up 2 and follow-up 3",
        "heterogeneous Toeplitz: nobody has scores at both follow-up 1 and follow-up 3",
    )
    once = np.where(np.eye(3)[np.arange(len(scores)) % 3] == 1, arrays("complete")[0], np.nan)
    with pytest.raises(
        NotEstimated, match=r"unstructured: .*; heterogeneous .*; AR.1.: .*; compound symmetry: nobody has"
    ):
        fit_mmrm(once, *more)


def test_fewer_participants_than_visits_and_arms_are_too_few_for_unstructured():
    """The residuals of 8 in two arms span 6 dimensions: their covariance at 7 visits is singular."""
    generator = np.random.default_rng(3)
    scores = generator.standard_normal((10, 1)) + generator.standard_normal((10, 7))
    arm = np.arange(10) % 2
    assert fit_mmrm(scores, arm).structure == "unstructured"
    fit = fit_mmrm(scores[:8], arm[:8])
    assert fit.structure == "heterogeneous Toeplitz"
    assert fit.left == ("unstructured: the likelihood grows on as the follow-ups come to depend on each other exactly",)
    fit = fit_mmrm(scores[:5], arm[:5])
    assert fit.left[0] == "unstructured: 21 degrees of freedom are too few for its 28 parameters"


def test_a_joint_test_of_more_than_the_scores_can_tell_has_no_p():
    scores = np.random.default_rng(7).standard_normal((8, 4))
    scores[0, 1:], scores[1, 3], scores[2, 0] = np.nan, np.nan, np.nan
    fit = fit_mmrm(scores, np.arange(8) % 2)
    joint = fit.joint(all_differences(fit))
    assert np.isnan([joint.statistic, joint.df_denominator, joint.p]).all()


def test_visits_that_correlate_nearly_perfectly_are_still_fitted():
    generator = np.random.default_rng(0)
    scores = generator.standard_normal((60, 1)) + 0.01 * generator.standard_normal((60, 5))
    scores[generator.random((60, 5)) < 0.1] = np.nan
    fit = fit_mmrm(scores, np.arange(60) % 2)
    assert (fit.structure, fit.left) == ("unstructured", ())


def test_scores_that_repeat_exactly_are_not_fitted():
    scores = np.random.default_rng(0).standard_normal((20, 1)).repeat(3, axis=1)
    with pytest.raises(NotEstimated, match=r"unstructured: .*compound symmetry: "):
        fit_mmrm(scores, np.arange(20) % 2)


def test_what_cannot_be_estimated_is_named():
    scores, arm, baseline, covariates = arrays("dropout")
    scores[arm == 1, 3] = np.nan
    with pytest.raises(NotEstimated, match="arm 1 at follow-up 4"):
        fit_mmrm(scores, arm, baseline, covariates)
    with pytest.raises(NotEstimated, match="baseline at follow-up 1"):
        fit_mmrm(scores[:, :3], arm, np.ones(40), covariates)
    with pytest.raises(NotEstimated, match="leave no error"):
        fit_mmrm(np.ones((10, 2)), np.arange(10) % 2)


def test_arrays_that_do_not_fit_are_refused():
    scores, arm, baseline, covariates = arrays("dropout")
    fit = fitted("dropout")
    with pytest.raises(ValueError, match=r"scores must have shape \(40, M\)"):
        fit_mmrm(scores[:5], arm)
    with pytest.raises(ValueError, match="baseline must have shape"):
        fit_mmrm(scores, arm, baseline[:5])
    with pytest.raises(ValueError, match="covariates must have shape"):
        fit_mmrm(scores, arm, baseline, covariates[:, 0])
    with pytest.raises(ValueError, match="covariates hold 1 values"):
        fit_mmrm(scores, arm, baseline, np.where(np.arange(40) == 0, np.nan, 1.0)[:, None])
    with pytest.raises(ValueError, match="integers"):
        fit_mmrm(scores, arm * 1.5)
    with pytest.raises(ValueError, match="structures are of"):
        fit_mmrm(scores, arm, structures=["spatial"])
    with pytest.raises(ValueError, match="weights must have shape"):
        fit.contrast(np.ones((2, 3)))
    with pytest.raises(ValueError, match="degrees of freedom"):
        fit.differences(method="between-within")


def test_simultaneous_intervals_are_those_of_mvtnorm():
    """qmvt(.95, tail = "both.tails", corr = .5): 2.3788 of two and 20, 2.4733 of three and 30 degrees of freedom.

    With the average of two that correlate .3, pmvt(-2.3, 2.3, df = 20) is .93174, to .0006.
    """
    for size, df, expected in ((2, 20, 2.3788), (3, 30, 2.4733)):
        found = LargestT.of(np.full((size, size), 0.5) + np.eye(size) / 2, df)
        assert found.critical(0.95) == pytest.approx(expected, abs=1e-3)
    rows = np.array([[1, 0], [0, 1], [0.5, 0.5]])
    covariance = rows @ np.array([[1, 0.3], [0.3, 1]]) @ rows.T
    errors = np.sqrt(np.diag(covariance))
    assert LargestT.of(covariance / np.outer(errors, errors), 20).beyond(2.3) == pytest.approx(1 - 0.93174, abs=1e-3)


def test_simultaneous_intervals_lie_between_single_ones_and_bonferronis():
    fit = fitted("unbalanced")
    weights = all_differences(fit)
    together = fit.simultaneous(weights)
    single = list(fit.differences().values())
    assert together.df == min(one.df for one in single)
    for one, alone in zip(together.contrasts, single, strict=True):
        assert one.ci_low < alone.ci_low < alone.ci_high < one.ci_high
        assert alone.p < one.p < 1
        assert (one.p <= 0.05) == (one.ci_low > 0 or one.ci_high < 0)
    assert together.critical < stats.t.ppf(1 - 0.025 / len(weights), together.df)
    alone = fit.simultaneous(weights[:1])
    assert alone.contrasts[0].p == pytest.approx(single[0].p, rel=1e-6)
    assert alone.contrasts[0].ci_low == pytest.approx(single[0].ci_low, rel=1e-6)


def test_no_fit_of_null_trials_fails_and_few_reject():
    """A short form of the next: 200 trials, within their binomial interval of 99 %."""
    rates = error_rates(200, KENWARD_ROGER, seed=1)
    low, high = stats.binom.interval(0.99, 200, 0.05)
    assert ((low <= 200 * rates) & (200 * rates <= high)).all()


@pytest.mark.slow
def test_the_level_is_kept_in_a_thousand_null_trials():
    rates = error_rates(1000, KENWARD_ROGER)
    low, high = stats.binom.interval(0.95, 1000, 0.05)
    assert ((low <= 1000 * rates) & (1000 * rates <= high)).all()


def test_null_trials_drop_out_as_said():
    trial = null_trial(np.random.default_rng(0))
    assert np.isnan(trial[0][:, -1]).sum() == 8
    assert p_values(trial, SATTERTHWAITE) != p_values(trial, KENWARD_ROGER)
