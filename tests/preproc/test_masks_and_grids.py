"""Masks of tissues, grids of another size, slices and the images that are written, by their definitions."""

from itertools import product

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine

from bids_app.errors import DataError
from bids_app.preproc.dataset import Job, Place
from bids_app.preproc.files import write_series
from bids_app.preproc.interfaces import EstimateMotion
from bids_app.preproc.masks import dice, dilate, label_image, noise_masks
from bids_app.preproc.raw_runs import RawRun
from bids_app.preproc.resampling import read_at, regrid
from bids_app.preproc.scan import Reference, brain_in_template, find_dummies, read_volumes
from bids_app.preproc.slicetiming import check_slice_times, correct_slice_timing, slice_axis
from bids_app.preproc.template import Template

TURN = nib.eulerangles.euler2mat(0.1, -0.2, 0.15)
OBLIQUE = nib.affines.from_matvec(TURN @ np.diag([-3.0, 2.0, 4.0]), [30, -20, -15])


def probabilities(shape=(14, 13, 12), seed=0):
    """Return probabilities of three tissues, mostly clear, and a brain."""
    parts = np.random.default_rng(seed).dirichlet([0.02, 0.008, 0.05], shape)
    return dict(zip(("CSF", "GM", "WM"), np.moveaxis(parts, -1, 0), strict=True)), np.ones(shape, dtype=bool)


def test_noise_voxels_are_clear_inside_and_touch_no_grey_matter():
    tissues, brain = probabilities()
    brain[:2] = False
    masks = noise_masks(tissues, brain)
    inside = {
        place
        for place in product(*map(range, brain.shape))
        if all(
            all(0 <= at < size for at, size in zip(near, brain.shape, strict=True)) and brain[near]
            for step in product(range(-2, 3), repeat=3)
            if sum(one**2 for one in step) <= 4
            for near in [tuple(np.add(place, step))]
        )
    }
    sides = [step for step in product((-1, 0, 1), repeat=3) if sum(map(abs, step)) <= 1]
    for name in ("CSF", "WM"):
        expected = {
            place
            for place in inside
            if tissues[name][place] > 0.9 and all(tissues["GM"][tuple(np.add(place, step))] <= 0.5 for step in sides)
        }
        assert len(expected) >= 20
        assert set(map(tuple, np.argwhere(masks[name]).tolist())) == expected
    np.testing.assert_array_equal(masks["combined"], masks["CSF"] | masks["WM"])


def test_where_few_voxels_are_clear_the_most_probable_are_taken():
    tissues, brain = probabilities()
    brain[7:] = False
    tissues["CSF"] = np.random.default_rng(1).permutation(brain.size).reshape(brain.shape) / (2 * brain.size)
    mask = noise_masks(tissues, brain)["CSF"]
    assert mask.sum() == 20
    assert not mask[~brain].any()
    assert tissues["CSF"][mask].min() > tissues["CSF"][brain & ~mask].max()
    assert not noise_masks(tissues | {"CSF": np.zeros(brain.shape)}, brain)["CSF"].any()


@pytest.mark.parametrize("seed", range(5))
def test_overlap_of_masks(seed):
    one, other = np.random.default_rng(seed).random((2, 5, 4, 3)) < 0.4
    first, second = ({tuple(place) for place in np.argwhere(mask)} for mask in (one, other))
    assert dice(one, other) == dice(other, one) == 2 * len(first & second) / (len(first) + len(second))
    assert dice(one, one) == 1
    assert dice(one, ~one) == dice(np.zeros(3), np.zeros(3)) == 0


def test_labels_are_those_of_the_most_probable_tissue():
    tissues, mask = probabilities()
    mask[3] = False
    for values in tissues.values():
        values[5, 5, 5] = 0
    labels = label_image(tissues, mask)
    for place in product(*map(range, mask.shape)):
        by_share = sorted(("GM", "WM", "CSF"), key=lambda name: -tissues[name][place])
        known = mask[place] and place != (5, 5, 5)
        assert labels[place] == (1 + ("GM", "WM", "CSF").index(by_share[0]) if known else 0)


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_growing_reaches_exactly_the_radius(radius):
    mask = np.zeros((11, 11, 11), dtype=bool)
    mask[5, 5, 5] = True
    distance = np.linalg.norm(np.argwhere(np.ones_like(mask)) - 5, axis=1).reshape(mask.shape)
    np.testing.assert_array_equal(dilate(mask, radius), distance <= radius)


