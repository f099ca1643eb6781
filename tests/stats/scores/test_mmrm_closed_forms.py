"""The mixed model for repeated measures against closed forms, and against the same model written out for all scores."""

import numpy as np
import pytest
from scipy import stats
from scored_trials import Dense, all_differences, arrays, fitted

from bids_app.stats.scores import KENWARD_ROGER, SATTERTHWAITE, STRUCTURES, fit_mmrm

BOTH = (KENWARD_ROGER, SATTERTHWAITE)
NAMES = list(STRUCTURES)


@pytest.mark.parametrize("method", BOTH)
def test_of_one_follow_up_it_is_the_ancova(method):
    scores, arm, baseline, covariates = arrays("dropout")
    fit = fit_mmrm(scores[:, 1:2], arm, baseline, covariates)
    there = np.isfinite(scores[:, 1])
    X = np.column_stack([arm == 1, np.ones(len(arm)), baseline, covariates])[there].astype(float)
    coefficients, squares = np.linalg.lstsq(X, scores[there, 1])[:2]
    df = len(X) - X.shape[1]
    error = np.sqrt(squares[0] / df * np.linalg.inv(X.T @ X)[0, 0])
    found = fit.differences(method=method)[1, 0]
    assert (found.estimate, found.standard_error) == pytest.approx((coefficients[0], error), rel=1e-10)
    assert found.df == pytest.approx(df, rel=1e-8)
    assert found.t == pytest.approx(coefficients[0] / error, rel=1e-10)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.t), df), rel=1e-7)
    assert found.ci_high - found.ci_low == pytest.approx(2 * stats.t.ppf(0.975, df) * error, rel=1e-8)
    assert fit.coefficients[-3:] == pytest.approx(coefficients[-3:], rel=1e-9)
    assert fit.structure == "unstructured"


@pytest.mark.parametrize("method", BOTH)
def test_of_complete_scores_alone_it_is_the_t_test_at_each_follow_up_and_of_the_mean(method):
    scores, arm, *_ = arrays("complete")
    fit = fit_mmrm(scores, arm)
    found = [*fit.differences(method=method).values(), fit.average_differences(method=method)[1]]
    for one, values in zip(found, [*scores.T, scores.mean(axis=1)], strict=True):
        plain = stats.ttest_ind(values[arm == 1], values[arm == 0])
        assert one.t == pytest.approx(plain.statistic, rel=1e-7)
        assert one.df == pytest.approx(len(arm) - 2, rel=1e-6)
        assert one.p == pytest.approx(plain.pvalue, rel=1e-6)


def test_of_complete_scores_the_joint_test_is_hotellings():
    """Kenward and Roger (1997) state that their F is then exact."""
    scores, arm, *_ = arrays("complete")
    assert_is_hotellings(scores, arm)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("n", "n_visits"), [(5, 2), (6, 3), (6, 2), (7, 2), (8, 3), (7, 4), (9, 4)])
def test_hotellings_f_of_few_participants_has_its_degrees_of_freedom_without_a_division_by_0(n, n_visits):
    """The moments of F with 4 degrees of freedom or fewer are infinite, or none; F itself is there with 1 or more."""
    scores = np.random.default_rng(n).normal(size=(n, n_visits))
    assert_is_hotellings(scores, np.arange(n) % 2)
    assert_is_hotellings(scores - scores[::2].mean(axis=0) * (np.arange(n) % 2 == 0)[:, None], np.arange(n) % 2)


@pytest.mark.filterwarnings("error")
def test_means_that_do_not_differ_at_all_have_f_of_0_and_p_of_1():
    scores = np.random.default_rng(0).normal(size=(7, 2))
    fit = fit_mmrm(np.vstack([scores, scores]), np.repeat([0, 1], 7))
    joint = fit.joint(all_differences(fit))
    assert (joint.statistic, joint.p) == (pytest.approx(0, abs=1e-20), pytest.approx(1))
    assert (joint.df_numerator, joint.df_denominator) == (2, pytest.approx(11))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", BOTH)
def test_f_of_one_contrast_is_the_square_of_its_t(name, method):
    fit = fitted("dropout", name)
    weights = fit.weights(1, [3])
    alone, joint = fit.contrast(weights, method=method), fit.joint(weights[None], method=method)
    assert joint.statistic == pytest.approx(alone.t**2, rel=1e-9)
    assert (joint.df_denominator, joint.p) == (pytest.approx(alone.df, rel=1e-9), pytest.approx(alone.p, rel=1e-9))


def assert_is_hotellings(scores, arm):
    fit = fit_mmrm(scores, arm, structures=["unstructured"])
    joint = fit.joint(all_differences(fit))
    groups = [scores[arm == 1], scores[arm == 0]]
    n, m = scores.shape
    pooled = sum((len(one) - 1) * np.cov(one.T) for one in groups) / (n - 2)
    shift = groups[0].mean(axis=0) - groups[1].mean(axis=0)
    squared = shift @ np.linalg.solve(pooled, shift) / sum(1 / len(one) for one in groups)
    assert joint.df_numerator == m
    assert joint.df_denominator == pytest.approx(n - 1 - m, rel=1e-6)
    assert joint.statistic == pytest.approx(squared * (n - 1 - m) / (m * (n - 2)), rel=1e-6)
    assert joint.p == pytest.approx(stats.f.sf(joint.statistic, m, n - 1 - m), rel=1e-6)


