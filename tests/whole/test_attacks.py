"""Attacks on the input and on the output folder: each ends soon, with a known exit code and one message.

Every row is a scan, a table, a description or a file of ours that is hostile or damaged.
"""

import gzip
import json
import os
import resource
import shutil
import struct
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from conftest import SCALE, SmallTrial
from harness import contents

from bids_app.bids.status import read_status

pytestmark = pytest.mark.slow
SECONDS = 60  # after which a run hangs
FINE = {0, 16, 18, 64, 65, 66, 73}
OPTIONS = (*SCALE, "--metrics", "degree", "--smooth-maps", "20", "--skip-bids-validation")
GROUP = (*OPTIONS, "--n-permutations", "20")
BOLD, MASK, SIDECAR = "*preproc_bold.nii.gz", "*brain_mask.nii.gz", "*preproc_bold.json"
CONFOUNDS = "*confounds_timeseries.tsv"


def header(*patterns, at, form, values):
    """Return what overwrites a part of the header of images."""

    def spoil(trial):
        for pattern in patterns:
            path = trial.file(pattern)
            raw = bytearray(gzip.decompress(path.read_bytes()))
            struct.pack_into(form, raw, at, *values)
            path.write_bytes(gzip.compress(bytes(raw), 1))

    return spoil


def shape(*sizes, of=BOLD):
    return header(of, at=40, form="<8h", values=(len(sizes), *sizes, *[1] * (7 - len(sizes))))


def affine(value, *patterns):
    return header(*patterns, at=280, form="<12f", values=[value] * 12)


def content(pattern, text):
    return lambda trial: trial.file(pattern).write_text(text)


def instead(pattern, make):
    """Return what puts a pipe, a folder or a link in the place of a file."""

    def spoil(trial):
        path = trial.file(pattern)
        path.unlink()
        make(path)

    return spoil


def zeros_after_the_image(trial):
    path = trial.file(BOLD)
    raw = gzip.decompress(path.read_bytes())
    with gzip.open(path, "wb", 1) as file:
        file.write(raw)
        for _ in range(64):
            file.write(b"\0" * 2**24)  # 1 GB


def confounds(change):
    def spoil(trial):
        path = trial.file(CONFOUNDS)
        table = pd.read_csv(path, sep="\t", na_values="n/a")
        change(table).to_csv(path, sep="\t", na_rep="n/a", index=False)

    return spoil


def nul_bytes(trial):
    path = trial.file(CONFOUNDS)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n\0", 3))


def twice(trial):
    path = trial.file(CONFOUNDS)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"{line}\t{line.split(chr(9))[0]}" for line in lines))


