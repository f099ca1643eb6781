"""The tables of the trial against statsmodels and scipy, on what the files hold."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from region_trial import (
    CLUSTER,
    DESIGN,
    LABELS,
    LEFT_OUT,
    made,
    motion_of,
    save_group_maps,
    save_maps,
    tables,
    values_of,
)
from scipy.stats import norm

from bids_app import stats
from bids_app.bids.files import save_image
from bids_app.bids.result_names import group_name, trial_name
from bids_app.errors import DataError, UsageError
from bids_app.group import region_tables
from bids_app.group.arm_tables import write_arms
from bids_app.group.notes import Notes
from bids_app.group.plan_record import write_plan
from bids_app.group.region_tables import write_region_tables
from bids_app.group.sample import assemble
from bids_app.group.trial_tables import read_scores, write_outcomes
from bids_app.settings.named import NamedPath
from bids_app.settings.plan import Plan
from bids_app.settings.settings import Trial
from bids_app.stats.clinical import METHODS
from bids_app.trial.covariates import code

OUTCOMES = {
    "outcomes": ("hamd", "ideation"),
    "ordinal": ("ideation",),
    "cutoffs": ("hamd:response=50%,remission<=12",),
}


def frame():
    """Everyone's numbers, from the makers of the files."""
    given = tables()
    rows = given.participants.assign(active=(given.participants["arm"] == "drug").astype(int))
    scores = given.sessions.unstack("session_id")
    for name in ("hamd", "ideation"):
        rows[f"{name}_before"], rows[f"{name}_after"] = scores[name, "pre"], scores[name, "post"]
    for word, session in (("before", "pre"), ("after", "post")):
        rows[f"brain_{word}"] = [0.45 * values_of(label, session, "degree")[CLUSTER].mean() for label in LABELS]
        rows[f"fd_{word}"] = [motion_of(label, session) for label in LABELS]
    rows.loc[LEFT_OUT, ["brain_after", "fd_after", "hamd_after"]] = np.nan
    rows["brain_change"], rows["hamd_change"] = (
        rows["brain_after"] - rows["brain_before"],
        rows["hamd_after"] - rows["hamd_before"],
    )
    return rows


def read(path):
    described = json.loads(path.with_suffix(".json").read_text())
    table = pd.read_csv(path, sep="\t", na_values="n/a", dtype={"participant_id": str})
    assert list(described)[: len(table.columns)] == list(table), path
    assert all(described[name]["Description"] for name in table)
    return table


def table_of(group, suffix):
    return read(group.settings.output_dir / "group" / group_name(group.route, DESIGN, suffix, ".tsv"))


def trial_table(folder, suffix):
    return read(folder / "group" / trial_name(DESIGN, suffix))


def agrees(row, fit, term="active"):
    assert row["estimate"] == pytest.approx(fit.params[term], rel=1e-6)
    assert row["p"] == pytest.approx(fit.pvalues[term], rel=1e-6)
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(fit.conf_int().loc[term].tolist(), rel=1e-6)
    assert row["n_active"] + row["n_reference"] == fit.nobs


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """One run with everything that can be asked for."""
    group = made(tmp_path_factory.mktemp("group"), robustness=True, **OUTCOMES)
    save_group_maps(group)
    trial, notes = group.settings.trial, Notes()
    scores = read_scores(group.tables, DESIGN, trial)
    write_outcomes(group.run(scores, notes))
    write_arms(group.run(scores, notes), group.target)
    regions = write_region_tables(group.run(scores, notes), group.target)
    write_plan(group.run(None, notes), {group.route.name: regions})
    assert notes.problems == []
    return group


def test_outcomes_are_least_squares_of_everyone_with_a_follow_up(group):
    table = trial_table(group.settings.output_dir, "outcomes")
    row = table[(table["outcome"] == "hamd") & (table["method"] == "ancova")].iloc[0]
    agrees(row, smf.ols("hamd_after ~ active + hamd_before + age", frame()).fit())
    assert row["analysis"] == "main"
    assert set(table["role"]) == {"exploratory"}
    assert table[table["outcome"] == "ideation"]["method"].iloc[0] == "ranks"


