"""Time the voxel graph against the bare matrix products over the same pairs of nodes.

Every node is a mixture of a few smooth sources and noise of its own. The threshold for a density is the
quantile of r among a sample of nodes. Peak memory is that of the process so far, so nodes go upwards.
"""

import argparse
import resource
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.ndimage import gaussian_filter1d
from threadpoolctl import threadpool_limits

from bids_app.graph import standardize, voxel_graph
from bids_app.graph.voxels import BLOCK

N_SOURCES = 20
N_SAMPLED = 3000


def simulate(n_nodes, n_volumes, seed=0):
    rng = np.random.default_rng(seed)
    sources = gaussian_filter1d(rng.standard_normal((N_SOURCES, n_volumes)), 1.5, axis=1)
    sources /= sources.std(axis=1, keepdims=True)
    loadings = gaussian_filter1d(rng.standard_normal((n_nodes, N_SOURCES)), 30, axis=0)
    loadings *= 0.7 / np.linalg.norm(loadings, axis=1, keepdims=True)
    return np.float32(loadings @ sources + rng.standard_normal((n_nodes, n_volumes)))


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


def timed(function, *arguments, **options):
    """Return wall seconds, processor seconds and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments, **options)
    return time.perf_counter() - wall, time.process_time() - cpu, result


def measure(series, density, n_threads):
    options = {"threshold": threshold_for(series, density), "n_threads": n_threads}
    seconds = [
        timed(bare_products, standardize(series), n_threads),
        timed(voxel_graph, series, metrics=("degree", "strength"), **options),
        timed(voxel_graph, series, **options),
    ]
    graph = seconds[-1][2]
    times = "  ".join(f"{wall:6.2f} ({cpu:6.2f})" for wall, cpu, _ in seconds)
    ratios = "  ".join(f"{cpu / seconds[0][1]:5.2f}" for _, cpu, _ in seconds[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(series):7d}  {graph.density:7.4f}  {times}  {ratios}  {peak:8.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10000, 28144, 64292])
    parser.add_argument("--volumes", type=int, default=200)
    parser.add_argument("--densities", type=float, nargs="+", default=[0.01, 0.05, 0.1])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    compilation, _, _ = timed(voxel_graph, simulate(100, 20))
    print(f"compilation or its cache: {compilation:.1f} s; {arguments.threads} threads")
    print("wall (processor) seconds; the ratios to the products are of processor time")
    print("  nodes  density  products         degree+strength  all four         ratio  ratio  peak MiB")
    for n_nodes in arguments.nodes:
        series = simulate(n_nodes, arguments.volumes)
        for density in arguments.densities:
            measure(series, density, arguments.threads)


if __name__ == "__main__":
    main()
