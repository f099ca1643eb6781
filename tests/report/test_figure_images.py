"""Figures look as they did when somebody looked at them: pictures that are kept, compared pixel by pixel.

`TRIALGRAPH_RENEW=1` writes them anew; look at them before they are committed.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.testing.compare import compare_images

from bids_app.report.figures import carpet_figure, histogram_figure, matrices_figure
from bids_app.report.mapfigures import Effect, strip_figure
from bids_app.report.parcelfigures import chord_figure, connectome_figure, nodes_figure
from bids_app.report.trialfigures import association_figure, forest_figure, visits_figure

KEPT = Path(__file__).parents[1] / "figures"
RENEW = "TRIALGRAPH_RENEW" in os.environ
TOLERANCE = 2.0  # root mean square of grey values: a missing label is above 5, another build of a font below 1


def rng():
    return np.random.default_rng(7)


def carpet():
    kept = np.arange(60) % 17 != 5
    values = rng().normal(100, 5, (40, 60)) + 8 * np.sin(np.arange(60) / 6)
    return carpet_figure(
        {
            "repetition_time": np.array(2.0),
            "kept": kept,
            "framewise_displacement": np.r_[np.nan, rng().gamma(2, 0.1, 59)],
            "dvars_before": np.r_[np.nan, rng().uniform(1, 2, 59)],
            "dvars_after": np.r_[np.nan, rng().uniform(0, 1, 59)],
            "before": values,
            "after": values[:, kept] - values[:, kept].mean(axis=0),
        }
    )


def histogram():
    return histogram_figure({"ses-1": rng().gamma(3, 40, 900), "ses-2": rng().gamma(4, 40, 900)}, "Degree", "edges")


def matrices():
    values = np.corrcoef(rng().normal(size=(12, 40)) + np.repeat(np.eye(3), 4, axis=0) @ rng().normal(size=(3, 40)))
    return matrices_figure({"ses-1": values, "ses-2": values**3}, np.repeat(["a", "b", "c"], 4))


def strip():
    x, y, z = np.indices((20, 24, 20))
    near = np.exp(-((x - 6) ** 2 + (y - 9) ** 2 + (z - 12) ** 2) / 12) - np.exp(-((x - 13) ** 2 + (y - 9) ** 2) / 9)
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    affine[:3, 3] = -80, -110, -60
    size, t, p = (nib.Nifti1Image(one.astype(np.float32), affine) for one in (near, 4 * near, 1 - np.abs(near)))
    return strip_figure(Effect(size, t, p, alpha=0.4, title="Degree, r > 0.25: g", sides=("ketamine", "midazolam")))


def parcels():
    return pd.DataFrame(
        {
            "name": [f"p{n}" for n in range(8)],
            "network": np.repeat(["a", "b"], 4),
            "x": [-40, -20, 20, 40, -45, -10, 10, 45],
            "y": [-60, 40, 40, -60, 0, -90, -90, 0],
            "z": [40, 20, 20, 40, 10, 0, 0, 10],
            "hedges_g": [0.9, 0.2, -0.3, 0.7, 0, -0.8, 0.1, 0.4],
            "t": [3.2, 0.7, -1.0, 2.4, 0, -2.9, 0.3, 1.3],
            "p_fwe": [0.01, 0.9, 0.8, 0.2, 1, 0.04, 1, 0.6],
        }
    )


def connections():
    return pd.DataFrame({"from": ["p0", "p0", "p5"], "to": ["p3", "p7", "p2"], "t": [3.4, 2.8, -3.1]})


def visits():
    table = pd.DataFrame({"arm": np.repeat(["drug", "placebo"], 12), "baseline": rng().normal(24, 4, 24)})
    table["followup"] = table["baseline"] - np.repeat([9, 2], 12) + rng().normal(0, 3, 24)
    return visits_figure(table, ("drug", "placebo"), "points")


def forest():
    sizes = [("left angular gyrus", 0.8, 0.2, 1.4, 0.01), ("right thalamus", 0.3, -0.3, 0.9, 0.4)]
    names = ("name", "hedges_g", "g_low", "g_high", "p_fwe")
    return forest_figure([dict(zip(names, one, strict=True), alpha=0.05) for one in sizes], "Regions", "ketamine")


def association():
    pairs = pd.DataFrame({"arm": np.repeat(["a", "b"], 10), "brain": rng().normal(size=20)})
    pairs["outcome"] = pairs["brain"] * np.repeat([2, -1], 10) + np.random.default_rng(8).normal(size=20)
    return association_figure(pairs, (2.0, -1.0), ("a", "b"), ("degree", "score"))


FIGURES = {
    "carpet": carpet,
    "histogram": histogram,
    "matrices": matrices,
    "strip": strip,
    "nodes": lambda: nodes_figure(parcels(), 0.05, "Degree"),
    "connectome": lambda: connectome_figure(parcels(), connections(), "Connections"),
    "chord": lambda: chord_figure(parcels(), connections(), "Connections"),
    "visits": visits,
    "forest": forest,
    "association": association,
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_looks_as_it_did(name, tmp_path):
    drawn, kept = tmp_path / f"{name}.png", KEPT / f"{name}.png"
    figure = FIGURES[name]()
    figure.savefig(kept if RENEW else drawn, dpi=50, metadata={"Software": None})
    plt.close(figure)
    if not RENEW:
        assert compare_images(str(kept), str(drawn), TOLERANCE) is None


def test_a_difference_that_one_sees_is_found(tmp_path):
    figure = forest()
    figure.axes[0].set_yticks([])
    path = tmp_path / "forest.png"
    figure.savefig(path, dpi=50)
    plt.close(figure)
    assert compare_images(str(KEPT / "forest.png"), str(path), TOLERANCE) is not None