def test_cutoffs_are_counted_with_the_missing_as_failures(group):
    table = trial_table(group.settings.output_dir, "outcomes")
    rows = frame()
    reached = rows["hamd_after"] <= 12
    sizes = [(rows["active"] == arm).sum() for arm in (1, 0)]
    shares = [(reached & (rows["active"] == arm)).sum() / n for arm, n in zip((1, 0), sizes, strict=True)]
    pooled, total = reached.mean(), sum(sizes)
    error = np.sqrt(pooled * (1 - pooled) * (1 / sizes[0] + 1 / sizes[1]) * total / (total - 1))
    row = table[(table["endpoint"] == "remission") & (table["analysis"] == "main")].iloc[0]
    assert row["p"] == pytest.approx(2 * norm.sf(abs(shares[0] - shares[1]) / error))
    assert row["deciding_p"] == "p"
    assert row["n_active"] + row["n_reference"] == len(LABELS)


def test_scores_missing_and_tipping_are_of_everyone_randomized(group):
    folder = group.settings.output_dir
    scores = trial_table(folder, "scores")
    assert set(scores["participant_id"]) == {f"sub-{label}" for label in LABELS}
    missing = trial_table(folder, "missing")
    mixed = missing[(missing["outcome"] == "hamd") & (missing["method"] == "mixed")].iloc[0]
    assert (mixed["n_active"] + mixed["n_reference"], mixed["missing_reference"]) == (len(LABELS), 1)
    assert set(trial_table(folder, "tipping")["outcome"]) == {"hamd", "ideation"}


def test_motion_and_balance_are_described(group):
    rows, motion = frame(), table_of(group, "motion").set_index(["variable", "visit"])
    means = [rows.loc[rows["active"] == arm, "fd_before"].mean() for arm in (1, 0)]
    assert motion.loc[("mean_fd", "baseline"), "difference"] == pytest.approx(means[0] - means[1])
    assert motion.loc[[("mean_fd", "baseline"), ("minutes", "baseline")], ["t", "p", "p_rank"]].isna().all(axis=None)
    assert motion.loc[("mean_fd", "followup"), "n_reference"] == 12
    balance = table_of(group, "balance")
    assert {"age", "sex", "hamd at baseline", "mean FD at baseline, mm"} <= set(balance["variable"])
    arms = [rows.loc[rows["active"] == arm, "hamd_before"] for arm in (1, 0)]
    expected = (arms[0].mean() - arms[1].mean()) / np.sqrt((arms[0].var() + arms[1].var()) / 2)
    found = balance.set_index("variable").loc["hamd at baseline", "standardized_difference"]
    assert found == pytest.approx(expected)
    assert not [name for name in balance if name == "p" or name.startswith("p_")]


def test_region_values_are_means_of_the_compared_maps(group):
    roi = table_of(group, "roi")
    assert set(roi["cluster"]) == {"degreeR025 1"}, "p of alpha itself is significant, and nothing is in strength"
    wide = roi.pivot(index="participant_id", columns="visit", values="value")
    np.testing.assert_allclose(wide["baseline"], frame()["brain_before"], rtol=1e-5)
    np.testing.assert_allclose(wide["followup"], frame()["brain_after"], rtol=1e-5)
    assert np.isnan(wide.loc[f"sub-{LEFT_OUT}", "followup"]), "what was not measured is not made up"
    assert np.isfinite(wide.loc[f"sub-{LEFT_OUT}", "baseline"])
    facts = json.loads((group.settings.output_dir / "group" / trial_name(DESIGN, "trial", ".json")).read_text())
    (region,) = facts["Regions"]["voxels"]
    assert region["Text"] == "Degree, r > 0.25: 4 voxels, peak at 0, 0, 3 mm, drug > usual care"


