"""Small files that are hostile or damaged give one message."""

import json
import os
import pickle
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bids_app.errors import DataError, MissingInputError, TrialgraphError
from bids_app.system.small_files import MOST_BYTES, read_json, read_record, read_text, read_toml, read_yaml

READERS = {"json": read_json, "toml": read_toml, "yaml": read_yaml}
HOSTILE = {
    "nested.json": "[" * 100_000,
    "deep.json": '{"a": ' * 5_000 + "1" + "}" * 5_000,
    "barely.json": '{"a": ' * 150 + "1" + "}" * 150,
    "digits.json": '{"a": ' + "9" * 5_000 + "}",
    "large.json": '{"a": 99999999999999999999}',
    "surrogate.json": '{"a": "\\ud800"}',
    "key.json": '{"\\udfff": 1}',
    "list.json": "[1, 2]",
    "number.json": "7",
    "empty.json": "",
    "cut.json": '{"Scans": [{"Scan": "sub-01',
    "nested.toml": "a = " + "[" * 100_000,
    "dotted.toml": ".".join("a" * 20_000) + " = 1",
    "cut.toml": "[metrics",
    "nested.yaml": "[" * 20_000,
    "tag.yaml": "!!python/object/apply:os.system ['true']",
    "list.yaml": "- a",
    "empty.yaml": "",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_content_is_said(tmp_path, name):
    path = tmp_path / name
    path.write_text(HOSTILE[name])
    with pytest.raises(DataError, match=name):
        READERS[path.suffix[1:]](path)


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link to nothing", "nothing", "too large", "no text"])
def test_what_is_no_file_to_read_is_said_at_once(tmp_path, suffix, kind):
    path = tmp_path / f"x.{suffix}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind in ("device", "link to nothing"):
        path.symlink_to("/dev/zero" if kind == "device" else tmp_path / "gone")
    elif kind == "too large":
        with path.open("wb") as file:
            file.truncate(MOST_BYTES + 1)
    elif kind == "no text":
        path.write_bytes(b"\xff\xfe\x00")
    expected = MissingInputError if "nothing" in kind else DataError
    with pytest.raises(expected, match=f"x.{suffix}"):
        READERS[suffix](path)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(st.text(), plain), mark=st.sampled_from(["", "\ufeff"]))
def test_what_is_well_formed_is_read(tmp_path, content, mark):
    path = tmp_path / "x.json"
    path.write_text(mark + json.dumps(content), encoding="utf-8")
    assert read_json(path) == content


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), suffix=st.sampled_from(sorted(READERS)))
def test_any_bytes_give_an_object_or_one_message(tmp_path, content, suffix):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    said = ""
    try:
        READERS[suffix](path)
    except TrialgraphError as error:
        said = str(error)
    assert not said or str(path) in said


def test_a_key_that_a_record_lacks_is_said_with_the_file(tmp_path):
    path = tmp_path / "sub-01.json"
    path.write_text('{"Run": "a"}')
    record = read_record(path, "Run it again.")
    assert record["Run"] == "a"
    assert record.get("Scans") is None
    for one in (record, pickle.loads(pickle.dumps(record))):
        with pytest.raises(DataError, match=r"sub-01\.json lacks Scans.*Run it again"):
            one["Scans"]
    path.write_text("[]")
    with pytest.raises(DataError, match=r"sub-01\.json is missing or damaged.*a list.*Run it again"):
        read_record(path, "Run it again.")


def test_what_toml_knows_beyond_json_is_read(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("when = 2026-01-02\n[a]\nb = 1.5\n")
    assert read_toml(path) == {"when": date(2026, 1, 2), "a": {"b": 1.5}}


def test_a_mark_of_windows_is_no_text(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\n")
    assert read_text(path) == "a\r\n"
