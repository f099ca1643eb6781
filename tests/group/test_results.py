import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests

from bids_app import stats
from bids_app.bids.scans import Scan
from bids_app.graph.features import Feature
from bids_app.group import drawn
from bids_app.group.analyses import Analysis, Test, run_until_settled
from bids_app.group.cluster_results import cluster_table, clusters_of
from bids_app.group.record import write_design
from bids_app.group.result_tables import nodal_table
from bids_app.group.results import write_results
from bids_app.group.routes import MapRoute, ParcelRoute
from bids_app.group.sample import Sample
from bids_app.group.targets import GroupRun, Target
from bids_app.group.whole_brain import write_whole_brain
from bids_app.settings.settings import Settings, Trial
from bids_app.space.grid import Grid
from bids_app.trial.design import Design
from bids_app.trial.flow import by_visit, participant_flow
from bids_app.trial.tables import Tables

DESIGN = Design("arm", "drug", "usual care", "pre", "post")
ARM = np.array([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1])
PARTICIPANTS = [f"{number:02d}" for number in range(len(ARM))]
N_DRAWS = 200


def run_of(chosen):
    return GroupRun(chosen, DESIGN, Tables(pd.DataFrame(), pd.DataFrame(), {}))


def settings(output_dir):
    trial = Trial(n_permutations=N_DRAWS, random_seed=3)
    return Settings(output_dir, output_dir, "group", output_dir / "work", trial=trial)


def maps(n_nodes, seed=0, shift=0.0):
    """Baseline and follow-up that depend on it; the active arm rises by ``shift``."""
    rng = np.random.default_rng(seed)
    baseline = rng.normal(10, 2, (len(ARM), n_nodes))
    return baseline, 0.6 * baseline + rng.normal(0, 1, baseline.shape) + shift * ARM[:, None]


ANCOVA, CHANGE = Analysis("ancova"), Analysis("change")
DEGREE, STRENGTH = (Feature(metric, "r025") for metric in ("degree", "strength"))


def sample(features=(DEGREE, STRENGTH), grid=None, parcels=None, shift=0.0):
    n_nodes = grid.n_nodes if grid else len(parcels)
    both = {
        feature: dict(zip(("pre", "post"), maps(n_nodes, seed, shift), strict=True))
        for seed, feature in enumerate(features)
    }
    covariates = pd.DataFrame({"age": np.random.default_rng(9).normal(40, 9, len(ARM))})
    return Sample(
        design=DESIGN,
        maps=both,
        arm=ARM,
        covariates=covariates,
        strata=None,
        kept=np.ones(n_nodes, dtype=bool),
        grid=grid,
        parcels=parcels,
    )


def compare(of, neighbours=None):
    draws = stats.allocations(of.arm, None, N_DRAWS, 3)
    nuisance = stats.nuisance(len(of.arm), of.covariates.to_numpy())
    compared = {}
    for feature, visits in of.maps.items():
        baseline, followup = visits["pre"], visits["post"]
        compared[Test(feature, ANCOVA)] = stats.compare_arms(followup, baseline, nuisance, draws, neighbours=neighbours)
        change = followup - baseline
        compared[Test(feature, CHANGE)] = stats.compare_arms(change, None, nuisance, draws, neighbours=neighbours)
    return compared


def ordinary_least_squares(followup, baseline, covariates):
    design = sm.add_constant(np.column_stack([ARM, baseline, covariates]))
    return sm.OLS(followup, design).fit()


def route(name, entities, scans=()):
    kind = ParcelRoute if name.startswith("parcels") else MapRoute
    return kind(name, {"task": "rest", **entities}, {DEGREE: list(scans), STRENGTH: list(scans)})


PARCELS = pd.DataFrame({"index": [3, 8, 9, 12], "name": list("wxyz")})


