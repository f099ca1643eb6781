"""Both levels as a user runs them, on a small simulated trial."""

import json
import re
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from simulated_trial import OPTIONS, call

from bids_app.bids.names import Name, build, label
from bids_app.graph import MEASURES, VOXEL_MEASURES, EdgeRule
from bids_app.graph.features import mapped_features

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trial(simulated):
    return simulated


@pytest.fixture(scope="module")
def analysed(compared):
    return compared


def test_the_whole_tree_is_valid(analysed, validation_errors):
    assert validation_errors(analysed) == []


def test_names_that_the_validator_skips_are_in_order_too(analysed, tmp_path, validation_errors):
    """Names of drafts are in .bidsignore; with a known suffix in their place the validator reads their entities."""
    shutil.copy(analysed / "dataset_description.json", tmp_path)
    for path in analysed.glob("sub-01/**/*_boldmap.nii.gz"):
        name = Name.parse(path)
        entities = {key: value for key, value in name.entities.items() if key != "stat"}
        entities["desc"] = name.entities["stat"] + name.entities["desc"]
        shadow = tmp_path / path.parent.relative_to(analysed) / build(entities, "mask", ".nii.gz")
        shadow.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, shadow)
        sidecar = {"Type": "ROI", "Sources": [], "SpatialReference": "x", "Resolution": "x", "SkullStripped": True}
        (shadow.parent / shadow.name.replace(".nii.gz", ".json")).write_text(json.dumps(sidecar))
    assert len(list(tmp_path.rglob("*.nii.gz"))) == 2 * 4 * 4
    assert validation_errors(tmp_path) == []


def test_every_map_and_table_has_a_sidecar_with_its_facts(analysed):
    maps = list(analysed.glob("sub-*/**/*_boldmap.nii.gz"))
    assert len(maps) == 17 * 16
    for path in maps:
        sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert {"Threshold", "NumberOfNodes", "Density", "Coverage", "MeanDegree", "Confounds", "Sources"} <= set(
            sidecar
        )
    others = [path for pattern in ("*.tsv", "*.nii.gz") for path in analysed.rglob(pattern)]
    if_significant = {"roi.tsv", "roimissing.tsv", "sensitivity.tsv", "table2.tsv"}
    assert {path.name.rpartition("_")[2] for path in others} - if_significant == {
        *("boldmap.nii.gz", "mask.nii.gz", "timeseries.tsv", "relmat.tsv", "nodes.tsv"),
        *(
            "statmap.nii.gz",
            "clusters.tsv",
            "wholebrain.tsv",
            "wholebrainmissing.tsv",
            "regions.tsv",
            "regionsmissing.tsv",
            "flow.tsv",
            "motion.tsv",
            "balance.tsv",
            "matrix.tsv",
        ),
        *("quality.tsv", "qcfc.tsv", "global.tsv", "edges.tsv", "components.tsv", "dseg.tsv", "dseg.nii.gz"),
        *("scans.tsv", "table1.tsv", "provenance.tsv"),
    }
    for path in others:
        assert (path.parent / f"{path.name.partition('.')[0]}.json").exists(), path


def test_facts_agree_with_the_maps(analysed):
    (path,) = analysed.glob("sub-01/ses-day3/func/*_stat-degree_desc-r025_boldmap.nii.gz")
    degree = nib.load(path).get_fdata()
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    known = degree[np.isfinite(degree)]
    assert known.size == sidecar["NumberOfNodes"]
    assert known.sum() == 2 * sidecar["NumberOfEdges"]
    assert known.mean() == pytest.approx(sidecar["MeanDegree"], rel=1e-6)
    assert known.mean() / (known.size - 1) == pytest.approx(sidecar["Density"], rel=1e-6)
    z = nib.load(str(path).replace("desc-r025_", "desc-r025z_")).get_fdata()
    np.testing.assert_allclose(z[np.isfinite(z)], (known - known.mean()) / known.std(), atol=1e-4)


