"""Everybody as one group, scanned three times: from the tables to the pages."""

import json
import re
from itertools import product

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import SMALL, SmallTrial
from outputs import mean_of, table, visible
from scipy import stats as scipy_stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from bids_app.stats.scores import fit_mmrm
from bids_app.trial.wording import ONE_GROUP

EVERYONE = ("01", "02", "03", "04", "05", "06")
SESSIONS = ("1", "2", "3")
WORDS = ("--design", "one-group", "--n-permutations", "1000", "--map-values", "raw")
WARNING = ONE_GROUP.warning
SLEEP = ((7.1, 6.2, 7.9), (6.2, 7.7, "n/a"), (8.0, 7.1, 6.4), (5.9, 6.6, 7.2), (7.4, 8.3, 7.0), (6.8, 6.9, 8.4))
OTHER_WORDS = re.compile(r"\b(arms?|randomi[sz]\w*|treat\w*|re-randomized|baseline ancova)\b")


@pytest.fixture(scope="module")
def study(tmp_path_factory, app):
    """Six people at three visits, but for one who lacks the last; their table has no arm."""
    root = tmp_path_factory.mktemp("onegroup")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for label in EVERYONE:
        for session in SESSIONS:
            if (label, session) != ("06", "3"):
                trial.add_run(label, session)
        rows = "".join(f"ses-{one}\t{score(label, one)}\t{sleep(label, one)}\n" for one in SESSIONS)
        (trial.bids / f"sub-{label}").mkdir()
        (trial.bids / f"sub-{label}" / f"sub-{label}_sessions.tsv").write_text(f"session_id\thamd\tsleep\n{rows}")
    people = "".join(f"sub-{label}\t{20 + int(label) ** 2}\n" for label in EVERYONE)
    (trial.bids / "participants.tsv").write_text(f"participant_id\tage\n{people}")
    assert app(trial.bids, root / "out", "participant", *SMALL).code == 0
    return trial


@pytest.fixture(scope="module")
def compared(study, app):
    out = study.bids.parent / "out"
    outcome = app(study.bids, out, "group", *SMALL, *WORDS, "--outcomes", "hamd", "sleep")
    assert outcome.code == 0, outcome.said
    return out, outcome


def score(name, session):
    return 10 + int(name) * 2 - int(session) * (1 + int(name) % 3)


def sleep(name, session):
    """Return hours, which one lacks at the last visit."""
    return SLEEP[int(name) - 1][int(session) - 1]


def every_flip(changes):
    """Return the two-sided p of t over all ways to flip signs."""
    t = [abs(scipy_stats.ttest_1samp(changes * signs, 0).statistic) for signs in product((1, -1), repeat=len(changes))]
    return np.mean(np.array(t) >= abs(scipy_stats.ttest_1samp(changes, 0).statistic) - 1e-9)


@pytest.mark.parametrize(("later", "n"), [("2", 6), ("3", 5)])
def test_the_mean_change_is_the_paired_t_and_p_that_of_all_flips(compared, later, n):
    out, _ = compared
    folder = out / "group" / f"contrast-ses{later}VsSes1"
    changes = np.array([mean_of(out, name, later) - mean_of(out, name, "1") for name in EVERYONE[:n]])
    (row,) = table(folder, "wholebrain").to_dict("records")
    found = scipy_stats.ttest_1samp(changes, 0)
    assert (row["estimator"], row["n"]) == ("within", n)
    assert row["difference"] == pytest.approx(changes.mean(), rel=1e-6)
    assert row["t"] == pytest.approx(found.statistic, rel=1e-6)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(found.confidence_interval(0.95)), rel=1e-6)
    assert row["p"] == pytest.approx(every_flip(changes))


@pytest.mark.parametrize(("later", "n"), [("2", 6), ("3", 6)])
def test_the_score_changes_by_the_paired_t(study, compared, later, n):
    out, _ = compared
    found = table(out / "group" / f"contrast-ses{later}VsSes1", "outcomes")
    (row,) = found[found["outcome"] == "hamd"].to_dict("records")
    scores = {session: np.array([score(one, session) for one in EVERYONE], float) for session in ("1", later)}
    found = scipy_stats.ttest_rel(scores[later], scores["1"])
    assert (row["method"], row["n_active"], row["analysis"]) == ("within", n, "main")
    assert (row["t"], row["p"]) == pytest.approx((found.statistic, found.pvalue))
    assert not [column for column in row if "reference" in column]


