import json
import os
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_app.bids.names import contrast_label
from bids_app.cli.demo import _analyses
from bids_app.cli.known_answer import known_answer
from bids_app.cli.main import main
from bids_app.settings.parser import DEMOS
from bids_app.simulate import SCENARIOS, Answer, PlantedRegion, simulate_trial

AFFINE = np.diag([10.0, 10.0, 10.0, 1])
HERE = PlantedRegion("here", {"degree": 1, "clustering": 1}, (30, 30, 30), 10)
THERE = PlantedRegion("there", {"degree": 1}, (80, 30, 30), 10)
ANSWERS = [Answer(arm, "placebo", "day3", {"here": 1.0}) for arm in ("high", "low")]
FOUND = ["comparison", "region", "measure"]


def save_maps(folder, name, values):
    for measure in ("degree", "clustering"):
        own = folder / "maps" / measure
        own.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(values, AFFINE), own / f"task-rest_{name}_desc-{measure}R025_statmap.nii.gz")


def made(*, p_here, p_far, g_here=1.0):
    """Return p and Hedges g that are what is told at two places and nothing beside."""
    p, g = np.full((12, 8, 8), 0.9), np.full((12, 8, 8), 0.1)
    p[3, 3, 3], g[3, 3, 3] = p_here, g_here
    p[11, 3, 3] = p_far
    return p, g


def answer(folder, **values):
    for stat, image in zip(("pFwe", "hedgesG"), made(**values), strict=True):
        save_maps(folder, f"contrast-drugVsPlacebo_stat-{stat}", image)
    told = [Answer("drug", "placebo", "day3", {"here": 1.0})]
    return known_answer(folder, [HERE], told).set_index(["region", "measure"])


def test_what_was_planted_and_found_agrees(tmp_path):
    table = answer(tmp_path, p_here=0.01, p_far=0.5)
    assert table["as_planted"].all()
    assert table.loc[("here", "degree"), "found"] == "rise"
    assert table.loc[("elsewhere", "degree"), "found"] == "nothing"


@pytest.mark.parametrize("g_here", [1.0, -1.0])
def test_what_was_missed_is_said(tmp_path, g_here):
    table = answer(tmp_path, p_here=0.2 if g_here > 0 else 0.01, p_far=0.5, g_here=g_here)
    assert not table.loc[("here", "degree"), "as_planted"]
    assert table.loc[("here", "degree"), "found"] == "nothing"
    assert table.loc[("elsewhere", "degree"), "as_planted"]


def test_what_was_not_planted_is_said(tmp_path):
    table = answer(tmp_path, p_here=0.01, p_far=0.01)
    assert not table.loc[("elsewhere", "clustering"), "as_planted"]


def several(folder, there):
    """Both doses change one region; at the other p of the lower dose is as told, and it falls."""
    comparisons = []
    for arm in ("high", "low"):
        contrast, own = f"contrast-{arm}VsPlacebo", folder / f"contrast-{arm}VsPlacebo_ses-day3"
        p, g = made(p_here=0.01, p_far=0.9)
        p[8, 3, 3], g[8, 3, 3] = there if arm == "low" else 0.9, -1.0
        save_maps(folder, f"ses-day3_{contrast}_stat-pTogether", p)
        save_maps(own, f"{contrast}_stat-hedgesG", g)
        save_maps(own, f"{contrast}_stat-pFwe", np.full(p.shape, 0.001))  # which is not what is judged by
        comparisons.append({"Active": arm, "Reference": "placebo", "Followup": "day3", "Folder": own.name})
    (folder / "comparisons.json").write_text(json.dumps({"Comparisons": comparisons}))
    return known_answer(folder, [HERE, THERE], ANSWERS).set_index(FOUND).sort_index()


def test_of_several_comparisons_p_is_that_over_all_of_them(tmp_path):
    table = several(tmp_path, there=0.9)
    assert table["as_planted"].all()
    assert table.loc[("high − placebo at ses-day3", "here", "degree"), "p_fwe"] == 0.01
    assert len(table) == 2 * 2 * 3


def test_what_is_found_in_the_wrong_comparison_is_said_whatever_its_sign(tmp_path):
    table = several(tmp_path, there=0.01)
    assert not table.loc[("low − placebo at ses-day3", "there", "degree"), "as_planted"]
    assert table.loc[("low − placebo at ses-day3", "there", "degree"), "found"] == "fall"
    assert not table.loc[("low − placebo at ses-day3", "elsewhere", "degree"), "as_planted"]
    assert table.xs("high − placebo at ses-day3")["as_planted"].all()


