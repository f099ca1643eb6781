"""Three treatments in three periods: check lists who had what, the group level says that it is not compared."""

import pytest
from conftest import SMALL, SmallTrial

ORDERS = {"01": "a-b-placebo", "02": "b-placebo-a", "03": "placebo-a-b"}
WORDS = ("--design", "crossover")
REFUSED = (
    "3 treatments in 3 periods (a, b, placebo) were found, by sequence. The group level compares two treatments in two"
)


@pytest.fixture(scope="module")
def study(tmp_path_factory, app):
    root = tmp_path_factory.mktemp("periods")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for label in ORDERS:
        for session in ("1", "2", "3"):
            if (label, session) != ("02", "3"):
                trial.add_run(label, session)
    trial.add_arms("sequence", **{f"s{label}": order for label, order in ORDERS.items()})
    assert app(trial.bids, root / "out", "participant", *SMALL).code == 0
    return trial


def require_listed(said):
    said = " ".join(said.split())
    assert "3 treatments in 3 periods (a, b, placebo) participant period 1 period 2 period 3" in said
    assert "sub-01 a, ses-1 b, ses-2 placebo, ses-3 sub-02 b, ses-1 placebo, ses-2 a, no scan" in said
    assert "ses-1, ses-2, ses-3 are periods 1 to 3, because the labels say so" in said
    assert REFUSED in said


@pytest.mark.slow
def test_what_was_found_is_listed_and_refused_and_nothing_is_written(study, app):
    out = study.bids.parent / "out"
    for words in (("check", study.bids, out, *WORDS), (study.bids, out, "group", *SMALL, *WORDS, "--dry-run")):
        outcome = app(*words)
        assert outcome.code == 65
        require_listed(outcome.said)
    outcome = app(study.bids, out, "group", *SMALL, *WORDS)
    assert outcome.code == 65
    assert REFUSED in " ".join(outcome.said.split())
    assert not (out / "group").exists()
