import numpy as np
import pytest
from scipy import sparse
from surface_trial import icosphere

from bids_app.space.mesh import heat_smooth, lattice_laplacian, mesh_edges, mesh_laplacian, neighbour_table
from bids_app.stats import neighbours, tfce


def plane(count, spacing):
    """Return positions, faces, and the vertex in the middle."""
    rows, columns = np.mgrid[:count, :count]
    positions = np.column_stack([columns.ravel() * spacing, rows.ravel() * spacing, np.zeros(count**2)])
    index = np.arange(count**2).reshape(count, count)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    faces = np.vstack([np.column_stack([a, b, d]), np.column_stack([a, d, c])])
    return positions, faces, index[count // 2, count // 2]


def test_a_closed_mesh_satisfies_euler():
    points, faces = icosphere()
    assert len(points) - len(mesh_edges(faces)) + len(faces) == 2


def test_neighbours_of_a_lattice_equal_those_of_the_volume():
    mask = np.random.default_rng(0).random((5, 6, 7)) < 0.7
    table = neighbours(mask, 6)
    first, column = np.nonzero(table >= 0)
    pairs = np.column_stack([first, table[first, column]])
    again = neighbour_table(pairs[pairs[:, 0] < pairs[:, 1]], int(mask.sum()))
    statistic = np.random.default_rng(1).normal(size=int(mask.sum()))
    np.testing.assert_allclose(tfce(statistic, again), tfce(statistic, table), rtol=1e-12)


def test_every_vertex_of_an_icosphere_has_five_or_six_neighbours():
    points, faces = icosphere()
    counts = (neighbour_table(mesh_edges(faces), len(points)) >= 0).sum(axis=1)
    assert np.unique(counts, return_counts=True)[1].tolist() == [12, len(points) - 12]


def test_smoothing_in_the_plane_is_the_gaussian():
    positions, faces, middle = plane(61, 1.0)
    point = np.zeros(len(positions))
    point[middle] = 1
    fwhm, squared = 8.0, ((positions - positions[middle]) ** 2).sum(axis=1)
    variance = fwhm**2 / (8 * np.log(2))
    gaussian = np.exp(-squared / 2 / variance) / (2 * np.pi * variance)
    smoothed = heat_smooth(mesh_laplacian(positions, faces), point, fwhm)
    assert np.abs(smoothed - gaussian).max() < 0.03 * gaussian.max()


def test_smoothing_in_voxels_is_the_gaussian():
    mask = np.ones((31, 31, 31), dtype=bool)
    table = neighbours(mask, 6)
    first, column = np.nonzero(table >= 0)
    pairs = np.column_stack([first, table[first, column]])
    place = np.argwhere(mask)
    middle = len(place) // 2
    point = np.zeros(len(place))
    point[middle] = 1
    fwhm = 8.0
    variance = fwhm**2 / (8 * np.log(2))
    squared = ((place - place[middle]) ** 2).sum(axis=1)
    gaussian = np.exp(-squared / 2 / variance) / (2 * np.pi * variance) ** 1.5
    smoothed = heat_smooth(lattice_laplacian(pairs[pairs[:, 0] < pairs[:, 1]], 1.0, len(place)), point, fwhm)
    assert np.abs(smoothed - gaussian).max() < 0.05 * gaussian.max()


@pytest.mark.parametrize("degree", [1, 2])
def test_harmonics_of_the_sphere_decay_as_they_must(degree):
    """exp(-l (l + 1) t / R^2) is how much is left of a spherical harmonic of degree l at time t."""
    points, faces = icosphere(4)
    radius, fwhm = 50.0, 40.0
    harmonic = points[:, 2] if degree == 1 else 3 * points[:, 2] ** 2 - 1
    left = heat_smooth(mesh_laplacian(points * radius, faces), harmonic, fwhm)
    time = fwhm**2 / (8 * np.log(2)) / 2
    expected = np.exp(-degree * (degree + 1) * time / radius**2) * harmonic
    np.testing.assert_allclose(left, expected, atol=0.01)


def test_what_is_the_same_everywhere_stays_and_gaps_stay_gaps():
    points, faces = icosphere(3)
    values = np.full(len(points), 3.0)
    values[:50] = np.nan
    smoothed = heat_smooth(mesh_laplacian(points * 50, faces), values, 12.0)
    np.testing.assert_array_equal(np.isnan(smoothed), np.isnan(values))
    np.testing.assert_allclose(smoothed[50:], 3.0, rtol=1e-9)


def test_numbering_the_vertices_otherwise_changes_nothing_else():
    points, faces = icosphere()
    order = np.random.default_rng(2).permutation(len(points))
    values = np.random.default_rng(3).normal(size=len(points))
    smoothed = heat_smooth(mesh_laplacian(points * 50, faces), values, 20.0)
    again = heat_smooth(mesh_laplacian(points[order] * 50, np.argsort(order)[faces]), values[order], 20.0)
    np.testing.assert_allclose(again, smoothed[order], rtol=1e-9)


def test_triangles_without_an_area_do_no_harm():
    positions, faces, _ = plane(5, 1.0)
    degenerate = np.vstack([faces, [[0, 0, 1]]])
    laplacian = mesh_laplacian(positions, degenerate)
    assert sparse.issparse(laplacian)
    np.testing.assert_allclose(laplacian.toarray(), mesh_laplacian(positions, faces).toarray())
