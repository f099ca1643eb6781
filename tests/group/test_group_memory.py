"""What the group level holds: memory as forecast, and refused beforehand; and what it keeps of files it read."""

import tracemalloc
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_app import stats
from bids_app.bids.scans import Scan
from bids_app.errors import UsageError
from bids_app.graph.features import Feature
from bids_app.group import node_values
from bids_app.group.forecast import forecast, gb_of_test
from bids_app.group.sample import Sample
from bids_app.settings.settings import Resources, Settings, Trial
from bids_app.space.grid import Grid
from bids_app.stats.footprint import Footprint
from bids_app.trial.design import Design

DEGREE = Feature("degree", "r025")


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("rearranged", [False, True])
@pytest.mark.parametrize(("n", "n_jobs", "estimator"), [(40, 1, "ancova"), (40, 2, "ancova"), (200, 2, "change")])
def test_a_test_takes_no_more_memory_than_is_forecast(n, n_jobs, estimator, robust, rearranged):
    """The forecast is an upper bound, and not so far above that it would refuse what fits four times."""
    mask, generator = np.ones((20, 20, 15), dtype=bool), np.random.default_rng(3)
    arm, neighbours = np.arange(n) % 2, stats.neighbours(mask)
    maps = {visit: generator.standard_normal((n, mask.sum())) for visit in ("baseline", "followup")}
    draws = stats.residual_permutations(n, None, 260) if rearranged else stats.allocations(arm, None, 260)
    tracemalloc.start()
    tested = stats.hypothesis(stats.two_visits(estimator), maps, stats.nuisance(n), arm=arm)
    stats.compare(tested, draws, stats.Inference(neighbours=neighbours, robust=robust), n_jobs=n_jobs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = Footprint(n=n, n_voxels=int(mask.sum()), robust=robust, rearranged=rearranged)
    assert size.held(n_jobs) / 4 < peak < size.held(n_jobs)


def large_sample(n=300, n_voxels=64_292):
    """Return a sample without its maps, of which the forecast looks at the size alone."""
    return Sample(
        design=Design("arm", "drug", "placebo", "baseline", "day3"),
        maps={DEGREE: {}},
        arm=np.arange(n) % 2,
        covariates=pd.DataFrame(index=[f"sub-{one:03d}" for one in range(n)]),
        strata=None,
        kept=np.ones(n_voxels, dtype=bool),
        grid=Grid(np.ones((1, 1, n_voxels), dtype=bool), np.eye(4)),
        parcels=None,
    )


def settings_of(tmp_path, **resources):
    return Settings(tmp_path, tmp_path, "group", tmp_path, trial=Trial(), resources=Resources(**resources))


def test_what_has_no_room_is_refused_before_it_begins(tmp_path):
    sample = large_sample()
    needed = gb_of_test(sample, Trial(), n_features=1)
    assert 1.2 < needed < 1.6  # of two visits 0.31 GB are maps, 0.46 models and what is made of them
    with pytest.raises(
        UsageError, match=r"voxels: .* up to 1\.\d GB .*300 participants, 2 visits, 64292 nodes.*1\.0 GB"
    ):
        forecast(settings_of(tmp_path, mem_gb=1.0), [("voxels", sample)])
    (said,) = forecast(settings_of(tmp_path, mem_gb=2.0), [("voxels", sample)])
    assert f"{needed:.1f} GB" in said.text
    assert not forecast(settings_of(tmp_path, mem_gb=1.0), [("parcels", large_sample(300, 400))])


def test_measures_that_stop_together_are_held_together(tmp_path):
    sample = replace(large_sample(), maps={DEGREE: {}, Feature("strength", "r025"): {}})
    one, both = (gb_of_test(sample, Trial(n_permutations=draws), n_features=2) for draws in (1000, "auto"))
    assert both == pytest.approx(2 * one, rel=0.2)


def test_images_without_a_sign_of_gaps_are_kept_whole(tmp_path):
    """Whatever the type of a file, what is read again is what was read first, bit by bit."""
    generator = np.random.default_rng(2)
    for number, kind in enumerate((np.float32, np.float64, np.int16)):
        values = (100 * generator.standard_normal((3, 4, 5))).astype(kind)
        if kind != np.int16:
            values[0, :2] = np.nan
        path = tmp_path / f"sub-{number}_stat-degree_boldmap.nii.gz"
        nib.Nifti1Image(values, np.eye(4)).to_filename(path)
        scan = Scan({"sub": str(number)}, path, kept=tmp_path)
        once_, again = node_values.values_of(scan, "degree"), node_values.values_of(scan, "degree")
        np.testing.assert_array_equal(once_, node_values.read_values(path, "degree"))
        np.testing.assert_array_equal(again, once_)
        assert again.dtype == np.float64
