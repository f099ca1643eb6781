import networkx as nx
import numpy as np
import pytest

from bids_app.graph import VOXEL_MEASURES, EdgeRule, Means, Place, nodal_measures, voxel_graph, voxel_graphs
from bids_app.graph.intrinsics import CHUNK
from bids_app.graph.triangles import TILE

EDGE = 0.5
FOUR = ("degree", "strength", "clustering", "clustering-weighted")
FROM_FLOAT32 = {
    "strength",
    "strength-fisher",
    "clustering-weighted",
    "clustering-onnela",
    "eigenvector-weighted",
    "clustering-signed",
}


def series_of(graph):
    """Series of which r is one positive value over the edges of `graph` and 0 elsewhere; and that value."""
    adjacency = nx.to_numpy_array(graph)
    weight = EDGE / max(1.0, -np.linalg.eigvalsh(adjacency).min())
    factor = np.linalg.cholesky(np.eye(len(adjacency)) + weight * adjacency)
    return np.column_stack([factor, -factor]), weight


def brute_force(series, threshold, nodes=slice(None)):
    """The four maps at some nodes by their definitions, in float64 on the dense matrix."""
    r = np.corrcoef(series)
    np.fill_diagonal(r, 0)
    joined = (r > threshold).astype(float)
    a, w = joined[nodes], (joined * r)[nodes]
    k, s = a.sum(axis=1), w.sum(axis=1)
    common = a @ joined
    with np.errstate(invalid="ignore", divide="ignore"):
        binary = np.where(k < 2, 0, (a * common).sum(axis=1) / (k * (k - 1)))
        barrat = np.where(k < 2, 0, (w * common).sum(axis=1) / (s * (k - 1)))
    return {"degree": k, "strength": s, "clustering": binary, "clustering-weighted": barrat}


def assert_same_maps(maps, expected):
    """What is counted is equal; what is summed of float32 weights is so to a millionth."""
    assert list(maps) == list(expected)
    for name, values in maps.items():
        tolerance = {"rtol": 1e-6, "atol": 1e-6} if name in FROM_FLOAT32 else {"rtol": 1e-12, "atol": 1e-9}
        np.testing.assert_allclose(values, expected[name], **tolerance, err_msg=name)
        if name in ("degree", "core-number", "component"):
            np.testing.assert_array_equal(values, expected[name])


@pytest.fixture(scope="module")
def series():
    """2,000 nodes in eight overlapping communities."""
    rng = np.random.default_rng(7)
    return rng.normal(size=(2000, 8)) @ rng.normal(size=(8, 60)) + 2 * rng.normal(size=(2000, 60))


@pytest.fixture(scope="module")
def graph(series):
    return voxel_graph(series)


CLOSED_FORMS = {
    "complete": (nx.complete_graph(9), [8] * 9, [1] * 9),
    "star": (nx.star_graph(6), [6, 1, 1, 1, 1, 1, 1], [0] * 7),
    "ring": (nx.cycle_graph(7), [2] * 7, [0] * 7),
    "ring with second neighbours": (nx.circulant_graph(70, [1, 2]), [4] * 70, [0.5] * 70),
    "path": (nx.path_graph(4), [1, 2, 2, 1], [0] * 4),
    "triangle and pair": (
        nx.disjoint_union(nx.complete_graph(3), nx.path_graph(2)),
        [2, 2, 2, 1, 1],
        [1, 1, 1, 0, 0],
    ),
    "isolated": (nx.empty_graph(5), [0] * 5, [0] * 5),
    "wheel": (nx.wheel_graph(6), [5, 3, 3, 3, 3, 3], [0.5] + [2 / 3] * 5),
}


@pytest.mark.parametrize(("wanted", "degree", "clustering"), CLOSED_FORMS.values(), ids=CLOSED_FORMS)
def test_closed_forms(wanted, degree, clustering):
    series, weight = series_of(wanted)
    graph = voxel_graph(series, weight / 2)
    np.testing.assert_array_equal(graph.maps["degree"], degree)
    np.testing.assert_allclose(graph.maps["strength"], weight * np.array(degree), rtol=1e-6)
    np.testing.assert_allclose(graph.maps["clustering"], clustering, atol=1e-14)
    np.testing.assert_allclose(graph.maps["clustering-weighted"], clustering, atol=1e-14, rtol=1e-6)
    assert graph.n_nodes == wanted.number_of_nodes()
    assert graph.n_edges == wanted.number_of_edges()
    assert graph.density == pytest.approx(nx.density(wanted))
    assert graph.mean_degree == pytest.approx(np.mean(degree))


