"""The wheel by itself: it holds every file, and its program runs where nothing else lies."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = (ROOT / "version").read_text().strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built without network from what git would hold; and a folder that it is unpacked in."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.partition(".")[0]) < 77:
        pytest.skip(f"setuptools {setuptools.__version__} is older than the project asks for")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("bids_app", "pyproject.toml", "version", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    build = (
        "import os, sys; from setuptools import build_meta; os.chdir(sys.argv[1]); build_meta.build_wheel(sys.argv[2])"
    )
    done = subprocess.run([sys.executable, "-c", build, source, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as content:
        content.extractall(folder / "installed")
    return path, folder / "installed"


def test_every_module_and_every_file_of_data_is_in_it(wheel):
    _, folder = wheel
    kept = {path.relative_to(ROOT) for path in (ROOT / "bids_app").rglob("*") if path.is_file()}
    kept = {path for path in kept if "__pycache__" not in path.parts}
    assert {path.suffix for path in kept} >= {".py", ".jinja", ".json", ".toml"}
    there = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert there - kept == {path for path in there if path.parts[0].endswith(".dist-info")}
    assert kept <= there


def test_it_names_its_program_its_version_and_what_it_needs(wheel):
    path, folder = wheel
    assert path.name == f"trialgraph-{VERSION}-py3-none-any.whl"
    (info,) = folder.glob("*.dist-info")
    assert "trialgraph = bids_app.__main__:run" in (info / "entry_points.txt").read_text()
    told = (info / "METADATA").read_text()
    assert f"\nVersion: {VERSION}\n" in told
    assert "\nRequires-Dist: nilearn>=0.14\n" in told
    assert "\nLicense-Expression: Apache-2.0\n" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--version"], f"trialgraph {VERSION}"),
        (["--help"], "usage: trialgraph BIDS_DIR OUTPUT_DIR"),
        (["--bids-exec-spec"], '"BIDSApplicationVersion": "2.0"'),
        (["docker", "--print", "bids", "out", "participant"], f"bids/trialgraph:{VERSION} bids out participant"),
    ],
)
def test_its_program_runs_without_any_other_package(wheel, words, said, tmp_path):
    _, folder = wheel
    call = [sys.executable, "-S", "-m", "bids_app", *words]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
