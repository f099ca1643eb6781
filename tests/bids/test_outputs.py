import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_app.bids.datasets import Dataset
from bids_app.bids.files import (
    replacing,
    save_image,
    save_json,
    save_table,
    save_text,
    sidecar_of,
    write_dataset_files,
)
from bids_app.bids.scans import index_scans
from bids_app.bids.status import save_status
from bids_app.errors import OutputError


class BrokenTable(pd.DataFrame):
    """A table that fails after half of it is on disk."""

    def to_csv(self, path, **options):
        path.write_text("half of")
        raise RuntimeError("the lights went out")


class BrokenImage:
    def to_filename(self, path):
        Path(path).write_bytes(b"half of")
        raise RuntimeError("the lights went out")


class Unfit:
    """Nothing that JSON knows."""


WRITERS = {
    "table.tsv": lambda path: save_table(path, BrokenTable({"a": [1]})),
    "map.nii.gz": lambda path: save_image(path, BrokenImage()),
    "facts.json": lambda path: save_json(path, {"a": Unfit()}),
    "page.html": lambda path: save_text(path, 3),
}


@pytest.fixture
def image():
    return nib.Nifti1Image(np.zeros((2, 2, 2), dtype=np.float32), np.eye(4))


@pytest.mark.parametrize("name", WRITERS)
def test_failure_leaves_nothing(tmp_path, name):
    with pytest.raises((RuntimeError, TypeError)):
        WRITERS[name](tmp_path / "new" / name)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", WRITERS)