NESTED, DIGITS = "[" * 100_000, "9" * 5000
REPETITION_TIMES = (
    "NaN",
    "-2",
    "0",
    '"2.0"',
    '"two"',
    "2000",
    "Infinity",
    "[2.0]",
    "{}",
    "true",
    "1e-9",
    "null",
    "1e400",
)
SCANS = {
    "BOLD of 32767^4 voxels": shape(32767, 32767, 32767, 32767),
    "BOLD of 2000^3 voxels": shape(2000, 2000, 2000, 60),
    "BOLD and mask of 3000^3 voxels": lambda trial: (
        shape(3000, 3000, 3000, 60)(trial),
        shape(3000, 3000, 3000, of=MASK)(trial),
    ),
    "BOLD of a million volumes": shape(12, 14, 12, 32767),
    "BOLD of no volume": shape(12, 14, 12, 0),
    "BOLD of one volume": shape(12, 14, 12, 1),
    "mask of 3000^3 voxels": shape(3000, 3000, 3000, of=MASK),
    "mask of negative size": shape(-12, 14, 12, of=MASK),
    "BOLD of negative size": shape(12, -14, 12, 60),
    "BOLD of eight dimensions": header(BOLD, at=40, form="<h", values=(8,)),
    "BOLD begins far away": header(BOLD, at=108, form="<f", values=(1e9,)),
    "BOLD begins nowhere": header(BOLD, at=108, form="<f", values=(float("nan"),)),
    "BOLD begins before itself": header(BOLD, at=108, form="<f", values=(-1e4,)),
    "BOLD of no type": header(BOLD, at=70, form="<h", values=(0,)),
    "BOLD of complex numbers": header(BOLD, at=70, form="<2h", values=(32, 64)),
    "BOLD of colours": header(BOLD, at=70, form="<2h", values=(128, 24)),
    "BOLD with an affine of NaN": affine(float("nan"), BOLD),
    "BOLD with an affine of infinity": affine(float("inf"), BOLD),
    "BOLD with an affine of zeros": affine(0.0, BOLD),
    "all with an affine of zeros": affine(0.0, BOLD, MASK),
    "all with an affine of NaN": affine(float("nan"), BOLD, MASK),
    "all with an affine of ones": affine(1.0, BOLD, MASK),
    "all with an affine of 1e30": affine(1e30, BOLD, MASK),
    "BOLD with a slope of NaN": header(BOLD, at=112, form="<2f", values=(float("nan"), float("inf"))),
    "BOLD with a slope of 3e38": header(BOLD, at=112, form="<2f", values=(3e38, 0)),
    "mask with a slope of zero": header(MASK, at=112, form="<2f", values=(0.0, 1.0)),
    "zeros after the image": zeros_after_the_image,
    **{f"RepetitionTime {value}": content(SIDECAR, f'{{"RepetitionTime": {value}}}') for value in REPETITION_TIMES},
    "sidecar nested": content(SIDECAR, f'{{"a": {NESTED}{"]" * 100_000}}}'),
    "sidecar of 65 MB": content(SIDECAR, '{"RepetitionTime": 2.0, "x": "' + "x" * 65 * 2**20 + '"}'),
    "sidecar with a key twice": content(SIDECAR, '{"RepetitionTime": 2.0, "RepetitionTime": 3.0}'),
    "sidecar with many digits": content(SIDECAR, f'{{"RepetitionTime": 2.0, "x": {DIGITS}}}'),
    "sidecar with half a letter": content(SIDECAR, '{"RepetitionTime": 2.0, "TaskName": "\\ud800"}'),
    "sidecar a list": content(SIDECAR, "[2.0]"),
    "sidecar empty": content(SIDECAR, ""),
    "sidecar a pipe": instead(SIDECAR, os.mkfifo),
    "sidecar a folder": instead(SIDECAR, os.mkdir),
    "sidecar a device": instead(SIDECAR, lambda path: path.symlink_to("/dev/zero")),
    "BOLD a pipe": instead(BOLD, os.mkfifo),
    "BOLD a device": instead(BOLD, lambda path: path.symlink_to("/dev/zero")),
    "BOLD a link to itself": instead(BOLD, lambda path: path.symlink_to(path)),
    "mask a pipe": instead(MASK, os.mkfifo),
    "mask a folder": instead(MASK, os.mkdir),
    "mask a device": instead(MASK, lambda path: path.symlink_to("/dev/zero")),
    "confounds a pipe": instead(CONFOUNDS, os.mkfifo),
    "confounds a folder": instead(CONFOUNDS, os.mkdir),
    "confounds a device": instead(CONFOUNDS, lambda path: path.symlink_to("/dev/zero")),
    "confounds with NUL": nul_bytes,
    "confounds of one line": lambda trial: trial.file(CONFOUNDS).write_text("a\t" * 25_000_000),
    "confounds of one word": lambda trial: trial.file(CONFOUNDS).write_text("a" * 50_000_000),
    "confounds of 30,000 columns": content(CONFOUNDS, "\t".join(f"c{i}" for i in range(30_000)) + "\n"),
    "confounds of 1e308": confounds(lambda table: table.assign(csf=1e308)),
    "confounds of infinity": confounds(lambda table: table.assign(csf=np.inf)),
    "confounds of words": confounds(lambda table: table.assign(csf="x")),
    "confounds all missing": confounds(lambda table: table * np.nan),
    "confounds of no row": confounds(lambda table: table[:0]),
    "confounds with a column twice": twice,
}


FOLDERS = {
    "a folder that holds itself": lambda trial: (trial.fmriprep / "sub-01" / "loop").symlink_to(".."),
    "a copy that is not compressed": lambda trial: shutil.copy(
        trial.file(BOLD), trial.file(BOLD).with_name(trial.file(BOLD).name.removesuffix(".gz"))
    ),
    "BOLD a folder": instead(BOLD, os.mkdir),
    "no file at all": lambda trial: shutil.rmtree(trial.fmriprep / "sub-01"),
}


