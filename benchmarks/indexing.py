"""Many participants with two sessions: seconds and memory of `check` and of what comes before the first node.

    python -m benchmarks.indexing [--participants 50 100 300] [--raw-only] [--profile]

Raw scans and the outputs of fMRIPrep as it names them are written to a temporary folder; images that are read have a
header and voxels of 15 mm, the others are empty. Each call runs in a process of its own.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

ROOT = Path(__file__).parents[1]
SHAPE, AFFINE = (12, 14, 12), np.array([[15, 0, 0, -90], [0, 15, 0, -126], [0, 0, 15, -72], [0, 0, 0, 1.0]])
N_VOLUMES = 200
SPACE = "space-MNI152NLin2009cAsym"
ANAT = (
    *("desc-aparcaseg_dseg.nii.gz", "desc-aseg_dseg.nii.gz", "desc-brain_mask.json", "desc-brain_mask.nii.gz"),
    *("desc-preproc_T1w.json", "desc-preproc_T1w.nii.gz", "dseg.nii.gz"),
    *(f"label-{tissue}_probseg.nii.gz" for tissue in ("CSF", "GM", "WM")),
    *(f"hemi-{side}_{kind}.surf.gii" for side in "LR" for kind in ("inflated", "midthickness", "pial", "white")),
    *(f"from-{one}_mode-image_xfm.h5" for one in ("T1w_to-MNI152NLin2009cAsym", "MNI152NLin2009cAsym_to-T1w")),
    *(f"{SPACE}_{what}" for what in ("desc-brain_mask.nii.gz", "desc-preproc_T1w.nii.gz", "dseg.nii.gz")),
)
FUNC = (
    *("from-boldref_to-T1w_mode-image_desc-coreg_xfm.txt", "from-orig_to-boldref_mode-image_desc-hmc_xfm.txt"),
    *("desc-coreg_boldref.nii.gz", "desc-hmc_boldref.nii.gz", "desc-brain_mask.nii.gz", f"{SPACE}_boldref.nii.gz"),
    *("desc-coreg_boldref.json", "desc-hmc_boldref.json", "desc-brain_mask.json"),
)
FIGURES = ("carpetplot", "compcorvar", "confoundcorr", "coreg", "rois", "sdc", "summary", "validation")
# What a process of its own runs: the app with its arguments, to its end or to the first node, and what that took.
DRIVER = """
import json, os, resource, sys, time
begun = time.perf_counter()
from bids_app.cli.main import main
def end(*_, **__):
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used)
    taken = [time.perf_counter() - begun, processor, used[0].ru_maxrss / 1024]
    print(json.dumps(taken), file=sys.__stdout__, flush=True)
    os._exit(0)
if sys.argv[1] != "check":
    from bids_app.runtime import nipype_run
    nipype_run._report = end
code = main(sys.argv[1:])
if code or sys.argv[1] != "check":
    sys.exit(f"ended with {code} before the first node")
