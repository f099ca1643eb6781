"""The scripts of docs/hpc.md, run as they stand on a real SLURM with real Apptainer, as a user without rights."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bids_app.simulate import simulate_trial

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "hpc.md").read_text()
USER = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
OPTIONS = "--voxel-size 8 --min-minutes 2 --metrics degree --n-permutations 50"

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def unavailable(reason):
    """Skip, unless SLURM was promised."""
    (pytest.fail if "TRIALGRAPH_SLURM" in os.environ else pytest.skip)(reason)


def blocks(language):
    return re.findall(rf"^```{language}\n(.+?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def queue():
    return subprocess.run(["squeue", "--noheader", "--format=%i %T"], capture_output=True, text=True, check=True).stdout


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, queue()
        time.sleep(0.5)


@pytest.fixture(scope="module")
def cluster():
    if not shutil.which("sbatch"):
        unavailable("no SLURM")
    if subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        unavailable("SLURM does not answer")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that any user may enter, with a trial of eight and one without follow-up."""
    root = tmp_path_factory.mktemp("cluster")
    for folder in (root, *(above for above in root.parents if "pytest-" in str(above))):
        folder.chmod(0o755)
    simulate_trial(root / "trial", n_per_arm=4, voxel_size=8, n_volumes=120)
    subprocess.run(["chmod", "-R", "a+rX", root / "trial"], check=True)
    for name in ("out", "jobs", "scripts"):
        (root / name).mkdir()
        (root / name).chmod(0o777)
    return root


@pytest.fixture(scope="module")
def submit(cluster, place):
    """Lay out the page's scripts; return a function that calls submit.sh."""
    image = os.environ.get("TRIALGRAPH_SIF")
    if not image:
        unavailable("TRIALGRAPH_SIF names no image")
    for script in blocks("bash"):
        path = place / "scripts" / re.search(r"^# (\S+):", script, flags=re.MULTILINE).group(1)
        path.write_text(script)
        path.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "IMAGE": image, "OPTIONS": OPTIONS}
    environment |= {"BIDS": str(place / "trial" / "bids"), "OUT": str(place / "out")}

    def submit():
        command = [place / "scripts" / "submit.sh"]
        done = subprocess.run(
            command, cwd=place / "scripts", env=environment, capture_output=True, text=True, check=False, **USER
        )
        assert done.returncode == 0, done.stderr
        return [int(job) for job in re.findall(r"job (\d+)", done.stdout)]

    return submit


def messages(place):
    return "\n".join(path.read_text() for path in (place / "out" / "logs" / "slurm").glob("*_*.txt"))


def test_the_page_has_the_three_scripts_and_the_plugin_file():
    names = [re.search(r"^# (\S+):", script, flags=re.MULTILINE).group(1) for script in blocks("bash")]
    assert names == ["submit.sh", "participant.sbatch", "group.sbatch"]
    assert len(blocks("yaml")) == 1


def test_an_array_then_the_group_and_who_was_killed_again_alone(submit, place, validation_errors):
    out, participants = place / "out", sorted(path.name for path in (place / "trial" / "bids").glob("sub-*"))
    array, group = submit()
    log = out / "logs" / "slurm" / f"{array}_2.txt"  # a job is RUNNING before the app is there to hear a signal
    wait_until(lambda: log.exists() and "1 participant, " in log.read_text(), 120)
    subprocess.run(["scancel", f"{array}_2"], check=True)
    wait_until(lambda: str(array) not in queue() and str(group) not in queue(), 600)
    done = sorted(path.stem for path in (out / "logs" / "status").glob("sub-*.json"))
    assert done == [name for name in participants if name != participants[1]], messages(place)
    assert not (out / "group").exists(), "the group waits for everyone"

    maps = {path: path.stat().st_mtime_ns for path in out.glob("sub-*/ses-*/func/*boldmap.nii.gz")}
    assert maps
    again, group = submit()
    wait_until(lambda: str(again) not in queue() and str(group) not in queue(), 600)
    lists = sorted((out / "logs" / "slurm").glob("labels-*.txt"))
    assert lists[-1].read_text().split() == [participants[1].removeprefix("sub-")]
    assert {path: path.stat().st_mtime_ns for path in maps} == maps, "finished work is not repeated"
    assert (out / "group" / "index.html").is_file(), (out / "logs" / "slurm" / f"{group}.txt").read_text()
    assert not (out / "work").exists()
    assert validation_errors(out) == []


@pytest.mark.parametrize("plugin", ["SLURM", "SLURMGraph"])
def test_nipype_submits_the_parts_itself(cluster, place, plugin):
    (place / "slurm.yml").write_text(blocks("yaml")[0].replace("SLURM", plugin))
    out = place / "jobs" / plugin
    command = [sys.executable, ROOT / "run.py", place / "trial" / "bids", out, "participant", *OPTIONS.split()]
    command += ["--participant-label", "03", "--session-label", "baseline", "--nipype-plugin-file", place / "slurm.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(out.glob("sub-03/ses-*/func/*_stat-degree_desc-r025_boldmap.nii.gz"))) == 1
    assert not (out / "work").exists()
