import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from bids_app.stats import neighbours, tfce

REACH = {6: 1, 18: 2, 26: 3}


@pytest.fixture(scope="module")
def reference(shared_data):
    """Signed TFCE by the max-tree code of the CAT12 author, computed in Matlab."""
    path = shared_data / "tfce_reference" / "matlab_reference.npz"
    if not path.is_file():
        pytest.skip(f"no reference maps at {path}")
    with np.load(path) as arrays:
        return dict(arrays)


def surface_neighbours(faces, count):
    pairs = np.vstack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]) - 1
    pairs = np.unique(np.vstack([pairs, pairs[:, ::-1]]), axis=0)
    degree = np.bincount(pairs[:, 0], minlength=count)
    table = np.full((count, degree.max()), -1, dtype=np.int32)
    table[np.arange(degree.max()) < degree[:, None]] = pairs[:, 1]
    return table


def brute_force(volume, mask, connectivity, E=0.5, H=2.0):
    """Label the components anew at every height."""
    structure = ndimage.generate_binary_structure(3, REACH[connectivity])
    enhanced = np.zeros(volume.shape)
    for sign in (1, -1):
        lower = 0.0
        for height in np.unique((sign * volume)[mask & (sign * volume > 0)]):
            labels = ndimage.label(mask & (sign * volume >= height), structure)[0]
            extent = np.where(labels > 0, np.bincount(labels.ravel())[labels], 0)
            enhanced += sign * extent**E * (height ** (H + 1) - lower ** (H + 1)) / (H + 1)
            lower = height
    return enhanced[mask]


@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_neighbours_are_the_voxels_within_reach(connectivity):
    mask = np.random.default_rng(1).random((5, 4, 6)) < 0.7
    tree = cKDTree(np.argwhere(mask))
    expected = tree.query_ball_tree(tree, np.sqrt(REACH[connectivity]) + 0.01)
    found = neighbours(mask, connectivity)
    assert found.shape == (mask.sum(), connectivity)
    assert found.dtype == np.int32
    for voxel, row in enumerate(found):
        assert sorted([*row[row >= 0], voxel]) == sorted(expected[voxel])


