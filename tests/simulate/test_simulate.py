import hashlib
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds
from nilearn.signal import clean
from scipy.ndimage import gaussian_filter

from bids_app.simulate import simulate_trial
from bids_app.simulate.brain import PLANTED, make_brain
from bids_app.simulate.files import write_dataset
from bids_app.simulate.people import recruit
from bids_app.simulate.scan import framewise_displacement, simulate_bold, simulate_motion
from bids_app.simulate.scenarios import EVERYWHERE, SCENARIOS
from bids_app.space.grid import template_grid

TINY = {"n_per_arm": 2, "voxel_size": 8, "n_volumes": 60, "seed": 3}
TWO_ARMS = SCENARIOS["two-arms"]
COARSE_MM = 10
SMOOTH_MM = 6


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return simulate_trial(tmp_path_factory.mktemp("tiny"), **TINY)


def one_image(trial):
    pattern = "sub-01/ses-day3/func/*_desc-preproc_bold.nii.gz"
    (path,) = trial.derivatives_dir.glob(pattern)
    return path


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("dataset", ["bids_dir", "derivatives_dir"])
def test_validator_finds_no_error(tiny, dataset, validation_errors):
    assert validation_errors(getattr(tiny, dataset)) == []


@pytest.mark.parametrize(
    ("strategy", "options", "n_columns"),
    [
        (("motion", "wm_csf"), {"motion": "full", "wm_csf": "basic"}, 26),
        (("motion", "wm_csf", "global_signal"), {"wm_csf": "full", "global_signal": "full"}, 36),
        (("high_pass", "compcor"), {"compcor": "anat_combined", "n_compcor": 5}, 6),
    ],
)
def test_nilearn_reads_each_strategy(tiny, strategy, options, n_columns):
    confounds, _ = load_confounds(str(one_image(tiny)), strategy=strategy, **options)
    assert confounds.shape == (TINY["n_volumes"], n_columns)
    assert not confounds.isna().any(axis=None)
    assert (confounds.std() > 0).all()


def test_scrubbing_removes_the_movements_and_the_first_volume(tiny):
    image = str(one_image(tiny))
    strategy = {"strategy": ("motion", "wm_csf", "scrub"), "motion": "full", "wm_csf": "basic"}
    _, kept = load_confounds(image, **strategy, fd_threshold=0.5)
    table = pd.read_csv(image.split("_space-")[0] + "_desc-confounds_timeseries.tsv", sep="\t")
    moved = np.flatnonzero(table["framewise_displacement"] > 0.5)
    assert len(moved) >= 1
    assert 0 not in kept
    assert not np.isin(moved, kept).any()


def test_missing_values_are_written_as_bids_wants(tiny):
    path = next(tiny.derivatives_dir.rglob("*_desc-confounds_timeseries.tsv"))
    header, first, *_ = path.read_text().splitlines()
    values = dict(zip(header.split("\t"), first.split("\t"), strict=True))
    missing = {name for name, value in values.items() if value == "n/a"}
    assert {"framewise_displacement", "dvars", "std_dvars", "trans_x_derivative1"} <= missing
    assert values["non_steady_state_outlier00"] == "1"
    assert values["trans_x"] != "n/a"


def test_headers_agree_with_sidecars_and_grid(tiny):
    images = [*tiny.bids_dir.glob("sub-*/ses-*/func/*_bold.nii.gz")]
    images += tiny.derivatives_dir.rglob("*_bold.nii.gz")
    assert len(images) == 2 * (2 * 2 * TINY["n_per_arm"] + 1)
    for path in images:
        image = nib.load(path)
        sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert image.shape[3] == TINY["n_volumes"]
        assert image.header.get_zooms()[3] == pytest.approx(sidecar["RepetitionTime"])
        assert image.header.get_xyzt_units() == ("mm", "sec")


def test_every_node_of_the_analysis_has_a_signal(tiny):
    path = one_image(tiny)
    image = nib.load(path)
    mask = nib.load(str(path).replace("preproc_bold", "brain_mask"))
    data, inside = np.asarray(image.dataobj), np.asarray(mask.dataobj) > 0
    grid = template_grid("gm", TINY["voxel_size"])
    np.testing.assert_allclose(image.affine, grid.affine)
    np.testing.assert_allclose(mask.affine, grid.affine)
    assert data.dtype == np.int16
    assert (data[~inside] == 0).all()
    assert inside[grid.mask].all()
    assert (data[grid.mask].std(axis=1) > 0).all()
    assert 700 < data[inside].mean() < 1300