def test_missing_follow_ups_of_regions(group):
    table = table_of(group, "roimissing").set_index("method")
    agrees(table.loc["ancova"], smf.ols("brain_after ~ active + brain_before + fd_before + age", frame()).fit())
    assert table.loc["mixed", ["n_active", "n_reference"]].sum() == len(LABELS)
    bounds = table.loc[["worst case", "best case"], "estimate"]
    assert bounds.min() <= table.loc["imputed", "estimate"] <= bounds.max()


def test_brain_and_symptom_change_together_as_least_squares_has_it(group):
    table = table_of(group, "association").set_index(["outcome", "term"])
    rows = frame().dropna(subset=["brain_change", "hamd_change"])
    pooled = smf.ols("hamd_change ~ active + fd_before + age + brain_change", rows).fit()
    row = table.loc[("hamd", "pooled")]
    assert row["slope"] == pytest.approx(pooled.params["brain_change"], rel=1e-5)
    assert row["p"] == pytest.approx(pooled.pvalues["brain_change"], rel=1e-5)
    both = smf.ols("hamd_change ~ active * brain_change + fd_before + age", rows).fit()
    row = table.loc[("hamd", "interaction")]
    assert row["slope"] == pytest.approx(both.params["active:brain_change"], rel=1e-5)
    assert (row["family_size"], row["score"]) == (1, "change")
    note = json.loads(
        (group.settings.output_dir / "group" / group_name(group.route, DESIGN, "association", ".json")).read_text()
    )
    assert "chosen because the arms differ" in note["Note"]


def test_sensitivity_rows_are_least_squares_of_what_they_say(group):
    table = table_of(group, "sensitivity").set_index("variation")
    rows = frame().dropna(subset=["brain_after"])
    model = "brain_after ~ active + brain_before + fd_before + age"
    medians = rows[["fd_before", "fd_after"]].median()
    low = (rows[["fd_before", "fd_after"]] <= medians).all(axis=1)
    expected = {
        "none: the headline analysis": smf.ols(model, rows),
        "change instead of ancova": smf.ols("brain_change ~ active + fd_before + age", rows),
        "post instead of ancova": smf.ols("brain_after ~ active + fd_before + age", rows),
        "not adjusted for baseline motion": smf.ols("brain_after ~ active + brain_before + age", rows),
        "adjusted for follow-up motion too, which treatment may have changed": smf.ols(model + "+ fd_after", rows),
        "mean FD of both visits at most the visit's median": smf.ols(model, rows[low]),
        "without A": smf.ols(model, rows[rows["site"] != "A"]),
        "without B": smf.ols(model, rows[rows["site"] != "B"]),
    }
    for variation, fitted in expected.items():
        agrees(table.loc[variation], fitted.fit())
    hc3 = smf.ols(model, rows).fit(cov_type="HC3", use_t=True)
    assert table["p_hc3"].iloc[0] == pytest.approx(hc3.pvalues["active"], rel=1e-5)
    alone = table[table.index.str.contains("leaving one out")]
    own = [smf.ols(model, rows.drop(index=label)).fit().params["active"] for label in rows.index]
    assert len(alone) == 2
    assert all(any(np.isclose(value, one, rtol=1e-5) for one in own) for value in alone["estimate"])


def test_robustness_covers_every_map_that_is_there(group):
    table = table_of(group, "robustness")
    assert len(table) == 2 * 5 * 3, "two measures, five versions of their maps, three estimators"
    headline = table[table["primary"]]
    assert len(headline) == 1
    sensitivity = table_of(group, "sensitivity").iloc[0]
    assert headline["estimate"].iloc[0] == pytest.approx(sensitivity["estimate"])
    assert headline[["measure", "edges", "values", "smoothing"]].iloc[0].tolist() == ["degree", "r025", "z", 6]
    agreed = table_of(group, "agreement").iloc[0]
    assert agreed["n_specifications"] == 30
    assert agreed["median_effect"] == pytest.approx(table["effect_size"].median())
    assert agreed["share_same_sign"] == pytest.approx((table["effect_size"] > 0).mean())
    for made_of in (table, agreed):
        assert not {"p", "p_hc3", "p_rerandomized", "p_median", "share_significant"} & set(made_of.keys())
    sidecar = group.settings.output_dir / "group" / group_name(group.route, DESIGN, "agreement", ".json")
    assert "There is no p" in json.loads(sidecar.read_text())["Note"]


