from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats as scipy_stats

from bids_app.stats.ancova import linear_estimate
from bids_app.stats.robustness import (
    AGREEMENT_COLUMNS,
    agreement,
    median_p,
    robustness_columns,
    robustness_table,
)
from bids_app.stats.scores.two_visits import mixed_estimate
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.tables import read_tables

SPECIFICATIONS = [
    {"threshold": threshold, "smoothing": smoothing} for threshold, smoothing in product((0.2, 0.25, 0.3), (0, 6))
]
PRIMARY = {"threshold": 0.25, "smoothing": 6, "estimator": "ancova"}


def trial(effect, seed=1, n=40):
    """A region under every specification: the same participants, other units and some noise of its own."""
    generator = np.random.default_rng(seed)
    arm = generator.permutation(np.arange(n) % 2)
    person, change = generator.standard_normal((2, n))

    def values_of(specification):
        scale = 100 * specification["threshold"]
        noise = np.random.default_rng(int(scale) + specification["smoothing"]).normal(0, 0.3, (2, n))
        baseline = scale * (person + noise[0])
        followup = scale * (0.6 * person + 0.6 * change + effect * arm + noise[1])
        return {"angular": TwoVisits(arm, baseline, followup)}

    return values_of


def test_each_row_is_the_estimate_of_its_specification():
    values_of = trial(1.0)
    table = robustness_table(SPECIFICATIONS, values_of, primary=PRIMARY)
    assert list(table) == list(robustness_columns(SPECIFICATIONS))
    assert len(table) == 6 * 3
    assert table["rank"].tolist() == list(range(1, 19))
    assert table["effect_size"].is_monotonic_increasing
    for row in table.itertuples():
        data = values_of({"threshold": row.threshold, "smoothing": row.smoothing})["angular"]
        assert row.estimate == linear_estimate(data, row.estimator, n_draws=0).estimate
    assert table["primary"].sum() == 1
    primary = table[table["primary"]].iloc[0]
    assert primary[list(PRIMARY)].to_dict() == PRIMARY


def test_effect_sizes_do_not_depend_on_the_units_of_a_specification():
    def values_of(specification):
        data = trial(1.0)(SPECIFICATIONS[0])["angular"]
        factor = specification["factor"]
        return {"angular": TwoVisits(data.arm, data.baseline * factor, data.followup * factor)}

    table = robustness_table([{"factor": 1.0}, {"factor": 1000.0}], values_of, estimators=("ancova",))
    assert table["effect_size"].iloc[0] == pytest.approx(table["effect_size"].iloc[1])
    assert table["t"].iloc[0] == pytest.approx(table["t"].iloc[1])


def test_a_region_that_a_specification_lacks_has_a_row_that_says_so():
    def values_of(specification):
        both = {"angular": trial(1.0)(specification)["angular"], "thalamus": trial(0.5)(specification)["angular"]}
        return both if specification["smoothing"] else {"angular": both["angular"]}

    table = robustness_table(SPECIFICATIONS, values_of, primary=PRIMARY, estimators=("ancova",))
    assert table["region"].tolist() == ["angular"] * 6 + ["thalamus"] * 6
    lacking = table[table["note"] == "the specification has no such region"]
    assert lacking["region"].tolist() == ["thalamus"] * 3
    assert lacking["rank"].isna().all()
    assert agreement(table)["n_specifications"].tolist() == [6, 3]


def test_agreement_by_hand():
    table = robustness_table(SPECIFICATIONS, trial(1.0), primary=PRIMARY)
    table["effect_size"] = [-0.1, -0.1, *[0.5] * 15, 0.9]
    table["primary"] = [False] * 17 + [True]
    found = agreement(table).iloc[0]
    assert list(found.index) == list(AGREEMENT_COLUMNS)
    assert found["share_same_sign"] == pytest.approx(16 / 18)
    assert (found["primary_effect"], found["median_effect"]) == (0.9, 0.5)
    assert (found["lowest_effect"], found["highest_effect"]) == (-0.1, 0.9)


def test_no_column_is_a_p_which_regions_chosen_by_the_effect_cannot_have():
    for columns in (robustness_columns(SPECIFICATIONS), AGREEMENT_COLUMNS):
        assert not [name for name in columns if name == "p" or name.startswith("p_") or "significant" in name]