def test_all_visits_of_a_score_are_in_one_model_on_page_and_in_the_methods(compared, browse):
    """Where the scores are a line for everyone the covariance of the visits cannot have any form, which is said."""
    out, _ = compared
    path = out / "group" / "tables" / "contrast-all_mmrm.tsv"
    found = pd.read_csv(path, sep="\t", na_values="n/a", dtype={"followup": str})
    about = json.loads(path.with_suffix(".json").read_text())
    assert list(found) == [name for name, one in about.items() if isinstance(one, dict) and "Description" in one]
    rows = found[found["outcome"] == "sleep"].set_index("followup")
    assert list(rows.index) == ["2", "3", "average", "any", "interaction"]
    values = pd.DataFrame(SLEEP).replace("n/a", np.nan).to_numpy(float)
    fit = fit_mmrm(values, np.zeros(6, int), structures=["unstructured"])
    own = fit.contrast(np.array([[-1, 0, 1]]))
    assert (rows.loc["3", "estimate"], rows.loc["3", "p"]) == pytest.approx((own.estimate, own.p), rel=1e-6)
    assert (rows.loc["3", "n"], rows.loc["3", "missing"], rows.loc["3", "n_model"]) == (5, 1, 6)
    assert (about["FirstVisit"], about["Covariance"]["sleep"], about["Warning"]) == ("1", "unstructured", WARNING)
    depends = "unstructured: the likelihood grows on as the visits come to depend on each other exactly"
    assert found.loc[found["outcome"] == "hamd", "note"].str.contains(depends).all()
    page = visible((out / "group" / "index.html").read_text())
    assert "Clinical outcomes at all visits" in page
    assert "sleep, change from the first visit: exploratory; unstructured covariance" in page
    f = rows.loc["any"]
    assert f"sleep, any change from the first visit at any later visit (exploratory): F(2, {f['df']:.3g}) =" in page
    assert not OTHER_WORDS.findall(page)
    found = browse(out / "group" / "index.html", 420)
    assert (found.errors, found.blank_images, found.violations, found.overflow, found.cut) == ([], [], [], {}, {})
    methods = " ".join((out / "logs" / "CITATION.md").read_text().split())
    assert "by one mixed model for repeated measures" in methods
    assert "the change from the first visit was estimated at every later one and on average" in methods


def test_how_alike_two_visits_are_is_that_of_the_analysis_of_variance(compared):
    out, _ = compared
    folder = out / "group" / "contrast-ses3VsSes1"
    (path,) = folder.glob("maps/*/*stat-icc_desc-degreeR025_statmap.nii.gz")
    drawn = nib.load(path).get_fdata().ravel()
    maps = np.stack([[smooth_map(out, who, one) for one in ("1", "3")] for who in EVERYONE[:5]])
    for voxel in np.flatnonzero(np.isfinite(drawn))[::90]:
        values = pd.DataFrame({"who": np.repeat(range(5), 2), "value": maps[:, :, voxel].ravel()})
        squares = anova_lm(ols("value ~ C(who)", values).fit())["mean_sq"]
        between, within = squares["C(who)"], squares["Residual"]
        assert drawn[voxel] == pytest.approx((between - within) / (between + within), rel=1e-4)
    (row,) = table(folder, "reliability").to_dict("records")
    assert row["n"] == 5
    assert row["icc"] == pytest.approx(np.nanmedian(drawn), rel=1e-5)
    page = visible((folder / "index.html").read_text())
    assert "How alike the two visits are: the intraclass correlation over participants, ICC(1,1)" in page