def test_nothing_significant_invents_no_region(tmp_path):
    group = made(tmp_path)
    save_group_maps(group, (0.06, 0.2, 0.3, 0.4))
    notes = Notes()
    assert write_region_tables(group.run(None, notes), group.target) == []
    assert notes.problems == []
    bounds_hold_of_the_whole_brain(group)


def bounds_hold_of_the_whole_brain(group):
    """One active follow-up is missing: filled by hand with what was seen at the ends."""
    table = table_of(group, "wholebrainmissing")
    assert table.groupby(["measure", "edges"]).size().to_dict() == {("degree", "r025"): 5, ("strength", "r025"): 5}
    rows = table[table["measure"] == "degree"].set_index("method")
    given = frame()
    for word, session in (("before", "pre"), ("after", "post")):
        given[f"brain_{word}"] = [values_of(label, session, "degree").mean() for label in LABELS]
    given.loc[LEFT_OUT, "brain_after"] = np.nan
    model = "brain_after ~ active + brain_before + fd_before + age"
    agrees(rows.loc["ancova"], smf.ols(model, given).fit())
    assert given.loc[LEFT_OUT, "active"] == 0, "who is missing had the reference treatment"
    extremes = given["brain_after"].min(), given["brain_after"].max()
    expected = [smf.ols(model, given.fillna({"brain_after": end})).fit().params["active"] for end in extremes]
    np.testing.assert_allclose(sorted(rows.loc[["worst case", "best case"], "estimate"]), sorted(expected), rtol=1e-6)


def test_significant_parcels_are_regions(tmp_path):
    group = made(tmp_path, parcels=True, robustness=True)
    rows = pd.DataFrame({"index": [2, 5, 9], "name": ["x", "y", "z"], "t": [1.0, 5.0, -3.0], "p_fwe": [0.9, 0.01, 0.2]})
    path = tmp_path / "group" / group_name(group.route, DESIGN, "nodes", ".tsv")
    path.parent.mkdir(parents=True)
    both = [rows.assign(measure="degree", edges="r025", estimator=name) for name in ("ancova", "change")]
    pd.concat(both).to_csv(path, sep="\t", index=False)
    notes = Notes()
    (region,) = write_region_tables(group.run(None, notes), group.target)
    assert (region.cluster, region.name) == ("degreeR025 y", "y (degree)")
    assert region.text == "Degree, r > 0.25: parcel y, drug > usual care"
    wide = table_of(group, "roi").pivot(index="participant_id", columns="visit", values="value")
    np.testing.assert_allclose(wide["baseline"] * 0.45, frame()["brain_before"], rtol=1e-6)
    assert len(table_of(group, "robustness")) == 3
    assert notes.problems == []


def test_a_table_that_fails_is_named_and_the_others_are_made(tmp_path, monkeypatch):
    group = made(tmp_path, **OUTCOMES)
    save_group_maps(group)

    def fail(*_, **__):
        raise ValueError("the matrix is singular")

    monkeypatch.setattr(region_tables, "missing_table", fail)
    notes = Notes()
    scores = read_scores(group.tables, DESIGN, group.settings.trial)
    write_region_tables(group.run(scores, notes), group.target)
    assert notes.problems == [
        "Missing follow-ups of the whole brain, voxels: not made (ValueError: the matrix is singular)",
        "Missing follow-ups of the regions of voxels: not made (ValueError: the matrix is singular)",
    ]
    assert len(table_of(group, "association"))
    path = write_plan(group.run(None, notes), {})
    assert json.loads(path.read_text())["NotMade"] == notes.problems


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"outcomes": ("hamd", "panss")}, "--outcomes panss: no such column"),
        ({"outcomes": ("hamd",), "ordinal": ("panss",)}, "--ordinal panss: not an outcome; --outcomes are hamd"),
        ({"outcomes": ("hamd",), "higher_is_better": ("well",)}, "--higher-is-better well: not an outcome"),
        ({"cutoffs": ("hamd:response=50%",)}, "--cutoffs hamd: not an outcome; --outcomes are none"),
        ({"outcomes": ("hamd:response",)}, "Outcome hamd:response: --cutoffs does not say what response of hamd is"),
        ({"outcomes": ("hamd",), "covariates": ("height",)}, "No column height"),
    ],
)
def test_names_that_are_not_there_stop_before_any_work(options, fragment):
    with pytest.raises(UsageError, match=fragment):
        read_scores(tables(), DESIGN, Trial(**options))


