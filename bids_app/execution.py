"""Running a Nipype workflow to its end, whatever fails on the way."""

import gc
import logging
import re
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nipype import config as nipype_config
from nipype.interfaces.utility import IdentityInterface
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bids_app import errors
from bids_app.environment import limit_threads_of_children

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A node that failed, and why.

    Attributes
    ----------
    node : str
        The node's full name, workflows joined by dots.
    message : str
        One sentence for the user.
    exit_code : int
    crash_file : Path
        The traceback.
    """

    node: str
    message: str
    exit_code: int
    crash_file: Path


def execute(workflow, settings, log_dir, *, n_parallel, n_threads=1):
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
    workflow.base_dir = str(settings.work_dir)
    workflow.config["execution"] = {
        "crashdump_dir": str(log_dir),
        "crashfile_format": "txt",
        "stop_on_first_crash": str(settings.stop_on_first_crash).lower(),
        "remove_unnecessary_outputs": "false",
        "poll_sleep_duration": "0.1",
        "check_version": "false",
    }
    nipype_config.update_config(workflow.config)
    n_nodes = sum(
        not isinstance(workflow.get_node(name).interface, IdentityInterface) for name in workflow.list_node_names()
    )
    parallel = min(settings.resources.n_cpus, n_parallel) > 1
    with progress(n_nodes) as advance:
        arguments = {"status_callback": lambda node, status: _report(node, status, advance)}
        if parallel:
            limit_threads_of_children(n_threads)
            arguments |= {
                "n_procs": settings.resources.n_cpus,
                "mp_context": "forkserver",  # a fork of a process with threads may hang
                "raise_insufficient": False,
            }
            if settings.resources.mem_gb:
                arguments["memory_gb"] = settings.resources.mem_gb
        gc.freeze()  # Nipype collects garbage before every node: what was imported need not be walked each time
        try:
            workflow.run(plugin="MultiProc" if parallel else "Linear", plugin_args=arguments)
        except Exception:
            failures = read_failures(log_dir)
            if not failures:
                raise
            return failures
        finally:
            gc.unfreeze()
    return []


def _report(node, status, advance):
    logger.debug("%s: %s", node.fullname, status)
    if status != "start":
        advance(node.fullname)


def read_failures(log_dir):
    """Read the crash files of a run."""
    return [_failure(path) for path in sorted(log_dir.glob("crash-*.txt"))]


def _failure(path):
    text = path.read_text()
    node = re.match(r"Node: (\S+)", text).group(1)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kind, _, message = lines[-1].partition(": ")
    known = getattr(errors, kind.removeprefix("bids_app.errors."), None)
    if known is not None:
        return Failure(node, message, known.exit_code, path)
    return Failure(node, f"{lines[-1]} (an error of the app, not of your data: see {path.name})", 1, path)


@contextmanager
def progress(total, stream=None) -> Callable[[str], None]:
    """Show how far a job is: a bar on a terminal, a line every tenth of the way elsewhere.

    Parameters
    ----------
    total : int
        Steps to take.
    stream : file, optional
        Standard error by default.

    Yields
    ------
    callable
        To be called with the name of each step that was taken.
    """
    stream = stream or sys.stderr
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        *(TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()),
    )
    if stream.isatty():
        with Progress(*columns, console=Console(file=stream)) as bar:
            task = bar.add_task("steps", total=total)
            yield lambda name: bar.update(task, advance=1)
        return
    started, done = time.monotonic(), 0

    def advance(name):
        nonlocal done
        done += 1
        if done == total or done * 10 // total > (done - 1) * 10 // total:
            print(f"step {done} of {total} after {time.monotonic() - started:.0f} s", file=stream, flush=True)

    yield advance
