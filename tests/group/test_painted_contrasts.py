"""Results of parcels over all comparisons, painted back over the atlas: of pairs, of weights and doses, and of F."""

import json
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_app.graph.features import Feature
from bids_app.group import several
from bids_app.group.family import Family
from bids_app.group.painting import laid_atlas
from bids_app.group.routes import ConnectionRoute, GlobalRoute, ParcelRoute
from bids_app.group.sample import Sample
from bids_app.settings.settings import Settings
from bids_app.space.atlas import Atlas
from bids_app.space.grid import Grid
from bids_app.space.saved_atlas import save_atlas
from bids_app.trial.design import Design
from bids_app.trial.weights import Weighted

DEGREE = Feature("degree", "r025")
PLACE = {"task": "rest", "space": "MNI", "desc": "clean"}
GRID = Grid(np.ones((3, 2, 1), dtype=bool), np.diag([8.0, 8, 8, 1]))
PARCELS = pd.DataFrame({"index": [4, 7, 9], "name": ["a", "b", "c"]})
OF_NODE = np.array([0, 1, 2, 2, -1, 0])
KEPT = np.array([True, False, True])  # nobody has b
LOW = Design("arm", "low", "placebo", "pre", "day3")
DOSES = LOW.by_weights(Weighted("doses", (("placebo", -1.0), ("low", 0.5), ("high", 0.5))))
EFFECT = ("t", "difference", "ci_low", "ci_high", "hedges_g")
MAPS = dict(zip(("t", "difference", "ciLow", "ciHigh", "hedgesG"), EFFECT, strict=True))
RNG = np.random.default_rng(2)
VALUES = {name: RNG.normal(size=2) for name in (*EFFECT, "p", "p_together")}


def line_of(design):
    effect = SimpleNamespace(**{name: VALUES[name] for name in EFFECT})
    sample = Sample(
        design=LOW,
        maps={},
        arm=np.arange(3),
        covariates=pd.DataFrame(index=range(3)),
        strata=None,
        kept=KEPT,
        grid=None,
        parcels=PARCELS[KEPT],
    )
    drawn = {"exhaustive": False, "tail": False, "max_statistics": np.zeros(50), "earlier": ()}
    alone = SimpleNamespace(effect=effect, p=VALUES["p"], p_fwe=VALUES["p"], **drawn)
    p = VALUES["p_together"]
    return several.Tested(
        feature=DEGREE,
        design=design,
        followup="day3",
        sample=sample,
        p=p,
        p_all=p,
        n_draws=50,
        alone=alone,
        settled=True,
    )


def written(root, route, design):
    settings = Settings(Path("bids"), root, "group", root / "work")
    settings.group_dir.mkdir()
    route = route("parcels", {**PLACE, "atlas": "Three"}, {DEGREE: []})
    family = Family(
        route=route, designs=(LOW,), samples={}, joints=(), maps={}, how="over all", model="", has_any=False
    )
    laid = laid_atlas(root, route.entities) if isinstance(route, ParcelRoute) else None
    return list(several._save_maps(settings, family, line_of(design), laid))


@pytest.fixture
def laid(tmp_path):
    """Return a folder of results in which the atlas lies over six nodes."""
    save_atlas(tmp_path, Atlas({"atlas": "Three"}, PARCELS, OF_NODE, np.zeros((3, 3)), origin="three.nii"), GRID, PLACE)
    return tmp_path


@pytest.mark.parametrize(
    ("design", "contrast", "stats"),
    [
        (LOW, "lowVsPlacebo", {"pTogether": "p_together"}),
        (DOSES, "doses", {**MAPS, "p": "p", "pTogether": "p_together"}),
        (None, "any", {"f": "t", "pTogether": "p_together"}),
    ],
)
def test_every_node_has_the_result_of_its_parcel_and_none_where_it_was_not_tested(laid, design, contrast, stats):
    found = {path.name: path for path in written(laid, ParcelRoute, design)}
    of = f"task-rest_space-MNI_atlas-Three_ses-day3_contrast-{contrast}"
    by_stat = {stat: [path for name, path in found.items() if f"_stat-{stat}_" in name] for stat in stats}
    assert len(found) == len(stats)
    for stat, (path,) in by_stat.items():
        assert set(of.split("_")) <= set(path.name.split("_"))
        assert "_desc-cleanDegreeR025_" in path.name
        shown = nib.load(path).get_fdata().ravel()
        first, last = VALUES[stats[stat]]
        np.testing.assert_allclose(shown, [first, np.nan, last, last, np.nan, first], rtol=1e-6)
        about = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert (about["Atlas"], about["NumberOfDraws"]) == ("three.nii", 50)
        assert ("doses = −1 placebo" in about["Description"]) == (stat in (*MAPS,) and design is DOSES)


def test_parcels_of_tables_have_no_place_and_other_nodes_are_not_painted(tmp_path, laid):
    assert written(laid, ConnectionRoute, DOSES) == []
    (laid / "group").rmdir()
    assert written(laid, GlobalRoute, DOSES) == []
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert written(elsewhere, ParcelRoute, DOSES) == []