def test_tables_hold_the_trial(tiny):
    participants = pd.read_csv(tiny.bids_dir / "participants.tsv", sep="\t")
    assert len(participants) == 5
    assert participants["arm"][:4].value_counts().to_dict() == {"ketamine": 2, "midazolam": 2}
    visits = {}
    for label in participants["participant_id"]:
        table = pd.read_csv(tiny.bids_dir / label / f"{label}_sessions.tsv", sep="\t")
        visits[label] = list(table["session_id"])
        assert table["hamd17"].between(0, 52).all()
        assert table["cssrs"].between(0, 5).all()
        assert table[["hamd17", "cssrs"]].dtypes.eq("int64").all()
    assert visits.pop("sub-05") == ["ses-baseline"]
    assert all(sessions == ["ses-baseline", "ses-day3"] for sessions in visits.values())


def test_ground_truth_names_the_regions(tiny):
    truth = json.loads((tiny.bids_dir / "code" / "planted.json").read_text())
    assert [region["name"] for region in truth["regions"]] == [region.name for region in tiny.planted]
    assert truth["effect"] == 1.0


def test_atlas_covers_the_planted_regions(tiny):
    table = pd.read_csv(str(tiny.atlas).replace(".nii.gz", ".tsv"), sep="\t")
    image = nib.load(tiny.atlas)
    labels = np.asarray(image.dataobj)
    assert set(np.unique(labels)) == {0, *table["index"]}
    assert 60 <= len(table) <= 100
    names = dict(zip(table["index"], table["name"], strict=True))
    for region in tiny.planted:
        voxel = np.rint(nib.affines.apply_affine(np.linalg.inv(image.affine), region.center_mm)).astype(int)
        side, part = region.name.split(maxsplit=1)
        assert part in names[labels[tuple(voxel)]]
        assert names[labels[tuple(voxel)]].endswith(side[0].upper())


def test_equal_seeds_give_equal_bytes_however_many_threads(tiny, tmp_path):
    again = simulate_trial(tmp_path / "again", **TINY, n_jobs=1)
    assert digests(again.bids_dir) == digests(tiny.bids_dir)
    assert digests(again.atlas.parent) == digests(tiny.atlas.parent)


def test_another_seed_gives_another_trial():
    first, second = (recruit(replace(TWO_ARMS, n_per_arm=3), effect=1.0, seed=seed) for seed in (0, 1))
    assert not np.array_equal(first[0].seed_gains, second[0].seed_gains)


def test_progress_counts_every_scan(tmp_path):
    seen = []
    simulate_trial(tmp_path, **{**TINY, "n_per_arm": 1}, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 5) for done in range(1, 6)]


def test_refuses_to_overwrite(tiny):
    with pytest.raises(FileExistsError, match="already holds files"):
        simulate_trial(tiny.bids_dir.parent, **TINY)


def test_refuses_a_scan_too_short_for_the_pass_band(tmp_path):
    with pytest.raises(ValueError, match="must last"):
        simulate_trial(tmp_path, **{**TINY, "n_volumes": 30})
    assert not (tmp_path / "bids").exists()


def test_scores_fall_more_with_the_drug_only_if_there_is_an_effect():
    def difference(effect, score):
        falls = {"ketamine": [], "midazolam": []}
        for who in recruit(replace(TWO_ARMS, n_per_arm=150), effect=effect, seed=5)[:-1]:
            falls[who.arm].append(who.visits[0].scores[score] - who.visits[1].scores[score])
        active, control = (np.array(falls[arm]) for arm in ("ketamine", "midazolam"))
        return (active.mean() - control.mean()) / np.sqrt((active.var() + control.var()) / 2)

    for score in ("hamd17", "cssrs"):
        assert 0.7 < difference(1.0, score) < 1.3
        assert abs(difference(0.0, score)) < 0.3


def test_motion_does_not_know_the_arm():
    restless = [
        who
        for seed in range(300)
        for who in recruit(replace(TWO_ARMS, n_per_arm=4), effect=1.0, seed=seed)
        if who.restless
    ]
    share = np.mean([who.arm == "ketamine" for who in restless])
    assert len(restless) == 300
    assert 0.4 < share < 0.6