def test_sources_lead_to_files(analysed):
    links = json.loads((analysed / "dataset_description.json").read_text())["DatasetLinks"]
    sidecars = [path for path in analysed.glob("sub-*/**/*.json") if "func" in path.parts]
    assert len(sidecars) == 17 * (16 + 1 + 4)
    for path in sidecars:
        sources = json.loads(path.read_text())["Sources"]
        assert len(sources) == 3
        for uri in sources:
            scheme, name, place = uri.split(":", 2)
            assert scheme == "bids"
            assert (analysed / links[name] / place).is_file()


def test_pages_show_pictures_and_load_nothing_from_elsewhere(analysed):
    for page in [analysed / "group" / "index.html", analysed / "sub-01.html"]:
        html = page.read_text()
        assert len(re.findall("data:image/(?:png|webp);base64,", html)) >= 4
        assert not re.findall(r"""(?:src|href)=["']?https?:""", html)


def test_the_participant_without_follow_up_is_named(analysed):
    page = (analysed / "group" / "index.html").read_text()
    assert "sub-09" in page
    assert "follow-up: no scan" in page


def test_no_work_is_left_behind(analysed):
    assert not (analysed / "work").exists()
    assert not [path for path in analysed.rglob(".*") if path.name != ".bidsignore"]


def test_the_same_again_is_the_same(trial, analysed, tmp_path):
    again = call(trial.bids_dir, tmp_path, "participant", *OPTIONS, "--participant-label", "02", "--n-cpus", 2)
    assert again.returncode == 0, again.stderr
    maps = sorted(tmp_path.glob("sub-02/**/*.nii.gz"))
    assert maps
    for path in maps:
        first = nib.load(analysed / path.relative_to(tmp_path))
        np.testing.assert_array_equal(nib.load(path).get_fdata(), first.get_fdata())


PLAN = """
[metrics]
primary = "degree"
[signal]
min_minutes = 2
[graph]
threshold = 0.25
voxel_size = 8
[trial]
covariates = ["age"]
baseline_motion = true
[analysis]
alpha = 0.5
n_permutations = 100
seed = 3
[outcomes]
primary = ["hamd17"]
secondary = ["hamd17:response"]
ordinal = ["cssrs"]
cutoffs = ["hamd17:response=50%,remission<=7"]
robustness = true
"""


@pytest.fixture(scope="module")
def planned(trial, analysed, tmp_path_factory):
    """The same results compared by a plan, at a level that so small a trial reaches, with all that can be asked for."""
    folder = tmp_path_factory.mktemp("planned")
    (folder / "plan.toml").write_text(PLAN)
    output = folder / "output"
    shutil.copytree(analysed, output)
    asked = (
        *("--plan", folder / "plan.toml", "--outcomes", "hamd17", "cssrs", "--ordinal", "cssrs", "--robustness"),
        *("--cutoffs", "hamd17:response=50%,remission<=7", "--covariates", "age", "--n-permutations", 100),
    )
    done = call(trial.bids_dir, output, "group", *OPTIONS, *asked)
    assert done.returncode == 0, done.stderr
    return output


def test_a_planned_trial_with_its_outcomes(planned, validation_errors):
    assert validation_errors(planned) == []
    group = planned / "group"
    assert not (planned / "work").exists()
    (facts,) = group.glob("contrast-*_trial.json")
    facts = json.loads(facts.read_text())
    assert facts["NotMade"] == []
    assert [one["What"] for one in facts["Plan"]["Deviations"]] == []
    (outcomes,) = group.glob("tables/contrast-*_outcomes.tsv")
    roles = pd.read_csv(outcomes, sep="\t").query("analysis == 'main'").set_index(["outcome", "endpoint"])["role"]
    assert roles.to_dict() == {
        ("hamd17", "score"): "primary",
        ("hamd17", "response"): "secondary",
        ("hamd17", "remission"): "exploratory",
        ("cssrs", "score"): "exploratory",
    }
    for path in (path for path in group.glob("tables/*.tsv") if not path.name.endswith("_relmat.tsv")):
        table, sidecar = pd.read_csv(path, sep="\t"), json.loads(path.with_suffix(".json").read_text())
        assert set(table) <= set(sidecar), path.name
    page = (group / "index.html").read_text()
    assert facts["Plan"]["SHA256"] in page
    first = re.search(r'<section class="headline".*?<p>(.*?)</p>', page, re.DOTALL)[1]
    assert re.match(r"<strong>Primary, hamd17:</strong> the arms (do not )?differ", first)
    assert re.search(r"ketamine − midazolam .*95 % CI .*Hedges g .*95 % CI .*, p [=&lt]", first)
    assert not re.findall(r"""(?:src|href)=["']?https?:""", page)


