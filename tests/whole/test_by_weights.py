"""Three arms compared by weights and by dose, from the tables to the page."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from compared_once import once
from conftest import SMALL, SmallTrial

ARMS = {"low": ("01", "02", "03"), "placebo": ("04", "05", "06"), "high": ("07", "08", "09")}
MG = {"placebo": 0.0, "low": 0.25, "high": 1.0}
SLOPE = (np.array(list(MG.values())) - 1.25 / 3) / np.var(list(MG.values())) / 3
WEIGHTS = {"doses": {"placebo": -1.0, "high": 0.5, "low": 0.5}, "dose": dict(zip(MG, SLOPE, strict=True))}
GROUP = (*SMALL, "--n-permutations", "40", "--statistic", "t", "--outcomes", "hamd")
BY_WEIGHTS = ("--contrasts", "reference", "doses=low=0.5 high=0.5 placebo=-1", "--dose", "mg")
out, compared = once(*GROUP, *BY_WEIGHTS)


@pytest.fixture(scope="module")
def trial(tmp_path_factory, app):
    """Nine participants with a baseline and two follow-ups."""
    root = tmp_path_factory.mktemp("weights")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    trial.add_arms(**{f"s{label}": arm for arm, labels in ARMS.items() for label in labels})
    table = pd.read_csv(trial.bids / "participants.tsv", sep="\t")
    table.assign(mg=table["arm"].map(MG)).to_csv(trial.bids / "participants.tsv", sep="\t", index=False)
    generator, rows = np.random.default_rng(3), []
    for label in sum(ARMS.values(), ()):
        for session in ("baseline", "day3", "day7"):
            trial.add_run(label, session)
            rows.append((f"sub-{label}", f"ses-{session}", 20 + 3 * generator.standard_normal()))
    (trial.bids / "phenotype").mkdir()
    scores = pd.DataFrame(rows, columns=["participant_id", "session_id", "hamd"])
    scores.to_csv(trial.bids / "phenotype" / "scales.tsv", sep="\t", index=False)
    assert app(trial.bids, root / "out", "participant", *SMALL).code == 0
    return trial


def table_of(out):
    (path,) = (out / "group").glob("tables/*_comparisons.tsv")
    return pd.read_csv(path, sep="\t", na_values="n/a").set_index("comparison")


def test_the_table_has_a_row_of_each_beside_the_pairs(compared, out):
    table = table_of(out)
    pairs = [f"{arm} − placebo at ses-{session}" for session in ("day3", "day7") for arm in ("high", "low")]
    weighted = [f"{name} at ses-{session}" for session in ("day3", "day7") for name in WEIGHTS]
    assert list(table.index) == [*pairs, *weighted, "any difference at ses-day3", "any difference at ses-day7"]
    assert table.loc[weighted, "folder"].isna().all()
    assert table.loc[weighted, ["p_together", "hedges_g", "ci_low", "difference"]].notna().all(axis=None)
    assert not list((out / "group").glob("contrast-dose*/"))


def read(out, **entities):
    wanted = [f"{name}-{value}" for name, value in entities.items()]
    (path,) = [
        path
        for path in (out / "group").glob("maps/*/*_statmap.nii.gz")
        if all(one in path.name.split("_") for one in wanted)
    ]
    return np.asarray(nib.load(path).dataobj), json.loads(path.with_name(path.name[:-7] + ".json").read_text())


def test_there_are_maps_of_the_effect_and_its_p_that_the_table_is_of(compared, out):
    table = table_of(out)
    for name in WEIGHTS:
        maps = {
            stat: read(out, ses="day3", contrast=name, stat=stat)[0]
            for stat in ("t", "difference", "ciLow", "ciHigh", "hedgesG", "p", "pTogether")
        }
        there = np.isfinite(maps["t"]) & (maps["t"] != 0)
        middle = (maps["ciLow"] + maps["ciHigh"])[there] / 2
        np.testing.assert_allclose(middle, maps["difference"][there], rtol=1e-4, atol=1e-6)
        assert (maps["pTogether"][there] >= maps["p"][there] - 1e-6).all()
        row = table.loc[f"{name} at ses-day3"]
        assert maps["pTogether"][there].min() == pytest.approx(row["p_together"])
        assert np.isclose(maps["difference"][there], row["difference"], rtol=1e-4).any()


def test_the_record_and_the_page_say_which_weights_and_how_they_are_tested(compared, out):
    record = json.loads((out / "group" / "comparisons.json").read_text())
    assert [one["Name"] for one in record["Weighted"]] == ["doses", "dose"] * 2
    for one in record["Weighted"]:
        assert one["Weights"] == pytest.approx(WEIGHTS[one["Name"]])
    assert len(record["Comparisons"]) == 4
    assert "its weights add up to 0 within each group of arms that are" in record["Together"]
    page = (out / "group" / "index.html").read_text()
    assert "<h1>8 comparisons" in page
    assert "doses = −1 placebo + 0.5 high + 0.5 low" in page
    assert "the least-squares slope over the doses (placebo 0, high 1, low 0.25)" in page
    assert "their labels are re-drawn, within strata, and those of others stay" in page
    methods = (out / "logs" / "CITATION.md").read_text()
    assert "8 comparisons were made, of these by weights: doses = −1 placebo + 0.5 high + 0.5 low; dose = " in methods
    assert "doses = −1 placebo + 0.5 high + 0.5 low." in compared.said


def test_clinical_outcomes_have_the_same_weights(compared, out):
    table = pd.read_csv(out / "group" / "tables" / "contrast-all_mmrm.tsv", sep="\t", na_values="n/a")
    rows = table[table["df_numerator"].isna()].set_index(["active", "followup"])["estimate"]
    for name, weights in WEIGHTS.items():
        for followup in ("day3", "day7", "average"):
            expected = sum(weights[arm] * rows[arm, followup] for arm in ("low", "high"))
            assert rows[name, followup] == pytest.approx(expected, rel=1e-6)


def test_the_overview_is_in_order_in_a_browser(compared, out, browse):
    found = browse(out / "group" / "index.html", 420)
    assert (found.errors, found.blank_images, found.violations, found.overflow, found.cut) == ([], [], [], {}, {})


def test_what_would_be_compared_is_said_before(compared, trial, out, app):
    outcome = app(trial.bids, out, "group", *GROUP, *BY_WEIGHTS, "--dry-run")
    assert outcome.code == 0, outcome.said
    assert "doses at ses-day7: doses = −1 placebo + 0.5 high + 0.5 low." in outcome.said
    outcome = app(trial.bids, out, "group", *GROUP, "--contrasts", "x=lo=1 placebo=-1", "--dry-run")
    assert outcome.code == 64
    assert "'lo' is no arm (did you mean low?)" in outcome.said


def test_where_residuals_are_permuted_p_is_times_all_comparisons(compared, trial, out, app):
    before = table_of(out)
    outcome = app(trial.bids, out, "group", *GROUP, *BY_WEIGHTS, "--scheme", "freedman-lane", "--followup", "day3")
    assert outcome.code == 0, outcome.said
    record = json.loads((out / "group" / "comparisons.json").read_text())
    assert "times the 4 comparisons (Bonferroni), because residuals are permuted" in record["Together"]
    assert record["Model"] == "the arms of each comparison"
    same = [f"{name} at ses-day3" for name in WEIGHTS]
    there = table_of(out).loc[same]
    assert (there["p_together"] >= 4 / 40 - 1e-9).all()
    assert list(there["n"]) == list(before.loc[same, "n"]) == [9, 9]
