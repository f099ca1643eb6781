"""Objectives on connections, on the whole graph, and events that a column counts: planned, run, and read again."""

import json

import pandas as pd
import pytest
from outputs import table, visible
from series_trial import OPTIONS, series_trial

from bids_app.cli.main import main

ARMS = {f"{number:02}": ("drug", "placebo")[number % 2] for number in range(1, 15)}
RESCUED = {"03", "04", "08"}
UNKNOWN = "05"
PLAN = """
[metrics]
primary = "degree"
[graph]
threshold = 0.1
[parcels]
n_null_graphs = 0
[signal]
min_minutes = 1
[trial]
arm = "arm"
reference = "placebo"
baseline = "1"
followup = "2"
covariates = []
[analysis]
edge_statistic = "nbs-intensity"
cluster_threshold = 1.5
n_permutations = 300
[outcomes]
primary = ["hamd"]
cutoffs = ["hamd:response=50%"]
[protocol]
correction = "fixed-sequence"
[[objective]]
name = "Connections"
role = "primary"
arm = "drug"
connections = "X"
[[objective.event]]
name = "rescue"
strategy = "hypothetical"
column = "rescue"
[[objective]]
name = "Integration"
role = "secondary"
whole_graph = "mean-strength"
[[objective.event]]
name = "rescue"
strategy = "hypothetical"
column = "rescue"
[[objective]]
name = "Mood"
role = "primary"
outcome = "hamd"
[[objective.event]]
name = "rescue"
strategy = "treatment policy"
column = "rescue"
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory, app):
    """A trial of 14, in whom drug couples left and right; three were rescued, of one it is not known."""
    coupled = {(label, "2") for label, arm in ARMS.items() if arm == "drug"}
    root = tmp_path_factory.mktemp("objectives") / "trial"
    trial = series_trial(root, [(label, one) for label in ARMS for one in ("1", "2")], coupled)
    trial.write_people({"arm": pd.Series(ARMS)})
    rows = {}
    for label, arm in ARMS.items():
        rescue = "yes" if label in RESCUED else "n/a" if label == UNKNOWN else "no"
        after = 20 - int(label) % 5 - 8 * (arm == "drug")
        rows[label] = {"1": {"hamd": 20 + int(label) % 3, "rescue": "no"}, "2": {"hamd": after, "rescue": rescue}}
    trial.write_sessions(rows)
    (root / "plan.toml").write_text(PLAN)
    outcome = app(trial.bids, trial.out, "participant", *OPTIONS)
    assert outcome.code == 0, outcome.said
    outcome = app(trial.bids, trial.out, "group", "--plan", root / "plan.toml")
    assert outcome.code == 0, outcome.said
    return trial


def row_of(trial, name):
    path = trial.out / "group" / "tables" / "objectives.tsv"
    return pd.read_csv(path, sep="\t", na_values="n/a").set_index("objective").loc[name]


def test_connections_are_judged_by_the_smallest_corrected_p_of_the_headline(planned):
    row = row_of(planned, "Connections")
    edges = table(planned.out / "group", "edges")
    own = edges[edges["estimator"] == "ancova"]
    assert row["p"] == own["p_fwe"].min()
    assert row["which_p"].endswith("FWE over 6 connections of X")
    assert row["result"].startswith("left")
    assert "drug > placebo" in row["result"]
    assert row["confirmed"] == "yes", row["departures"]


def test_a_measure_of_the_whole_graph_is_judged_by_its_own_p(planned):
    row, rows = row_of(planned, "Integration"), table(planned.out / "group", "global")
    (own,) = rows[(rows["name"] == "Mean strength") & (rows["estimator"] == "ancova")].to_dict("records")
    assert (row["p"], row["estimate"], row["n"]) == (own["p"], own["difference"], own["n"])
    assert row["endpoint"] == "mean-strength of the whole graph"


def test_events_are_counted_by_arm_and_left_out_where_the_strategy_asks(planned):
    n_drug = sum(arm == "drug" for arm in ARMS.values())
    for name in ("Connections", "Integration", "Mood"):
        said = f"rescue: drug 2 of {n_drug}, placebo 1 of {n_drug} (1 not known)"
        assert row_of(planned, name)["events_counted"] == said
    assert row_of(planned, "Connections")["n"] == len(ARMS) - len(RESCUED)
    assert row_of(planned, "Mood")["n"] == len(ARMS), "treatment policy uses what was measured whatever happened"
    (path,) = (planned.out / "group" / "tables").glob("*desc-edges*_flow.tsv")
    flow = pd.read_csv(path, sep="\t", na_values="n/a").set_index("participant_id")
    assert flow.loc["sub-03", "reason"] == "follow-up: left out after rescue (hypothetical)"
    assert list(flow.index[~flow["analysed"]]) == [f"sub-{label}" for label in sorted(RESCUED)]
    page = " ".join(visible((planned.out / "group" / "index.html").read_text()).split())
    assert "rescue: drug 2 of 7, placebo 1 of 7 (1 not known)" in page
    assert "what was measured after it (rescue) is left out: it is missing, and taken as missing at random" in page


def test_the_check_and_the_text_of_the_plan_say_the_same(planned, capsys):
    path = str(planned.root / "plan.toml")
    assert main(["plan", "check", path, str(planned.bids)]) == 0
    assert "rescue (rescue): 3 of 14 (1 not known) by ses-2, of everyone in the tables." in " ".join(
        capsys.readouterr().out.split()
    )
    assert main(["plan", "sap", path]) == 0
    text = capsys.readouterr().out
    assert "every connection between the parcels of X" in text
    assert "of the column rescue, while blinded over all arms" in text
    assert "the statistic is nbs-intensity" in text
    assert "| mean-strength |" in text


def test_while_blinded_events_are_counted_over_all_arms(planned, app, tmp_path):
    trial = planned.copy(tmp_path / "trial")
    for path in [trial.out / "group", *(trial.out / "logs").glob("*_group_*")]:
        path.rename(tmp_path / path.name)
    outcome = app(trial.bids, trial.out, "group", "--plan", trial.root / "plan.toml", "--blind", "--key", trial.key)
    assert outcome.code == 0, outcome.said
    written = [path.read_text() for path in trial.out.rglob("group/**/*") if path.suffix in (".html", ".json", ".tsv")]
    page = " ".join(visible((trial.out / "group" / "index.html").read_text()).split())
    assert "rescue (rescue): 3 of 14 (1 not known) by ses-2, of everyone in the tables." in page
    assert "3 visits after an intercurrent event left out of the maps, as the plan has it." in page
    assert not any("drug" in text or "placebo" in text for text in written)
    assert "objectives" not in json.loads((trial.out / "group" / "manifest.json").read_text())["Options"]["trial"]
