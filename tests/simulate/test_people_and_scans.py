"""Who is simulated, how they move, what is in their scans, and the files: each against its definition."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, sparse

from bids_app.simulate.brain import ADDED_LOADINGS, NETWORKS, PLANTED, Brain, PlantedRegion, n_seeds
from bids_app.simulate.confounds import make_confounds
from bids_app.simulate.files import write_dataset, write_scan
from bids_app.simulate.people import recruit
from bids_app.simulate.scan import (
    PASS_BAND_HZ,
    SIGNAL_UNIT,
    framewise_displacement,
    simulate_bold,
    simulate_motion,
)
from bids_app.simulate.scenarios import ANGULAR, EVERYWHERE, LEFT_ANGULAR, RIGHT_ANGULAR, SCENARIOS, THALAMUS
from bids_app.simulate.trial import Scan
from bids_app.space.grid import Grid

N_VOLUMES, SECONDS = 120, 2.0
TWO_ARMS = SCENARIOS["two-arms"]


def of_size(n_per_arm, name="two-arms"):
    return replace(SCENARIOS[name], n_per_arm=n_per_arm)


def present(visit):
    """The share of the planted change, which is one in all regions."""
    (share,) = set(visit.shares.values())
    return share


@pytest.fixture(scope="module")
def brain():
    """A block of voxels around the planted regions, a corner of it white matter and another CSF."""
    affine = np.diag([12.0, 12, 12, 1])
    affine[:3, 3] = -60, -84, -12
    mask = np.ones((11, 9, 6), dtype=bool)
    mask[:2, :2] = False
    grid = Grid(mask, affine)
    order = np.arange(grid.n_nodes)
    spread = np.random.default_rng(1).uniform(0, 1, (grid.n_nodes, n_seeds())).astype(np.float32)
    return Brain(grid, order < 40, order >= grid.n_nodes - 30, spread, sparse.eye_array(grid.n_nodes, format="csr"))


@settings(max_examples=40, deadline=None)
@given(n_per_arm=st.integers(1, 20), seed=st.integers(0, 2**31), effect=st.floats(0, 3))
def test_arms_are_balanced_and_only_the_last_misses_the_followup(n_per_arm, seed, effect):
    people = recruit(of_size(n_per_arm), effect=effect, seed=seed)
    assert [who.label for who in people] == [f"sub-{number:02d}" for number in range(1, 2 * n_per_arm + 2)]
    both = people[:-1]
    assert sum(who.arm == "ketamine" for who in both) == sum(who.arm == "midazolam" for who in both) == n_per_arm
    assert people[-1].arm in ("ketamine", "midazolam")
    assert [len(who.visits) for who in people] == [2] * len(both) + [1]
    assert sum(who.restless for who in people) == max(1, len(people) // 14)
    for who in people:
        assert [visit.session_id for visit in who.visits] == list(TWO_ARMS.sessions)[: len(who.visits)]
        assert present(who.visits[0]) == 0, "nothing has changed before the drug"
        assert 22 <= who.age <= 60
        assert (who.seed_gains > 0).all()
        for visit in who.visits:
            assert 0 <= visit.scores["hamd17"] <= 52
            assert 0 <= visit.scores["cssrs"] <= 5
        if who.arm == "midazolam":
            assert present(who.visits[-1]) == 0
        times = [datetime.fromisoformat(visit.acq_time) for visit in who.visits]
        assert [later - first for first, later in pairwise(times)] == [timedelta(days=3)] * (len(times) - 1)
    keys = [tuple(visit.random_seed.spawn_key) for who in people for visit in who.visits]
    assert len(set(keys)) == len(keys), "no two scans have the same noise"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), effect=st.floats(0.01, 3))
def test_the_effect_scales_the_response_and_changes_nobody(seed, effect):
    null, one, other = (recruit(of_size(4), effect=size, seed=seed) for size in (0.0, 1.0, effect))
    for a, b, c in zip(null, one, other, strict=True):
        assert (a.label, a.arm, a.age, a.sex, a.restless) == (b.label, b.arm, b.age, b.sex, b.restless)
        np.testing.assert_array_equal(a.seed_gains, c.seed_gains)
        assert a.visits[0].scores == c.visits[0].scores
        assert present(a.visits[-1]) == 0
        assert present(c.visits[-1]) == pytest.approx(effect * present(b.visits[-1]))
        assert c.visits[-1].scores["hamd17"] <= a.visits[-1].scores["hamd17"], "who responds has no more symptoms"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("restless", [True, False])
@pytest.mark.parametrize("n_volumes", [60, 180, 400])
def test_motion_begins_at_nothing_and_jumps_keep_their_distance(seed, restless, n_volumes):
    motion = simulate_motion(n_volumes, restless=restless, rng=np.random.default_rng(seed))
    assert motion.shape == (n_volumes, 6)
    np.testing.assert_array_equal(motion[0], 0)
    moved = np.flatnonzero(framewise_displacement(motion) > 0.5)
    assert len({volume // 8 for volume in moved - 6}) >= 1
    starts = [volume for volume in moved if volume - 1 not in moved]
    assert all(later - first >= 7 for first, later in pairwise(starts))
    assert np.abs(motion[:, 3:]).max() < np.abs(motion[:, :3]).max(), "radians of a head are small"


def test_framewise_displacement_is_that_of_power_in_mm():
    motion = np.random.default_rng(2).normal(size=(7, 6))
    expected = [
        sum(abs(after[axis] - before[axis]) * (50 if axis > 2 else 1) for axis in range(6))
        for before, after in pairwise(motion)
    ]
    found = framewise_displacement(motion)
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], expected)
    np.testing.assert_allclose(framewise_displacement(motion + 5)[1:], expected, err_msg="where it begins says nothing")


def bold(brain, loadings, seed=3):
    motion = simulate_motion(N_VOLUMES, restless=False, rng=np.random.default_rng(9))
    rng = np.random.default_rng(seed)
    return simulate_bold(brain, loadings, motion, repetition_time=SECONDS, rng=rng), motion


def test_a_scan_is_of_whole_numbers_around_the_intensity_with_one_bright_volume(brain):
    values, _ = bold(brain, np.zeros((brain.grid.n_nodes, len(NETWORKS))))
    assert values.dtype == np.int16
    assert values.shape == (brain.grid.n_nodes, N_VOLUMES)
    assert values.min() >= 1
    means = values[:, 1:].mean(axis=1)
    np.testing.assert_allclose(means, brain.intensity, rtol=0.15)
    ratio = values[:, 0].mean() / values[:, 1:8].mean()
    assert 1.04 < ratio < 1.12
    assert means[brain.csf].min() > means[brain.white_matter].max()
    again, _ = bold(brain, np.zeros((brain.grid.n_nodes, len(NETWORKS))))
    np.testing.assert_array_equal(again, values)
    assert not np.array_equal(bold(brain, np.zeros((brain.grid.n_nodes, len(NETWORKS))), seed=4)[0], values)


def test_what_networks_add_lies_in_the_pass_band_and_knows_nothing_of_motion(brain):
    """The same noise with and without one network in each voxel: the difference is that network's series."""
    none = np.zeros((brain.grid.n_nodes, len(NETWORKS)))
    own = np.arange(brain.grid.n_nodes) % len(NETWORKS)
    (without, motion), (with_one, _) = bold(brain, none), bold(brain, 10 * np.eye(len(NETWORKS))[own])
    added = (with_one.astype(float) - without) / brain.intensity[:, None] / SIGNAL_UNIT / 10
    added[:, 0] /= 1.08
    series = np.array([added[own == network].mean(axis=0) for network in range(len(NETWORKS))])
    np.testing.assert_allclose(series @ series.T / N_VOLUMES, np.eye(len(NETWORKS)), atol=0.01)
    frequencies, power = np.fft.rfftfreq(N_VOLUMES, SECONDS), np.abs(np.fft.rfft(series)) ** 2
    inside = (frequencies >= PASS_BAND_HZ[0]) & (frequencies <= PASS_BAND_HZ[1])
    assert power[:, ~inside].sum() < 1e-3 * power.sum()
    for regressor in (*motion.T, *np.gradient(motion, axis=0).T):
        slow = np.fft.irfft(np.where(inside, np.fft.rfft(regressor), 0), N_VOLUMES)
        assert np.abs(series @ slow / np.linalg.norm(slow) / np.sqrt(N_VOLUMES)).max() < 0.06, "chance would be 0.2"


