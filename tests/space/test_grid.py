import nibabel as nib
import numpy as np
import pytest
from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template
from scipy.spatial.transform import Rotation

from bids_app.errors import DataError
from bids_app.space.grid import Grid, load_grid, mask_grid, on_grid_of, smooth, template_grid, z_score


def ball(shape=(9, 10, 8), size=3.0):
    """A ragged mask on a grid away from the origin."""
    mask = np.random.default_rng(0).random(shape) < 0.6
    return Grid(mask, nib.affines.from_matvec(np.diag([size] * 3), [-12, 7, 31]))


def brute_force(grid, values, fwhm):
    """Weigh every pair of nodes by the Gaussian of their distance, cut off where scipy cuts it."""
    sigma = fwhm / np.sqrt(8 * np.log(2))
    voxels = np.argwhere(grid.mask)
    steps = np.abs(voxels[:, None] - voxels[None])
    reach = int(4 * sigma / grid.voxel_size[0] + 0.5)
    squared = (steps**2).sum(axis=2) * grid.voxel_size[0] ** 2
    weights = np.where((steps <= reach).all(axis=2), np.exp(-squared / (2 * sigma**2)), 0)
    present = np.isfinite(values)
    weights[:, ~present] = 0
    smoothed = weights @ np.where(present, values, 0) / weights.sum(axis=1)
    return np.where(present, smoothed, np.nan)


@pytest.mark.parametrize(("size", "n_nodes"), [(3, 64_292), (4, 28_144), (6, 8_656)])
def test_template_grid(size, n_nodes):
    grid = template_grid("gm", size)
    assert grid.n_nodes == n_nodes == grid.mask.sum()
    assert grid.voxel_size == (size, size, size)


def test_template_grid_is_grey_matter_within_the_brain():
    grid = template_grid("gm", 4)
    probability = load_mni152_gm_template(resolution=4).get_fdata()[grid.mask]
    assert np.median(probability) > 0.4 > 2 * np.median(load_mni152_gm_template(resolution=4).get_fdata())
    whole = template_grid("brain", 4)
    np.testing.assert_array_equal(whole.mask, load_mni152_brain_mask(resolution=4).get_fdata() > 0)
    assert np.array_equal(whole.affine, grid.affine)
    assert (grid.mask & whole.mask).sum() > 0.97 * grid.n_nodes
    left, right = ((np.sign(grid.coordinates[:, 0]) == side).sum() for side in (-1, 1))
    assert 0.95 < left / right < 1.05


def test_order_of_nodes_coordinates_and_image_agree():
    grid = ball()
    values = np.arange(grid.n_nodes, dtype=float)
    image = grid.image(values)
    for node in (0, 17, grid.n_nodes - 1):
        voxel = np.linalg.inv(image.affine) @ [*grid.coordinates[node], 1]
        assert image.get_fdata()[tuple(voxel[:3].round().astype(int))] == values[node]


def test_image_round_trip(tmp_path):
    grid = ball()
    values = np.random.default_rng(1).normal(size=grid.n_nodes).astype(np.float32)
    nib.save(grid.image(values), tmp_path / "map.nii.gz")
    back = nib.load(tmp_path / "map.nii.gz")
    np.testing.assert_array_equal(back.get_fdata(dtype=np.float32)[grid.mask], values)
    assert np.isnan(back.get_fdata()[~grid.mask]).all()
    assert back.get_data_dtype() == np.float32
    np.testing.assert_array_equal(back.affine, grid.affine)
    assert (back.header["sform_code"], back.header["qform_code"]) == (4, 4)
    assert (grid.image(values, fill=-1).get_fdata()[~grid.mask] == -1).all()


def test_grid_round_trip(tmp_path):
    grid = ball()
    nib.save(grid.mask_image(), tmp_path / "grid.nii.gz")
    back = load_grid(tmp_path / "grid.nii.gz")
    np.testing.assert_array_equal(back.mask, grid.mask)
    np.testing.assert_array_equal(back.affine, grid.affine)


def test_mask_of_the_users(tmp_path):
    grid = ball()
    path = tmp_path / "mask.nii.gz"
    nib.save(grid.image(np.full(grid.n_nodes, 0.7), fill=0), path)
    own = mask_grid(path)
    np.testing.assert_array_equal(own.mask, grid.mask)
    np.testing.assert_array_equal(own.affine, grid.affine)


@pytest.mark.filterwarnings("ignore:Resampling binary images")
def test_mask_of_the_users_on_coarser_voxels(tmp_path):
    """Of a box of 12 x 18 x 12 mm, 4 x 6 x 4 voxels of 3 mm are left in its place."""
    mask = np.zeros((20, 20, 20), dtype=np.uint8)
    mask[4:10, 6:15, 9:15] = 1
    nib.save(nib.Nifti1Image(mask, np.diag([2.0, 2, 2, 1])), tmp_path / "mask.nii.gz")
    grid = mask_grid(tmp_path / "mask.nii.gz", 3)
    assert grid.voxel_size == (3, 3, 3)
    np.testing.assert_array_equal(grid.coordinates.min(axis=0), [9, 12, 18])
    np.testing.assert_array_equal(grid.coordinates.max(axis=0), [18, 27, 27])
    assert grid.n_nodes == 4 * 6 * 4


