"""An array of tasks, one per participant, leaves what one call leaves, and makes the pages of everyone once."""

from conftest import SMALL, SmallTrial
from harness import contents


def test_the_task_that_ends_last_makes_the_index(tmp_path, app):
    trial = SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "fmriprep").begin()
    for label in ("01", "02", "03"):
        trial.add_run(label, "1")
    trial.add_run("03", "2")
    bold = trial.file("*preproc_bold.nii.gz", sub="02")
    bold.write_bytes(bold.read_bytes()[:1000])  # one that fails has ended as well
    out, whole = tmp_path / "out", tmp_path / "whole"
    for label, code in (("02", 65), ("03", 0), ("01", 0)):
        assert not (out / "index.html").exists()
        outcome = app(trial.bids, out, "participant", *SMALL, "--participant-label", label)
        assert outcome.code == code, outcome.said
        assert (f"Look at {out}/sub-{label}.html" in outcome.said) is (label != "01")
        assert (out / f"sub-{label}.html").exists()
    assert app(trial.bids, whole, "participant", *SMALL).code == 65
    assert contents(out) == contents(whole)
    for name in ("index.html", "logs/quality.tsv", "logs/CITATION.md"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name


def test_who_is_processed_again_is_in_the_index_at_once(tmp_path, app):
    trial = SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "fmriprep").begin()
    for label in ("01", "02"):
        trial.add_run(label, "1")
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL).code == 0
    before = (tmp_path / "out" / "index.html").read_bytes()
    again = (*SMALL, "--participant-label", "01", "--fd-threshold", "0.19")
    assert app(trial.bids, tmp_path / "out", "participant", *again).code == 0
    assert (tmp_path / "out" / "index.html").read_bytes() != before


def test_the_index_can_be_had_before_everyone_is_there(tmp_path, app):
    trial = SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "fmriprep").begin()
    for label in ("01", "02"):
        trial.add_run(label, "1")
    outcome = app(trial.bids, tmp_path / "out", "participant", *SMALL, "--participant-label", "01")
    assert "1 participant of the input still to be processed" in outcome.said
    assert not (tmp_path / "out" / "index.html").exists()
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL, "--reports-only").code == 0
    assert (tmp_path / "out" / "index.html").exists()