def test_all_later_visits_are_corrected_together(compared):
    out, _ = compared
    record = json.loads((out / "group" / "comparisons.json").read_text())
    assert [one["Folder"] for one in record["Comparisons"]] == ["contrast-ses2VsSes1", "contrast-ses3VsSes1"]
    assert "flipping a participant's signs at all of them at once" in record["Together"]
    together = table(out / "group", "comparisons")
    own = [
        table(out / "group" / one["Folder"], "clusters") for one in record["Comparisons"]
    ]  # which have p of a visit by itself
    assert list(together["n"]) == [6, 5]
    assert together["p_together"].between(0, 1).all()
    assert len(own) == 2
    page = visible((out / "group" / "index.html").read_text())
    assert "2 comparisons of one group with its first visit" in page
    assert not OTHER_WORDS.findall(page)


def test_the_page_speaks_of_one_group_and_says_first_what_cannot_be_told_apart(compared):
    out, outcome = compared
    page = visible((out / "group" / "contrast-ses2VsSes1" / "index.html").read_text())
    assert page.index("Read this first") < page.index(ONE_GROUP.warning)
    assert "regression to the mean" in ONE_GROUP.warning
    assert "symmetrically about 0" in page
    assert not OTHER_WORDS.findall(page)
    assert ONE_GROUP.warning in " ".join(outcome.said.split())


def test_the_record_says_what_was_done(compared):
    out, _ = compared
    (path,) = (out / "group" / "contrast-ses3VsSes1").glob("*_design.json")
    record = json.loads(path.read_text())
    assert (record["ComparisonOf"], record["Scheme"], record["Headline"]) == ("one-group", "sign-flips", "within")
    assert record["NumberAnalysed"] == {"everyone": 5}
    assert "ReferenceArm" not in record
    assert record["AllAllocationsEnumerated"]
    said = json.dumps([record["Findings"], record["Estimators"]])
    assert not OTHER_WORDS.findall(said)
    assert "5 participants have 32 ways to flip signs, so that no p is below 0.062" in said
    flow = table(out / "group" / "contrast-ses3VsSes1", "flow").set_index("participant_id")
    assert flow.loc["sub-06", "reason"] == "later visit: no scan"
    methods = (out / "logs" / "CITATION.md").read_text()
    assert "Signs of the participants' differences were flipped in all 64 ways" in methods


def test_motion_and_who_they_are_stand_in_one_column(compared):
    out, _ = compared
    folder = out / "group" / "contrast-ses2VsSes1"
    motion = table(folder, "motion").set_index(["variable", "visit"])
    flow = table(folder, "flow")
    change = flow["followup_mean_fd"] - flow["baseline_mean_fd"]
    row = motion.loc[("mean_fd", "change")]
    assert row["mean_active"] == pytest.approx(change.mean())
    assert row["p"] == pytest.approx(scipy_stats.ttest_1samp(change, 0).pvalue)
    (age,) = table(folder, "balance").query("variable == 'age'").to_dict("records")
    assert age["active"] == pytest.approx(np.mean([20 + int(one) ** 2 for one in EVERYONE]))


def test_the_pages_are_made_anew_alike(compared, study, app):
    out, _ = compared
    before = {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}
    assert app(study.bids, out, "group", *SMALL, *WORDS, "--reports-only").code == 0
    assert before == {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}


@pytest.mark.parametrize("words", [("--arm", "age"), ("--estimator", "ancova"), ("--cutoffs", "hamd:response=50%")])
def test_what_needs_arms_is_refused(study, app, words):
    outcome = app(study.bids, study.bids.parent / "out", "group", *SMALL, *WORDS, *words)
    assert outcome.code == 64
    assert f"--design one-group with {words[0]}: not made where everybody is one group" in outcome.said


def test_without_the_design_the_refusal_names_it(study, app):
    outcome = app(study.bids, study.bids.parent / "out", "group", *SMALL)
    assert outcome.code == 64
    assert "To test how everyone changes from the first visit to each later one, without arms, give" in outcome.said


def test_check_says_who_could_be_compared(study, app, tmp_path):
    outcome = app("check", study.bids, tmp_path / "out", *WORDS)
    assert outcome.code == 0, outcome.said
    assert "6 of 6 would be compared" in outcome.said
    assert "5 of 6 would be compared" in outcome.said


