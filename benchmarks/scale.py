"""Hundreds of people: seconds and memory of the start of each level, and of each page, beside its goal.

    python -m benchmarks.scale [--participants 50 100 300]

One participant is processed on a grid of 15 mm; everyone else gets copies of the maps of one measure with noise of
their own. The page of a participant shows four measures of two visits on the grey matter at 3 mm. Each call runs in a
process of its own; of a page the imports do not count.
"""

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.indexing import DRIVER, ROOT, label, write_tree
from bids_app.space.grid import template_grid

ONE = "sub-0001"
GOALS = {  # seconds of the processor for 300 participants
    "check": 60,
    "participant, to its first node": 60,
    "group, to its first node": 60,
    "index page": 3,
    "group page": None,
    "participant's page, 3 mm": 3,
}
PAGES = """
import json, resource, sys, time
from pathlib import Path
import nilearn.datasets, nilearn.plotting
from bids_app.report.index import write_pages_of_all
from bids_app.report.overview import write_group_pages
from bids_app.report.participant import write_participant_page
out = Path(sys.argv[2])
made = {
    "index page": lambda: write_pages_of_all(out),
    "group page": lambda: write_group_pages(out / "group"),
    "participant's page, 3 mm": lambda: write_participant_page(out, "0001"),
}[sys.argv[1]]
begun, used = time.perf_counter(), time.process_time()
made()
taken = [time.perf_counter() - begun, time.process_time() - used]
print(json.dumps([*taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--participants", type=int, nargs="+", default=[50, 100, 300])
    options = options.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    print(f"{_processor()}, commit {commit.stdout.strip()}\n")
    print("| participants | call | seconds | of the processor | times that of the fewest | goal of 300 | MiB |")
    print("|---|---|---|---|---|---|---|")
    fewest = {}
    with tempfile.TemporaryDirectory() as folder:
        one = process_one(Path(folder))
        for n in options.participants:
            for called, (wall, used, memory) in measured(Path(folder) / str(n), n, one):
                ratio, goal = used / fewest.setdefault(called, used), GOALS[called]
                said = "" if goal is None else f"{goal} s"
                print(f"| {n} | {called} | {wall:.1f} | {used:.1f} | {ratio:.1f} | {said} | {memory:.0f} |", flush=True)
        page = ran(PAGES, "participant's page, 3 mm", at_3_mm(one, Path(folder) / "fine"))
        print(f"| 1 | participant's page, 3 mm | {page[0]:.1f} | {page[1]:.1f} | | 3 s | {page[2]:.0f} |")


def measured(root, n, one):
    """Yield each call on n participants and what it took."""
    write_tree(root / "bids", n)
    yield "check", ran(DRIVER, "check", root / "bids", root / "none", "--design", "groups")
    level = ("participant", "--metrics", "degree", "--skip-bids-validation")
    yield "participant, to its first node", ran(DRIVER, root / "bids", root / "none", *level)
    output = multiplied(one, root / "out", n)
    level = ("group", "--metrics", "degree", "--voxel-size", 15, "--n-permutations", 20, "--n-cpus", 1)
    yield "group, to its first node", ran(DRIVER, root / "bids", output, *level)
    app(root / "bids", output, *level)
    for page in ("index page", "group page"):
        yield page, ran(PAGES, page, output)
    shutil.rmtree(root)


def ran(program, *words):
    """Return the seconds, those of the processor, and the peak memory in MiB that a program prints of itself."""
    call = [sys.executable, "-c", program, *map(str, words)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("[")), None)
    if line is None:
        raise SystemExit(done.stderr + done.stdout[-2000:])
    return json.loads(line)


def app(*words):
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", *map(str, words)], capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 65):  # 65: of so few draws, or of maps of noise, something cannot be said
        raise SystemExit(done.stderr[-2000:])


def process_one(root):
    """Run the participant level on one person whose series are noise; return its output folder."""
    bids, output, rng = root / "one", root / "first", np.random.default_rng(0)
    write_tree(bids, 1)
    for path in bids.rglob("*desc-preproc_bold.nii.gz"):
        image = nib.load(path)
        wave = 10 * np.sin(np.arange(image.shape[3]) / 5)
        values = rng.normal(1000, 20, image.shape) + wave
        noisy = nib.Nifti1Image(values.astype(np.float32), image.affine, image.header)
        noisy.set_data_dtype(np.float32)
        nib.save(noisy, path)
    app(bids, output, "participant", "--voxel-size", 15, "--n-cpus", 1, "--skip-bids-validation")
    return output


def files_of(output):
    """List the files that a run left, but for its work folder."""
    return [path for path in output.rglob("*") if path.is_file() and path.relative_to(output).parts[0] != "work"]


def multiplied(one, output, n):
    """Write the results of one participant for n: of one measure, with noise in the maps and motion of their own."""
    rng = np.random.default_rng(0)
    for path in files_of(one):
        name = path.relative_to(one).as_posix()
        if "/figures/" in name or ("_stat-" in name and "_stat-degree_" not in name):
            continue
        for number in range(1, n + 1) if ONE in name else [1]:
            own = f"sub-{label(number)}"
            target = output / name.replace(ONE, own)
            target.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("boldmap.nii.gz"):
                image = nib.load(path)
                values = image.get_fdata(dtype=np.float32) + rng.normal(0, 0.5, image.shape).astype(np.float32)
                nib.save(nib.Nifti1Image(values, image.affine, image.header), target)
            elif name.endswith((".json", ".html")):
                text = path.read_text().replace(ONE, own).replace(f'"{ONE[4:]}"', f'"{own[4:]}"')
                target.write_text(_moved(text, number) if name.endswith(".json") else text)
            else:
                shutil.copyfile(path, target)
    return output


def _moved(text, number):
    """Give what a sidecar says of a scan's motion another value for each person."""
    content = json.loads(text)
    if "MeanFramewiseDisplacement" in content:
        content["MeanFramewiseDisplacement"] *= 1 + number % 17 / 20
    return json.dumps(content)


def at_3_mm(one, output):
    """Write one participant's results with smooth maps on the grey matter at 3 mm in place of its own."""
    grid, rng = template_grid("gm", 3), np.random.default_rng(0)
    for path in files_of(one):
        target = output / path.relative_to(one).as_posix().replace("_res-15mm", "_res-3mm")
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.name.endswith("boldmap.nii.gz"):
            values = np.abs(gaussian_filter(rng.standard_normal(grid.mask.shape), 2))[grid.mask]
            nib.save(grid.image(values), target)
        else:
            shutil.copyfile(path, target)
    return output


def _processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
