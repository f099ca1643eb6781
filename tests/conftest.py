import compileall
import contextlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# Before anything imports numba or matplotlib: what they compile and look up, they do once for all workers, and for
# the program in the processes of its own that tests start.
for variable in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
    cache = Path(__file__).parents[1] / ".pytest_cache" / variable.lower()
    cache.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault(variable, str(cache))
# Where PYTHONDONTWRITEBYTECODE is set, each of those processes would compile the whole program: 1.5 s.
compileall.compile_dir(Path(__file__).parents[1] / "bids_app", quiet=2)

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from browser import browse, chromium  # noqa: F401
from harness import run  # noqa: F401
from hypothesis import settings
from nipype import logging as nipype_logging
from outputs import require_schema
from simulated_trial import compared, simulated  # noqa: F401

from bids_app.bids.names import Name, build, folder
from bids_app.cli.main import main

settings.register_profile("untimed", deadline=None)  # a machine that is busy fails no test
settings.load_profile("untimed")

MNI = "MNI152NLin2009cAsym"
SHAPE = (12, 14, 12)
AFFINE = np.array([[15.0, 0, 0, -82.5], [0, 15, 0, -115], [0, 0, 15, -75], [0, 0, 0, 1]])
SCALE = ("--voxel-size", "15", "--denoise", "simple", "--min-minutes", "1", "--n-cpus", "1")
SMALL = (*SCALE, "--metrics", "degree", "--smooth-maps", "20")


OF_ENGINES = ("test_container", "test_apptainer", "test_slurm")  # one after the other: they share the machine
ENGINES = "engines"
BUILD_SECONDS = 1800
LONG = ("slow", "container", "apptainer", "slurm")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keep the tests of a file, and of files that share a trial, on one worker: what fixtures make is made once.

    Groups with long tests come first, so that no worker waits for the other at the end; of these the tests of the image
    come last, which may be being built.
    """
    of_trial = {item.path for item in items if "compared" in getattr(item, "fixturenames", ())}
    group_of = {item: _group(item.path, of_trial) for item in items}
    long = {group for item, group in group_of.items() if any(map(item.get_closest_marker, LONG))}
    for item, group in group_of.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: (group_of[item] not in long, group_of[item] == ENGINES))


def pytest_runtest_setup(item):
    """Wait for the image where it is being built meanwhile, and a file says with which exit code that ended."""
    built = os.environ.get("TRIALGRAPH_BUILT")
    if not built or item.path.stem not in OF_ENGINES:
        return
    end = time.monotonic() + BUILD_SECONDS
    while not Path(built).exists():
        if time.monotonic() > end:
            pytest.fail(f"the image is not built after {BUILD_SECONDS} s")
        time.sleep(1)
    if (code := Path(built).read_text().strip()) != "0":
        pytest.fail(f"the image was not built: exit code {code}")


def _group(path, of_trial):
    if path.stem in OF_ENGINES:
        return ENGINES
    return "compared" if path in of_trial else path.stem


@pytest.fixture(scope="session")
def validation_errors():
    """What bids-validator-deno, installed beside this Python, has against a folder: a list of code and place."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    validator = shutil.which("bids-validator-deno", path=os.pathsep.join(folders))
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")

    def validate(folder):
        report = subprocess.run([validator, folder, "--json"], capture_output=True, text=True, check=False).stdout
        issues = json.loads(report)["issues"]["issues"]
        return [(issue["code"], issue["location"]) for issue in issues if issue["severity"] == "error"]

    return validate


