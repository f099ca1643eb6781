"""The process and its machine: where libraries may write, and what may be used. Imports nothing heavy."""

import os
from pathlib import Path

from bids_app.errors import OutputError

NIPYPE_CONFIG = """[logging]
workflow_level = CRITICAL
utils_level = CRITICAL
filemanip_level = CRITICAL
interface_level = CRITICAL
"""


def write_only_in(work_dir):
    """Point every library that would write beside itself or into HOME to the work folder.

    Must be called before those libraries are imported. What the caller's environment already says is
    kept, but for a HOME that cannot be written.

    Raises
    ------
    OutputError
        The work folder cannot be written.
    """
    cache = Path(work_dir).resolve() / "cache"
    try:
        (cache / "nipype").mkdir(parents=True, exist_ok=True)
        (cache / "tmp").mkdir(exist_ok=True)
        (cache / "nipype" / "nipype.cfg").write_text(NIPYPE_CONFIG)
    except OSError as error:
        raise OutputError(f"The work folder {work_dir} cannot be written: {error.strerror}.") from error
    if not os.access(os.environ.get("HOME", "/"), os.W_OK):
        os.environ["HOME"] = str(cache)
    folders = {
        "NUMBA_CACHE_DIR": "numba",
        "MPLCONFIGDIR": "matplotlib",
        "XDG_CACHE_HOME": "xdg",
        "XDG_CONFIG_HOME": "xdg",
        "TEMPLATEFLOW_HOME": "templateflow",
        "NIPYPE_CONFIG_DIR": "nipype",
        "TMPDIR": "tmp",
    }
    for variable, folder in folders.items():
        os.environ.setdefault(variable, str(cache / folder))
    os.environ["MPLBACKEND"] = "agg"
    os.environ["NO_ET"] = os.environ["NIPYPE_NO_ET"] = "1"


def available_cpus():
    """Return how many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_threads_of_children(n_threads):
    """Have processes that are started from now on use so many threads in BLAS and OpenMP."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(n_threads)
