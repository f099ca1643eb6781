"""Runs that are killed, meet, or find the disk full: the same command then ends with the same bytes."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import SCALE, SmallTrial
from harness import contents

from bids_app.bids.files import sweep
from bids_app.errors import BusyError
from bids_app.system.locks import alone_in, turn_in

pytestmark = pytest.mark.slow
THOROUGH = int(os.environ.get("TRIALGRAPH_THOROUGH", "1"))  # times as many kills
N_KILLS = {"participant": 6 * THOROUGH, "group": 4 * THOROUGH}
GROUP = (*SCALE, "--metrics", "degree", "--smooth-maps", "20", "--skip-bids-validation", "--n-permutations", "20")
OPTIONS = (*GROUP, "--participant-label", "01", "02")


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    root = tmp_path_factory.mktemp("faults")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for participant in ("01", "02", "03", "04", "05", "06"):
        for session in ("1", "2"):
            trial.add_run(participant, session)
    trial.add_arms(**{f"s0{number}": ("placebo", "ketamine")[number % 2] for number in range(1, 7)})
    return trial


@pytest.fixture(scope="module")
def undisturbed(run, trial, tmp_path_factory):
    """Both levels without a fault: their contents, and how long each took."""
    output = tmp_path_factory.mktemp("undisturbed")
    codes, _, said = run(trial.bids, output, "participant", *OPTIONS, "--metrics", "degree")  # warms the kernels
    shutil.rmtree(output)
    codes, seconds, said = run(trial.bids, output, "participant", *OPTIONS)
    assert codes == [0], said
    scans = contents(output)
    codes, _, said = run(trial.bids, output, "participant", *GROUP, "--participant-label", "03", "04", "05", "06")
    assert codes == [0], said
    codes, more, said = run(trial.bids, output, "group", *GROUP)
    assert codes == [0], said
    everything = contents(output)
    return output, {"participant": scans, "group": everything}, {"participant": seconds, "group": more}


def moments(level, seed):
    """Return shares of a run's time, one from each part of it."""
    rng = np.random.default_rng(seed)
    return [(level, (part + rng.random()) / N_KILLS[level]) for part in range(N_KILLS[level])]


@pytest.mark.parametrize(("level", "share"), [*moments("participant", 1), *moments("group", 2)])
def test_a_run_that_is_killed_ends_the_same_when_it_is_repeated(run, trial, undisturbed, tmp_path, level, share):
    before, expected, seconds = undisturbed
    output = tmp_path / "out"
    if level == "group":
        shutil.copytree(before, output, ignore=shutil.ignore_patterns("group", "work"))
    words = (trial.bids, output, level, *(GROUP if level == "group" else OPTIONS))
    codes, _, _ = run(*words, kill=[share * seconds[level]])
    assert codes in ([-9], [0])
    for name, content in contents(output).items():
        if name in expected[level]:
            assert content == expected[level][name], f"{name} is there, but not whole"
    codes, _, said = run(*words)
    assert codes == [0], said
    assert contents(output) == expected[level]


@pytest.mark.parametrize("share", [0.6, 0.97])
def test_a_group_run_that_is_killed_leaves_the_results_before_or_its_own(run, trial, undisturbed, tmp_path, share):
    """Never files of both, whatever else is asked for."""
    before, output, fresh = undisturbed[0], tmp_path / "out", tmp_path / "fresh"
    for folder in (output, fresh):
        shutil.copytree(before, folder, ignore=shutil.ignore_patterns("work"))
    words = (*GROUP, "--hc3", "--estimator", "change")
    codes, seconds, said = run(trial.bids, fresh, "group", *words)
    assert codes == [0], said
    run(trial.bids, output, "group", *words, kill=[share * seconds])
    assert contents(output) in (contents(before), contents(fresh))
    codes, _, said = run(trial.bids, output, "group", *GROUP, "--reports-only")
    assert codes == [0], said
    codes, _, said = run(trial.bids, output, "group", *words)
    assert codes == [0], said
    assert contents(output) == contents(fresh)