@pytest.fixture(scope="session")
def shared_data():
    """Real data that lies beside the checkout, or where TRIALGRAPH_SHARED says."""
    folder = Path(os.environ.get("TRIALGRAPH_SHARED", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


def brain():
    """Return an ellipsoid as large as the template's brain, on the grid of the small images."""
    xyz = nib.affines.apply_affine(AFFINE, np.argwhere(np.ones(SHAPE)))
    return (((xyz - (0, -18, 8)) / (72, 90, 72)) ** 2).sum(axis=1).reshape(SHAPE) <= 1


def bold_data(seed, n_volumes):
    """Return (X, Y, Z, T) series: three slow sources that overlap in space, and noise."""
    rng = np.random.default_rng(seed)
    seconds = 2.0 * np.arange(n_volumes)
    phases = rng.uniform(0, 2 * np.pi, 3)
    sources = np.sin(2 * np.pi * np.outer([0.02, 0.04, 0.07], seconds) + phases[:, None])
    weights = rng.normal(0, 1, (*SHAPE, 3))
    return (1000 + 20 * weights @ sources + rng.normal(0, 5, (*SHAPE, n_volumes))).astype(np.float32)


def confounds_table(seed, n_volumes):
    """Return what fMRIPrep writes of motion (24 columns), tissue signals and displacement."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame()
    for axis in ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"):
        table[axis] = rng.normal(0, 0.01, n_volumes).cumsum() * (0.02 if "rot" in axis else 1)
        table[f"{axis}_derivative1"] = table[axis].diff()
        table[f"{axis}_power2"] = table[axis] ** 2
        table[f"{axis}_derivative1_power2"] = table[axis].diff() ** 2
    for tissue in ("csf", "white_matter", "global_signal"):
        table[tissue] = 1000 + rng.normal(0, 3, n_volumes)
    table["framewise_displacement"] = rng.uniform(0.05, 0.2, n_volumes)
    table.loc[0, "framewise_displacement"] = np.nan
    return table


@dataclass(frozen=True)
class SmallTrial:
    """A raw dataset with a preprocessed one, made file by file.

    Attributes
    ----------
    bids : Path
    fmriprep : Path
        Under ``bids`` or elsewhere.
    """

    bids: Path
    fmriprep: Path

    def begin(self, version="23.2.1"):
        self.describe(self.bids, "raw")
        self.describe(self.fmriprep, "derivative", GeneratedBy=[{"Name": "fMRIPrep", "Version": version}])
        return self

    @staticmethod
    def describe(path, kind, **more):
        path.mkdir(parents=True, exist_ok=True)
        content = {"Name": "small trial", "BIDSVersion": "1.8.0", "DatasetType": kind, **more}
        (path / "dataset_description.json").write_text(json.dumps(content))

    def name(self, suffix, extension, entities):
        path = self.fmriprep / folder(entities) / build(entities, suffix, extension)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def add_run(self, sub="01", ses="1", *, n_volumes=60, confounds="desc-confounds_timeseries", hollow=False, **more):
        """Write a BOLD image with its sidecar, brain mask and confounds; hollow ones hold no voxel.

        ``more`` are entities in fMRIPrep's order, or ``mask`` (the mask's last entity) and ``extension``.
        """
        extension, mask = more.pop("extension", ".nii.gz"), more.pop("mask", "desc-brain")
        entities = {"sub": sub, "ses": ses, "task": "rest", "space": MNI} | more
        bold = self.name("bold", extension, entities | {"desc": "preproc"})
        stem = bold.name.removesuffix(f"_desc-preproc_bold{extension}")
        mask_path = bold.with_name(f"{stem}_{mask}_mask{extension}")
        source = build({key: entities.get(key) for key in entities if key not in ("space", "res", "cohort")}, "", "")
        table_path = bold.with_name(f"{source}{confounds}.tsv")
        bold.with_name(f"{stem}_desc-preproc_bold.json").write_text('{"RepetitionTime": 2.0, "TaskName": "rest"}')
        if hollow:
            for path in (bold, mask_path, table_path):
                path.touch()
            return bold
        seed = sum(map(ord, bold.name))
        save_bold(bold, bold_data(seed, n_volumes))
        nib.save(nib.Nifti1Image(brain().astype(np.uint8), AFFINE), mask_path)
        confounds_table(seed, n_volumes).to_csv(table_path, sep="\t", na_rep="n/a", index=False)
        return bold

    def add_arms(self, column="arm", **arms):
        """Write participants.tsv with everyone's arm."""
        rows = "".join(f"sub-{sub.removeprefix('s')}\t{arm}\n" for sub, arm in arms.items())
        (self.bids / "participants.tsv").write_text(f"participant_id\t{column}\n{rows}")

    def file(self, pattern, sub="01", ses="1"):
        """Return the path of one preprocessed file of a participant's visit."""
        (path,) = (self.fmriprep / f"sub-{sub}" / f"ses-{ses}" / "func").glob(pattern)
        return path


def save_bold(path, data):
    image = nib.Nifti1Image(data, AFFINE)
    image.header.set_zooms((15, 15, 15, 2.0)[: data.ndim])
    nib.save(image, path)


@pytest.fixture
def empty_trial(tmp_path):
    """A raw dataset and fMRIPrep's folder within it, without scans."""
    return SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "fmriprep").begin()


