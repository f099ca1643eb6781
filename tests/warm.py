"""A process with everything imported that runs the app in copies of itself, which can be killed at a given moment.

Reads lines of JSON, {"words": [...], "kill": [moment, ...], "limit": [which, number] or null, "package": folder or
null, "hasty": true or false}: one copy for each entry of kill, all at once; null lets it end. A moment is seconds, or
[folder, pattern]: as soon as something in it is named so. A package is of another version, whose digest counts. Who is
hasty registers images by a few steps only. Answers with the list of their exit codes, negative for a signal.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from nipype import logging

from bids_app.cli import check  # noqa: F401
from bids_app.cli.main import main
from bids_app.group import level as of_groups  # noqa: F401
from bids_app.participant import level as of_participants  # noqa: F401
from bids_app.report import rebuild  # noqa: F401
from bids_app.system import provenance

for name in ("workflow", "interface", "utils"):  # as nipype.cfg says, which came too late
    logging.getLogger(f"nipype.{name}").setLevel("CRITICAL")


def has_come(moment, begun):
    if isinstance(moment, list):
        folder, pattern = moment
        return next(Path(folder).glob(pattern), None) is not None
    return time.monotonic() >= begun + moment


def register_hastily():
    import ants  # seconds

    whole, few = ants.registration, {"aff_iterations": (10, 5, 0), "reg_iterations": (4, 2, 0)}

    def registration(fixed, moving, kind, **options):
        levels = {} if kind != "SyN" else {"aff_shrink_factors": (4, 2, 1), "aff_smoothing_sigmas": (2, 1, 0)}
        return whole(fixed, moving, kind, **options | few | levels)

    ants.registration = registration


def begin(words, log, limit=None, package=None, hasty=False):
    child = os.fork()
    if child:
        return child
    os.setsid()
    if package:
        provenance.PACKAGE = Path(package)
        provenance.digest_of_code.cache_clear()
    if hasty:
        register_hastily()
    if limit:
        resource.setrlimit(limit[0], (limit[1], limit[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open(log, "ab") as said:  # noqa: PTH123
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    try:
        code = main(words)
    except BaseException:  # as Python would
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end(child, moment, begun):
    if moment is None:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    while not has_come(moment, begun):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for line in sys.stdin:
        task = json.loads(line)
        begun = time.monotonic()
        children = [
            begin(**{key: task[key] for key in ("words", "log", "limit", "package", "hasty")}) for _ in task["kill"]
        ]
        codes = [end(child, moment, begun) for child, moment in zip(children, task["kill"], strict=True)]
        print(json.dumps([codes, time.monotonic() - begun]), flush=True)
