"""The page of a participant whose files are not as a run leaves them."""

import html
import json
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conftest import AFFINE, SMALL
from matplotlib.figure import Figure

from bids_app.bids.names import build, folder, scan_label
from bids_app.bids.scan_facts import Cleaning, Origin, Quality, ScanFacts, Volumes
from bids_app.bids.status import save_status
from bids_app.graph import GLOBALS
from bids_app.report.participant import write_participant_page

FACTS = ScanFacts(
    origin=Origin(sources=[]),
    volumes=Volumes(kept=90, total=100, censored=8, dummy=2, minutes_kept=3.0, threshold=0.5),
    cleaning=Cleaning(denoising="nothing", confounds=[], bandpass="off", detrend=True),
    quality=Quality(coverage=1.0),
    warnings=[],
).to_json() | {"NumberOfNodes": 9, "Units": "edges"}


def test_a_map_without_a_value_is_said_instead_of_drawn(trial, app, tmp_path):
    output = tmp_path / "out"
    assert app(trial.bids, output, "participant", *SMALL).code == 0
    drawn = re.findall("<img[^>]*Degree[^>]*>", (output / "sub-01.html").read_text())
    for path in output.glob("sub-01/ses-1/func/*_stat-degree_*_boldmap.nii.gz"):
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.full(image.shape, np.nan, dtype=np.float32), image.affine), path)
    outcome = app(trial.bids, output, "participant", *SMALL, "--reports-only")
    assert outcome.code == 0, outcome.said
    page = (output / "sub-01.html").read_text()
    assert len(drawn) == 2
    assert not re.findall("<img[^>]*Degree[^>]*>", page)
    assert "No node has a value: there is nothing to draw." in page


@pytest.fixture
def left(tmp_path):
    """Write what a run leaves of scans, as far as the page reads it; return the output folder."""

    def write(path, content, **more):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name.partition(".")[0] + ".json").write_text(json.dumps(FACTS | more))
        content(path)

    def leave(*scans):
        names = [scan_label({"sub": "01", **scan}) for scan in scans]
        save_status(tmp_path, "01", "run", {name: {"Scan": name, "State": "done"} for name in names})
        for number, scan in enumerate(scans):
            entities = {"sub": "01", "space": "MNI152NLin2009cAsym", **scan}
            of_map, of_atlas = {**entities, "stat": "degree", "desc": "r025"}, {**entities, "atlas": "A"}
            place = tmp_path / folder(entities)
            image = nib.Nifti1Image(np.full((12, 14, 12), number + 1, dtype=np.float32), AFFINE)
            title = {"Title": "Degree, r > 0.25", "Measure": "degree"}
            write(place / build(of_map, "boldmap", ".nii.gz"), lambda path, image=image: nib.save(image, path), **title)
            matrix = pd.DataFrame(np.full((2, 2), number / 10), index=["a", "b"], columns=["a", "b"])
            globals_ = pd.DataFrame([dict.fromkeys(GLOBALS, number)])
            for table, suffix, more, index in (
                (matrix, "relmat", {"stat": "pearsoncorrelation"}, True),
                (matrix.assign(degree=1), "nodes", {"desc": "r025"}, False),
                (globals_, "global", {"desc": "r025"}, False),
            ):
                path = place / build(of_atlas | more, suffix, ".tsv")
                write(path, lambda path, table=table, index=index: table.to_csv(path, sep="\t", index=index))
        return tmp_path

    return leave


PAIRS = {
    **{
        key: ({"ses": "1", "task": "rest", key: "1"}, {"ses": "1", "task": "rest", key: "2"})
        for key in ("acq", "ce", "rec", "dir", "run", "echo", "part")
    },
    "one without": ({"ses": "1", "task": "rest"}, {"ses": "1", "task": "rest", "rec": "norm"}),
    "without sessions": ({"task": "rest", "echo": "1"}, {"task": "rest", "echo": "2"}),
    "two entities": ({"task": "rest", "ce": "1", "rec": "2"}, {"task": "rest", "ce": "2", "rec": "1"}),
    "sessions": ({"ses": "1", "task": "rest"}, {"ses": "2", "task": "rest"}),
    "tasks": ({"ses": "1", "task": "rest"}, {"ses": "1", "task": "nback"}),
}


@pytest.mark.parametrize("scans", PAIRS.values(), ids=PAIRS)
def test_scans_that_differ_in_any_entity_are_both_in_every_figure_and_table(left, monkeypatch, scans):
    drawn = {}
    for figure, of_maps in (("visits_figure", 1), ("histogram_figure", 0), ("matrices_figure", 0)):
        monkeypatch.setattr(
            f"bids_app.report.participant.{figure}",
            lambda *given, figure=figure, place=of_maps, **_: (
                drawn.setdefault(figure, []).append(given[place]) or Figure()
            ),
        )
    page = html.unescape(write_participant_page(left(*scans), "01").read_text())
    (matrices,) = drawn["matrices_figure"]
    assert sorted(matrix[0, 0] for matrix in matrices.values()) == [0.0, 0.1]
    columns = re.findall('<th scope="col">([^<]* r025)</th>', page)
    assert len(set(columns)) == 2
    for figure in ("visits_figure", "histogram_figure"):  # one of each task
        maps = [(name, values[0]) for maps in drawn[figure] for name, values in maps.items()]
        assert sorted(value for _, value in maps) == [1, 2]
        assert len(drawn[figure]) == len({scan["task"] for scan in scans})
