import nibabel as nib
import numpy as np
import pytest
from nilearn.image import resample_img
from scipy.spatial.transform import Rotation

from bids_app.errors import DataError, MissingInputError
from bids_app.participant.bold import read_mask, sample_nodes
from bids_app.space.grid import Grid
from bids_app.system.images import open_bold

SHAPE = (7, 8, 6)
N_VOLUMES = 9


def affine(size=3.0, seed=None):
    """An oblique grid, or one along the axes without a seed."""
    matrix = np.diag([size, size, size * 1.1, 1.0])
    if seed is not None:
        matrix[:3, :3] = Rotation.random(random_state=seed).as_matrix() @ matrix[:3, :3]
        matrix[:3, 3] = np.random.default_rng(seed).uniform(-90, 90, 3)
    return matrix


def bold(matrix, seed=0, dtype=np.float32, shape=SHAPE):
    values = np.random.default_rng(seed).integers(100, 2000, (*shape, N_VOLUMES)).astype(dtype)
    return nib.Nifti1Image(values, matrix)


def save_mask(path, matrix, mask=None):
    mask = np.ones(SHAPE) if mask is None else mask
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), matrix), path)
    return path


def sampled(image, mask_path, grid):
    mask, _ = read_mask(mask_path, image)
    return sample_nodes(image, mask, grid)


@pytest.fixture
def mask_path(tmp_path):
    return save_mask(tmp_path / "mask.nii.gz", affine())


@pytest.mark.parametrize("seed", [None, *range(6)])
def test_nodes_on_the_grid_of_the_image_hold_its_values(tmp_path, seed):
    """To the last face of the image, whatever way its grid lies."""
    image = bold(affine(seed=seed))
    mask = save_mask(tmp_path / "mask.nii", image.affine)
    nodes = np.random.default_rng(1).random(SHAPE) < 0.7
    series = sampled(image, mask, Grid(nodes, image.affine))
    np.testing.assert_allclose(series, image.get_fdata()[nodes], rtol=2e-6)  # float32


def test_grid_that_went_through_a_file(tmp_path):
    """The header holds float32: the grid read back differs from that of the image by rounding."""
    image = bold(affine(2.7, seed=3))
    mask = save_mask(tmp_path / "mask.nii", image.affine)
    nib.save(Grid(np.ones(SHAPE, dtype=bool), image.affine).mask_image(), tmp_path / "grid.nii.gz")
    saved = nib.load(tmp_path / "grid.nii.gz")
    assert not np.array_equal(saved.affine, image.affine)
    series = sampled(image, mask, Grid(np.ones(SHAPE, dtype=bool), saved.affine))
    np.testing.assert_allclose(series, image.get_fdata().reshape(-1, N_VOLUMES), atol=0.2)


