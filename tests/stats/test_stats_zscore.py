import numpy as np
import pytest
from scipy import integrate, stats

from bids_app.stats import ZTable, f_to_z, t_to_z

DEGREES = [1, 2, 3, 10, 38, 200]


@pytest.mark.parametrize("df", DEGREES)
def test_equals_scipy_where_scipy_does_not_underflow(df):
    t = np.concatenate([np.linspace(-8, 8, 1001), [1e-12, -1e-12, 15.0, -25.0]])
    expected = np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), df))
    np.testing.assert_allclose(t_to_z(t, df), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("t", "df"), [(40.0, 200), (100.0, 38), (1000.0, 38), (1000.0, 400), (1000.0, 3)])
def test_far_tail_equals_the_integral_of_the_density(t, df):
    peak = stats.t.logpdf(t, df)
    relative = integrate.quad(lambda s: np.exp(stats.t.logpdf(t * (1 + s), df) - peak), 0, np.inf)[0]
    assert stats.norm.logsf(t_to_z(t, df)) == pytest.approx(peak + np.log(relative * t), rel=1e-7)
    assert t_to_z(-t, df) == -t_to_z(t, df)


@pytest.mark.parametrize("df", DEGREES)
def test_rises_without_a_step_where_the_formula_changes(df):
    z = t_to_z(np.linspace(0, 1000, 20_001), df)
    assert np.isfinite(z).all()
    assert (np.diff(z) > 0).all()


@pytest.mark.parametrize("df", [3, 10, 38, 200])
def test_table_equals_the_exact_transform(df):
    t = np.concatenate([np.linspace(-31, 31, 50_001), [0.0, 30.0, -30.0, 900.0]]).reshape(5, -1)
    z = ZTable(df)(t)
    assert z.shape == t.shape
    assert np.abs(z - t_to_z(t, df)).max() < 1e-7


@pytest.mark.parametrize("df", DEGREES)
def test_f_of_one_column_gives_the_magnitude_of_its_t(df):
    t = np.linspace(-20, 20, 401)
    np.testing.assert_allclose(f_to_z(t**2, q=1, df=df), np.abs(t_to_z(t, df)), rtol=1e-9, atol=1e-9)


def test_f_equals_scipy_and_rises():
    f = np.linspace(0, 60, 500)
    z = f_to_z(f, q=3, df=20)
    np.testing.assert_allclose(z, stats.norm.isf(stats.f.sf(f, 3, 20) / 2), rtol=1e-9, atol=1e-12)
    assert (np.diff(z) > 0).all()