def test_what_the_plan_does_not_say_makes_all_exploratory_and_nobody_leaves_the_flow(trial, planned, tmp_path):
    output = tmp_path / "output"
    shutil.copytree(planned, output)
    asked = (
        *("--plan", planned.parent / "plan.toml", "--ordinal", "hamd17", "--hc3", "--tail-approximation"),
        *("--participant-label", "01", "02", "03", "04", "05", "06", "07"),
    )
    done = call(trial.bids_dir, output, "group", *OPTIONS, *asked)
    assert done.returncode == 0, done.stderr
    facts = json.loads(next(output.glob("group/contrast-*_trial.json")).read_text())
    assert [one["What"] for one in facts["Plan"]["Deviations"]] == [
        *("population", "hc3", "tail_approximation", "ordinal"),
    ]
    assert {one["Role"] for one in facts["Roles"]} == {"exploratory"}
    outcomes = pd.read_csv(next(output.glob("group/tables/contrast-*_outcomes.tsv")), sep="\t")
    assert set(outcomes["role"]) == {"exploratory"}
    assert "everyone randomized" not in set(outcomes["population"])
    assert outcomes["population"].str.contains("everyone chosen by --participant-label").any()
    flow = pd.read_csv(next(output.glob("group/tables/*_res-8mm_*_flow.tsv")), sep="\t")
    everyone = pd.read_csv(trial.bids_dir / "participants.tsv", sep="\t")["participant_id"]
    assert sorted(flow["participant_id"]) == sorted(everyone)
    n_out = (flow["reason"] == "left out by --participant-label").sum()
    assert n_out == len(everyone) - 7
    page = (output / "group" / "index.html").read_text()
    assert f"{flow['analysed'].sum()} of {len(everyone)} participants analysed" in page
    assert f"--participant-label leaves out {n_out} of {len(everyone)} participants" in page
    assert "does not depart from the plan" not in page + (output / "logs" / "CITATION.md").read_text()
    assert page.count("Planned as primary, now exploratory because") == 1
    assert "By the plan" not in page
    assert not re.search(r">\s*nan\s*<", page)


def test_regions_of_a_planned_trial_are_looked_into(planned):
    (roi,) = planned.glob("group/tables/*_res-8mm_*_roi.tsv")
    clusters = pd.read_csv(roi, sep="\t")["cluster"].nunique()
    assert clusters > 0
    for suffix, least in (("sensitivity", 5), ("roimissing", 5), ("association", 8), ("robustness", 12)):
        table = pd.read_csv(str(roi).replace("_roi.tsv", f"_{suffix}.tsv"), sep="\t")
        assert len(table) >= least * clusters, suffix
    agreed = pd.read_csv(str(roi).replace("_roi.tsv", "_agreement.tsv"), sep="\t")
    assert len(agreed) == clusters


def test_an_unknown_outcome_stops_before_any_comparison(trial, analysed, tmp_path):
    shutil.copytree(analysed, tmp_path / "output")
    shutil.rmtree(tmp_path / "output" / "group")
    done = call(trial.bids_dir, tmp_path / "output", "group", *OPTIONS, "--outcomes", "panss")
    assert done.returncode == 64
    assert "--outcomes panss" in done.stderr
    assert not list((tmp_path / "output").glob("group/*"))


RULES = ("--threshold", 0.25, "--density", 0.05, 0.1)


