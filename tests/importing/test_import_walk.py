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
    by_series = tables(walked / "out", f"sub-{kind}")
    assert len(by_series) >= 12
    assert tables(walked / "out2", f"sub-{kind}") == by_series


def test_both_are_compared_alike(walked):
    """Results are the same to the byte; what differs are minutes and volumes of those compared, unknown of matrices."""
    by_series, by_matrix = (tables(walked / out / "group" / "tables", "*.tsv") for out in ("out", "out2"))
    assert list(by_series) == list(by_matrix)
    differing = {name.rpartition("_")[2] for name, content in by_series.items() if by_matrix[name] != content}
    assert differing == {"flow.tsv", "motion.tsv"}
    (nodes,) = (walked / "out2" / "group" / "tables").glob("*_nodes.tsv")
    assert set(pd.read_csv(nodes, sep="\t")["name"]) == set(NAMES)


@pytest.mark.parametrize("out", ["out", "out2"])
def test_connections_are_compared(walked, out):
    assert list((walked / out / "group" / "tables").glob("*_components.tsv"))


def test_the_page_says_what_a_matrix_cannot_say(walked):
    said = "volumes, minutes of data and motion are not known"
    assert said in (walked / "out2" / "group" / "index.html").read_text().lower()
    assert said not in (walked / "out" / "group" / "index.html").read_text().lower()
    records = list((walked / "out2" / "group").glob("*_design.json"))
    assert records
    assert all(said in record.read_text().lower() for record in records)
    sidecar = json.loads(next((walked / "out2").glob("sub-01/ses-pre/func/*_nodes.json")).read_text())
    assert sidecar["NumberOfVolumesKept"] == "n/a"
