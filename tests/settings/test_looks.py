"""Looks of a plan: read, refused, and the level that each run tests at."""

import pytest

from bids_app.cli import settings_of
from bids_app.errors import UsageError
from bids_app.settings.interim import Interim, look_of, read_interim
from bids_app.settings.plan import read_plan
from bids_app.stats import interim as numerics

PLAN = '[metrics]\nprimary = "degree"\n[analysis]\nalpha = 0.04\n[interim]\nlooks = [20, 40]\n'


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def parsed(*words, level="group"):
    return settings_of.parse(["bids", "out", level, *map(str, words)]).trial


def test_a_look_tests_at_its_level_and_departs_from_nothing(plan):
    first, last = (parsed("--plan", plan, "--look", look) for look in (1, 2))
    exact = numerics.levels([0.5, 1], 0.04)
    for trial, level in zip((first, last), exact, strict=True):
        assert trial.departed == ()
        assert trial.alpha == trial.interim.level
        assert 0.99 * level < trial.alpha <= level
    assert first.interim.spent == first.alpha
    assert last.interim.spent == pytest.approx(first.alpha + last.alpha)
    assert last.interim.spent <= 0.04
    assert (last.interim.number, last.interim.of, last.interim.planned) == (2, 2, 40)


def test_another_alpha_is_a_departure_and_is_what_is_spent(plan):
    trial = parsed("--plan", plan, "--look", 1, "--alpha", 0.1)
    assert [one.what for one in trial.departed] == ["alpha"]
    assert trial.interim.alpha == 0.1


def test_the_participant_level_needs_no_look(plan):
    assert parsed("--plan", plan, level="participant").interim is None


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ((), "say with --look which this is, 1 to 2"),
        (("--look", 3), "the plan has 2 looks"),
        (("--look", 0), "the plan has 2 looks"),
    ],
)
def test_a_run_that_does_not_say_which_look_it_is_is_refused(plan, words, fragment):
    with pytest.raises(UsageError, match=fragment):
        parsed("--plan", plan, *words)


def test_a_look_without_a_plan_of_looks_is_refused(tmp_path):
    (bare := tmp_path / "bare.toml").write_text('[metrics]\nprimary = "degree"\n')
    for words in ((), ("--plan", bare)):
        with pytest.raises(UsageError, match="looks are planned beforehand"):
            parsed("--look", 1, *words)


@pytest.mark.parametrize(
    ("section", "fragment"),
    [
        (3, "must be a section"),
        ({"look": [1, 2]}, "unknown key"),
        ({}, "two or more ascending"),
        ({"looks": [40]}, "two or more ascending"),
        ({"looks": [40, 20]}, "two or more ascending"),
        ({"looks": [0, 20]}, "two or more ascending"),
        ({"looks": [0.5, 0.9]}, "two or more ascending"),
        ({"looks": [20, "40"]}, "two or more ascending"),
        ({"looks": [20, 40], "spending": "linear"}, "one of obrien-fleming, pocock"),
    ],
)
def test_each_mistake_of_the_section_has_its_message(section, fragment):
    with pytest.raises(UsageError, match=fragment):
        read_interim(section)


def test_the_plan_holds_its_looks(plan):
    assert read_plan(plan).interim == Interim((20, 40))
    assert look_of(None, None, 0.05, needed=True) is None


def test_spending_is_called_alike_everywhere():
    from bids_app.settings.interim import SPENDING

    assert list(SPENDING) == list(numerics.SPENDING)