def test_planted_cluster_is_where_it_was_put():
    """A bar of four voxels of 2 x 3 x 4 mm, and one apart on the other side of zero."""
    grid = Grid(np.ones((6, 7, 5), dtype=bool), nib.affines.from_matvec(np.diag([2.0, 3, 4]), [-20, 10, 5]))
    statistic, p_fwe = np.zeros((6, 7, 5)), np.ones((6, 7, 5))
    statistic[1:5, 2, 3] = [5, 6, 9, 4]
    p_fwe[1:5, 2, 3] = [0.03, 0.02, 0.01, 0.04]
    statistic[5, 6, 0], p_fwe[5, 6, 0] = -7, 0.002
    statistic[0, 0, 0], p_fwe[0, 0, 0] = 4, 0.06
    example = compare(sample((DEGREE,), grid=grid))[Test(DEGREE, ANCOVA)]
    planted = replace(example, statistic=statistic.ravel(), p_fwe=p_fwe.ravel())
    key = Test(DEGREE, ANCOVA)
    of = sample((DEGREE,), grid=grid)
    found = clusters_of(of, {key: planted}, Trial())
    table = cluster_table(of, {key: planted}, {key: 2 * p_fwe.ravel()}, found, Trial())
    assert len(table) == 2
    apart, bar = table.to_dict("records")
    assert bar["direction"] == "drug > usual care"
    assert (bar["n_voxels"], bar["volume_mm3"]) == (4, 96)
    assert (bar["peak_x"], bar["peak_y"], bar["peak_z"]) == (-14, 16, 17)
    assert (bar["centre_x"], bar["centre_y"], bar["centre_z"]) == (-15, 16, 17)
    assert (bar["p_fwe"], bar["p_fwe_all"]) == (0.01, 0.02)
    peak = np.ravel_multi_index((3, 2, 3), grid.mask.shape)
    assert bar["t"] == example.effect.t[peak]
    assert (bar["ci_low"], bar["ci_high"]) == (example.effect.ci_low[peak], example.effect.ci_high[peak])
    assert apart["direction"] == "usual care > drug"
    assert (apart["peak_x"], apart["peak_y"], apart["peak_z"]) == (-10, 28, 5)
    assert (apart["n_voxels"], apart["volume_mm3"]) == (1, 24)


def test_no_cluster_makes_an_empty_table_with_its_columns():
    grid = Grid(np.ones((3, 3, 3), dtype=bool), np.eye(4))
    example = compare(sample((DEGREE,), grid=grid))[Test(DEGREE, ANCOVA)]
    nothing = replace(example, p_fwe=np.ones(27))
    of = sample((DEGREE,), grid=grid)
    key = Test(DEGREE, ANCOVA)
    found = clusters_of(of, {key: nothing}, Trial())
    table = cluster_table(of, {key: nothing}, {key: np.ones(27)}, found, Trial())
    assert table.empty
    assert {"direction", "peak_x", "volume_mm3", "p_fwe"} <= set(table)


def test_nodal_table_is_corrected_over_parcels():
    of = sample(parcels=PARCELS)
    compared = compare(of)
    comparison = compared[Test(DEGREE, ANCOVA)]
    table = nodal_table(PARCELS, Test(DEGREE, ANCOVA), comparison, comparison.p_fwe)
    assert list(table["name"]) == list("wxyz")
    expected = [
        ordinary_least_squares(of.maps[DEGREE]["post"][:, node], of.maps[DEGREE]["pre"][:, node], of.covariates)
        for node in range(4)
    ]
    np.testing.assert_allclose(table["difference"], [fit.params[1] for fit in expected])
    np.testing.assert_allclose(table["t"], [fit.tvalues[1] for fit in expected])
    np.testing.assert_allclose(table[["ci_low", "ci_high"]], [fit.conf_int()[1] for fit in expected])
    maxima = comparison.max_statistics
    by_count = [(maxima >= abs(t) * (1 - 1e-9)).mean() for t in table["t"]]
    np.testing.assert_allclose(table["p_fwe"], by_count)
    np.testing.assert_allclose(table["p_fdr"], multipletests(table["p"], method="fdr_bh")[1])
    assert (table["p_fwe"] >= table["p"]).all()


def test_files_of_parcels(tmp_path):
    of = sample(parcels=PARCELS)
    compared = compare(of)
    (path,) = write_results(settings(tmp_path), route("parcels of A", {"atlas": "A"}), of, compared)
    assert path.name == "task-rest_atlas-A_contrast-drugVsUsualCare_nodes.tsv"
    table = pd.read_csv(path, sep="\t")
    assert len(table) == 2 * 2 * 4
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert list(sidecar) == list(table)
    over_metrics = stats.across([compared[Test(DEGREE, CHANGE)], compared[Test(STRENGTH, CHANGE)]])
    rows = table[(table["measure"] == "strength") & (table["estimator"] == "change")]
    np.testing.assert_allclose(rows["p_fwe_all"], over_metrics[1])
    np.testing.assert_allclose(rows["difference"], compared[Test(STRENGTH, CHANGE)].effect.difference, rtol=1e-8)
    assert (table["p_fwe_all"] >= table["p_fwe"]).all()


