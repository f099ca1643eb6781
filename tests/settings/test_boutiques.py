"""The descriptor: current, valid, and true of the command line."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bids_app import __version__
from bids_app.cli import settings_of
from bids_app.cli.main import main
from bids_app.settings import parser
from bids_app.settings.boutiques import descriptor

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "boutiques" / "descriptor.json"
INVOCATION = ROOT / "boutiques" / "invocation.json"


def bosh(*arguments):
    program = shutil.which("bosh", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("boutiques is not installed")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def without_version(content):
    content = json.loads(content)
    content.pop("tool-version")
    content["container-image"].pop("image")
    return content


def test_the_committed_descriptor_is_that_of_the_parser(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--bids-exec-spec"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["tool-version"] == __version__
    assert without_version(printed) == without_version(COMMITTED.read_text()), (
        "make it anew: run.py --bids-exec-spec > boutiques/descriptor.json"
    )


def test_the_descriptor_and_the_invocation_are_valid():
    done = bosh("validate", COMMITTED)
    assert done.returncode == 0, done.stdout + done.stderr
    done = bosh("invocation", COMMITTED, "-i", INVOCATION)
    assert done.returncode == 0, done.stdout + done.stderr


def test_boutiques_builds_the_command_that_is_meant():
    done = bosh("exec", "simulate", COMMITTED, "-i", INVOCATION)
    assert done.returncode == 0, done.stdout + done.stderr
    command = next(line for line in done.stdout.splitlines() if line.startswith("/run.py"))
    settings = settings_of.parse(shlex.split(command)[1:])
    wanted = json.loads(INVOCATION.read_text())
    assert str(settings.bids_dir) == wanted["bids_dir"]
    assert settings.level == wanted["level"]
    assert settings.selection.participants == tuple(wanted["participant_label"])
    assert settings.graph.thresholds == tuple(wanted["threshold"])
    assert settings.resources.n_cpus == wanted["n_cpus"]
    assert settings.skip_validation


def test_every_option_is_described_once():
    described = {entry["command-line-flag"] for entry in descriptor(parser.app_parser())["inputs"][3:]}
    groups = [set(action.option_strings) for action in parser.app_parser()._actions if action.option_strings]
    leave = {"--help", "--help-all", "--version", "--bids-exec-spec"}
    assert all(len(described & names) == (0 if names & leave else 1) for names in groups)


def test_nothing_of_this_machine_is_in_it():
    text = COMMITTED.read_text()
    assert str(Path.cwd()) not in text
    ids = {entry["id"]: entry for entry in json.loads(text)["inputs"]}
    assert not {"n_cpus", "mem_gb"} & {name for name, entry in ids.items() if "default-value" in entry}
