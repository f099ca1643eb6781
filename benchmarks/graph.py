"""Time the voxel graph: against the bare matrix products over the same pairs of nodes, igraph and scipy.

    python -m benchmarks.graph [--nodes 10000 28144 64292] [--densities 0.01 0.05 0.1 0.2] [--volumes 200]

Every node is a mixture of a few smooth sources and noise of its own. The threshold for a density is the quantile
of r among a sample of nodes. Each row is measured in a process of its own, so that its peak memory is its own: that of
degree, strength and both clusterings, with the interpreter, the libraries and the series. The peers, on one thread
as they are made, run in a process of theirs, where their work (edges times mean degree) stays below --peer-work.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from threadpoolctl import threadpool_limits

from bids_app.graph import Means, standardize, voxel_graph
from bids_app.graph.edges import BLOCK

N_SOURCES = 20
N_SAMPLED = 3000
BOTH = ("degree", "strength")
FOUR = (*BOTH, "clustering", "clustering-weighted")


def simulate(n_nodes, n_volumes, seed=0):
    """Return series (N, T) float32, made a part at a time."""
    rng = np.random.default_rng(seed)
    sources = gaussian_filter1d(rng.standard_normal((N_SOURCES, n_volumes)), 1.5, axis=1)
    sources /= sources.std(axis=1, keepdims=True)
    loadings = gaussian_filter1d(rng.standard_normal((n_nodes, N_SOURCES)), 30, axis=0)
    loadings *= 0.7 / np.linalg.norm(loadings, axis=1, keepdims=True)
    series = np.empty((n_nodes, n_volumes), np.float32)
    for start in range(0, n_nodes, 4096):
        part = loadings[start : start + 4096]
        series[start : start + 4096] = part @ sources + rng.standard_normal((len(part), n_volumes))
    return series


def threshold_for(series, density):
    sample = standardize(series[np.random.default_rng(1).permutation(len(series))[:N_SAMPLED]])
    correlations = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    return max(float(np.quantile(correlations, 1 - density)), 0.0)


def bare_products(unit, n_threads):
    def band(start):
        buffer = np.empty((BLOCK, BLOCK), dtype=np.float32)
        rows = unit[start : start + BLOCK]
        for column in range(start, len(unit), BLOCK):
            columns = unit[column : column + BLOCK]
            np.matmul(rows, columns.T, out=buffer[: len(rows), : len(columns)])

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(band, range(0, len(unit), BLOCK)))


def timed(function):
    """Return wall seconds, processor seconds and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def measure(path, threshold, n_threads, metrics):
    """Measure one row, and print it as JSON."""
    series, means = np.load(path), Means(n_threads)
    voxel_graph(series[:100], 0.5, (*FOUR, *metrics), means=means)  # compiles, or reads the cache
    baseline = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    everything = timed(lambda: voxel_graph(series, threshold, FOUR, means=means))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    unit = standardize(series)
    row = {
        "products": timed(lambda: bare_products(unit, n_threads))[:2],
        "degree": timed(lambda: voxel_graph(series, threshold, BOTH, means=means))[:2],
        "four": everything[:2],
        "density": everything[2].density,
        "edges": everything[2].n_edges,
        "peak": peak,
        "baseline": baseline,
    }
    for metric in metrics:
        wanted = (*BOTH, metric)
        with_it = timed(partial(voxel_graph, series, threshold, wanted, means=means))
        row[metric] = [max(more - less, 0) for more, less in zip(with_it[:2], row["degree"], strict=True)]
    print(json.dumps(row))


