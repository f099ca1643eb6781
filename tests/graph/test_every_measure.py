"""What holds of every measure, at every level where it is taken. One that is added to a table joins by itself."""

import re
from itertools import product

import networkx as nx
import numpy as np
import pytest
from oracles import NODAL, WHOLE, Known

from bids_app.graph import (
    DEFAULT_METRICS,
    GLOBALS,
    MEASURES,
    NEGATIVES,
    VOXEL_MEASURES,
    EdgeRule,
    Linking,
    Means,
    Nulls,
    Place,
    correlation_matrix,
    global_measures,
    nodal_measures,
    voxel_graph,
    voxel_graphs,
)
from bids_app.graph.bits import bytes_of_bits
from bids_app.graph.linking import edge_weights
from bids_app.graph.wholegraph import null_graphs

pytestmark = pytest.mark.filterwarnings("error")

RULES = [EdgeRule("r", 0), EdgeRule("r", 0.3), EdgeRule("density", 0.05), EdgeRule("density", 0.3)]
LINKINGS = [Linking(*choices) for choices in product(NEGATIVES, (False, True), (False, True))]
NULLS = Nulls(3, seed=5)
BY_CHANCE = {"rich-club-normalized", "gamma", "lambda", "sigma"}  # null graphs are drawn in the order of the nodes

SEARCHED = {"modularity": 0.02}  # the best that a search finds: another one may find a little more

of_every_measure = pytest.mark.parametrize("name", MEASURES)
of_every_voxel_measure = pytest.mark.parametrize("name", VOXEL_MEASURES)
of_every_global = pytest.mark.parametrize("name", GLOBALS)
by_every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.label)


def community_series(n_nodes):
    rng = np.random.default_rng(n_nodes)
    return rng.normal(size=(n_nodes, 4)) @ rng.normal(size=(4, 50)) + 1.5 * rng.normal(size=(n_nodes, 50))


def whereabouts(n_nodes):
    """Return coordinates and modules of some nodes, the first of which is outside the partition."""
    rng = np.random.default_rng(8)
    modules = rng.integers(0, 3, n_nodes)
    modules[: n_nodes // 8] = -1
    return rng.uniform(-60, 60, (n_nodes, 3)), modules


def known_graph(r, rule, linking=None):
    r = r * ~np.eye(len(r), dtype=bool)
    linking = linking or Linking()
    return Known(r, edge_weights(r, rule, linking), *whereabouts(len(r)), 75.0, linking.fisher)


SERIES = community_series(150)
FEW = correlation_matrix(community_series(24))


def of_voxels(series, name, rule, means=None, nodes=None):
    coordinates, modules = whereabouts(len(series))
    nodes = slice(None) if nodes is None else nodes
    return voxel_graph(series, rule, [name], place=Place(coordinates[nodes], modules[nodes]), means=means).maps[name]


def of_parcels(matrix, name, rule, linking=None, nodes=None):
    coordinates, modules = whereabouts(len(matrix))
    networks = np.array([f"network {module}" if module >= 0 else None for module in modules], dtype=object)
    nodes = slice(None) if nodes is None else nodes
    found = nodal_measures(
        matrix, rule, [name], linking=linking, coordinates=coordinates[nodes], modules=networks[nodes]
    )
    return found[name]


def is_undefined(name, linking):
    """Tell whether signed weights may cancel, by which the measure divides: it refuses them."""
    return linking.negative == "keep" and name in ("clustering-weighted", "eigenvector-weighted")


def assert_close(found, expected, said=""):
    """Equal to what float32 weights allow; those of no edge, and what is counted, are far more exact."""
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6, err_msg=said)


@pytest.mark.parametrize("table", [MEASURES, GLOBALS], ids=["nodal", "global"])
def test_every_measure_says_what_it_is(table):
    assert set(DEFAULT_METRICS) < set(MEASURES)
    for name, measure in table.items():
        assert measure.name == name
        assert measure.label
        assert measure.unit
        assert measure.description.endswith(".")
        assert re.search(r"\d{4}, doi:10\.\d+/\S+$", measure.reference), name


@pytest.mark.parametrize(("table", "oracles"), [(MEASURES, NODAL), (GLOBALS, WHOLE)], ids=["nodal", "global"])
def test_every_measure_has_an_oracle(table, oracles):
    assert table.keys() == oracles.keys(), "tests/graph/oracles.py says what each measure must be"