def clusters_are_in_their_images(look_ups, folder):
    """The peak of each cluster has its number, as many voxels have it as the table says, and no name is of two."""
    (path,) = folder.glob("group/tables/*_clusters.tsv")
    table = pd.read_csv(path, sep="\t").set_index("cluster")
    assert table.index.is_unique
    assert look_ups
    for path in look_ups:
        image = nib.load(path.with_suffix(".nii.gz"))
        numbers = np.asarray(image.dataobj)
        labels = pd.read_csv(path, sep="\t")
        assert labels["region"].is_unique
        assert set(np.unique(numbers)) == {0, *labels["index"]}
        for row in labels.itertuples():
            cluster = table.loc[row.cluster]
            assert row.region == cluster["region"]
            peak = np.linalg.solve(image.affine, [*cluster[["peak_x", "peak_y", "peak_z"]], 1])[:3].round().astype(int)
            assert (numbers == labels.loc[row.Index, "index"]).sum() == cluster["n_voxels"]
            assert numbers[tuple(peak)] == labels.loc[row.Index, "index"]


def test_files_of_voxels(tmp_path):
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[1:5, 1:5, 1:5] = True
    grid = Grid(mask, np.diag([3.0, 3, 3, 1]))
    of = sample(grid=grid, shift=6.0)
    compared = compare(of, stats.neighbours(mask, 6))
    voxels = route("voxels", {"res": "3mm"})
    written = write_results(settings(tmp_path), voxels, of, compared)
    images = [path for path in written if path.name.endswith("_dseg.tsv")]
    assert len(written) == len(set(written)) == 2 * 2 * 14 + 1 + len(images)
    clusters_are_in_their_images(images, tmp_path)
    assert all(path.exists() and (path.parent / f"{path.name.split('.')[0]}.json").exists() for path in written)
    group, maps = tmp_path / "group", tmp_path / "group" / "maps" / "degree"
    prefix = "task-rest_res-3mm_contrast-drugVsUsualCare"
    for stat, values in (
        ("t", compared[Test(DEGREE, CHANGE)].effect.t),
        ("pFwe", compared[Test(DEGREE, CHANGE)].p_fwe),
        ("tfce", compared[Test(DEGREE, CHANGE)].statistic),
    ):
        volume = nib.load(maps / f"{prefix}_stat-{stat}_desc-degreeR025Change_statmap.nii.gz").get_fdata()
        np.testing.assert_allclose(volume[mask], values, rtol=1e-6)
        assert np.isnan(volume[~mask]).all()
    sidecar = json.loads((maps / f"{prefix}_stat-t_desc-degreeR025_statmap.json").read_text())
    assert sidecar["DegreesOfFreedom"] == 12 - 4
    assert sidecar["NumberOfDraws"] == N_DRAWS
    clusters = pd.read_csv(group / "tables" / f"{prefix}_clusters.tsv", sep="\t")
    assert set(clusters["direction"]) == {"drug > usual care"}
    whole = clusters[(clusters["measure"] == "degree") & (clusters["estimator"] == "ancova")]
    assert whole["n_voxels"].sum() == (compared[Test(DEGREE, ANCOVA)].p_fwe <= 0.05).sum()
    assert (whole["volume_mm3"] == 27 * whole["n_voxels"]).all()


def scans_of(means, kept):
    """One scan per participant and visit, two at the follow-up of the first."""
    made = []
    for position, participant in enumerate(PARTICIPANTS):
        for visit, session in enumerate(("pre", "post")):
            sidecar = {"Mean": means[visit][position], "NumberOfVolumesKept": kept}
            made.append(Scan({"sub": participant, "ses": session}, Path("none.nii.gz"), sidecar))
    made.append(
        Scan({"sub": "00", "ses": "post"}, Path("none.nii.gz"), {"Mean": 40.0, "NumberOfVolumesKept": kept / 3})
    )
    return made


def flow():
    frame = pd.DataFrame({"participant_id": [f"sub-{label}" for label in PARTICIPANTS], "analysed": True})
    for visit in ("baseline", "followup"):
        frame[f"{visit}_scans"] = 1
        frame[f"{visit}_minutes"] = 5.0
    frame.loc[0, "followup_scans"] = 2
    return frame