def measure_peers(path, threshold, peers):
    """Time the clustering of igraph and of scipy on a graph that is already theirs."""
    import igraph
    from scipy.sparse import csr_array

    unit = standardize(np.load(path))
    rows, columns = [], []
    for start in range(0, len(unit), BLOCK):
        row, column = np.nonzero(np.triu(unit[start : start + BLOCK] @ unit[start:].T, 1) > threshold)
        rows.append(row + start)
        columns.append(column + start)
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    found, n_nodes = {}, len(unit)
    if "igraph" in peers:
        graph = igraph.Graph(n_nodes, np.column_stack([rows, columns]))
        found["igraph"] = timed(lambda: graph.transitivity_local_undirected(mode="zero"))[:2]
        del graph
    if "scipy" in peers:
        ones = np.ones(2 * len(rows), np.int32)
        matrix = csr_array((ones, (np.r_[rows, columns], np.r_[columns, rows])), shape=(n_nodes, n_nodes))
        found["scipy"] = timed(lambda: matrix.multiply(matrix @ matrix).sum(axis=1))[:2]
    print(json.dumps(found))


def in_its_own_process(arguments):
    command = [sys.executable, "-m", "benchmarks.graph", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    return json.loads(done.stdout)


def print_row(n_nodes, n_volumes, row, peers, metrics):
    base = row["products"][1]
    allowed = n_nodes**2 / 8 / 2**20 + 500
    clustering = [max(more - less, 1e-9) for more, less in zip(row["four"], row["degree"], strict=True)]
    cells = [f"{n_nodes:7d} {n_volumes:4d} {row['density']:8.4f} {row['edges']:12,d}"]
    cells.append(f"{row['products'][0]:7.2f} ({base:7.2f})")
    measured = (row["degree"], clustering, *(row[metric] for metric in metrics))
    cells += [f"{wall:7.2f} ({cpu / base:6.2f})" for wall, cpu in measured]
    for name in ("igraph", "scipy"):
        seconds = peers.get(name)
        cells.append(f"{seconds[0]:8.1f} ({seconds[0] / clustering[0]:5.0f} x)" if seconds else f"{'-':>18}")
    cells.append(f"{row['peak']:6.0f} of {allowed:6.0f}")
    print("  ".join(cells), flush=True)


def compare(arguments, folder):
    head = "  nodes  vol.  density        edges  products, s (cpu)  degree + str.     2 clusterings"
    head += "".join(f"  {metric:>16}" for metric in arguments.metrics)
    print(
        f"wall seconds (processor time / that of the products), {arguments.threads} threads; peers (x the clusterings)"
    )
    print(f"{head}              igraph              scipy      peak MiB")
    for n_nodes in arguments.nodes:
        for n_volumes in arguments.volumes:
            series = simulate(n_nodes, n_volumes)
            np.save(folder / "series.npy", series)
            for density in arguments.densities:
                threshold = threshold_for(series, density)
                here = [folder / "series.npy", threshold, arguments.threads]
                row = in_its_own_process(["--measure", *here, *arguments.metrics])
                work = row["edges"] ** 2 * 2 / n_nodes
                able = [
                    name for name, most in zip(("igraph", "scipy"), arguments.peer_work, strict=True) if work <= most
                ]
                peers = in_its_own_process(["--measure-peers", *here[:2], *able]) if able else {}
                print_row(n_nodes, n_volumes, row, peers, arguments.metrics)


def main():
    if sys.argv[1:2] == ["--measure"]:
        return measure(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
    if sys.argv[1:2] == ["--measure-peers"]:
        return measure_peers(sys.argv[2], float(sys.argv[3]), sys.argv[4:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10000, 28144, 64292])
    parser.add_argument("--volumes", type=int, nargs="+", default=[200])
    parser.add_argument("--densities", type=float, nargs="+", default=[0.01, 0.05, 0.1, 0.2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--metrics", nargs="*", default=["path-length"], help="more measures, a column each")
    parser.add_argument("--peer-work", type=float, nargs=2, default=[2e11, 2e10], help="largest, of igraph and scipy")
    with tempfile.TemporaryDirectory() as folder:
        compare(parser.parse_args(), Path(folder))
    return None


if __name__ == "__main__":
    main()