def test_failure_leaves_the_old_file(tmp_path, name):
    (tmp_path / name).write_text("as it was")
    with pytest.raises((RuntimeError, TypeError)):
        WRITERS[name](tmp_path / name)
    assert (tmp_path / name).read_text() == "as it was"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_replaced_at_the_end_only(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == path.parent, "a rename within one folder is atomic"
        assert partial.name.startswith("."), "no glob may take it for a result"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file/below/map.json cannot be written"):
        save_json(tmp_path / "file" / "below" / "map.json", {})


def test_image_and_sidecar(tmp_path, image):
    path = tmp_path / "sub-1" / "a_map.nii.gz"
    save_image(path, image, {"Units": "1"})
    assert nib.load(path).shape == (2, 2, 2)
    assert json.loads((tmp_path / "sub-1" / "a_map.json").read_text()) == {"Units": "1"}
    assert sidecar_of("x/a_map.nii.gz").as_posix() == "x/a_map.json"
    assert sidecar_of("x/a_map.tsv").as_posix() == "x/a_map.json"


def test_image_is_never_without_its_sidecar(tmp_path, image, monkeypatch):
    def full(image, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nib, "save", full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_image(tmp_path / "a_map.nii.gz", image, {"Units": "1"})
    assert not (tmp_path / "a_map.nii.gz").exists()


def test_json_of_numbers_that_are_none(tmp_path):
    content = {
        "float": float("nan"),
        "numpy": np.float32("inf"),
        "list": [1.5, np.nan, (np.int64(3), -np.inf)],
        "inner": {"absent": None, "kept": np.float64(0.25)},
        "true": True,
        "flag": np.bool_(False),
        "array": np.arange(3),
        "path": tmp_path,
        "text": "µ ≥ 0",
    }
    save_json(tmp_path / "facts.json", content)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    read = json.loads((tmp_path / "facts.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert read == {
        "float": "n/a",
        "numpy": "n/a",
        "list": [1.5, "n/a", [3, "n/a"]],
        "inner": {"kept": 0.25},
        "true": True,
        "flag": False,
        "array": [0, 1, 2],
        "path": str(tmp_path),
        "text": "µ ≥ 0",
    }


def test_json_keeps_nine_digits(tmp_path):
    save_json(tmp_path / "facts.json", {"a": 0.1 + 0.2, "b": 1 / 3, "c": 123456789})
    assert json.loads((tmp_path / "facts.json").read_text()) == {"a": 0.3, "b": 0.333333333, "c": 123456789}


def test_table_as_bids_wants_it(tmp_path):
    save_table(tmp_path / "t.tsv", pd.DataFrame({"name": ["a", None], "value": [1 / 3, np.nan]}))
    assert (tmp_path / "t.tsv").read_text() == "name\tvalue\na\t0.333333333\nn/a\tn/a\n"


def dataset(path, name="fmriprep", **description):
    return Dataset(name, path, {"GeneratedBy": [{"Name": "fMRIPrep", "Version": "25.0.0"}], **description})


def test_dataset_description(tmp_path):
    out, bids = tmp_path / "bids" / "derivatives" / "trialgraph", tmp_path / "bids"
    first = dataset(bids / "derivatives" / "fmriprep", License="CC0", DatasetDOI="doi:10.18112/x")
    write_dataset_files(out, bids, [first, dataset(tmp_path / "more", "more", License="CC0")])
    content = json.loads((out / "dataset_description.json").read_text())
    assert content["DatasetType"] == "derivative"
    assert content["License"] == "CC0"
    assert [entry["Name"] for entry in content["GeneratedBy"]] == ["trialgraph", "fMRIPrep", "fMRIPrep"]
    assert content["SourceDatasets"] == [{"DOI": "doi:10.18112/x"}]
    targets = {name: (out / link).resolve() for name, link in content["DatasetLinks"].items()}
    assert targets == {"raw": bids, "fmriprep": first.path, "more": tmp_path / "more"}


def test_licence_is_not_stated_where_sources_disagree(tmp_path):
    write_dataset_files(tmp_path, tmp_path, [dataset(tmp_path, License="CC0"), dataset(tmp_path, "b", License="PDDL")])
    assert "License" not in json.loads((tmp_path / "dataset_description.json").read_text())


def test_dataset_files_validate(tmp_path, validation_errors):
    out = tmp_path / "out"
    write_dataset_files(out, tmp_path / "bids", [dataset(tmp_path / "fmriprep")])
    (out / "sub-01" / "func").mkdir(parents=True)
    assert validation_errors(out) == []


def test_only_what_a_call_finished_is_used(tmp_path):
    """By the records of the scans: done, failed, never finished, an atlas of an earlier call, a table of series."""
    names = {
        "done": "sub-01/func/sub-01_task-rest_stat-degree_desc-r025_boldmap.nii.gz",
        "failed": "sub-01/func/sub-01_task-rest_run-2_stat-degree_desc-r025_boldmap.nii.gz",
        "never finished": "sub-01/func/sub-01_task-rest_run-3_stat-degree_desc-r025_boldmap.nii.gz",
        "of nobody": "sub-02/func/sub-02_task-rest_stat-degree_desc-r025_boldmap.nii.gz",
        "atlas": "sub-01/func/sub-01_task-rest_atlas-A_desc-r025_nodes.tsv",
        "earlier atlas": "sub-01/func/sub-01_task-rest_atlas-B_desc-r025_nodes.tsv",
        "series": "sub-03/func/sub-03_task-rest_atlas-C_desc-r025_nodes.tsv",
        "failed series": "sub-03/func/sub-03_task-rest_atlas-D_desc-r025_nodes.tsv",
    }
    scans = {name: " ".join(path.split("/")[-1].split("_")[:2]) for name, path in names.items()}
    scans |= {"failed": "sub-01 task-rest run-2", "never finished": "sub-01 task-rest run-3"}
    scans |= {"series": "sub-03 task-rest C", "failed series": "sub-03 task-rest D"}
    for name, path in names.items():
        save_text(tmp_path / path, "")
        save_json(sidecar_of(tmp_path / path), {"Scan": scans[name], "NumberOfVolumesKept": 100})

    def used():
        index = index_scans(tmp_path)
        found = [*index.of("boldmap", ".nii.gz"), *index.of("nodes", ".tsv")]
        return {name for name, path in names.items() if tmp_path / path in [scan.path for scan in found]}, index.earlier

    assert used() == (set(names), frozenset())  # nothing is recorded of anyone
    save_status(
        tmp_path,
        "01",
        "run",
        {
            "a": {"Scan": scans["done"], "State": "done", "Atlases": ["atlas-A"]},
            "b": {"Scan": scans["failed"], "State": "failed"},
        },
    )
    records = {
        name: {"Scan": scans[name], "State": state} for name, state in (("series", "done"), ("failed series", "failed"))
    }
    save_status(tmp_path, "03", "run", records)
    assert used() == ({"done", "atlas", "series"}, frozenset({"atlas-B"}))


def test_scans_are_found_by_what_their_names_say(tmp_path):
    names = [
        "sub-01/ses-1/func/sub-01_ses-1_task-rest_res-3mm_stat-degree_desc-r025z_boldmap",
        "sub-01/ses-2/func/sub-01_ses-2_task-rest_res-3mm_stat-degree_desc-r025z_boldmap",
        "sub-01/ses-2/func/sub-01_ses-2_task-rest_res-3mm_stat-degree_desc-r025zSmooth6_boldmap",
        "sub-02/func/sub-02_task-rest_res-3mm_stat-strength_desc-r025z_boldmap",
        "sub-02/anat/sub-02_stat-degree_desc-r025z_boldmap",
        "group/task-rest_stat-degree_desc-r025z_boldmap",
    ]
    for name in names:
        save_text(tmp_path / f"{name}.nii.gz", "voxels")
        save_json(tmp_path / f"{name}.json", {"NumberOfVolumesKept": 7})
    save_text(tmp_path / "sub-01/ses-1/func/.17-sub-01_ses-1_stat-degree_desc-r025z_boldmap.nii.gz", "half")
    found = index_scans(tmp_path).of("boldmap", ".nii.gz", stat="degree", desc="r025z")
    assert [scan.path.relative_to(tmp_path).as_posix() for scan in found] == [f"{name}.nii.gz" for name in names[:2]]
    assert [(scan.participant, scan.session) for scan in found] == [("01", "1"), ("01", "2")]
    assert found[0].sidecar == {"NumberOfVolumesKept": 7}
    (other,) = index_scans(tmp_path).of("boldmap", ".nii.gz", stat="strength")
    assert (other.participant, other.session) == ("02", None)
    assert index_scans(tmp_path).of("nodes", ".tsv") == []


def test_processes_that_look_alike_do_not_write_to_the_same_partial_file(tmp_path, monkeypatch):
    """Two containers share the output folder, and in each the app is process 1."""
    monkeypatch.setattr("os.getpid", lambda: 1)
    path = tmp_path / "dataset_description.json"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("the first")
        second.write_text("the second")
    assert path.read_text() == "the first"
    assert list(tmp_path.iterdir()) == [path]
