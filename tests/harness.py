"""Runs in copies of a process with everything imported, which can be killed; and what they left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Call the app in copies of a process with everything imported; say when each is killed, as in warm.py."""
    folder = tmp_path_factory.mktemp("warm")
    script = Path(__file__).with_name("warm.py")
    process = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"MPLBACKEND": "agg"},
    )

    def call(*words, kill=(None,), limit=None, package=None, hasty=False):
        log = folder / "said.txt"
        log.write_text("")
        task = {"words": [str(word) for word in words], "kill": list(kill), "log": str(log), "limit": limit}
        task |= {"package": package and str(package), "hasty": hasty}
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        codes, seconds = json.loads(process.stdout.readline())
        return codes, seconds, log.read_text()

    yield call
    process.stdin.close()
    process.wait()


def contents(output):
    """Return the bytes of what was finished: maps, tables, sidecars, pictures; the others hold times."""
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file()
        and path.suffix != ".html"
        and path.name != "dataset_description.json"  # whose links are relative to where it lies
        and path.relative_to(output).parts[0] not in ("logs", "prov", "work")
        and not any(part.startswith(".partial-") for part in path.relative_to(output).parts)
    }
