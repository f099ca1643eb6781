"""What sites copy: made from the parser where it can be, and every command line in it understood by the parser."""

import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from bids_app.cli.settings_of import parse
from bids_app.settings.execution_names import dashed
from bids_app.settings.named_paths import NAMED_BY
from bids_app.settings.parser import app_parser
from sites import make

ROOT = Path(__file__).parents[2]
SITES = ROOT / "sites"
VERSION = make.written_version()


def read(name):
    return (SITES / name).read_text(encoding="utf-8")


def beside_python(program):
    """Return a program of the environment, or skip."""
    found = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def command_of(descriptor, invocation):
    """Return the words that Boutiques makes of an invocation: of each input its flag and its values, in order."""
    words = []
    for entry in descriptor["inputs"]:
        if (value := invocation.get(entry["id"])) not in (None, False):
            flag = [entry["command-line-flag"]] if "command-line-flag" in entry else []
            words += flag if value is True else [*flag, *map(str, value if isinstance(value, list) else [value])]
    assert set(invocation) <= {entry["id"] for entry in descriptor["inputs"]}
    return words


def filled(text, **values):
    """Put values in the place of Nipoppy's names."""
    text = re.sub(r"\[\[(\w+)\]\]", lambda name: values[name.group(1)], text)
    assert "[[" not in text
    return text


@pytest.mark.parametrize("name", make.made(""))
def test_what_follows_from_the_parser_is_current(name):
    made = json.dumps(make.made(VERSION)[name], indent=2, ensure_ascii=False) + "\n"
    assert made == read(name), "make it anew: python -m sites.make"


@pytest.mark.parametrize("name", make.WITH_VERSION)
def test_every_file_has_the_one_version(name):
    text = read(name)
    assert VERSION in text or VERSION.replace(".", "-") in text
    assert set(re.findall(r"trialgraph:(\d[\w.]*)", text)) <= {VERSION}