DAYS = {"1": 0, "2": 10, "3": 40}
PUT_TOGETHER = {
    "slopeOverTheVisits": dict(zip(SESSIONS, np.polyfit(list(DAYS.values()), np.eye(3), 1)[0], strict=True)),
    "meanOverTheLaterVisitsVsSes1": {"1": -1, "2": 1 / 2, "3": 1 / 2},
    "lastMinusFirstLaterVisit": {"2": -1, "3": 1},
}


@pytest.fixture(scope="module")
def over(study, compared, app):
    """The same with what the visits come to, and the day of every visit."""
    for label in EVERYONE:
        path = study.bids / f"sub-{label}" / f"sub-{label}_sessions.tsv"
        rows = pd.read_csv(path, sep="\t")
        rows.assign(days=[DAYS[one[4:]] for one in rows["session_id"]]).to_csv(path, sep="\t", index=False)
    out = study.bids.parent / "out"
    words = ("--outcomes", "hamd", "--over-followups", "slope", "mean", "last-first")
    outcome = app(study.bids, out, "group", *SMALL, *WORDS, *words)
    assert outcome.code == 0, outcome.said
    return out, outcome


@pytest.mark.parametrize(("name", "weights"), PUT_TOGETHER.items())
def test_what_visits_come_to_is_a_sum_of_everyones_maps_and_scores(over, name, weights):
    """Five people have all visits; a slope is that of the least-squares line of each, the first visit in it."""
    out, _ = over
    folder = out / "group" / f"contrast-{name}"
    own = np.array([sum(weight * mean_of(out, who, one) for one, weight in weights.items()) for who in EVERYONE[:5]])
    found = scipy_stats.ttest_1samp(own, 0)
    (row,) = table(folder, "wholebrain").to_dict("records")
    assert (row["estimator"], row["n"]) == ("within", 5)
    assert row["difference"] == pytest.approx(own.mean(), rel=1e-6)
    assert row["t"] == pytest.approx(found.statistic, rel=1e-6)
    assert row["p"] == pytest.approx(every_flip(own))
    (path,) = folder.glob("maps/*/*stat-difference_desc-degreeR025_statmap.nii.gz")
    difference = nib.load(path).get_fdata().ravel()
    maps = {one: np.stack([smooth_map(out, who, one) for who in EVERYONE[:5]]) for one in weights}
    summed = sum(weight * maps[one] for one, weight in weights.items()).mean(axis=0)
    there = np.isfinite(difference)
    np.testing.assert_allclose(difference[there], summed[there], rtol=1e-3, atol=1e-4 * np.ptp(summed[there]))
    scores = np.array([sum(w * score(who, one) for one, w in weights.items()) for who in EVERYONE])
    (row,) = table(folder, "outcomes").to_dict("records")
    tested = scipy_stats.ttest_1samp(scores, 0)
    assert (row["estimate"], row["t"]) == pytest.approx((scores.mean(), tested.statistic))


def smooth_map(out, name, session):
    (path,) = (out / f"sub-{name}" / f"ses-{session}").rglob("*_stat-degree_desc-r025Smooth*_boldmap.nii.gz")
    return nib.load(path).get_fdata().ravel()


def test_the_slope_is_in_the_joint_p_and_the_page_says_what_it_is(over, study, app, browse):
    out, outcome = over
    joint = table(out / "group", "comparisons")
    assert list(joint["comparison"])[2] == "slope over the visits"
    assert list(joint["n"]) == [6, 5, 5, 5, 5]
    assert joint["p_together"].between(0, 1).all()
    folder = out / "group" / "contrast-slopeOverTheVisits"
    page = visible((folder / "index.html").read_text())
    assert "<h1>slope over the visits: graph measures</h1>" in (folder / "index.html").read_text()
    assert "mean of the slope over the visits of everyone, tested by flipping signs" in page
    assert "red where the slope over the visits is above 0" in page
    assert not OTHER_WORDS.findall(page)
    said = " ".join(outcome.said.split())
    assert "slope of the least-squares line through ses-1, ses-2 and ses-3, per day" in said
    assert "The times are those of the column days of sessions.tsv" in said
    (path,) = folder.glob("*_design.json")
    (summary,) = json.loads(path.read_text())["Summaries"]
    assert summary["Days"] == list(DAYS.values())
    methods = " ".join((out / "logs" / "CITATION.md").read_text().split())
    assert "slope over the visits was looked at, within the 5 participants who have all of ses-1, ses-2" in methods
    for one in (out / "group" / "index.html", folder / "index.html"):
        found = browse(one, 420)
        assert (found.errors, found.blank_images, found.violations, found.overflow, found.cut) == ([], [], [], {}, {})
    outcome = app("check", study.bids, out.parent / "other", *WORDS, "--over-followups", "slope")
    assert "slope over the visits" in outcome.said
    assert outcome.code == 0, outcome.said