def corners(image):
    return apply_affine(image.affine, np.array(list(product(*((-0.5, size - 0.5) for size in image.shape)))))


@pytest.mark.parametrize("size", [(6, 4, 8), (3, 2, 4), (1.5, 1, 2), 6])
def test_another_grid_begins_at_the_same_corner_and_covers_all(size):
    image = nib.Nifti1Image(np.random.default_rng(0).normal(5, 1, (8, 12, 6)).astype(np.float32), OBLIQUE)
    other = regrid(image, size)
    np.testing.assert_allclose(nib.affines.voxel_sizes(other.affine), np.broadcast_to(size, 3))
    np.testing.assert_allclose(corners(other)[0], corners(image)[0], atol=1e-5)
    needed = np.array(image.shape) * (3, 2, 4) / np.broadcast_to(size, 3)
    assert (np.array(other.shape) >= needed - 1e-6).all()
    assert (np.array(other.shape) < needed + 1).all()
    if size == (3, 2, 4):
        np.testing.assert_allclose(other.get_fdata(), image.get_fdata(), atol=1e-6)
    level = regrid(nib.Nifti1Image(np.full((8, 12, 6), 7.0, np.float32), OBLIQUE), size)
    np.testing.assert_allclose(level.get_fdata(), 7, rtol=1e-6)


def test_reading_between_voxels_is_exact_for_a_plane_and_zero_outside():
    image = nib.Nifti1Image(np.zeros((8, 9, 7), dtype=np.float32), OBLIQUE)
    slope, at = np.array([0.3, -2.0, 0.7]), np.random.default_rng(0).uniform(0, 6, (50, 3))
    everywhere = apply_affine(OBLIQUE, np.indices((8, 9, 7)).reshape(3, -1).T)
    plane = (everywhere @ slope).reshape(8, 9, 7)
    points = apply_affine(OBLIQUE, at)
    np.testing.assert_allclose(read_at(image, plane, points), points @ slope, atol=1e-4)
    assert not read_at(image, plane, apply_affine(OBLIQUE, [[-2, 3, 3], [3, 3, 9], [3, 11, 3]])).any()


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (["first", "second"], "SliceTiming must be a list of seconds; it is .*first"),
        ("0 1", "SliceTiming must be a list of seconds"),
        ([{"a": 1}, 0.0], "SliceTiming must be a list of seconds"),
        ([0.0, float("nan")], "goes from nan to nan s"),
        ([0.0, None], "SliceTiming goes from nan|must be a list"),
        ([-0.1, 0.5], "goes from -0.1 to 0.5 s"),
        ([0.0, 2.0], "goes from 0 to 2 s, the repetition time is 2 s"),
        ([0.0, 0.5, 1.0], "has 3 times, the BOLD image has 2 slices"),
        (0.5, "has 1 times"),
    ],
)
def test_times_that_cannot_be_are_refused_in_words(times, said):
    with pytest.raises(DataError, match=said):
        check_slice_times(times, 2, 2.0)


@pytest.mark.parametrize("direction", ["z", "", "k+", None, 3, "-k", ["k"]])
def test_a_direction_that_bids_does_not_know_is_refused(direction):
    with pytest.raises(DataError, match=r"SliceEncodingDirection is .*; it must be one of i, j, k, i-, j-, k-"):
        slice_axis(direction)


@pytest.mark.parametrize("direction", ["i", "j", "k", "i-", "j-", "k-"])
def test_slices_from_the_other_end_are_the_image_turned_round(direction):
    axis, from_the_end = slice_axis(direction)
    assert (axis, from_the_end) == ({"i": 0, "j": 1, "k": 2}[direction[0]], direction.endswith("-"))
    series = np.random.default_rng(0).normal(size=(20, 3, 3, 3)).astype(np.float32)
    times, turned = [0.0, 0.9, 0.4], np.flip(series, 1 + axis).copy()
    correct_slice_timing(series, times, 2.0, axis=1 + axis)
    correct_slice_timing(turned, times[::-1], 2.0, axis=1 + axis)
    np.testing.assert_array_equal(np.flip(turned, 1 + axis), series)


def test_slices_that_were_taken_together_stay_as_they_are():
    series = np.random.default_rng(0).normal(size=(20, 2, 2, 2)).astype(np.float32)
    before = series.copy()
    correct_slice_timing(series, [0.3, 0.3], 2.0)
    np.testing.assert_allclose(series, before, atol=1e-6)


