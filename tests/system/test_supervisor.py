"""Signals end a run at once, with a word, an exit code, and no process left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, SmallTrial

from bids_app.system.supervisor import descendants

RUN = Path(__file__).parents[2] / "run.py"


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    root = tmp_path_factory.mktemp("signals")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for participant in ("01", "02", "03"):
        for session in ("1", "2"):
            trial.add_run(participant, session)
    trial.add_arms(s01="placebo", s02="drug", s03="drug")
    return trial


def start(trial, output, n_cpus, *before, **more):
    words = [sys.executable, RUN, trial.bids, output, "participant", *SMALL, "--skip-bids-validation"]
    words += ["--n-cpus", str(n_cpus)]
    return subprocess.Popen(
        [*before, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **more
    )


def wait_for_workers(process, least, seconds=60):
    """Wait until the run has so many processes below it, and return them."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if len(family := descendants(process.pid)) >= least:
            return family
        time.sleep(0.05)
    raise AssertionError(f"fewer than {least} processes after {seconds} s")


def gone(pids, seconds=10):
    until = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("n_cpus", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_with_a_word(trial, tmp_path, n_cpus, number):
    rng = np.random.default_rng([number, n_cpus])
    for moment in rng.uniform(0.2, 9, 2):
        process = start(trial, tmp_path / "out", n_cpus, start_new_session=True)
        time.sleep(moment)
        family = descendants(process.pid)
        began = time.monotonic()
        os.killpg(process.pid, number)  # as a terminal does
        _, said = process.communicate(timeout=30)
        assert time.monotonic() - began < 8
        if process.returncode == 0:  # it was quicker
            continue
        assert process.returncode == 128 + number, said
        assert said.count("stopped by") == 1
        assert "Traceback" not in said
        assert gone(family)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(trial, tmp_path):
    process = start(trial, tmp_path / "out", 2)
    family = wait_for_workers(process, 3)
    process.kill()
    process.communicate()
    assert gone(family)


@pytest.mark.slow
def test_the_first_process_of_a_container_hears_signals(trial, tmp_path):
    """As `docker stop` sends them: process 1 has no default action."""
    alone = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no new process namespace can be made here")
    process = start(trial, tmp_path / "out", 1, *alone)
    first = wait_for_workers(process, 2)[0]
    began = time.monotonic()
    os.kill(first, signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - began < 8
    assert process.returncode == 143, said
    assert "stopped by SIGTERM" in said


@pytest.mark.slow
def test_a_run_that_was_stopped_says_so_in_its_log(trial, tmp_path):
    process = start(trial, tmp_path / "out", 1)
    until = time.monotonic() + 60
    while not (logs := list((tmp_path / "out" / "logs").glob("*/trialgraph.log"))) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    process.terminate()
    process.communicate(timeout=30)
    assert "Stopped by a signal before it was finished" in logs[0].read_text()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_standard_streams(trial, tmp_path, closed):
    """As a daemon or a job of cron may run it."""
    words = f"{sys.executable} {RUN} check {trial.bids} {tmp_path / 'out'}"
    done = subprocess.run(["sh", "-c", f"{words} {closed}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fault of the app" not in done.stderr


def test_an_exit_code_passes_through():
    done = subprocess.run([sys.executable, RUN, "nowhere", "out", "participant"], capture_output=True, check=False)
    assert done.returncode == 66


def test_a_run_that_is_killed_is_said():
    script = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); from bids_app.system.supervisor import supervised\n"
        "sys.exit(supervised(lambda: os.kill(os.getpid(), signal.SIGKILL)))"
    )
    done = subprocess.run([sys.executable, "-c", script, RUN.parent], capture_output=True, text=True, check=False)
    assert done.returncode == 137
    assert "Most likely its memory ran out" in done.stderr
