"""Without antspyx: one message where raw scans have to be preprocessed, and everything else as ever."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ants":
            raise ModuleNotFoundError("No module named 'ants'", name="ants")
sys.meta_path.insert(0, Hidden())
from importlib import util
whole = util.find_spec
util.find_spec = lambda name, package=None: None if name == "ants" else whole(name, package)
from bids_app.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def without_ants(*words):
    """Call the app in a process that has no antspyx."""
    call = [sys.executable, "-c", SCRIPT, *map(str, words)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


@pytest.fixture
def raw(tmp_path):
    bids = tmp_path / "bids"
    func = bids / "sub-01" / "func"
    func.mkdir(parents=True)
    (bids / "dataset_description.json").write_text(json.dumps({"Name": "raw", "BIDSVersion": "1.8.0"}))
    (func / "sub-01_task-rest_bold.nii.gz").touch()
    (func / "sub-01_task-rest_bold.json").write_text('{"RepetitionTime": 2.0, "TaskName": "rest"}')
    return bids


@pytest.mark.parametrize("options", [("--skip-bids-validation",), ()])
def test_the_extra_is_named_before_any_work(raw, tmp_path, options):
    done = without_ants(raw, tmp_path / "out", "participant", *options)
    assert done.returncode == 66
    said = " ".join(done.stderr.split())
    assert said.count('pip install "trialgraph[preproc]"') == 1
    assert "Traceback" not in said
    assert not (tmp_path / "out" / "derivatives").exists()


def test_check_names_it_too(raw, tmp_path):
    done = without_ants("check", raw, tmp_path / "out", "--skip-bids-validation")
    assert done.returncode == 66
    assert 'pip install "trialgraph[preproc]"' in " ".join(done.stderr.split())


def test_preprocessed_scans_need_none(trial, tmp_path):
    options = ("--voxel-size", "15", "--denoise", "simple", "--min-minutes", "1", "--metrics", "degree")
    done = without_ants(trial.bids, tmp_path / "out", "participant", *options, "--n-cpus", "1")
    assert done.returncode == 0, done.stderr
