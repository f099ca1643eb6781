"""The process above the run: it hears signals at once, whatever the run is computing, and ends all that it began.

Imports nothing heavy. The run is a child of this process, so that a signal is not kept waiting by compiled code, is not
caught by a library, and as process 1 of a container is heard at all.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 2.0  # for the run to say in its log that it was stopped
PR_SET_PDEATHSIG = 1


def supervised(run: Callable[[], int]) -> int:
    """Call a function in a process of its own, and end that process and all of its children on a signal.

    Parameters
    ----------
    run : callable
        Returns an exit code.

    Returns
    -------
    int
        The exit code of the function; 128 + the signal's number where a signal ended it.
    """
    _open_standard_streams()
    watched = {*STOPPING, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    parent = os.getpid()
    try:
        child = os.fork()
    except OSError:  # no more processes: better unsupervised than not at all
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return run()
    if child == 0:
        die_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the parent alone answers
        signal.pthread_sigmask(signal.SIG_SETMASK, before - watched)
        return run()
    return _watch(child, watched)


def _watch(child: int, watched: Collection[int]) -> int:
    """Wait for the child to end or for a signal to end it."""
    while True:
        number = signal.sigwait(watched)
        if number != signal.SIGCHLD:
            return _stop(child, number)
        status = _reap(child)
        if status is not None:
            return _code(status)


def _reap(child: int) -> int | None:
    """Take leave of every child that has ended, those adopted as process 1 too; return how the run ended, or None."""
    ended = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                ended = status
    return ended


def _code(status: int) -> int:
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    why = " Most likely its memory ran out." if number == signal.SIGKILL else ""
    _say(f"the run was ended by {signal.Signals(number).name}.{why}")
    return 128 + number


def _stop(child: int, number: int) -> int:
    """End the run and all that it began, and say so."""
    _say(f"stopped by {signal.Signals(number).name}; what was finished is kept, and the same call goes on from there.")
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)
    until = time.monotonic() + GRACE_SECONDS
    family = descendants(child)
    while _reap(child) is None and time.monotonic() < until:
        time.sleep(0.02)
    for pid in (*family, *descendants(child), child):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    _reap(child)
    return 128 + number


def descendants(pid: int) -> list[int]:
    """List the processes below one, nearest first, as /proc has them."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found = list(children.get(pid, []))
    for one in found:
        found += children.get(one, [])
    return found


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel end this process when the one that began it ends, however that happens.

    Parameters
    ----------
    parent : int, optional
        The process that began this one; if it has ended by now, this one ends at once.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)


def log_when_terminated(log: Callable[[str], object]) -> None:
    """Have SIGTERM write a last word by ``log(text)`` and end the process at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        with suppress(Exception):
            log("Stopped by a signal before it was finished. The same call goes on from what is finished.")
        os._exit(128 + number)

    with suppress(ValueError):  # in a thread: only the main one hears signals
        signal.signal(signal.SIGTERM, stop)


def _open_standard_streams() -> None:
    """Give a process without standard streams (cron, a daemon) ones that lead nowhere."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="replace", closefd=False))


def _say(text: str) -> None:
    with suppress(OSError, ValueError):
        os.write(2, f"trialgraph: {text}\n".encode())
