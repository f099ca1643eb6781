"""Fake control groups and jobs, and what they must come to."""

import os

import pytest

from bids_app.system.machine import available_cpus, available_memory_gb

GIB = 2**30
UNLIMITED_V1 = 9223372036854771712


@pytest.fixture(autouse=True)
def sixteen_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))


@pytest.fixture
def machine(tmp_path):
    """Lay out files of /proc and /sys under a folder of their own; 64 GiB of memory."""

    def lay_out(**files):
        lines = {"proc/meminfo": f"MemTotal:  {64 * 2**20} kB\nMemFree: 5 kB\n"} | files
        for name, text in lines.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    return lay_out


def both(root, **environ):
    return available_cpus(environ, root), available_memory_gb(environ, root)


V2 = "0::/"
V1 = "5:cpu,cpuacct:/\n4:memory:/"


def v1(quota=-1, period=100000, memory=UNLIMITED_V1, path=""):
    return {
        f"sys/fs/cgroup/cpu{path}/cpu.cfs_quota_us": quota,
        f"sys/fs/cgroup/cpu{path}/cpu.cfs_period_us": period,
        f"sys/fs/cgroup/memory{path}/memory.limit_in_bytes": memory,
    }


def v2(cpu="max 100000", memory="max", path=""):
    return {f"sys/fs/cgroup{path}/cpu.max": cpu, f"sys/fs/cgroup{path}/memory.max": memory}


LIMITS = {
    "no files at all": ({}, (16, 57.6)),
    "v2 without a limit": ({"proc/self/cgroup": V2, **v2()}, (16, 57.6)),
    "v1 without a limit": ({"proc/self/cgroup": V1, **v1()}, (16, 57.6)),
    "v2 in a container": ({"proc/self/cgroup": V2, **v2("200000 100000", 4 * GIB)}, (2, 3.6)),
    "v1 in a container": ({"proc/self/cgroup": V1, **v1(400000, 100000, 10 * GIB)}, (4, 9.0)),
    "v1, the name of the group not mapped": (
        {"proc/self/cgroup": "5:cpu:/docker/ab\n4:memory:/docker/ab", **v1(300000, 100000, 10 * GIB)},
        (3, 9.0),
    ),
    "v2, the limit on the job above the step": (
        {
            "proc/self/cgroup": "0::/slurm/job_7/step_0",
            **v2(path="/slurm/job_7/step_0"),
            **v2("500000 100000", 20 * GIB, "/slurm/job_7"),
        },
        (5, 18.0),
    ),
    "v1, the limit on the job above the step": (
        {
            "proc/self/cgroup": "5:cpu:/slurm/job_7/step_0\n4:memory:/slurm/job_7/step_0",
            **v1(path="/slurm/job_7/step_0"),
            **v1(500000, 100000, 20 * GIB, "/slurm/job_7"),
        },
        (5, 18.0),
    ),
    "both versions, the tighter one": (
        {"proc/self/cgroup": f"{V1}\n{V2}", **v1(600000, 100000, 30 * GIB), **v2("300000 100000", "max")},
        (3, 27.0),
    ),
    "another group's limit": ({"proc/self/cgroup": "0::/mine", **v2("100000 100000", GIB, "/other")}, (16, 57.6)),
    "half a processor": ({"proc/self/cgroup": V2, **v2("50000 100000")}, (1, 57.6)),
    "one and a half": ({"proc/self/cgroup": V2, **v2("150000 100000")}, (2, 57.6)),
    "more than there is": ({"proc/self/cgroup": V2, **v2("9900000 100000", 900 * GIB)}, (16, 57.6)),
    "a path with colons": ({"proc/self/cgroup": "0::/a:b", **v2("200000 100000", path="/a:b")}, (2, 57.6)),
    "a name outside its own view": ({"proc/self/cgroup": "0::/../x", **v2("200000 100000", GIB)}, (2, 0.9)),
}


@pytest.mark.parametrize(("files", "expected"), LIMITS.values(), ids=LIMITS)
def test_limits_of_control_groups(machine, files, expected):
    assert both(machine(**files)) == expected


JOBS = {
    "a task": ({"SLURM_CPUS_PER_TASK": "4", "SLURM_MEM_PER_NODE": "8192"}, (4, 7.2)),
    "memory per processor": ({"SLURM_CPUS_ON_NODE": "3", "SLURM_MEM_PER_CPU": "2048"}, (3, 5.4)),
    "a task has less than its node": ({"SLURM_CPUS_PER_TASK": "2", "SLURM_CPUS_ON_NODE": "8"}, (2, 57.6)),
    "all memory of the node": ({"SLURM_CPUS_ON_NODE": "8", "SLURM_MEM_PER_NODE": "0"}, (8, 57.6)),
    "not a number": ({"SLURM_CPUS_ON_NODE": "2(x3)", "SLURM_MEM_PER_CPU": "2048"}, (16, 57.6)),
}


@pytest.mark.parametrize(("environ", "expected"), JOBS.values(), ids=JOBS)
def test_limits_of_a_job(machine, environ, expected):
    assert both(machine(), **environ) == expected


def test_the_tighter_of_job_and_group_counts(machine):
    root = machine(**{"proc/self/cgroup": V2, **v2("200000 100000", 32 * GIB)})
    assert both(root, SLURM_CPUS_PER_TASK="8", SLURM_MEM_PER_NODE="16384") == (2, 14.4)


def test_where_nothing_says_it_memory_is_not_limited(tmp_path):
    assert available_memory_gb({}, tmp_path) is None


def test_affinity_counts(machine, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5})
    assert available_cpus({"SLURM_CPUS_PER_TASK": "4"}, machine()) == 2


def test_this_machine_gives_something():
    assert 1 <= available_cpus() <= 16
    assert available_memory_gb() > 0