def test_whole_brain_means_equal_least_squares(tmp_path):
    grid = Grid(np.ones((2, 2, 2), dtype=bool), np.eye(4))
    of = sample(grid=grid)
    rng = np.random.default_rng(5)
    before = rng.normal(30, 4, len(ARM))
    after = 0.5 * before + 3 * ARM + rng.normal(0, 2, len(ARM))
    voxels = route("voxels", {"res": "3mm"}, scans_of((before, after), 90))
    path = write_whole_brain(run_of(settings(tmp_path)), Target(voxels, flow(), of))
    table = pd.read_csv(path, sep="\t").set_index("measure")
    after[0] = 0.75 * after[0] + 0.25 * 40
    fit = ordinary_least_squares(after, before, of.covariates)
    row = table.loc["degree"]
    assert row["difference"] == pytest.approx(fit.params[1])
    assert row["t"] == pytest.approx(fit.tvalues[1])
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(fit.conf_int()[1])
    assert row["followup_mean_drug"] == pytest.approx(after[ARM == 1].mean())
    assert row["baseline_mean_usualCare"] == pytest.approx(before[ARM == 0].mean())
    assert 1 / N_DRAWS <= row["p"] < 0.2
    columns = pd.read_csv(path, sep="\t").columns
    assert list(json.loads(path.with_suffix(".json").read_text())) == list(columns)


def test_whole_brain_means_are_tested_as_the_maps_are(tmp_path):
    """By HC3 and by permuted residuals, enumerated or drawn, as `statsmodels` and the maps' own comparison have it."""
    of = sample(grid=Grid(np.ones((2, 2, 2), dtype=bool), np.eye(4)))
    rng = np.random.default_rng(5)
    before = rng.normal(30, 4, len(ARM))
    after = 0.5 * before + 3 * ARM + rng.normal(0, 2, len(ARM)) * (1 + 2 * ARM)
    voxels = route("voxels", {"res": "3mm"}, scans_of((before, after), 90))
    after[0] = 0.75 * after[0] + 0.25 * 40
    fit = ordinary_least_squares(after, before, of.covariates)
    tables = {}
    for name, options in {
        "own": {},
        "hc3": {"hc3": True},
        "lane": {"scheme": "freedman-lane"},
        "change": {"estimator": "change"},
    }.items():
        chosen = settings(tmp_path / name)
        chosen = replace(chosen, trial=replace(chosen.trial, n_permutations=2000, **options))
        path = write_whole_brain(run_of(chosen), Target(voxels, flow(), of))
        tables[name] = pd.read_csv(path, sep="\t").set_index("measure").loc["degree"]
    assert tables["own"]["t"] == pytest.approx(fit.tvalues[1])
    assert tables["hc3"]["t"] == pytest.approx(fit.params[1] / fit.HC3_se[1])
    assert tables["lane"]["t"] == pytest.approx(fit.tvalues[1])
    assert tables["own"]["p_fwe_error"] == 0, "all 924 allocations were made"
    assert tables["lane"]["p_fwe_error"] > 0, "2,000 of many permutations"
    design = sm.add_constant(np.column_stack([ARM, of.covariates]))
    assert tables["change"]["t"] == pytest.approx(sm.OLS(after - before, design).fit().tvalues[1])


def test_a_tail_that_was_not_fitted_is_not_recorded(tmp_path):
    of, chosen = sample(parcels=PARCELS), settings(tmp_path)
    for n_draws, applied in ((N_DRAWS, True), (924, False)):
        trial = replace(chosen.trial, n_permutations=n_draws, tail_approximation=True)
        of_route = route("parcels of A", {"atlas": "A"})
        content = json.loads(
            write_design(run_of(replace(chosen, trial=trial)), Target(of_route, flow(), of)).read_text(encoding="utf-8")
        )
        assert content["TailApproximation"] is applied
        assert content["AllAllocationsEnumerated"] is not applied
        assert content["AllocationsOf"] == "the 12 participants analysed"


def until_settled(folder, shift):
    """Write results whose draws stop when p is settled; return the record, and the table of the parcels."""
    of, of_route = sample(parcels=PARCELS, shift=shift), route("parcels of A", {"atlas": "A"})
    trial = Trial(scheme="freedman-lane", n_permutations="auto", random_seed=3)
    chosen = replace(settings(folder), trial=trial)
    path = write_design(run_of(chosen), Target(of_route, flow(), of))
    found = run_until_settled(ANCOVA, of.without_maps(), list(of.maps.values()), trial)
    comparisons = {Test(feature, ANCOVA): one for feature, one in zip(of.maps, found, strict=True)}
    write_results(chosen, of_route, of, comparisons)
    (table,) = folder.rglob("*_nodes.tsv")
    return json.loads(path.read_text(encoding="utf-8")), pd.read_csv(table, sep="\t")


