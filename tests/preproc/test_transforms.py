"""Transforms in files and in memory: they move points as their matrices do."""

import ants
import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine

from bids_app.errors import DataError
from bids_app.preproc.hdf5 import drop_times
from bids_app.preproc.motion import rigid, rigid_parameters
from bids_app.preproc.registration import (
    map_points,
    mutual_information,
    save_as_text,
    start_at,
    to_ants,
    write_series_of_transforms,
)

TURN = nib.eulerangles.euler2mat(0.1, -0.2, 0.15)
OBLIQUE = nib.affines.from_matvec(TURN @ np.diag([-3.0, 2.0, 4.0]), [30, -20, -15])


@pytest.mark.parametrize("seed", range(5))
def test_a_rigid_transform_is_found_again_and_keeps_distances(seed):
    rng = np.random.default_rng(seed)
    parameters, centre = rng.uniform(-1, 1, 6) * [9, 9, 9, 1, 1, 1], rng.normal(0, 30, 3)
    transform, points = rigid(parameters, centre), rng.normal(0, 50, (8, 3))
    np.testing.assert_allclose(rigid_parameters(transform, centre), parameters, atol=1e-10)
    np.testing.assert_allclose(apply_affine(transform, centre), centre + parameters[:3])
    moved = apply_affine(transform, points)
    np.testing.assert_allclose(
        np.linalg.norm(moved[1:] - moved[0], axis=1), np.linalg.norm(points[1:] - points[0], axis=1)
    )
    assert np.linalg.det(transform[:3, :3]) == pytest.approx(1)


def test_transforms_in_a_file_of_itk_move_points_as_the_matrices_do(tmp_path):
    rng = np.random.default_rng(0)
    matrices = [rigid(rng.normal(0, 0.3, 6), rng.normal(0, 20, 3)) for _ in range(3)]
    write_series_of_transforms(matrices, tmp_path / "all.txt")
    head, *blocks = (tmp_path / "all.txt").read_text().split("#Transform ")
    points = rng.normal(0, 40, (6, 3))
    assert len(blocks) == 3
    for number, (block, matrix) in enumerate(zip(blocks, matrices, strict=True)):
        assert block.startswith(f"{number}\n")
        (tmp_path / "one.txt").write_text(f"{head}#Transform 0\n{block.partition(chr(10))[2]}")
        np.testing.assert_allclose(
            map_points(points, [str(tmp_path / "one.txt")]), apply_affine(matrix, points), atol=1e-5
        )
        save_as_text(tmp_path / "one.txt", tmp_path / "again.txt")
        np.testing.assert_allclose(
            map_points(points, [tmp_path / "again.txt", tmp_path / "one.txt"]),
            apply_affine(matrix @ matrix, points),
            atol=1e-5,
        )


def test_a_first_guess_takes_one_centre_to_the_other(tmp_path):
    path = start_at([1, 2, 3], [-10, 25, 7], tmp_path / "start.mat")
    np.testing.assert_allclose(
        map_points(np.array([[1.0, 2, 3], [0, 0, 0]]), [path]), [[-10, 25, 7], [-11, 23, 4]], atol=1e-5
    )


def test_an_image_of_ants_lies_where_that_of_nibabel_lies():
    values = np.random.default_rng(0).random((4, 5, 6))
    image = to_ants(values, OBLIQUE)
    np.testing.assert_allclose(image.numpy(), values, rtol=1e-6)
    for voxel in ((0, 0, 0), (3, 1, 5)):
        lps = ants.transform_index_to_physical_point(image, voxel)
        np.testing.assert_allclose(np.array(lps) * [-1, -1, 1], apply_affine(OBLIQUE, voxel), atol=1e-4)
    sheared = OBLIQUE.copy()
    sheared[0, 1] += 1
    with pytest.raises(DataError, match="not at right angles"):
        to_ants(values, sheared)


@pytest.mark.parametrize("seed", range(4))
def test_information_of_two_images(seed):
    rng = np.random.default_rng(seed)
    one, noise = rng.normal(size=(2, 32 * 300))
    assert mutual_information(one, noise) == pytest.approx(1, abs=0.02)
    assert mutual_information(one, np.exp(one)) == pytest.approx(2)
    assert mutual_information(one, -one) == pytest.approx(2, abs=1e-2)
    shared = [mutual_information(one, one + spread * noise) for spread in (0.1, 0.5, 2)]
    assert shared == sorted(shared, reverse=True)
    assert mutual_information(one, one + noise) == pytest.approx(mutual_information(one + noise, one))


@pytest.mark.parametrize(
    "content", [b"", b"OHDR", b"OHDR\x02\x00\x20", b"OHDR\x02\x00\x23" + b"\xff" * 40, bytes(range(256))]
)
def test_what_is_no_header_is_left_as_it_is(tmp_path, content):
    (tmp_path / "some.h5").write_bytes(content)
    drop_times(tmp_path / "some.h5")
    assert (tmp_path / "some.h5").read_bytes() == content
