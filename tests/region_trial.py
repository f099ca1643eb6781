"""A small trial as both levels left it: maps of every participant, p and t of the group, and the trial's tables."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_app.bids.files import save_image, save_json, save_table, sidecar_of
from bids_app.bids.names import build, folder
from bids_app.bids.result_names import group_name
from bids_app.bids.scans import index_scans
from bids_app.graph.features import Feature
from bids_app.group.found_routes import find_routes
from bids_app.group.notes import Notes
from bids_app.group.sample import route_flow
from bids_app.group.targets import GroupRun, Target
from bids_app.settings.settings import Graph, Settings, Signal, Trial
from bids_app.space.grid import Grid
from bids_app.trial.design import Design
from bids_app.trial.tables import Tables

GRID = Grid(np.ones((5, 5, 4), dtype=bool), np.diag([3.0, 3, 3, 1]))
DESIGN = Design("arm", "drug", "usual care", "pre", "post")
N = 26
LABELS = [f"{number:02d}" for number in range(1, N + 1)]
ARMS = ["drug", "usual care"] * (N // 2)
LEFT_OUT = LABELS[-1]  # who has no follow-up scan
CLUSTER = [0, 1, 4, 5]
DEGREE, STRENGTH = Feature("degree", "r025"), Feature("strength", "r025")
VERSIONS = {"r025": 1.0, "r025z": 0.5, "r025Smooth6": 0.9, "r025zSmooth6": 0.45, "r035": 0.8}
COVARIATES = ("age",)


@dataclass(frozen=True)
class SmallGroup:
    settings: Settings
    tables: Tables
    route: object
    flow: pd.DataFrame

    @property
    def target(self):
        return Target(self.route, self.flow, None)

    def run(self, scores=None, notes=None):
        return GroupRun(self.settings, DESIGN, self.tables, scores, notes or Notes(), targets=[self.target])


def tables():
    rng = np.random.default_rng(2)
    arm = np.array([name == "drug" for name in ARMS], dtype=int)
    columns = {
        "arm": ARMS,
        "age": rng.normal(40, 9, N).round(),
        "sex": list("FFMM" * 6 + "FM"),
        "site": list("AAB" * 8 + "AB"),
    }
    participants = pd.DataFrame(columns, index=pd.Index(LABELS, name="participant_id"))
    before = rng.normal(25, 3, N).round()
    after = (before - 5 - 6 * arm + rng.normal(0, 4, N)).round()
    worst = rng.integers(2, 6, N)
    later = np.clip(worst - rng.integers(0, 3, N) - arm, 0, 5)
    visits = pd.MultiIndex.from_product([LABELS, ["pre", "post"]], names=["participant_id", "session_id"])
    scores = {"hamd": np.column_stack([before, after]).ravel(), "ideation": np.column_stack([worst, later]).ravel()}
    sessions = pd.DataFrame(scores, index=visits).astype(float).drop((LEFT_OUT, "post"))
    return Tables(participants, sessions, {})


def values_of(label, session, metric):
    """Return a map: half of it lasts, and the cluster rises under the drug; strength is like degree."""
    number = LABELS.index(label)
    lasting = np.random.default_rng(number).normal(0, 1, GRID.n_nodes)
    own = np.random.default_rng([number, session == "post"]).normal(0, 1, GRID.n_nodes)
    values = lasting + own
    if session == "post" and ARMS[number] == "drug":
        values[CLUSTER] += 2.5
    return values if metric == "degree" else values + np.random.default_rng([number, 7]).normal(0, 0.3, GRID.n_nodes)


def motion_of(label, session):
    return float(np.random.default_rng([LABELS.index(label), 5, session == "post"]).uniform(0.08, 0.25))


def facts(label, session, metric):
    return {
        "Measure": metric,
        "MinutesKept": 6.0,
        "MeanFramewiseDisplacement": motion_of(label, session),
        "Coverage": 1.0,
        "NumberOfVolumesKept": 100,
        "NumberOfNodes": GRID.n_nodes,
        "Mean": float(values_of(label, session, metric).mean()),
    }


def scans():
    return [
        (label, session) for label in LABELS for session in ("pre", "post") if (label, session) != (LEFT_OUT, "post")
    ]


def save_maps(output_dir):
    for label, session in scans():
        entities = {"sub": label, "ses": session, "task": "rest", "space": "MNI152NLin2009cAsym", "res": "3mm"}
        for metric in ("degree", "strength"):
            values = values_of(label, session, metric)
            for desc, scale in VERSIONS.items():
                name = build({**entities, "stat": metric, "desc": desc}, "boldmap", ".nii.gz")
                save_image(
                    output_dir / folder(entities) / name, GRID.image(scale * values), facts(label, session, metric)
                )


def save_nodes(output_dir):
    """Three parcels, of which the second is the cluster."""
    for label, session in scans():
        entities = {"sub": label, "ses": session, "task": "rest", "atlas": "A", "desc": "r025"}
        path = output_dir / folder(entities) / build(entities, "nodes", ".tsv")
        values = values_of(label, session, "degree")
        degree = [values[50], values[CLUSTER].mean(), values[60]]
        save_json(sidecar_of(path), facts(label, session, "degree"))
        save_table(path, pd.DataFrame({"index": [2, 5, 9], "name": ["x", "y", "z"], "degree": degree}))


def save_group_maps(group, p_cluster=(0.01, 0.02, 0.05, 0.05)):
    """Write p and the statistics of degree, significant in the cluster; nothing is in strength."""
    for feature in (DEGREE, STRENGTH):
        p, t = np.ones(GRID.n_nodes), np.full(GRID.n_nodes, 0.5)
        if feature == DEGREE:
            p[CLUSTER], t[CLUSTER] = p_cluster, [5, 6, 4, 4]
        for stat, values in (("pFwe", p), ("t", t), ("tfce", 10 * t)):
            name = group_name(group.route, DESIGN, "statmap", ".nii.gz", stat=stat, desc=feature.label)
            save_image(group.settings.output_dir / "group" / name, GRID.image(values), {})


def made(output_dir, *, parcels=False, **options):
    """Write the participants' results, and return what the group level makes of them."""
    (save_nodes if parcels else save_maps)(output_dir)
    trial = Trial(covariates=COVARIATES, n_permutations=200, random_seed=1, **options)
    graph = Graph(metrics=("degree",) if parcels else ("degree", "strength"))
    settings = Settings(
        output_dir, output_dir, "group", output_dir / "work", trial=trial, graph=graph, signal=Signal(min_minutes=4.0)
    )
    (route,) = find_routes(settings, index_scans(settings.output_dir))
    return SmallGroup(settings, tables(), route, route_flow(route, tables(), DESIGN, {}, 4.0))