@pytest.fixture(scope="module")
def measured(trial, tmp_path_factory):
    """Every measure of one scan by three rules, in so little memory that the graphs lie on disk."""
    output = tmp_path_factory.mktemp("measured")
    one = ("--participant-label", "01", "--session-label", "day3", "--mem-gb", 0.5)
    options = (*OPTIONS, *RULES, "--smooth-maps", 0, "--partition", trial.atlas, "--atlas", trial.atlas)
    done = call(trial.bids_dir, output, "participant", *options, *one, "--metrics", *MEASURES)
    assert done.returncode == 0, done.stderr
    return output


def test_every_measure_has_its_maps_by_every_rule(measured, validation_errors):
    features = mapped_features(VOXEL_MEASURES, [EdgeRule.parse(label) for label in ("r025", "d005", "d01")])
    assert len(features) == 18 * 3 + 17 + 5
    for feature in features:
        stat = label(feature.metric)
        (path,) = measured.glob(f"sub-01/ses-day3/func/*_stat-{stat}_desc-{feature.edges}_boldmap.nii.gz")
        sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert (sidecar["Measure"], sidecar["Title"], sidecar["Units"]) == (feature.metric, feature.title, feature.unit)
        values = nib.load(path).get_fdata()
        assert np.isfinite(values).sum() == sidecar["NumberOfNodesDefined"] > 0
    assert not list(measured.glob("sub-01/**/*_stat-component_desc-*z_boldmap.nii.gz")), "labels have no z"
    assert validation_errors(measured) == []


def test_densities_are_exact_and_the_area_is_under_their_curve(measured):
    degree = {}
    for edges in ("d005", "d01", "auc"):
        (path,) = measured.glob(f"sub-01/ses-day3/func/*_stat-degree_desc-{edges}_boldmap.nii.gz")
        degree[edges] = nib.load(path).get_fdata()
        if edges != "auc":
            sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
            rule = EdgeRule.parse(edges)
            assert sidecar["NumberOfEdges"] == rule.n_edges(sidecar["NumberOfNodes"])
            assert np.nansum(degree[edges]) == 2 * sidecar["NumberOfEdges"]
    np.testing.assert_allclose(degree["auc"], 0.05 * (degree["d005"] + degree["d01"]) / 2, rtol=1e-6)


def test_nodal_tables_hold_what_parcels_allow(measured):
    for edges, wanted in (("d01", "local_efficiency"), ("full", "clustering_zhang"), ("auc", "efficiency")):
        (path,) = measured.glob(f"sub-01/ses-day3/func/*_desc-{edges}_nodes.tsv")
        table = pd.read_csv(path, sep="\t")
        assert wanted in table
        assert set(json.loads(path.with_suffix(".json").read_text())) >= set(table) - {"index", "name"}


def test_measures_are_compared_by_rule(trial, tmp_path):
    metrics, output = ("degree", "participation", "strength-signed", "component"), tmp_path
    options = (*OPTIONS, *RULES, "--smooth-maps", 0, "--partition", trial.atlas, "--metrics", *metrics)
    four = ("--participant-label", "01", "02", "05", "06")
    for level, more in (("participant", ()), ("group", ("--n-permutations", 20, "--no-baseline-motion"))):
        done = call(trial.bids_dir, output, level, *options, *four, *more)
        assert done.returncode == 0, done.stderr
    (path,) = output.glob("group/tables/*_res-8mm_*_wholebrain.tsv")
    compared = pd.read_csv(path, sep="\t")[["measure", "edges"]].agg("@".join, axis=1)
    assert set(compared) == {
        *(f"{metric}@{edges}" for metric in metrics[:2] for edges in ("r025", "auc")),
        "strength-signed@full",
    }
    assert len(list(output.glob("group/maps/*/*_res-8mm_*_stat-hedgesG_desc-strengthSignedFull_statmap.nii.gz"))) == 1
    page = (output / "group" / "index.html").read_text()
    assert "Participation coefficient, area over the densities" in page
