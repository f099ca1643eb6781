"""Fields that were measured: phases that wrap, units, and B-splines against their definition."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import from_matvec
from scipy.ndimage import gaussian_filter

from bids_app.errors import DataError
from bids_app.preproc.distortion.field import field_at
from bids_app.preproc.distortion.measured import of_field, of_phases
from bids_app.preproc.distortion.phases import in_radians, unwrapped
from bids_app.preproc.distortion.splines import fit, product, splines_on, transposed
from bids_app.preproc.resampling import grid_points

SHAPE = (36, 44, 30)
GRID = from_matvec(nib.eulerangles.euler2mat(0.1, -0.1, 0.2) @ np.diag([-4.0, 4, 4]), (70, -90, -60))
SECONDS = 0.00246
PLACES = np.indices(SHAPE) / np.array(SHAPE)[:, None, None, None] - 0.5
HEAD = (PLACES**2 / np.array([0.16, 0.17, 0.15])[:, None, None, None]).sum(axis=0) < 1
MAGNITUDE = nib.Nifti1Image((HEAD * 900 + 20 + gaussian_filter(HEAD * 100.0, 2)).astype(np.float32), GRID)
# From -250 to 450 Hz: several turns in so short a time, steep towards the front and below.
FIELD = 300 * np.exp(-((PLACES[1] - 0.35) ** 2 + (PLACES[2] + 0.3) ** 2 + PLACES[0] ** 2) / 0.06) + 150 * PLACES[1] - 30


def wrapped(seconds):
    noise = np.random.default_rng(2).normal(0, 0.1, SHAPE)
    phase = 2 * np.pi * FIELD * seconds + noise
    phase = np.where(HEAD, phase, np.random.default_rng(3).uniform(-np.pi, np.pi, SHAPE))
    return (phase + np.pi) % (2 * np.pi) - np.pi


def inside():
    return HEAD & (MAGNITUDE.get_fdata() > 900)


def without_middle(field):
    return field - np.median(field[inside()])


@pytest.fixture(params=["radians", "0 to 4095", "-4096 to 4095", "two phases"])
def phases(request):
    """The images of a phase difference as scanners write them."""
    phase = wrapped(SECONDS)
    images = {
        "radians": [phase],
        "0 to 4095": [np.round((phase + np.pi) / (2 * np.pi) * 4095)],
        "-4096 to 4095": [np.round(phase / np.pi * 4095)],
        "two phases": [wrapped(0.00492), wrapped(0.00492 + SECONDS)],
    }[request.param]
    return [nib.Nifti1Image(one.astype(np.float32), GRID) for one in images]


def test_a_field_that_wraps_is_found(phases):
    """But for a constant, which goes with the alignment; a shift of 0.1 voxel is 2 Hz at a readout of 50 ms."""
    assert np.ptp(FIELD[inside()]) > 0.7 / SECONDS  # it does wrap
    found = of_phases(phases, SECONDS, MAGNITUDE)
    error = without_middle(field_at([found.coefficients], grid_points(SHAPE, GRID)).reshape(SHAPE)) - without_middle(
        FIELD
    )
    assert np.sqrt(np.mean(error[inside()] ** 2)) < 3
    assert np.abs(error[inside()]).max() < 20


def test_whole_turns_alone_are_added():
    phase = wrapped(SECONDS)
    turns = (unwrapped(phase, HEAD.astype(float), GRID) - phase)[HEAD] / (2 * np.pi)
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-6)
    assert len(np.unique(np.round(turns))) > 1


@pytest.mark.parametrize(("units", "of_one_hertz"), [("Hz", 1.0), ("rad/s", 2 * np.pi), ("T", 1 / 42.577478518e6)])
def test_units_of_a_field(units, of_one_hertz):
    values = nib.Nifti1Image((FIELD * of_one_hertz).astype(np.float64), GRID)
    found = of_field(values, units, MAGNITUDE)
    error = (field_at([found.coefficients], grid_points(SHAPE, GRID)).reshape(SHAPE) - FIELD)[inside()]
    assert np.sqrt(np.mean(error**2)) < 2


@pytest.mark.parametrize("values", [np.array([0.0, 100.0]), np.array([0.0, 0.5, 4000.25]), np.zeros(3)])
def test_phases_in_no_known_unit_are_refused(values):
    with pytest.raises(DataError, match="neither radians nor 4096 or 8192 to a turn"):
        in_radians(values)


def test_splines_are_those_that_the_field_is_read_by():
    """The matrices along the axes, and `field_at`, which reads coefficients at points."""
    splines = splines_on(SHAPE, GRID, 11.0)
    coefficients = np.random.default_rng(1).normal(size=splines.shape)
    image = nib.Nifti1Image(coefficients, splines.affine)
    read = field_at([image], grid_points(SHAPE, GRID)).reshape(SHAPE)
    np.testing.assert_allclose(product(splines.values, coefficients), read, atol=1e-8)
    slope, step = product(splines.along(1), coefficients), 1e-4
    beside = [field_at([image], grid_points(SHAPE, GRID) + sign * step * GRID[:3, 1]) for sign in (1, -1)]
    np.testing.assert_allclose(slope, ((beside[0] - beside[1]) / (2 * step)).reshape(SHAPE), atol=1e-5)


def test_the_adjoint_is_the_adjoint():
    splines, rng = splines_on(SHAPE, GRID, 20.0), np.random.default_rng(1)
    one, other = rng.normal(size=splines.shape), rng.normal(size=SHAPE)
    left = (product(splines.values, one) * other).sum()
    assert left == pytest.approx((one * product(transposed(splines.values), other)).sum())


def test_what_was_not_measured_does_not_count():
    splines = splines_on(SHAPE, GRID, 15.0)
    plane = 3 * PLACES[0] - PLACES[2]
    coefficients = fit(splines, np.where(HEAD, plane, 1e6), HEAD.astype(float), 1e-6)
    np.testing.assert_allclose(product(splines.values, coefficients)[HEAD], plane[HEAD], atol=0.05)
