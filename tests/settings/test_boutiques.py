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
from bids_app.settings.execution_names import as_placed

ROOT = Path(__file__).parents[2]
FILES = ROOT / "boutiques"
COMMITTED = {"1.0": FILES / "descriptor.json", "2.0": FILES / "trialgraph.json"}
INVOCATIONS = {"1.0": FILES / "invocation.json", "2.0": FILES / "trialgraph-invocation.json"}
PLACED = ("--input-dataset", "b", "c", "--output-location", "o", "--analysis-level", "subject")
VERSIONS = pytest.mark.parametrize("version", COMMITTED)


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


@VERSIONS
def test_the_committed_descriptor_is_that_of_the_parser(capsys, version):
    with pytest.raises(SystemExit) as left:
        main(["--bids-exec-spec", *([version] if version == "1.0" else [])])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["tool-version"] == __version__
    assert without_version(printed) == without_version(COMMITTED[version].read_text()), (
        f"make it anew: run.py --bids-exec-spec {version} > boutiques/{COMMITTED[version].name}"
    )


@VERSIONS
def test_the_descriptor_and_the_invocation_are_valid(version):
    done = bosh("validate", COMMITTED[version])
    assert done.returncode == 0, done.stdout + done.stderr
    done = bosh("invocation", COMMITTED[version], "-i", INVOCATIONS[version])
    assert done.returncode == 0, done.stdout + done.stderr


@VERSIONS
def test_boutiques_builds_the_command_that_is_meant(version):
    done = bosh("exec", "simulate", COMMITTED[version], "-i", INVOCATIONS[version])
    assert done.returncode == 0, done.stdout + done.stderr
    command = next(line for line in done.stdout.splitlines() if line.startswith("/run.py"))
    assert not {"--design", "--voxel-size", "--denoise"} & set(
        shlex.split(command)
    )  # a plan says what is not said here
    settings = settings_of.parse(as_placed(shlex.split(command)[1:]))
    assert [str(settings.bids_dir), str(settings.output_dir)] == ["/data/trial", "/data/results"]
    assert settings.level == "participant"
    assert settings.selection.participants == ("01", "02")
    assert settings.graph.thresholds == (0.25, 0.3)
    assert settings.resources.n_cpus == 2
    assert settings.skip_validation
    assert [str(one.path) for one in settings.selection.derivatives] == (
        ["/data/preprocessed"] if version == "2.0" else []
    )


def test_what_version_2_of_the_specification_asks_for_is_there():
    found = json.loads(COMMITTED["2.0"].read_text())
    inputs = {entry["id"]: entry for entry in found["inputs"]}
    assert found["custom"]["BIDSApplicationVersion"] == "2.0"
    assert inputs["InputDataset"]["list"]
    assert set(inputs["AnalysisLevel"]["value-choices"]) <= {"run", "session", "subject", "dataset", "meta"}
    assert {"OutputLocation", "SubjectLabel", "SessionLabel", "TaskLabel"} <= set(inputs)
    assert [inputs[name]["type"] for name in ("Help", "ToolVersion")] == ["Flag", "Flag"]
    assert {16, 17, 18, 64, 65, 66, 73, 75} <= {entry["code"] for entry in found["error-codes"]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--input-dataset", "b", "--analysis-level", "subject"], "--output-location not given"),
        ([*PLACED, "--derivatives", "d"], "named by --input-dataset and by --derivatives"),
        (["b", "o", "run"], "is unknown"),
    ],
)
def test_names_of_the_specification_that_do_not_go_together_are_refused(words, said, capsys):
    assert main(words) == (17 if words[-1] == "run" else 64)
    assert said in capsys.readouterr().err


def test_labels_come_from_a_file_too(tmp_path, capsys):
    path = tmp_path / "people.txt"
    path.write_text("01\n\nsub-02\n")
    settings = settings_of.parse(["b", "o", "participant", "--subject-label", str(path), "03"])
    assert settings.selection.participants == ("01", "02", "03")
    assert main(["b", "o", "participant", "--session-label", "nowhere.txt"]) == 64
    assert "nowhere.txt is no label, and cannot be read" in capsys.readouterr().err
    path.write_text("\n")
    assert main(["b", "o", "participant", "--participant-label", str(path)]) == 64
    assert "holds no label" in capsys.readouterr().err


@VERSIONS
def test_every_option_is_described_once(version):
    described = {entry["command-line-flag"] for entry in descriptor(parser.app_parser(), version)["inputs"][3:]}
    groups = [set(action.option_strings) for action in parser.app_parser()._actions if action.option_strings]
    leave = {"--help-all", "--bids-exec-spec"} | ({"--help", "--version"} if version == "1.0" else set())
    assert all(len(described & names) == (0 if names & leave else 1) for names in groups)


@VERSIONS
def test_nothing_of_this_machine_is_in_it(version):
    text = COMMITTED[version].read_text()
    assert str(Path.cwd()) not in text
    ids = {entry["id"]: entry for entry in json.loads(text)["inputs"]}
    said = [name for name, entry in ids.items() if "(default:" in entry["description"]]
    assert {"voxel_size", "VoxelSize"} & set(said)
    assert not {"n_cpus", "mem_gb", "NCpus", "MemGb"} & set(said)
    assert not any("default-value" in entry for entry in ids.values())  # it would be given, before a plan
