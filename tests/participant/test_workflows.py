import contextlib
import io
import json
import math
import os
import pty
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from bids_app.bids.runs import BoldRun
from bids_app.bids.scans import index_scans
from bids_app.bids.series_runs import SeriesRun
from bids_app.participant.workflow import Layout, init_level_wf, init_participant_wf
from bids_app.runtime.failures import read_failures
from bids_app.runtime.progress import progress
from bids_app.settings.settings import Graph, Resources, Settings

SCALE = ("--voxel-size", "15", "--denoise", "simple", "--min-minutes", "1", "--smooth-maps", "20")


def settings(folder, **graph):
    return Settings(folder, folder / "out", "participant", folder / "work", graph=Graph(**graph))


def bold_run(folder, sub="01", ses="1"):
    entities = {"sub": sub, "ses": ses, "task": "rest", "space": "MNI152NLin2009cAsym"}
    return BoldRun(entities, folder / f"{sub}{ses}_bold.nii.gz", None, None, 2.0, ())


def series_run(folder, **entities):
    entities = {"sub": "01", "ses": "1", "task": "rest", **entities}
    return SeriesRun(entities, folder / "timeseries.tsv", 2.0, ())


@pytest.fixture
def grid_file(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), dtype=np.uint8), np.eye(4)), tmp_path / "grid.nii.gz")
    return str(tmp_path / "grid.nii.gz")


@pytest.fixture
def two_visits(empty_trial):
    for session in ("1", "2"):
        empty_trial.add_run("01", session)
    return empty_trial


class Recorder:
    """In the place of what runs the nodes: keeps what it was given to run."""

    plugin_args = None

    def run(self, graph, config, updatehash=False):
        self.graph = graph


def edges(workflow, folder):
    """Return the edges among the nodes that would run, as pairs of names below the participant's."""
    recorder, workflow.base_dir = Recorder(), str(folder)
    workflow.config["execution"] = {"create_report": "false"}
    workflow.run(plugin=recorder)
    named = {node: node.fullname.split(".", 1)[1] for node in recorder.graph}
    return {(named[start], named[end]) for start, end in recorder.graph.edges}


def test_one_workflow_per_run_and_none_between(tmp_path, grid_file):
    runs = [bold_run(tmp_path, "01", "1"), bold_run(tmp_path, "01", "2"), series_run(tmp_path, seg="A")]
    workflow = init_participant_wf(runs=runs, layout=Layout(grid_file, 8), settings=settings(tmp_path), n_threads=1)
    names = {name.split(".")[0] for name in workflow.list_node_names()}
    assert names == {"sub_01_ses_1_task_rest_wf", "sub_01_ses_2_task_rest_wf", "sub_01_ses_1_task_rest_A_wf"}
    pairs = edges(workflow, tmp_path)
    assert pairs
    assert all(start.split(".")[0] == end.split(".")[0] for start, end in pairs), "a bad run would stop another"


def test_steps_of_a_run(tmp_path, grid_file):
    atlases = [tmp_path / f"space-X_atlas-{name}_dseg.nii.gz" for name in "AB"]
    for path in atlases:
        path.touch()
    workflow = init_participant_wf(
        runs=[bold_run(tmp_path)],
        layout=Layout(grid_file, 64_000, atlases),
        settings=settings(tmp_path),
        n_threads=3,
    )
    run = "sub_01_ses_1_task_rest_wf"
    steps = {(start.removeprefix(f"{run}."), end.removeprefix(f"{run}.")) for start, end in edges(workflow, tmp_path)}
    assert steps == {
        ("clean", "graph"),
        ("clean", "ds_maps"),
        ("graph", "ds_maps"),
        ("clean", "ds_figures"),
        ("clean", "A_parcels"),
        ("clean", "B_parcels"),
    }
    graph = workflow.get_node(f"{run}.graph")
    assert graph.n_procs == graph.inputs.n_threads == 3
    assert 0.512 < graph.mem_gb < 1.5, "one bit per ordered pair of nodes, and the series"


def test_participants_stand_side_by_side(tmp_path, grid_file):
    runs = {sub: [bold_run(tmp_path, sub)] for sub in ("01", "02")}
    workflow = init_level_wf(
        runs_by_participant=runs, layout=Layout(grid_file, 8), settings=settings(tmp_path), n_threads=1
    )
    assert {name.split(".")[0] for name in workflow.list_node_names()} == {"sub_01_wf", "sub_02_wf"}