FINISHED = {  # what is odd does not matter there, or has one meaning
    "zeros after the image",
    "BOLD with a slope of NaN",  # which means none, as in the mask
    "mask with a slope of zero",
    "RepetitionTime null",  # the header says it
    "sidecar with a key twice",  # JSON takes the last
    "sidecar a folder",
    "confounds with a column twice",
}


@dataclass(frozen=True)
class OneOf:
    """One participant of a trial, to be spoiled."""

    trial: SmallTrial
    label: str

    def file(self, pattern):
        return self.trial.file(pattern, sub=self.label)


def label_of(row):
    return f"x{list(SCANS).index(row):02d}"


@pytest.fixture(scope="module")
def all_attacked(run, tmp_path_factory):
    """A participant for each row, and one who is as it should be: one run of all."""
    root = tmp_path_factory.mktemp("scans")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    trial.add_run("whole", "1")
    for row, spoil in SCANS.items():
        trial.add_run(label_of(row), "1")
        spoil(OneOf(trial, label_of(row)))
    codes, _, said = run(trial.bids, root / "out", "participant", *OPTIONS, kill=[10 * SECONDS])
    return root / "out", codes[0], said


def test_scans_that_are_hostile_stop_no_other(all_attacked):
    output, code, said = all_attacked
    assert code == 1, said  # for several reasons
    assert f"{len(FINISHED) + 1} of {len(SCANS) + 1} scans finished" in said
    assert "Traceback" not in said
    assert [scan["State"] for scan in read_status(output, "whole")["Scans"]] == ["done"]
    assert list((output / "sub-whole").rglob("*desc-r025_boldmap.nii.gz"))


