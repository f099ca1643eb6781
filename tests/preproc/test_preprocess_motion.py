"""Head motion, slice timing and the one interpolation, on volumes whose motion is known."""

from itertools import pairwise
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates

from bids_app.errors import DataError
from bids_app.preproc import resampling
from bids_app.preproc.interfaces import ResampleRun
from bids_app.preproc.motion import (
    estimate_motion,
    framewise_displacement,
    make_target,
    rigid,
    rigid_parameters,
)
from bids_app.preproc.resampling import read_at, regrid, resample_series
from bids_app.preproc.slicetiming import correct_slice_timing, shift_matrix
from bids_app.preproc.template import Template

SHAPE = (48, 54, 36)
TURN = nib.eulerangles.euler2mat(0.1, -0.2, 0.15)
OBLIQUE = nib.affines.from_matvec(TURN @ np.diag([-3.0, 3.0, 3.5]), [70, -80, -55])
RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def head():
    """A smooth textured ellipsoid on an oblique grid: (volume, mask)."""
    world = apply_affine(OBLIQUE, np.indices(SHAPE).reshape(3, -1).T).reshape(*SHAPE, 3)
    centre = apply_affine(OBLIQUE, np.array(SHAPE) / 2)
    mask = (((world - centre) / (52, 58, 46)) ** 2).sum(axis=-1) < 1
    texture = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 1.5)
    return (mask * (800 + 2000 * texture)).astype(np.float32), mask


def moved(volume, transform):
    """Return the volume of a head that was moved by a transform in world coordinates, by quintic splines."""
    pull = np.linalg.inv(OBLIQUE) @ np.linalg.inv(transform) @ OBLIQUE
    return affine_transform(volume, pull, order=5, mode="nearest")


def test_known_motion_is_recovered(head):
    volume, mask = head
    target = make_target(volume, mask, OBLIQUE)
    known = RNG.uniform(-1, 1, (6, 6)) * [3, 3, 3, *np.deg2rad([3, 3, 3])]
    noise = RNG.normal(0, 8, (6, *SHAPE))
    volumes = [
        moved(volume, rigid(parameters, target.centre)) * (1 + 0.02 * index) + noise[index]
        for index, parameters in enumerate(known)
    ]
    found = [rigid_parameters(transform, target.centre) for transform in estimate_motion(volumes, target)]
    error = np.abs(np.array(found) - known)
    assert error[:, :3].max() < 0.1
    assert np.rad2deg(error[:, 3:].max()) < 0.1


def test_a_head_that_rests_is_found_at_rest(head):
    volume, mask = head
    target = make_target(volume, mask, OBLIQUE)
    (found,) = estimate_motion([1.3 * volume], target)
    np.testing.assert_allclose(rigid_parameters(found, target.centre), 0, atol=1e-4)


def test_framewise_displacement_is_that_of_power():
    parameters = RNG.normal(size=(9, 6))
    expected = [np.nan]
    for before, after in pairwise(parameters):
        total = 0.0
        for axis in range(3):
            total += abs(after[axis] - before[axis])
            total += abs(after[axis + 3] - before[axis + 3]) * 50  # arc of a circle of 50 mm
        expected.append(total)
    np.testing.assert_allclose(framewise_displacement(parameters), expected)


def test_every_volume_is_interpolated_once_and_from_what_was_acquired(head, monkeypatch):
    """Values equal the raw volume, read by one spline at the places that all transforms together lead to."""
    volume, mask = head
    centre = apply_affine(OBLIQUE, np.argwhere(mask)).mean(axis=0)
    transforms = np.array([rigid(RNG.uniform(-1, 1, 6) * [2, 2, 2, 0.03, 0.03, 0.03], centre) for _ in range(3)])
    raw = np.array([moved(volume, transform) for transform in transforms])
    points = centre + RNG.uniform(-25, 25, (500, 3))
    calls = []
    real = resampling.map_coordinates
    monkeypatch.setattr(resampling, "map_coordinates", lambda *given, **more: calls.append(1) or real(*given, **more))
    out = np.empty((3, 500), dtype=np.float32)
    seen = resample_series(raw, OBLIQUE, points, transforms, out)
    assert len(calls) == len(raw)
    assert seen.all()
    for values, one, transform in zip(out, raw, transforms, strict=True):
        voxels = apply_affine(np.linalg.inv(OBLIQUE) @ transform, points)
        np.testing.assert_allclose(values, real(one, voxels.T, order=3, mode="nearest"), rtol=1e-4)
    # Resampled volumes agree with each other far better than linear interpolation in two steps would let them.
    spread = out.std(axis=0).mean() / volume[mask].std()
    twice = [real(real(one, np.indices(SHAPE) + 0.5, order=1), np.indices(SHAPE) - 0.5, order=1) for one in raw]
    resample_series(np.array(twice), OBLIQUE, points, transforms, out)
    assert np.abs(out - read_at(nib.Nifti1Image(volume, OBLIQUE), volume, points)).mean() / volume[mask].std() > spread