@given(points=st.lists(st.tuples(*[st.floats(-90, 90)] * 3), min_size=1, max_size=9), radius=st.floats(0, 60))
def test_a_region_is_a_closed_ball(points, radius):
    region = PlantedRegion("x", {}, (1.0, -2.0, 3.0), radius)
    for point, inside in zip(points, region.contains(points), strict=True):
        away = sum((a - b) ** 2 for a, b in zip(point, region.center_mm, strict=True)) ** 0.5
        assert inside == (away <= radius) or away == pytest.approx(radius)
    assert region.contains([region.center_mm]).all()


def test_a_response_adds_to_the_planted_regions_alone_and_in_proportion(brain):
    gains = np.random.default_rng(5).uniform(0.5, 2, n_seeds())
    before = brain.loadings(gains)
    np.testing.assert_allclose(brain.loadings(3 * gains), 3 * before, rtol=1e-5)
    planted = np.zeros(brain.grid.n_nodes, dtype=bool)
    for region in PLANTED:
        inside = region.contains(brain.grid.coordinates)
        assert inside.any(), region.name
        planted |= inside
        expected = [ADDED_LOADINGS[region.name].get(network, 0) for network in NETWORKS]
        for response in (0.5, 1.0):
            added = brain.loadings(gains, {region.name: response})[inside] - before[inside]
            np.testing.assert_allclose(added, np.tile(np.multiply(response, expected), (inside.sum(), 1)), atol=1e-6)
    np.testing.assert_array_equal(brain.loadings(gains, EVERYWHERE)[~planted], before[~planted])