def test_a_fall_in_percent_needs_a_baseline():
    given = tables()
    after = given.sessions["hamd"].xs("post", level="session_id").reindex(LABELS)
    given = replace(given, participants=given.participants.assign(final=after))
    with pytest.raises(DataError, match="there is no baseline to change from"):
        read_scores(given, DESIGN, Trial(outcomes=("final",), cutoffs=("final:response=50%",)))


def test_the_plan_says_what_an_outcome_counts_for(tmp_path):
    plan = Plan("degree", primary_outcomes=("hamd",), secondary_outcomes=("hamd:response",), sha256="abc")
    group = made(tmp_path, plan=plan, **OUTCOMES | {"outcomes": ("hamd", "hamd:response", "ideation")})
    scores = read_scores(group.tables, DESIGN, group.settings.trial)
    assert list(scores.outcomes) == ["hamd", "ideation"]
    write_outcomes(group.run(scores, Notes()))
    table = trial_table(tmp_path, "outcomes")
    roles = table[table["analysis"] == "main"].set_index(["outcome", "endpoint"])["role"]
    assert roles["hamd", "score"] == "primary"
    assert roles["hamd", "response"] == "secondary"
    assert roles["ideation", "score"] == roles["hamd", "remission"] == "exploratory"
    facts = json.loads(write_plan(group.run(None, Notes()), {}).read_text())
    assert {one["Title"]: one["Role"] for one in facts["Roles"]} == {
        "Degree, r > 0.25": "primary",
        "Strength, r > 0.25": "exploratory",
    }
    assert facts["Plan"]["SHA256"] == "abc"


def test_the_plan_can_have_the_mixed_model_decide_and_what_it_cannot_is_a_departure(tmp_path):
    plan = Plan("degree", primary_outcomes=("hamd", "age"), further={"outcome_model": "mmrm"})
    group = made(tmp_path, plan=plan, **OUTCOMES | {"outcomes": ("hamd", "age", "ideation"), "outcome_model": "mmrm"})
    notes = Notes()
    run = group.run(read_scores(group.tables, DESIGN, group.settings.trial), notes)
    write_outcomes(run)
    table = trial_table(tmp_path, "outcomes")
    rows = table[table["role"] == "primary"]
    assert (rows["outcome"] + " " + rows["method"]).tolist() == ["hamd mixed", "age post"]
    (sidecar,) = tmp_path.rglob("*_outcomes.json")
    about = json.loads(sidecar.read_text())
    assert about["Methods"]["mixed"] == ["hamd", "ideation"]
    assert about["Methods"]["post"] == ["age"]
    assert {name for name in METHODS if f"{name}: " in about["method"]["Description"]} == set(table["method"])
    (departed,) = json.loads(write_plan(run, {}).read_text())["Plan"]["Deviations"]
    assert departed == {"What": "primary_outcomes", "Planned": "age by mmrm", "Used": "age by post"}
    assert notes.unmet == ["primary_outcomes: planned age by mmrm, used age by post"]
    write_outcomes(replace(run, alone=False))
    table = trial_table(tmp_path, "outcomes")
    assert set(table["role"]) == {"secondary", "exploratory"}


