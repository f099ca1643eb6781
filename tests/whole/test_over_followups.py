"""Two arms and two follow-ups put together: maps, scores, p over all and pages, against statsmodels."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from compared_once import once
from conftest import SMALL, SmallTrial

from bids_app.group import node_values

ARMS = {"drug": ("01", "02", "03", "04"), "placebo": ("05", "06", "07", "08")}
PEOPLE = sum(ARMS.values(), ())
DAYS = {"baseline": 0, "day3": 3, "day7": 7}
KINDS = ("mean", "area", "slope", "last-first")
WEIGHTS = {
    "mean": {"day3": 1 / 2, "day7": 1 / 2},
    "area": {"baseline": 3 / 14, "day3": 7 / 14, "day7": 4 / 14},
    "slope": {"day3": -1 / 4, "day7": 1 / 4},
    "lastfirst": {"day3": -1, "day7": 1},
}
GROUP = (
    *SMALL,
    "--n-permutations",
    "60",
    "--outcomes",
    "hamd",
    "--no-baseline-motion",
    "--cutoffs",
    "hamd:remission<=7",
)
CALLED = {"mean": "mean over the follow-ups", "slope": "slope over the follow-ups"}
out, compared = once(*GROUP, "--over-followups", *KINDS)


def scores():
    generator = np.random.default_rng(3)
    rows = [
        (f"sub-{name}", f"ses-{one}", 20 + generator.normal() - 0.5 * day)
        for name in PEOPLE
        for one, day in DAYS.items()
    ]
    return pd.DataFrame(rows, columns=["participant_id", "session_id", "hamd"])


@pytest.fixture(scope="module")
def read():
    """The maps that the group level reads, each time that it does."""
    read, whole = [], node_values.read_image

    def counting(path, *rest):
        read.append(path)
        return whole(path, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_values, "read_image", counting)
        yield read


@pytest.fixture(scope="module")
def trial(tmp_path_factory, app, read):
    """Eight participants, of whom the last has no second follow-up."""
    root = tmp_path_factory.mktemp("over")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    trial.add_arms(**{f"s{label}": arm for arm, labels in ARMS.items() for label in labels})
    for label in PEOPLE:
        for session in DAYS:
            if (label, session) != ("08", "day7"):
                trial.add_run(label, session)
    (trial.bids / "phenotype").mkdir()
    scores().to_csv(trial.bids / "phenotype" / "scales.tsv", sep="\t", index=False)
    assert app(trial.bids, root / "out", "participant", *SMALL).code == 0
    return trial


def folder(out, name):
    return out / "group" / f"contrast-drugVsPlacebo_ses-{name}"


def summed(out, name):
    """Return the participants' z maps summed by weights, their baselines, and who is in the active arm."""
    people = PEOPLE[:-1]

    def read(label, session):
        (path,) = (out / f"sub-{label}" / f"ses-{session}" / "func").glob(
            "*stat-degree_desc-r025zSmooth20_boldmap.nii.gz"
        )
        return nib.load(path).get_fdata()

    followup = [sum(weight * read(label, one) for one, weight in WEIGHTS[name].items()) for label in people]
    baseline = [read(label, "baseline") for label in people]
    return np.array(followup), np.array(baseline), np.array([label in ARMS["drug"] for label in people], dtype=float)


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_difference_is_that_of_statsmodels_on_the_summed_maps(compared, out, name):
    followup, baseline, arm = summed(out, name)
    (path,) = folder(out, name).glob("maps/*/*stat-difference_desc-degreeR025_statmap.nii.gz")
    difference = nib.load(path).get_fdata()
    for voxel in np.argwhere(np.isfinite(difference))[::40]:
        at = (slice(None), *voxel)
        fit = sm.OLS(followup[at], np.column_stack([arm, np.ones(7), baseline[at]])).fit()
        assert difference[tuple(voxel)] == pytest.approx(fit.params[0], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_score_is_that_of_statsmodels_on_the_summed_scores(compared, out, name):
    wide = (
        scores().pivot(index="participant_id", columns="session_id", values="hamd").rename(columns=lambda one: one[4:])
    )
    outcome = sum(weight * wide[one] for one, weight in WEIGHTS[name].items())
    arm = np.array([label[4:] in ARMS["drug"] for label in wide.index], dtype=float)
    fit = sm.OLS(outcome, np.column_stack([arm, np.ones(8), wide["baseline"]])).fit()
    change = outcome if name in ("slope", "lastfirst") else outcome - wide["baseline"]
    (path,) = folder(out, name).glob("tables/*_outcomes.tsv")
    rows = pd.read_csv(path, sep="\t").query("endpoint == 'score'").set_index("method")["estimate"]
    assert rows["ancova"] == pytest.approx(fit.params.iloc[0], rel=1e-6)
    assert rows["change"] == pytest.approx(change[arm == 1].mean() - change[arm == 0].mean(), rel=1e-6)


def test_the_summaries_are_in_the_joint_correction_beside_the_follow_ups(compared, out):
    record = json.loads((out / "group" / "comparisons.json").read_text())
    assert [one["Followup"] for one in record["Comparisons"]] == ["day3", "day7", *WEIGHTS]
    assert "closed test" in record["Together"]
    (path,) = (out / "group").glob("tables/*_comparisons.tsv")
    table = pd.read_csv(path, sep="\t").set_index("comparison")
    assert table["n"].tolist() == [8, 7, 7, 7, 7, 7]
    assert table.index[3] == "drug − placebo, area over the follow-ups"
    for name in WEIGHTS:
        (path,) = folder(out, name).glob("maps/*/*stat-pFwe_desc-degreeR025_statmap.nii.gz")
        (both,) = (out / "group").glob(f"maps/*/ses-{name}_*stat-pTogether*statmap.nii.gz")
        own, together = nib.load(path).get_fdata(), nib.load(both).get_fdata()
        there = np.isfinite(own)
        assert (together[there] >= own[there] - 1 / 35).all()  # of all allocations of seven, or of those drawn of eight


def test_each_map_is_read_once_however_many_comparisons_it_is_in(read, compared, out):
    maps = [path for path in out.glob("sub-*/ses-*/func/*_boldmap.nii.gz") if path in set(read)]
    assert len({path.parents[1] for path in maps}) == 23  # of every scan
    assert sorted(read) == sorted(maps)
    assert not list(out.rglob("maps-*"))  # where they were kept while the run lasted


def test_a_run_without_room_is_refused_and_leaves_what_was_there(trial, compared, out, app):
    before = (out / "group" / "comparisons.json").read_bytes()
    refused = app(trial.bids, out, "group", *GROUP, "--mem-gb", "0.3")
    assert refused.code == 64
    assert "takes up to 0.4 GB of memory (8 participants, 2 visits" in " ".join(refused.said.split())
    assert (out / "group" / "comparisons.json").read_bytes() == before


def test_the_record_says_weights_and_times(compared, out):
    (path,) = folder(out, "area").glob("*_design.json")
    record = json.loads(path.read_text())
    (summary,) = record["Summaries"]
    assert summary["Sessions"] == list(DAYS)
    assert summary["Weights"] == pytest.approx(list(WEIGHTS["area"].values()))
    assert (summary["Days"], summary["Times"]) == ([0, 3, 7], "the labels of the sessions")
    assert record["FollowupSession"] == "area"


@pytest.mark.parametrize("name", CALLED)
def test_the_page_and_the_flow_say_what_is_compared(compared, out, name):
    page = (folder(out, name) / "index.html").read_text()
    assert f"<h1>drug − placebo: graph measures, {CALLED[name]}</h1>" in page
    assert f"{CALLED[name]}: no scan of ses-day7" in page
    assert "with scans of ses-day3 and ses-day7" in page
    assert f"ses-{name}" not in page.split("<body")[1].replace(f"contrast-drugVsPlacebo_ses-{name}", "")
    assert "several scans were averaged" not in page
    (path,) = folder(out, name).glob("tables/*_flow.tsv")
    assert pd.read_csv(path, sep="\t", na_values="n/a")["followup_scans"].tolist() == [2] * 7 + [0]


def test_cut_offs_are_of_scores_only(compared, out):
    for name, made in (("mean", True), ("slope", False)):
        (path,) = folder(out, name).glob("tables/*_outcomes.tsv")
        assert ("remission" in set(pd.read_csv(path, sep="\t")["endpoint"])) == made


def test_the_mixed_model_is_of_the_follow_ups_alone(compared, out):
    table = pd.read_csv(out / "group" / "tables" / "contrast-all_mmrm.tsv", sep="\t")
    assert list(table["followup"]) == ["day3", "day7", "average", "any", "interaction"]  # the last two are of F


def test_the_methods_name_each(compared, out):
    text = (out / "logs" / "CITATION.md").read_text()
    assert "mean over the follow-ups" in text


def test_the_pages_are_in_order_in_a_browser(compared, out, browse):
    for page in (out / "group" / "index.html", folder(out, "slope") / "index.html"):
        found = browse(page, 420)
        assert (found.errors, found.blank_images, found.violations, found.overflow, found.cut) == ([], [], [], {}, {})


def test_the_pages_are_made_anew_alike(compared, trial, out, app):
    before = {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}
    words = (*GROUP, "--over-followups", *KINDS, "--reports-only")
    assert app(trial.bids, out, "group", *words).code == 0
    assert before == {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}


def test_check_says_the_same(compared, trial, out, app):
    outcome = app(trial.bids, out, "group", *GROUP, "--dry-run", "--over-followups", "slope")
    assert outcome.code == 0, outcome.said
    assert "drug − placebo, slope over the follow-ups:" in outcome.said
    assert "slope over the follow-ups: no scan of ses-day7" in outcome.said.replace("\n", " ")


@pytest.fixture(scope="module")
def averaged(compared, trial, out, app):
    """The first two visits are two baselines of the last; what is compared before is replaced."""
    outcome = app(trial.bids, out, "group", *GROUP, "--baseline", "baseline", "day3", "--followup", "day7")
    assert outcome.code == 0, outcome.said
    return outcome


def test_several_baselines_are_averaged_before_they_are_adjusted_for(averaged, out, browse):
    followup, first, arm = summed(out, "slope")
    second = first + 0 * followup
    for place, label in enumerate(PEOPLE[:-1]):
        (path,) = (out / f"sub-{label}" / "ses-day3" / "func").glob("*stat-degree_desc-r025zSmooth20_boldmap.nii.gz")
        second[place] = nib.load(path).get_fdata()
    last = second + 4 * followup  # the slope is a quarter of what came after
    (path,) = (out / "group").glob("maps/*/*stat-difference_desc-degreeR025_statmap.nii.gz")
    difference = nib.load(path).get_fdata()
    for voxel in np.argwhere(np.isfinite(difference))[::40]:
        at = (slice(None), *voxel)
        fit = sm.OLS(last[at], np.column_stack([arm, np.ones(7), (first[at] + second[at]) / 2])).fit()
        assert difference[tuple(voxel)] == pytest.approx(fit.params[0], rel=1e-4, abs=1e-6)
    page = (out / "group" / "index.html").read_text()
    assert "the mean of ses-baseline and ses-day3 (or of those there are) (baseline) and ses-day7 (follow-up)" in page
    assert "of these with all of ses-baseline and ses-day3: 4" in page
    found = browse(out / "group" / "index.html", 420)
    assert (found.errors, found.blank_images, found.violations, found.overflow, found.cut) == ([], [], [], {}, {})
