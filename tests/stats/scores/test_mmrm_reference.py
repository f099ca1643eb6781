"""The mixed model for repeated measures against R: `reference.R` makes `reference.tsv` of `trials.tsv`.

Three trials: complete, arms of 20, 9 and 7 with a covariate, and drop-out, monotone and intermittent, with covariates
and a stratum. nlme::gls stops at a gradient that leaves an error of 1e-5 in the standard errors; pbkrtest and lmerTest,
on the same model fitted by lme4, agree to 1e-6.
"""

import numpy as np
import pytest
from scored_trials import REFERENCE, fitted, found_by, reference

from bids_app.stats.scores import KENWARD_ROGER, SATTERTHWAITE

MODELS = sorted(set(REFERENCE[["trial", "structure"]].itertuples(index=False, name=None)))
SMALL_SAMPLE = [
    *((name, "unstructured", "pbkrtest", KENWARD_ROGER) for name in ("complete", "unbalanced", "dropout")),
    *((name, "compound symmetry", "pbkrtest", KENWARD_ROGER) for name in ("unbalanced", "dropout")),
    *((name, "compound symmetry", "lmerTest", SATTERTHWAITE) for name in ("unbalanced", "dropout")),
]


def test_the_reference_has_what_is_compared():
    assert len(MODELS) == 3 + 3 + 2
    assert set(REFERENCE["source"]) == {"gls", "emmeans", "pbkrtest", "lmerTest"}


@pytest.mark.parametrize(("name", "structure"), MODELS)
def test_estimates_errors_and_likelihood_are_those_of_gls(name, structure):
    fit, expected = fitted(name, structure), reference(name, structure, "gls")
    assert (fit.structure, fit.left, fit.converged) == (structure, (), True)
    assert fit.loglik == pytest.approx(expected.loc["loglik", "estimate"], rel=1e-9)
    expected = expected.drop("loglik")
    found = found_by(fit, expected.index, SATTERTHWAITE)
    np.testing.assert_allclose(found["estimate"].astype(float), expected["estimate"], rtol=5e-5)
    np.testing.assert_allclose(found["standard_error"].astype(float), expected["standard_error"], rtol=5e-5)


@pytest.mark.parametrize(("name", "structure", "source", "method"), SMALL_SAMPLE)
def test_errors_and_degrees_of_freedom_are_those_of_lme4(name, structure, source, method):
    fit, expected = fitted(name, structure), reference(name, structure, source)
    rows = expected.drop(["F", "F interaction"])
    found = found_by(fit, rows.index, method).astype(float)
    np.testing.assert_allclose(found, rows, rtol=2e-6)


@pytest.mark.parametrize(("name", "structure", "source", "method"), SMALL_SAMPLE)
def test_f_of_all_differences_and_of_the_interaction_are_those_of_lme4(name, structure, source, method):
    fit, expected = fitted(name, structure), reference(name, structure, source)
    for which, weights in (("F", fit.every_difference()), ("F interaction", fit.every_change())):
        joint = fit.joint(weights, method=method)
        assert joint.statistic == pytest.approx(expected.loc[which, "estimate"], rel=2e-6)
        assert joint.df_denominator == pytest.approx(expected.loc[which, "df"], rel=2e-6)


@pytest.mark.parametrize(("name", "structure"), MODELS)
def test_satterthwaite_is_near_to_that_of_emmeans(name, structure):
    """Within 10 %: emmeans perturbs the scores at random for its derivatives."""
    expected = reference(name, structure, "emmeans")
    found = found_by(fitted(name, structure), expected.index, SATTERTHWAITE)
    np.testing.assert_allclose(found["df"].astype(float), expected["df"], rtol=0.1)