def test_a_site_of_those_without_scans_leaves_the_headline_as_the_maps_have_it(tmp_path):
    """The reference level of everyone randomized has no member among those analysed."""
    group = made(tmp_path)
    save_group_maps(group)
    given = tables()
    given.participants["site"] = ["B", "B", "C"] * 8 + ["C", "A"]
    given.participants.loc[LABELS[4], "site"] = np.nan
    given.participants.loc[LABELS[6], "age"] = np.nan
    assert given.participants["site"].value_counts()["A"] == 1
    assert given.participants.loc[LEFT_OUT, "site"] == "A"
    trial = replace(group.settings.trial, covariates=("age", "site"), **OUTCOMES)
    settings, notes = replace(group.settings, trial=trial), Notes()
    scores = read_scores(given, DESIGN, trial)
    write_region_tables(replace(group, settings=settings, tables=given).run(scores, notes), group.target)
    assert notes.problems == []
    rows = frame().dropna(subset=["brain_after"])
    rows["c"] = (given.participants.loc[rows.index, "site"] == "C").astype(float)
    rows.loc[LABELS[4], "c"] = rows["c"].drop(LABELS[4]).mean()
    rows.loc[LABELS[6], "age"] = rows["age"].drop(LABELS[6]).mean()
    headline = table_of(group, "sensitivity").set_index("variation").loc["none: the headline analysis"]
    agrees(headline, smf.ols("brain_after ~ active + brain_before + fd_before + age + c", rows).fit())
    problem = assemble(group.route, group.flow, given, DESIGN, trial)
    compared = stats.compare_arms(
        rows[["brain_after"]].to_numpy(), rows[["brain_before"]].to_numpy(), problem.nuisance(), problem.draws(trial)
    )
    assert compared.effect.t.item() == pytest.approx(headline["t"], rel=1e-5)
    both = rows.dropna(subset=["hamd_change"])
    pooled = smf.ols("hamd_change ~ active + fd_before + age + c + brain_change", both).fit()
    row = table_of(group, "association").set_index(["outcome", "term"]).loc[("hamd", "pooled")]
    assert row["p"] == pytest.approx(pooled.pvalues["brain_change"], rel=1e-5)
    robust = frame().dropna(subset=["hamd_after"])
    assert len(robust) == len(rows), "who has no scan has no score here, so that the clinical means agree"


def test_one_unknown_motion_keeps_the_adjustment_in_the_regions(tmp_path):
    group, notes, unknown = made(tmp_path), Notes(), LABELS[3]
    save_group_maps(group)
    of_unknown = group.flow["participant_id"] == f"sub-{unknown}"
    flow = group.flow.assign(baseline_mean_fd=group.flow["baseline_mean_fd"].mask(of_unknown))
    write_region_tables(group.run(None, notes), replace(group.target, flow=flow))
    assert notes.problems == []
    rows = frame().dropna(subset=["brain_after"])
    known = rows.drop(unknown)
    rows.loc[unknown, "fd_before"] = known["fd_before"].mean()
    table = table_of(group, "sensitivity").set_index("variation")
    model = "brain_after ~ active + brain_before + fd_before + age"
    agrees(table.loc["none: the headline analysis"], smf.ols(model, rows).fit())
    medians = pd.Series({"fd_before": known["fd_before"].median(), "fd_after": rows["fd_after"].median()})
    below = (known[["fd_before", "fd_after"]] <= medians).all(axis=1)
    agrees(table.loc["mean FD of both visits at most the visit's median"], smf.ols(model, known[below]).fit())


