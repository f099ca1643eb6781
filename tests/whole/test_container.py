"""The image as a shared cluster runs it: read-only, offline, an unknown user, one writable folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import docker
import nibabel as nib
import pytest

from bids_app.simulate import simulate_trial

IMAGE = os.environ.get("TRIALGRAPH_IMAGE", "trialgraph:test")
ROOT = Path(__file__).parents[2]
SCALE = ("--voxel-size", 8, "--min-minutes", 2)
CPU_SECONDS = """
import resource, subprocess, sys
subprocess.run(["/run.py", *sys.argv[1:]], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""

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
def start(engine):
    """Start the image; return the container."""
    containers = []

    def start(*arguments, inputs=None, output=None, **options):
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
        containers.append(container)
        return container

    yield start
    for container in containers:
        container.remove(force=True)


@pytest.fixture(scope="module")
def run(start):
    """Run the image; return its exit code and what it printed."""

    def run(*arguments, **options):
        return ended(start(*arguments, **options))

    return run


def ended(container):
    return container.wait()["StatusCode"], container.logs().decode()


def python(code, *arguments):
    """Return the arguments that run Python code in place of the app."""
    return {"entrypoint": ["python", "-I", "-c", code, *map(str, arguments)]}


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    bids_dir = simulate_trial(tmp_path_factory.mktemp("trial"), n_per_arm=4, voxel_size=8, n_volumes=120).bids_dir
    Path(bids_dir).chmod(0o755)
    return Path(bids_dir)


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory):
    """Make a folder that any user may write to."""

    def make(name="out"):
        folder = tmp_path_factory.mktemp(name)
        folder.chmod(0o777)
        return folder

    return make


@pytest.fixture
def empty(tmp_path):
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture(scope="module")
def analysed(run, trial, shared_folder):
    """The output folder after both levels."""
    output = shared_folder()
    folders = {"inputs": {"/bids": trial}, "output": output}
    for level in (("participant", "--n-cpus", 2), ("group", "--n-permutations", 100)):
        status, log = run("/bids", "/out", *level, *SCALE, **folders)
        assert status == 0, log
    return output


def test_check_reads_everything_and_writes_nothing(run, trial, shared_folder):
    output = shared_folder()
    status, log = run("check", "/bids", "/out", *SCALE, inputs={"/bids": trial}, output=output)
    assert status == 0, log
    assert "17 scans of 9 participants would be processed" in log
    assert "8 of 9 would be compared" in log
    assert list(output.iterdir()) == []


def test_version_is_that_of_the_checkout(run, engine):
    status, log = run("--version")
    assert status == 0, log
    version = (ROOT / "version").read_text().strip()
    assert log.split() == ["trialgraph", version]
    assert engine.images.get(IMAGE).labels["org.opencontainers.image.version"] == version


