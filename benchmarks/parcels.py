"""Every measure of parcel graphs against bctpy, networkx and igraph: largest difference, and time of each.

python -m benchmarks.parcels --parcels 419 --density 0.12
"""

import argparse
import time

import bct
import igraph
import networkx as nx
import numpy as np

from bids_app.graph import GLOBALS, MEASURES, EdgeRule, Nulls, correlation_matrix, global_measures, nodal_measures
from bids_app.graph.bitrows import rewire

N_VOLUMES, N_FACTORS = 117, 20


def simulated(n_parcels, seed=0):
    """Return the correlations of parcels that share factors, their centres and their networks."""
    rng = np.random.default_rng(seed)
    series = rng.normal(size=(n_parcels, N_FACTORS)) @ rng.normal(size=(N_FACTORS, N_VOLUMES))
    series += 2 * rng.normal(size=series.shape)
    return correlation_matrix(series), rng.uniform(-70, 70, (n_parcels, 3)), rng.integers(0, 7, n_parcels)


class Peers:
    """The same graph as the other packages want it."""

    def __init__(self, matrix, n_edges, modules):
        self.r = matrix * ~np.eye(len(matrix), dtype=bool)
        strongest = np.sort(self.r[np.triu_indices(len(self.r), 1)])[-n_edges]
        self.weights = np.where(self.r >= strongest, self.r, 0)
        self.binary = (self.weights > 0).astype(float)
        self.nx = nx.from_numpy_array(self.weights)
        self.igraph = igraph.Graph.Adjacency(self.binary.tolist(), mode="undirected")
        self.modules, self.similarity = modules, (1 + self.r) / 2 * ~np.eye(len(matrix), dtype=bool)

    def nodal(self):
        """Return for each nodal measure what the peers have."""
        g, b, w = self.nx, self.binary, self.weights
        scaled = igraph.Graph.eigenvector_centrality
        return {
            "degree": {"bctpy": lambda: bct.degrees_und(b), "igraph": self.igraph.degree},
            "strength": {
                "bctpy": lambda: bct.strengths_und(w),
                "networkx": lambda: list(dict(g.degree(weight="weight")).values()),
            },
            "clustering": {
                "bctpy": lambda: bct.clustering_coef_bu(b),
                "networkx": lambda: list(nx.clustering(g).values()),
                "igraph": lambda: self.igraph.transitivity_local_undirected(mode="zero"),
            },
            "clustering-onnela": {"bctpy": lambda: bct.clustering_coef_wu(w)},
            "clustering-zhang": {"bctpy": lambda: bct.clustering_coef_wu_sign(self.similarity, "zhang")[0]},
            "clustering-signed": {"bctpy": lambda: bct.clustering_coef_wu_sign(self.r, "costantini")},
            "efficiency": {
                "igraph": lambda: self._inverse_lengths(self.igraph.distances()),
                "bctpy": lambda: self._inverse_lengths(bct.distance_bin(b)),
            },
            "local-efficiency": {
                "bctpy": lambda: bct.efficiency_bin(b, local=True),
                "networkx": lambda: [nx.global_efficiency(g.subgraph(g[node])) for node in g],
            },
            "betweenness": {
                "bctpy": lambda: bct.betweenness_bin(b) / ((len(b) - 1) * (len(b) - 2)),
                "networkx": lambda: list(nx.betweenness_centrality(g).values()),
                "igraph": lambda: 2 * np.array(self.igraph.betweenness()) / ((len(b) - 1) * (len(b) - 2)),
            },
            "eigenvector": {"igraph": lambda: _of_norm_1(scaled(self.igraph))},
            "eigenvector-weighted": {"bctpy": lambda: bct.eigenvector_centrality_und(w).ravel()},
            "participation": {"bctpy": lambda: bct.participation_coef(b, self.modules + 1)},
            "module-degree": {"bctpy": lambda: bct.module_degree_zscore(b, self.modules + 1)},
            "core-number": {"igraph": self.igraph.coreness},
        }

    def whole(self):
        """Return for each global measure what the peers have."""
        g, b = self.nx, self.binary
        degree = b.sum(axis=0)
        level = int(np.floor(degree.mean() + degree.std()))
        return {
            "density": {"networkx": lambda: nx.density(g)},
            "clustering": {"networkx": lambda: nx.average_clustering(g)},
            "transitivity": {
                "bctpy": lambda: bct.transitivity_bu(b),
                "igraph": self.igraph.transitivity_undirected,
            },
            "path-length-mean": {
                "bctpy": lambda: bct.charpath(bct.distance_bin(b), include_infinite=False)[0],
                "igraph": self.igraph.average_path_length,
            },
            "global-efficiency": {
                "bctpy": lambda: bct.efficiency_bin(b),
                "networkx": lambda: nx.global_efficiency(g),
            },
            "local-efficiency": {"bctpy": lambda: bct.efficiency_bin(b, local=True).mean()},
            "modularity": {
                "igraph": lambda: max(
                    self.igraph.community_leiden("modularity", n_iterations=-1).modularity for _ in range(20)
                ),
            },
            "assortativity": {
                "bctpy": lambda: bct.assortativity_bin(b),
                "igraph": self.igraph.assortativity_degree,
            },
            "rich-club": {"bctpy": lambda: bct.rich_club_bu(b)[0][level - 1]},
        }

    def _inverse_lengths(self, lengths):
        lengths = np.array(lengths, dtype=float)
        others = ~np.eye(len(lengths), dtype=bool)
        return (1 / np.where(others, lengths, 1) * others).sum(axis=1) / (len(lengths) - 1)


