"""The scores of one group at several visits: against R, and where nobody lacks a visit against t and Hotelling."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bids_app.stats.changes import CHANGES_COLUMNS, NO_FIRST, NO_LATER, changes_table
from bids_app.stats.repeated import ANY, AVERAGE, INTERACTION, RepeatedScores
from bids_app.stats.scores import fit_mmrm

SCORES = Path(__file__).parent / "scores"
TRIALS = pd.read_csv(SCORES / "trials.tsv", sep="\t")
REFERENCE = pd.read_csv(SCORES / "one_group.tsv", sep="\t")
NAMES = {"average": AVERAGE, "any": ANY, "interaction": INTERACTION}


def group(baseline, values):
    """Return scores of one group at a first visit and at later ones."""
    later = tuple(f"day{visit + 1}" for visit in range(values.shape[1]))
    return RepeatedScores(("everyone",), later, np.zeros(len(values), int), baseline, values)


def of_trial(name):
    """Return a trial as one group, in which every seventh, from the fourth on, has no first visit, as one_group.R."""
    rows = TRIALS[TRIALS["trial"] == name]
    values = rows[[f"score{visit}" for visit in range(1, 5)]].dropna(axis=1, how="all").to_numpy()
    return group(rows["baseline"].where(np.arange(len(rows)) % 7 != 3).to_numpy(), values)


def table_of(data):
    table = changes_table({"mood": data})
    assert list(table) == list(CHANGES_COLUMNS)
    return table.set_index("followup")


def complete(n=17, n_later=3):
    generator = np.random.default_rng(n)
    person = generator.normal(size=(n, 1))
    values = person + generator.normal(size=(n, 1 + n_later)) * np.arange(1, 2 + n_later) - np.arange(1 + n_later)
    return values[:, 0], values[:, 1:]


def hotelling(changes):
    """Return F and its degrees of freedom of the hypothesis that all means of (n, m) are 0."""
    n, m = changes.shape
    mean = changes.mean(axis=0)
    squared = n * mean @ np.linalg.solve(np.cov(changes.T).reshape(m, m), mean)
    return squared * (n - m) / (m * (n - 1)), m, n - m


@pytest.mark.parametrize("trial", sorted(set(REFERENCE["trial"])))
def test_changes_and_f_are_those_of_r(trial):
    found = table_of(of_trial(trial))
    assert set(found["covariance"]) == {"unstructured"}
    rows = REFERENCE[REFERENCE["trial"] == trial]
    for row in rows[rows["source"] == "pbkrtest"].to_dict("records"):
        name = row["contrast"]
        own = found.loc[NAMES.get(name) or name.replace("change ", "day")]
        assert (own["df"], own["p"]) == pytest.approx((row["df"], row["p"]), rel=5e-5)
        if name in (ANY, INTERACTION):
            assert own["f"] == pytest.approx(row["estimate"], rel=2e-5)
        else:
            assert own[["estimate", "standard_error"]].to_numpy(float) == pytest.approx(
                (row["estimate"], row["standard_error"]), rel=2e-5
            )


@pytest.mark.parametrize("trial", sorted(set(REFERENCE["trial"])))
def test_the_likelihood_is_that_of_gls(trial):
    data = of_trial(trial)
    fit = fit_mmrm(np.column_stack([data.baseline, data.values]), data.arm, structures=["unstructured"])
    (row,) = REFERENCE.query(f"trial == '{trial}' and contrast == 'loglik'").to_dict("records")
    assert fit.loglik == pytest.approx(row["estimate"], rel=1e-8)


def test_where_nobody_lacks_a_visit_a_change_is_the_paired_t_test():
    baseline, values = complete()
    found = table_of(group(baseline, values))
    later = {f"day{visit + 1}": values[:, visit] for visit in range(3)} | {AVERAGE: values.mean(axis=1)}
    for name, scores in later.items():
        row, plain = found.loc[name], stats.ttest_rel(scores, baseline)
        assert (row["t"], row["p"], row["df"]) == pytest.approx((plain.statistic, plain.pvalue, plain.df), rel=1e-6)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(plain.confidence_interval()), rel=1e-6)
        assert (row["mean_first"], row["mean"]) == pytest.approx((baseline.mean(), scores.mean()), rel=1e-6)
        assert (row["n"], row["missing"], row["n_both"], row["n_model"]) == (17, 0, 17, 17)
        assert row["p"] < row["p_together"] < 4 * row["p"]
        assert row["together_low"] < row["ci_low"] < row["estimate"] < row["ci_high"] < row["together_high"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [5, 6, 7, 17])
def test_where_nobody_lacks_a_visit_f_is_that_of_hotelling(n):
    """Of 5 people and 3 changes it has 2 degrees of freedom, where its mean is infinite."""
    baseline, values = complete(n)
    found = table_of(group(baseline, values))
    for name, changes in ((ANY, values - baseline[:, None]), (INTERACTION, values[:, 1:] - values[:, :1])):
        row, (f, size, df) = found.loc[name], hotelling(changes)
        assert (row["f"], row["df_numerator"], row["df"]) == pytest.approx((f, size, df), rel=1e-5)
        assert row["p"] == pytest.approx(stats.f.sf(f, size, df), rel=1e-5)


def test_of_two_visits_whoever_has_one_counts_and_there_is_no_f():
    baseline, values = complete(12, 1)
    baseline[:2], values[5:9] = np.nan, np.nan
    found = table_of(group(baseline, values))
    assert list(found.index) == ["day1"]
    row = found.loc["day1"]
    assert (row["n"], row["missing"], row["n_both"], row["n_model"]) == (8, 4, 6, 12)
    both = np.isfinite(baseline) & np.isfinite(values[:, 0])
    assert row["estimate"] != pytest.approx((values[:, 0] - baseline)[both].mean(), rel=1e-3)
    assert row["p"] == row["p_together"] or row["p"] == pytest.approx(row["p_together"], rel=1e-2)


@pytest.mark.parametrize("lacking", ["baseline", "later", "day2"])
def test_a_visit_at_which_nobody_has_a_score_is_not_in_the_model_and_it_is_said(lacking):
    baseline, values = complete()
    values[:, {"day2": [1], "later": [0, 1, 2]}.get(lacking, [])] = np.nan
    found = table_of(group(None if lacking == "baseline" else baseline, values))
    if lacking == "day2":
        assert "nobody has a score at this visit" in found.loc["day2", "note"]
        assert list(found["estimate"].notna()) == [True, False, True, True, False, False]
        assert found.loc[ANY, "df_numerator"] == 2
    else:
        assert set(found["note"]) == {f"not estimated: {NO_FIRST if lacking == 'baseline' else NO_LATER}"}
        assert found["p"].isna().all()


def test_what_depends_on_other_visits_exactly_is_not_estimated_and_the_visits_are_named():
    baseline, _ = complete()
    found = table_of(group(baseline, np.column_stack([baseline - 1, baseline * 2 - 2])))
    (note,) = set(found["note"])
    assert note.startswith("not estimated: ")
    assert "follow-up" not in note
    lonely = np.where(np.arange(17) < 8, baseline, np.nan)
    later = np.where(np.arange(17) < 8, np.nan, baseline)[:, None]
    (note,) = set(table_of(group(lonely, later))["note"])
    assert "first visit" in note
    assert "ses-day1" in note
