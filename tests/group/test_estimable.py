"""A design is refused where, and only where, one of its analyses has no degree of freedom."""

import numpy as np
import pandas as pd
import pytest

from bids_app.errors import DataError
from bids_app.graph.features import Feature
from bids_app.group.analyses import Analysis, run_analysis
from bids_app.group.estimable import check_design
from bids_app.group.routes import ParcelRoute
from bids_app.group.sample import Sample
from bids_app.settings.settings import Trial
from bids_app.trial.design import Design

ROUTE = ParcelRoute("parcels of A", {}, {})
TRIAL = Trial(n_permutations=10, slopes=("age",))


def sample(n, *, covariates=(), unknown=0, baseline="pre"):
    """Return n participants of two arms, of whom the last have no age."""
    rng = np.random.default_rng(n)
    age = rng.normal(40, 9, n)
    age[n - unknown :] = np.nan
    visits = ["post"] if baseline is None else [baseline, "post"]
    return Sample(
        design=Design("arm", "drug", "placebo", baseline, "post"),
        maps={Feature("degree", "r025"): {visit: rng.normal(0, 1, (n, 3)) for visit in visits}},
        arm=np.arange(n) % 2,
        covariates=pd.DataFrame({name: rng.normal(0, 1, n) for name in covariates}, index=range(n)),
        strata=None,
        kept=np.ones(3, dtype=bool),
        grid=None,
        parcels=pd.DataFrame({"index": [1, 2, 3], "name": list("abc")}),
        slopes=pd.DataFrame({"age": age}),
    )


def refused(given):
    try:
        check_design(ROUTE, given)
    except DataError as error:
        return str(error)
    return None


@pytest.mark.parametrize("n", range(4, 12))
@pytest.mark.parametrize("covariates", [(), ("sex",), ("sex", "site")])
@pytest.mark.parametrize("unknown", [0, 2])
def test_slopes_are_refused_where_their_model_has_no_degree_of_freedom(n, covariates, unknown):
    given = sample(n, covariates=covariates, unknown=unknown)
    (maps,) = given.maps.values()
    try:
        for analysis in (Analysis("ancova"), Analysis("slope-by-arm", "age")):
            run_analysis(analysis, given, maps, TRIAL)
        fits = True
    except ValueError:
        fits = False
    assert (refused(given) is None) is fits


def test_what_is_said():
    assert refused(sample(8, covariates=("sex",), unknown=2)) == (
        "parcels of A: 6 participants have age, too few for its slope in each arm and to adjust for the baseline and "
        "for sex: 0 degrees of freedom are left."
    )
