import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_app.cli.demo import known_answer
from bids_app.cli.main import main
from bids_app.simulate import PlantedRegion

AFFINE = np.diag([10.0, 10.0, 10.0, 1])
PLANTED = (PlantedRegion("here", {"degree": 1, "clustering": 1}, (30, 30, 30), 10),)


def answer(folder, *, p_here, p_far, g_here=1.0):
    p, g = np.full((12, 8, 8), 0.9), np.full((12, 8, 8), 0.1)
    p[3, 3, 3], g[3, 3, 3] = p_here, g_here
    p[11, 3, 3] = p_far
    for desc in ("degreeR025", "clusteringR025"):
        for stat, values in (("pFwe", p), ("hedgesG", g)):
            nib.save(nib.Nifti1Image(values, AFFINE), folder / f"task-rest_stat-{stat}_desc-{desc}_statmap.nii.gz")
    return known_answer(folder, PLANTED).set_index(["region", "metric"])


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


@pytest.mark.slow
def test_the_demo_finds_what_was_planted(tmp_path, capsys):
    assert main(["demo", str(tmp_path), "--n-cpus", "1"]) == 0
    table = pd.read_csv(tmp_path / "group" / "known_answer.tsv", sep="\t")
    assert len(table) == 8
    assert table["as_planted"].all()
    printed = capsys.readouterr().out
    assert str(tmp_path / "group" / "index.html") in printed
    assert main(["demo", str(tmp_path)]) == 64