@by_every_rule
@of_every_voxel_measure
def test_oracle_of_voxels(name, rule):
    expected = NODAL[name](known_graph(np.corrcoef(SERIES), rule))
    assert_close(of_voxels(SERIES, name, rule), expected)


@by_every_rule
@of_every_measure
def test_oracle_of_parcels(name, rule):
    for linking in LINKINGS:
        if is_undefined(name, linking):
            with pytest.raises(ValueError, match=f"{name} cannot be computed with negative weights"):
                of_parcels(FEW, name, rule, linking)
            continue
        found = of_parcels(FEW, name, rule, linking)
        np.testing.assert_allclose(
            found, NODAL[name](known_graph(FEW, rule, linking)), rtol=1e-9, atol=1e-9, err_msg=str(linking)
        )


@pytest.fixture(scope="module")
def wholes():
    """Graphs of parcels as a whole, by rule and linking, with what is known of them and their null graphs."""
    found = {}
    for rule, linking in product(RULES, LINKINGS):
        known = known_graph(FEW, rule, linking)
        nulls = [nx.from_numpy_array(null) for null in null_graphs(known.joined, NULLS)]
        found[rule, linking] = global_measures(FEW, rule, linking=linking, nulls=NULLS).measures, known, nulls
    return found


@by_every_rule
@of_every_global
def test_oracle_of_the_whole(wholes, name, rule):
    for linking in LINKINGS:
        measures, known, nulls = wholes[rule, linking]
        expected = pytest.approx(WHOLE[name](known, nulls), rel=SEARCHED.get(name, 1e-9), nan_ok=True)
        assert measures[name] == expected, linking


def assert_relabelled(name, found, before, order):
    """Components are ranked by size, then by their first node: those of one size may change places."""
    if MEASURES[name].is_label:
        same = before[:, np.newaxis] == before
        np.testing.assert_array_equal(found[:, np.newaxis] == found, same[np.ix_(order, order)])
    else:
        assert_close(found, before[order], name)


@by_every_rule
@of_every_voxel_measure
def test_relabelled_voxels(name, rule):
    order = np.random.default_rng(1).permutation(len(SERIES))
    assert_relabelled(name, of_voxels(SERIES[order], name, rule, nodes=order), of_voxels(SERIES, name, rule), order)


@by_every_rule
@of_every_measure
def test_relabelled_parcels(name, rule):
    order = np.random.default_rng(1).permutation(len(FEW))
    for linking in LINKINGS:
        if not is_undefined(name, linking):
            found = of_parcels(FEW[np.ix_(order, order)], name, rule, linking, order)
            assert_relabelled(name, found, of_parcels(FEW, name, rule, linking), order)


@by_every_rule
@pytest.mark.parametrize("name", [name for name in GLOBALS if name not in BY_CHANCE])
def test_relabelled_whole(wholes, name, rule):
    order = np.random.default_rng(1).permutation(len(FEW))
    found = global_measures(FEW[np.ix_(order, order)], rule, linking=LINKINGS[0], nulls=NULLS).measures[name]
    before = wholes[rule, LINKINGS[0]][0][name]
    assert found == pytest.approx(before, rel=SEARCHED.get(name, 1e-9), nan_ok=True)


@by_every_rule
@of_every_voxel_measure
def test_threads_memory_and_blocks_change_nothing(name, rule, tmp_path):
    def on_disk(shape, dtype):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.bits"
        return np.asarray(np.memmap(path, dtype, "w+", shape=shape))

    one = of_voxels(SERIES, name, rule, Means(1, block=64))
    for means in (Means(2, block=64), Means(3, block=64), Means(2, memory=0, allocate=on_disk, block=64)):
        np.testing.assert_array_equal(of_voxels(SERIES, name, rule, means), one, strict=True)
    for block in (128, 192, 4096):
        assert_close(of_voxels(SERIES, name, rule, Means(2, block=block)), one)


