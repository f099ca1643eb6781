"""Regions named beforehand: which nodes they are, what is tested, and what is said when there are none."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from bids_app.bids.files import read_table, sidecar_of
from bids_app.bids.scans import Scan
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError, UsageError
from bids_app.graph.features import Feature
from bids_app.group.named_regions import NOT_PLANNED, PLANNED, find_named, write_named
from bids_app.group.routes import MapRoute, ParcelRoute
from bids_app.group.sample import Sample
from bids_app.group.targets import GroupRun, Target
from bids_app.settings.deviation import Deviation
from bids_app.settings.named import NamedRegion
from bids_app.settings.plan import Plan
from bids_app.settings.settings import Settings, Trial
from bids_app.space.grid import Grid
from bids_app.system.small_files import read_json
from bids_app.trial.design import Design

DESIGN = Design("arm", "drug", "placebo", "pre", "post")
ARM = np.array([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0])
DEGREE, STRENGTH = Feature("degree", "r025"), Feature("strength", "r025")
AFFINE = np.diag([4.0, 4, 4, 1])
N_DRAWS = 400


def sample(n_nodes, seed=0, **kind):
    rng = np.random.default_rng(seed)
    both = {}
    for feature in (DEGREE, STRENGTH):
        baseline = rng.normal(10, 2, (len(ARM), n_nodes))
        followup = 0.6 * baseline + rng.normal(0, 1, baseline.shape) + 0.7 * ARM[:, None]
        both[feature] = {"pre": baseline, "post": followup}
    return Sample(
        design=DESIGN,
        maps=both,
        arm=ARM,
        covariates=pd.DataFrame({"age": rng.normal(40, 9, len(ARM))}),
        strata=None,
        kept=kind.pop("kept", np.ones(n_nodes, dtype=bool)),
        grid=kind.pop("grid", None),
        parcels=kind.pop("parcels", None),
    )


@pytest.fixture
def voxels():
    """A grid of 5 x 4 x 3 voxels of 4 mm, of which the last slice is not compared."""
    mask = np.ones((5, 4, 3), dtype=bool)
    mask[..., 2] = False
    grid = Grid(mask, AFFINE)
    route = MapRoute("voxels", {"task": "rest", "res": "4mm"}, {DEGREE: [], STRENGTH: []})
    return route, sample(grid.n_nodes, grid=grid, kept=mask.ravel())


@pytest.fixture
def parcels():
    table = pd.DataFrame({"index": [1, 2, 3], "name": ["PCC", "mPFC", "7"]})
    return ParcelRoute("parcels of X", {"atlas": "X"}, {DEGREE: [], STRENGTH: []}), sample(3, parcels=table)


def save_mask(path, values, affine=AFFINE):
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def test_a_mask_takes_the_voxels_whose_centres_are_in_it(voxels, tmp_path):
    of = voxels[1]
    values = np.zeros((5, 4, 3), dtype=np.uint8)
    values[1:3, 0, :] = 1
    found, findings = find_named([NamedRegion("here", save_mask(tmp_path / "m.nii", values))], [voxels])
    expected = np.flatnonzero(values[of.grid.mask])
    np.testing.assert_array_equal(found["voxels"]["here"], expected)
    assert len(expected) == 4  # the third slice is not compared
    assert findings == ()


def test_a_mask_of_another_resolution_and_field_of_view(voxels, tmp_path):
    """2 mm voxels, flipped, from -20 to 38 mm: the voxels of the grid with centres from 3 to 9 mm along x."""
    affine = np.diag([-2.0, 2, 2, 1])
    affine[:3, 3] = (38, -20, -20)
    x = nib.affines.apply_affine(affine, np.indices((30, 30, 30)).reshape(3, -1).T)[:, 0].reshape(30, 30, 30)
    path = save_mask(tmp_path / "m.nii.gz", ((x >= 3) & (x <= 9)).astype(np.int16), affine)
    found, _ = find_named([NamedRegion("slab", path)], [voxels])
    grid = voxels[1].grid
    np.testing.assert_array_equal(
        found["voxels"]["slab"], np.flatnonzero((grid.coordinates[:, 0] >= 3) & (grid.coordinates[:, 0] <= 9))
    )


def test_a_mask_of_fractions_is_cut_and_it_is_said(voxels, tmp_path):
    values = np.zeros((5, 4, 3), dtype=np.float32)
    values[0, 0, 0], values[1, 0, 0] = 0.6, 0.4
    found, findings = find_named([NamedRegion("soft", save_mask(tmp_path / "m.nii", values))], [voxels])
    assert len(found["voxels"]["soft"]) == 1
    assert "cut at 0.5" in findings[0].text


def test_parcels_are_found_by_their_names(parcels):
    found, _ = find_named([NamedRegion("mPFC", None), NamedRegion("7", None)], [parcels])
    assert {name: nodes.tolist() for name, nodes in found["parcels of X"].items()} == {"mPFC": [1], "7": [2]}


def test_what_is_in_no_route_is_named_with_what_there_is(voxels, parcels, tmp_path):
    with pytest.raises(UsageError, match=r"--regions ACC: .* Parcels of X: PCC, mPFC, 7\."):
        find_named([NamedRegion("ACC", None), NamedRegion("PCC", None)], [voxels, parcels])
    with pytest.raises(UsageError, match=r"--regions here: .*needs maps of voxels"):
        find_named([NamedRegion("here", save_mask(tmp_path / "m.nii", np.ones((5, 4, 3), np.uint8)))], [parcels])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((5, 4, 3), np.uint8), "none of its voxels is among the 40"),
        (np.ones((5, 4, 3, 2), np.uint8), "a 3D image is needed"),
        (np.full((5, 4, 3), 3.7, np.float32), "no mask"),
    ],
)
def test_images_that_are_no_masks_of_the_brain(voxels, tmp_path, values, message):
    with pytest.raises(DataError, match=f"--regions here.*{message}"):
        find_named([NamedRegion("here", save_mask(tmp_path / "m.nii", values))], [voxels])


def settings(output_dir, **trial):
    trial = Trial(n_permutations=N_DRAWS, random_seed=3, regions=(NamedRegion("a", None),), **trial)
    return Settings(output_dir, output_dir, "group", output_dir / "work", trial=trial)


@pytest.fixture
def scanned(voxels):
    scan = Scan(Path("sub-01_boldmap.nii.gz"), {"sub": "01", "task": "rest"}, {})
    route, of = voxels
    return replace(route, scans={feature: [scan] for feature in route.scans}), of


NAMED = {"a": np.array([0, 3, 5]), "b": np.array([7])}


def test_each_region_is_the_ordinary_model_of_its_mean(scanned, tmp_path):
    route, of = scanned
    table = read_table(write_named(GroupRun(settings(tmp_path), DESIGN, None), Target(route, None, of, NAMED)))
    assert list(zip(table["region"], table["measure"], strict=True)) == [
        (name, metric) for name in "ab" for metric in ("degree", "strength")
    ]
    for row, (name, feature) in zip(table.itertuples(), [(n, f) for n in "ab" for f in of.features], strict=True):
        data = of.covariates.assign(
            arm=ARM,
            y=of.maps[feature]["post"][:, NAMED[name]].mean(axis=1),
            x=of.maps[feature]["pre"][:, NAMED[name]].mean(axis=1),
        )
        fit = smf.ols("y ~ arm + x + age", data).fit()
        np.testing.assert_allclose([row.t, row.difference], [fit.tvalues["arm"], fit.params["arm"]], rtol=1e-6)
        np.testing.assert_allclose([row.ci_low, row.ci_high], fit.conf_int().loc["arm"], rtol=1e-6)
    assert (table["p_fwe"] >= table["p"]).all()
    assert (table["p_fwe"] > table["p"]).any()
    assert table["nodes"].tolist() == [3, 3, 1, 1]


def test_the_correction_is_over_all_regions_and_measures(scanned, tmp_path):
    """By the largest of the four |t| of ordinary least squares, over random allocations of the same sizes."""
    route, of = scanned
    table = read_table(write_named(GroupRun(settings(tmp_path), DESIGN, None), Target(route, None, of, NAMED)))
    values = [
        (of.maps[feature]["post"][:, nodes].mean(axis=1), of.maps[feature]["pre"][:, nodes].mean(axis=1))
        for nodes in NAMED.values()
        for feature in of.features
    ]
    rng, n_drawn = np.random.default_rng(5), 300
    largest = [max(abs(t_of_arm(rng.permutation(ARM), of, *both)) for both in values) for _ in range(n_drawn)]
    share = [(np.array(largest) >= abs(t)).mean() for t in table["t"]]
    np.testing.assert_allclose(share, table["p_fwe"], atol=4 * np.sqrt(0.25 / n_drawn + 0.25 / N_DRAWS))
    assert max(share) > 0.02  # or there is nothing to compare


def t_of_arm(arm, of, followup, baseline):
    rows = of.covariates.assign(arm=arm, y=followup, x=baseline)
    return smf.ols("y ~ arm + x + age", rows).fit().tvalues["arm"]


def test_who_has_no_node_of_a_region_is_not_in_its_mean(scanned, tmp_path):
    route, of = scanned
    for maps in of.maps[DEGREE].values():
        maps[0, NAMED["a"][:2]] = np.nan
        maps[1, NAMED["b"]] = np.nan
    table = read_table(
        write_named(GroupRun(settings(tmp_path, min_per_arm=3), DESIGN, None), Target(route, None, of, NAMED))
    )
    assert table["n"].tolist() == [14, 14, 13, 14]


def test_whether_the_plan_names_them_is_said(scanned, tmp_path):
    route, of = scanned
    planned = Plan("degree", further={"regions": ["a"]})

    def note(**trial):
        path = write_named(GroupRun(settings(tmp_path, **trial), DESIGN, None), Target(route, None, of, NAMED))
        return read_json(sidecar_of(path))["Note"]

    assert note() == NOT_PLANNED
    assert note(plan=Plan("degree")) == NOT_PLANNED
    assert note(plan=planned) == PLANNED
    assert note(plan=Plan(primary_outcomes=("hamd",), further={"regions": ["a"]})) == PLANNED
    assert note(plan=planned, departed=(Deviation("hc3", False, True),)) == NOT_PLANNED
    assert note(plan=planned, departed=(Deviation("seed", 1, 2),)) == PLANNED


def test_the_command_line(tmp_path):
    given = parse(["bids", "out", "group", "--regions", "PCC", f"a={tmp_path}/a.nii"]).trial.regions
    assert given == (("PCC", None), ("a", tmp_path / "a.nii"))
    with pytest.raises(UsageError, match="--regions a a: the names must differ"):
        parse(["bids", "out", "group", "--regions", "a", "a"])


def test_other_regions_than_planned_are_a_departure(tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text('[metrics]\nprimary = "degree"\n[analysis]\nregions = ["PCC"]\n')
    kept = parse(["bids", "out", "group", "--plan", str(plan)]).trial
    assert kept.regions == (("PCC", None),)
    assert kept.departed == ()
    left = parse(["bids", "out", "group", "--plan", str(plan), "--regions", "PCC", "mPFC"]).trial
    assert [one.what for one in left.departed] == ["regions"]
