"""Two looks of a small trial as users take them: the second makes the first again from its record, and says so."""

import json
import shutil

import pytest

FIRST = ("01", "02", "03", "04", "05", "06")
PLAN = """[metrics]
primary = "degree"
[interim]
looks = [5, 7]
spending = "pocock"
"""


@pytest.fixture(scope="module")
def looks(compared, simulated, tmp_path_factory, app):
    """The folders of the results of both looks, and what the second said."""
    root = tmp_path_factory.mktemp("looks")
    (plan := root / "plan.toml").write_text(PLAN)
    shutil.copytree(compared, out := root / "out", ignore=shutil.ignore_patterns("group"))
    words = (
        "--voxel-size",
        8,
        "--n-cpus",
        1,
        "--min-minutes",
        2,
        "--n-permutations",
        8,
        "--metrics",
        "degree",
        "--plan",
        plan,
    )
    first = app(simulated.bids_dir, out, "group", *words, "--look", 1, "--participant-label", *FIRST)
    assert first.code == 0, first.said
    shutil.copytree(out / "group", root / "first")
    second = app(simulated.bids_dir, out, "group", *words, "--look", 2)
    assert second.code == 0, second.said
    return root / "first", out / "group", second.said


def records(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*_design.json"))]


def test_the_second_look_has_the_first_from_its_record(looks):
    before, after = map(records, looks[:2])
    assert len(before) == len(after) > 0
    for first, second in zip(before, after, strict=True):
        assert "Jointly" not in first
        assert second["Jointly"] is True
        assert second["Taken"][0] == first["Taken"][0]
        assert [one["Number"] for one in second["Taken"]] == [1, 2]
        assert set(second["Taken"][0]["Participants"]) < set(second["Taken"][1]["Participants"])


def test_that_it_does_is_said_on_the_page_and_in_the_methods(looks):
    _, folder, said = looks
    assert "Allocations that look 1 would have stopped at do not count" in " ".join(said.split())
    interim = json.loads((folder / "results.json").read_text())["interim"]
    assert "no earlier look would have stopped at" in interim["text"]
    methods = " ".join((folder.parent / "logs" / "CITATION.md").read_text().split())
    assert "allocations that would have been significant at an earlier look were not counted" in methods
