"""The image as a shared cluster runs it: read-only, offline, an unknown user, one writable folder."""

import os
from pathlib import Path

import docker
import pytest

IMAGE = os.environ.get("TRIALGRAPH_IMAGE", "trialgraph:test")
ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.container


def unavailable(reason):
    """Skip, unless the image was named: whoever names it wants it tested."""
    (pytest.fail if "TRIALGRAPH_IMAGE" in os.environ else pytest.skip)(reason)


@pytest.fixture(scope="module")
def engine():
    try:
        client = docker.from_env()
        client.images.get(IMAGE)
    except docker.errors.ImageNotFound:
        unavailable(f"no image {IMAGE}: `make image` builds it")
    except docker.errors.DockerException as error:
        unavailable(f"no container engine: {error}")
    yield client
    client.close()


@pytest.fixture(scope="module")
def run(engine):
    """Run the image; return its exit code and what it printed."""

    def run(*arguments, inputs=None, output=None, **options):
        volumes = {str(path): {"bind": target, "mode": "ro"} for target, path in (inputs or {}).items()}
        if output:
            volumes[str(output)] = {"bind": "/out", "mode": "rw"}
        container = engine.containers.run(
            IMAGE,
            [str(argument) for argument in arguments],
            detach=True,
            network_mode="none",
            read_only=True,
            user="4242:4242",
            volumes=volumes,
            **options,
        )
        try:
            return container.wait()["StatusCode"], container.logs().decode()
        finally:
            container.remove(force=True)

    return run


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    simulate = pytest.importorskip("bids_app.simulate")
    root = tmp_path_factory.mktemp("trial")
    bids_dir = Path(simulate.simulate_trial(root, n_per_arm=4, voxel_size=8, n_volumes=120).bids_dir)
    bids_dir.chmod(0o755)
    return bids_dir


@pytest.fixture
def empty(tmp_path):
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture(scope="module")
def analysed(run, trial, tmp_path_factory):
    """The output folder after both levels."""
    output = tmp_path_factory.mktemp("out")
    output.chmod(0o777)
    folders = {"inputs": {"/bids": trial}, "output": output}
    levels = (
        ("participant", "--voxel-size", 8, "--n-cpus", 2, "--min-minutes", 2),
        ("group", "--voxel-size", 8, "--min-minutes", 2, "--n-permutations", 100),
    )
    for level in levels:
        status, log = run("/bids", "/out", *level, **folders)
        assert status == 0, log
    return output


def test_version_is_that_of_the_checkout(run):
    status, log = run("--version")
    assert status == 0, log
    assert (ROOT / "version").read_text().strip() in log.split()


def test_help(run):
    status, log = run("--help")
    assert status == 0, log
    assert "participant" in log
    assert "group" in log


def test_default_user_is_not_root(engine):
    assert engine.images.get(IMAGE).attrs["Config"]["User"] not in ("", "0", "root")


def test_host_python_settings_do_not_reach_in(run, empty):
    (empty / "pathlib.py").write_text("raise SystemExit(99)\n")
    status, log = run("--version", inputs={"/host": empty}, environment={"PYTHONPATH": "/host"})
    assert status == 0, log


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("/bids", "/out", "subject"), 17),
        (("/bids", "/out", "participant", "--no-such-option"), 64),
        (("/nowhere", "/out", "participant"), 66),
    ],
    ids=["unknown level", "unknown option", "missing input"],
)
def test_exit_codes_of_wrong_usage(run, empty, arguments, expected):
    status, log = run(*arguments, inputs={"/bids": empty})
    assert status == expected, log


@pytest.mark.slow
def test_every_participant_has_a_report(analysed, trial):
    participants = sorted(path.name for path in trial.glob("sub-*") if path.is_dir())
    assert participants
    assert [name for name in participants if not list(analysed.glob(f"{name}*.html"))] == []


@pytest.mark.slow
def test_the_group_has_a_report(analysed):
    assert (analysed / "group" / "index.html").is_file()