@pytest.mark.parametrize("key", ["seg", "scale", "desc", "space", "cohort", "res", "den"])
def test_series_that_differ_in_one_entity_are_several_runs(tmp_path, key):
    runs = [series_run(tmp_path, atlas="A", **{key: value}) for value in ("100", "400")]
    workflow = init_participant_wf(runs=runs, layout=Layout(None, 0), settings=settings(tmp_path), n_threads=1)
    assert len(workflow.list_node_names()) == 2


def test_changed_file_is_another_run(tmp_path, grid_file):
    """The state of a run's files is part of what a cached result depends on."""
    run = bold_run(tmp_path)
    run.bold.write_bytes(b"one")

    def state():
        workflow = init_participant_wf(
            runs=[run], layout=Layout(grid_file, 8), settings=settings(tmp_path), n_threads=1
        )
        return workflow.get_node("sub_01_ses_1_task_rest_wf.clean").inputs.state

    before = state()
    assert state() == before
    run.bold.write_bytes(b"three")
    assert state() != before


def test_bad_run_stops_no_other(two_visits, tmp_path, app):
    """One processor, one bad run of two: the other one is finished, the failure is said and kept."""
    bad = two_visits.file("*_desc-preproc_bold.nii.gz", ses="1")
    bad.write_bytes(bad.read_bytes()[:2000])
    out = tmp_path / "out"
    outcome = app(two_visits.bids, out, "participant", *SCALE, "--n-cpus", "1", "--metrics", "degree")
    assert outcome.code == 65
    assert "ses-1" in outcome.said or "ses_1" in outcome.said
    assert "truncated" in outcome.said
    finished = index_scans(out).of("boldmap", ".nii.gz", stat="degree", desc="r025z")
    assert [scan.session for scan in finished] == ["2"]
    status = json.loads((out / "logs" / "status" / "sub-01.json").read_text())
    assert [scan["State"] for scan in status["Scans"]] == ["failed", "done"]
    assert "truncated" in status["Scans"][0]["Reason"]
    assert (out / "logs" / status["Scans"][0]["Log"]).exists()


def test_bad_run_stops_all_when_told(two_visits, tmp_path, app):
    bad = two_visits.file("*_desc-preproc_bold.nii.gz", ses="1")
    bad.write_bytes(bad.read_bytes()[:2000])
    out = tmp_path / "out"
    words = ("--n-cpus", "1", "--metrics", "degree", "--stop-on-first-crash")
    assert app(two_visits.bids, out, "participant", *SCALE, *words).code == 65
    assert index_scans(out).of("boldmap", ".nii.gz") == []
    scans = json.loads((out / "logs" / "status" / "sub-01.json").read_text())["Scans"]
    assert [scan["State"] for scan in scans] == ["failed", "failed"]
    assert "--stop-on-first-crash" in scans[1]["Reason"]


def test_a_later_call_keeps_what_an_earlier_one_said_of_other_scans(two_visits, tmp_path, app):
    bad = two_visits.file("*_desc-preproc_bold.nii.gz", ses="1")
    bad.write_bytes(bad.read_bytes()[:2000])
    out, words = tmp_path / "out", ("--n-cpus", "1", "--metrics", "degree")
    assert app(two_visits.bids, out, "participant", *SCALE, *words, "--session-label", "1").code == 65
    assert app(two_visits.bids, out, "participant", *SCALE, *words, "--session-label", "2").code == 0
    scans = json.loads((out / "logs" / "status" / "sub-01.json").read_text())["Scans"]
    assert [scan["State"] for scan in scans] == ["failed", "done"]
    assert "truncated" in (out / "sub-01.html").read_text()


@pytest.mark.slow
def test_processes_side_by_side_give_the_same_bytes(two_visits, tmp_path, app):
    written = {}
    for n_cpus in ("1", "2"):
        out = tmp_path / n_cpus
        outcome = app(two_visits.bids, out, "participant", *SCALE, "--n-cpus", n_cpus)
        assert outcome.code == 0, outcome.said
        maps = sorted(out.glob("sub-*/**/*.nii.gz"))
        assert len(maps) == 2 * (4 * 4 + 1)
        written[n_cpus] = {path.relative_to(out): nib.load(path).get_fdata().tobytes() for path in maps}
    assert written["1"] == written["2"]


def crash(folder, name, node, last):
    text = f"Node: {node}\nWorking directory: /work\n\nTraceback (most recent call last):\n  File ...\n\n{last}\n\n"
    (folder / f"crash-{name}.txt").write_text(text)