end()
"""


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--participants", type=int, nargs="+", default=[50, 100, 300])
    options.add_argument(
        "--raw-only", action="store_true", help="without preprocessed data: what would be preprocessed"
    )
    options.add_argument("--profile", action="store_true", help="say which functions take the time")
    options = options.parse_args()
    print("| participants | files | call | seconds | of the processor | MiB |\n|---|---|---|---|---|---|")
    for n in options.participants:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            files = write_tree(root / "bids", n, raw_only=options.raw_only)
            output = root / "out"
            for called, words in calls(root / "bids", output, options.raw_only):
                seconds, processor, memory = timed(words, options.profile)
                print(f"| {n} | {files} | {called} | {seconds:.0f} | {processor:.0f} | {memory:.0f} |", flush=True)


def calls(bids, output, raw_only):
    """Yield what is timed, in order, and its words; what the first call keeps is there for the next."""
    yield "check", ["check", bids, output, "--design", "groups"]
    if not raw_only:
        level = [bids, output, "participant", "--metrics", "degree"]
        yield "participant, to its first node", level
        yield "participant again", level
        yield "participant of one", [*level, "--participant-label", "0001"]


def timed(words, profile):
    """Return the seconds, those of the processor, and the peak memory of the process, MiB."""
    call = [sys.executable, "-c", DRIVER, *map(str, words)]
    if profile:
        script = Path(tempfile.gettempdir()) / "indexing_driver.py"
        script.write_text(DRIVER.replace("os._exit(0)", "sys.exit(0)"))
        call[1:3] = ["-m", "cProfile", "-s", "cumtime", str(script)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("[")), None)
    if line is None:
        raise SystemExit(done.stderr + done.stdout[-2000:])
    if profile:
        print(done.stdout.partition("function calls")[2][:8000])
    return json.loads(line)


def write_tree(root, n, *, raw_only=False):
    """Write the raw data and the preprocessed ones of n participants; return how many files."""
    derivative = root / "derivatives" / "fmriprep"
    describe(root, "raw")
    rows = [f"sub-{label(one)}\t{'drug' if one % 2 else 'placebo'}\t{20 + one % 50}" for one in range(1, n + 1)]
    (root / "participants.tsv").write_text("\n".join(["participant_id\tarm\tage", *rows]) + "\n")
    (root / "task-rest_bold.json").write_text(json.dumps({"TaskName": "rest", "RepetitionTime": 2.0}))
    templates = root.parent / "templates"
    series, image, mask, confounds = write_templates(templates)
    if not raw_only:
        describe(derivative, "derivative", GeneratedBy=[{"Name": "fMRIPrep", "Version": "24.1.1"}])
    for one in range(1, n + 1):
        for session in ("1", "2"):
            place, stem = Path(f"sub-{label(one)}", f"ses-{session}"), f"sub-{label(one)}_ses-{session}"
            put(series, root / place / "func" / f"{stem}_task-rest_bold.nii.gz")
            put(image, root / place / "anat" / f"{stem}_T1w.nii.gz")
            (root / place / "anat" / f"{stem}_T1w.json").write_text("{}")
            (root / place / "func" / f"{stem}_task-rest_bold.json").write_text('{"EchoTime": 0.03}')
            if raw_only:
                continue
            bold = f"{stem}_task-rest_{SPACE}_desc-preproc_bold"
            put(series, derivative / place / "func" / f"{bold}.nii.gz")
            (derivative / place / "func" / f"{bold}.json").write_text('{"RepetitionTime": 2.0}')
            put(mask, derivative / place / "func" / f"{stem}_task-rest_{SPACE}_desc-brain_mask.nii.gz")
            put(confounds, derivative / place / "func" / f"{stem}_task-rest_desc-confounds_timeseries.tsv")
            (derivative / place / "func" / f"{stem}_task-rest_desc-confounds_timeseries.json").write_text("{}")
            touch(derivative / place / "func", [f"{stem}_task-rest_{name}" for name in FUNC])
            touch(derivative / place / "anat", [f"{stem}_{name}" for name in ANAT])
            figures = [f"{stem}_task-rest_desc-{name}_bold.svg" for name in FIGURES]
            touch(derivative / f"sub-{label(one)}" / "figures", figures)
    shutil.rmtree(templates)
    return sum(path.is_file() for path in root.rglob("*"))


def label(number):
    return f"{number:04d}"


def describe(path, kind, **more):
    path.mkdir(parents=True)
    content = {"Name": "many", "BIDSVersion": "1.10.0", "DatasetType": kind, "License": "CC0", **more}
    (path / "dataset_description.json").write_text(json.dumps(content))


def write_templates(folder):
    """Write once what is the same for everyone."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    brain = np.ones(SHAPE, np.uint8)
    paths = [folder / name for name in ("series.nii.gz", "image.nii.gz", "mask.nii.gz", "confounds.tsv")]
    series = nib.Nifti1Image(np.zeros((*SHAPE, N_VOLUMES), np.int16), AFFINE)
    series.header.set_xyzt_units("mm", "sec")
    series.header.set_zooms((15, 15, 15, 2.0))
    nib.save(series, paths[0])
    for path in paths[1:3]:
        nib.save(nib.Nifti1Image(brain, AFFINE), path)
    axes = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    motion = [f"{axis}{end}" for axis in axes for end in ("", "_derivative1", "_power2", "_derivative1_power2")]
    others = [f"a_comp_cor_{number:02d}" for number in range(120)]
    names = [*motion, *others, "csf", "white_matter", "global_signal", "framewise_displacement"]
    values = rng.uniform(0, 0.05, (N_VOLUMES, len(names)))
    rows = ["\t".join(names), *("\t".join(f"{value:.6f}" for value in row) for row in values)]
    paths[3].write_text("\n".join(rows) + "\n")
    return paths


def put(source, target):
    """Copy a file; a name of the same one would do, but for its times."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def touch(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


if __name__ == "__main__":
    main()
