"""What the group level holds and reads: each file once, maps on disk, memory as forecast and refused beforehand."""

import tracemalloc
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from compared_once import once
from conftest import SMALL, SmallTrial

from bids_app import stats
from bids_app.errors import UsageError
from bids_app.graph.features import Feature
from bids_app.group import node_values
from bids_app.group.forecast import forecast, gb_of_test
from bids_app.group.gathering import find_trial, flow_of
from bids_app.group.sample import Sample, assemble, load_maps
from bids_app.settings.settings import Resources, Settings, Trial
from bids_app.space.grid import Grid
from bids_app.stats.footprint import Footprint
from bids_app.trial.design import Design

GROUP = (*SMALL, "--n-permutations", "20", "--no-baseline-motion", "--n-cpus", "1")
out, compared = once(*GROUP)
DEGREE = Feature("degree", "r025")


@pytest.fixture(scope="module")
def trial(tmp_path_factory, app):
    """Eight participants, three visits: two comparisons, and both together; the baseline is of all three."""
    root = tmp_path_factory.mktemp("scale")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    trial.add_arms(**{f"s{one:02d}": "drug" if one < 5 else "placebo" for one in range(1, 9)})
    for one in range(1, 9):
        for session in ("baseline", "day3", "day7"):
            trial.add_run(f"{one:02d}", session)
    assert app(trial.bids, root / "out", "participant", *SMALL).code == 0
    return trial


def test_each_map_is_read_once_by_a_run_of_several_comparisons(trial, app, tmp_path, monkeypatch):
    out, read, whole = trial.bids.parent / "out", [], node_values.read_image

    def counting(path, *rest):
        read.append(path)
        return whole(path, *rest)

    monkeypatch.setattr(node_values, "read_image", counting)
    assert app(trial.bids, out, "group", *GROUP).code == 0
    maps = [path for path in out.glob("sub-*/ses-*/func/*_boldmap.nii.gz") if "zSmooth" in path.name]
    assert len(maps) == 24 * len({path.name.partition("_stat-")[2] for path in maps})
    assert sorted(read) == sorted(maps)


def test_maps_on_disk_are_those_in_memory(trial, compared, out, tmp_path):
    settings = Settings(trial.bids, out, "group", tmp_path, trial=Trial(followups=("day3",)))
    found = find_trial(settings)
    route, design = found.routes[0], found.study.first
    given = (route, flow_of(found, route, design), found.study.tables, design, settings.trial)
    in_memory, on_disk = assemble(*given), assemble(*given, folder=tmp_path / "maps")
    np.testing.assert_array_equal(on_disk.kept, in_memory.kept)
    for feature, visits in in_memory.maps.items():
        again = load_maps(on_disk.maps_on_disk(feature, tmp_path / "elsewhere"))
        assert list(again) == list(visits)
        for visit, maps in visits.items():
            assert not isinstance(maps, np.memmap)
            assert isinstance(on_disk.maps[feature][visit], np.memmap)
            np.testing.assert_array_equal(again[visit], maps)
    assert not (tmp_path / "elsewhere").exists()


def test_nothing_is_left_of_maps_that_were_kept(compared, out):
    assert not list(out.rglob("maps-*/*.npz"))
    assert not list(out.rglob("*.npy"))


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


def test_a_run_without_room_is_refused_and_leaves_what_was_there(trial, compared, out, app):
    before = (out / "group" / "results.json").read_bytes() if (out / "group" / "results.json").exists() else None
    refused = app(trial.bids, out, "group", *GROUP, "--mem-gb", "0.3")
    assert refused.code == 64
    assert "--mem-gb" in refused.said
    assert before == ((out / "group" / "results.json").read_bytes() if before else None)


def test_images_without_a_sign_of_gaps_are_kept_whole(tmp_path):
    """Whatever the type of a file, what is read again is what was read first, bit by bit."""
    from bids_app.bids.scans import Scan

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