@pytest.mark.parametrize("row", SCANS)
def test_what_is_wrong_with_a_scan_is_said(all_attacked, row):
    (scan,) = read_status(all_attacked[0], label_of(row))["Scans"]
    assert scan["State"] == ("done" if row in FINISHED else "failed"), scan
    if row not in FINISHED:
        assert "an error of the app" not in scan["Reason"]
        assert len(scan["Reason"]) < 600
        assert not list((all_attacked[0] / f"sub-{label_of(row)}").rglob("*boldmap*"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("attacks")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for participant in ("01", "02"):
        trial.add_run(participant, "1")
    trial.add_arms(s01="placebo", s02="ketamine")
    return trial


@pytest.fixture
def attacked(whole, tmp_path):
    shutil.copytree(whole.bids, tmp_path / "bids")
    return SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "fmriprep")


def ends_well(codes, said, fine=FINE):
    assert codes[0] != -9, f"it hangs: {said}"
    assert codes[0] in fine, said
    assert "fault of the app" not in said
    assert "an error of the app" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("row", FOLDERS)
def test_a_folder_that_is_odd_is_said_or_does_not_matter(run, attacked, tmp_path, row):
    FOLDERS[row](attacked)
    codes, _, said = run(attacked.bids, tmp_path / "out", "participant", *OPTIONS, kill=[SECONDS])
    ends_well(codes, said)
    maps = (tmp_path / "out").glob("sub-*/**/*desc-r025_boldmap.nii.gz")
    assert "more than one" in said or "of the same run" in said or list(maps), said


def beside(name, text, *options):
    """Return what writes a file beside the dataset, and the options that name it."""

    def spoil(trial):
        path = trial.bids.parent / name
        path.write_text(text)
        return (*options, path)

    return spoil


def dataset(name, text):
    return lambda trial: (trial.bids / name).write_text(text) and ()


def participants_of(make):
    def spoil(trial):
        path = trial.bids / "participants.tsv"
        path.unlink()
        make(path)
        return ()

    return spoil


def wide(n_columns):
    heads = "\t".join(f"c{i}" for i in range(n_columns))
    rows = "".join(f"sub-{label}\t{arm}" + "\tx" * n_columns + "\n" for label, arm in (("01", "a"), ("02", "b")))
    return f"participant_id\tarm\t{heads}\n{rows}"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
CALLS = {
    "participants.json nested": dataset("participants.json", NESTED),
    "participants.json with many digits": dataset("participants.json", f'{{"arm": {DIGITS}}}'),
    "dataset_description nested": dataset("dataset_description.json", NESTED),
    "dataset_description a list": dataset("dataset_description.json", "[]"),
    "description of the derivatives nested": dataset("derivatives/fmriprep/dataset_description.json", NESTED),
    "filter nested": beside("f.json", NESTED, "--bids-filter-file"),
    "filter a list": beside("f.json", "[]", "--bids-filter-file"),
    "plugin nested": beside("f.yml", "[" * 20_000, "--nipype-plugin-file"),
    "plugin a bomb": beside("f.yml", f"{BOMB}plugin: *i\n", "--nipype-plugin-file"),
    "plan nested": beside("p.toml", "a=" + "[" * 20_000, "--plan"),
    "plan no text": lambda trial: (
        (trial.bids.parent / "p.toml").write_bytes(b"\xff\xfe"),
        ("--plan", trial.bids.parent / "p.toml"),
    )[1],
    "plan a folder": lambda trial: ("--plan", trial.bids),
    "plan a device": lambda trial: ("--plan", "/dev/zero"),
    "atlas a device": lambda trial: ("--atlas", "/dev/zero"),
    "mask a device": lambda trial: ("--mask", "/dev/zero"),
    "spheres a device": lambda trial: (
        (trial.bids.parent / "s.tsv").symlink_to("/dev/zero"),
        ("--atlas", trial.bids.parent / "s.tsv"),
    )[1],
    "participants.tsv a pipe": participants_of(os.mkfifo),
    "participants.tsv a folder": participants_of(os.mkdir),
    "participants.tsv a device": participants_of(lambda path: path.symlink_to("/dev/zero")),
    "participants.tsv of 300,000 columns": dataset("participants.tsv", wide(300_000)),
    "participants.tsv of 10,000 columns": dataset("participants.tsv", wide(10_000)),
    "participants.tsv of one line": dataset("participants.tsv", "participant_id" * 2_000_000),
    "participants.tsv empty": dataset("participants.tsv", "\n"),
    "arms of 1e400": dataset("participants.tsv", "participant_id\tarm\nsub-01\t1e400\nsub-02\t1\n"),
    "a participant with a line in the name": lambda trial: (
        (trial.fmriprep / "sub-01").rename(trial.fmriprep / "sub-0\n1") and ()
    ),
}


@pytest.mark.parametrize("row", CALLS)
def test_a_file_that_is_hostile_is_said(run, attacked, tmp_path, row):
    options = CALLS[row](attacked)
    codes, _, said = run("check", attacked.bids, tmp_path / "out", *SCALE, *options, kill=[SECONDS])
    ends_well(codes, said)
    assert not (tmp_path / "out").exists()
    if codes != [0]:
        assert said.count("trialgraph: ") == 1, said


@pytest.fixture(scope="module")
def done(run, tmp_path_factory):
    """Both levels of a small trial: the input, and what is in the output."""
    root = tmp_path_factory.mktemp("done")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for number in range(1, 7):
        for session in ("1", "2"):
            trial.add_run(f"0{number}", session)
    trial.add_arms(**{f"s0{number}": ("placebo", "ketamine")[number % 2] for number in range(1, 7)})
    for level in ("participant", "group"):
        codes, _, said = run(trial.bids, root / "out", level, *GROUP)
        assert codes == [0], said
    shutil.rmtree(root / "out" / "work", ignore_errors=True)
    return trial, root / "out"


@pytest.fixture
def output(done, tmp_path):
    shutil.copytree(done[1], tmp_path / "out")
    return tmp_path / "out"


def without(key):
    def spoil(path):
        kept = json.loads(path.read_text())
        del kept[key]
        path.write_text(json.dumps(kept))

    return spoil


ONE = ("--participant-label", "01")  # whose files are damaged
STATUS = "logs/status/sub-01.json"
MAP = "sub-01/ses-1/func/*stat-degree_desc-r025zSmooth20_boldmap.json"
DESIGN = "group/*_design.json"
OURS = {
    **{
        f"status {what}, {level}": (STATUS, level, lambda path, text=text: path.write_text(text))
        for what, text in {
            "empty": "",
            "cut": '{"Participant": "01", "Sc',
            "a list": "[]",
            "without scans": '{"Participant": "01"}',
            "of wrong kinds": '{"Participant": "01", "Run": 3, "Scans": [1]}',
        }.items()
        for level in ("participant", "group", "participant --reports-only")
    },
    "sidecar of a map a list": (MAP, "group", lambda path: path.write_text("[1]")),
    "sidecar of a map lacks nodes": (MAP, "group", without("NumberOfNodes")),
    "sidecar of a map gone": (MAP, "group", lambda path: path.unlink()),
    "map gone": (MAP.replace(".json", ".nii.gz"), "group", lambda path: path.unlink()),
    "map cut": (MAP.replace(".json", ".nii.gz"), "group", lambda path: path.write_bytes(path.read_bytes()[:99])),
    "map a pipe": (MAP.replace(".json", ".nii.gz"), "group", lambda path: (path.unlink(), os.mkfifo(path))),
    "design lacks features": (DESIGN, "group --reports-only", without("Features")),
    "design gone": (DESIGN, "group --reports-only", lambda path: path.unlink()),
    "flow gone": ("group/tables/*_flow.tsv", "group --reports-only", lambda path: path.unlink()),
    "map of the group gone": (
        "group/maps/*/*hedgesG_desc-degreeR025_*.nii.gz",
        "group --reports-only",
        lambda path: path.unlink(),
    ),
    "record of the group gone": ("group/manifest.json", "group --reports-only", lambda path: path.unlink()),
    "record of the group empty": ("group/manifest.json", "group --reports-only", lambda path: path.write_text("")),
    "record of the group a list, anew": ("group/manifest.json", "group", lambda path: path.write_text("[]")),
    "record of the group without files": ("group/manifest.json", "participant", lambda path: path.write_text("{}")),
    "description of the output a list": ("dataset_description.json", "group", lambda path: path.write_text("[]")),
    "description of the output gone": ("dataset_description.json", "group", lambda path: path.unlink()),
    "logs of runs gone, group": ("logs", "group", lambda path: [shutil.rmtree(one) for one in path.glob("20*")]),
    "logs of runs gone, pages": (
        "logs",
        "participant --reports-only",
        lambda path: [shutil.rmtree(one) for one in path.glob("20*")],
    ),
    "all logs gone, group": ("logs", "group", shutil.rmtree),
    "group gone, pages": ("group", "group --reports-only", shutil.rmtree),
    "group a file": ("group", "group", lambda path: (shutil.rmtree(path), path.write_text("mine"))),
    "group a link to nothing within": (
        "group",
        "group",
        lambda path: (shutil.rmtree(path), path.symlink_to("elsewhere")),
    ),
}


@pytest.mark.parametrize("row", OURS)
def test_files_of_ours_that_are_damaged_are_said(run, done, output, row):
    """What is refused leaves everything as it was, and what works is right."""
    pattern, level, spoil = OURS[row]
    (path,) = output.glob(pattern)
    spoil(path)
    before = contents(output)
    words = (*level.split()[:1], *GROUP, *level.split()[1:], *(ONE if level == "participant" else ()))
    codes, _, said = run(done[0].bids, output, *words, kill=[SECONDS])
    ends_well(codes, said)
    if codes[0] in (18, 64, 65, 66, 73) and " scans finished" not in said:
        assert contents(output) == before
    else:
        after = contents(output)
        expected = {
            name: whole for name, whole in contents(done[1]).items() if name in after and name.startswith("sub-")
        }
        assert {name: whole for name, whole in after.items() if name in expected} == expected


LIMITS = {
    "files of 20 kB": (resource.RLIMIT_FSIZE, 20_000, "participant", {73}),
    "files of 20 kB, group": (resource.RLIMIT_FSIZE, 20_000, "group", {73}),
    "24 open files": (resource.RLIMIT_NOFILE, 24, "participant", {0, 73}),
    "64 open files": (resource.RLIMIT_NOFILE, 64, "participant", {0}),
}


@pytest.mark.parametrize("row", LIMITS)
def test_limits_of_the_system_are_said(run, done, output, row):
    which, number, level, fine = LIMITS[row]
    before = contents(output)
    words = (
        (done[0].bids, output, level, *GROUP, *ONE, "--bandpass", "off")
        if level == "participant"
        else (done[0].bids, output, level, *GROUP, "--hc3")
    )
    codes, _, said = run(*words, kill=[SECONDS], limit=(which, number))
    ends_well(codes, said, fine)
    if level == "group":
        assert contents(output) == before
    codes, _, said = run(*words)
    assert codes == [0], said