@of_every_voxel_measure
def test_asked_for_together_and_alone(name):
    place, means = Place(*whereabouts(len(SERIES))), Means(memory=2.5 * bytes_of_bits(len(SERIES)))
    graphs = voxel_graphs(SERIES, RULES, list(VOXEL_MEASURES), place=place, means=means)
    for rule, graph in zip(RULES, graphs, strict=True):
        assert list(graph.maps) == list(VOXEL_MEASURES)
        np.testing.assert_array_equal(of_voxels(SERIES, name, rule), graph.maps[name])


@of_every_measure
def test_measures_of_all_correlations_do_not_depend_on_the_rule(name):
    alike = [np.array_equal(of_parcels(FEW, name, rule), of_parcels(FEW, name, RULES[0])) for rule in RULES]
    assert all(alike) == (not MEASURES[name].has_edges)
    if name in VOXEL_MEASURES and not MEASURES[name].has_edges:
        for rule in RULES:
            np.testing.assert_array_equal(of_voxels(SERIES, name, rule), of_voxels(SERIES, name, RULES[0]))


@of_every_voxel_measure
@pytest.mark.parametrize(
    "given", [np.float32, np.asfortranarray, lambda series: np.repeat(series, 2, axis=1)[:, ::2], np.ndarray.tolist]
)
def test_series_of_any_kind(name, given):
    rounded = SERIES.astype(np.float32).astype(np.float64)
    series, before = given(rounded), given(rounded)
    found = of_voxels(series, name, RULES[1])
    assert found.dtype == np.float64
    assert_close(found, of_voxels(rounded, name, RULES[1]))
    np.testing.assert_array_equal(series, before)


@of_every_measure
@pytest.mark.parametrize("given", [np.float32, np.asfortranarray, np.ndarray.tolist])
def test_matrices_of_any_kind(name, given):
    rounded = FEW.astype(np.float32).astype(np.float64)
    matrix, before = given(rounded), given(rounded)
    found = of_parcels(matrix, name, RULES[1])
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, of_parcels(rounded, name, RULES[1]))
    np.testing.assert_array_equal(matrix, before)


@of_every_measure
def test_parcels_without_data_are_no_nodes(name):
    holed = np.insert(np.insert(FEW, 3, np.nan, axis=0), 3, np.nan, axis=1)
    others = np.delete(np.arange(25), 3)
    coordinates, modules = whereabouts(25)
    options = {"coordinates": coordinates, "modules": modules}
    found = nodal_measures(holed, RULES[1], [name], **options)[name]
    assert np.isnan(found[3])
    some = {key: value[others] for key, value in options.items()}
    np.testing.assert_array_equal(found[others], nodal_measures(FEW, RULES[1], [name], **some)[name])
    nothing = np.full((4, 4), np.nan)
    assert np.isnan(of_parcels(nothing, name, RULES[1])).all()


ODD = {
    "no node": nx.empty_graph(0),
    "one node": nx.empty_graph(1),
    "two nodes": nx.path_graph(2),
    "two nodes apart": nx.empty_graph(2),
    "no edge": nx.empty_graph(9),
    "one edge": nx.disjoint_union(nx.path_graph(2), nx.empty_graph(7)),
    "complete": nx.complete_graph(9),
    "star": nx.star_graph(8),
    "ring": nx.cycle_graph(9),
    "isolated node": nx.disjoint_union(nx.wheel_graph(7), nx.empty_graph(1)),
    "two components": nx.disjoint_union(nx.complete_graph(4), nx.path_graph(5)),
    "two alike": nx.disjoint_union(nx.complete_graph(4), nx.complete_graph(4)),
    "two alike of more than a word": nx.disjoint_union(nx.cycle_graph(40), nx.cycle_graph(40)),
}
of_odd_graphs = pytest.mark.parametrize("graph", ODD.values(), ids=ODD)


def adjacency_of(graph):
    return nx.to_numpy_array(graph) if len(graph) else np.empty((0, 0))


def series_of(graph):
    """Series of which r is one positive value over the edges of a graph and 0 elsewhere; and that value."""
    adjacency = adjacency_of(graph)
    weight = 0.5 / max(1.0, -np.linalg.eigvalsh(adjacency).min(initial=0))
    factor = np.linalg.cholesky(np.eye(len(adjacency)) + weight * adjacency)
    return np.column_stack([factor, -factor, np.zeros((len(graph), 2))]), weight