@pytest.fixture(scope="module")
def scan(brain):
    values, motion = bold(brain, brain.loadings(np.ones(n_seeds())))
    table, facts = make_confounds(brain, values, motion, repetition_time=SECONDS)
    return Scan(brain.grid, values, table, facts, SECONDS), motion


def test_confounds_are_the_means_of_tissues_and_the_motion_with_differences_and_squares(brain, scan):
    one, motion = scan
    table, series = one.confounds, one.bold.astype(float)
    base = {"csf": series[brain.csf], "white_matter": series[brain.white_matter], "global_signal": series}
    columns = {name: [np.mean(volume) for volume in values.T] for name, values in base.items()}
    columns |= dict(zip(("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"), motion.T, strict=True))
    for name, values in columns.items():
        step = np.array([np.nan, *(after - before for before, after in pairwise(values))])
        np.testing.assert_allclose(table[name], values)
        np.testing.assert_allclose(table[f"{name}_derivative1"], step, atol=1e-9)
        np.testing.assert_allclose(table[f"{name}_power2"], np.square(values))
        np.testing.assert_allclose(table[f"{name}_derivative1_power2"], step**2, atol=1e-9)
    dvars = [np.sqrt(np.mean((after - before) ** 2)) for before, after in pairwise(series.T)]
    np.testing.assert_allclose(table["dvars"][1:], dvars)
    np.testing.assert_allclose(table["std_dvars"][1:], dvars / np.median(dvars))


def test_cosines_outliers_and_components_are_what_they_are_called(brain, scan):
    one, _ = scan
    table = one.confounds
    cosines = table.filter(like="cosine").to_numpy()
    assert cosines.shape[1] == int(2 * N_VOLUMES * SECONDS / 128)
    np.testing.assert_allclose(cosines, fft.dct(np.eye(N_VOLUMES), norm="ortho", axis=0).T[:, 1 : 1 + cosines.shape[1]])
    flagged = np.flatnonzero((table["framewise_displacement"] > 0.5) | (table["std_dvars"] > 1.5))
    spikes = table.filter(like="motion_outlier").to_numpy()
    np.testing.assert_array_equal(spikes, np.eye(N_VOLUMES, dtype=int)[:, flagged])
    assert table["non_steady_state_outlier00"].to_numpy().nonzero()[0].tolist() == [0]
    tissue = one.bold[brain.white_matter | brain.csf].astype(float)
    basis = np.column_stack([np.ones(N_VOLUMES), cosines])
    rest = tissue - tissue @ np.linalg.pinv(basis).T @ basis.T
    _, singular, vectors = np.linalg.svd(rest / rest.std(axis=1, keepdims=True), full_matrices=False)
    share = singular**2 / (singular**2).sum()
    for place in range(6):
        facts = one.confounds_metadata[f"a_comp_cor_{place:02d}"]
        assert facts["SingularValue"] == pytest.approx(singular[place])
        assert facts["VarianceExplained"] == pytest.approx(share[place])
        assert facts["CumulativeVarianceExplained"] == pytest.approx(share[: place + 1].sum())
        np.testing.assert_allclose(np.abs(table[f"a_comp_cor_{place:02d}"] @ vectors[place]), 1)


