"""What the first sentences of the page count, by which p, and how often they are wrong where there is no effect."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from comparison import RECORD, changed, features
from scipy import stats as distributions
from scipy.ndimage import gaussian_filter
from stating import hypothesis

from bids_app import stats
from bids_app.errors import DataError
from bids_app.graph.features import Feature
from bids_app.group.analyses import Analysis, Test
from bids_app.group.results import cluster_table
from bids_app.group.sample import Sample
from bids_app.group.trial_tables import Notes
from bids_app.report.group_methods import group_methods
from bids_app.report.headline import by_role, deciding, map_headline, parcel_headline
from bids_app.report.pages import near_level, write_page
from bids_app.settings.settings import Trial
from bids_app.space.grid import Grid
from bids_app.trial.design import Design

METRICS = ("degree", "strength", "clustering", "eigenvector")
FEATURES = [Feature(metric, "r025") for metric in METRICS]


def record(*roles, **values):
    return changed(RECORD, features=features(*roles, metrics=METRICS), **values)


def cluster(number, p_fwe, p_fwe_all, estimator="ancova", n_voxels=5):
    row = {"feature": FEATURES[number].title, "estimator": estimator, "direction": "a > b", "n_voxels": n_voxels}
    row |= {"peak_x": 1.0, "peak_y": 2.0, "peak_z": 3.0, "hedges_g": 1.0, "g_low": 0.5, "g_high": 1.5}
    return row | {"p_fwe": p_fwe, "p_fwe_all": p_fwe_all}


def test_without_a_plan_a_cluster_counts_by_p_over_all_measures():
    four = record(*["exploratory"] * 4)
    assert set(deciding(four.analyses.features).values()) == {"p_fwe_all"}
    found = map_headline([cluster(0, 0.03, 0.1), cluster(1, 0.001, 0.004), cluster(2, 0.01, 0.2, "change")], four)
    assert found["text"] == (
        "The arms differ in 1 cluster of 1 of 4 measures (adjusted, FWE p ≤ 0.05 over the whole brain and all 4 "
        "measures). 1 more cluster passes the correction within one measure, which does not count here."
    )
    assert [(row["n"], "p FWE, all measures = 0.0040" in row["text"]) for row in found["rows"]] == [(1, True)]
    none = map_headline([cluster(0, 0.03, 0.1)], four)
    assert none["text"].startswith("The arms do not differ significantly anywhere (adjusted, FWE p ≤ 0.05")
    assert none["rows"] == []


def test_with_one_measure_both_p_are_the_same():
    found = map_headline([cluster(0, 0.03, 0.03)], record("exploratory"))
    assert found["text"].startswith(f"The arms differ in 1 cluster of {FEATURES[0].title} (adjusted")
    assert "over the whole brain)." in found["text"]


def test_with_a_plan_the_primary_measure_stands_alone_and_others_pay_for_all():
    planned = record("secondary", "primary", "exploratory", "exploratory")
    assert list(by_role(planned.analyses.features)) == ["primary", "secondary", "exploratory"]
    clusters = [cluster(0, 0.03, 0.1), cluster(1, 0.03, 0.1), cluster(1, 0.04, 0.12), cluster(2, 0.001, 0.004)]
    found = map_headline(clusters, planned)
    title = FEATURES[1].title
    first = (
        f"Primary: the arms differ in 2 clusters of {title} (adjusted, FWE p ≤ 0.05 over the whole brain). Secondary"
    )
    assert found["text"].startswith(first)
    assert (
        "Secondary: the arms do not differ significantly anywhere (FWE p ≤ 0.05 over the whole brain and all 4"
        in (found["text"])
    )
    assert "Exploratory: the arms differ in 1 cluster of 1 of 2 measures" in found["text"]
    assert [row["feature"] for row in found["rows"]] == [title, FEATURES[2].title]


def test_two_primary_measures_are_not_one():
    assert set(deciding(record("primary", "primary").analyses.features).values()) == {"p_fwe_all"}


def parcels(title, n_fwe, n_fwe_all):
    row = {"name": "left", "t": 3.0, "hedges_g": 1.0, "g_low": 0.1, "g_high": 2.0, "p_fwe": 0.01, "p_fwe_all": 0.04}
    return {"estimator": "ancova", "feature": title, "n": 90, "rows": [row], "n_fwe": n_fwe, "n_fwe_all": n_fwe_all}


def test_parcels_are_counted_alike():
    results = [parcels(FEATURES[0].title, 3, 0), parcels(FEATURES[1].title, 4, 2)]
    found = parcel_headline(results, record("exploratory", "exploratory", kind="parcels"))
    assert found["text"].startswith("The arms differ in 2 parcels of 1 of 2 measures (adjusted, FWE p ≤ 0.05 over all")
    assert "5 more results pass the correction within one measure" in found["text"]
    found = parcel_headline(results, record("primary", "exploratory", kind="parcels"))
    assert found["text"].startswith("Primary: the arms differ in 3 parcels")
    assert "Exploratory: the arms differ in 2 parcels" in found["text"]


def test_a_p_near_the_level_is_marked_where_draws_are_random():
    sampled = changed(RECORD, draws=1000).inference
    whole = replace(sampled, all_allocations_enumerated=True)
    error = np.sqrt(0.05 * 0.95 / 1000)
    for p in (0.05 - 1.5 * error, 0.05, 0.05 + 1.5 * error):
        assert "too near 0.05 to tell" in near_level(p, sampled)
        assert near_level(p, whole) == ""
    for p in (0.02, 0.09, np.nan, None):
        assert near_level(p, sampled) == ""
    found = map_headline([cluster(0, 0.0495, 0.0495)], record("exploratory"))
    assert "p FWE = 0.050 (± 0.0022 Monte Carlo: too near 0.05 to tell)" in found["rows"][0]["text"]


def test_the_methods_say_which_p_decided():
    ((_, text),) = group_methods([record("primary", "secondary")], None)
    first = FEATURES[0].title
    assert f"{first}, the primary measure, was judged by its own corrected p; secondary measures by that over" in text
    ((_, text),) = group_methods([record("exploratory", "exploratory")], None)
    assert "The headline counts p corrected over all 2 measures" in text
    assert "nothing is corrected over further families" in text


# Nothing is swallowed.


@pytest.mark.parametrize("fault", [KeyError("column"), IndexError("3"), TypeError("x"), AttributeError("y")])
def test_a_fault_of_the_code_is_not_taken_for_one_of_the_data(fault):
    notes = Notes()
    with pytest.raises(type(fault)), notes.softly("A table"):
        raise fault
    assert notes.problems == []


def test_what_was_asked_for_and_not_made_is_told_apart():
    notes = Notes()
    with notes.softly("Beside"):
        raise ValueError("no spread")
    with notes.softly("Clinical outcomes", asked=True):
        raise np.linalg.LinAlgError("singular")
    with notes.softly("More", (DataError,), asked=True):
        raise DataError("nothing")
    assert [text.partition(":")[0] for text in notes.problems] == ["Beside", "Clinical outcomes", "More"]
    assert [text.partition(":")[0] for text in notes.unmet] == ["Clinical outcomes", "More"]


def test_an_empty_cell_is_empty_on_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr("bids_app.report.pages.files", lambda _: tmp_path)
    (tmp_path / "data" / "templates").mkdir(parents=True)
    (tmp_path / "data" / "templates" / "t").write_text("{% for one in cells %}[{{ one }}]{% endfor %}")
    write_page(tmp_path / "page", "t", cells=[np.nan, None, pd.NA, 0, "", "nan", False, 1.5])
    assert (tmp_path / "page").read_text() == "[][][][0][][nan][False][1.5]"


# How often the sentence is wrong.


def null_trial(seed, n_arms=(14, 13), shape=(5, 5, 4)):
    """Simulate four measures that correlate, without an effect."""
    rng, n = np.random.default_rng(seed), sum(n_arms)
    maps = gaussian_filter(rng.standard_normal((2, 5, n, *shape)), (0, 0, 0, 0.7, 0.7, 0.7)).reshape(2, 5, n, -1)
    maps = np.sqrt(0.5) * (maps[:, :1] + maps[:, 1:])
    return rng.permutation(np.repeat([1, 0], n_arms)), maps[0], 0.5 * maps[0] + maps[1]


def headline_of(seed, roles):
    """Take a null trial through the app's table of clusters to the sentence."""
    arm, baseline, followup = null_trial(seed)
    grid = Grid(np.ones((5, 5, 4), dtype=bool), np.diag([3.0, 3, 3, 1]))
    draws = stats.allocations(arm, None, 100, 10_000 + seed)
    inference = stats.Inference("tfce", grid.neighbours(6))
    analysis = Analysis("ancova")
    compared = {
        Test(feature, analysis): stats.compare(
            hypothesis("ancova", after, before, stats.nuisance(len(arm)), arm=arm), draws, inference
        )
        for feature, before, after in zip(FEATURES, baseline, followup, strict=True)
    }
    over_all = dict(zip(compared, stats.across(list(compared.values())), strict=True))
    arms = Design("arm", "a", "b", "pre", "post")
    given = {"covariates": pd.DataFrame(index=range(len(arm))), "strata": None, "kept": grid.mask.ravel()}
    sample = Sample(design=arms, maps={}, arm=arm, grid=grid, parcels=None, **given)
    table = cluster_table(sample, compared, over_all, Trial(alpha=0.05))
    titles = {feature.metric: feature.title for feature in FEATURES}
    rows = table.assign(feature=table["metric"].map(titles)).to_dict("records")
    return map_headline(rows, record(*roles))["text"], len(rows)


@pytest.mark.slow
def test_the_headline_is_wrong_no_more_often_than_the_level_says():
    n, old, unplanned, planned = 300, 0, 0, 0
    for seed in range(n):
        text, n_clusters = headline_of(seed, ["exploratory"] * 4)
        unplanned += "arms differ in" in text
        old += n_clusters > 0
        primary = headline_of(seed, ["primary", *["exploratory"] * 3])[0].split("Exploratory")[0]
        planned += "arms differ in" in primary
    most = distributions.binom.ppf(0.995, n, 0.05)
    assert unplanned <= most
    assert planned <= most
    assert old > most, "any cluster of any measure, which the sentence counted before, is above the level"