@pytest.mark.parametrize("size", [2.0, 3.5])
def test_another_grid_equals_nilearns_linear_interpolation(mask_path, size):
    image = bold(affine())
    target = np.diag([size, size, size, 1.0])
    target[:3, 3] = 3.3
    shape = tuple(int(extent // size) for extent in (12, 15, 9))
    series = sampled(image, mask_path, Grid(np.ones(shape, dtype=bool), target))
    expected = resample_img(
        image,
        target_affine=target,
        target_shape=shape,
        interpolation="linear",
        force_resample=True,
        copy_header=True,
    ).get_fdata()
    assert np.isfinite(series).all()
    np.testing.assert_allclose(series, expected.reshape(-1, N_VOLUMES), atol=0.01)


def test_linear_interpolation_of_a_ramp_is_exact(mask_path):
    """A field that is linear in space is met in between, too."""
    matrix = affine()
    x, y, z = nib.affines.apply_affine(matrix, np.argwhere(np.ones(SHAPE))).T.reshape(3, *SHAPE)
    gains = np.arange(1, N_VOLUMES + 1)
    image = nib.Nifti1Image(((2 * x - y + 3 * z)[..., None] * gains).astype(np.float32), matrix)
    grid = Grid(np.ones((4, 5, 4), dtype=bool), nib.affines.from_matvec(np.diag([2.5, 2.5, 2.5]), [1.3, 2.1, 0.7]))
    expected = grid.coordinates @ [2, -1, 3]
    np.testing.assert_allclose(sampled(image, mask_path, grid), np.outer(expected, gains), atol=0.01)


def test_no_signal_outside_the_brain_mask(tmp_path):
    image = bold(affine())
    brain = np.random.default_rng(2).random(SHAPE) < 0.5
    mask = save_mask(tmp_path / "brain.nii.gz", image.affine, brain)
    series = sampled(image, mask, Grid(np.ones(SHAPE, dtype=bool), image.affine))
    np.testing.assert_array_equal(np.isfinite(series), np.repeat(brain.reshape(-1, 1), N_VOLUMES, axis=1))


def test_no_signal_where_it_does_not_vary_or_is_not_finite(mask_path):
    image = bold(affine())
    values = image.get_fdata(dtype=np.float32)
    values[1, 2, 3] = 700
    values[4, 4, 4, 2] = np.inf
    values[0, 0, 0] = 0
    grid = Grid(np.ones(SHAPE, dtype=bool), image.affine)
    series = sampled(nib.Nifti1Image(values, image.affine), mask_path, grid)
    dead = np.isnan(series).all(axis=1).reshape(SHAPE)
    assert dead[1, 2, 3]
    assert dead[4, 4, 4]
    assert dead[0, 0, 0]
    assert not dead[2, 6, 1]
    np.testing.assert_array_equal(np.isnan(series).any(axis=1), dead.ravel())


def test_masks_that_do_not_fit(tmp_path):
    image = bold(affine())
    grid = Grid(np.ones(SHAPE, dtype=bool), image.affine)
    elsewhere = image.affine.copy()
    elsewhere[0, 3] += 3
    with pytest.raises(DataError, match=r"another grid.*origin \(3.0, 0.0, 0.0\) and \(0.0, 0.0, 0.0\)"):
        sampled(image, save_mask(tmp_path / "moved.nii", elsewhere), grid)
    with pytest.raises(DataError, match=r"another grid.*\(7, 8, 5\)"):
        sampled(image, save_mask(tmp_path / "cut.nii", image.affine, np.ones((7, 8, 5))), grid)
    with pytest.raises(DataError, match="none of the 336 nodes"):
        sampled(image, save_mask(tmp_path / "empty.nii", image.affine, np.zeros(SHAPE)), grid)
    with pytest.raises(MissingInputError, match="no brain mask"):
        sampled(image, None, grid)
    (tmp_path / "text.nii").write_text("not an image, but longer than nothing")
    with pytest.raises(DataError, match="no readable image"):
        sampled(image, tmp_path / "text.nii", grid)


def test_dead_image(tmp_path, mask_path):
    image = nib.Nifti1Image(np.full((*SHAPE, 4), 9.0, dtype=np.float32), affine())
    with pytest.raises(DataError, match=r"no node .* has a signal that varies"):
        sampled(image, mask_path, Grid(np.ones(SHAPE, dtype=bool), affine()))


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint16])
def test_volumes_read_in_turn_equal_the_whole_image(tmp_path, mask_path, dtype):
    image = bold(affine(), dtype=dtype)
    image.header.set_slope_inter(0.5, 3)  # what is read differs from what is stored
    nib.save(image, tmp_path / "bold.nii.gz")
    whole = np.asarray(nib.load(tmp_path / "bold.nii.gz").dataobj, dtype=np.float32)
    series = sampled(open_bold(tmp_path / "bold.nii.gz"), mask_path, Grid(np.ones(SHAPE, dtype=bool), affine()))
    np.testing.assert_allclose(series, whole.reshape(-1, N_VOLUMES), rtol=2e-6)


def test_compressed_image_is_read_once_through(tmp_path, mask_path, monkeypatch):
    """Starting over for every volume would decompress the image T / 2 times."""
    nib.save(bold(affine(), shape=SHAPE), tmp_path / "bold.nii.gz")
    opened = []
    opener = nib.openers.Opener.__init__

    def count(self, *arguments, **options):
        opened.append(arguments)
        opener(self, *arguments, **options)

    image = open_bold(tmp_path / "bold.nii.gz")
    monkeypatch.setattr(nib.openers.Opener, "__init__", count)
    sampled(image, mask_path, Grid(np.ones(SHAPE, dtype=bool), affine()))
    of_image = [arguments for arguments in opened if "bold.nii.gz" in str(arguments)]
    assert len(of_image) == 1


def test_images_that_are_none(tmp_path):
    with pytest.raises(MissingInputError, match="does not exist"):
        open_bold(tmp_path / "absent_bold.nii.gz")
    (tmp_path / "annex_bold.nii.gz").symlink_to(tmp_path / "nowhere")
    with pytest.raises(MissingInputError, match="datalad get"):
        open_bold(tmp_path / "annex_bold.nii.gz")
    (tmp_path / "empty_bold.nii.gz").touch()
    with pytest.raises(DataError, match="empty"):
        open_bold(tmp_path / "empty_bold.nii.gz")
    (tmp_path / "text_bold.nii.gz").write_text("a pointer to content")
    with pytest.raises(DataError, match="no readable image"):
        open_bold(tmp_path / "text_bold.nii.gz")
    nib.save(nib.Nifti1Image(np.ones(SHAPE), np.eye(4)), tmp_path / "one_bold.nii.gz")
    with pytest.raises(DataError, match=r"shape \(7, 8, 6\)"):
        open_bold(tmp_path / "one_bold.nii.gz")


@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_truncated_image(tmp_path, mask_path, extension):
    path = tmp_path / f"bold{extension}"
    nib.save(bold(affine()), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(DataError, match=r"truncated: volume [1-8] of 9"):
        sampled(open_bold(path), mask_path, Grid(np.ones(SHAPE, dtype=bool), affine()))
