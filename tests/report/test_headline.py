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
from bids_app.group.cluster_results import cluster_table, clusters_of
from bids_app.group.notes import Notes
from bids_app.group.sample import Sample
from bids_app.report.answer import answer, outcome_statements
from bids_app.report.found_maps import map_statements
from bids_app.report.found_parcels import parcel_statements
from bids_app.report.group_methods import group_methods
from bids_app.report.headline import Evidence, by_role, deciding
from bids_app.report.pages import near_level, write_page
from bids_app.settings.settings import Trial
from bids_app.space.grid import Grid
from bids_app.trial.design import Design

METRICS = ("degree", "strength", "clustering", "eigenvector")
FEATURES = [Feature(metric, "r025") for metric in METRICS]


def record(*roles, **values):
    return changed(RECORD, features=features(*roles, metrics=METRICS), **values)


def cluster(number, p_fwe, p_fwe_all, estimator="ancova", n_voxels=5, name="degree 1"):
    feature = FEATURES[number]
    row = {"feature": feature.title, "estimator": estimator, "direction": "a > b", "n_voxels": n_voxels}
    row |= {"cluster": name, "region": "Left insula (degree)", "named_mm": 2.0, "role": "exploratory"}
    row |= {"measure": feature.metric, "edges": feature.edges}
    row |= {"peak_x": -1.0, "peak_y": 2.0, "peak_z": 3.0, "hedges_g": 8.06, "g_low": 0.5, "g_high": 1.5}
    return row | {"p_fwe": p_fwe, "p_fwe_all": p_fwe_all}


def found_in(clusters, of, **evidence):
    return map_statements(clusters, of, Evidence(**evidence))


def test_without_a_plan_a_cluster_counts_by_p_over_all_measures():
    four = record(*["exploratory"] * 4)
    assert set(deciding(four.analyses.features).values()) == {"p_fwe_all"}
    clusters = [cluster(0, 0.03, 0.1), cluster(1, 0.001, 0.004), cluster(2, 0.01, 0.2, "change")]
    (found,) = found_in(clusters, four)
    assert found.text == (
        "the arms differ in 1 place (adjusted, FWE p ≤ 0.05 over the whole brain and all 4 measures). "
        "1 more cluster passes the correction within one measure, which does not count here."
    )
    ((place,), (result,)) = found.found, found.found[0].results
    assert "p FWE over all measures = 0.0040" in place.text
    assert (result.p, result.which_p, result.measure) == (0.004, "p_fwe_all", "strength")
    (none,) = found_in([cluster(0, 0.03, 0.1)], four)
    assert none.text.startswith("the arms do not differ significantly anywhere (adjusted, FWE p ≤ 0.05")
    assert (none.found, none.differs) == ((), False)


def test_clusters_of_several_measures_that_overlap_are_one_place():
    """Degree and strength share a voxel, eigenvector lies elsewhere; the mean is told, the peak is said to be one."""
    clusters = [
        cluster(0, 0.001, 0.004, name="degree 1"),
        cluster(1, 0.0005, 0.001, name="strength 1"),
        cluster(3, 0.001, 0.03, name="eigenvector 1") | {"region": "Near right thalamus 2 (degree)", "named_mm": 7.6},
    ]
    mean = {"n_active": 14, "n_reference": 13, "estimate": 0.5, "ci_low": 0.2, "ci_high": 0.8}
    mean |= {"effect_size": 4.63, "effect_low": 3.2, "effect_high": 6.1}
    nodes = {"degree 1": {1, 2}, "strength 1": {2, 3}, "eigenvector 1": {9}}
    four = record(*["exploratory"] * 4, draws=1000)
    (said,) = found_in(clusters, four, means={"strength 1": mean}, nodes=nodes, files=("x.tsv",))
    first, second = said.found
    assert "differ in 2 places" in said.text
    assert (first.place, second.place) == ("Left insula", "Near right thalamus 2 (8 mm away)")
    assert first.text == (
        "a > b in strength and degree; mean g 4.63 (95 % CI 3.20 to 6.10) in strength, p FWE over all measures "
        "≤ 0.0010 (the smallest possible with 1,000 draws); 5 voxels; g 8.06 at the peak (−1, 2, 3 mm), which was "
        "chosen for being large"
    )
    assert [(one.measure, one.hedges_g, one.n) for one in first.results] == [
        ("strength", 4.63, 27),
        ("degree", None, None),
    ]
    assert "the mean g is not known" in second.text