def test_failures_are_told_in_one_sentence(tmp_path):
    crash(tmp_path, "1", "level.sub_01_wf.run_wf.clean", "bids_app.errors.DataError: a: the table has 3 rows.")
    crash(tmp_path, "2", "level.sub_02_wf.run_wf.clean", "bids_app.errors.MissingInputError: no mask.")
    crash(tmp_path, "3", "level.sub_03_wf.run_wf.graph", "MemoryError: Unable to allocate 3 GiB")
    crash(tmp_path, "4", "level.sub_04_wf.run_wf.graph", "AssertionError")
    (tmp_path / "trialgraph.log").write_text("no crash file")
    failures = read_failures(tmp_path)
    assert [failure.exit_code for failure in failures] == [65, 66, 1, 1]
    assert failures[0].node == "level.sub_01_wf.run_wf.clean"
    assert failures[0].message == "a: the table has 3 rows."
    assert failures[2].message.startswith("MemoryError: Unable to allocate 3 GiB (an error of the app")
    assert "crash-3.txt" in failures[2].message
    assert failures[3].message.startswith("AssertionError (an error of the app")
    assert read_failures(tmp_path / "empty") == []


@pytest.mark.parametrize("text", ["", "\n", "Node"])
def test_a_crash_file_that_was_cut_is_a_failure_all_the_same(tmp_path, text):
    """A full disk, or a kill, leaves it so: what fails then is told, not that it cannot be read."""
    crash(tmp_path, "1", "level.sub_01_wf.run_wf.clean", "bids_app.errors.DataError: a: the table has 3 rows.")
    (tmp_path / "crash-2.txt").write_text(text)
    whole, cut = read_failures(tmp_path)
    assert (whole.exit_code, whole.message) == (65, "a: the table has 3 rows.")
    assert (cut.exit_code, cut.crash_file.name) == (1, "crash-2.txt")
    assert "crash-2.txt" in cut.message


@pytest.mark.parametrize("n_scans", [1, 2, 3, 5, 8, 40])
def test_progress_where_there_is_no_terminal(n_scans):
    """The first scan of each tenth of the way is said by its name, none else."""
    heard = io.StringIO()
    steps = [f"level.scan_{scan}.{step}" for scan in range(n_scans) for step in "abcde"]
    with progress(steps, heard) as advance:
        for step in steps:
            advance(step)
    reached = sorted({math.ceil(n_scans * tenth / 10) for tenth in range(1, 11)})
    said = [line.partition(" after")[0] for line in heard.getvalue().splitlines()]
    assert said == [f"{n} of {n_scans} done, last scan_{n - 1}" for n in reached]


def test_progress_on_a_terminal():
    """A real terminal, by a pty: the bar counts the parts that are through."""
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal, progress(["a.x", "a.y", "b.x", "b.y"], terminal) as advance:
        for step in ("a.x", "a.y", "b.x"):
            advance(step)
    said = everything_from(leader)
    assert "1 of 2 done, last a" in said


def everything_from(leader):
    """Return what a terminal has shown: it comes in pieces, and ends with an error once nobody writes."""
    said = b""
    with os.fdopen(leader, "rb", buffering=0) as shown, contextlib.suppress(OSError):
        while piece := shown.read(100_000):
            said += piece
    return said.decode()


@pytest.mark.parametrize(("mem_gb", "expected"), [(None, 5.5), (16.0, 5.5), (2.0, 2.0)])
def test_a_graph_that_memory_does_not_hold_asks_for_no_more(tmp_path, grid_file, mem_gb, expected):
    """What does not fit lies on disk, so that the scheduler finds room for every scan."""
    limited = replace(settings(tmp_path), resources=Resources(mem_gb=mem_gb))
    workflow = init_participant_wf(
        runs=[bold_run(tmp_path)], layout=Layout(grid_file, 200_000), settings=limited, n_threads=1
    )
    graph = workflow.get_node("sub_01_ses_1_task_rest_wf.graph")
    assert graph.mem_gb == pytest.approx(expected)
    assert graph.inputs.memory_gb == (None if mem_gb is None else mem_gb - 0.5)


@pytest.mark.slow
def test_a_call_with_a_kept_work_folder_computes_nothing_twice(two_visits, app, tmp_path):
    call = (
        two_visits.bids,
        tmp_path / "out",
        "participant",
        *SCALE,
        "--metrics",
        "degree",
        "--work-dir",
        tmp_path / "w",
    )
    assert app(*call).code == 0
    parts = [path for name in ("clean", "graph") for path in (tmp_path / "w").glob(f"**/{name}/result_{name}.pklz")]
    before = [path.stat().st_mtime_ns for path in parts]
    assert len(before) == 4
    assert app(*call).code == 0
    assert [path.stat().st_mtime_ns for path in parts] == before
