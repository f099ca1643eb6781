"""Cross-over trials of several periods from parcel series: connections, listed allocations, a plan, ABB and BAA."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from conftest import SmallTrial
from outputs import visible

from bids_app.bids.files import save_table

SIX = ("low-high-none", "high-none-low", "none-low-high", "low-none-high", "high-low-none", "none-high-low")
WILLIAMS = {f"{n + 1:02d}": SIX[n % 6] for n in range(12)}
EXTRA = {f"{n + 1:02d}": ("high-none-none", "none-high-high")[n % 2] for n in range(9)}
LOST = ("09", 3)
PARCELS = [f"p{n}" for n in range(6)]
JOINED = {frozenset(one) for one in (("p0", "p1"), ("p0", "p2"), ("p1", "p2"))}  # under the high dose
OPTIONS = ("--min-minutes", "1", "--parcel-metrics", "degree", "--n-null-graphs", "0", "--n-cpus", "1")
GROUP = (*OPTIONS, "--design", "crossover", "--reference-arm", "none")
DRAWS = ("--n-permutations", "200")
PLAN = """
[metrics]
primary = "degree"
[signal]
min_minutes = 1
[parcels]
n_null_graphs = 0
[trial]
design = "crossover"
reference = "none"
[analysis]
n_permutations = 200
"""


def trial_of(root, orders, lost=()):
    """Write series of everyone in every period, and a column of sequences."""
    made = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for label, order in orders.items():
        for place, name in enumerate(order.split("-"), 1):
            if (label, place) == lost:
                continue
            rng = np.random.default_rng([int(label), place])
            values = rng.normal(size=(50, len(PARCELS)))
            values[:, :3] += (1.5 if name == "high" else 0.2) * rng.normal(size=(50, 1))
            folder = made.fmriprep / f"sub-{label}" / f"ses-{place}" / "func"
            folder.mkdir(parents=True)
            path = folder / f"sub-{label}_ses-{place}_task-rest_atlas-X_timeseries.tsv"
            save_table(path, pd.DataFrame(values, columns=PARCELS))
            path.with_suffix(".json").write_text('{"RepetitionTime": 3.0}')
    made.add_arms("sequence", **{f"s{label}": order for label, order in orders.items()})
    return made


@pytest.fixture(scope="module")
def several(tmp_path_factory, app):
    """A Williams design after the participant level."""
    return _processed(tmp_path_factory.mktemp("williams"), app, WILLIAMS)


@pytest.fixture(scope="module")
def extra(tmp_path_factory, app):
    """Two treatments in three periods, of whom one lacks the last, after both levels."""
    made = _processed(tmp_path_factory.mktemp("extra"), app, EXTRA, LOST)
    return compare(app, made, made.bids.parent / "out")


def _processed(root, app, orders, lost=()):
    made = trial_of(root, orders, lost)
    outcome = app(made.bids, root / "out", "participant", *OPTIONS)
    assert outcome.code == 0, outcome.said
    return made


def compare(app, made, out, *more):
    if out != made.bids.parent / "out":
        shutil.copytree(made.bids.parent / "out", out, ignore=shutil.ignore_patterns("group"))
    outcome = app(made.bids, out, "group", *GROUP, *DRAWS, *more)
    assert outcome.code == 0, outcome.said
    return out / "group"


def rows_of(folder, suffix):
    (path,) = (one for one in folder.glob(f"tables/*_{suffix}.tsv") if "desc-global" not in one.name)
    return pd.read_csv(path, sep="\t", na_values="n/a", dtype={"participant_id": str})


def record_of(folder):
    (path,) = (one for one in folder.glob("*_design.json") if "desc-global" not in one.name)
    return json.loads(path.read_text())


def test_connections_by_nbs_are_found_where_they_were_planted(several, tmp_path, app):
    group = compare(app, several, tmp_path / "out", "--edge-statistic", "nbs-intensity")
    (path,) = (group / "tables").glob("*_desc-edges_comparisons.tsv")
    together = pd.read_csv(path, sep="\t", na_values="n/a").set_index("comparison")
    assert together["n_significant"].to_dict() == {"high − none": 3, "low − none": 0, "any difference": 3}
    (path,) = (group / "contrast-highVsNone" / "tables").glob("*_edges.tsv")
    edges = pd.read_csv(path, sep="\t", na_values="n/a")
    found = edges[(edges["estimator"] == "crossover") & edges["component"].notna()]
    assert {frozenset(one) for one in found[["from", "to"]].to_numpy()} == JOINED
    assert (found["t"] > 0).all()


def test_allocations_that_are_listed_are_those_that_are_drawn(several, tmp_path, app):
    rng, people = np.random.default_rng(1), list(WILLIAMS)
    drawn = {f"a{n}": rng.permutation(list(WILLIAMS.values())) for n in range(99)}
    listed = tmp_path / "allocations.tsv"
    save_table(listed, pd.DataFrame({"participant_id": [f"sub-{one}" for one in people], **drawn}))
    group = compare(app, several, tmp_path / "out", "--allocations", listed)
    record = record_of(group / "contrast-highVsNone")
    assert record["Exchanged"] == "the labels are those of the table of possible allocations"
    assert record["Draws"] == 100
    about = json.loads((group / "comparisons.json").read_text())["Together"]
    assert about.endswith("(Bonferroni), because the possible allocations are of whole sequences, of a table")
    nodes = rows_of(group / "contrast-highVsNone", "nodes")
    assert set(nodes.loc[nodes["estimator"] == "crossover", "p"].mul(100).round(6) % 1) == {0.0}


def test_a_plan_is_followed_and_what_it_confirms_is_said(several, tmp_path, app):
    (plan := tmp_path / "plan.toml").write_text(PLAN)
    group = compare(app, several, tmp_path / "out", "--plan", plan)
    answer = json.loads((group / "contrast-highVsNone" / "results.json").read_text())
    page = " ".join(visible((group / "contrast-highVsNone" / "index.html").read_text()).split())
    first = answer["statements"][0]
    assert (first["role"], first["about"]) == ("primary", "parcels of X")
    assert {one["place"] for one in first["found"]} == {"p0", "p1", "p2"}
    assert "now exploratory" not in page


def test_an_extra_period_is_of_the_same_model_and_who_lacks_one_is_in_the_flow(extra):
    flow = rows_of(extra, "flow").set_index("participant_id")
    assert (flow.loc["sub-09", "reason"], flow["analysed"].sum()) == ("period 3: no scan", 8)
    record = record_of(extra)
    assert list(record["Estimators"]) == ["crossover", "beside-carry-over", "first-period"]
    nodes = rows_of(extra, "nodes")
    row = nodes[(nodes["estimator"] == "crossover") & (nodes["name"] == "p0")].iloc[0]
    fit = least_squares(extra.parent, "p0")
    assert row["difference"] == pytest.approx(fit.params["C(given)[T.high]"], rel=1e-6)
    assert row["t"] == pytest.approx(fit.tvalues["C(given)[T.high]"], rel=1e-6)
    assert row["p"] < 0.05


def least_squares(out, parcel):
    """Fit the degree of a parcel of those with every period on participants, periods and treatments."""
    rows = []
    for label, order in EXTRA.items():
        for place, name in enumerate(order.split("-"), 1):
            if label != LOST[0]:
                (path,) = (out / f"sub-{label}" / f"ses-{place}").rglob("*_desc-r025_nodes.tsv")
                degree = pd.read_csv(path, sep="\t").set_index("name")["degree"]
                rows.append({"y": degree[parcel], "who": label, "period": place, "given": name.replace("none", "0")})
    return smf.ols("y ~ C(who) + C(period) + C(given)", pd.DataFrame(rows)).fit()