def test_of_complete_scores_unstructured_is_the_multivariate_regression():
    scores, arm, baseline, _ = arrays("complete")
    fit = fit_mmrm(scores, arm, baseline)
    U = np.column_stack([arm == 0, arm == 1, baseline - baseline.mean()]).astype(float)
    coefficients = np.linalg.lstsq(U, scores)[0]
    residual = scores - U @ coefficients
    of_visits = residual.T @ residual / (len(arm) - 3)
    np.testing.assert_allclose(fit.of_visits, of_visits, rtol=1e-6)
    np.testing.assert_allclose(fit.coefficients, coefficients.ravel(), rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, np.kron(np.linalg.inv(U.T @ U), of_visits), rtol=1e-6, atol=1e-12)
    assert fit.loglik == pytest.approx(Dense(*arrays("complete")).loglik(of_visits), rel=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_the_maximum_is_one_of_the_likelihood_written_out(name):
    dense, fit, structure = Dense(*arrays("dropout")), fitted("dropout", name), STRUCTURES[name]
    assert fit.loglik == pytest.approx(dense.loglik(fit.of_visits), rel=1e-10)
    np.testing.assert_allclose(fit.covariance, dense.phi(fit.of_visits), rtol=1e-8, atol=1e-12)
    theta = structure.start(fit.of_visits)
    generator = np.random.default_rng(0)
    for _ in range(20):
        nearby = theta * (1 + 0.01 * generator.standard_normal(len(theta)))
        assert dense.loglik(structure.matrix(nearby, 4)) < fit.loglik


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_of_a_covariance_are_those_of_differences(name):
    structure = STRUCTURES[name]
    theta = structure.start(fitted("dropout").of_visits)
    first, second = structure.first(theta, 4), structure.second(theta, 4)
    assert len(theta) == structure.n_parameters(4)
    np.testing.assert_allclose(slopes(lambda at: structure.matrix(at, 4), theta), first, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(slopes(lambda at: structure.first(at, 4), theta), second, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(structure.start(structure.matrix(theta, 4)), theta, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_satterthwaite_is_its_definition_by_differences_of_the_likelihood(name):
    dense, fit, structure = Dense(*arrays("dropout")), fitted("dropout", name), STRUCTURES[name]
    theta = structure.start(fit.of_visits)
    row = np.zeros(len(fit.labels))
    row[[3, 7]] = -1, 1  # the arms at the last follow-up

    def loglik(at):
        return dense.loglik(structure.matrix(at, 4))

    def variance(at):
        return row @ dense.phi(structure.matrix(at, 4)) @ row

    hessian = slopes(lambda at: slopes(loglik, at, 3e-4), theta, 3e-4)
    slope = slopes(variance, theta, 1e-4)
    df = 2 * variance(theta) ** 2 / (slope @ np.linalg.solve(-hessian, slope))
    assert fit.differences(method=SATTERTHWAITE)[1, 3].df == pytest.approx(df, rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_kenward_roger_is_the_paper_written_out(name):
    """Their equations with V, its inverse and its derivatives, by differences, of all scores at once."""
    dense, fit, structure = Dense(*arrays("dropout")), fitted("dropout", name), STRUCTURES[name]
    theta, X = structure.start(fit.of_visits), dense.X
    V, phi = dense.V(fit.of_visits), dense.phi(fit.of_visits)
    inverse = np.linalg.inv(V)
    first = [dense.V(one) for one in slopes(lambda at: structure.matrix(at, 4), theta, 1e-5)]
    second = slopes(lambda at: slopes(lambda here: structure.matrix(here, 4), at, 1e-4), theta, 1e-4)
    P = [-X.T @ inverse @ one @ inverse @ X for one in first]
    Q = [[X.T @ inverse @ one @ inverse @ other @ inverse @ X for other in first] for one in first]
    R = [[X.T @ inverse @ dense.V(one) @ inverse @ X for one in line] for line in second]
    pairs = list(np.ndindex(len(theta), len(theta)))
    information = np.zeros((len(theta), len(theta)))
    for i, j in pairs:
        information[i, j] = np.trace(inverse @ first[i] @ inverse @ first[j]) / 2
        information[i, j] += -np.trace(phi @ Q[i][j]) + np.trace(phi @ P[i] @ phi @ P[j]) / 2
    W = np.linalg.inv(information)
    total = sum(W[i, j] * (Q[i][j] - P[i] @ phi @ P[j] - R[i][j] / 4) for i, j in pairs)
    np.testing.assert_allclose(fit.adjusted_covariance(), phi + 2 * phi @ total @ phi, rtol=1e-5, atol=1e-9)
    L = np.zeros(len(fit.labels))
    L[[3, 7]] = -1, 1
    theta_of = np.outer(L, L) / (L @ phi @ L)
    A2 = sum(W[i, j] * np.trace(theta_of @ phi @ P[i] @ phi @ theta_of @ phi @ P[j] @ phi) for i, j in pairs)
    assert fit.differences()[1, 3].df == pytest.approx(2 / A2, rel=1e-5)


def slopes(function, theta, step=1e-6):
    """Return central differences of a function, by each parameter."""
    steps = step * (1 + np.abs(theta))
    shifts = zip(steps, np.diag(steps), strict=True)
    return np.array([(function(theta + shift) - function(theta - shift)) / (2 * one) for one, shift in shifts])
