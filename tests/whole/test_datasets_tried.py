"""The table of docs/datasets.md, line by line."""

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from filled_trees import fill, is_hollow

from bids_app.cli import validate
from bids_app.cli.main import main

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("| \n").split("|")]
    for line in (ROOT / "docs" / "datasets.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| dataset")
]


@pytest.fixture(scope="module")
def validated_once():
    """Let the validator look at each dataset once, however many lines there are of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validate, "_issues", cache(validate._issues))
        yield


@pytest.fixture(scope="module")
def folder_of(shared_data, tmp_path_factory):
    """Return the folder of a dataset; of raw data whose images are empty files, the copy that holds images."""

    @cache
    def call(dataset):
        tree = shared_data / dataset
        return fill(tree, tmp_path_factory.mktemp("filled") / tree.name) if is_hollow(tree) else tree

    return call


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}".strip())
def test_what_it_says_of_a_dataset(row, shared_data, folder_of, tmp_path, capsys, validated_once):
    dataset, options, code, said, *_ = row
    words = [str(shared_data / word) if "/" in word else word for word in shlex.split(options.strip("`"))]
    folders = [str(folder_of(dataset)), str(tmp_path / "out")]
    assert main(["check", *folders, *words]) == int(code)
    heard = " ".join(re.sub(r"\s+", " ", part) for part in capsys.readouterr())
    for fragment in said.split("; "):
        assert fragment in heard
    assert not (tmp_path / "out").exists()


def test_every_dataset_is_in_the_table(shared_data):
    """Also each tree of the two collections, of which all have functional MRI."""
    tried = {row[0] for row in ROWS}
    collections = ("bids_trees", "bids_examples")
    folders = [
        path for path in shared_data.iterdir() if path.is_dir() and path.name not in ("tfce_reference", *collections)
    ]
    for folder in folders:
        assert any(name.split("/")[0] == folder.name for name in tried), folder
    for collection in collections:
        there = {f"{collection}/{path.name}" for path in (shared_data / collection).iterdir() if path.is_dir()}
        assert there <= tried, sorted(there - tried)
        assert {"/".join(name.split("/")[:2]) for name in tried if name.startswith(f"{collection}/")} == there


def test_an_empty_image_stops_a_run_and_all_else_is_said(shared_data, tmp_path, capsys):
    """The trees as they are: what would be done, and in the end which scans hold nothing."""
    folder = shared_data / "bids_examples" / "ds003"
    assert main(["check", str(folder), str(tmp_path / "out"), "--design", "one-group"]) == 16
    heard = " ".join("".join(capsys.readouterr()).split())
    assert "13 of 13 would be compared" in heard
    assert "EMPTY_FILE in /sub-01/anat" in heard


def test_named_tests_exist():
    for name in re.findall(r"test_\w+\.py", (ROOT / "docs" / "datasets.md").read_text()):
        assert list((ROOT / "tests").rglob(name)), name
