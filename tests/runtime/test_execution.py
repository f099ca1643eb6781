"""What a run of a workflow says of parts that fail, are killed, or never begin."""

import os
import sys
from itertools import pairwise
from subprocess import CalledProcessError

import pytest
from nipype.interfaces.utility import Function
from nipype.pipeline import engine as pe

from bids_app.errors import DataError, KilledError, UsageError
from bids_app.runtime import slurm
from bids_app.runtime.nipype_run import execute
from bids_app.settings.settings import Resources, Settings
from bids_app.system import environment


def work(value):
    return value + 1


def refuse(value):
    from bids_app.errors import DataError

    raise DataError(f"{value} is wrong.")


def die(value):
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def chain(name, *functions):
    """One scan's workflow: each function takes what the one before it gives."""
    nodes = [
        pe.Node(Function(["value"], ["value"], function=function), name=f"{function.__name__}{number}")
        for number, function in enumerate(functions)
    ]
    nodes[0].inputs.value = 1
    workflow = pe.Workflow(name=name)
    workflow.add_nodes(nodes)
    for first, second in pairwise(nodes):
        workflow.connect(first, "value", second, "value")
    return workflow


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run chains of functions side by side; return {part: failure}."""
    monkeypatch.setattr(sys, "argv", ["trialgraph"])

    def run(n_cpus=2, **chains):
        top = pe.Workflow(name="top")
        top.add_nodes([chain(name, *functions) for name, functions in chains.items()])
        settings = Settings(tmp_path, tmp_path, "participant", tmp_path / "work", resources=Resources(n_cpus))
        (tmp_path / "log").mkdir()
        failures = execute(top, settings, tmp_path / "log", n_parallel=len(chains))
        return {failure.node.removeprefix("top."): failure for failure in failures}

    return run


@pytest.fixture
def given_to(tmp_path, monkeypatch):
    """Execute a workflow without parts; return what Nipype was to run it with. The environment is put back."""
    monkeypatch.setattr(os, "environ", {key: value for key, value in os.environ.items() if "NUM_THREADS" not in key})
    given = []

    class Kept(pe.Workflow):
        def run(self, plugin=None, plugin_args=None, updatehash=False):
            given.append((plugin, plugin_args))

    def given_to(resources, **parallel):
        settings = Settings(tmp_path, tmp_path, "participant", tmp_path / "work", resources=resources)
        assert execute(Kept(name="top"), settings, tmp_path, **parallel) == []
        return given[-1]

    yield given_to
    for plugin, _ in given:
        if hasattr(plugin, "pool"):
            plugin.pool.shutdown()


@pytest.mark.parametrize("n_cpus", [1, 2])
def test_a_part_that_fails_stops_no_other_and_is_named(run, n_cpus):
    failures = run(n_cpus, sound=(work, work), wrong=(work, refuse, work))
    assert list(failures) == ["wrong.refuse1"]
    assert failures["wrong.refuse1"].message == "2 is wrong."
    assert failures["wrong.refuse1"].exit_code == DataError.exit_code


def test_a_process_that_was_killed_is_not_waited_for(run):
    failures = run(one=(die, work), two=(work, work, work, work))
    assert failures["one.die0"].exit_code == KilledError.exit_code == 75
    assert "memory" in failures["one.die0"].message
    assert "one.work1" not in failures, "explained by what it waits for"
    assert {failure.exit_code for failure in failures.values()} == {75}


def test_a_scan_that_was_begun_is_finished_before_the_last_begins(run, tmp_path):
    assert not run(**{f"scan{number}": (work, work, work) for number in range(8)})
    done = {
        path.parent.parent.name + path.parent.name: path.stat().st_mtime for path in tmp_path.rglob("result_*.pklz")
    }
    assert len(done) == 24
    assert done["scan0work2"] < done["scan4work0"]
    assert done["scan4work2"] < done["scan7work0"]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (Resources(4), 4),
        (Resources(4, mem_gb=100.0), 4),
        (Resources(8, mem_gb=2.0), 5),
        (Resources(4, mem_gb=0.5), None),
        (Resources(1, mem_gb=100.0), None),
    ],
)
def test_no_more_processes_than_memory_holds(resources, expected, given_to):
    plugin, _ = given_to(resources, n_parallel=20, n_threads=3)
    if expected is None:
        assert plugin == "Linear"
        assert "OMP_NUM_THREADS" not in os.environ
        return
    assert plugin.processors == expected
    if resources.mem_gb:
        assert plugin.memory_gb == resources.mem_gb
    assert [os.environ[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")] == ["3"] * 3


@pytest.mark.parametrize(("n_parallel", "here"), [(1, True), (2, False)])
def test_one_part_runs_in_this_process(given_to, n_parallel, here):
    plugin, _ = given_to(Resources(4), n_parallel=n_parallel)
    assert (plugin == "Linear") is here


def test_what_a_plugin_file_gives_is_passed_on(given_to, monkeypatch):
    monkeypatch.setitem(os.environ, "PYTHONPATH", "/mine")
    arguments = {"n_procs": 3, "memory_gb": 7}
    plugin, passed = given_to(Resources(plugin={"plugin": "MultiProc", "plugin_args": arguments}), n_parallel=2)
    assert plugin == "MultiProc"
    assert {name: value for name, value in passed.items() if name != "status_callback"} == arguments
    assert arguments == {"n_procs": 3, "memory_gb": 7}, "what the file says is as it was"
    assert os.environ["PYTHONPATH"].split(":") == [str(environment.PACKAGE_ROOT), "/mine"]


def test_without_a_scheduler_slurm_is_refused(monkeypatch):
    monkeypatch.setattr(slurm.shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match="needs sbatch on the PATH"):
        slurm.job_arguments({"plugin": "SLURM"})


def test_a_plugin_that_nobody_can_wait_for_is_refused():
    with pytest.raises(UsageError, match="SGEGraph cannot be waited for"):
        slurm.job_arguments({"plugin": "SGEGraph"})


def test_jobs_of_a_graph_are_marked_and_do_not_wait_for_what_failed(monkeypatch):
    monkeypatch.setattr(slurm.shutil, "which", lambda name: "/usr/bin/sbatch")
    plugin = {"plugin": "SLURMGraph", "plugin_args": {"sbatch_args": "--time=10"}}
    first, second = (slurm.job_arguments(plugin)["sbatch_args"] for _ in range(2))
    assert first.startswith("--time=10 --kill-on-invalid-dep=yes --comment=trialgraph-")
    assert first != second
    assert plugin["plugin_args"]["sbatch_args"] == "--time=10"


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """A squeue that gives one answer after the other, None for a failure; returns how often it was asked."""

    def install(answers):
        for number, answer in enumerate(answers, 1):
            (tmp_path / f"answer{number}").write_text("exit 1" if answer is None else f"printf '%s\\n' '{answer}'")
        program = tmp_path / "squeue"
        program.write_text(f'#!/bin/sh\ncd {tmp_path}\necho "$@" >> asked\n. ./answer$(($(wc -l < asked)))\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.setattr(slurm.time, "sleep", lambda seconds: None)

        def asked():
            calls = (tmp_path / "asked").read_text().splitlines()
            assert all("--format=%k" in call and "--me" in call for call in calls)
            return len(calls)

        return asked

    return install


def test_jobs_are_waited_for_until_the_queue_forgets_them(squeue):
    asked = squeue(["a\ntrialgraph-1", "trialgraph-1\n(null)", "a", "never asked"])
    slurm.wait_for_jobs({"sbatch_args": "--time=1 --comment=trialgraph-1"})
    assert asked() == 3


@pytest.mark.parametrize("n_busy", [1, 4])
def test_a_scheduler_that_is_busy_is_asked_again(squeue, n_busy):
    asked = squeue(["trialgraph-1", *[None] * n_busy, "trialgraph-1", *[None] * n_busy, "(null)"])
    slurm.wait_for_jobs({"sbatch_args": "--comment=trialgraph-1"})
    assert asked() == 3 + 2 * n_busy


def test_a_scheduler_that_stays_silent_is_an_error_not_an_empty_queue(squeue):
    asked = squeue(["trialgraph-1", *[None] * 9])
    with pytest.raises(CalledProcessError):
        slurm.wait_for_jobs({"sbatch_args": "--comment=trialgraph-1"})
    assert 3 <= asked() <= 9
