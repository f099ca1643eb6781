"""Products of rows against exact arithmetic, and sums that no order changes."""

import os
import subprocess
import sys
from fractions import Fraction
from math import fsum

import numpy as np
import pytest

from bids_app.graph import EdgeRule, voxel_graphs
from bids_app.graph.edges import Nodes
from bids_app.graph.exact import cube_root, fisher_z, on_grid
from bids_app.graph.products import PANEL, multiply, packed

RNG = np.random.default_rng(5)
PROCESSORS = {
    "avx2": ("haswell", "+avx2,+avx,+fma,+bmi,+bmi2,+popcnt,+sse4.2,+sse4.1,+ssse3,+sse3,+lzcnt,+f16c,+cx16,+movbe"),
    "sse": ("x86-64-v2", "+popcnt,+sse4.2,+sse4.1,+ssse3,+sse3,+cx16"),
}
PRODUCTS = """
import sys
import numpy as np
from bids_app.graph.products import multiply, packed
rows = np.load(sys.argv[1])
panels = packed(rows)
out = np.empty((panels.shape[0] * 32,) * 2, np.float32)
multiply(panels, panels, out)
np.save(sys.argv[2], out)
"""


def unit_rows(n_rows, n_columns):
    rows = RNG.standard_normal((n_rows, n_columns))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def product(rows):
    panels = packed(rows)
    out = np.full((len(panels) * PANEL,) * 2, np.nan, dtype=np.float32)
    multiply(panels, panels, out)
    return out


def fused_in_order(one, other):
    """Return the sum of products by exact fractions, rounded to float32 after each as IEEE 754 says of fma."""
    total = np.float32(0)
    for first, second in zip(one, other, strict=True):
        exact = Fraction(float(first)) * Fraction(float(second)) + Fraction(float(total))
        total = nearest(exact)
    return total


def nearest(exact):
    """Round a fraction to float32, once."""
    guess = np.float32(float(exact))
    around = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    return min(around, key=lambda value: (abs(Fraction(float(value)) - exact), int(value.view(np.int32)) & 1))


@pytest.mark.parametrize("n_columns", [1, 7, 150, 193, 500])
def test_each_product_is_one_fused_sum_from_first_to_last(n_columns):
    rows = unit_rows(40, n_columns)
    found = product(rows)
    for one, other in ((0, 0), (3, 39), (39, 3), (17, 20)):
        assert found[one, other] == fused_in_order(rows[one], rows[other])
    np.testing.assert_allclose(found[:40, :40], rows.astype(float) @ rows.T.astype(float), atol=n_columns * 2.0**-24)
    assert not found[40:].any()


@pytest.mark.parametrize("processor", PROCESSORS)
def test_products_are_the_same_bytes_for_another_processor(processor, tmp_path):
    rows = unit_rows(40, 60)
    np.save(tmp_path / "rows.npy", rows)
    name, features = PROCESSORS[processor]
    other = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    words = [sys.executable, "-c", PRODUCTS, tmp_path / "rows.npy", tmp_path / "out.npy"]
    subprocess.run(words, check=True, env=os.environ | other)
    assert np.load(tmp_path / "out.npy").tobytes() == product(rows).tobytes()


def test_no_order_of_nodes_or_blocks_changes_a_strength():
    series = RNG.standard_normal((300, 40)) + 2 * RNG.standard_normal((300, 3)) @ RNG.standard_normal((3, 40))
    order, rules = RNG.permutation(300), [EdgeRule("r", 0.25), EdgeRule("density", 0.2)]
    metrics = ["strength", "strength-fisher"]
    for here, moved in zip(
        voxel_graphs(series, rules, metrics), voxel_graphs(series[order], rules, metrics), strict=True
    ):
        for name in metrics:
            assert here.maps[name][order].tobytes() == moved.maps[name].tobytes(), name


def test_strengths_are_the_rounded_sums_of_the_edges():
    series = RNG.standard_normal((100, 40)).astype(np.float32)
    graph = voxel_graphs(series, [EdgeRule("r", 0.1)], ["strength"])[0]
    r = np.corrcoef(series.astype(float))
    np.fill_diagonal(r, 0)
    expected = [fsum(row[row > 0.1]) for row in r]
    np.testing.assert_allclose(graph.maps["strength"], expected, rtol=1e-6)


def test_multiples_of_the_grid_add_up_exactly():
    values = [on_grid(value) for value in RNG.random(10_000) * 9]
    assert all(float(value * 2**32).is_integer() for value in values)
    assert sum(values) == sum(reversed(values)) == fsum(values)
    assert all(on_grid(float(np.float32(r))) == np.float32(r) for r in RNG.uniform(0.002, 1, 1000))


def test_fisher_and_cube_roots_are_those_of_libraries():
    values = np.r_[RNG.random(2000), 0, 2.0**-40, 1 - 2.0**-24]
    np.testing.assert_allclose([fisher_z(r) for r in values], np.arctanh(values), rtol=1e-15, atol=1e-15)
    values = np.r_[values, 1, 27, 1e6]
    np.testing.assert_allclose([cube_root(r) for r in values], np.cbrt(values), rtol=1e-15)


def test_nodes_are_packed_without_their_padding():
    unit = np.zeros((64, 48), np.float32)
    nodes = Nodes(np.zeros((50, 40)), np.zeros(50), np.ones(50), unit, np.zeros((50, 3)))
    assert nodes.panels.shape == (2, 40, PANEL)