def test_four_minutes_remain_after_scrubbing_a_restless_participant():
    moved = [
        (framewise_displacement(simulate_motion(180, restless=True, rng=np.random.default_rng(seed))) > 0.5).sum()
        for seed in range(30)
    ]
    assert min(moved) >= 7
    assert max(moved) < 45


def graph_maps(brain, bold, motion):
    """Degree and clustering by brute force, z-scored and smoothed as the analysis does."""
    grid = template_grid("gm", COARSE_MM)
    series = bold.T.astype(float)
    moves = np.column_stack([motion, np.gradient(motion, axis=0)])
    tissue = [series[:, brain.white_matter].mean(axis=1), series[:, brain.csf].mean(axis=1)]
    confounds = np.column_stack([moves, moves**2, *tissue])
    kept = np.flatnonzero(~(framewise_displacement(motion) > 0.5))[1:]
    series = series[:, grid.mask[brain.grid.mask]]
    cleaned = clean(series, confounds=confounds, sample_mask=kept, t_r=2.0, low_pass=0.1, high_pass=0.01)
    edges = (np.corrcoef(cleaned.T.astype(np.float32)) > 0.25).astype(np.float32)
    np.fill_diagonal(edges, 0)
    degree = edges.sum(axis=1)
    clustering = ((edges @ edges) * edges).sum(axis=1) / np.maximum(degree * (degree - 1), 1)
    return [smoothed(grid, values) for values in (degree, clustering)]


def smoothed(grid, values):
    volume = np.zeros(grid.mask.shape)
    volume[grid.mask] = (values - values.mean()) / values.std()
    return gaussian_filter(volume, SMOOTH_MM / 2.3548 / COARSE_MM)[grid.mask]


def follow_up_changes(brain, responses):
    """Follow-up minus baseline of participants who differ only in their response: (R, P, 2, N) ndarray."""
    changes = []
    for who in recruit(replace(TWO_ARMS, n_per_arm=2), effect=1.0, seed=11):
        maps = []
        for visit, response in enumerate([0.0, *responses]):
            rng = np.random.default_rng((min(visit, 1), who.age))
            motion = simulate_motion(180, restless=False, rng=rng)
            loadings = brain.loadings(
                who.seed_gains, {region: response * share for region, share in EVERYWHERE.items()}
            )
            bold = simulate_bold(brain, loadings, motion, repetition_time=2.0, rng=rng)
            maps.append(graph_maps(brain, bold, motion))
        changes.append(np.array(maps[1:]) - np.array(maps[0]))
    return np.array(changes).swapaxes(0, 1)


@pytest.mark.slow
def test_planted_regions_rise_as_stated_and_nothing_else_does():
    brain = make_brain(COARSE_MM)
    null, active = follow_up_changes(brain, [0.0, 1.0]).mean(axis=1)
    coordinates = template_grid("gm", COARSE_MM).coordinates
    for region in PLANTED:
        inside = region.contains(coordinates)
        for metric, rise, chance in zip(("degree", "clustering"), active, null, strict=True):
            assert abs(chance[inside].mean()) < 0.5
            if metric in region.metric_directions:
                assert (rise - chance)[inside].mean() > 0.5
            else:
                assert (rise - chance)[inside].mean() < 0.4
    elsewhere = ~np.any([region.contains(coordinates) for region in PLANTED], axis=0)
    assert np.abs((active - null)[:, elsewhere].mean(axis=1)).max() < 0.1


PAGES = {  # of the documentation, with the demos whose tables they show
    "several-arms": ["three-arms"],
    "follow-ups": ["three-visits"],
    "groups": ["groups"],
    "crossover": ["crossover", "williams"],
}


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_that_the_documentation_shows_are_those_of_the_demo(page, tmp_path):
    written = []
    for name in PAGES[page]:
        scenario, folder = SCENARIOS[name], tmp_path / name
        write_dataset(folder, folder / "derivatives", scenario, recruit(scenario, seed=0))
        tables = (folder / "participants.tsv", folder / "sub-01" / "sub-01_sessions.tsv")
        written += [line for path in tables for line in path.read_text().splitlines()]
    text = (Path(__file__).parents[2] / "docs" / "designs" / f"{page}.md").read_text()
    shown = [line.strip() for line in text.splitlines() if "\t" in line]
    assert len(shown) > 4
    assert [line for line in shown if line not in written] == []
