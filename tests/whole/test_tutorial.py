"""The tutorial's command lines, in their order, and the files that it says are there afterwards."""

import re
from pathlib import Path

import pytest
from outputs import visible

DOCS = Path(__file__).parents[2] / "docs" / "tutorial.md"
TEXT = DOCS.read_text()
QUICK = {"participant": ("--metrics", "degree", "--min-minutes", "2"), "group": ("--n-permutations", "100")}


def plan_of_docs():
    """Return the lines of TOML that the page has."""
    lines = [line.strip() for line in TEXT.splitlines() if line.startswith("    ")]
    begin = lines.index("[metrics]")
    return "\n".join(lines[begin : lines.index('primary = ["hamd17"]') + 1])


@pytest.fixture(scope="module")
def walked(simulated, app, tmp_path_factory):
    """What each line said, on a smaller trial than the demo's, which has a test of its own."""
    root = tmp_path_factory.mktemp("tutorial")
    (root / "plan.toml").write_text(plan_of_docs())
    places = {
        "demo/sourcedata/trial/bids": simulated.bids_dir,
        "out": root / "out",
        "plan.toml": root / "plan.toml",
        "5": "8",
    }
    said = {}
    for line in re.findall(r"^    trialgraph (.+)$", TEXT, flags=re.MULTILINE):
        if line == "demo demo":
            continue
        words = [str(places.get(word, word)) for word in line.split()]
        answer = app(*words, *next((more for level, more in QUICK.items() if level in words), ()))
        assert answer.code == 0, (line, answer)
        said[line] = answer.said
    return root, said


def test_every_line_ends_well_and_every_file_named_is_there(walked):
    root, said = walked
    assert [line.split()[0] for line in said] == ["check", *["demo/sourcedata/trial/bids"] * 3]
    named = set(re.findall(r"`(out/[\w./]+)`", TEXT))
    assert len(named) >= 7
    assert [name for name in sorted(named) if not (root / name).exists()] == []


def test_the_plan_is_on_the_page(walked):
    root, _ = walked
    page = visible((root / "out" / "group" / "index.html").read_text())
    assert "SHA-256" in page
    assert "hamd17" in page
