"""Parts of a workflow as jobs of a cluster: what they need, and waiting for those that nobody waits for."""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Mapping
from typing import Any

from bids_app.errors import UsageError
from bids_app.system.environment import PACKAGE_ROOT

POLL_SECONDS = 2


def job_arguments(plugin: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a cluster's plugin, completed.

    Parameters
    ----------
    plugin : dict
        ``plugin`` and ``plugin_args``, as the plugin file says.

    Returns
    -------
    dict
        A SLURMGraph job is marked by a comment, and cancelled if what it waits for has failed: it would be
        pending for ever.

    Raises
    ------
    UsageError
        The scheduler's commands are not there, or nobody could wait for the plugin's jobs.
    """
    arguments = dict(plugin.get("plugin_args", {}))
    if plugin["plugin"].endswith(("Graph", "DAGMan")) and plugin["plugin"] != "SLURMGraph":
        raise UsageError(f"--nipype-plugin-file: {plugin['plugin']} cannot be waited for; take the one without Graph.")
    if plugin["plugin"].startswith("SLURM") and not shutil.which("sbatch"):
        raise UsageError(
            f"--nipype-plugin-file: {plugin['plugin']} needs sbatch on the PATH. It is not there inside an image: "
            "run from a checkout, or give each participant a job of its own (docs/hpc.md)."
        )
    if plugin["plugin"] == "SLURMGraph":
        mark = f"--kill-on-invalid-dep=yes --comment=trialgraph-{uuid.uuid4().hex}"
        arguments["sbatch_args"] = f"{arguments.get('sbatch_args', '')} {mark}".strip()
    return arguments


def import_from_here() -> None:
    """Have the jobs, which inherit this environment, find the package."""
    paths = [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def wait_for_jobs(arguments: Mapping[str, Any]) -> None:
    """Wait until no job with the mark of ``job_arguments`` is in the queue."""
    mark = arguments["sbatch_args"].rpartition("--comment=")[2]
    while mark in _queue():
        time.sleep(POLL_SECONDS)


def _queue(tries: int = 5) -> str:
    """Return the comments of this user's jobs; a scheduler that is busy is asked again."""
    command = ["squeue", "--noheader", "--me", "--format=%k"]
    for _ in range(tries - 1):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return answer.stdout
        time.sleep(POLL_SECONDS)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