@pytest.mark.parametrize("n_nodes", [2, 63, 64, 65, 130])
@pytest.mark.parametrize("probability", [0.1, 0.5, 1])
def test_networkx_agrees_around_the_word_size(n_nodes, probability):
    wanted = nx.gnp_random_graph(n_nodes, probability, seed=n_nodes)
    series, weight = series_of(wanted)
    maps = voxel_graph(series, weight / 2, means=Means(block=64)).maps
    np.testing.assert_array_equal(maps["degree"], [wanted.degree[node] for node in wanted])
    np.testing.assert_allclose(maps["clustering"], list(nx.clustering(wanted).values()), atol=1e-14)


@pytest.mark.parametrize("n_nodes", [0, 1])
def test_fewer_than_two_nodes(n_nodes):
    graph = voxel_graph(np.arange(5.0)[np.newaxis][:n_nodes])
    assert (graph.n_edges, graph.density, graph.mean_degree) == (0, 0, 0)
    for values in graph.maps.values():
        np.testing.assert_array_equal(values, np.zeros(n_nodes))


@pytest.mark.parametrize("threshold", [0, 0.25, 0.6, 0.99])
def test_two_thousand_nodes_equal_brute_force(series, threshold):
    assert_same_maps(voxel_graph(series, threshold).maps, brute_force(series, threshold))


def test_more_nodes_than_a_chunk_and_several_tiles():
    rng = np.random.default_rng(11)
    series = rng.normal(size=(4200, 3)) @ rng.normal(size=(3, 20)) + 2 * rng.normal(size=(4200, 20))
    assert len(series) > CHUNK >= 2 * max(TILE)
    nodes = [0, 63, 64, 1023, 1024, 2047, 2048, 4095, 4096, 4199]
    maps = {name: values[nodes] for name, values in voxel_graph(series, 0.6).maps.items()}
    assert_same_maps(maps, brute_force(series, 0.6, nodes))


@pytest.fixture(scope="module")
def place():
    rng = np.random.default_rng(8)
    return Place(rng.uniform(-70, 70, (2000, 3)), rng.integers(-1, 6, 2000), 60.0)


RULES = [EdgeRule("r", 0.2), EdgeRule("density", 0.04), EdgeRule("r", 0.45), EdgeRule("density", 0.3)]


@pytest.fixture(scope="module")
def everything(series, place):
    """Every measure by every rule, on 600 of the nodes."""
    some = Place(place.coordinates[:600], place.modules[:600], place.distance)
    return voxel_graphs(series[:600], RULES, list(VOXEL_MEASURES), place=some)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.label)
def test_dense_route_agrees_on_every_measure(series, place, everything, rule):
    networks = [None if module < 0 else f"network {module}" for module in place.modules[:600]]
    expected = nodal_measures(
        np.corrcoef(series[:600]),
        rule,
        list(VOXEL_MEASURES),
        coordinates=place.coordinates[:600],
        modules=networks,
        distance=place.distance,
    )
    assert_same_maps(everything[RULES.index(rule)].maps, expected)


def test_values_lie_in_the_range_of_the_table(everything):
    for name, measure in VOXEL_MEASURES.items():
        values = np.concatenate([graph.maps[name] for graph in everything])
        low, high = measure.range
        known = values[np.isfinite(values)]
        assert known.size
        assert known.min() >= (-np.inf if low is None else low) - 1e-12, name
        assert known.max() <= (np.inf if high is None else high) + 1e-12, name


def test_exact_densities(series):
    rules = [EdgeRule("density", value) for value in (1e-6, 0.001, 0.05, 0.5, 1.0)]
    r = np.corrcoef(series)[np.triu_indices(len(series), 1)]
    n_positive = np.count_nonzero(r > 0)
    for rule, graph in zip(rules, voxel_graphs(series, rules, ["degree"]), strict=True):
        assert graph.n_edges == min(rule.n_edges(len(series)), n_positive)
        assert graph.n_edges == np.count_nonzero(r >= graph.threshold - 1e-14) or not graph.n_edges


def test_a_density_and_the_threshold_that_gives_it_are_one_graph(series):
    by_density = voxel_graph(series, EdgeRule("density", 0.1), FOUR)
    by_threshold = voxel_graph(series, np.nextafter(by_density.threshold, 0), FOUR)
    assert by_density.n_edges == by_threshold.n_edges
    assert_same_maps(by_density.maps, by_threshold.maps)


def test_equal_series_fill_a_density_in_order():
    series = np.tile([1.0, -1, 2, -2, 0], (6, 1))  # all r are 1
    graph = voxel_graph(series, EdgeRule("density", 0.4), ["degree"])
    np.testing.assert_array_equal(graph.maps["degree"], [5, 2, 2, 1, 1, 1])


def test_rules_in_one_call_are_what_each_gives_alone(series, place, everything):
    some = Place(place.coordinates[:600], place.modules[:600], place.distance)
    for rule, together in zip(RULES, everything, strict=True):
        alone = voxel_graph(series[:600], rule, list(VOXEL_MEASURES), place=some)
        assert (alone.n_edges, alone.threshold) == (together.n_edges, together.threshold)
        for name, values in alone.maps.items():
            np.testing.assert_array_equal(values, together.maps[name], err_msg=name)


