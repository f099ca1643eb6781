"""Three arms and two follow-ups, from the tables to the page: what is compared, and p over all of it."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from compared_once import once
from conftest import SMALL, SmallTrial

from bids_app.group.map_sidecars import INFERENCE_KEYS, MODEL_KEYS
from bids_app.stats.repeated import NO_F
from bids_app.stats.scores import fit_constrained

ARMS = {"low": ("01", "02", "03"), "placebo": ("04", "05", "06"), "high": ("07", "08", "09")}
GROUP = (*SMALL, "--n-permutations", "40", "--outcomes", "hamd", "mood", "final")
FOLDERS = [f"contrast-{arm}VsPlacebo_ses-{session}" for session in ("day3", "day7") for arm in ("high", "low")]
out, compared = once(*GROUP)


def scores():
    """hamd lacks a baseline and two follow-ups; of mood, nobody has both follow-ups; final has one column."""
    generator = np.random.default_rng(4)
    rows = []
    for number, label in enumerate(sum(ARMS.values(), ())):
        person = generator.standard_normal()
        for session, scale in (("baseline", 1.0), ("day3", 1.5), ("day7", 2.0)):
            hamd, mood = (20 + scale * (person + generator.standard_normal()) for _ in range(2))
            hamd = np.nan if (label, session) in {("05", "baseline"), ("01", "day7"), ("08", "day7")} else hamd
            mood = np.nan if session == ("day3", "day7")[number % 2] else mood
            rows.append((f"sub-{label}", f"ses-{session}", hamd, mood))
    return pd.DataFrame(rows, columns=["participant_id", "session_id", "hamd", "mood"])


def add_scores(bids):
    """Write them, and one that says no session."""
    (bids / "phenotype").mkdir()
    table = scores()
    table.to_csv(bids / "phenotype" / "scales.tsv", sep="\t", index=False, na_rep="n/a")
    final = table.groupby("participant_id", as_index=False)["hamd"].mean().rename(columns={"hamd": "final"})
    final.to_csv(bids / "phenotype" / "final.tsv", sep="\t", index=False)


@pytest.fixture(scope="module")
def trial(tmp_path_factory, app):
    """Nine participants, of whom the first has no second follow-up."""
    root = tmp_path_factory.mktemp("several")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    trial.add_arms(**{f"s{label}": arm for arm, labels in ARMS.items() for label in labels})
    for label in sum(ARMS.values(), ()):
        for session in ("baseline", "day3", "day7"):
            if (label, session) != ("01", "day7"):
                trial.add_run(label, session)
    add_scores(trial.bids)
    assert app(trial.bids, root / "out", "participant", *SMALL).code == 0
    return trial


def tables(out):
    (path,) = (out / "group").glob("tables/*_comparisons.tsv")
    return pd.read_csv(path, sep="\t", na_values="n/a")


def test_each_arm_is_compared_with_the_reference_at_each_followup(compared, out):
    record = json.loads((out / "group" / "comparisons.json").read_text())
    assert [one["Folder"] for one in record["Comparisons"]] == FOLDERS
    for folder in FOLDERS:
        page = (out / "group" / folder / "index.html").read_text()
        assert "../manifest.json" in page
        assert "../../index.html" in page
        (flow,) = (out / "group" / folder).glob("tables/*_flow.tsv")
        analysed = pd.read_csv(flow, sep="\t").groupby("arm")["analysed"].sum()
        other = "low" if "highVs" in folder else "high"
        assert analysed[other] == 0
        assert analysed["placebo"] == 3
    assert analysed["low"] == 2  # the first has no scan of day 7


def test_p_over_all_comparisons_is_never_below_that_of_one_alone(compared, out):
    table = tables(out)
    assert list(table["comparison"]) == [
        *(f"{arm} − placebo at ses-{session}" for session in ("day3", "day7") for arm in ("high", "low")),
        "any difference at ses-day3",
        "any difference at ses-day7",
    ]
    assert table["p_together"].between(1 / 40, 1).all()
    assert (table["p_together_all"] == table["p_together"]).all()  # of one measure
    assert list(table["n"]) == [9, 9, 8, 8, 9, 8]


def test_voxels_beside_parcels_are_tested_by_their_own_maps(compared, trial, out, app, tmp_path):
    image = nib.load(trial.file("*preproc_bold.nii.gz", ses="day3"))
    labels = (np.indices(image.shape[:3])[0] // 4 + 1).astype(np.int16)
    nib.save(nib.Nifti1Image(labels, image.affine), tmp_path / "labels.nii.gz")
    outcome = app(trial.bids, tmp_path / "out", "participant", *SMALL, "--atlas", f"A={tmp_path / 'labels.nii.gz'}")
    assert outcome.code == 0, outcome.said
    outcome = app(trial.bids, tmp_path / "out", "group", *GROUP)
    assert outcome.code == 0, outcome.said
    found = {("atlas-A" in path.name): path for path in (tmp_path / "out" / "group").glob("tables/*_comparisons.tsv")}
    assert set(found) == {True, False}
    pd.testing.assert_frame_equal(pd.read_csv(found[False], sep="\t", na_values="n/a"), tables(out))


def test_as_many_draws_are_recorded_as_were_made(compared, out):
    """Two arms of three have 20 allocations; three arms have more than were asked for."""
    sidecars = {path.name: json.loads(path.read_text()) for path in (out / "group").glob("maps/*/*_statmap.json")}
    for name, one in sidecars.items():
        assert one["NumberOfDraws"] == (40 if "contrast-any" in name else 20), name
        assert {*MODEL_KEYS, *INFERENCE_KEYS} <= set(one), name
        assert set(one["NumberAnalysed"]) == {"high", "low", "placebo"}, name
        assert ("closed test" in one["Correction"]) == ("stat-pTogether" in name and "contrast-any" not in name), name


def test_the_overview_names_every_comparison_and_its_page(compared, out):
    page = (out / "group" / "index.html").read_text()
    for folder in FOLDERS:
        assert f'href="{folder}/index.html"' in page
    assert "Estimates are of the model of all arms" in page
    assert "nan" not in page.lower().split("</style>")[1]


def test_each_page_has_what_missing_follow_ups_may_do_and_the_overview_says_where(compared, out):
    overview = (out / "group" / "index.html").read_text()
    for folder in FOLDERS:
        own = out / "group" / folder
        for suffix in ("missing", "tipping"):
            (path,) = own.glob(f"tables/*VsPlacebo_{suffix}.tsv")
            assert {"hamd", "mood"} <= set(pd.read_csv(path, sep="\t")["outcome"])
        page = (own / "index.html").read_text()
        assert 'id="outcomes"' in page
        assert "hamd, tipping point: " in page
        assert f'href="{folder}/index.html#outcomes"' in overview


def test_the_methods_say_how_all_comparisons_are_corrected_together(compared, out):
    text = (out / "logs" / "CITATION.md").read_text()
    part = text.split("## Several comparisons")[1].split("##")[0]
    assert "closed test" in part
    assert f"{len(json.loads((out / 'group' / 'comparisons.json').read_text())['Comparisons'])} comparisons" in part
    assert "@" not in part
    assert "On closed testing procedures" in text


def repeated(out):
    path = out / "group" / "tables" / "contrast-all_mmrm.tsv"
    table = pd.read_csv(path, sep="\t", na_values="n/a")
    about = json.loads(path.with_suffix(".json").read_text())
    assert all(about[name]["Description"] for name in table)
    return table, about


def arrays(outcome):
    """Return scores at both follow-ups, arm, and baseline, of placebo, high and low."""
    wide = scores().pivot(index="participant_id", columns="session_id", values=outcome)
    arm = {f"sub-{label}": ["placebo", "high", "low"].index(name) for name, labels in ARMS.items() for label in labels}
    return wide[["ses-day3", "ses-day7"]].to_numpy(), wide.index.map(arm).to_numpy(), wide["ses-baseline"].to_numpy()


def test_the_outcomes_are_modelled_once_over_all_arms_and_follow_ups(compared, out):
    table, about = repeated(out)
    own = table["outcome"] == "hamd"
    rows, tests = (table[own & (table["df_numerator"].isna() == of_one)] for of_one in (True, False))
    fit = fit_constrained(*arrays("hamd"))
    weights = [fit.weights(arm, visits) for arm in (1, 2) for visits in ([0], [1], [0, 1])]
    together = fit.simultaneous(np.array(weights))
    assert list(rows["active"] + " " + rows["followup"]) == [
        f"{arm} {followup}" for arm in ("high", "low") for followup in ("day3", "day7", "average")
    ]
    for (_, row), own, joint in zip(rows.iterrows(), weights, together.contrasts, strict=True):
        one = fit.contrast(own)
        for name in ("estimate", "standard_error", "df", "t", "p", "ci_low", "ci_high"):
            assert row[name] == pytest.approx(getattr(one, name), rel=1e-6), name
        assert [row["p_together"], row["together_low"]] == pytest.approx([joint.p, joint.ci_low], rel=1e-6)
        assert row["mean_active"] - row["mean_reference"] == pytest.approx(one.estimate, rel=1e-6)
    assert set(rows["covariance"]) == {"unstructured"}
    assert rows["note"].isna().all()
    assert (set(rows["n_model"]), set(rows["role"])) == ({9}, {"exploratory"})
    assert list(rows["n_active"]) == [3, 2, 3, 3, 2, 3]
    assert list(rows["missing_active"]) == [0, 1, 0, 0, 1, 0]
    assert "one mean, as randomization has it" in about["Model"]
    page = (out / "group" / "index.html").read_text()
    assert 'href="tables/contrast-all_mmrm.tsv"' in page
    assert "hamd: exploratory; unstructured covariance of the visits, 9 participants in the model" in page
    for (_, row), weights in zip(tests.iterrows(), (fit.every_difference(), fit.every_change()), strict=True):
        test = fit.joint(weights)
        assert [row["f"], row["df"], row["p"]] == pytest.approx([test.statistic, test.df_denominator, test.p], rel=1e-6)
    assert "hamd, any arm − placebo, any difference at any follow-up (exploratory): F(4, " in page
    assert "differences that change from one follow-up to another (exploratory): F(2, " in page


def test_another_form_of_the_covariance_is_said_where_the_result_is(compared, out):
    table, about = repeated(out)
    rows = table[table["outcome"] == "mood"]
    fit = fit_constrained(*arrays("mood"))
    assert fit.structure != "unstructured"
    assert set(rows["covariance"]) == {fit.structure}
    assert rows["estimate"].iloc[0] == pytest.approx(fit.differences()[1, 0].estimate, rel=1e-6)
    of_f = rows["df_numerator"].notna()
    (note,) = set(rows.loc[~of_f, "note"])
    assert set(rows.loc[of_f, "note"]) <= {note, NO_F}
    assert note.startswith(
        f"{fit.structure} covariance of the visits, a second choice; unstructured: nobody has scores"
    )
    assert "both ses-day3 and ses-day7" in note
    page = (out / "group" / "index.html").read_text()
    assert f"mood: {note}." in page
    assert about["NotModelled"] == ["final has one column of follow-up scores, which cannot be of all 2 follow-ups"]
    assert about["NotModelled"][0] in page
    methods = (out / "logs" / "CITATION.md").read_text()
    assert f"The covariance of the visits was unstructured for hamd; {fit.structure} for mood." in methods
    assert "every arm was compared with placebo at every follow-up and on average" in methods


def test_the_overview_is_in_order_in_a_browser(compared, out, browse):
    found = browse(out / "group" / "index.html", 420)
    assert (found.errors, found.blank_images, found.violations, found.overflow, found.cut) == ([], [], [], {}, {})


def test_the_pages_are_made_anew_alike(compared, trial, out, app):
    before = {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}
    assert app(trial.bids, out, "group", *GROUP, "--reports-only").code == 0
    assert before == {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}


def test_two_chosen_arms_and_one_followup_leave_one_comparison_without_folders(compared, trial, out, app, tmp_path):
    words = ("--arms", "low", "placebo", "--followup", "day3")
    outcome = app(trial.bids, out, "group", *GROUP, *words)
    assert outcome.code == 0, outcome.said
    alone = out / "group"
    assert not (alone / "comparisons.json").exists()
    assert not (alone / FOLDERS[0]).exists()
    assert len(list(alone.glob("*_design.json"))) == 1


def test_an_arm_that_cannot_be_compared_at_one_followup_is_said_and_the_rest_is_made(trial, out, app, tmp_path):
    words = ("--participant-label", *(label for label in sum(ARMS.values(), ()) if label not in ("02",)))
    outcome = app(trial.bids, out, "group", *GROUP, *words)
    assert outcome.code == 65
    record = json.loads((out / "group" / "comparisons.json").read_text())
    (text,) = record["NotCompared"]
    assert text.startswith("low − placebo at ses-day7: ")
    assert (
        "times the 3 comparisons (Bonferroni), because not every arm can be compared at every follow-up"
        in record["Together"]
    )
    assert text in outcome.said
    page = (out / "group" / "index.html").read_text()
    assert "Estimates are of the model of the two arms of each comparison" in page