@pytest.mark.parametrize("level", ["participant", "group"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_pages_that_are_not_made_to_their_end_spoil_nothing(run, trial, undisturbed, tmp_path, level, share):
    before, output = undisturbed[0], tmp_path / "out"
    shutil.copytree(before, output, ignore=shutil.ignore_patterns("work"))
    words = (trial.bids, output, level, *GROUP, "--reports-only")
    codes, seconds, said = run(*words)
    assert codes == [0], said
    page = "group/index.html" if level == "group" else "sub-01.html"
    whole = (output / page).read_bytes()
    run(*words, kill=[share * seconds])
    assert contents(output) == contents(before)
    assert (output / page).read_bytes() == whole
    codes, _, said = run(*words)
    assert codes == [0], said
    assert contents(output) == contents(before)


def test_two_processors_leave_the_bytes_of_one(run, trial, undisturbed, tmp_path):
    for level in ("participant", "group"):
        codes, _, said = run(trial.bids, tmp_path, level, *GROUP, "--n-cpus", "2")
        assert codes == [0], said
    assert contents(tmp_path) == undisturbed[1]["group"]


def test_two_runs_at_once_on_the_same_participants(run, trial, undisturbed, tmp_path):
    """One of them says that the other works there, or comes late enough to find everything done."""
    output = tmp_path / "out"
    codes, _, said = run(trial.bids, output, "participant", *OPTIONS, kill=[None, None])
    assert sorted(codes) in ([0, 75], [0, 0]), said
    assert ("Another run works in" in said) is (75 in codes)
    assert contents(output) == undisturbed[1]["participant"]


def test_two_runs_at_once_on_two_sessions_of_everyone(run, trial, undisturbed, tmp_path):
    output = tmp_path / "out"
    words = [str(word) for word in (trial.bids, output, "participant", *OPTIONS, "--session-label")]
    second = subprocess.Popen([sys.executable, Path(__file__).parents[2] / "run.py", *words, "2"])
    codes, _, said = run(*words, "1")
    assert (codes, second.wait()) == ([0], 0), said
    assert contents(output) == undisturbed[1]["participant"]
    for status in (output / "logs" / "status").glob("*.json"):
        assert [scan["State"] for scan in json.loads(status.read_text())["Scans"]] == ["done", "done"]


def test_clocks_may_go_wrong(run, trial, undisturbed, tmp_path):
    """Files of a run that was killed come from the future, then from long ago."""
    for year in (4_000_000_000, 1_000_000_000):
        output = tmp_path / str(year)
        run(trial.bids, output, "participant", *OPTIONS, kill=[undisturbed[2]["participant"] * 0.6])
        for path in output.rglob("*"):
            os.utime(path, (year, year), follow_symlinks=False)
        codes, _, said = run(trial.bids, output, "participant", *OPTIONS)
        assert codes == [0], said
        assert contents(output) == undisturbed[1]["participant"]


@contextmanager
def small_disk(folder, size):
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


@pytest.mark.parametrize("size", ["200k", "1200k"])
def test_a_full_disk_is_said_and_nothing_half_written_counts(run, trial, undisturbed, tmp_path, size):
    with small_disk(tmp_path / "disk", size) as disk:
        output, work = disk / "out", tmp_path / "work"
        words = (trial.bids, output, "participant", *OPTIONS, "--work-dir", work)
        codes, _, said = run(*words)
        assert codes in ([73], [1]), said
        assert "No space left on device" in said
        assert "an error of the app" not in said
        assert "Traceback" not in said
        for name, content in contents(output).items():
            assert content == undisturbed[1]["participant"].get(name, content), name
        subprocess.run(["mount", "-o", "remount,size=80m", disk], check=True)
        codes, _, said = run(*words)
        assert codes == [0], said
        assert contents(output) == undisturbed[1]["participant"]


def test_what_others_left_half_written_is_swept_when_it_is_old(tmp_path):
    old, fresh = tmp_path / "sub-01" / ".partial-1-map.nii.gz", tmp_path / "sub-01" / ".partial-2-map.nii.gz"
    old.parent.mkdir()
    for path in (old, fresh):
        path.write_text("half")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    sweep(tmp_path)
    assert [path.name for path in (tmp_path / "sub-01").iterdir()] == [fresh.name]
    assert not (tmp_path / "logs" / "clock").exists()


def test_a_folder_is_lent_to_one_at_a_time(tmp_path):
    with alone_in(tmp_path), pytest.raises(BusyError, match="Another run works in"), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass
    with turn_in(tmp_path):
        pass
