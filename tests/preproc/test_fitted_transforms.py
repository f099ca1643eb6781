"""Files of ITK as matrices, fields of B-splines at points, and the shift that a field makes."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine

from bids_app.errors import DataError
from bids_app.preproc.distortion.field import field_at
from bids_app.preproc.distortion.readout import readout_time
from bids_app.preproc.fitted.transforms import read_affines, read_chain, read_motion
from bids_app.preproc.motion import rigid
from bids_app.preproc.registration import map_points, write_series_of_transforms
from bids_app.preproc.resampling import resample_series

RNG = np.random.default_rng(11)
POINTS = RNG.normal(0, 40, (20, 3))


def rigids(count):
    return np.array([rigid(RNG.normal(0, 0.2, 6) * [9, 9, 9, 1, 1, 1], RNG.normal(0, 20, 3)) for _ in range(count)])


def test_what_was_written_is_read(tmp_path):
    matrices = rigids(4)
    write_series_of_transforms(matrices, tmp_path / "all.txt")
    np.testing.assert_allclose(read_affines(tmp_path / "all.txt"), matrices, atol=1e-9)
    np.testing.assert_allclose(read_motion(tmp_path / "all.txt", 4), matrices, atol=1e-9)


@pytest.mark.parametrize("kind", ["AffineTransform_double_3_3", "MatrixOffsetTransformBase_double_3_3"])
def test_a_centre_counts_as_itk_counts_it(tmp_path, kind):
    """ANTs reads the same file, as one that knows the format."""
    matrix = rigids(1)[0][:3, :3] * 1.1
    parameters = " ".join(map(str, [*matrix.ravel(), 3.0, -5.0, 2.0]))
    text = f"#Insight Transform File V1.0\n#Transform 0\nTransform: {kind}\nParameters: {parameters}\n"
    (tmp_path / "one.txt").write_text(text + "FixedParameters: 10 -20 30\n")
    (found,) = read_affines(tmp_path / "one.txt")
    np.testing.assert_allclose(apply_affine(found, POINTS), map_points(POINTS, [tmp_path / "one.txt"]), atol=1e-4)


def test_a_chain_is_applied_from_its_first(tmp_path):
    matrices = rigids(2)
    for index, matrix in enumerate(matrices):
        write_series_of_transforms([matrix], tmp_path / f"{index}.txt")
    paths = [tmp_path / "0.txt", tmp_path / "1.txt"]
    np.testing.assert_allclose(apply_affine(read_chain(paths), POINTS), map_points(POINTS, paths), atol=1e-4)
    write_series_of_transforms(matrices, tmp_path / "two.txt")
    with pytest.raises(DataError, match="holds 2 transforms; one is needed"):
        read_chain([tmp_path / "two.txt"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no transform"),
        ("#Transform 0\nParameters: 1 2 3\nFixedParameters: 0 0 0\n", "not a matrix"),
        ("#Transform 0\nParameters: 1 0 0 0 1 0 0 0 1 0 0 x\n", "not a matrix"),
        ("#Transform 0\nParameters: 1 0 0 0 1 0 0 0 1 0 0 nan\n", "not a matrix"),
    ],
)
def test_what_is_no_transform_is_refused(tmp_path, text, said):
    (tmp_path / "one.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        read_affines(tmp_path / "one.txt")


def test_motion_that_is_not_of_this_scan_is_refused(tmp_path):
    matrices = rigids(3)
    write_series_of_transforms(matrices, tmp_path / "all.txt")
    with pytest.raises(DataError, match="holds 3 transforms, the raw BOLD image 4 volumes"):
        read_motion(tmp_path / "all.txt", 4)
    matrices[1, :3, :3] *= 1.1
    write_series_of_transforms(matrices, tmp_path / "all.txt")
    with pytest.raises(DataError, match="volume 1 is not rigid"):
        read_motion(tmp_path / "all.txt", 3)


def test_a_field_of_splines_is_the_polynomial_that_it_holds():
    """Cubic B-splines with coefficients of a line are that line, within the knots; levels are summed."""
    affine = nib.affines.from_matvec(np.diag([20.0, 25, 30]), [-100, -110, -90])
    centres = apply_affine(affine, np.indices((11, 10, 9)).reshape(3, -1).T).reshape(11, 10, 9, 3)
    points = RNG.uniform(-50, 50, (50, 3))
    levels = [nib.Nifti1Image(centres @ [0.3, -0.2, 0.1] + 4, affine), nib.Nifti1Image(centres[..., 1] * 0.5, affine)]
    np.testing.assert_allclose(field_at(levels, points), points @ [0.3, 0.3, 0.1] + 4, atol=1e-9)


def test_far_from_all_knots_there_is_no_field():
    assert field_at([nib.Nifti1Image(np.ones((4, 4, 4)), np.eye(4))], np.array([[50.0, 0, 0]])).tolist() == [0.0]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"TotalReadoutTime": 0.05, "EffectiveEchoSpacing": 0.1}, 0.05),
        ({"EffectiveEchoSpacing": 0.0005}, 0.0315),
        ({"TotalReadoutTime": "long"}, None),
        ({"TotalReadoutTime": 0}, None),
        ({}, None),
    ],
)
def test_readout_time(said, seconds):
    assert readout_time(said, 64) == (None if seconds is None else pytest.approx(seconds))


def test_a_shift_is_along_the_axes_of_the_volume_as_it_was_acquired():
    """Also where the head is turned: the gradient coils stay."""
    volume = RNG.normal(size=(12, 12, 12)).astype(np.float32)
    affine, motion = np.diag([3.0, 3, 3, 1]), np.array([rigid([1, 2, 0, 0, 0, 0.2], [18, 18, 18])])
    points, shift = RNG.uniform(14, 22, (30, 3)), np.tile([0.0, 1.0, 0.0], (30, 1))
    out = np.empty((2, 30), dtype=np.float32)
    resample_series([volume], affine, points, motion, out[:1], shift)
    resample_series([np.roll(volume, -1, axis=1)], affine, points, motion, out[1:])
    np.testing.assert_allclose(out[0], out[1], atol=0.02)