def test_the_wrapper_runs_a_call_with_what_it_names(engine, trial, shared_folder):
    """By the command line of Docker, from where nothing but Python is needed."""
    if shutil.which("docker") is None:
        pytest.skip("no command line of Docker")
    folder = shared_folder()
    call = [
        sys.executable,
        "-S",
        ROOT / "run.py",
        "docker",
        "--image",
        IMAGE,
        os.path.relpath(trial, folder),
        "new/out",
    ]
    words = ("participant", "--participant-label", "01", "--skip-bids-validation", *map(str, SCALE))
    done = subprocess.run([*call, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = next((folder / "new" / "out").rglob("*_boldmap.nii.gz"))
    assert made.stat().st_uid == os.getuid()
    links = json.loads((folder / "new" / "out" / "dataset_description.json").read_text())["DatasetLinks"]
    assert any((folder / "new" / "out" / link).resolve() == trial.resolve() for link in links.values())


def test_help(run):
    status, log = run("--help")
    assert status == 0, log
    assert "{participant,group}" in log


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_what_only_prints_takes_less_than_a_second_of_cpu(run, option):
    status, log = run(**python(CPU_SECONDS, option))
    assert status == 0, log
    assert float(log) < 1


def test_default_user_is_not_root(engine):
    assert engine.images.get(IMAGE).attrs["Config"]["User"] not in ("", "0", "root")


def test_nothing_to_build_with_is_left(run):
    code = (
        "import shutil; print([name for name in ('gcc', 'cc', 'make', 'strip', 'pip', 'pip3') if shutil.which(name)])"
    )
    assert run(**python(code)) == (0, "[]\n")


@pytest.mark.parametrize(("atlas", "n_parcels"), [("aal", 116), ("AICHAmc", 192)])
def test_atlases_of_debian_are_there(run, atlas, n_parcels):
    code = (
        "import sys, nibabel as nib, numpy as np\n"
        "stem = '/usr/share/mricron/templates/' + sys.argv[1]\n"
        "labels = np.unique(np.asarray(nib.load(stem + '.nii.gz').dataobj))\n"
        "names = [line for line in open(stem + '.nii.txt') if line.strip()]\n"
        "print(np.count_nonzero(labels), len(names))"
    )
    status, log = run(**python(code, atlas))
    assert status == 0, log
    assert int(log.split()[0]) == n_parcels
    assert int(log.split()[1]) >= n_parcels


def test_atlases_by_name_are_found(run):
    code = (
        "import os, sys; sys.path.insert(0, '/opt/trialgraph'); os.environ['NUMBA_DISABLE_JIT'] = '1'\n"
        "from bids_app.space.atlas import read_atlas\n"
        "from bids_app.settings.atlas_source import find_atlas\n"
        "from bids_app.space.grid import template_grid\n"
        "grid = template_grid('gm', 6)\n"
        "print([len(read_atlas(find_atlas(word), grid).parcels) for word in ('aal', 'aicha', 'power', 'seitzman')])"
    )
    status, log = run(**python(code))
    assert status == 0, log
    assert log.strip().splitlines()[-1] == "[116, 192, 264, 300]"


def test_what_a_container_may_use_is_found(run):
    code = (
        "import sys; sys.path.insert(0, '/opt/trialgraph')\n"
        "from bids_app.system.machine import available_cpus, available_memory_gb\n"
        "print(available_cpus(), available_memory_gb())"
    )
    status, log = run(nano_cpus=1_000_000_000, mem_limit="2g", **python(code))
    assert (status, log.split()) == (0, ["1", "1.8"])
    status, log = run(nano_cpus=1_000_000_000, environment={"SLURM_MEM_PER_NODE": "1024"}, **python(code))
    assert (status, log.split()) == (0, ["1", "0.9"])


def test_host_python_settings_do_not_reach_in(run, empty):
    (empty / "pathlib.py").write_text("raise SystemExit(99)\n")
    environment = {"PYTHONPATH": "/host", "PYTHONHOME": "/host", "PYTHONSTARTUP": "/host/pathlib.py"}
    status, log = run("--version", inputs={"/host": empty}, environment=environment)
    assert status == 0, log


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("/bids", "/out", "session"), 17),
        (("/bids", "/out", "participant", "--no-such-option"), 64),
        (("/nowhere", "/out", "participant"), 66),
        (("/bids", "/out", "participant"), 73),
    ],
    ids=["unknown level", "unknown option", "missing input", "nothing to write to"],
)
def test_exit_codes_of_wrong_usage(run, empty, arguments, expected):
    status, log = run(*arguments, inputs={"/bids": empty})
    assert status == expected, log
    assert "Traceback" not in log


def test_a_dataset_that_is_not_bids_is_refused_by_the_validator_within(run, empty, shared_folder):
    (empty / "dataset_description.json").write_text('{"Name": "a", "BIDSVersion": "1.10.0"}')
    (empty / "sub-01" / "func").mkdir(parents=True)
    (empty / "sub-01" / "func" / "stranger.txt").write_text("not BIDS")
    status, log = run("/bids", "/out", "participant", inputs={"/bids": empty}, output=shared_folder())
    assert status == 16, log
    assert "/stranger.txt" in log