def test_the_effect_by_other_choices_is_made_of_changes_and_of_slopes_over_visits(over, study, app):
    out, _ = over
    words = ("--over-followups", "slope", "--robustness", "--alpha", "0.99")  # so that there are regions
    outcome = app(study.bids, out, "group", *SMALL, *WORDS, *words)
    assert outcome.code == 0, outcome.said
    found = [one for one in (out / "group").glob("contrast-*") if list(one.glob("tables/*_robustness.tsv"))]
    assert "contrast-slopeOverTheVisits" in [one.name for one in found]
    for folder in found:
        by_choice, here = table(folder, "robustness"), table(folder, "sensitivity")
        primary = by_choice[by_choice["primary"]].set_index("region")["estimate"]
        headline = here[here["variation"].str.startswith("none")].set_index("region")["estimate"]
        assert set(by_choice["estimator"]) == {"within"}
        pd.testing.assert_series_equal(primary.sort_index(), headline.sort_index(), check_names=False)


@pytest.fixture(scope="module")
def once(tmp_path_factory, app):
    """Six people scanned once, in two runs each; there is no participants.tsv."""
    root = tmp_path_factory.mktemp("once")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for label in EVERYONE:
        for run in ("1", "2"):
            trial.add_run(label, None, run=run)
    (trial.bids / "participants.tsv").unlink(missing_ok=True)
    assert app(trial.bids, root / "out", "participant", *SMALL).code == 0
    return trial


def maps_of(out, name):
    paths = sorted((out / f"sub-{name}").rglob("*_stat-degree_desc-r025Smooth*_boldmap.nii.gz"))
    return np.stack([nib.load(path).get_fdata().ravel() for path in paths])