def test_with_one_measure_both_p_are_the_same():
    (found,) = found_in([cluster(0, 0.03, 0.03)], record("exploratory"))
    assert found.text == "the arms differ in 1 place (adjusted, FWE p ≤ 0.05 over the whole brain)."


def test_with_a_plan_the_primary_measure_stands_alone_and_others_pay_for_all():
    planned = record("secondary", "primary", "exploratory", "exploratory")
    assert list(by_role(planned.analyses.features)) == ["primary", "secondary", "exploratory"]
    clusters = [cluster(0, 0.03, 0.1), cluster(1, 0.03, 0.1), cluster(1, 0.04, 0.12), cluster(2, 0.001, 0.004)]
    primary, secondary, exploratory = found_in(clusters, planned)
    assert primary.text == "the arms differ in 2 places (adjusted, FWE p ≤ 0.05 over the whole brain)."
    assert "the arms do not differ significantly anywhere (adjusted, FWE p ≤ 0.05 over the whole brain and all 4" in (
        secondary.text
    )
    assert "the arms differ in 1 place" in exploratory.text
    assert [[one.measure for one in said.found[0].results] for said in (primary, exploratory)] == [
        ["strength"],
        ["clustering"],
    ]


def test_what_was_not_found_is_told_with_its_size_and_what_could_have_been_seen():
    node = {"t": -2.5, "hedges_g": -0.9, "g_low": -1.7, "g_high": -0.1, "p_fwe": 0.34, "p_fwe_all": 0.34}
    strongest = {FEATURES[0].title: node | {"feature": FEATURES[0].title, "name": "near left insula"}}
    one = record("exploratory", number_analysed={"a": 64, "b": 64})
    statements = found_in([], one, strongest=strongest)
    assert statements[0].text.endswith(
        "The smallest p FWE = 0.340 (near left insula); there g is −0.90 (95 % CI −1.70 to −0.10), of all tested "
        "the most extreme."
    )
    said = answer(one.arms, one.inference, statements).could_see
    assert "with 64 and 64 analysed" in said
    assert "80 % power if g is 0.50 (two-sample t test; 0.43 by ANCOVA if baseline and follow-up correlate 0.5)" in (
        said
    )
    assert answer(one.arms, one.inference, found_in([cluster(0, 0.03, 0.03)], one)).could_see == ""


def test_a_primary_outcome_comes_before_what_is_exploratory():
    row = {"outcome": "hamd17", "endpoint": "score", "analysis": "main", "role": "primary", "method": "ancova"}
    row |= {"population": "with a follow-up", "n_active": 14.0, "n_reference": 13.0, "effect_kind": "Hedges g"}
    row |= {"estimate": -5.2, "ci_low": -8.1, "ci_high": -2.3, "effect_size": -1.4, "effect_low": -2.2}
    row |= {"effect_high": -0.6, "p": 0.0014}
    one = record("exploratory")
    outcomes = outcome_statements([row, row | {"analysis": "sensitivity"}], one.arms, one.inference, "o.tsv")
    found = answer(one.arms, one.inference, [*found_in([], one), *outcomes])
    assert [said.about for said in found.statements] == ["hamd17", "voxels"]
    assert found.statements[0].text == (
        "the arms differ: a − b −5.20 (95 % CI −8.10 to −2.30), Hedges g −1.40 (95 % CI −2.20 to −0.60), p = 0.0014 "
        "(adjusted for the baseline (ANCOVA), with a follow-up, n = 14 and 13)."
    )
    written = found.to_json()["statements"][0]["results"][0]
    assert (written["effect"], written["hedges_g"], written["n"], written["files"]) == (-5.2, -1.4, 27, ("o.tsv",))


def test_a_primary_outcome_comes_before_a_primary_measure_and_a_secondary_one_after_it():
    row = {"endpoint": "score", "analysis": "main", "method": "ancova", "population": "with a follow-up"}
    row |= {"n_active": 14.0, "n_reference": 13.0, "effect_kind": "", "effect_size": np.nan, "effect_low": np.nan}
    row |= {"estimate": -5.2, "ci_low": -8.1, "ci_high": -2.3, "effect_high": np.nan, "p": 0.0014}
    rows = [row | {"outcome": name, "role": role} for name, role in (("cssrs", "secondary"), ("hamd17", "primary"))]
    planned = record("primary", "secondary", "exploratory", "exploratory")
    outcomes = outcome_statements(rows, planned.arms, planned.inference, "o.tsv")
    found = answer(planned.arms, planned.inference, [*found_in([cluster(0, 0.03, 0.1)], planned), *outcomes])
    assert [(said.role, said.about) for said in found.statements] == [
        ("primary", "hamd17"),
        ("primary", "voxels"),
        ("secondary", "voxels"),
        ("secondary", "cssrs"),
        ("exploratory", "voxels"),
    ]