def test_the_one_version_is_written_into_all(monkeypatch, tmp_path):
    shutil.copytree(SITES, tmp_path / "sites")
    monkeypatch.setattr(make, "FOLDER", tmp_path / "sites")
    monkeypatch.setattr(make, "__version__", "9.8.7")
    make.main()
    assert make.written_version() == "9.8.7"
    files = [path for path in (tmp_path / "sites").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert not [path for path in files if VERSION in path.read_text() or VERSION.replace(".", "-") in path.read_text()]


# Nipoppy


@pytest.mark.parametrize(("name", "level"), [("invocation.json", "participant"), ("invocation-group.json", "group")])
def test_nipoppy_calls_the_app(name, level, tmp_path):
    places = {"NIPOPPY_DPATH_BIDS": tmp_path, "NIPOPPY_DPATH_PIPELINE_OUTPUT": tmp_path / "out"}
    places |= {"NIPOPPY_DPATH_PIPELINE_WORK": tmp_path / "work", "PREPROCESSED": tmp_path / "prep"}
    values = {key: str(path) for key, path in places.items()} | {"NIPOPPY_PARTICIPANT_ID": "01"}
    invocation = json.loads(filled(read(f"nipoppy/{name}"), **values))
    settings = parse(command_of(json.loads(read("nipoppy/descriptor.json")), invocation))
    assert (settings.bids_dir, settings.output_dir, settings.level) == (tmp_path, tmp_path / "out", level)
    assert (settings.work_dir, settings.resources.n_cpus) == (tmp_path / "work", 2)
    if level == "participant":
        assert settings.selection.participants == ("01",)
        assert [one.path for one in settings.selection.derivatives] == [tmp_path / "prep"]


def test_nipoppy_tracks_what_the_participant_level_writes(simulated, compared):
    """Somebody was not scanned at the second visit: that one is not done, and every other is."""
    tracker = json.loads(read("nipoppy/tracker.json"))
    scanned = {(path.parent.name, path.name) for path in simulated.derivatives_dir.glob("sub-*/ses-*")}
    visits = {(one, session) for one, _ in scanned for _, session in scanned}
    assert len(visits) == len(scanned) + 1
    for participant, session in visits:
        names = {"NIPOPPY_BIDS_PARTICIPANT_ID": participant, "NIPOPPY_BIDS_SESSION_ID": session}
        done = all(any(compared.glob(filled(path, **names))) for path in tracker["PATHS"])
        assert done == ((participant, session) in scanned)
        assert (compared / filled(tracker["PARTICIPANT_SESSION_DIR"], **names)).is_dir() == done


def test_nipoppy_finds_every_file_of_its_steps():
    steps = json.loads(read("nipoppy/config.json"))["STEPS"]
    files = {value for step in steps for key, value in step.items() if key.endswith("_FILE")}
    assert {path.name for path in (SITES / "nipoppy").iterdir()} == files | {"config.json"}
    for name in ("hpc.json", "hpc-group.json"):
        assert re.fullmatch(r"\d+:\d\d:\d\d", json.loads(read(f"nipoppy/{name}"))["TIME"])


def test_nipoppy_itself_finds_the_folder_valid():
    done = subprocess.run(
        [beside_python("nipoppy"), "pipeline", "validate", SITES / "nipoppy"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# BABS


def test_babs_calls_the_app(tmp_path, monkeypatch):
    config = yaml.safe_load(read("babs/trialgraph.yaml"))
    words = []
    for key, value in config["bids_app_args"].items():
        value = value.replace("$BABS_TMPDIR", '"${PWD}"/.git/tmp/wkdir').replace("${PWD}", str(tmp_path))
        if key != "$SUBJECT_SELECTION_FLAG":
            words += [key, *shlex.split(value)]
    subject = [config["bids_app_args"]["$SUBJECT_SELECTION_FLAG"], "sub-01"]
    settings = parse(["inputs/data/BIDS", "outputs/trialgraph", "participant", *words, *subject])
    assert settings.selection.participants == ("01",)
    derivatives = config["input_datasets"]["fmriprep"]["path_in_babs"]
    assert [one.path for one in settings.selection.derivatives] == [tmp_path / derivatives / "fmriprep"]
    assert str(settings.resources.n_cpus) == config["cluster_resources"]["number_of_cpus"]
    assert config["zip_foldernames"] == {"trialgraph": VERSION.replace(".", "-")}
    assert set(config["cluster_resources"]) <= {
        *("interpreting_shell", "hard_memory_limit", "soft_memory_limit", "temporary_disk_space"),
        *("number_of_cpus", "hard_runtime_limit", "customized_text"),
    }


def test_babs_itself_makes_a_script_of_it(tmp_path):
    datasets = pytest.importorskip("babs.input_datasets", reason="babs is not installed")
    from babs.container import Container

    config = yaml.safe_load(read("babs/trialgraph.yaml"))
    inputs = datasets.InputDatasets("subject", config["input_datasets"])
    for one in inputs:
        one.set_babs_project_analysis_path(str(tmp_path))
    container = Container("containers", "trialgraph", str(SITES / "babs" / "trialgraph.yaml"))
    container.generate_bash_run_bidsapp(str(tmp_path / "run.sh"), inputs, "subject")
    assert "--participant-label" in (tmp_path / "run.sh").read_text()


# Neurodesk


def test_neurodesk_recipe_has_what_their_schema_asks_for():
    """By hand from the validation of neurocontainers: what must be there, of which kinds, and which words are known."""
    recipe = yaml.safe_load(read("neurodesk/build.yaml"))
    known = {"name", "version", "architectures", "copyright", "build", "categories", "readme", "icon"}
    assert set(recipe) == known
    assert "_" not in recipe["name"]
    assert isinstance(recipe["version"], str)
    assert set(recipe["architectures"]) <= {"x86_64", "aarch64"}
    assert set(recipe["categories"]) <= {"functional imaging", "statistics", "bids apps", "workflows"}
    assert all(set(one) == {"license", "url"} and one["url"].startswith("https://") for one in recipe["copyright"])
    build = recipe["build"]
    assert set(build) == {"kind", "base-image", "pkg-manager", "add-default-template", "add-tzdata", "directives"}
    assert (build["kind"], build["pkg-manager"]) == ("neurodocker", "apt")
    assert all(len(one) == 1 and set(one) <= {"deploy", "run", "install", "environment"} for one in build["directives"])
    assert re.fullmatch(r"data:image/svg\+xml;base64,[\w+/=]{80,}", recipe["icon"])


def test_neurodesk_tests_call_the_app_and_look_for_what_it_writes(tmp_path, compared, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = yaml.safe_load(read("neurodesk/fulltest.yaml"))
    names = {**suite["test_data"], "version": suite["version"]}
    levels = []
    for test in suite["tests"]:
        assert set(test) <= {
            *("name", "description", "command", "timeout", "depends_on", "validate"),
            *("expected_output_contains", "expected_exit_code"),
        }
        command = re.sub(r"\$\{(\w+)\}", lambda name: names[name.group(1)], test["command"])
        program, *words = shlex.split(command)
        if program == "trialgraph" and words[:1] == ["check"]:
            parse(words[1:], check=True)
        elif program == "trialgraph" and len(words) > 2 and test.get("expected_exit_code", 0) == 0:
            levels.append(parse(words).level)
        for one in test.get("validate", []):
            inside = one["output_exists"].partition("${output_dir}/")[2]
            assert not inside or (compared / inside).exists(), inside
    assert levels == ["participant", "group"]
    assert suite["version"] == VERSION


# CBRAIN


def test_cbrain_offers_options_that_there_are_and_settles_the_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    descriptor = json.loads(read("cbrain/trialgraph.json"))
    ids = {entry["id"] for entry in descriptor["inputs"]}
    assert not ids & {*make.OF_MACHINE, *make.OF_BLINDING}
    files = {entry["id"] for entry in descriptor["inputs"] if entry["type"] == "File"}
    assert {"bids_dir", "derivatives", "plan", "config", "allocations"} <= files
    assert not files & {"atlas", "mask", "regions", "output_dir"}  # whose words can be names
    modules = descriptor["custom"]["cbrain:integrator_modules"]
    assert set(modules["BoutiquesFileTypeVerifier"]) <= files
    assert set(modules["BoutiquesOutputFileTypeSetter"]) == {one["id"] for one in descriptor["output-files"]}
    told = {"bids_dir": "bids", "output_dir": "out", "level": "group", "covariates": ["age"], "hc3": True}
    *_, fixed = descriptor["command-line"].partition(" --work-dir ")
    settings = parse([*command_of(descriptor, told), "--work-dir", *shlex.split(fixed)])
    assert (settings.trial.covariates, settings.trial.hc3, settings.resources.n_cpus) == (("age",), True, 2)
    assert modules["BoutiquesPostProcessingCleaner"] == [settings.work_dir.name]


@pytest.mark.parametrize("name", ["cbrain/trialgraph.json", "nipoppy/descriptor.json"])
def test_boutiques_finds_the_descriptors_valid(name):
    done = subprocess.run(
        [beside_python("bosh"), "validate", SITES / name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Brainlife


def noting_program(folder, name, code=0):
    """Make a program that notes its words in a file of its name."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{folder}/{name}.words"\nexit {code}\n')
    program.chmod(0o755)
    return folder / f"{name}.words"


def test_brainlife_calls_the_app(tmp_path):
    beside_python("jq")
    shutil.copy(SITES / "brainlife" / "config.json", tmp_path)
    programs = tmp_path / "bin"
    noted = noting_program(programs, "singularity")
    noting_program(programs, "bl2bids")
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    call = ["bash", SITES / "brainlife" / "main"]
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    words = noted.read_text().splitlines()
    image, program = words[words.index("/run.py") - 1 : words.index("/run.py") + 1]
    assert (image, program) == (f"docker://bids/trialgraph:{VERSION}", "/run.py")
    settings = parse(dashed(words[words.index("/run.py") + 1 :]))
    assert settings.level == "participant"
    assert settings.graph.metrics == ("degree", "strength", "clustering")
    assert (settings.graph.thresholds, settings.signal.fd_threshold) == ((0.25,), 0.5)
    assert settings.selection.task == "rest"
    assert json.loads((tmp_path / "product.json").read_text())["brainlife"][0]["path"] == "output"
    noting_program(programs, "singularity", code=64)  # what goes wrong is not called done
    assert subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, check=False).returncode == 64


# Flywheel

SCALARS = {"string", "integer", "number", "boolean"}


@pytest.fixture
def gear():
    """The program of the gear, as a module."""
    loader = SourceFileLoader("gear_run", str(SITES / "flywheel" / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gear_run", loader))
    loader.exec_module(module)
    return module


def test_flywheel_manifest_has_what_their_schema_asks_for():
    """By hand from the published schema of gears: the keys, the lengths, and which words are known."""
    manifest = json.loads(read("flywheel/manifest.json"))
    needed = {"author", "config", "description", "inputs", "label", "license", "name", "source", "url", "version"}
    assert needed <= set(manifest) <= needed | {"maintainer", "custom", "environment", "command", "flywheel"}
    assert re.fullmatch(r"[a-z0-9\-]{1,100}", manifest["name"])
    assert len(manifest["description"]) <= 5000
    assert all(one["base"] in ("file", "api-key") for one in manifest["inputs"].values())
    assert all(one["type"] in SCALARS for one in manifest["config"].values())
    assert all("default" not in one for one in manifest["config"].values())
    assert [name for name, one in manifest["config"].items() if not one.get("optional")] == ["level"]
    known = app_parser()._option_string_actions
    assert all(f"--{name}" in known for name in manifest["config"] if name != "level")
    read_as = {action.dest: action.type for action in app_parser()._actions}
    assert all(read_as[name] in NAMED_BY for name in make.FILES)


def test_flywheel_toolkit_itself_finds_the_manifest_valid():
    toolkit = pytest.importorskip("fw_gear.manifest", reason="fw-gear is not installed")
    assert toolkit.Manifest(str(SITES / "flywheel" / "manifest.json")).is_valid()


def test_flywheel_calls_the_app(gear, tmp_path, monkeypatch):
    archive = tmp_path / "trial.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("trial/dataset_description.json", "{}")
        content.writestr("trial/derivatives/fmriprep/dataset_description.json", "{}")
    plan = tmp_path / "plan.toml"
    plan.write_text('[metrics]\nprimary = "degree"\n')
    config = {"level": "group", "covariates": "age 'years of school'", "hc3": True, "slopes": "", "robustness": False}
    config |= {"n-permutations": "500"}
    inputs = {
        name: {"base": "file", "location": {"path": str(path)}} for name, path in (("bids", archive), ("plan", plan))
    }
    (tmp_path / "config.json").write_text(json.dumps({"config": config, "inputs": inputs}))
    noted = noting_program(tmp_path / "bin", "app", code=65)
    assert gear.main(tmp_path, str(tmp_path / "bin" / "app")) == 65
    settings = parse(noted.read_text().splitlines())
    assert settings.bids_dir == tmp_path / "work" / "bids" / "trial"
    assert (settings.trial.covariates, settings.trial.hc3) == (("age", "years of school"), True)
    assert (settings.trial.n_permutations, settings.trial.plan.metric) == (500, "degree")
    results = io.BytesIO()  # what the participant level left comes back for the group level
    with zipfile.ZipFile(results, "w") as content:
        content.writestr("dataset_description.json", "{}")
        content.writestr("sub-01.html", "page")
    (tmp_path / "results.zip").write_bytes(results.getvalue())
    inputs["results"] = {"base": "file", "location": {"path": str(tmp_path / "results.zip")}}
    (tmp_path / "config.json").write_text(json.dumps({"config": config, "inputs": inputs}))
    gear.main(tmp_path, str(tmp_path / "bin" / "app"))
    assert parse(noted.read_text().splitlines()).output_dir == tmp_path / "work" / "results"
    assert (tmp_path / "output" / "sub-01.html").read_text() == "page"
    with zipfile.ZipFile(tmp_path / "output" / "trialgraph.zip") as content:
        assert "sub-01.html" in content.namelist()


# The list of BIDS Apps, and conda


def test_the_entry_for_the_list_of_apps_is_in_its_form():
    (entry,) = yaml.safe_load(read("bids-apps/apps.yml"))
    assert set(entry) == {"gh", "dh", "status", "ci", "branch", "ds_type", "datatype", "description"}
    assert entry["dh"] == make.made(VERSION)["nipoppy/descriptor.json"]["container-image"]["image"].partition(":")[0]
    assert set(entry["ds_type"]) <= {"raw", "derivative"}
    assert entry["ci"] in ("gh", "travis", "circleci", "none")


def test_conda_asks_for_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    recipe = yaml.safe_load(read("conda/recipe.yaml"))
    called = {"docker": "docker-py", "matplotlib": "matplotlib-base"}  # what conda-forge calls otherwise
    missing = {"bids-validator-deno"}
    extras = [
        one for several in project["project"]["optional-dependencies"].values() for one in several
    ]  # conda has none
    asked = map(Requirement, project["project"]["dependencies"] + extras)
    wanted = {f"{called.get(one.name, one.name)} {one.specifier}" for one in asked if one.name not in missing}
    assert set(recipe["requirements"]["run"]) == wanted | {f"python {project['project']['requires-python']}"}
    assert (
        f"setuptools {Requirement(project['build-system']['requires'][0]).specifier}" in recipe["requirements"]["host"]
    )
    assert recipe["context"]["version"] == VERSION
    assert all(name in read("conda/recipe.yaml").partition("schema_version")[0] for name in missing)


def test_rattler_build_itself_reads_the_recipe():
    rattler = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed")
    recipe = rattler.Stage0Recipe.from_file(str(SITES / "conda" / "recipe.yaml"))
    assert len(recipe.render(rattler.VariantConfig())) == 1


def test_the_page_names_every_file():
    page = (ROOT / "docs" / "sites.md").read_text(encoding="utf-8")
    folders = {path.name for path in SITES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert [name for name in folders if f"sites/{name}" not in page] == []
