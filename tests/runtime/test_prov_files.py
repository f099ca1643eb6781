"""Provenance in BIDS' form: every run of a folder, what it was run with and from what; nothing that did not happen."""

import json
from datetime import datetime

import pandas as pd

from bids_app import __version__
from bids_app.runtime.prov_files import close_run, write_provenance


def objects(out):
    files = {"act": "Activities", "soft": "Software", "env": "Environments"}
    return {
        suffix: json.loads((out / "prov" / f"prov-trialgraph_{suffix}.json").read_text())[key]
        for suffix, key in files.items()
    }


def begin(out, name, version="1.0.0", **more):
    folder = out / "logs" / name
    folder.mkdir(parents=True)
    command = ["trialgraph", "../bids", ".", "participant"]
    (folder / "command.json").write_text(json.dumps({"Command": command, "Version": version, **more}))
    return folder


def test_a_run_is_an_activity_with_its_times_and_what_it_used(finished):
    _, out, _ = finished
    found = objects(out)
    (activity,) = found["act"]
    (software,) = found["soft"]
    (environment,) = found["env"]
    assert (software["Label"], software["Version"]) == ("trialgraph", __version__)
    assert activity["AssociatedWith"] == software["Id"]
    assert activity["Used"] == [environment["Id"], "bids:raw:.", "bids:fmriprep:."]
    (run,) = (out / "logs").glob("*_participant_*")
    assert activity["Id"] == f"bids::prov#{run.name}"
    started, ended = (datetime.fromisoformat(activity[f"{name}AtTime"]) for name in ("Started", "Ended"))
    assert started <= ended
    rows = pd.read_csv(out / "prov" / "provenance.tsv", sep="\t")
    assert rows["provenance_label"].tolist() == ["prov-trialgraph"]


def test_a_run_that_was_cut_has_no_end_and_versions_are_told_apart(tmp_path):
    begin(tmp_path, "20260101-100000_participant_00000000", version="0.9.0+local build")
    last = begin(tmp_path, "20260101-110000_group_11111111")
    close_run(last)
    found = objects(tmp_path)
    assert [one.get("EndedAtTime") is not None for one in found["act"]] == [False, True]
    assert found["act"][0]["StartedAtTime"] == "2026-01-01T10:00:00"
    assert [one["Id"] for one in found["soft"]] == [
        "bids::prov#trialgraph-0.9.0+local-build",
        "bids::prov#trialgraph-1.0.0",
    ]
    assert [one["AssociatedWith"] for one in found["act"]] == [one["Id"] for one in found["soft"]]


def test_a_record_that_was_removed_or_broken_stops_nothing(tmp_path):
    broken = begin(tmp_path, "20260101-100000_participant_00000000")
    (broken / "command.json").write_text("{")
    (tmp_path / "logs" / "notes").mkdir()
    close_run(broken)
    write_provenance(tmp_path)
    assert objects(tmp_path) == {"act": [], "soft": [], "env": []}