def test_visits_of_one_group_are_told_by_themselves(tmp_path):
    told = list(SCENARIOS["one-group"].answers)
    comparisons = []
    for one in told:
        contrast = contrast_label(one.active, one.reference)
        p, g = made(p_here=0.01, p_far=0.9)
        save_maps(tmp_path, f"ses-{one.session}_contrast-{contrast}_stat-pTogether", p)
        save_maps(tmp_path / f"contrast-{contrast}", f"contrast-{contrast}_stat-hedgesG", g)
        row = {"Active": one.active, "Reference": one.reference, "Followup": one.session}
        comparisons.append({**row, "Folder": f"contrast-{contrast}"})
    (tmp_path / "comparisons.json").write_text(json.dumps({"Comparisons": comparisons}))
    told = [replace(one, shares={"here": 1.0}) for one in told]
    table = known_answer(tmp_path, [HERE], told, estimator="ancova")
    assert set(table["comparison"]) == {"ses-day3 − ses-baseline", "ses-day14 − ses-baseline"}
    assert table["as_planted"].all()


def test_what_a_covariate_takes_out_is_there_without_it_and_the_answer_says_so():
    groups = SCENARIOS["groups"]
    (false,), (true,) = groups.confounded, groups.answers
    assert {*false.shares} - {*true.shares} == {*groups.with_age} == {"right angular gyrus"}
    assert [how for _, _, how in _analyses(groups)] == [" not adjusted for age", " adjusted for age"]
    assert [options for _, options, _ in _analyses(groups)] == [(), ("--covariates", "age")]
    assert not list(SCENARIOS["two-arms"].confounded)


def test_every_scenario_can_be_asked_for(tmp_path, capsys):
    assert tuple(SCENARIOS) == DEMOS
    assert main(["demo", str(tmp_path), "--design", "four-arms"]) == 64
    said = capsys.readouterr().err
    assert all(name in said for name in DEMOS)


COMPARED = {
    "two-arms": ["ketamine compared with midazolam, ses-baseline and ses-day3"],
    "three-arms": [f"{arm} compared with placebo, ses-baseline and ses-day3" for arm in ("high", "low")],
    "three-visits": [f"ketamine compared with midazolam, ses-baseline and {one}" for one in ("ses-day3", "ses-day14")],
    "groups": ["patient compared with control, ses-1", "nobody was randomized", "age is taken as a number"],
    "crossover": ["ketamine first", "placebo first"],
    "williams": [f"{one} compared with placebo" for one in ("high", "low")],
    "one-group": [
        "ses-day3 compared with ses-baseline",
        "ses-day14 compared with ses-baseline",
        "There is one group and no comparison group",
    ],
    "paired": ["ketamine compared with placebo", "Nobody knows who had which treatment first"],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_tables_of_a_scenario_say_what_is_compared(tmp_path, name, capsys):
    scenario = SCENARIOS[name]
    trial = simulate_trial(tmp_path / "trial", scenario=scenario, n_per_arm=3, voxel_size=10, n_volumes=60)
    bids, out = str(trial.bids_dir), str(tmp_path / "out")
    words = ("--design", scenario.design, *scenario.options, *scenario.adjusting)
    code = main(["check", bids, out, *words, "--skip-bids-validation"])
    said = "".join(capsys.readouterr())
    assert code == 0, said
    assert [words for words in COMPARED[name] if words not in said] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS if "TRIALGRAPH_THOROUGH" in os.environ else ("two-arms",))
def test_the_demo_finds_what_was_planted(tmp_path, capsys, name):
    assert main(["demo", str(tmp_path), "--design", name, "--n-cpus", "1"]) == 0
    table = pd.read_csv(tmp_path / "group" / "tables" / "known_answer.tsv", sep="\t")
    assert len(table) == 8 * len([*SCENARIOS[name].answers, *SCENARIOS[name].confounded])
    assert table["as_planted"].all()
    printed = capsys.readouterr().out
    assert str(tmp_path / "group" / "index.html") in printed
    assert "trialgraph check BIDS_DIR OUTPUT_DIR" in printed.splitlines()[-1]
    assert main(["demo", str(tmp_path)]) == 64