@pytest.mark.slow
def test_every_participant_and_the_group_have_a_report(analysed, trial):
    participants = sorted(path.name for path in trial.glob("sub-*") if path.is_dir())
    assert participants
    assert [name for name in participants if not list(analysed.glob(f"{name}*.html"))] == []
    assert (analysed / "group" / "index.html").is_file()


@pytest.mark.slow
def test_what_the_image_writes_is_valid_and_says_what_wrote_it(analysed, validation_errors):
    assert validation_errors(analysed) == []
    made_by = json.loads((analysed / "dataset_description.json").read_text())["GeneratedBy"][0]
    version = (ROOT / "version").read_text().strip()
    assert made_by["Version"] == version
    assert made_by["Container"] == {"Type": "docker", "Tag": f"trialgraph:{version}"}
    assert not (analysed / "work").exists()


@pytest.mark.slow
def test_maps_are_the_same_bit_by_bit_inside_and_outside(analysed, trial, tmp_path):
    command = [sys.executable, ROOT / "run.py", trial, tmp_path / "out", "participant", "--n-cpus", 2, *SCALE]
    command += ["--skip-bids-validation", "--participant-label", "01", "02"]
    # Which instructions BLAS may use is the container's own choice, so that it must be so outside.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    inside, outside = (sorted(folder.glob("sub-0[12]/**/*.nii.gz")) for folder in (analysed, tmp_path / "out"))
    assert [path.name for path in inside] == [path.name for path in outside]
    assert len(inside) > 60
    for first, second in zip(map(nib.load, inside), map(nib.load, outside), strict=True):
        assert first.header.binaryblock == second.header.binaryblock, first.get_filename()
        assert first.dataobj.get_unscaled().tobytes() == second.dataobj.get_unscaled().tobytes(), first.get_filename()


@pytest.mark.slow
def test_kernels_come_compiled_whatever_the_environment_says(run, trial, shared_folder):
    """A home, caches and a temporary folder that the host has and the container has not."""
    gone = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TMPDIR"), "/of/the/host")
    one = ("/bids", "/out", "participant", "--participant-label", "01", "--n-cpus", 1, *SCALE)
    folders = {"inputs": {"/bids": trial}, "output": shared_folder()}
    status, log = run(*one, environment=gone | {"NUMBA_DEBUG_CACHE": "1"}, **folders)
    assert status == 0, log
    assert "[cache] data loaded" in log
    assert "[cache] data saved" not in log


@pytest.mark.slow
def test_containers_at_once_share_an_output_folder(start, trial, shared_folder, validation_errors, whole_files):
    """In each of them the app is process 1; here each also has a work folder of its own under the same parent."""
    output = shared_folder()
    labels = ("01", "02", "03")
    containers = [
        start(
            *("/bids", "/out", "participant", "--participant-label", label, "--n-cpus", 1, "--skip-bids-validation"),
            *("--metrics", "degree", *SCALE),
            inputs={"/bids": trial},
            output=output,
        )
        for label in labels
    ]
    for container in containers:
        status, log = ended(container)
        assert status == 0, log
    assert whole_files(output) == set(labels)
    assert {path.stem for path in (output / "logs" / "status").iterdir()} == {f"sub-{label}" for label in labels}
    assert validation_errors(output) == []


@pytest.mark.slow
def test_a_killed_run_is_taken_up_where_it_was(start, run, trial, shared_folder):
    output = shared_folder()
    call = ("/bids", "/out", "participant", "--participant-label", "01", "--n-cpus", 1, "--work-dir", "/out/work/mine")
    call += ("--skip-bids-validation", "--metrics", "degree", *SCALE)
    container = start(*call, **(folders := {"inputs": {"/bids": trial}, "output": output}))
    for line in container.logs(stream=True):
        if line.startswith(b"1 of 2 done"):
            container.kill()
            break
    assert container.wait()["StatusCode"] == 137
    results = {
        path: path.stat().st_mtime_ns for path in output.glob("work/mine/code-*/trialgraph_wf/**/result_clean.pklz")
    }
    assert results
    status, log = run(*call, **folders)
    assert status == 0, log
    assert {path: path.stat().st_mtime_ns for path in results} == results, "cleaning is not repeated"