def test_masks_that_are_none(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), dtype=np.uint8), np.eye(4)), tmp_path / "empty.nii")
    with pytest.raises(DataError, match="no voxel"):
        mask_grid(tmp_path / "empty.nii")
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4, 2), dtype=np.uint8), np.eye(4)), tmp_path / "four.nii")
    with pytest.raises(DataError, match=r"3D image is needed.*\(4, 4, 4, 2\)"):
        mask_grid(tmp_path / "four.nii")


def test_nodes_on_the_grid_of_the_data():
    """Every voxel of the data takes the nearest voxel of the mask."""
    grid = ball((6, 6, 6), 4.0)
    affine = nib.affines.from_matvec(np.diag([2.0, 2, 2]), grid.affine[:3, 3] - 1)
    data = nib.Nifti1Image(np.zeros((12, 12, 12, 2), dtype=np.float32), affine)
    native = on_grid_of(grid, data)
    np.testing.assert_array_equal(native.affine, affine)
    np.testing.assert_array_equal(native.mask, grid.mask.repeat(2, 0).repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("seed", range(6))
def test_nodes_on_their_own_grid_are_the_same(seed):
    """To the last face, whatever way the grid lies."""
    turn = Rotation.random(random_state=seed).as_matrix() * 2.7
    affine = nib.affines.from_matvec(turn, np.random.default_rng(seed).uniform(-90, 90, 3))
    mask = np.random.default_rng(seed).random((6, 7, 5)) < 0.7
    native = on_grid_of(Grid(mask, affine), nib.Nifti1Image(np.zeros((6, 7, 5, 2), dtype=np.float32), affine))
    np.testing.assert_array_equal(native.mask, mask)


@pytest.mark.parametrize("fwhm", [4.0, 6.0, 11.0])
def test_smoothing_equals_normalized_convolution_by_hand(fwhm):
    grid, rng = ball(), np.random.default_rng(2)
    values = rng.normal(50, 10, grid.n_nodes)
    values[rng.random(grid.n_nodes) < 0.2] = np.nan
    np.testing.assert_allclose(smooth(grid, values, fwhm), brute_force(grid, values, fwhm), rtol=1e-5)


def test_smoothing_keeps_a_constant_up_to_every_edge():
    grid = ball()
    values = np.full(grid.n_nodes, 7.25)
    values[::3] = np.nan
    smoothed = smooth(grid, values, 8.0)
    np.testing.assert_array_equal(np.isnan(smoothed), np.isnan(values))
    np.testing.assert_allclose(smoothed[np.isfinite(values)], 7.25, rtol=1e-6)


def test_smoothing_knows_nothing_of_what_is_missing():
    """A node without a value lends no weight: it is as if it were not in the mask."""
    grid = ball()
    absent = np.zeros(grid.mask.shape, dtype=bool)
    absent[2:5, 3:6, 2:6] = True
    values = np.random.default_rng(3).normal(size=grid.n_nodes)
    smaller = Grid(grid.mask & ~absent, grid.affine)
    holed = np.where(absent[grid.mask], np.nan, values)
    kept = ~absent[grid.mask]
    np.testing.assert_allclose(smooth(grid, holed, 6.0)[kept], smooth(smaller, values[kept], 6.0), rtol=1e-5)


def test_smoothing_spreads_a_peak_with_total_weight_one():
    """Away from the edge, the weights of one node's value sum to one and fall to half at FWHM / 2."""
    grid = Grid(np.ones((25, 25, 25), dtype=bool), np.diag([2.0, 2, 2, 1]))
    peak = np.zeros((25, 25, 25))
    peak[12, 12, 12] = 1
    smoothed = smooth(grid, peak.ravel(), 8.0).reshape(peak.shape)
    assert smoothed.sum() == pytest.approx(1, rel=1e-5)
    assert smoothed[14, 12, 12] / smoothed[12, 12, 12] == pytest.approx(0.5, rel=1e-3)


def test_z_score():
    values = np.random.default_rng(4).normal(30, 4, 500)
    values[::7] = np.nan
    scored = z_score(values)
    np.testing.assert_array_equal(np.isnan(scored), np.isnan(values))
    known = scored[np.isfinite(scored)]
    assert known.mean() == pytest.approx(0, abs=1e-12)
    assert known.std() == pytest.approx(1, abs=1e-12)
    order = np.argsort(values[np.isfinite(values)])
    np.testing.assert_array_equal(np.argsort(known), order)
