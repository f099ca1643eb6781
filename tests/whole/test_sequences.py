"""Whatever was done in an output folder before: the last calls leave the bytes that they leave in a new one.

Sequences of calls are drawn at random: other options, inputs that change, come and go, kills, pages made anew, another
version of the code, a work folder that is kept.
"""

import os
import shutil

import nibabel as nib
import numpy as np
import pytest
from conftest import SCALE, SmallTrial, save_bold
from harness import contents

from bids_app.system import provenance

pytestmark = pytest.mark.slow
LABELS = ("01", "02", "03", "04", "05", "06")
OPTIONS = (*SCALE, "--smooth-maps", "20", "--skip-bids-validation", "--n-permutations", "6")
PARTICIPANT = {
    "plain": ("--metrics", "degree"),
    "another filter": ("--metrics", "degree", "--bandpass", "off"),
    "more measures": ("--metrics", "degree", "strength"),
    "half of them": ("--metrics", "degree", "--participant-label", "01", "02", "03"),
    "labels": ("--metrics", "degree", "--atlas", "A={labels}"),
    "other labels": ("--metrics", "degree", "--atlas", "A={others}"),
}
GROUP = {
    "plain": ("--metrics", "degree"),
    "another model": ("--metrics", "degree", "--hc3", "--estimator", "change"),
    "five of them": ("--metrics", "degree", "--participant-label", "01", "02", "03", "04", "05"),
}
LAST = {"plain": "plain", "labels": "another model", "other labels": "plain", "more measures": "another model"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("sequences")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for label in LABELS:
        for session in ("1", "2"):
            trial.add_run(label, session)
    trial.add_arms(**{f"s{label}": ("placebo", "ketamine")[int(label) % 2] for label in LABELS})
    return trial


class Study:
    """A trial, its output folder, and what can happen to them."""

    def __init__(self, whole, folder, run, rng):
        shutil.copytree(whole.bids, folder / "bids")
        self.trial = SmallTrial(folder / "bids", folder / "bids" / "derivatives" / "fmriprep")
        self.folder, self.run, self.rng = folder, run, rng
        self.atlases = {"labels": self._atlas("labels", 0), "others": self._atlas("others", 1)}
        shutil.copytree(provenance.PACKAGE, folder / "older", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "older" / "__init__.py").open("a").write("# another version\n")

    def _atlas(self, name, axis):
        image = nib.load(self.trial.file("*preproc_bold.nii.gz"))
        labels = (np.indices(image.shape[:3])[axis] // 4 + 1).astype(np.int16)
        path = self.folder / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(labels, image.affine), path)
        return path

    def call(self, level, options, *more, output="out", kill=None, package=None):
        words = [word.format(**self.atlases) for word in options]
        words = (self.trial.bids, self.folder / output, level, *OPTIONS, *words, *more)
        (code,), _, said = self.run(*words, kill=[kill], package=package)
        assert "fault of the app" not in said, said
        return code, said

    def any_call(self):
        """Do something at random, and return what it was."""
        what = self.rng.choice(("participant", "group", "input", "pages"), p=(0.4, 0.3, 0.2, 0.1))
        if what == "input":
            return self.change_input()
        level = what if what != "pages" else self.rng.choice(("participant", "group"))
        kinds = PARTICIPANT if level == "participant" else GROUP
        name = self.rng.choice(list(kinds))
        kill = self.rng.uniform(0.1, 9) if self.rng.random() < 0.5 else None
        package = self.folder / "older" if self.rng.random() < 0.3 else None
        more = ("--reports-only",) if what == "pages" else ()
        more += ("-w", self.folder / "work") if self.rng.random() < 0.3 else ()
        code, _ = self.call(level, kinds[name], *more, kill=kill, package=package)
        return what, level, str(name), kill, package is not None, len(more), code

    def change_input(self):
        """Take a scan away, or write another image in its place."""
        label, session = self.rng.choice(LABELS[3:]), self.rng.choice(("1", "2"))
        images = sorted((self.trial.fmriprep / f"sub-{label}").rglob(f"*ses-{session}*bold.nii.gz"))
        if images and self.rng.random() < 0.5:
            save_bold(images[0], np.roll(nib.load(images[0]).get_fdata(dtype=np.float32), 1, axis=0))
            return "another image", label, session
        shutil.rmtree(self.trial.fmriprep / f"sub-{label}" / f"ses-{session}", ignore_errors=True)
        return "a scan less", label, session


@pytest.mark.parametrize("seed", range(4 if "TRIALGRAPH_THOROUGH" in os.environ else 2))
def test_what_was_done_before_does_not_matter(run, whole, tmp_path, seed):
    rng = np.random.default_rng([2026, seed])
    study = Study(whole, tmp_path, run, rng)
    history = [study.any_call() for _ in range(rng.integers(3, 7))]
    last = list(LAST)[seed % len(LAST)]
    for output in ("out", "fresh"):
        codes = [
            study.call("participant", PARTICIPANT[last], output=output),
            study.call("group", GROUP[LAST[last]], output=output),
        ]
        history.append((output, *codes))
    (_, *first), (_, *second) = history[-2:]
    assert [code for code, _ in first] == [code for code, _ in second], history
    fresh, old = contents(tmp_path / "fresh"), contents(tmp_path / "out")
    assert [name for name, content in fresh.items() if old.get(name) != content] == [], history
    assert not (tmp_path / "out" / "group-earlier").exists()
    if first[1][0] == 0:
        assert sorted(filter(of_group, old)) == sorted(filter(of_group, fresh)), history
        pages = [(tmp_path / output / "group" / "index.html").read_bytes() for output in ("out", "fresh")]
        assert pages[0] == pages[1], history


def of_group(name):
    return name.startswith("group/")
