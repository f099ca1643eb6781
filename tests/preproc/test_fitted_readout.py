"""Every way to encode and to slice a scan, on the head of `fitted_phantom`: what fMRIPrep fitted, read at known places.

The sign of the shift is that of fMRIPrep (`resample_vol` in fmriprep/interfaces/resampling.py, and `fmap_to_disp` in
sdcflows/transform.py): by f times the readout time, in voxels, to the end of the data's axis, or to its beginning if
PhaseEncodingDirection ends in a minus. The first axis of the phantom runs from right to left, its second to the front.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fitted_phantom import (
    BOLD_VALUES,
    CENTRE,
    COREGISTRATION,
    FLUID,
    SECONDS,
    SHAPE,
    SPACE,
    WHITE,
    course,
    make_phantom,
    to_t1w,
)
from nibabel.affines import apply_affine

from bids_app.cli.settings_of import parse
from bids_app.preproc.dataset import Job, Place
from bids_app.preproc.distortion.field import shift_of
from bids_app.preproc.fitted.interfaces import ReadAlignment, ReadField, ReadMotion
from bids_app.preproc.fitted.runs import runs_to_preprocess
from bids_app.preproc.registration import map_points
from bids_app.preproc.resampling import resample_series

pytestmark = pytest.mark.slow  # 35 s alone on two cores, most of them to make the heads
TWO = {"n_positions": 2}
OTHER = {"i": "i-", "i-": "i", "j": "j-", "j-": "j"}
RAYS = np.random.default_rng(5).normal(size=(200, 3))
RAYS /= np.linalg.norm(RAYS, axis=1)[:, None]
STEPS = np.arange(-8, 8, 0.2)  # mm beyond the edge of the white matter


@pytest.fixture(scope="module")
def anatomy(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("first"), "i", **TWO).anatomy


def read(phantom, folder, points, monkeypatch, **said):
    """Read the volumes at points of the template by the steps of the app: (T, N) values, and what they say."""
    monkeypatch.chdir(folder)
    settings = parse([str(word) for word in (phantom.bids, folder, "participant", "--derivatives", phantom.fmriprep)])
    (run,) = runs_to_preprocess(settings)
    run.metadata.update(said)
    job = Job(run, Place(folder, phantom.bids, SPACE, run.fit.dataset), SECONDS, {})
    found = ReadMotion(job=job).run().outputs
    seen = {"job": job, "reference_file": found.reference_file, "mask_file": found.mask_file}
    distortion, aligned = (step(**seen).run().outputs for step in (ReadField, ReadAlignment))
    in_reference = map_points(points, [Path(path) for path in aligned.transforms])
    series = np.load(found.series_file)
    out = np.empty((len(series), len(points)), dtype=np.float32)
    shift = shift_of(distortion.field, run.metadata, series.shape[1:], in_reference)
    affine = nib.load(found.reference_file).affine
    resample_series(series, affine, in_reference, np.load(found.motion_file)["transforms"], out, shift)
    return out, found.facts | distortion.facts | aligned.facts


def edges(series):
    """Return where the edge of the white matter was found along each ray, in mm from where it was put."""
    profiles = series.mean(axis=0).reshape(len(RAYS), -1)
    level = (profiles[:, :10].mean(axis=1) + profiles[:, -10:].mean(axis=1)) / 2
    return STEPS[np.argmax(profiles > level[:, None], axis=1)]


@pytest.mark.parametrize("direction", ["i", "i-", "j"])
def test_edges_lie_where_they_were_put_however_it_was_encoded(anatomy, tmp_path, monkeypatch, direction):
    phantom = make_phantom(tmp_path, direction, **TWO, anatomy=anatomy)
    along = (1 / np.linalg.norm(RAYS / WHITE, axis=1))[:, None] + STEPS
    points = CENTRE + along[..., None] * RAYS[:, None]
    series, facts = read(phantom, tmp_path, points.reshape(-1, 3), monkeypatch)
    assert facts["SusceptibilityDistortionCorrected"] is True
    assert np.sqrt(np.mean(edges(series) ** 2)) < 0.5  # mm, of voxels of 4.5
    other = {"PhaseEncodingDirection": OTHER[direction]}
    turned, _ = read(phantom, tmp_path, points.reshape(-1, 3), monkeypatch, **other)
    assert np.sqrt(np.mean(edges(turned) ** 2)) > 2


def test_slices_are_brought_to_the_middle_time(anatomy, tmp_path, monkeypatch):
    """Interleaved slices, within the white matter, whose signal at that time is known; the head moves meanwhile."""
    times = np.argsort(np.r_[0 : SHAPE[2] : 2, 1 : SHAPE[2] : 2]) * SECONDS / SHAPE[2]
    phantom = make_phantom(tmp_path, n_volumes=12, slice_times=times.tolist(), **TWO, anatomy=anatomy)
    inner, outer = (1 / np.linalg.norm(RAYS / radii, axis=1) for radii in (FLUID, WHITE))
    points = CENTRE + ((inner + outer) / 2)[:, None] * RAYS
    slices = apply_affine(np.linalg.inv(_grid(phantom)), apply_affine(COREGISTRATION, to_t1w(points)))[:, 2]
    assert np.ptp(slices) > 10
    series, facts = read(phantom, tmp_path, points, monkeypatch)
    assert facts["SliceTimingCorrected"] is True
    assert facts["StartTime"] == pytest.approx((times.min() + times.max()) / 2)
    inside = slice(1, -1)  # the first and the last volume have nothing on one side
    expected = BOLD_VALUES[1] * course(SECONDS * np.arange(len(series)) + facts["StartTime"])[inside, None]
    assert np.sqrt(np.mean((series[inside] - expected) ** 2)) < 5  # of 500, the noise being 3
    as_acquired, facts = read(phantom, tmp_path, points, monkeypatch, SliceTiming=None)
    assert facts["SliceTimingCorrected"] is False
    assert np.sqrt(np.mean((as_acquired[inside] - expected) ** 2)) > 10


def _grid(phantom):
    return nib.load(next(phantom.bids.glob("sub-01/func/*_bold.nii.gz"))).affine
