"""What a run of a workflow says of parts that fail, are killed, or never begin."""

import sys
from itertools import pairwise

import pytest
from nipype.interfaces.utility import Function
from nipype.pipeline import engine as pe

from bids_app.errors import DataError, KilledError, UsageError
from bids_app.runtime import nipype_run, slurm
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
def test_no_more_processes_than_memory_holds(resources, expected, monkeypatch):
    monkeypatch.setattr(nipype_run, "limit_threads_of_children", lambda n_threads: None)
    _, arguments = nipype_run._runner(resources, n_parallel=20, n_threads=1)
    assert arguments.get("n_procs") == expected
    assert arguments.get("memory_gb") == (resources.mem_gb if expected else None)


def test_what_a_plugin_file_gives_is_passed_on(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    plugin = {"plugin": "MultiProc", "plugin_args": {"n_procs": 3}}
    assert nipype_run._runner(Resources(plugin=plugin), 2, 1) == ("MultiProc", {"n_procs": 3})
    assert slurm.os.environ["PYTHONPATH"].split(":") == [str(environment.PACKAGE_ROOT), "/mine"]


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


def test_jobs_are_waited_for_until_the_queue_forgets_them(monkeypatch):
    queue = iter(["a\ntrialgraph-1\n", "trialgraph-1\n(null)\n", "a\n"])
    monkeypatch.setattr(slurm, "_queue", lambda: next(queue))
    monkeypatch.setattr(slurm.time, "sleep", lambda seconds: None)
    slurm.wait_for_jobs({"sbatch_args": "--time=1 --comment=trialgraph-1"})
    assert list(queue) == []