def test_without_a_primary_the_sign_is_that_of_the_median():
    found = agreement(robustness_table(SPECIFICATIONS, trial(-1.0))).iloc[0]
    assert np.isnan(found["primary_effect"])
    assert found["median_effect"] < 0
    assert found["share_same_sign"] == 1


def test_one_specification_alone_has_the_p_of_its_re_randomization():
    data = trial(0.6)(SPECIFICATIONS[0])["angular"]
    data = replace(data, strata=np.arange(40) // 20, covariates=np.random.default_rng(2).standard_normal((40, 1)))
    for estimator in ("ancova", "change", "post"):
        alone = median_p([data], estimators=(estimator,), n_draws=500)
        assert alone == pytest.approx(linear_estimate(data, estimator, n_draws=500).p_rerandomized)


def test_the_median_of_resembling_specifications_keeps_its_level():
    ps = [median_p([trial(0.0, seed, 20)(s)["angular"] for s in SPECIFICATIONS], n_draws=100) for seed in range(150)]
    assert scipy_stats.binomtest(int(np.sum(np.array(ps) <= 0.1)), 150, 0.1).pvalue > 0.01
    assert median_p([trial(1.5)(s)["angular"] for s in SPECIFICATIONS], n_draws=500) == 1 / 500


def test_a_trial_of_one_arm_has_no_p():
    data = TwoVisits(np.ones(5, int), None, np.arange(5.0))
    assert np.isnan(median_p([data]))


def test_without_a_degree_of_freedom_or_a_specification_there_is_no_p():
    arm, covariates = np.array([0, 1, 0, 1]), np.array([[1.0], [2.0], [4.0], [3.0]])
    data = TwoVisits(arm, np.array([1.0, 3, 2, 5]), np.array([2.0, 1, 4, 3]), covariates)
    assert np.isnan(median_p([data]))
    assert np.isnan(median_p([replace(data, baseline=None)], estimators=("ancova",)))
    assert median_p([data], estimators=("post",)) >= 1 / 6


def test_parcels_of_the_stages_trial(shared_data):
    """Mean connectivity of parcels of a real trial under two thresholds and three estimators."""
    folder = shared_data / "stages"
    rows = read_tables(folder / "bids").participants
    scans = {
        session: {
            path.parts[-4].removeprefix("sub-"): path
            for path in folder.glob(f"derivatives-xcpd/*/ses-{session}/func/*.tsv")
        }
        for session in ("1", "2")
    }
    who = [name for name in rows.index[rows["arm"].notna()] if name in scans["1"]]
    arm = (rows.loc[who, "arm"] == "medication").to_numpy(int)
    r = {session: [_correlations(scans[session].get(name)) for name in who] for session in scans}

    def values_of(specification):
        visits = [
            np.array(
                [
                    np.mean(matrix > specification["threshold"]) if matrix is not None else np.nan
                    for matrix in r[session]
                ]
            )
            for session in ("1", "2")
        ]
        return {"density": TwoVisits(arm, *visits)}

    table = robustness_table([{"threshold": 0.25}, {"threshold": 0.35}], values_of)
    assert len(table) == 6
    data = values_of({"threshold": 0.35})["density"]
    frame = pd.DataFrame({"arm": arm, "baseline": data.baseline, "followup": data.followup}).dropna()
    fit = smf.ols("followup ~ arm + baseline", frame).fit()
    (row,) = table[(table["threshold"] == 0.35) & (table["estimator"] == "ancova")].itertuples()
    assert (row.n_active, row.n_reference) == (23, 14)
    assert row.estimate == pytest.approx(fit.params["arm"])
    assert row.t == pytest.approx(fit.tvalues["arm"])
    mixed = mixed_estimate(data, n_draws=500)
    assert (mixed.n_active, mixed.n_reference) == (int(arm.sum()), int((1 - arm).sum()))


def _correlations(path):
    if path is None:
        return None
    series = pd.read_csv(path, sep="\t").to_numpy()
    return np.corrcoef(series[:, np.ptp(series, axis=0) > 0], rowvar=False)
