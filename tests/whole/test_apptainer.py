"""The image under Apptainer as a user without rights, contained and offline."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from bids_app.simulate import simulate_trial

USER = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
CONTAINED = ("--containall", "--net", "--network", "none")
HOST = {
    "PYTHONPATH": "/bids/code/poison",
    "PYTHONHOME": "/of/the/host",
    "XDG_CACHE_HOME": "/of/the/host",
    "NUMBA_CACHE_DIR": "/of/the/host",
    "TMPDIR": "/of/the/host",
}

pytestmark = pytest.mark.apptainer


@pytest.fixture(scope="module")
def image():
    """The SIF; what was promised must be there."""
    path = os.environ.get("TRIALGRAPH_SIF")
    if path is None:
        pytest.skip("TRIALGRAPH_SIF names no image")
    assert shutil.which("apptainer"), "TRIALGRAPH_SIF is given without an apptainer"
    return path


@pytest.fixture(scope="module")
def open_folder():
    """A folder that others may enter; pytest shuts its own to them whenever a session begins."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def trial(open_folder):
    """A trial with modules in it that no interpreter may import."""
    root = open_folder / "apptainer"
    bids_dir = simulate_trial(root, n_per_arm=4, voxel_size=8, n_volumes=120).bids_dir
    poison = bids_dir / "code" / "poison"
    poison.mkdir(parents=True)
    for name in ("pathlib", "numpy", "nibabel"):
        (poison / f"{name}.py").write_text("raise SystemExit(99)\n")
    subprocess.run(["chmod", "-R", "a+rX", root], check=True)
    return bids_dir


@pytest.fixture
def output(trial, request):
    folder = trial.parent / f"out-{request.node.callspec.id if hasattr(request.node, 'callspec') else 'one'}"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def run(image, *arguments, options=(), binds=(), environment=None):
    """Run the image; return its exit code and what it printed."""
    binds = [word for bind in binds for word in ("--bind", bind)]
    done = subprocess.run(
        [*("apptainer", "--quiet", "run", *CONTAINED, *options, *binds, image), *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(environment or {})},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **USER,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("options", [(), ("--cleanenv",)], ids=["environment of the host", "clean environment"])
def test_version_and_usage(image, options):
    status, log = run(image, "--version", options=options, environment=HOST)
    assert (status, log.split()[0]) == (0, "trialgraph"), log
    assert run(image, "/nowhere", "/tmp/out", "participant", options=options, environment=HOST)[0] == 66


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--cleanenv",)], ids=["host", "clean"])
def test_a_participant(image, trial, output, options, validation_errors):
    status, log = run(
        *(image, "/bids", "/out", "participant", "--participant-label", "01", "--voxel-size", 8, "--min-minutes", 2),
        options=options,
        binds=(f"{trial}:/bids:ro", f"{output}:/out"),
        environment=HOST,
    )
    assert status == 0, log
    assert len(list(output.glob("sub-01/ses-*/func/*_stat-degree_desc-r025_boldmap.nii.gz"))) == 2
    assert validation_errors(output) == []
    made_by = json.loads((output / "dataset_description.json").read_text())["GeneratedBy"][0]
    assert made_by["Container"]["Type"] == "singularity"


@pytest.mark.slow
def test_not_contained_with_the_environment_of_the_host(image, trial, output):
    """Without --containall the host's folders and variables, PYTHONPATH among them, are all there."""
    call = ["apptainer", "--quiet", "run", image, trial, output, "participant", "--participant-label", "02"]
    done = subprocess.run(
        [*call, *("--voxel-size", "8", "--min-minutes", "2", "--metrics", "degree", "--n-cpus", "2")],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **HOST, "PYTHONPATH": f"{trial}/code/poison"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **USER,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (output / "sub-02.html").is_file()
