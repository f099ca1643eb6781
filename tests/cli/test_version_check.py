"""A version that a site's list flags is told, and the exit code knows."""

import json
from pathlib import Path

import pytest

from bids_app import __version__
from bids_app.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def listed(tmp_path):
    def write(content):
        path = tmp_path / "versions.json"
        path.write_text(json.dumps(content))
        return str(path)

    return write


def test_a_flagged_version_says_why(listed, capsys):
    path = listed({"latest": "9.9.9", "flagged": {__version__: "degree is one too small", "0.0.1": "other"}})
    assert main(["--version", "--check", path]) == 65
    said = capsys.readouterr().out
    assert said.splitlines() == [
        f"trialgraph {__version__}",
        "flagged: degree is one too small",
        "latest by that file: 9.9.9",
    ]


def test_a_version_that_is_not_flagged_is_fine_in_either_order(listed, capsys):
    path = listed({"latest": __version__, "flagged": {"0.0.1": "other"}})
    assert main([f"--check={path}", "--version"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [f"not among the 1 versions that {path} flags"]


@pytest.mark.parametrize(("content", "code"), [({"flagged": ["0.0.1"]}, 65), ({}, 65), (None, 66)])
def test_what_is_no_list_of_versions_is_refused(listed, tmp_path, content, code, capsys):
    path = str(tmp_path / "nowhere.json") if content is None else listed(content)
    assert main(["--version", "--check", path]) == code
    assert path in capsys.readouterr().err


def test_the_list_of_this_project_can_be_read(capsys):
    assert main(["--version", "--check", str(ROOT / ".versions.json")]) == 0
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"trialgraph {__version__}\n"