def assert_defined(measure, values):
    """Values lie in the range of the table, and only a measure that says so is undefined anywhere."""
    assert np.isfinite(values).all() or "undefined" in measure.description
    assert not np.isinf(values).any()
    low, high = measure.range
    known = values[np.isfinite(values)]
    assert (known >= (-np.inf if low is None else low) - 1e-9).all()
    assert (known <= (np.inf if high is None else high) + 1e-9).all()


@of_odd_graphs
@of_every_voxel_measure
def test_odd_graphs_of_voxels(name, graph):
    series, weight = series_of(graph)
    r = adjacency_of(graph) * weight
    rules = [EdgeRule("r", weight / 2)]
    if graph.number_of_edges():
        rules.append(EdgeRule("density", nx.density(graph)))
    for rule in rules:
        found = of_voxels(series, name, rule)
        rounding = {"clustering-signed": 1e-5}.get(name, 1e-6)  # a node of one weight: float32 leaves of 0 / 0
        np.testing.assert_allclose(found, NODAL[name](known_graph(r, rules[0])), rtol=1e-6, atol=rounding)
        assert_defined(MEASURES[name], found)


@of_odd_graphs
@of_every_measure
def test_odd_graphs_of_parcels(name, graph):
    r = adjacency_of(graph) * 0.5
    for rule, linking in product((EdgeRule("r", 0.25), EdgeRule("density", 1)), LINKINGS):
        if is_undefined(name, linking):
            continue
        found = of_parcels(r, name, rule, linking)
        np.testing.assert_allclose(found, NODAL[name](known_graph(r, rule, linking)), rtol=1e-9, atol=1e-9)
        if linking == Linking():
            assert_defined(MEASURES[name], found)


@of_odd_graphs
@of_every_global
def test_odd_graphs_as_a_whole(name, graph):
    r = adjacency_of(graph) * 0.5
    known = known_graph(r, RULES[1])
    nulls = [nx.from_numpy_array(null) for null in null_graphs(known.joined, NULLS)]
    found = global_measures(r, RULES[1], nulls=NULLS).measures[name]
    assert found == pytest.approx(WHOLE[name](known, nulls), rel=SEARCHED.get(name, 1e-9), abs=1e-9, nan_ok=True)
    assert_defined(GLOBALS[name], np.array([found]))


@of_every_global
def test_without_null_graphs_only_what_needs_them_is_undefined(wholes, name):
    found = global_measures(FEW, RULES[1], nulls=Nulls(0)).measures[name]
    needs_them = "null graphs" in GLOBALS[name].description or name == "sigma"
    assert np.isnan(found) if needs_them else found == wholes[RULES[1], LINKINGS[0]][0][name]


@pytest.mark.parametrize("sign", [1, -1], ids=["duplicate", "opposed"])
@of_every_voxel_measure
def test_signals_that_are_one_another(name, sign):
    """Nodes with the same signal, or its negative, beside others: r is 1 or -1."""
    series = np.vstack([SERIES[:20], sign * SERIES[:3]])
    r = np.clip(np.corrcoef(series), -1, 1)
    rounding = {"strength-fisher": 0.1}.get(name, 1e-6)  # artanh is steep where float32 rounds to 1
    expected = NODAL[name](known_graph(r, RULES[1]))
    for given in (series, series.astype(np.float32)):
        found = of_voxels(given, name, RULES[1])
        np.testing.assert_allclose(found, expected, rtol=rounding, atol=2e-6)
        assert_defined(MEASURES[name], found)
    np.testing.assert_allclose(of_parcels(r, name, RULES[1]), expected, rtol=1e-9, atol=1e-9)


@of_every_voxel_measure
def test_nothing_but_one_signal_and_its_opposite(name):
    series = np.outer([1, 1, -1, 1, -1], SERIES[0])
    found = of_voxels(series, name, RULES[1])
    np.testing.assert_allclose(found, of_parcels(correlation_matrix(series), name, RULES[1]), rtol=0.1, atol=2e-6)
    assert_defined(MEASURES[name], found)


@of_every_voxel_measure
def test_constant_signals_are_refused(name):
    with pytest.raises(ValueError, match="of 21 time series 1 are constant and 0 are not finite"):
        of_voxels(np.vstack([SERIES[:20], np.full(50, 3.3)]), name, RULES[1])