@pytest.mark.parametrize("megabytes", [0, 0.7, 1.3])
def test_memory_budget_does_not_matter(series, place, everything, megabytes, tmp_path):
    def on_disk(shape, dtype):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.bits"
        return np.asarray(np.memmap(path, dtype, "w+", shape=shape))

    some = Place(place.coordinates[:600], place.modules[:600], place.distance)
    means = Means(memory=megabytes * 1e6, allocate=on_disk)
    for graph, expected in zip(
        voxel_graphs(series[:600], RULES, list(VOXEL_MEASURES), place=some, means=means), everything, strict=True
    ):
        assert_same_maps(graph.maps, expected.maps)
    assert len(list(tmp_path.iterdir())) == (len(RULES) if megabytes < 0.3 else 0)


@pytest.mark.parametrize("block", [64, 192, 4096])
def test_block_size_does_not_matter(series, graph, block):
    assert_same_maps(voxel_graph(series, means=Means(block=block)).maps, graph.maps)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_thread_count_does_not_change_a_bit(series, place, everything, n_threads):
    some = Place(place.coordinates[:600], place.modules[:600], place.distance)
    graphs = voxel_graphs(series[:600], RULES, list(VOXEL_MEASURES), place=some, means=Means(n_threads))
    for graph, expected in zip(graphs, everything, strict=True):
        for name, values in graph.maps.items():
            np.testing.assert_array_equal(values, expected.maps[name], strict=True)


def test_permuting_the_voxels_permutes_the_maps(series, place, everything):
    order = np.random.default_rng(1).permutation(600)
    moved = Place(place.coordinates[order], place.modules[order], place.distance)
    names = [
        name for name in VOXEL_MEASURES if name != "component"
    ]  # of two components of one size the first has the rank
    for graph, expected in zip(voxel_graphs(series[order], RULES, names, place=moved), everything, strict=True):
        assert_same_maps(graph.maps, {name: expected.maps[name][order] for name in names})


@pytest.mark.parametrize(("threshold", "degree"), [(0.5, 1), (np.nextafter(0.5, 0), 5), (0, 5)])
def test_a_tie_with_the_threshold_is_no_edge(threshold, degree):
    one, two, three = np.array([[1, -1] * 4, [1, 1, -1, -1] * 2, [1] * 4 + [-1] * 4])
    series = [one + two, one + three, two + three] * 2  # norms are 4, so r is exactly 1 or 0.5
    np.testing.assert_array_equal(voxel_graph(series, threshold).maps["degree"], [degree] * 6)


def test_float32_rounding_never_decides():
    rng = np.random.default_rng(5)
    series = rng.normal(size=(300, 200))
    r = np.corrcoef(series)
    pairs = rng.integers(0, 300, (20, 2))
    for i, j in pairs[(pairs[:, 0] != pairs[:, 1]) & (r[tuple(pairs.T)] > 0)]:
        for threshold in (r[i, j] - 1e-12, r[i, j] + 1e-12):
            expected = np.count_nonzero(np.triu(r > threshold, 1))
            assert voxel_graph(series, threshold, metrics=["degree"]).n_edges == expected


def test_only_the_metrics_asked_for(series, place, everything):
    some = Place(place.coordinates[:600], place.modules[:600], place.distance)
    for name in VOXEL_MEASURES:
        maps = voxel_graph(series[:600], RULES[0], [name], place=some).maps
        assert list(maps) == [name]
        np.testing.assert_array_equal(maps[name], everything[0].maps[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": 1}, "below 1, not 1"),
        ({"rule": -0.1}, "at least 0"),
        ({"rule": np.nan}, "not nan"),
        ({"metrics": ["degree", "hubness"]}, "unknown metrics: hubness"),
        ({"metrics": ["participation"]}, "participation cannot be computed without modules"),
        ({"metrics": ["degree-long"]}, "degree-long cannot be computed without coordinates"),
        ({"means": Means(block=100)}, "multiple of 64, not 100"),
    ],
)
def test_options_out_of_range(series, options, message):
    with pytest.raises(ValueError, match=message):
        voxel_graph(series[:10], **options)


@pytest.mark.parametrize(("kind", "value"), [("density", 0), ("density", 1.1), ("cost", 0.1), ("r", 1.0)])
def test_rules_out_of_range(kind, value):
    with pytest.raises(ValueError, match=kind if kind == "cost" else "must be"):
        EdgeRule(kind, value)


@pytest.mark.parametrize("label", ["r025", "r0", "d1", "d005", "d00125"])
def test_labels_of_rules_are_read_back(label):
    assert EdgeRule.parse(label).label == label


def test_constant_rows_are_an_error(series):
    with pytest.raises(ValueError, match="1 are constant"):
        voxel_graph(np.vstack([series[:5], np.full(60, 3.3)]))
