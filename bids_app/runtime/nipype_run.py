"""Running a Nipype workflow to its end, whatever fails on the way."""

import gc
import logging
import multiprocessing
import os
import re
import signal
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from nipype import config as nipype_config
from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline.engine import Workflow
from nipype.pipeline.plugins import MultiProcPlugin, SLURMPlugin
from nipype.pipeline.plugins.multiproc import process_initializer

from bids_app import errors
from bids_app.runtime import slurm
from bids_app.runtime.failures import Failure, read_failures, unfinished
from bids_app.runtime.progress import progress
from bids_app.settings.settings import Resources, Settings
from bids_app.system.environment import limit_threads_of_children
from bids_app.system.machine import PROCESS_GB
from bids_app.system.supervisor import die_with_parent

logger = logging.getLogger(__name__)

Runner = str | type[MultiProcPlugin | SLURMPlugin]  # the name of one of Nipype's, or one of ours


def execute(
    workflow: Workflow, settings: Settings, log_dir: Path, *, n_parallel: int, n_threads: int = 1
) -> list[Failure]:
    """Run a workflow, side by side if it has parts for more than one processor.

    Parameters
    ----------
    workflow : nipype Workflow
    settings : Settings
    log_dir : Path
        Where crash files go.
    n_parallel : int
        How many parts of the workflow could run at once.
    n_threads : int
        Threads of one process.

    Returns
    -------
    list of Failure
        Empty if all went well. Nodes that need nothing of a failed one have run all the same.
    """
    plugin = settings.resources.plugin.get("plugin")
    runner, arguments = _runner(settings.resources, n_parallel, n_threads)
    _configure(workflow, settings, log_dir)
    names, finished, problem = _parts(workflow), set[str](), None
    with progress(names) as advance:
        arguments["status_callback"] = lambda node, status: _report(node, status, advance, finished)
        gc.freeze()  # Nipype collects garbage before every node: what was imported need not be walked each time
        try:
            _run(workflow, runner, arguments)
        except Exception as error:
            problem = error
        finally:
            gc.unfreeze()
    if plugin == "SLURMGraph":
        finished = {name for name in names if _has_result(settings.work_dir, name)}
    failures = read_failures(log_dir)
    if plugin or errors.KilledError.exit_code in {failure.exit_code for failure in failures}:
        failures += unfinished(names, finished, failures, log_dir)
    if problem and not failures:
        raise problem
    return failures


def _configure(workflow: Workflow, settings: Settings, log_dir: Path) -> None:
    workflow.base_dir = str(settings.work_dir)
    workflow.config["execution"] = {
        "crashdump_dir": str(log_dir),
        "crashfile_format": "txt",
        "stop_on_first_crash": str(settings.stop_on_first_crash).lower(),
        "remove_unnecessary_outputs": "false",
        "create_report": "false",  # which prints every array that a step is given
        "poll_sleep_duration": str(slurm.POLL_SECONDS) if settings.resources.plugin else "0.1",
        "check_version": "false",
    }
    nipype_config.update_config(workflow.config)


def _parts(workflow: Workflow) -> list[str]:
    """List the full names of the nodes that do something."""
    names: list[str] = []
    for node in workflow._graph:  # to ask for one after the other by its name takes the square of their number
        if isinstance(node, Workflow):
            names += _parts(node)
        elif not isinstance(node.interface, IdentityInterface):
            names.append(node.name)
    return sorted(f"{workflow.name}.{name}" for name in names)


def _runner(resources: Resources, n_parallel: int, n_threads: int) -> tuple[Runner, dict[str, Any]]:
    """Choose where the parts run: as jobs of a cluster, beside each other in processes of their own, or here."""
    if resources.plugin:
        slurm.import_from_here()
        name = resources.plugin["plugin"]
        return _Jobs if name == "SLURM" else name, slurm.job_arguments(resources.plugin)
    n_procs = resources.n_cpus
    if resources.mem_gb:
        n_procs = max(1, min(n_procs, int(resources.mem_gb / PROCESS_GB)))
    if min(n_procs, n_parallel) == 1:
        return "Linear", {}
    limit_threads_of_children(n_threads)
    arguments = {
        "n_procs": n_procs,
        "mp_context": "spawn",  # a fork of a process with threads may hang, a fork server needs short paths
        "raise_insufficient": False,
    }
    if resources.mem_gb:
        arguments["memory_gb"] = resources.mem_gb
    return _Processes, arguments


def _run(workflow: Workflow, runner: Runner, arguments: dict[str, Any]) -> None:
    if runner == "SLURMGraph":
        del arguments["status_callback"]  # its jobs report to nobody
        workflow.run(plugin=runner, plugin_args=arguments)
        slurm.wait_for_jobs(arguments)
    elif isinstance(runner, str):
        workflow.run(plugin=runner, plugin_args=arguments)
    else:
        workflow.run(plugin=runner(plugin_args=arguments))


def _killed(what: str) -> dict[str, Any]:
    """Return, in the form of Nipype's plugins, the result of a part that was killed."""
    message = f"{what} was killed or cancelled, most likely because its memory or time ran out."
    return {"result": None, "traceback": [f"{errors.__name__}.{errors.KilledError.__name__}: {message}\n"]}


def _begin(folder: str, parent: int) -> None:
    """Begin a process of the pool: it ends with the one that began it, and leaves signals of a terminal to that."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process_initializer(folder)


class _Processes(MultiProcPlugin):
    """Nipype's pool of processes, which by itself waits for ever for one that was killed, and outlives its parent."""

    pool: ProcessPoolExecutor
    procs: list[Any]  # the nodes, by the number of their job

    def __init__(self, plugin_args: Mapping[str, Any]) -> None:
        super().__init__(plugin_args)
        self.pool.shutdown()  # which has begun no process yet
        self.pool = ProcessPoolExecutor(
            max_workers=self.processors,
            initializer=_begin,
            initargs=(str(Path.cwd()), os.getpid()),
            mp_context=multiprocessing.get_context(plugin_args["mp_context"]),
        )

    def _sort_jobs(self, jobids: Iterable[int], scheduler: str = "tsort") -> list[int]:
        """Order what could begin: a scan that was begun is finished before the next, so that a cut run has some."""
        return sorted(jobids, key=lambda job: (self.procs[job].fullname.rpartition(".")[0], job))

    def _get_result(self, taskid: int) -> Any:
        future = self._task_obj[taskid]
        return _killed("A process") if future.done() and future.exception() else super()._get_result(taskid)


class _Jobs(SLURMPlugin):
    """Nipype's jobs of SLURM, which by themselves all stop as soon as one was killed."""

    def _get_result(self, taskid: int) -> Any:
        result = super()._get_result(taskid)
        left_nothing = result is not None and isinstance(result["traceback"], str)
        return _killed(f"Job {taskid}") if left_nothing else result


def _has_result(work_dir: Path, name: str) -> bool:
    parts = name.split(".")
    return work_dir.joinpath(*parts, f"result_{parts[-1]}.pklz").exists()


def _report(node: Any, status: str, advance: Callable[[str], None], finished: set[str]) -> None:
    logger.debug("%s: %s", node.fullname, status)
    if status == "end":
        finished.add(node.fullname)
    if status != "start":
        advance(node.fullname)


def node_name(text: str) -> str:
    """Reduce text to what Nipype takes as a name."""
    return re.sub(r"\W", "_", text)
