"""The group's results are of one run: made beside, put in place whole, never mixed, and nobody's own files lost."""

import json
import shutil

import pytest
from conftest import SMALL

from bids_app.bids.files import save_text
from bids_app.bids.result_names import lies_at
from bids_app.errors import BusyError, DataError, OutputError
from bids_app.runtime.group_folder import (
    MANIFEST,
    REPLACED,
    STAGED,
    changed_sources,
    finish_replacing,
    publish,
    read_manifest,
    require_whole,
    restage,
    results_id,
    staged_group,
)

GROUP = (*SMALL, "--n-permutations", "20")


@pytest.fixture
def output(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path


def made(output, **files):
    """Put files in place as a run does; `a__b` is b in the folder a."""
    with staged_group(output) as staged:
        for name, text in files.items():
            save_text(staged / f"{name.replace('__', '/')}.tsv", text)
        publish(output, {"Sources": {}})


def fail_after_writing(path):
    save_text(path, "2")
    raise OutputError("the disk is full")


def texts(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def test_what_this_run_does_not_make_is_gone(output):
    made(output, a="1", figures__b="2", c="3")
    made(output, a="4")
    assert texts(output / "group") == {"a.tsv": "4"}
    assert not [path for path in output.iterdir() if path.name.startswith(".partial")]


def test_a_run_that_does_not_end_well_changes_nothing(output):
    made(output, a="1")
    with pytest.raises(OutputError), staged_group(output) as staged:
        fail_after_writing(staged / "a.tsv")
    assert texts(output / "group") == {"a.tsv": "1"}
    assert not (output / STAGED).exists()


def test_files_of_the_user_stay_and_changed_ones_are_kept_aside(output):
    made(output, a="1", b="2")
    save_text(output / "group" / "notes" / "mine.txt", "mine")
    save_text(output / "group" / "a.tsv", "edited")
    made(output, a="3")
    assert texts(output / "group") == {"a.tsv": "3", "notes/mine.txt": "mine"}
    assert texts(output / "group-earlier") == {"a.tsv": "edited"}
    save_text(output / "group" / "a.tsv", "edited again")
    save_text(output / "group" / "c.tsv", "mine too")
    made(output, a="4", c="5")
    assert texts(output / "group") == {"a.tsv": "4", "c.tsv": "5", "notes/mine.txt": "mine"}
    assert texts(output / "group-earlier") == {"a.tsv": "edited", "2-a.tsv": "edited again", "c.tsv": "mine too"}


def test_a_folder_without_a_record_is_kept_aside_whole(output):
    save_text(output / "group" / "old.tsv", "of an older version")
    made(output, a="1")
    assert texts(output / "group") == {"a.tsv": "1"}
    assert texts(output / "group-earlier") == {"old.tsv": "of an older version"}


@pytest.mark.parametrize("record", ["", "[]", '{"Files": 1', "{}"])
def test_a_damaged_record_loses_nothing(output, record):
    made(output, a="1")
    save_text(output / "group" / MANIFEST, record)
    made(output, a="2")
    assert texts(output / "group-earlier")["a.tsv"] == "1"


def test_a_kill_between_the_two_folders_is_mended(output):
    made(output, a="1")
    (output / "group").rename(output / REPLACED)  # killed here
    finish_replacing(output)
    assert texts(output / "group") == {"a.tsv": "1"}
    shutil.copytree(output / "group", output / REPLACED)  # killed while the files before are removed
    (output / REPLACED / "mine.txt").write_text("mine")
    finish_replacing(output)
    assert texts(output / "group") == {"a.tsv": "1", "mine.txt": "mine"}
    assert not (output / REPLACED).exists()


def test_two_runs_do_not_make_it_at_once(output):
    with staged_group(output) as staged:
        save_text(staged / "a.tsv", "1")
        with pytest.raises(BusyError, match="Another run makes"), staged_group(output):
            pass
        assert (staged / "a.tsv").exists()
        publish(output, {})
    assert texts(output / "group") == {"a.tsv": "1"}


def test_the_record_knows_every_file_and_the_results_have_one_name(output):
    made(output, a="1", figures__b="2")
    manifest = read_manifest(output)
    assert list(manifest["Files"]) == ["a.tsv", "figures/b.tsv"]
    assert manifest["Results"] == results_id(output / "group")
    made(output, a="1", figures__b="another picture of the same")
    assert read_manifest(output)["Results"] == manifest["Results"]
    made(output, a="2", figures__b="2")
    assert read_manifest(output)["Results"] != manifest["Results"]


def test_pages_made_anew_do_not_change_what_made_the_results(output, monkeypatch):
    made(output, a="1")
    before = read_manifest(output)
    monkeypatch.setattr("bids_app.runtime.group_folder.digest_of_code", lambda: "another version")
    with staged_group(output):
        publish(output, restage(output))
    assert read_manifest(output) == before


@pytest.mark.parametrize("how", ["missing", "changed", "no record"])
def test_a_mix_is_refused(output, how):
    made(output, a="1", b="2", figures__c="3")
    require_whole(output)
    (output / "group" / "figures" / "c.tsv").unlink()  # which is made anew
    require_whole(output)
    if how == "missing":
        (output / "group" / "a.tsv").unlink()
    elif how == "changed":
        (output / "group" / "a.tsv").write_text("other")
    else:
        (output / "group" / MANIFEST).unlink()
    with pytest.raises(DataError, match=r"nothing says" if how == "no record" else r"a\.tsv missing or changed"):
        require_whole(output)


def test_sources_that_changed_are_named(output):
    from bids_app.system.provenance import digest_of_file

    for label in ("01", "02", "03"):
        save_text(output / f"sub-{label}" / "map", label)
    names = [f"sub-{label}/map" for label in ("01", "02", "03")]
    with staged_group(output):
        publish(output, {"Sources": {name: digest_of_file(output / name) for name in names}})
    assert changed_sources(output) == []
    (output / "sub-01" / "map").write_text("new")
    (output / "sub-02" / "map").unlink()
    assert changed_sources(output) == names[:2]
    assert changed_sources(output, ["02", "03"]) == names[1:2]


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture
def compared_once(finished, app, tmp_path):
    trial, before, _ = finished
    output = tmp_path / "out"
    shutil.copytree(before, output, ignore=shutil.ignore_patterns("group", "work"))
    assert app(trial.bids, output, "group", *GROUP).code == 0
    return trial, output


def test_another_model_leaves_nothing_of_the_first(compared_once, app, tmp_path):
    trial, output = compared_once
    fresh = tmp_path / "fresh"
    shutil.copytree(output, fresh, ignore=shutil.ignore_patterns("group", "work"))
    other = (*GROUP, "--hc3", "--estimator", "change")
    for folder in (output, fresh):
        assert app(trial.bids, folder, "group", *other).code == 0
    assert bytes_of(output / "group") == bytes_of(fresh / "group")
    manifest = json.loads((output / "group" / MANIFEST).read_text())
    assert manifest["Options"]["trial"]["hc3"] is True
    assert manifest["Results"] in (output / "group" / "index.html").read_text()
    assert not (output / "group-earlier").exists()


def laid_flat(group):
    """Lay a folder as earlier versions did: all files beside each other, but for the figures."""
    manifest, before = json.loads((group / MANIFEST).read_text()), bytes_of(group)
    for name in [name for name in before if name.startswith(("tables/", "maps/"))]:
        (group / name).rename(group / name.rpartition("/")[2])
    for name in ("tables", "maps"):
        shutil.rmtree(group / name)
    manifest["Files"] = {
        name if name.startswith("figures/") else name.rpartition("/")[2]: digest
        for name, digest in manifest["Files"].items()
    }
    (group / MANIFEST).write_text(json.dumps(manifest))


def test_a_folder_that_was_laid_otherwise_is_replaced_whole(compared_once, app):
    trial, output = compared_once
    before = bytes_of(output / "group")
    laid_flat(output / "group")
    outcome = app(trial.bids, output, "group", *GROUP, "--reports-only")
    assert outcome.code == 18
    assert "holds nothing of the group level to make pages from" in outcome.said
    assert app(trial.bids, output, "participant", *SMALL, "--reports-only").code == 0
    assert app(trial.bids, output, "group", *GROUP).code == 0
    assert bytes_of(output / "group") == before
    assert not (output / "group-earlier").exists()


def test_every_file_lies_where_its_name_says(compared_once):
    _, output = compared_once
    names = list(json.loads((output / "group" / MANIFEST).read_text())["Files"])
    assert [name for name in names if lies_at(name.rpartition("/")[2]) != name] == []
    assert {name.partition("/")[0] for name in names if "/" in name} == {"tables", "maps", "figures"}
    assert {name.split("/")[1] for name in names if name.startswith("maps/")} == {"degree"}


def test_pages_are_made_anew_of_one_run_only(compared_once, app):
    trial, output = compared_once
    before = bytes_of(output / "group")
    outcome = app(trial.bids, output, "group", *GROUP, "--reports-only")
    assert outcome.code == 0, outcome.said
    assert bytes_of(output / "group") == before
    (path,) = (output / "group").glob("maps/*/*_stat-t_desc-degreeR025_statmap.nii.gz")
    path.write_bytes(path.read_bytes()[:-1])
    outcome = app(trial.bids, output, "group", *GROUP, "--reports-only")
    assert outcome.code == 65
    assert f"{path.name} missing or changed" in outcome.said
    assert (output / "group" / "index.html").read_bytes() == before["index.html"]


def test_results_of_maps_that_were_made_anew_since_are_said_to_be_old(compared_once, app):
    trial, output = compared_once
    again = (trial.bids, output, "participant", *SMALL, "--participant-label", "01")
    assert "run the group level again" not in app(*again).said
    outcome = app(*again, "--bandpass", "off")
    assert "compares what was there before this call: run the group level again" in outcome.said
    assert "were made anew or removed since" in app(trial.bids, output, "group", *GROUP, "--reports-only").said
    refused = app(trial.bids, output, "group", *GROUP)
    assert refused.code == 65
    assert "not made alike" in refused.said


def test_a_comparison_that_is_refused_leaves_the_one_before(compared_once, app):
    trial, output = compared_once
    before = bytes_of(output / "group")
    assert app(trial.bids, output, "group", *GROUP, "--min-per-arm", "9").code != 0
    assert bytes_of(output / "group") == before