def test_one_visit_is_described_and_nothing_is_tested(once, app):
    out = once.bids.parent / "out"
    outcome = app(once.bids, out, "group", *SMALL, *WORDS)
    assert outcome.code == 0, outcome.said
    assert "There is no participants.tsv: the group is the 6 who were scanned." in " ".join(outcome.said.split())
    folder = out / "group"
    runs = np.stack([maps_of(out, name) for name in EVERYONE])  # participants, runs, voxels

    def drawn(stat):
        (path,) = folder.glob(f"maps/*/*_stat-{stat}_desc-degreeR025_statmap.nii.gz")
        return nib.load(path).get_fdata().ravel()

    kept = np.isfinite(drawn("mean"))
    both = runs.mean(axis=1)[:, kept]
    np.testing.assert_allclose(drawn("mean")[kept], both.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(drawn("sd")[kept], both.std(axis=0, ddof=1), rtol=1e-4)
    assert (drawn("n")[kept] == 6).all()
    voxel = np.flatnonzero(kept)[100]
    table_of_one = pd.DataFrame({"who": np.repeat(range(6), 2), "value": runs[:, :, voxel].ravel()})
    squares = anova_lm(ols("value ~ C(who)", table_of_one).fit())["mean_sq"]
    between, within = squares["C(who)"], squares["Residual"]
    assert drawn("icc")[voxel] == pytest.approx((between - within) / (between + within), rel=1e-4)
    assert not list(folder.rglob("*pFwe*"))
    page = visible((folder / "index.html").read_text())
    assert "6 participants are described as one group at one visit. Nothing was tested." in page
    assert not re.search(r"\bp\b|FWE|signific", page)
    assert not OTHER_WORDS.findall(page)
    methods = (out / "logs" / "CITATION.md").read_text()
    assert "6 participants were described as one group" in methods
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert app(once.bids, out, "group", *SMALL, *WORDS, "--reports-only").code == 0
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("slopes", [(), ("--slopes", "age")])
def test_the_effect_by_other_choices_is_not_made_of_one_visit_and_it_is_said(once, app, slopes):
    rows = "".join(f"sub-{label}\t{20 + int(label) ** 2}\n" for label in EVERYONE)
    (once.bids / "participants.tsv").write_text(f"participant_id\tage\n{rows}")
    outcome = app(once.bids, once.bids.parent / "out", "group", *SMALL, *WORDS, *slopes, "--robustness")
    (once.bids / "participants.tsv").unlink()
    assert outcome.code == 65, outcome.said
    assert "Asked for, and not made: Robustness of voxels: not made, for it is of differences" in outcome.said
    page = visible((once.bids.parent / "out" / "group" / "index.html").read_text())
    assert (
        "Robustness of voxels: not made, for it is of differences, and at one visit of one group there is none" in page
    )


def test_scores_of_one_visit_are_described(once, app, browse):
    scores = {"01": 10, "02": 13, "03": 17, "04": 9}
    rows = "".join(f"sub-{label}\t{scores.get(label, 'n/a')}\n" for label in EVERYONE)
    (once.bids / "participants.tsv").write_text(f"participant_id\thamd\n{rows}")
    out = once.bids.parent / "out"
    outcome = app(once.bids, out, "group", *SMALL, *WORDS, "--outcomes", "hamd")
    (once.bids / "participants.tsv").unlink()
    assert outcome.code == 0, outcome.said
    (row,) = pd.read_csv(out / "group" / "tables" / "contrast-everyone_description.tsv", sep="\t").to_dict("records")
    known = np.array(list(scores.values()), dtype=float)
    assert (row["n"], row["missing"], row["visit"]) == (4, 2, "visit")
    assert (row["mean"], row["sd"]) == pytest.approx((known.mean(), known.std(ddof=1)))
    page = visible((out / "group" / "index.html").read_text())
    assert "Scores by visit: described, not tested" in page
    assert not re.search(r"\bp\b|FWE|signific", page)
    assert "hamd) were described by mean and standard deviation" in (out / "logs" / "CITATION.md").read_text()
    found = browse(out / "group" / "index.html", 420)
    assert (found.errors, found.blank_images, found.violations, found.overflow, found.cut) == ([], [], [], {}, {})


def test_the_slope_at_one_visit_is_that_of_least_squares(once, app):
    rows = "".join(f"sub-{label}\t{20 + int(label) ** 2}\n" for label in EVERYONE)
    (once.bids / "participants.tsv").write_text(f"participant_id\tage\n{rows}")
    out = once.bids.parent / "out"
    outcome = app(once.bids, out, "group", *SMALL, *WORDS, "--slopes", "age")
    (once.bids / "participants.tsv").unlink()
    assert outcome.code == 0, outcome.said
    matrix = table(out / "group", "matrix")
    age = np.array([20 + int(label) ** 2 for label in EVERYONE], dtype=float)
    means = [
        np.nanmean(
            [
                json.loads(path.read_text())["Mean"]
                for path in sorted((out / f"sub-{name}").rglob("*_stat-degree_desc-r025_boldmap.json"))
            ]
        )
        for name in EVERYONE
    ]
    fit = sm.OLS(means, np.column_stack([age, np.ones(6), matrix["mean_fd"]])).fit()
    (row,) = table(out / "group", "wholebrain").to_dict("records")
    assert row["estimator"] == "slope:age"
    assert row["difference"] == pytest.approx(fit.params[0], rel=1e-5)
    assert row["t"] == pytest.approx(fit.tvalues[0], rel=1e-5)
    page = visible((out / "group" / "index.html").read_text())
    assert "The values do not go along with age" in page or "The values go along with age" in page
    assert not OTHER_WORDS.findall(page)
    (path,) = (out / "group").glob("*_design.json")
    record = json.loads(path.read_text())
    assert (record["Headline"], record["Scheme"], record["ComparisonOf"]) == ("slope:age", "freedman-lane", "one-group")