def test_what_is_resampled_are_the_raw_volumes_by_one_spline_each(head, monkeypatch, tmp_path):
    """The whole step, from files: of the reference, which is another image here, not one value gets into the series."""
    volume, mask = head
    centre = apply_affine(OBLIQUE, np.argwhere(mask)).mean(axis=0)
    motion = np.array([rigid(RNG.uniform(-1, 1, 6) * [2, 2, 2, 0.03, 0.03, 0.03], centre) for _ in range(3)])
    raw = (volume + RNG.normal(0, 50, (3, *SHAPE))).astype(np.float32)
    np.save(tmp_path / "raw.npy", raw)
    np.savez(tmp_path / "motion.npz", transforms=motion)
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), OBLIQUE), tmp_path / "mask.nii.gz")
    nib.save(nib.Nifti1Image(RNG.normal(size=SHAPE).astype(np.float32), OBLIQUE), tmp_path / "reference.nii.gz")
    affine = nib.affines.from_matvec(np.diag([6.0, 6, 6]), centre - 30)
    brain = nib.Nifti1Image(np.ones((11, 11, 11), dtype=np.float32), affine)
    template = Template("X", brain, np.ones(brain.shape, dtype=bool), {})
    monkeypatch.setattr("bids_app.preproc.interfaces.target_of", lambda job: template)
    monkeypatch.chdir(tmp_path)
    files = {name: str(tmp_path / f"{name.removesuffix('_file')}.nii.gz") for name in ("reference_file", "mask_file")}
    files |= {"series_file": str(tmp_path / "raw.npy"), "motion_file": str(tmp_path / "motion.npz")}
    job = SimpleNamespace(template=None, run=SimpleNamespace(t1w=None, fit=None, metadata={}))
    outputs = ResampleRun(job=job, transforms=[], **files).run().outputs
    points = apply_affine(affine, np.indices(brain.shape).reshape(3, -1).T)
    for values, one, transform in zip(np.load(outputs.standard_file), raw, motion, strict=True):
        voxels = apply_affine(np.linalg.inv(OBLIQUE) @ transform, points)
        np.testing.assert_allclose(values, map_coordinates(one, voxels.T, order=3, mode="nearest"), rtol=1e-3, atol=0.1)
    np.testing.assert_array_equal(np.load(tmp_path / "raw.npy"), raw)


def test_points_that_leave_the_view_are_not_seen(head):
    volume, _ = head
    corner = apply_affine(OBLIQUE, [[0, 0, 0], [24, 27, 18]])
    away = rigid([0, 0, -60, 0, 0, 0], [0, 0, 0])
    out = np.empty((2, 2), dtype=np.float32)
    seen = resample_series([volume, volume], OBLIQUE, corner, np.array([np.eye(4), away]), out)
    assert seen.tolist() == [False, True] or seen.tolist() == [False, False]
    assert resample_series([volume], OBLIQUE, corner, np.eye(4)[None], out[:1]).all()


def test_a_coarser_grid_covers_the_same_world(head):
    volume, _ = head
    coarse = regrid(nib.Nifti1Image(volume, OBLIQUE), 6)
    assert nib.affines.voxel_sizes(coarse.affine) == pytest.approx([6, 6, 6])
    centres = [
        np.average(apply_affine(image.affine, np.indices(image.shape).reshape(3, -1).T), axis=0, weights=data.ravel())
        for image, data in ((coarse, np.asarray(coarse.dataobj)), (nib.Nifti1Image(volume, OBLIQUE), volume))
    ]
    np.testing.assert_allclose(centres[0], centres[1], atol=0.1)


def wave(times):
    """A slow fluctuation, as a function of seconds."""
    return 100 + np.sin(2 * np.pi * 0.05 * times) + 0.5 * np.cos(2 * np.pi * 0.09 * times)


@pytest.mark.parametrize("axis", [1, 3])
def test_slices_are_brought_to_the_middle_time(axis):
    repetition_time, times = 2.0, [0.0, 1.0, 0.5, 1.5]
    shape = [60, 3, 2, 3]
    shape[axis] = 4
    volumes = repetition_time * np.arange(60)
    series = np.empty(shape, dtype=np.float32)
    for index, time in enumerate(times):
        place = [slice(None)] * axis + [index]
        series[tuple(place)] = wave(volumes + time).reshape(-1, 1, 1)
    before = np.abs(series - wave(volumes + 0.75).reshape(-1, 1, 1, 1))[3:-3].max()
    correct_slice_timing(series, times, repetition_time, axis=axis)
    after = np.abs(series - wave(volumes + 0.75).reshape(-1, 1, 1, 1))[3:-3].max()
    assert before > 0.25
    assert after < 0.01


def test_dummy_scans_are_left_alone_and_take_no_part():
    matrix = shift_matrix(0.4, 12, n_dummy=3)
    assert np.array_equal(matrix[:3], np.eye(12)[:3])
    assert not matrix[3:, :3].any()
    np.testing.assert_allclose(matrix.sum(axis=1), 1)


@pytest.mark.parametrize(("times", "said"), [([0, 1], "2 times"), ([0, 500, 1000, 1500], "1500 s")])
def test_slice_times_that_cannot_be_are_refused(times, said):
    with pytest.raises(DataError, match=said):
        correct_slice_timing(np.zeros((5, 2, 2, 4), dtype=np.float32), times, 2.0)
