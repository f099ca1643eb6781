"""What was made from other inputs, by other code, or from nothing that is still there, is not used again."""

import json
import os
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conftest import AFFINE, SHAPE, SMALL, SmallTrial

from bids_app.bids.status import gone_sources, read_status
from bids_app.system import provenance
from bids_app.system.provenance import digest_of_code, digest_of_file, quick_state


def map_of(output, stat="degree"):
    (path,) = output.rglob(f"*stat-{stat}_desc-r025_boldmap.nii.gz")
    return np.asanyarray(nib.load(path).dataobj)


def slabs(path, axis, names):
    """Write a label image of slabs along an axis, with its table."""
    labels = np.minimum(np.indices(SHAPE)[axis] * len(names) // SHAPE[axis] + 1, len(names)).astype(np.int16)
    nib.save(nib.Nifti1Image(labels, AFFINE), path)
    table = pd.DataFrame({"index": range(1, len(names) + 1), "name": names})
    table.to_csv(path.with_name(path.name.replace(".nii.gz", ".tsv")), sep="\t", index=False)
    return path


def probabilities(path, n=3):
    rng = np.random.default_rng(1)
    nib.save(nib.Nifti1Image(rng.dirichlet(np.ones(n), SHAPE).astype(np.float32), AFFINE), path)
    return path


def test_labels_after_maps_of_the_same_name_are_labels(trial, app, tmp_path):
    maps, labels = probabilities(tmp_path / "maps.nii.gz"), slabs(tmp_path / "labels.nii.gz", 0, ("a", "b", "c"))
    together, fresh = tmp_path / "together", tmp_path / "fresh"
    for atlas, output in ((maps, together), (labels, together), (labels, fresh)):
        assert app(trial.bids, output, "participant", *SMALL, "--atlas", f"A={atlas}").code == 0
    for path in fresh.rglob("*relmat.tsv"):
        assert (together / path.relative_to(fresh)).read_bytes() == path.read_bytes()
    assert not list((together / "atlases").glob("*.npz"))


def test_another_image_of_the_networks_at_the_same_place_is_noticed(trial, app, tmp_path):
    image, work = tmp_path / "networks.nii.gz", tmp_path / "work"
    options = (*SMALL, "--metrics", "participation", "--partition", image)
    for axis, output in ((0, "first"), (1, "second"), (1, "fresh")):
        slabs(image, axis, ("a", "b", "c"))
        kept = ("-w", work) if output != "fresh" else ()
        assert app(trial.bids, tmp_path / output, "participant", *options, *kept).code == 0
    first, second, fresh = (map_of(tmp_path / name, "participation") for name in ("first", "second", "fresh"))
    np.testing.assert_array_equal(second, fresh)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("which", ["*preproc_bold.nii.gz", "*confounds_timeseries.tsv", "*brain_mask.nii.gz"])
def test_a_file_of_the_same_size_and_date_is_noticed(trial, app, tmp_path, which):
    """The content is another, the modification time is put back."""
    path, work = trial.file(which), tmp_path / "work"
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL, "-w", work).code == 0
    before, found = map_of(tmp_path / "out"), path.stat()
    if path.suffix == ".tsv":
        table = pd.read_csv(path, sep="\t", na_values="n/a")
        table["csf"] = table["csf"].to_numpy()[::-1]
        table.to_csv(path, sep="\t", na_rep="n/a", index=False)
    elif "mask" in path.name:
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.roll(np.asanyarray(image.dataobj), 1, axis=0), image.affine), path)
    else:
        image = nib.load(path)
        data = np.asanyarray(image.dataobj)
        nib.save(nib.Nifti1Image(np.roll(data, 7, axis=0), image.affine, image.header), path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL, "-w", work).code == 0
    assert not np.array_equal(before, map_of(tmp_path / "out"))


def test_another_version_of_the_code_uses_nothing_of_the_one_before(trial, app, tmp_path, monkeypatch):
    work = tmp_path / "work"
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL, "-w", work).code == 0
    before = set(work.rglob("result_*"))
    monkeypatch.setattr("bids_app.cli.main.digest_of_code", lambda: "another")
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL, "-w", work).code == 0
    after = set(work.rglob("result_*")) - before
    assert len(after) == len(before)


def test_the_code_has_one_digest_that_an_edit_changes(tmp_path, monkeypatch):
    shutil.copytree(provenance.PACKAGE, tmp_path / "bids_app", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "bids_app")
    assert digest_of_code.__wrapped__() == digest_of_code()
    with (tmp_path / "bids_app" / "graph" / "voxels.py").open("a") as file:
        file.write("# edited\n")
    assert digest_of_code.__wrapped__() != digest_of_code()


def test_sidecars_say_what_the_maps_were_made_from(trial, app, tmp_path):
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL).code == 0
    (path,) = (tmp_path / "out").rglob("*desc-r025_boldmap.json")
    sidecar = json.loads(path.read_text())
    bold = trial.file("*preproc_bold.nii.gz")
    assert sidecar["SourceDigests"][bold.name] == digest_of_file(bold)
    assert len(sidecar["SourceDigests"]) == 3
    assert sidecar["Code"] == digest_of_code()


def test_a_folder_changes_with_what_is_in_it(tmp_path):
    (tmp_path / "a").write_text("1")
    before = quick_state(tmp_path)
    (tmp_path / "a").write_text("2")
    assert quick_state(tmp_path) != before


@pytest.fixture
def two(tmp_path):
    """Two participants, two runs at the first visit of one."""
    trial = SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "fmriprep").begin()
    for run in ("1", "2"):
        trial.add_run("01", "1", run=run)
    trial.add_run("02", "1")
    trial.add_arms(s01="placebo", s02="drug")
    return trial


@pytest.mark.parametrize("what", ["run", "participant"])
def test_what_has_no_input_any_more_is_marked(two, app, tmp_path, what):
    out = tmp_path / "out"
    assert app(two.bids, out, "participant", *SMALL).code == 0
    if what == "run":
        for path in (two.fmriprep / "sub-01").rglob("*run-2*"):
            path.unlink()
    else:
        shutil.rmtree(two.fmriprep / "sub-01")
    outcome = app(two.bids, out, "participant", *SMALL)
    assert outcome.code == 0
    assert "its input is no longer there" in outcome.said
    states = {scan["Scan"]: scan["State"] for scan in read_status(out, "01")["Scans"]}
    expected = {"run": ["done", "gone"], "participant": ["gone", "gone"]}[what]
    assert [states[name] for name in sorted(states)] == expected
    assert "its input is no longer there" not in app(two.bids, out, "participant", *SMALL).said  # said once


def test_an_input_that_comes_back_is_used_again(two, app, tmp_path):
    out, away = tmp_path / "out", tmp_path / "away"
    assert app(two.bids, out, "participant", *SMALL).code == 0
    shutil.move(two.fmriprep / "sub-01", away)
    assert app(two.bids, out, "participant", *SMALL).code == 0
    shutil.move(away, two.fmriprep / "sub-01")
    assert app(two.bids, out, "participant", *SMALL).code == 0
    assert {scan["State"] for scan in read_status(out, "01")["Scans"]} == {"done"}


def test_a_dataset_that_is_not_here_says_nothing_of_its_files(tmp_path):
    (tmp_path / "x.nii").touch()
    sources = ["bids:here:x.nii", "bids:here:y.nii", "bids:elsewhere:z.nii", "odd"]
    assert gone_sources(sources, {"here": tmp_path}) == ["bids:here:y.nii"]
