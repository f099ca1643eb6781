"""Participants who come later leave what was made of the others as it is."""

from conftest import SMALL, SmallTrial

from bids_app.system.provenance import digest_of_file


def made_of(out, participant):
    """Return the digest of each map, table and sidecar of a participant."""
    paths = (path for path in (out / participant).rglob("*") if path.suffix in (".gz", ".tsv", ".json"))
    return {path: digest_of_file(path) for path in paths}


def test_who_comes_later_changes_nothing_of_the_others(tmp_path, app):
    """Also who comes first in the order of labels; and in a work folder that is kept, no scan is cleaned again."""
    trial = SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "fmriprep").begin()
    trial.add_run("02", "1")
    trial.add_arms(s02="placebo")
    out, call = tmp_path / "out", (*SMALL, "-w", tmp_path / "work")
    assert app(trial.bids, out, "participant", *call).code == 0
    before = made_of(out, "sub-02")
    assert any(path.name.endswith("boldmap.nii.gz") for path in before)
    cleaned = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("result_clean.pklz")}
    assert len(cleaned) == 1
    trial.add_run("01", "1")
    trial.add_arms(s01="drug", s02="placebo")
    assert app(trial.bids, out, "participant", *call).code == 0
    assert made_of(out, "sub-01")
    assert made_of(out, "sub-02") == before
    assert {path: path.stat().st_mtime_ns for path in cleaned} == cleaned
