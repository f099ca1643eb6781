"""What surrounds the package agrees with it: locks, image recipe, integration, licence, citation."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bids_app

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = [one for some in PROJECT["project"]["optional-dependencies"].values() for one in some]
RUNTIME = PROJECT["project"]["dependencies"] + EXTRAS  # the lock, and so the image, has all of them
DEVELOP = [requirement for group in PROJECT["dependency-groups"].values() for requirement in group]
CIRCLECI = yaml.safe_load((ROOT / ".circleci/config.yml").read_text())
LOCKS = ("requirements.txt", "requirements-dev.txt")
LOWEST = "requirements-lowest.txt"


def read(name):
    return (ROOT / name).read_text()


def locked(name):
    """Return {requirement: its hashes} of a lock file."""
    joined = re.sub(r"\\\n|^\s*#.*\n", " ", read(name), flags=re.MULTILINE)
    lines = (line.split("--hash=") for line in joined.splitlines() if line.strip())
    return {Requirement(requirement): [h.strip() for h in hashes] for requirement, *hashes in lines}


def pins(name):
    """Return {distribution: version} of a lock file."""
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in locked(name)}


def workflow():
    """Return {job: its settings} of the one workflow."""
    (jobs,) = (each["jobs"] for each in CIRCLECI["workflows"].values())
    return {name: settings for job in jobs for name, settings in job.items()}


def commands(job):
    """Return the shell commands of a job, in order."""
    steps = (step["run"] for step in CIRCLECI["jobs"][job]["steps"] if "run" in step)
    return [step if isinstance(step, str) else step["command"] for step in steps]


@pytest.mark.parametrize("name", [*LOCKS, LOWEST])
def test_every_requirement_is_pinned_and_hashed(name):
    requirements = locked(name)
    assert requirements
    for requirement, hashes in requirements.items():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement


@pytest.mark.parametrize("name", [*LOCKS, LOWEST])
def test_locks_say_nothing_about_where_they_were_made(name):
    options_but_hashes = re.findall(r"(?:^|\s)(-(?!-hash=|c requirements)\S*)", read(name))
    assert options_but_hashes == []
    assert not re.search(r"://|file:|(?:^|\s)/\w", read(name))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("requirements.txt", RUNTIME), ("requirements-dev.txt", DEVELOP), (LOWEST, RUNTIME)],
    ids=(*LOCKS, LOWEST),
)
def test_locks_satisfy_the_project(name, wanted):
    versions = pins(name)
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_locks_agree():
    runtime, develop = map(pins, LOCKS)
    shared = runtime.keys() & develop.keys()
    assert {name: runtime[name] for name in shared} == {name: develop[name] for name in shared}


def test_package_reads_the_version_file():
    assert bids_app.__version__ == read("version").strip()


def test_license_is_apache():
    text = read("LICENSE")
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", text)
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["project"]["license"] == "Apache-2.0"


def test_citation_matches_the_project():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["title"] == PROJECT["project"]["name"]
    assert citation["license"] == PROJECT["project"]["license"]
    assert {"cff-version", "message", "authors", "version"} <= citation.keys()


@pytest.mark.parametrize("name", ["run.py", ".ci/run"])
def test_scripts_can_be_executed(name):
    assert read(name).startswith("#!/usr/bin/env ")
    assert os.access(ROOT / name, os.X_OK)


def test_image_copies_only_what_dockerignore_lets_through():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", read("Dockerfile"), flags=re.MULTILINE)
    allowed = re.findall(r"^!(.+)$", read(".dockerignore"), flags=re.MULTILINE)
    assert read(".dockerignore").startswith("*\n")
    assert sorted(" ".join(copied).split()) == sorted(allowed)


def test_image_installs_by_hash_and_is_not_root():
    recipe = read("Dockerfile")
    assert "--require-hashes" in recipe
    assert 'ENTRYPOINT ["/run.py"]' in recipe
    assert re.findall(r"^USER (.+)$", recipe, flags=re.MULTILINE)[-1] not in ("0", "root")


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_test_runs_pytest_whole():
    command = ["make", "--dry-run", "--no-print-directory", "test"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    whole = ".venv/bin/python -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder"
    assert printed.stdout.splitlines()[-1] == whole


def test_ci_runs_what_developers_run():
    script = read(".ci/run")
    assert script.index("\nmake lint\n") < script.index("\nmake test ")
    assert {"make lint", "make test"} <= set(commands("unit"))


def test_circleci_is_valid_by_its_schema():
    """The schema that CircleCI publishes, as check-jsonschema carries it: nothing is fetched."""
    checker = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    if checker is None:
        pytest.skip("check-jsonschema is not installed")
    command = [checker, "--builtin-schema", "vendor.circle-ci", ROOT / ".circleci/config.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ci_says_what_it_cannot_test():
    script = read(".ci/run")
    for name in ("TRIALGRAPH_IMAGE", "TRIALGRAPH_SIF", "TRIALGRAPH_SLURM"):
        assert f"{name}=" in script
        assert any(name in read(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_[acs]*.py"))
    assert script.count("TESTS SKIPPED: ") == 3


def test_circleci_writes_the_version_before_it_builds():
    assert CIRCLECI["version"] == 2.1
    first, second, third = commands("build")
    assert first == "git describe --tags --always > version"
    assert second.startswith("docker build")
    assert third.startswith("docker save")


def test_circleci_runs_the_image_as_a_cluster_would():
    environment = CIRCLECI["jobs"]["container"]["environment"]
    assert {"--read-only", "--network none", "--user 4242:4242"} <= set(
        re.findall(r"--(?:read-only|(?:network|user) \S+)", environment["RUN"])
    )
    assert ":/bids:ro" in environment["MOUNTS"]
    ran = [command for command in commands("container") if command.startswith("$RUN")]
    for word, command in zip(("--bids-exec-spec", "--version", " participant ", " group "), ran, strict=True):
        assert word in command


def test_circleci_deploys_tags_only_and_after_everything():
    jobs = workflow()
    assert jobs.keys() == CIRCLECI["jobs"].keys()
    assert jobs["deploy"]["context"] == "dockerhub"
    assert jobs["deploy"]["filters"]["branches"] == {"ignore": "/.*/"}
    assert set(jobs["deploy"]["requires"]) == {"unit", "container", "apptainer"}
    assert jobs["container"]["requires"] == jobs["apptainer"]["requires"] == ["build"]
    # A job without this filter does not run for tags, and nothing that requires it does.
    assert all(settings["filters"]["tags"] == {"only": "/.*/"} for settings in jobs.values())


def test_the_readme_is_short_and_its_links_lead_somewhere():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 100
    assert all((ROOT / link).exists() for link in re.findall(r"\]\(([^)#:]+)\)", readme))
