"""The group level takes the options of the participant level where there is one set of them."""

import json

import pytest

from bids_app.cli import settings_of
from bids_app.cli.adopted import CHOOSING, MAKING, find_adopted
from bids_app.errors import UsageError
from bids_app.settings.parser import app_parser
from bids_app.settings.plan_keys import NOT_PLANNED

OPTIONS = [
    "--voxel-size native",
    "--voxel-size 5 --smooth-maps 0",
    "--metrics degree betweenness --parcel-metrics strength",
    "--density 0.1 0.2",
    "--threshold 0.2 --parcel-density auc",
    "--matrix partial --negative absolute --backbone --n-null-graphs 7",
    "--denoise 36p --bandpass off --fd-threshold off --detrend none --dummy-scans 3 --min-minutes 2.5",
    "--bandpass 0.008 0.09 --fd-threshold 0.2 --distance 50",
]


@pytest.fixture
def ran(tmp_path):
    """Leave what a call of the participant level leaves of itself, and return the settings it had."""

    def run(words, *participants, name="run"):
        settings = settings_of.parse(["bids", str(tmp_path / "out"), "participant", *words.split()])
        logs = tmp_path / "out" / "logs"
        (logs / name).mkdir(parents=True)
        (logs / name / "settings.json").write_text(settings.to_json())
        (logs / "status").mkdir(exist_ok=True)
        for label in participants:
            status = {"Participant": label, "Run": name, "Scans": []}
            (logs / "status" / f"sub-{label}.json").write_text(json.dumps(status))
        return settings

    return run


def grouped(tmp_path, *words):
    return settings_of.parse(["bids", str(tmp_path / "out"), "group", *words])


@pytest.mark.parametrize("words", OPTIONS)
def test_the_settings_are_those_of_the_participant_level(ran, tmp_path, words):
    before, settings = ran(words, "01", "02"), grouped(tmp_path)
    assert (settings.graph, settings.signal) == (before.graph, before.signal)
    assert settings.adopted.startswith("As the participant level was called: --")
    again = settings_of.parse(["bids", str(tmp_path / "out"), "group", *_called(settings.adopted).split()])
    assert (again.graph, again.signal) == (before.graph, before.signal)


def _called(text):
    words = text.removeprefix("As the participant level was called: ").rstrip(".")
    return " ".join(one for one in words.split(", ") if "--threshold none" not in one and "-threshold none" not in one)


def test_defaults_are_not_said(ran, tmp_path):
    ran("", "01")
    assert grouped(tmp_path).adopted is None


def test_what_is_given_goes_first_and_settles_its_family(ran, tmp_path):
    ran("--voxel-size 5 --metrics degree --threshold 0.2 --parcel-density 0.1", "01")
    settings = grouped(tmp_path, "--voxel-size", "4", "--metrics", "strength", "--threshold", "0.3")
    assert (settings.graph.voxel_size, settings.graph.thresholds) == (4, (0.3,))
    assert settings.graph.metrics == settings.graph.parcels.metrics == ("strength",)
    assert settings.graph.parcels.thresholds == (0.3,)
    assert settings.adopted is None


def test_a_plan_settles_what_it_says_and_departs_in_what_was_done(ran, tmp_path):
    ran("--voxel-size 5 --smooth-maps 4", "01")
    plan = tmp_path / "plan.toml"
    plan.write_text('[metrics]\nprimary = "degree"\nsecondary = []\n[graph]\nvoxel_size = 3\n')
    settings = grouped(tmp_path, "--plan", str(plan))
    assert (settings.graph.voxel_size, settings.graph.smooth_maps) == (3, 4)
    assert [one.what for one in settings.trial.departed] == ["smooth_maps"]


def test_two_sets_are_asked_about_by_the_name_of_the_option(ran, tmp_path):
    ran("--voxel-size 4", "01", "02", name="first")
    ran("--voxel-size native", "03", name="second")
    said = "called with --voxel-size 4 for sub-01, sub-02; --voxel-size native for sub-03. Say which"
    with pytest.raises(UsageError, match=said):
        grouped(tmp_path)
    assert grouped(tmp_path, "--voxel-size", "4").graph.voxel_size == 4


def test_scans_that_were_cleaned_differently_are_left_to_who_compares_them(ran, tmp_path):
    ran("--fd-threshold 0.2", "01", name="first")
    ran("--fd-threshold 0.3", "02", name="second")
    assert grouped(tmp_path).signal.fd_threshold == 0.5


def test_of_participants_that_were_run_again_the_last_call_counts(ran, tmp_path):
    ran("--voxel-size 4", "01", "02", name="first")
    ran("--voxel-size 5", "01", "02", name="second")
    assert grouped(tmp_path).graph.voxel_size == 5


@pytest.mark.parametrize("damage", ["{", "[]", '{"graph": 3}'])
def test_what_is_damaged_is_left_to_who_reads_it(ran, tmp_path, damage):
    ran("--voxel-size 4", "01")
    (tmp_path / "out" / "logs" / "run" / "settings.json").write_text(damage)
    assert find_adopted(tmp_path / "out", {}) is None or damage != "{"
    (tmp_path / "out" / "logs" / "status" / "sub-01.json").write_text("{")
    assert find_adopted(tmp_path / "out", {}) is None


def test_every_option_of_scans_is_taken_over_or_need_not_be():
    """An option of the signal or the graph that is new has to be thought of."""
    groups = {group.title: group for group in app_parser()._action_groups}
    titles = ("which scans", "cleaning the signal", "the graph", "the graph of parcels")
    options = {action.dest for title in titles for action in groups[title]._group_actions}
    found_by_files = {
        "task_id",
        "space",
        "res",
        "derivatives",
        "surface",
        "preprocess",
        "template",
        "use_syn_sdc",
        "atlas",
        "partition",
        "mask",
    }
    whom = {"participant_label", "session_label", "bids_filter_file"}
    assert options - found_by_files - whom == {*CHOOSING, *MAKING}
    assert not {*CHOOSING, *MAKING} & set(NOT_PLANNED)
