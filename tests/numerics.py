"""What both levels compute, of numbers that are whole; prints the digest of each result as it is written to files.

Run in a process of its own, with an environment in which libraries take the processor for another.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from bids_app.graph import EdgeRule, Means, Place, voxel_graphs
from bids_app.graph.matrices import parcel_matrix
from bids_app.graph.measures import MEASURES, VOXEL_MEASURES
from bids_app.graph.parcels import nodal_measures
from bids_app.participant.confounds import Confounds
from bids_app.participant.denoise import clean
from bids_app.simulate.reference import whole_numbers
from bids_app.stats import allocations, compare_arms, neighbours, nuisance

N_NODES, N_PARCELS, N_VOLUMES = 300, 40, 120
MASK = np.ones((5, 5, 4), dtype=bool)


def draw(shape, most, seed):
    numbers = whole_numbers(seed)
    return np.array([next(numbers) % (2 * most + 1) - most for _ in range(int(np.prod(shape)))]).reshape(shape)


def series():
    sources, weights = draw((4, N_VOLUMES), 9, 1).cumsum(axis=1), draw((N_NODES, 4), 9, 2)
    return (10_000 + weights @ sources + draw((N_NODES, N_VOLUMES), 150, 3)).astype(np.float32)


def cleaned(raw):
    regressors = pd.DataFrame(draw((N_VOLUMES, 12), 99, 4).cumsum(axis=0) / 1000)
    kept = np.ones(N_VOLUMES, dtype=bool)
    kept[[0, 40, 41, 90]] = False
    return clean(raw, Confounds(regressors, np.zeros(N_VOLUMES), 0, kept), 2.0, (0.01, 0.1))


def voxels(raw):
    place = Place(draw((N_NODES, 3), 80, 5).astype(float), draw((N_NODES,), 2, 6) + 2)
    rules = [EdgeRule("r", 0.25), EdgeRule("density", 0.1)]
    graphs = voxel_graphs(
        raw, rules, list(VOXEL_MEASURES), place=place, means=Means(int(os.environ.get("N_THREADS", 1)))
    )
    for rule, graph in zip(rules, graphs, strict=True):
        yield from ((f"voxels {rule.label} {name}", values.astype(np.float32)) for name, values in graph.maps.items())


def parcels(raw):
    place = {
        "coordinates": draw((N_PARCELS, 3), 80, 5).astype(float),
        "modules": [f"m{n % 3}" for n in range(N_PARCELS)],
    }
    for kind in ("pearson", "fisher", "partial", "spearman"):
        yield f"parcels {kind}", parcel_matrix(raw[:N_PARCELS], kind)
    matrix = parcel_matrix(raw[:N_PARCELS])
    for name, values in nodal_measures(matrix, EdgeRule("density", 0.2), list(MEASURES), **place).items():
        yield f"parcels {name}", values


def trial():
    arm, shape = np.arange(20) % 2, (20, int(MASK.sum()))
    before, after = draw(shape, 999, 7) / 256, draw(shape, 999, 8) / 256 + arm[:, np.newaxis]
    covariates = nuisance(arm.size, draw((20, 1), 9, 9).astype(float))
    found = compare_arms(after, before, covariates, allocations(arm, n_draws=200, seed=1), neighbours=neighbours(MASK))
    yield from ((f"trial {name}", values) for name, values in vars(found).items() if isinstance(values, np.ndarray))


def digest(values):
    """Return a digest of values as maps have them, or as tables have them: with nine digits."""
    content = values.tobytes() if values.dtype == np.float32 else "\n".join(f"{value:.9g}" for value in values.ravel())
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()


if __name__ == "__main__":
    raw = series()
    results = {"clean": cleaned(raw), **dict(voxels(raw)), **dict(parcels(raw)), **dict(trial())}
    print(json.dumps({name: digest(np.asarray(values)) for name, values in results.items()}))