def _of_norm_1(values):
    return np.array(values) / np.linalg.norm(values)


def timed(make):
    """Return a result and the seconds it took."""
    start = time.perf_counter()
    made = make()
    return made, time.perf_counter() - start


def compare(title, measures, own, peers, *, is_timed=True):
    """Print a table: our time, and of each peer the time and the largest difference."""
    print(f"\n| {title} | trialgraph | bctpy | networkx | igraph |\n|---|---|---|---|---|")
    for name in (name for name in measures if name in peers):
        own(name)  # compiled
        values, seconds = timed(lambda name=name: own(name))
        cells = [f"{1000 * seconds:.0f} ms" if is_timed else ""]
        for peer in ("bctpy", "networkx", "igraph"):
            if peer not in peers[name]:
                cells.append("")
                continue
            theirs, their_seconds = timed(peers[name][peer])
            apart = np.nanmax(np.abs(np.asarray(values, dtype=float) - np.asarray(theirs, dtype=float)))
            cells.append(f"{apart:.0e}, {1000 * their_seconds:,.0f} ms")
        print(f"| `{name}` | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=419)
    parser.add_argument("--density", type=float, default=0.12)
    arguments = parser.parse_args()
    matrix, places, modules = simulated(arguments.parcels)
    rule = EdgeRule("density", arguments.density)
    peers = Peers(matrix, rule.n_edges(len(matrix)), modules)
    given = {"coordinates": places, "modules": modules.astype(str)}
    print(
        f"{len(matrix)} parcels, {100 * arguments.density:g} % of pairs. Peers: time against ours, largest difference."
    )
    compare("nodal", MEASURES, lambda name: nodal_measures(matrix, rule, [name], **given)[name], peers.nodal())
    whole, seconds = timed(lambda: global_measures(matrix, rule, nulls=Nulls(0)))
    compare("global", GLOBALS, lambda name: whole.measures[name], peers.whole(), is_timed=False)
    print(f"\nAll global measures but those against null graphs: {seconds:.2f} s, 20 runs of Louvain among it.")
    _, with_nulls = timed(lambda: global_measures(matrix, rule, nulls=Nulls(100)))
    _, theirs = timed(lambda: [peers.igraph.copy().rewire(n=10 * peers.igraph.ecount()) for _ in range(10)])
    _, ours = timed(lambda: [rewire(peers.binary, np.random.default_rng(0)) for _ in range(10)])
    _, bctpy = timed(lambda: bct.randmio_und(peers.binary, 10))
    print(f"With 100 null graphs: {with_nulls:.2f} s.")
    print(f"One null graph: {100 * ours:.1f} ms; igraph {theirs / ours:.2g} x, bctpy {10 * bctpy / ours:.3g} x.")


if __name__ == "__main__":
    main()