@pytest.fixture
def trial(empty_trial):
    """One participant, scanned once."""
    empty_trial.add_run()
    empty_trial.add_arms(s01="placebo")
    return empty_trial


@dataclass(frozen=True)
class Outcome:
    """What one call of the app gave: its exit code, and what it said."""

    code: int
    said: str


@pytest.fixture(scope="session")
def app():
    """Call the app in this process, without the validator; what it changes there is put back."""
    os.environ["TMPDIR"] = tempfile.gettempdir()
    logger = logging.getLogger("bids_app")

    def call(*words):
        before, heard = dict(os.environ), io.StringIO()
        settled = logger.handlers[:], logger.level, logger.propagate
        for name in ("workflow", "interface", "utils"):  # what nipype.cfg says, if nipype was imported before
            nipype_logging.getLogger(f"nipype.{name}").setLevel(logging.CRITICAL)
        try:
            with contextlib.redirect_stderr(heard), contextlib.redirect_stdout(heard):
                code = main([*map(str, words), "--skip-bids-validation"])
        finally:
            for handler in logger.handlers:
                handler.close()
            logger.handlers[:], logger.level, logger.propagate = settled
            os.environ.clear()
            os.environ.update(before)
        if code == 0 and words[2:3] == ("group",):
            require_schema(Path(words[1]))
        return Outcome(code, heard.getvalue())

    return call


@pytest.fixture(scope="session")
def whole_files():
    """Return a check that an output folder holds nothing half-written, which gives whom there are maps of."""

    def check(output):
        files = [path for path in output.rglob("*") if path.is_file() and "work" not in path.relative_to(output).parts]
        assert not [path for path in files if path.name.startswith(".partial-")]
        for path in files:
            if path.parent.name == "func":
                assert path.with_name(path.name.partition(".")[0] + ".json").is_file(), path
            if path.name.endswith(".nii.gz"):
                assert path.with_name(path.name.replace(".nii.gz", ".json")).is_file(), path
                assert np.asanyarray(nib.load(path).dataobj).size
            elif path.suffix == ".json":
                json.loads(path.read_text())
        return {Name.parse(path).entities["sub"] for path in files if path.name.endswith("boldmap.nii.gz")}

    return check


@pytest.fixture(scope="session")
def finished(tmp_path_factory, app):
    """Two arms of three, two visits each, after the participant level; the last scan of sub-06 is cut short."""
    root = tmp_path_factory.mktemp("finished")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for participant in ("01", "02", "03", "04", "05", "06"):
        for session in ("1", "2"):
            bold = trial.add_run(participant, session)
    bold.write_bytes(bold.read_bytes()[: bold.stat().st_size // 2])
    arms = {f"s0{number}": "placebo" if number <= 3 else "ketamine" for number in range(1, 7)}
    trial.add_arms(**arms)
    outcome = app(trial.bids, root / "out", "participant", *SMALL)
    return trial, root / "out", outcome