def test_two_primary_measures_are_not_one():
    assert set(deciding(record("primary", "primary").analyses.features).values()) == {"p_fwe_all"}


def parcels(number, *p_of_parcels):
    feature = FEATURES[number]
    row = {"t": 3.0, "difference": 0.1, "ci_low": 0.0, "ci_high": 0.2, "hedges_g": 1.0, "g_low": 0.1, "g_high": 2.0}
    row |= {"feature": feature.title, "measure": feature.metric, "edges": feature.edges, "n": 27}
    rows = [row | {"name": name, "p_fwe": p, "p_fwe_all": over} for name, p, over in p_of_parcels]
    n = sum(p <= 0.05 for _, p, _ in p_of_parcels)
    of = {"estimator": "ancova", "feature": feature.title, "n": 90, "n_fwe": n}
    return of | {"rows": rows, "significant": [one for one in rows if one["p_fwe"] <= 0.05]}


def test_parcels_are_counted_alike_and_one_of_two_measures_is_one():
    results = [
        parcels(0, ("left", 0.01, 0.04), ("right", 0.02, 0.2)),
        parcels(1, ("left", 0.011, 0.04), ("back", 0.03, 0.2)),
    ]
    (found,) = parcel_statements(results, record("exploratory", "exploratory", kind="parcels"), Evidence())
    assert found.text.startswith("the arms differ in 1 of 90 parcels (adjusted, FWE p ≤ 0.05 over all parcels and all")
    assert "2 more results pass the correction within one measure" in found.text
    assert found.found[0].text.startswith("a > b in degree and strength; g 1.00 (95 % CI 0.10 to 2.00) in degree")
    primary, other = parcel_statements(results, record("primary", "exploratory", kind="parcels"), Evidence())
    assert primary.text.startswith("the arms differ in 2 of 90 parcels")
    assert other.text.startswith("the arms differ in 1 of 90 parcels")


def test_a_p_near_the_level_is_marked_where_draws_are_random():
    sampled = changed(RECORD, draws=1000).inference
    whole = replace(sampled, all_allocations_enumerated=True)
    error = np.sqrt(0.05 * 0.95 / 1000)
    for p in (0.05 - 1.5 * error, 0.05, 0.05 + 1.5 * error):
        assert "too near 0.05 to tell" in near_level(p, sampled)
        assert near_level(p, whole) == ""
    for p in (0.02, 0.09, np.nan, None):
        assert near_level(p, sampled) == ""
    (found,) = found_in([cluster(0, 0.0495, 0.0495)], record("exploratory"))
    assert "p FWE = 0.050 (± 0.0022 Monte Carlo: too near 0.05 to tell)" in found.found[0].text


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
    trial = Trial(alpha=0.05)
    table = cluster_table(sample, compared, over_all, clusters_of(sample, compared, trial), trial)
    titles = {feature.metric: feature.title for feature in FEATURES}
    named = {"region": "Somewhere (x)", "named_mm": np.nan}
    rows = table.assign(feature=table["measure"].map(titles), **named).to_dict("records")
    return map_statements(rows, record(*roles), Evidence()), len(rows)


@pytest.mark.slow
def test_the_headline_is_wrong_no_more_often_than_the_level_says():
    n, old, unplanned, planned = 300, 0, 0, 0
    for seed in range(n):
        (all_of_them,), n_clusters = headline_of(seed, ["exploratory"] * 4)
        unplanned += all_of_them.differs
        old += n_clusters > 0
        planned += headline_of(seed, ["primary", *["exploratory"] * 3])[0][0].differs
    most = distributions.binom.ppf(0.995, n, 0.05)
    assert unplanned <= most
    assert planned <= most
    assert old > most, "any cluster of any measure, which the sentence counted before, is above the level"


def test_what_routes_have_alike_is_said_once():
    voxels = record("primary", "secondary")
    parcels = replace(voxels, route="parcels of AAL", data=replace(voxels.data, nodes_compared=90))
    (heading, text), *rest = group_methods([voxels, parcels], None)
    assert (heading, rest) == ("Comparison", [])
    assert text.count("re-randomized") == text.count("Significance: ") == text.count("Effect sizes are") == 1
    assert f"over {voxels.data.nodes_compared} nodes" in text
    assert "; for parcels of AAL, the " in text
    assert "over 90 nodes" in text
    assert "the same voxel" not in text
