"""From files of MATLAB to a comparison: the commands of the documentation, and the same by matrices."""

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from mat_trial import NAMES, make_trial

from bids_app.cli.main import main

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
QUICK = ("--n-cpus", "1")
DRAWS = ("--n-permutations", "20", "--edge-statistic", "nbs")


@pytest.fixture(scope="module")
def walked(tmp_path_factory, app):
    """Walk both routes in one folder; return it."""
    folder = tmp_path_factory.mktemp("walk")
    make_trial(folder / "trial")
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    bring, participant, group = (shlex.split(line)[1:] for line in block.strip().splitlines())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for out, imported, table in (("out", "trial/imported", "series"), ("out2", "trial/imported2", "matrices")):
            words = {"out": out, "trial/imported": imported, "trial/series.tsv": f"trial/{table}.tsv"}
            calls = [[words.get(word, word) for word in call] for call in (bring, participant, group)]
            assert main(calls[0]) == 0
            for call, more in ((calls[1], QUICK), (calls[2], (*QUICK, *DRAWS))):
                outcome = app(*call, *more)
                assert outcome.code == 0, outcome
    return folder


def tables(folder, pattern):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob(pattern))}


@pytest.mark.parametrize("kind", ["*_nodes.tsv", "*_global.tsv", "*_relmat.tsv"])
def test_matrices_make_the_files_that_series_make(walked, kind):
    by_series = tables(walked / "out", f"sub-*{kind}")
    assert len(by_series) >= 12
    assert tables(walked / "out2", f"sub-*{kind}") == by_series


def test_both_are_compared_alike(walked):
    found = [sorted((walked / out / "group" / "tables").glob("*_parcels.tsv")) for out in ("out", "out2")]
    assert [path.name for path in found[0]] == [path.name for path in found[1]]
    assert found[0]
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(pd.read_csv(one, sep="\t"), pd.read_csv(other, sep="\t"), check_exact=True)
    assert set(NAMES) <= set(pd.read_csv(found[0][0], sep="\t")["name"])


@pytest.mark.parametrize("out", ["out", "out2"])
def test_connections_are_compared(walked, out):
    assert list((walked / out / "group" / "tables").glob("*_components.tsv"))


def test_the_page_says_what_a_matrix_cannot_say(walked):
    said = "volumes, minutes of data and motion are not known"
    assert said in (walked / "out2" / "group" / "index.html").read_text().lower()
    assert said not in (walked / "out" / "group" / "index.html").read_text().lower()
    (record,) = (walked / "out2" / "group").glob("*_design.json")
    assert said in record.read_text().lower()
    sidecar = json.loads(next((walked / "out2").glob("sub-01/ses-pre/func/*_nodes.json")).read_text())
    assert sidecar["NumberOfVolumesKept"] == "n/a"
