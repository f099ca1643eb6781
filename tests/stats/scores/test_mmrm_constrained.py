"""The constrained model, of arms with one mean of the baseline, against R and closed forms.

`constrained.R` makes `constrained.tsv` of `trials.tsv`; how near R is to the maximum, `test_mmrm_reference` says.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scored_trials import HERE, Dense, arrays, found_by

from bids_app.stats.scores import KENWARD_ROGER, SATTERTHWAITE, NotEstimated, fit_constrained
from bids_app.stats.scores.two_visits import mixed_estimate
from bids_app.stats.twovisits import TwoVisits

REFERENCE = pd.read_csv(HERE / "constrained.tsv", sep="\t")
MODELS = sorted(set(REFERENCE[["trial", "visits", "structure"]].itertuples(index=False, name=None)))


def constrained(name, visits="all", structure="unstructured"):
    """Fit a trial in which every seventh participant, from the fourth on, has no baseline."""
    scores, arm, baseline, covariates = arrays(name)
    baseline = np.where(np.arange(len(arm)) % 7 == 3, np.nan, baseline)
    scores = scores if visits == "all" else scores[:, -1:]
    return fit_constrained(scores, arm, baseline, covariates, structures=[structure])


def reference(model, source):
    rows = REFERENCE[REFERENCE[["trial", "visits", "structure", "source"]].eq([*model, source]).all(axis=1)]
    return rows.set_index("contrast")[["estimate", "standard_error", "df"]]


def test_the_reference_has_what_is_compared():
    assert len(MODELS) == 3 * 2 + 2
    assert set(REFERENCE["source"]) == {"gls", "pbkrtest"}


@pytest.mark.parametrize("model", MODELS)
def test_estimates_errors_and_likelihood_are_those_of_gls(model):
    fit, expected = constrained(*model), reference(model, "gls")
    assert fit.loglik == pytest.approx(expected.loc["loglik", "estimate"], rel=1e-9)
    expected = expected.drop("loglik")
    found = found_by(fit, expected.index, SATTERTHWAITE).astype(float)
    np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=5e-5, atol=5e-5)
    np.testing.assert_allclose(found["standard_error"], expected["standard_error"], rtol=5e-5)


@pytest.mark.parametrize("model", [one for one in MODELS if one[2] == "unstructured"])
def test_errors_and_degrees_of_freedom_are_those_of_pbkrtest(model):
    expected = reference(model, "pbkrtest")
    found = found_by(constrained(*model), expected.index, KENWARD_ROGER).astype(float)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["complete", "dropout"])
def test_the_row_of_two_visits_is_that_of_pbkrtest(name):
    scores, arm, baseline, covariates = arrays(name)
    baseline = np.where(np.arange(len(arm)) % 7 == 3, np.nan, baseline)
    found = mixed_estimate(TwoVisits(arm, baseline, scores[:, -1], covariates), n_draws=0)
    expected = reference((name, "last", "unstructured"), "pbkrtest").loc["difference 1 1"]
    assert [found.estimate, found.standard_error, found.df] == pytest.approx(list(expected), rel=2e-6)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.estimate / found.standard_error), found.df))
    assert found.note == ""


def test_of_complete_scores_it_is_the_ancova():
    """The slope on the baseline is that of least squares; only the variance counts it as known, before adjustment."""
    scores, arm, baseline, covariates = arrays("dropout")
    there = np.isfinite(scores[:, 1])
    score, arm, baseline, covariates = scores[there, 1], arm[there], baseline[there], covariates[there]
    fit = fit_constrained(score[:, None], arm, baseline, covariates)
    X = np.column_stack([arm, np.ones(len(arm)), baseline, covariates]).astype(float)
    coefficients, squares = np.linalg.lstsq(X, score)[:2]
    explained = np.delete(X, 2, axis=1)
    error = np.sqrt(squares[0] / (len(arm) - X.shape[1] + 1) * np.linalg.inv(explained.T @ explained)[0, 0])
    plain, adjusted = (fit.differences(method=method)[1, 0] for method in (SATTERTHWAITE, KENWARD_ROGER))
    assert plain.estimate == pytest.approx(coefficients[0], rel=1e-9)
    assert plain.standard_error == pytest.approx(error, rel=1e-8)
    assert adjusted.standard_error > plain.standard_error
    assert fit.labels[:3] == ("arm 0 at follow-up 1", "arm 1 at follow-up 1", "all arms at baseline")
    assert fit.coefficients[2] == pytest.approx(baseline.mean(), rel=1e-9)


def test_the_maximum_is_one_of_the_likelihood_written_out():
    scores, arm, baseline, _ = arrays("dropout")
    fit = fit_constrained(scores, arm, baseline)
    dense = Dense(np.column_stack([baseline, scores]), arm, baseline, np.empty((len(arm), 0)))
    cells = [(arm[dense.who] == k) & (dense.visit == j) for k in (0, 1) for j in range(1, 5)]
    dense.X = np.column_stack([*cells, dense.visit == 0]).astype(float)
    assert fit.loglik == pytest.approx(dense.loglik(fit.of_visits), rel=1e-10)
    np.testing.assert_allclose(fit.covariance, dense.phi(fit.of_visits), rtol=1e-8, atol=1e-12)


def test_who_has_a_baseline_alone_counts_and_tells_nothing_of_the_arms_alone():
    scores, arm, baseline, covariates = arrays("dropout")
    more = (np.full((5, 4), np.nan), np.arange(5) % 2, np.full(5, 40.0), covariates[:5])
    gone = (np.full((3, 4), np.nan), np.zeros(3, dtype=int), np.full(3, np.nan), covariates[:3])
    there = [np.concatenate(parts) for parts in zip((scores, arm, baseline, covariates), more, gone, strict=True)]
    fit = fit_constrained(*there)
    assert (fit.n_participants, fit.n_without_score, fit.n_without_baseline) == (45, 3, 0)
    assert fit.shape == (2, 4)
    assert fit.of_visits.shape == (5, 5)


def test_steps_back_allow_the_baseline_its_own_variance():
    scores, *more = arrays("dropout")
    odd = np.arange(len(scores)) % 2 == 1
    scores[odd, 1], scores[~odd, 2] = np.nan, np.nan
    fit = fit_constrained(scores, *more)
    assert fit.structure == "heterogeneous Toeplitz"
    assert fit.left == ("unstructured: nobody has scores at both follow-up 2 and follow-up 3",)
    apart = np.where(np.isfinite(scores[:, 3]), np.nan, more[1])
    with pytest.raises(NotEstimated, match=r"unstructured: nobody has scores at both baseline and follow-up 1$"):
        fit_constrained(scores[:, 3:], more[0], apart)


def test_a_baseline_is_needed():
    scores, arm, baseline, _ = arrays("dropout")
    with pytest.raises(ValueError, match="needs the baseline"):
        fit_constrained(scores, arm, None)
    with pytest.raises(NotEstimated, match="all arms at baseline"):
        fit_constrained(scores, arm, np.full_like(baseline, np.nan))