def test_the_files_of_a_scan_hold_it_and_the_raw_one_is_every_second_voxel(brain, scan, tmp_path):
    one, _ = scan
    write_scan(tmp_path / "raw", tmp_path / "prep", ("sub-01", "ses-day3"), one)
    stem = "sub-01/ses-day3/func/sub-01_ses-day3_task-rest"
    image = nib.load(tmp_path / "prep" / f"{stem}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz")
    raw = nib.load(tmp_path / "raw" / f"{stem}_bold.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj)[brain.grid.mask], one.bold)
    np.testing.assert_array_equal(np.asarray(raw.dataobj), np.asarray(image.dataobj)[::2, ::2, ::2])
    corner = np.array([2, 3, 1, 1])
    np.testing.assert_allclose(raw.affine @ corner, image.affine @ (corner * [2, 2, 2, 1]))
    for found, voxel in ((image, 12), (raw, 24)):
        np.testing.assert_allclose(found.header.get_zooms(), [voxel] * 3 + [SECONDS])
    mask = nib.load(tmp_path / "prep" / f"{stem}_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz")
    np.testing.assert_array_equal(np.asarray(mask.dataobj) > 0, brain.grid.mask)
    table = pd.read_csv(tmp_path / "prep" / f"{stem}_desc-confounds_timeseries.tsv", sep="\t", na_values="n/a")
    pd.testing.assert_frame_equal(table, one.confounds, rtol=1e-6, check_dtype=False)
    sidecar = json.loads((tmp_path / "raw" / f"{stem}_bold.json").read_text())
    assert sidecar["RepetitionTime"] == SECONDS


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_tables_of_a_dataset_are_its_people(tmp_path, name):
    scenario = of_size(3, name)
    people = recruit(scenario, effect=1.0, seed=8)
    write_dataset(tmp_path / "raw", tmp_path / "raw" / "derivatives" / "fmriprep", scenario, people)
    table = pd.read_csv(tmp_path / "raw" / "participants.tsv", sep="\t").set_index("participant_id")
    for who in people:
        own = {scenario.column: who.arm} if scenario.column else {}
        assert table.loc[who.label].to_dict() == own | {"age": who.age, "sex": who.sex}
        visits = pd.read_csv(tmp_path / "raw" / who.label / f"{who.label}_sessions.tsv", sep="\t")
        assert visits.to_dict("records") == [
            {"session_id": one.session_id, **({"acq_time": one.acq_time} if name != "paired" else {}), **one.scores}
            for one in who.visits
        ]
    described = json.loads((tmp_path / "raw" / "participants.json").read_text())
    assert set(described) == set(table.columns)
    if scenario.column:
        assert set(described[scenario.column]["Levels"]) == set(table[scenario.column])
    of_visits = json.loads((tmp_path / "raw" / "sessions.json").read_text())
    assert {"session_id", *of_visits} == set(visits)


def of_region(people, session, region):
    """The share that is there of a region's change, by arm."""
    found = {}
    for who in people:
        for visit in who.visits:
            if visit.session_id == session:
                found.setdefault(who.arm, []).append(visit.shares[region])
    return {arm: np.array(shares) for arm, shares in found.items()}


def test_each_dose_changes_its_own_regions():
    people = recruit(of_size(60, "three-arms"), seed=1)
    for region in EVERYWHERE:
        after = of_region(people, "ses-day3", region)
        assert after["placebo"].max() == 0
        assert after["high"].mean() == pytest.approx(1, abs=0.15)
        assert after["low"].mean() == pytest.approx(int(region == LEFT_ANGULAR), abs=0.15)
        assert max(shares.max() for shares in of_region(people, "ses-baseline", region).values()) == 0
    falls = {
        arm: np.mean([w.visits[0].scores["hamd17"] - w.visits[1].scores["hamd17"] for w in people[:-1] if w.arm == arm])
        for arm in ("high", "low", "placebo")
    }
    assert falls["high"] > falls["low"] > falls["placebo"]


def test_the_change_outlasts_the_first_followup_in_one_region_and_who_is_lost_lacks_the_last_visits():
    people = recruit(of_size(40, "three-visits"), seed=2)
    assert [len(who.visits) for who in people[-4:]] == [3, 1, 2, 2]
    assert sum(len(who.visits) for who in people) == of_size(40, "three-visits").n_scans
    for region in EVERYWHERE:
        day3, day14 = (of_region(people, session, region)["ketamine"].mean() for session in ("ses-day3", "ses-day14"))
        assert day3 == pytest.approx(1, abs=0.15)
        assert day14 == pytest.approx(int(region == LEFT_ANGULAR), abs=0.15)


def test_of_groups_age_goes_with_one_region_and_the_group_with_the_others():
    scenario = of_size(60, "groups")
    people = recruit(scenario, seed=3)
    ages = {arm: np.mean([who.age for who in people if who.arm == arm]) for arm in scenario.arms}
    assert 14 < ages["patient"] - ages["control"] < 20
    for who in people:
        assert who.visits[0].shares[RIGHT_ANGULAR] == pytest.approx(2 * (who.age - 22) / 39)
        assert (who.visits[0].shares[LEFT_ANGULAR] > 0) == (who.arm == "patient")
        assert who.visits[0].scores["hamd17"] <= 7 or who.arm == "patient"


def test_of_a_crossover_trial_the_treatment_changes_one_period_and_the_period_everyone():
    people = recruit(of_size(40, "crossover"), seed=4)
    for session, active in (("ses-1", "ketamine-placebo"), ("ses-2", "placebo-ketamine")):
        angular, thalamus = (of_region(people, session, region) for region in (LEFT_ANGULAR, THALAMUS))
        for arm in angular:
            assert angular[arm].mean() == pytest.approx(int(arm == active), abs=0.15)
            np.testing.assert_allclose(thalamus[arm], 0.8 * (session == "ses-2"))
    scores = {"ketamine": [], "placebo": []}
    for who in people[:-1]:
        for treatment, visit in zip(who.arm.split("-"), who.visits, strict=True):
            scores[treatment].append(visit.scores["hamd17"])
    assert np.mean(scores["ketamine"]) < np.mean(scores["placebo"]) - 1


def test_what_is_planted_in_each_comparison_is_what_its_arm_has_more_of():
    found = {
        name: [(a.active, a.reference, a.session, *sorted(a.shares)) for a in one.answers]
        for name, one in SCENARIOS.items()
    }
    angular, everywhere = sorted(ANGULAR), sorted(EVERYWHERE)
    assert found == {
        "two-arms": [("ketamine", "midazolam", "day3", *everywhere)],
        "three-arms": [("high", "placebo", "day3", *everywhere), ("low", "placebo", "day3", LEFT_ANGULAR)],
        "three-visits": [
            ("ketamine", "midazolam", "day3", *everywhere),
            ("ketamine", "midazolam", "day14", LEFT_ANGULAR),
        ],
        "groups": [("patient", "control", "1", LEFT_ANGULAR)],
        "crossover": [("ketamine", "placebo", "", *angular)],
        "williams": [("high", "placebo", "", *angular), ("low", "placebo", "", LEFT_ANGULAR)],
        "one-group": [
            ("ses-day3", "ses-baseline", "day3", *everywhere),
            ("ses-day14", "ses-baseline", "day14", LEFT_ANGULAR),
        ],
        "paired": [("ketamine", "placebo", "", *angular)],
    }


def test_everyone_in_one_group_has_the_change_at_later_visits_and_what_is_paired_has_no_date():
    people = recruit(of_size(30, "one-group"), seed=5)
    for session, region, mean in (
        ("ses-baseline", LEFT_ANGULAR, 0),
        ("ses-day3", THALAMUS, 1),
        ("ses-day14", THALAMUS, 0),
        ("ses-day14", LEFT_ANGULAR, 1),
    ):
        assert of_region(people, session, region)["everyone"].mean() == pytest.approx(mean, abs=0.15)
    people = recruit(of_size(30, "paired"), seed=5)
    shares = [of_region(people, one, LEFT_ANGULAR)["everyone"].mean() for one in ("ses-ketamine", "ses-placebo")]
    assert shares == pytest.approx([1, 0], abs=0.15)
    falls = [who.visits[1].scores["hamd17"] - who.visits[0].scores["hamd17"] for who in people[:-1]]
    assert np.mean(falls) > 1, "less is left after ketamine"
