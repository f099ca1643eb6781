"""The table of docs/datasets.md, line by line."""

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}".strip())
def test_what_it_says_of_a_dataset(row, shared_data, tmp_path, capsys, validated_once):
    dataset, options, code, said, *_ = row
    words = [str(shared_data / word) if "/" in word else word for word in shlex.split(options.strip("`"))]
    folders = [str(shared_data / dataset), str(tmp_path / "out")]
    assert main(["check", *folders, *words]) == int(code)
    heard = " ".join(re.sub(r"\s+", " ", part) for part in capsys.readouterr())
    for fragment in said.split("; "):
        assert fragment in heard
    assert not (tmp_path / "out").exists()


def test_every_dataset_is_in_the_table(shared_data):
    tried = " ".join(row[0] for row in ROWS)
    folders = [path for path in shared_data.iterdir() if path.is_dir() and path.name != "tfce_reference"]
    for folder in folders:
        names = [folder, *folder.iterdir()] if folder.name == "bids_trees" else [folder]
        for path in names:
            assert path.name.removesuffix(".txt") in tried or not path.is_dir(), path


def test_named_tests_exist():
    for name in re.findall(r"test_\w+\.py", (ROOT / "docs" / "datasets.md").read_text()):
        assert list((ROOT / "tests").rglob(name)), name