def test_a_missing_category_is_filled_by_shares_in_the_clinical_table(tmp_path):
    group, given = made(tmp_path, **OUTCOMES), tables()
    given.participants.loc[LABELS[3], "sex"] = np.nan
    trial, notes = replace(group.settings.trial, covariates=("sex",)), Notes()
    scores = read_scores(given, DESIGN, trial)
    (said,) = [one.text for one in scores.findings if one.about == "Covariates"]
    assert said.startswith(f"sex has no value for 1 of 26 randomized (sub-{LABELS[3]})")
    write_outcomes(replace(group, settings=replace(group.settings, trial=trial)).run(scores, notes))
    rows = frame()
    rows["m"] = (rows["sex"] == "M").astype(float)
    rows.loc[LABELS[3], "m"] = rows["m"].drop(LABELS[3]).mean()
    table = trial_table(tmp_path, "outcomes")
    row = table[(table["outcome"] == "hamd") & (table["method"] == "ancova")].iloc[0]
    agrees(row, smf.ols("hamd_after ~ active + hamd_before + m", rows).fit())


def test_a_baseline_score_that_is_missing_is_said(tmp_path):
    given = tables()
    given.sessions.loc[(LABELS[2], "pre"), "hamd"] = np.nan
    (said,) = read_scores(given, DESIGN, Trial(outcomes=("hamd", "ideation"))).findings
    mean = given.sessions["hamd"].xs("pre", level="session_id").mean()
    assert said.text.startswith(f"Outcome hamd has no baseline for 1 of 26 randomized (sub-{LABELS[2]})")
    assert f"the mean of the others, {mean:.4g}" in said.text


def test_a_score_that_looks_like_a_code_is_warned_of(tmp_path):
    given = tables()
    given.sessions.loc[(LABELS[2], "pre"), "hamd"] = 999
    scores = read_scores(given, DESIGN, Trial(outcomes=("hamd",)))
    (said,) = [one.text for one in scores.findings if one.warning]
    assert said.startswith(f"Outcome hamd: 999 (sub-{LABELS[2]})")


def test_categories_become_dummies_and_what_is_missing_stays_so():
    given = tables()
    given.participants.loc[LABELS[3], "age"] = np.nan
    table = code(given, DESIGN, ("age", "sex", "hamd"), LABELS).table
    assert list(table) == ["age", "sex[M]", "hamd"]
    assert np.isnan(table.loc[LABELS[3], "age"])
    assert table["hamd"].tolist() == given.sessions["hamd"].xs("pre", level="session_id").tolist()


def test_other_folders_repeat_the_effect(tmp_path):
    """The same scans with every map doubled, and a folder that lacks one of them."""
    group = made(tmp_path / "own", robustness=True)
    save_group_maps(group)
    for name, scale in (("strict", 2.0), ("short", 1.0)):
        save_maps(tmp_path / name)
        for path in (tmp_path / name).rglob("*_boldmap.nii.gz"):
            image = nib.load(path)
            save_image(path, nib.Nifti1Image(scale * image.get_fdata(), image.affine))
    next((tmp_path / "short").rglob("sub-03*_stat-degree_desc-r025zSmooth6_boldmap.nii.gz")).unlink()
    trial = replace(group.settings.trial, also=tuple(NamedPath(name, tmp_path / name) for name in ("strict", "short")))
    settings = replace(group.settings, trial=trial)
    notes = Notes()
    write_region_tables(replace(group, settings=settings).run(None, notes), group.target)
    assert notes.problems == []
    folder = settings.output_dir / "group"
    (path,) = folder.glob("tables/*_sensitivity.tsv")
    table = pd.read_csv(path, sep="\t", na_values="n/a").set_index("variation")
    own, strict = table.loc["none: the headline analysis"], table.loc["processed as in strict"]
    assert strict["estimate"] == pytest.approx(2 * own["estimate"], rel=1e-5)
    assert strict["effect_size"] == pytest.approx(own["effect_size"], rel=1e-5)
    assert strict["p_rerandomized"] == own["p_rerandomized"]
    assert np.isnan(table.loc["processed as in short", "estimate"])
    assert "no such maps" in table.loc["processed as in short", "note"]
    (path,) = folder.glob("tables/*_robustness.tsv")
    grid = pd.read_csv(path, sep="\t")
    assert set(grid["processing"]) == {"as here", "strict", "short"}
    assert grid.loc[grid["primary"], "processing"].unique().tolist() == ["as here"]
