"""The process and its libraries: where they may write, and how many threads they take. Imports nothing heavy."""

import os
import shutil
from pathlib import Path

from bids_app.errors import OutputError

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
BAKED = PACKAGE_ROOT / "caches"  # what numba and matplotlib left when the image was built
NIPYPE_CONFIG = """[logging]
workflow_level = CRITICAL
utils_level = CRITICAL
filemanip_level = CRITICAL
interface_level = CRITICAL
"""


def write_only_in(work_dir: Path) -> None:
    """Point every library that would write beside itself or into HOME to the work folder.

    Must be called before those libraries are imported. A folder that the caller's environment names is kept if
    it can be written: what a cluster sets for its own file systems may not exist inside a container.

    Raises
    ------
    OutputError
        The work folder cannot be written.
    """
    cache = Path(work_dir).resolve() / "cache"
    folders = {
        "HOME": "home",
        "NUMBA_CACHE_DIR": "numba",
        "MPLCONFIGDIR": "matplotlib",
        "XDG_CACHE_HOME": "xdg",
        "XDG_CONFIG_HOME": "xdg",
        "TEMPLATEFLOW_HOME": "templateflow",
        "NIPYPE_CONFIG_DIR": "nipype",
        "TMPDIR": "tmp",
    }
    own = {variable: cache / name for variable, name in folders.items() if not _can_write(os.environ.get(variable))}
    try:
        for folder in (cache, *own.values()):
            folder.mkdir(parents=True, exist_ok=True)
        if "NIPYPE_CONFIG_DIR" in own:
            (own["NIPYPE_CONFIG_DIR"] / "nipype.cfg").write_text(NIPYPE_CONFIG)
        for folder in own.values():
            if (BAKED / folder.name).is_dir():  # copied, for numba does not read a cache that it cannot write
                shutil.copytree(BAKED / folder.name, folder, dirs_exist_ok=True)
    except OSError as error:
        raise OutputError(f"The work folder {work_dir} cannot be written: {error.strerror or error}.") from error
    os.environ.update({variable: str(folder) for variable, folder in own.items()})
    os.environ.setdefault("LOGNAME", f"uid{os.getuid()}")  # asked for in crash files; a uid may have no name
    os.environ["MPLBACKEND"] = "agg"
    os.environ["NO_ET"] = os.environ["NIPYPE_NO_ET"] = "1"


def _can_write(folder: str | None) -> bool:
    return folder is not None and Path(folder).is_absolute() and os.access(folder, os.W_OK | os.X_OK)


def limit_threads_of_children(n_threads: int) -> None:
    """Have processes that are started from now on use so many threads in BLAS and OpenMP, and one in ITK.

    ITK reads it when it is first used, so this process is limited too if that is to come. Its sums over voxels
    are added up in the order in which its threads end: with two, no two registrations would be the same.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(n_threads)
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