def test_neighbours_refuses_another_connectivity():
    with pytest.raises(ValueError, match="6, 18 or 26"):
        neighbours(np.ones((2, 2, 2), dtype=bool), 8)


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("decimals", [0, 1, 15])
def test_equals_brute_force_over_every_height(connectivity, decimals):
    generator = np.random.default_rng(connectivity + decimals)
    mask = generator.random((7, 6, 8)) < 0.8
    volume = 2 * ndimage.gaussian_filter(generator.standard_normal(mask.shape), 0.6)
    volume = np.round(volume, decimals)
    enhanced = tfce(volume[mask], neighbours(mask, connectivity))
    np.testing.assert_allclose(enhanced, brute_force(volume, mask, connectivity), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(("E", "H"), [(1.0, 2.0), (0.5, 1.0), (0.25, 0.0)])
def test_other_exponents_equal_brute_force(E, H):
    volume = np.random.default_rng(8).standard_normal((6, 5, 4))
    mask = np.ones(volume.shape, dtype=bool)
    enhanced = tfce(volume.ravel(), neighbours(mask), E, H)
    np.testing.assert_allclose(enhanced, brute_force(volume, mask, 6, E, H), rtol=1e-7)


def test_equals_reference_on_a_volume(reference):
    mask = np.ones(reference["vol"].shape, dtype=bool)
    touching = neighbours(mask, 26)
    pairs = [(reference["vol"], reference["ml_vol"])]
    pairs += zip(np.moveaxis(reference["volB"], -1, 0), np.moveaxis(reference["ml_volB"], -1, 0), strict=True)
    for volume, expected in pairs:
        enhanced = tfce(volume.ravel(), touching)
        assert np.abs(enhanced - expected.ravel()).max() < 1e-6 * np.abs(expected).max()


def test_equals_reference_on_a_surface(reference):
    touching = surface_neighbours(reference["faces"], len(reference["surf"]))
    enhanced = tfce(reference["surf"], touching, E=1.0, H=2.0)
    assert np.abs(enhanced - reference["ml_surf"]).max() < 1e-6 * np.abs(reference["ml_surf"]).max()


def test_heights_of_every_magnitude_equal_brute_force():
    generator = np.random.default_rng(12)
    volume = generator.choice([-1, 1], (5, 5, 5)) * 10.0 ** generator.uniform(-9, 9, (5, 5, 5))
    volume[0, 0] = [0.0, -0.0, 5e-324, -5e-324, -0.0]
    mask = np.ones(volume.shape, dtype=bool)
    enhanced = tfce(volume.ravel(), neighbours(mask, 18), H=0.0)
    np.testing.assert_allclose(enhanced, brute_force(volume, mask, 18, H=0.0), rtol=1e-7)


def test_signs_are_separate_and_symmetric():
    mask = np.ones((6, 6, 6), dtype=bool)
    statistic = np.random.default_rng(3).standard_normal(216)
    touching = neighbours(mask)
    enhanced = tfce(statistic, touching)
    np.testing.assert_array_equal(np.sign(enhanced), np.sign(statistic))
    np.testing.assert_array_equal(tfce(-statistic, touching), -enhanced)
    np.testing.assert_array_equal(tfce(np.maximum(statistic, 0), touching), np.maximum(enhanced, 0))


def test_zero_map_stays_zero():
    assert not tfce(np.zeros(8), neighbours(np.ones((2, 2, 2), dtype=bool))).any()


@pytest.mark.parametrize("statistic", [np.zeros(7), np.full(8, np.nan)])
def test_refuses_misshapen_or_missing_statistics(statistic):
    with pytest.raises(ValueError, match="statistic must be finite"):
        tfce(statistic, neighbours(np.ones((2, 2, 2), dtype=bool)))


def palm_rule(volume, structure):
    """PALM's sum for one sign, max / 100 apart, with the least and the most the integral can be by its grid."""
    step = volume.max() / 100
    total, least, most = np.zeros((3, *volume.shape))
    lower = np.where(volume > 0, 1.0 * (volume > 0).sum(), 0.0)  # the extent at height 0 is no larger
    for height in step * np.arange(1, 101):
        labels = ndimage.label(volume >= height, structure)[0]
        extent = np.where(labels > 0, np.bincount(labels.ravel())[labels], 0)
        total += extent**0.5 * height**2 * step
        least += extent**0.5 * (height - step) ** 2 * step
        # The slice in which a voxel ends counts up to its own height.
        top = np.clip(volume, height - step, height)
        most += lower**0.5 * top**2 * (top - (height - step))
        lower = extent
    return total, least, most


@pytest.mark.parametrize("connectivity", [6, 26])
def test_stepped_rule_of_palm_is_within_its_grid_error(connectivity):
    generator = np.random.default_rng(14)
    volume = 6 * ndimage.gaussian_filter(generator.standard_normal((14, 13, 12)), 1.0)
    mask = np.ones(volume.shape, dtype=bool)
    exact = tfce(volume[mask], neighbours(mask, connectivity)).reshape(volume.shape)
    for sign in (1, -1):
        part = np.maximum(sign * volume, 0)
        total, least, most = palm_rule(part, ndimage.generate_binary_structure(3, REACH[connectivity]))
        inside = part > 0
        assert (exact[inside] * sign >= least[inside] - 1e-9).all()
        assert (exact[inside] * sign <= most[inside] + 1e-9).all()
        assert np.abs(total - sign * exact)[inside].max() < 0.03 * total.max()
        assert np.corrcoef(total[inside], exact[inside] * sign)[0, 1] > 0.999


def test_permuting_the_voxels_permutes_the_map():
    generator = np.random.default_rng(15)
    mask = generator.random((7, 8, 6)) < 0.8
    statistic, touching = generator.standard_normal(mask.sum()), neighbours(mask, 18)
    shuffle = generator.permutation(mask.sum())
    position = np.append(np.argsort(shuffle), -1).astype(np.int32)
    moved = tfce(statistic[shuffle], position[touching[shuffle]])
    np.testing.assert_allclose(moved, tfce(statistic, touching)[shuffle], rtol=1e-12)


def test_several_maps_are_enhanced_as_each_alone():
    generator = np.random.default_rng(16)
    mask = np.ones((6, 7, 5), dtype=bool)
    maps = generator.standard_normal((5, 210)) * 10.0 ** np.arange(5)[:, None]
    maps[1] = np.round(maps[1], -1)
    maps[2, ::3] = 0.0
    touching = neighbours(mask)
    np.testing.assert_array_equal(tfce(maps, touching), [tfce(row, touching) for row in maps])
    assert tfce(maps[:0], touching).shape == (0, 210)


def along_a_row(values, E, H):
    """Sum over the heights, each voxel in its run of voxels of its sign that reach it: the definition, on a row."""
    enhanced = np.zeros(len(values))
    for sign in (1, -1):
        lower = 0.0
        for height in np.unique(sign * values[sign * values > 0]):
            above = sign * values >= height
            runs = np.cumsum(np.diff(above, prepend=False) & above)
            extent = np.where(above, np.bincount(runs, weights=above)[runs], 0.0)
            enhanced += sign * extent**E * (height ** (H + 1) - lower ** (H + 1)) / (H + 1) * above
            lower = height
    return enhanced


@pytest.mark.parametrize("values", ["even", "few", "outlier", "outlier below", "denormal", "one", "zeros", "none"])
@pytest.mark.parametrize(("E", "H"), [(0.5, 2.0), (1.0, 0.0)])
def test_whatever_the_values_a_row_is_enhanced_as_defined(values, E, H):
    """However they are spread, values are put in order: with extents that are whole, denormal ones are exact too."""
    generator = np.random.default_rng(17)
    statistic = {
        "even": generator.standard_normal(1500),
        "few": np.round(generator.standard_normal(1500)),
        "outlier": np.append(generator.standard_normal(1499), 1e6),
        "outlier below": np.append(generator.standard_normal(1499), -1e6),
        "denormal": generator.standard_normal(1500) * 5e-322,
        "one": np.ones(300),
        "zeros": np.where(generator.random(900) < 0.5, 0.0, generator.standard_normal(900)),
        "none": np.zeros(7),
    }[values]
    index = np.arange(len(statistic), dtype=np.int32)
    row = np.column_stack([index - 1, np.append(index[1:], -1)]).astype(np.int32)
    expected = along_a_row(statistic, E, H)
    np.testing.assert_allclose(tfce(statistic, row, E=E, H=H), expected, rtol=1e-9, atol=0)
    if values == "denormal" and H == 0:
        np.testing.assert_array_equal(tfce(statistic, row, E=E, H=H), expected)
        assert (expected != 0).any()
