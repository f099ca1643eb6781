"""What is refused of a blinded call and of one that unblinds, before anything is compared."""

import json

import pytest

from bids_app.cli.call_again import call_again
from bids_app.trial.blinding_key import Key
from bids_app.trial.blinding_log import append_event, read_blinding

PLAN = '[metrics]\nprimary = "degree"\n'


@pytest.fixture
def sealed(trial, tmp_path):
    """An output folder that was sealed, with the key of a call that had no plan."""
    call = (str(trial.bids), "out", "group", "--blind", "--key", "key.json", "--skip-bids-validation")
    key = Key(letters={"drug": "A", "placebo": "B"}, salt="1", call=call, folder=str(tmp_path))
    key.write(tmp_path / "key.json")
    (tmp_path / "out").mkdir()
    append_event(tmp_path / "out", "sealed", Seal=key.digest)
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


def events(folder):
    return [one["Event"] for one in read_blinding(folder / "out").events]


def test_a_plan_is_needed(sealed, app):
    outcome = app("unblind", sealed / "out", "--key", sealed / "key.json")
    assert outcome.code == 64
    assert "A plan is needed to unblind" in outcome.said
    assert events(sealed) == ["sealed"]


def test_another_key_is_refused(sealed, app):
    Key(letters={"drug": "B", "placebo": "A"}, salt="1").write(sealed / "other.json")
    outcome = app("unblind", sealed / "out", "--key", sealed / "other.json", "--plan", sealed / "plan.toml")
    assert outcome.code == 65
    assert "is not the key with which" in outcome.said
    assert events(sealed) == ["sealed"]


def test_a_log_that_was_changed_is_refused(sealed, app):
    path = sealed / "out" / "logs" / "blinding.jsonl"
    path.write_text(path.read_text().replace('"User": "', '"User": "not '))
    outcome = app("unblind", sealed / "out", "--key", sealed / "key.json", "--plan", sealed / "plan.toml")
    assert outcome.code == 65
    assert "The log of the blinding was changed: line 1 of" in outcome.said


def test_what_was_never_blinded_is_not_unblinded(sealed, app, tmp_path):
    (tmp_path / "other").mkdir()
    outcome = app("unblind", tmp_path / "other", "--key", sealed / "key.json", "--plan", sealed / "plan.toml")
    assert outcome.code == 64
    assert "was never blinded" in outcome.said


def test_it_is_recorded_before_anything_is_compared(sealed, app):
    """There are no results to compare, so that the comparison fails; who then knows the arms is in the record."""
    outcome = app("unblind", sealed / "out", "--key", sealed / "key.json", "--plan", sealed / "plan.toml")
    assert outcome.code != 0
    assert "A was drug, B was placebo" in outcome.said
    assert events(sealed)[:2] == ["sealed", "unblinded"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--blind",), "--blind needs --key FILE"),
        (("--key", "key.json"), "is for --blind"),
        (("--blind", "--key", "out/logs/key.json"), "lies in the output folder"),
        (("--blind", "--key", "out/../out/key.json"), "lies in the output folder"),
        (("--blind", "--key", "work/key.json", "--work-dir", "work"), "lies in the work folder"),
        (("--blind", "--key", "key.json", "--dry-run"), "what is said beforehand names the arms"),
        (("--blind", "all", "--key", "key.json"), "it is one of pooled, between"),
    ],
)
def test_calls_that_would_not_keep_the_key_are_refused(trial, tmp_path, monkeypatch, app, words, said):
    monkeypatch.chdir(tmp_path)
    outcome = app(trial.bids, "out", "group", *words)
    assert outcome.code == 64
    assert said in outcome.said
    assert not list(tmp_path.rglob("key.json"))


def test_a_link_into_the_output_folder_is_inside_it(trial, tmp_path, app):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").symlink_to(tmp_path / "out")
    outcome = app(trial.bids, tmp_path / "out", "group", "--blind", "--key", tmp_path / "elsewhere" / "key.json")
    assert outcome.code == 64
    assert "lies in the output folder" in outcome.said


@pytest.mark.parametrize("level", ["group", "check"])
def test_neither_comparison_nor_preview_of_a_sealed_folder_names_arms(sealed, trial, app, level):
    words = (trial.bids, sealed / "out", "group") if level == "group" else ("check", trial.bids, sealed / "out")
    outcome = app(*words)
    assert outcome.code == 64
    assert "is blinded: give --blind and --key" in outcome.said
    assert not list((sealed / "out" / "logs").glob("*_group_*"))


def test_options_of_a_participant_level_are_not_in_its_log(sealed, trial, app):
    outcome = app(trial.bids, sealed / "out", "participant", "--reference-arm", "midazolam", "--task-id", "none")
    assert outcome.code == 18
    for path in (sealed / "out" / "logs").rglob("*.json"):
        assert "midazolam" not in path.read_text()
    (kept,) = (sealed / "out" / "logs").glob("*_participant_*/settings.json")
    assert json.loads(kept.read_text())["trial"]["reference_arm"] is None


def test_the_blinded_call_is_repeated_without_its_blinding():
    words = ("b", "o", "group", "--blind", "between", "--arms", "x", "-1", "--key=k", "-v", "--plan", "p", "--hc3")
    again = call_again(Key(letters={}, salt="", call=words), "/o", "/p.toml", "/b")
    assert again == ["/b", "/o", "group", "--arms", "x", "-1", "-v", "--hc3", "--plan", "/p.toml"]


def test_a_fault_of_a_blinded_call_leaves_no_traceback_that_may_name_arms(trial, tmp_path, monkeypatch, app):
    def fail(_):
        raise RuntimeError("midazolam")

    monkeypatch.setattr("bids_app.cli.main.parse", fail)
    monkeypatch.setattr("bids_app.cli.main.gettempdir", lambda: str(tmp_path))
    (tmp_path / "out" / "logs").mkdir(parents=True)
    quiet = app(trial.bids, tmp_path / "out", "group", "--blind", "--key", tmp_path / "key.json")
    assert quiet.code == 1
    assert "Traceback" not in quiet.said
    assert "Traceback" in app(trial.bids, tmp_path / "out", "group", "--blind", "--verbose").said
    assert not list(tmp_path.rglob("fault-*.txt"))


def test_a_blinded_call_begins_with_its_folders_so_that_it_can_be_repeated(trial, app, tmp_path):
    outcome = app("--blind", "pooled", "--key", tmp_path / "k.json", trial.bids, tmp_path / "out", "group")
    assert outcome.code == 64
    assert "begins with the dataset, the output folder and the level" in outcome.said
