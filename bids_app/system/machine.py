"""What this process may use: the least that the scheduler, the control groups and the kernel give it.

A container or a job sees the whole machine. What it was given is in the limits of its control group (version 1
or 2), in the variables of SLURM, or in the processors that it may run on. Imports nothing heavy.
"""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

GIB = 2**30
ROOT = Path("/")
PROCESS_GB = 0.4  # of a process with the libraries loaded, before it holds any data
SPARED = 0.1  # of the memory: for what nobody accounts for, as nipype does


def available_cpus(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> int:
    """Return how many processors this process may use at once.

    Parameters
    ----------
    environ : mapping
        The environment, in which SLURM leaves what the job was given.
    root : Path
        Folder that holds ``proc`` and ``sys``.

    Returns
    -------
    int
        A part of a processor counts as one.
    """
    given = [_affinity(), *_cpu_quotas(root)]
    for variable in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        if count := _whole(environ.get(variable)):
            given.append(count)
            break
    return max(1, math.ceil(min(given)))


def available_memory_gb(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> float | None:
    """Return how much memory the parts of a run may take together, in GiB, or None if nothing says it.

    A tenth of what was given is spared: it is never all for the data.

    Parameters
    ----------
    environ, root
        As for ``available_cpus``.
    """
    given = [*_memory_limits(root), *_slurm_memory(environ)]
    if total := _total_memory(root):
        given.append(total)
    return math.floor(min(given) / GIB * (1 - SPARED) * 10) / 10 or None if given else None


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_quotas(root: Path) -> Iterator[float]:
    for folder in _control_groups("cpu", root):
        version_2 = _read(folder / "cpu.max").split()
        version_1 = [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
        for quota, period in (version_2, version_1) if len(version_2) == 2 else (version_1,):
            if _whole(quota) and _whole(period):
                yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    for folder in _control_groups("memory", root):
        for name in ("memory.max", "memory.limit_in_bytes"):
            if limit := _whole(_read(folder / name).strip()):
                yield limit


def _slurm_memory(environ: Mapping[str, str]) -> list[int]:
    per_node, per_cpu = (_whole(environ.get(f"SLURM_MEM_PER_{what}")) for what in ("NODE", "CPU"))
    if per_node:
        return [per_node * 2**20]
    cpus = _whole(environ.get("SLURM_CPUS_ON_NODE"))
    return [per_cpu * cpus * 2**20] if per_cpu and cpus else []


def _total_memory(root: Path) -> int | None:
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def _control_groups(controller: str, root: Path) -> list[Path]:
    """List the folders that may limit this process: its own group and those above it, for either version."""
    folders = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        own = mount / path.lstrip("/")  # not there if the container has a mount of its own: then the mount itself is
        folders += [folder for folder in (own, *own.parents) if folder.is_relative_to(mount)]
    return folders


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _whole(word: str | None) -> int | None:
    """Return a positive whole number, or None for "max", "-1", 0 or nothing, all of which mean no limit."""
    return int(word) if word and word.isdigit() and int(word) > 0 else None