def test_draws_that_stopped_are_recorded(tmp_path):
    record, table = until_settled(tmp_path, shift=9)
    assert record["Draws"] == 1500, "1,000 to measure the maxima of two measures, and 500 that are measured"
    assert (record["DrawsAtMost"], record["NotSettled"]) == (100_000, [])
    assert not record["AllAllocationsEnumerated"]
    (said,) = (one for one in record["Findings"] if one["About"] == "Draws")
    assert "1,500 for" in said["Text"]
    assert not said["Warning"]
    assert (table["p_fwe"] <= 0.05).all()
    assert table["p_fwe"].min() == pytest.approx(float(stats.anytime_p(0, 1499, 99_999)), rel=1e-6)


def test_what_is_not_settled_is_recorded_as_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(stats.Stopping, "most", 299)
    record, _ = until_settled(tmp_path, shift=0.9)
    assert record["Draws"] == record["DrawsAtMost"] == 300
    assert record["NotSettled"]
    (said,) = (one for one in record["Findings"] if one["About"] == "Draws" and one["Warning"])
    assert all(one in said["Text"] for one in record["NotSettled"])
    (path,) = tmp_path.rglob("*_design.json")
    unmet = drawn.said(path)
    assert all(f"p of {one} is, which" in text for one, text in zip(record["NotSettled"], unmet, strict=True))


def test_comparisons_tested_together_say_what_is_not_settled(tmp_path):
    rows = {"comparison": ["a - b", "a - c"], "measure": ["degree", "strength"], "settled": ["yes", "no"]}
    pd.DataFrame(rows).to_csv(path := tmp_path / "comparisons.tsv", sep="\t", index=False)
    (text,) = drawn.said_together(path, 0.05)
    assert text == "on which side of 0.05 p of strength (a - c) is, which so many draws do not settle"


def test_whole_brain_means_of_parcels_are_read_from_their_tables(tmp_path):
    of = sample(parcels=PARCELS)
    rng = np.random.default_rng(6)
    made, means = [], {}
    for participant in PARTICIPANTS:
        for session in ("pre", "post"):
            values = rng.normal(5, 1, 4)
            path = tmp_path / f"sub-{participant}_ses-{session}_nodes.tsv"
            frame = pd.DataFrame({"degree": [*values, np.nan], "strength": [*(2 * values), np.nan]})
            frame.to_csv(path, sep="\t", na_rep="n/a", index=False)
            means[participant, session] = values.mean()
            made.append(Scan({"sub": participant, "ses": session}, path, {"NumberOfVolumesKept": 50}))
    written = write_whole_brain(
        run_of(settings(tmp_path)), Target(route("parcels of A", {"atlas": "A"}, made), flow(), of)
    )
    table = pd.read_csv(written, sep="\t").set_index("measure")
    active = [means[label, "post"] for label, arm in zip(PARTICIPANTS, ARM, strict=True) if arm]
    assert table.loc["degree", "followup_mean_drug"] == pytest.approx(np.mean(active))
    assert table.loc["strength", "difference"] == pytest.approx(2 * table.loc["degree", "difference"])


def test_design_says_what_was_done(tmp_path):
    of = sample(parcels=PARCELS)
    path = write_design(run_of(settings(tmp_path)), Target(route("parcels of A", {"atlas": "A"}), flow(), of))
    content = json.loads(path.read_text())
    assert content["NumberAnalysed"] == {"drug": 6, "usual care": 6}
    assert (content["Draws"], content["AllAllocationsEnumerated"]) == (N_DRAWS, False)
    assert content["PossibleAllocations"] == "924"
    assert content["Covariates"] == ["age"]
    assert content["BaselineMotionAdjusted"] is False
    assert content["NodesCompared"] == 4
    assert content["VisitsWithSeveralScans"] == 1
    (written,) = path.parent.glob("tables/*_flow.tsv")
    assert list(json.loads(written.with_suffix(".json").read_text())) == list(flow())


def test_every_column_of_the_flow_is_explained(tmp_path):
    index = pd.MultiIndex.from_tuples([], names=["participant_id", "session_id"])
    participants = pd.DataFrame({"arm": ["drug", "usual care"] * 6}, index=PARTICIPANTS)
    tables = Tables(participants, pd.DataFrame(index=index), {})
    written = participant_flow(tables, DESIGN, by_visit(scans_of((ARM, ARM), 90)), {}, 0)
    path = write_design(run_of(settings(tmp_path)), Target(route("parcels of A", {}), written, sample(parcels=PARCELS)))
    flow_path = path.parent / "tables" / path.name.replace("_design.json", "_flow.tsv")
    assert list(json.loads(flow_path.with_suffix(".json").read_text())) == list(pd.read_csv(flow_path, sep="\t"))