def template(shape=(6, 7, 5)):
    mask = np.random.default_rng(0).random(shape) < 0.6
    return Template("X", nib.Nifti1Image(mask.astype(np.float32), OBLIQUE), mask, {})


@pytest.mark.parametrize("level", [1e-6, 1.0, 1e6, 0.0])
def test_a_series_comes_back_to_half_a_step_of_its_scale(tmp_path, level):
    here = template()
    n_nodes = int(here.mask.sum())
    series = (level * np.random.default_rng(1).normal(3, 2, (4, n_nodes))).astype(np.float32)
    brain = np.arange(n_nodes) % 5 > 0
    write_series(tmp_path / "x_bold.nii.gz", series, brain, here, {"RepetitionTime": 1.3})
    image = nib.load(tmp_path / "x_bold.nii.gz")
    np.testing.assert_allclose(image.affine, OBLIQUE, atol=1e-5)
    np.testing.assert_allclose(image.header.get_zooms(), [3, 2, 4, 1.3], rtol=1e-5)
    found, step = image.get_fdata(), np.abs(series[:, brain]).max() / 32767
    assert not found[~here.mask].any()
    assert not found[here.mask][~brain].any()
    assert np.abs(found[here.mask][brain].T - series[:, brain]).max() <= 0.51 * step


def test_values_of_the_brain_go_back_to_their_places():
    here = template()
    values = np.arange(1.0, here.mask.sum() + 1)
    volume = here.spread(values)
    np.testing.assert_array_equal(volume[here.mask], values)
    assert not volume[~here.mask].any()


def test_a_run_that_lies_beside_the_brain_is_refused():
    image = nib.Nifti1Image(np.ones((4, 4, 4), dtype=np.float32), np.eye(4))
    reference, brain = Reference(image, np.ones((4, 4, 4), dtype=bool)), np.ones((4, 4, 4), dtype=bool)
    points = np.indices((4, 4, 4)).reshape(3, -1).T.astype(float)
    assert brain_in_template(reference, points, brain, brain)["mask"].all()
    with pytest.raises(DataError, match="nothing of the BOLD image lies within the brain"):
        brain_in_template(reference, points + 100, brain, brain)
    with pytest.raises(DataError, match="nothing of the BOLD image"):
        brain_in_template(reference, points, ~brain, brain)


def test_volumes_are_copied_as_they_are_and_what_is_no_number_is_zero(tmp_path):
    values = np.random.default_rng(0).normal(100, 5, (6, 8, 7, 6)).astype(np.float32)
    values[0, 0, 0], values[1, 1, 1, 2], values[2, 0, 0, 1] = np.nan, np.inf, -np.inf
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "bold.nii.gz")
    series = read_volumes(nib.load(tmp_path / "bold.nii.gz"), tmp_path / "series.npy")
    expected = np.where(np.isfinite(values), values, 0)
    np.testing.assert_array_equal(np.moveaxis(series, 0, -1), expected)
    content = (tmp_path / "bold.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"truncated: volume \d of 6 cannot be read"):
        read_volumes(nib.load(tmp_path / "cut.nii.gz"), tmp_path / "cut.npy")


@pytest.mark.parametrize(("n_volumes", "enough"), [(8, True), (7, False), (5, False)])
def test_a_run_needs_six_volumes_in_steady_state(n_volumes, enough):
    level = np.r_[900, 500, 100 + np.tile([0.0, 1], 10)][:n_volumes]
    series = np.ones((n_volumes, 2, 2, 2)) * level[:, None, None, None]
    if enough:
        assert find_dummies(series) == 2
    else:
        with pytest.raises(DataError, match=f"has {n_volumes} volumes, of which 2 are not in steady state"):
            find_dummies(series)


def test_data_of_several_echoes_are_refused(tmp_path):
    run = RawRun({"sub": "01", "task": "rest", "echo": "1"}, tmp_path / "sub-01_echo-1_bold.nii", None, {})
    step = EstimateMotion(job=Job(run, Place(tmp_path, tmp_path, "X"), None, {}))
    with pytest.raises(DataError, match=r"sub-01_echo-1_bold.nii: multi-echo data are not preprocessed here"):
        step.run(cwd=str(tmp_path))
