"""The objectives of a plan after the run: which row decides, what spoils one, and a plan that is used late."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bids_app.bids.files import read_table, save_json
from bids_app.bids.result_names import study_name
from bids_app.graph.features import Feature
from bids_app.group import objectives
from bids_app.group.first_used import first_used, log_published
from bids_app.group.notes import Notes
from bids_app.group.objective_results import Result, gives, result_of
from bids_app.group.objectives import over_objectives, write_objectives
from bids_app.group.routes import ParcelRoute
from bids_app.report.objectives import read_objectives
from bids_app.settings.deviation import Deviation
from bids_app.settings.objectives import Event, Objective, Protocol
from bids_app.settings.plan import Plan
from bids_app.settings.settings import Settings, Trial
from bids_app.trial.design import Design
from bids_app.trial.events import Events

MOOD = Objective(name="Mood", role="primary", outcome="hamd17", summary="difference of adjusted means")
RESPONSE = Objective(name="Response", role="secondary", outcome="hamd17:response")
PLAN = Plan(objectives=(MOOD, RESPONSE), protocol=Protocol(correction="fixed-sequence"), sha256="5f" * 32)
FOUND = {"Mood": Result(p=0.01, method="ancova", text="better"), "Response": Result(p=0.04, method="proportion")}


def comparison(folder, active="drug", followup="day3", trial=None, alone=True):
    """Return of a comparison what objectives look at."""
    return SimpleNamespace(
        design=Design("arm", active, "placebo", "base", followup),
        settings=SimpleNamespace(trial=trial or Trial()),
        notes=Notes(),
        targets=[],
        alone=alone,
        trial_path=lambda suffix: folder / f"{active}_{followup}_{suffix}.tsv",
    )


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write the table of objectives whose results are given, and read it as the page does."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "group").mkdir()

    def write(plan=PLAN, found=FOUND, departed=()):
        trial = Trial(plan=plan, departed=departed)
        settings = Settings(tmp_path, tmp_path, "group", tmp_path, trial=trial)
        monkeypatch.setattr(objectives, "result_of", lambda one, runs, folder: found[one.name])
        run = comparison(tmp_path, trial=trial)
        write_objectives(SimpleNamespace(settings=settings, events=Events()), [run])
        assert bool(run.notes.unmet) == any(one.lacks for one in found.values()), "the exit code knows"
        shown = read_objectives(tmp_path / "group")
        return {row["objective"]: row for row in shown.rows}, shown

    return write


def test_objectives_are_confirmed_in_their_order(written):
    rows, shown = written()
    assert [row["confirmed"] for row in rows.values()] == ["yes", "yes"]
    assert rows["Response"]["verdict"] == "a difference is confirmed (two-sided p 0.040, over the objectives 0.040)"
    assert (shown.late, shown.alpha) == ((), 0.05)
    rows, _ = written(found=FOUND | {"Mood": replace(FOUND["Mood"], p=0.2)})
    assert [row["confirmed"] for row in rows.values()] == ["no", "no"]
    assert rows["Response"]["p_objectives"] == 0.2


def test_a_plan_without_objectives_has_no_table(written, tmp_path):
    settings = Settings(tmp_path, tmp_path, "group", tmp_path, trial=Trial(plan=Plan("degree")))
    assert write_objectives(SimpleNamespace(settings=settings, events=Events()), [comparison(tmp_path)]) is None
    assert read_objectives(tmp_path / "group") is None


@pytest.mark.parametrize(
    ("changed", "of", "why"),
    [
        ({}, {"lacks": "no such row"}, "no such row"),
        ({}, {"p": np.nan}, "it could not be estimated"),
        ({"estimator": "change"}, {}, "planned by change, done by ancova"),
        ({"summary": "odds ratio"}, {}, "odds ratio is planned, which ancova does not estimate"),
        ({"events": (Event(name="ECT", strategy="hypothetical"),)}, {}, "ECT: hypothetical is planned, not done"),
        ({"events": (Event(name="ECT", strategy="principal stratum", prepared=True),)}, {}, "no analysis here does"),
    ],
)
def test_what_was_not_done_as_planned_confirms_nothing_and_holds_back_the_next(written, changed, of, why):
    plan = replace(PLAN, objectives=(replace(MOOD, **changed), RESPONSE))
    rows, _ = written(plan, FOUND | {"Mood": replace(FOUND["Mood"], **of)})
    assert rows["Mood"]["confirmed"] == "not as planned"
    assert why in rows["Mood"]["verdict"]
    assert (rows["Response"]["confirmed"], rows["Response"]["p_objectives"]) == ("no", 1.0)


def test_a_departure_that_changes_the_question_spoils_all_and_one_of_precision_none(written):
    rows, _ = written(departed=(Deviation("hc3", False, True),))
    assert {row["confirmed"] for row in rows.values()} == {"not as planned"}
    assert "the analysis departs from the plan (hc3: planned no, used yes)" in rows["Mood"]["departures"]
    rows, _ = written(departed=(Deviation("n_planned", "22 drug", "20 drug"), Deviation("seed", 0, 1)))
    assert {row["confirmed"] for row in rows.values()} == {"yes"}


def test_a_plan_that_is_used_late_is_said_to_be_so(written, tmp_path):
    def ran(name, plan):
        log_published(tmp_path / "logs" / name, plan)

    ran("20260102-101112_group_aa", PLAN.sha256)
    ran("20260103-101112_group_bb", None)
    used = first_used(tmp_path, PLAN.sha256)
    assert (used.late, used.run) == (False, "20260102-101112_group_aa"), "it was the first, whatever came later"
    late = replace(PLAN, sha256="ab" * 32)
    rows, shown = written(late)
    assert {row["confirmed"] for row in rows.values()} == {"not as planned"}
    assert shown.late == (
        "20260102-101112_group_aa by another plan (5f5f5f5f5f5f)",
        "20260103-101112_group_bb without a plan",
    )
    assert "results had been seen before this plan was first used" in rows["Mood"]["verdict"]


def test_where_nothing_was_tested_nothing_was_seen_that_a_plan_could_be_written_after(tmp_path):
    log_published(tmp_path / "logs" / "20260102-101112_group_aa", None, tested=False)
    save_json(tmp_path / "group" / "manifest.json", {"Options": {"trial": {"plan": None}}})
    assert not first_used(tmp_path, "5f").late
    log_published(tmp_path / "logs" / "20260103-101112_group_bb", None)
    assert first_used(tmp_path, "5f").before == ("20260103-101112_group_bb without a plan",)


def test_results_whose_log_is_gone_were_seen_too(tmp_path):
    assert not first_used(tmp_path, "5f").late
    save_json(tmp_path / "group" / "manifest.json", {"Options": {"trial": {"plan": None}}})
    assert first_used(tmp_path, "5f").before == ("a run whose log is gone without a plan",)


def test_one_objective_is_judged_by_its_own_p():
    assert over_objectives(replace(PLAN, objectives=(MOOD,), protocol=Protocol()), [0.03]).tolist() == [0.03]
    assert over_objectives(replace(PLAN, objectives=(MOOD,), protocol=Protocol()), [np.nan]).tolist() == [1.0]


def outcome_rows(path: Path, **more):
    path.parent.mkdir(exist_ok=True)
    row = {"outcome": "hamd17", "estimate": -3.0, "ci_low": -5.0, "ci_high": -1.0, "n_active": 9, "n_reference": 8}
    pd.DataFrame([row | one for one in more.pop("rows")]).to_csv(path, sep="\t", index=False, na_rep="n/a")


def test_the_row_that_decides_an_outcome_is_the_main_one_of_its_endpoint(tmp_path):
    run = comparison(tmp_path)
    common = {"endpoint": "score", "effect_size": -0.8, "effect_low": -1.5, "effect_high": -0.1}
    rows = [
        common | {"method": "ancova", "analysis": "main", "p": 0.01, "effect_kind": "Hedges g"},
        common | {"method": "mixed", "analysis": "sensitivity", "p": 0.02, "effect_kind": ""},
        common | {"endpoint": "response", "method": "proportion", "analysis": "main", "p": 0.3, "effect_kind": ""},
    ]
    outcome_rows(run.trial_path("outcomes"), rows=rows)
    found = result_of(MOOD, [run], tmp_path)
    assert (found.p, found.method, found.n, found.effect_kind) == (0.01, "ancova", 17, "Hedges g")
    assert found.text == "drug − placebo −3.00 (95 % CI −5.00 to −1.00); Hedges g −0.80 (95 % CI −1.50 to −0.10)"
    assert result_of(RESPONSE, [run], tmp_path).p == 0.3
    assert "decides cssrs" in result_of(replace(MOOD, outcome="cssrs"), [run], tmp_path).lacks


def test_of_several_comparisons_the_one_of_arm_and_visit_decides_by_the_model_of_all(tmp_path):
    runs = [
        comparison(tmp_path, active, visit, alone=False) for active in ("low", "high") for visit in ("day3", "day14")
    ]
    rows = [
        {"active": run.design.active, "reference": "placebo", "followup": run.design.followup, "p": 0.1 * n}
        for n, run in enumerate(runs)
    ]
    outcome_rows(tmp_path / study_name("mmrm"), rows=rows)
    one = replace(MOOD, arm="high", visit="day3")
    found = result_of(one, runs, tmp_path)
    assert (found.p, found.method, found.comparison) == (0.2, "mmrm", "high − placebo at ses-day3")
    assert gives(one, found)
    assert "2 comparisons are of this treatment and visit" in result_of(replace(one, arm=None), runs, tmp_path).lacks
    assert "no comparison is of" in result_of(replace(one, reference="saline"), runs, tmp_path).lacks


def test_a_model_that_could_not_be_fitted_says_why(tmp_path):
    runs = [comparison(tmp_path, active, alone=False) for active in ("low", "high")]
    common = {"reference": "placebo", "followup": "day3", "p": np.nan, "note": "not estimated: too few"}
    outcome_rows(tmp_path / study_name("mmrm"), rows=[{"active": one, **common} for one in ("low", "high")])
    found = result_of(replace(MOOD, arm="low"), runs, tmp_path)
    assert (found.lacks, found.text) == ("it could not be estimated (not estimated: too few)", "")


def with_maps(folder, route, p):
    """Return a comparison after its maps are gone, and write p of every parcel of one of two measures."""
    scans = {Feature(metric, "r025"): [] for metric in ("degree", "strength")}
    target = SimpleNamespace(
        route=ParcelRoute(route, {}, scans), sample=SimpleNamespace(arm=np.zeros(17)), named={"PCC": [3]}
    )
    run = comparison(folder)
    run.targets.append(target)
    run.path = lambda target, suffix, extension=".tsv": folder / f"{suffix}{extension}"
    rows = [
        {"measure": metric, "edges": "r025", "estimator": estimator, "name": name, "t": t, "p_fwe": p_fwe}
        for metric, estimator, values in (
            ("degree", "ancova", p),
            ("degree", "change", (0.001,)),
            ("strength", "ancova", (0.002,)),
        )
        for name, t, p_fwe in zip(("PCC", "IPL"), (3, -2), values, strict=False)
    ]
    pd.DataFrame(rows).to_csv(folder / "nodes.tsv", sep="\t", index=False)
    return run


def test_a_measure_anywhere_is_judged_by_its_smallest_p_of_the_headline(tmp_path):
    run = with_maps(tmp_path, "parcels of Demo", (0.03, 0.2))
    one = Objective(name="Degree", role="primary", measure="degree", nodes="Demo", threshold=0.25)
    found = result_of(one, [run], tmp_path)
    assert (found.p, found.method, found.n) == (0.03, "ancova", 17)
    assert (found.which_p, found.text) == ("smallest p FWE over 2 parcels of Demo", "PCC: drug > placebo")
    assert "nothing has degree" in result_of(replace(one, nodes="voxels"), [run], tmp_path).lacks
    assert "nothing has degree" in result_of(replace(one, threshold=0.3), [run], tmp_path).lacks
    assert "nothing has degree of ACC" in result_of(replace(one, region="ACC"), [run], tmp_path).lacks


def test_a_measure_in_a_region_is_judged_by_its_own_p(tmp_path):
    run = with_maps(tmp_path, "parcels of Demo", (0.03, 0.2))
    row = {"region": "PCC", "measure": "degree", "edges": "r025", "estimator": "ancova", "n": 17, "p": 0.012}
    row |= {"difference": 2.0, "ci_low": 1.0, "ci_high": 3.0, "hedges_g": 0.9, "g_low": 0.1, "g_high": 1.7}
    pd.DataFrame([row, row | {"measure": "strength", "p": 0.5}]).to_csv(tmp_path / "regions.tsv", sep="\t", index=False)
    one = Objective(name="Degree", role="primary", measure="degree", region="PCC", summary="Hedges g")
    found = result_of(one, [run], tmp_path)
    assert (found.p, found.estimate, gives(one, found)) == (0.012, 2.0, True)
    assert found.text == "drug − placebo 2.00 (95 % CI 1.00 to 3.00); Hedges g 0.90 (95 % CI 0.10 to 1.70)"


def test_the_table_says_what_each_column_is(written, tmp_path):
    written()
    table = read_table(tmp_path / "group" / "tables" / "objectives.tsv")
    assert list(table) == list(objectives.COLUMNS)
