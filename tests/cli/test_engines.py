"""A call in a container: every word means inside what it means outside, and nothing else is seen there."""

import csv
import inspect
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from bids_app.cli import engines, main
from bids_app.cli.mounts import mounts_of
from bids_app.settings import parser, words
from bids_app.settings.boutiques import IMAGE
from bids_app.settings.named_paths import NAMED_BY, Named

RUN = Path(__file__).parents[2] / "run.py"
# By hand: the options of both levels that name a file or a folder.
NAMING = {
    *("bids_dir", "output_dir", "participant_label", "session_label", "bids_filter_file", "derivatives", "surface"),
    *("template", "mask", "atlas", "partition", "key", "plan", "allocations", "regions", "also", "config", "work_dir"),
    "nipype_plugin_file",
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder with a blank in its name, in which calls are made; a dataset lies in it."""
    folder = tmp_path / "my data"
    (folder / "bids" / "sub-01").mkdir(parents=True)
    (folder / "plan.toml").write_text('[graph]\natlas = ["atlas.nii.gz"]\nmask = "gm"\nregions = ["A=region.nii"]\n')
    for name in ("atlas.nii.gz", "atlas.txt", "region.nii"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    for variable in engines.CACHES:
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.fixture
def printed(capsys):
    """Return the command that a call is made, and what of the host it shows: destination, source, whether writable."""

    def printed(engine, *call):
        assert main.main([engine, "--print", *map(str, call)]) == 0
        command = shlex.split(capsys.readouterr().out)
        flags = [word.removeprefix("--mount=") for word in command if word.startswith(("--mount=", "type=bind"))]
        mounts = {}
        for fields in csv.reader(flags):
            told = dict(field.split("=", 1) for field in fields if "=" in field)
            assert told.pop("type") == "bind"
            mounts[Path(told["destination"])] = (Path(told["source"]), "ro" not in fields)
        return command, mounts

    return printed


def seen(path, mounts, working_folder):
    """Return what of the host a path leads to inside, and whether it can be written; the kernel's way, part by part."""
    place = Path("/")
    for part in (working_folder / path).parts[1:]:
        place = place.parent if part == ".." else place / part
    outer = [destination for destination in mounts if destination == place or destination in place.parents]
    source, writable = mounts[max(outer, key=lambda one: len(one.parts))]
    return (source / place.relative_to(max(outer, key=lambda one: len(one.parts)))).resolve(), writable


@pytest.mark.parametrize("engine", ["docker", "apptainer"])
def test_what_is_read_cannot_be_written_and_what_is_written_is_there(engine, site, printed):
    call = ("bids", "out", "participant", "--atlas", "atlas.nii.gz", "--work-dir", "../work", "--n-cpus", "2")
    command, mounts = printed(engine, *call)
    assert command[-len(call) :] == list(call)
    assert command[-len(call) - 1] == (IMAGE if engine == "docker" else f"docker://{IMAGE}")
    assert seen("bids", mounts, site) == (site / "bids", False)
    assert seen("out", mounts, site) == (site / "out", True)
    assert seen("../work", mounts, site) == (site.parent / "work", True)
    assert seen("atlas.txt", mounts, site) == (site / "atlas.txt", False)  # its names, beside the image
    assert {"docker": f"--workdir={site}", "apptainer": f"--pwd={site}"}[engine] in command
    assert any(word in command for word in ("--network=none",))
    assert not (site / "out").exists()


def test_docker_runs_as_the_user_on_an_image_that_is_read_only(site, printed):
    command, _ = printed("docker", "--image", "mine:1", "bids", "out", "participant")
    assert command[:4] == ["docker", "run", "--rm", "--read-only"]
    assert f"--user={os.getuid()}:{os.getgid()}" in command
    assert command[command.index("mine:1") :] == ["mine:1", "bids", "out", "participant"]
    command, _ = printed("docker", "bids", "out", "participant", "--network")
    assert "--network=none" not in command
    assert "--network" not in command


def test_files_of_a_plan_are_seen_and_files_by_other_names_are_not(site, printed):
    (site / "secret.txt").touch()
    (site / "bids" / "out").mkdir()
    _, mounts = printed("docker", "bids", "bids/out", "group", "--plan", "plan.toml")
    assert seen("plan.toml", mounts, site) == (site / "plan.toml", False)
    assert seen("region.nii", mounts, site) == (site / "region.nii", False)
    assert seen("bids/out", mounts, site)[1]  # a folder within one that is read only
    config = site.parent / "elsewhere.toml"
    config.write_text(f'[run]\nwork_dir = "{site.parent / "scratch"}"\n[signal]\ndenoise = "24p"\n')
    _, mounts = printed("docker", "bids", "out", "participant", "--config", config, "--mask", "brain")
    assert seen(site.parent / "scratch", mounts, site)[1]
    assert not any(place in (site / "secret.txt").parents for place in mounts)


def test_tricky_paths(site, printed, tmp_path):
    odd = tmp_path / 'a,b "c":d'
    (odd / "trial").mkdir(parents=True)
    (tmp_path / "link").symlink_to(odd / "trial")
    (site / "bids" / "derivatives").mkdir()
    (tmp_path / "prep").mkdir()
    (site / "bids" / "derivatives" / "fmriprep").symlink_to("../../../prep")
    _, mounts = printed("docker", odd / "trial", "../link/out", "participant", "--derivatives", "P=../link")
    assert seen(odd / "trial", mounts, site) == (odd / "trial", False)
    assert seen("../link/out", mounts, site) == (odd / "trial" / "out", True)
    assert seen("../link", mounts, site) == (odd / "trial", False)
    _, mounts = printed("docker", "bids", "bids", "participant")  # the same folder: it is written into
    assert seen("bids", mounts, site) == (site / "bids", True)
    assert seen(tmp_path / "prep", mounts, site) == (tmp_path / "prep", False)  # to which a link in the dataset leads
    _, mounts = printed("docker", "nowhere", "out", "participant")
    assert set(mounts) == {site / "out"}


def test_what_cannot_be_seen_inside_is_refused(site, capsys, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (site / "link").symlink_to(tmp_path / "a" / "b")
    assert main.main(["docker", "--print", "link/../x", "out", "participant"]) == 64
    assert f"write it as {tmp_path / 'a' / 'x'}" in capsys.readouterr().err
    assert main.main(["docker", "--print", "bids", "/usr", "participant"]) == 64
    assert "/usr cannot be mounted: it would cover /usr/bin of the image" in capsys.readouterr().err
    assert main.main(["docker", "bids", "out", "participant", "--tresh", "1"]) == 64
    assert main.main(["docker"]) == 64
    assert "what is to be run?" in capsys.readouterr().err


def test_the_other_commands(site, printed):
    (site / "sub").mkdir()
    (site / "sub" / "table.tsv").touch()
    _, mounts = printed("docker", "check", "bids", "sub", "--dry-run")
    assert seen("sub", mounts, site) == (site / "sub", False)  # nothing is written
    _, mounts = printed("docker", "power", "sub", "--effect-at", "1", "2", "3", "--n", "40", "--plan", "plan.toml")
    assert seen("sub", mounts, site)[1]
    assert seen("plan.toml", mounts, site)[0] == site / "plan.toml"
    _, mounts = printed("docker", "import", "sub/table.tsv", "made")
    assert seen("sub/series.mat", mounts, site) == (site / "sub" / "series.mat", False)
    _, mounts = printed("docker", "plan", "init", "bids", "-o", "sub/plan.toml")
    assert seen("sub/plan.toml", mounts, site)[1]
    command, mounts = printed("docker", "--version")
    assert (command[-1], mounts) == ("--version", {})
    _, mounts = printed(
        "docker", "--input-dataset", "bids", "sub", "--output-location", "o", "--analysis-level", "subject"
    )
    assert seen("sub", mounts, site) == (site / "sub", False)


def test_unblinding_sees_what_the_blinded_call_named(site, printed, capsys):
    call = ["bids", "out", "group", "--blind", "--key", "k"]
    key = {"letters": {"a": "A"}, "salt": "x", "call": call}
    (site / "k.json").write_text(json.dumps(key | {"folder": str(site)}))
    _, mounts = printed("docker", "unblind", "out", "--key", "k.json", "--plan", "plan.toml", "--n-cpus", "1")
    assert seen("bids", mounts, site) == (site / "bids", False)
    assert seen("out", mounts, site)[1]
    (site / "k.json").write_text(json.dumps(key | {"folder": "/elsewhere"}))
    assert main.main(["docker", "--print", "unblind", "out", "--key", "k.json", "--plan", "plan.toml"]) == 64
    assert "was made in /elsewhere" in capsys.readouterr().err


def test_caches_of_atlases_are_handed_in(site, printed, monkeypatch):
    (site / "tf").mkdir()
    monkeypatch.setenv("TEMPLATEFLOW_HOME", "tf")
    monkeypatch.setenv("NILEARN_DATA", "/not/there")
    command, mounts = printed("docker", "bids", "out", "participant")
    assert f"--env=TEMPLATEFLOW_HOME={site / 'tf'}" in command
    assert mounts[site / "tf"] == (site / "tf", False)
    assert not any("NILEARN" in word for word in command)


def test_which_options_name_paths_is_what_the_parser_reads_them_as():
    assert {action.dest for action in parser.app_parser()._actions if action.type in NAMED_BY} == NAMING
    readers = [value for name, value in vars(words).items() if name.startswith("as_") and inspect.isfunction(value)]
    of_paths = {one for one in readers if "Path" in str(get_type_hints(one)["return"]) or one is words.as_region}
    assert of_paths <= set(NAMED_BY)


def test_every_command_can_be_run_in_a_container():
    assert set(engines.PARSERS) == set(main.COMMANDS) - {"docker", "apptainer"}
    assert all(isinstance(make().prog, str) for make in engines.PARSERS.values())


def test_a_folder_is_mounted_once_and_outer_ones_first(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").touch()
    named = [Named(tmp_path / "a" / "x"), Named(tmp_path / "a"), Named(tmp_path / "a" / "out", "folder")]
    assert [mount.destination.name for mount in mounts_of(named)] == ["a", "out"]


@pytest.mark.parametrize("engine", ["docker", "apptainer"])
def test_the_engine_is_given_the_words_as_they_are(engine, site, tmp_path):
    """A stand-in of the engine notes its words; the app is run without any package, as after pip install --no-deps."""
    program = tmp_path / "bin" / engine
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{tmp_path}/words"\nexit 7\n')
    program.chmod(0o755)
    call = [sys.executable, "-S", RUN, engine, "bids", "new/out", "participant", "--task-id", "it's $HOME"]
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = subprocess.run(call, cwd=site, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert (tmp_path / "words").read_text().splitlines()[-5:] == [
        "bids",
        "new/out",
        "participant",
        "--task-id",
        "it's $HOME",
    ]
    assert (site / "new" / "out").is_dir()  # made by the user
    done = subprocess.run(call, cwd=site, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (66, f"trialgraph: There is no program {engine} on this machine.\n")
