"""What a user without rights is told; root may do everything, so that the app is called as somebody else."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import SCALE, SmallTrial

NOBODY = 65534
RUN = Path(__file__).parents[2] / "run.py"


@pytest.fixture
def place():
    """A folder that everybody may look into, with a trial that everybody may read."""
    folder = Path(tempfile.mkdtemp(prefix="permissions", dir="/tmp"))
    folder.chmod(0o755)
    trial = SmallTrial(folder / "bids", folder / "bids" / "derivatives" / "fmriprep").begin()
    trial.add_run()
    trial.add_arms(s01="placebo")
    (folder / "out").mkdir()
    yield trial, folder
    shutil.rmtree(folder)


def call_as_nobody(*words):
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("setpriv is not there to become somebody without rights")
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
    call = [*become, sys.executable, RUN, *map(str, words), *SCALE, "--skip-bids-validation"]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(call, capture_output=True, text=True, env=environment, cwd="/", check=False)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_an_output_folder_of_somebody_else(place):
    trial, folder = place
    (folder / "out").chmod(0o755)
    code, said = call_as_nobody(trial.bids, folder / "out", "participant")
    assert code == 73
    assert (
        f"The output folder {folder / 'out'} is not writable by user {NOBODY if os.getuid() == 0 else os.getuid()}"
        in said
    )


def test_an_output_folder_that_cannot_be_made(place):
    trial, folder = place
    code, said = call_as_nobody(trial.bids, folder / "new", "participant")
    assert code == 73
    assert f"The output folder {folder / 'new'} cannot be created: Permission denied" in said


def test_an_image_that_may_not_be_read(place):
    trial, folder = place
    (folder / "out").chmod(0o777)
    trial.file("*preproc_bold.nii.gz").chmod(0)
    code, said = call_as_nobody(trial.bids, folder / "out", "participant", "--metrics", "degree")
    assert code in (65, 66)
    assert "preproc_bold.nii.gz" in said
    assert "Permission denied" in said


def test_a_table_that_may_not_be_read(place):
    trial, folder = place
    (trial.bids / "participants.tsv").chmod(0)
    code, said = call_as_nobody("check", trial.bids, folder / "out")
    assert code == 66
    assert "participants.tsv: Permission denied" in said
    assert "Permission denied" in said


def test_a_dataset_that_may_not_be_looked_into(place):
    trial, folder = place
    (folder / "out").chmod(0o777)
    trial.bids.chmod(0)
    code, said = call_as_nobody(trial.bids, folder / "out", "participant")
    assert code in (65, 66)
    assert str(trial.bids) in said
