"""What is written of tables and facts is read back: every word as it was, every number to nine digits."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.bids.files import read_table, save_json, save_matrix, save_table
from bids_app.group.node_values import read_nodes

QUICK = settings(max_examples=25, deadline=None, derandomize=True)
# What people call arms and parcels, and what pandas by itself takes for nothing.
LIKE_NOTHING = [
    "NA",
    "None",
    "null",
    "NULL",
    "nan",
    "NaN",
    "N/A",
    "#N/A",
    "<NA>",
    "-nan",
    "1.#IND",
    "TRUE",
    "007",
    "1.0",
]
plain = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)
words = st.one_of(st.sampled_from(LIKE_NOTHING), plain).filter(lambda word: word != "n/a")
numbers = st.one_of(st.floats(allow_nan=True, allow_infinity=True, width=64), st.integers(-(10**6), 10**6).map(float))


@QUICK
@given(rows=st.lists(st.tuples(words, st.one_of(st.none(), words), numbers), min_size=4, max_size=12))
def test_a_table_comes_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "some.tsv"
    table = pd.DataFrame(rows, columns=["name", "network", "value"])
    save_table(path, table)
    back = read_table(path, dtype={"name": str, "network": str})
    assert back["name"].tolist() == table["name"].tolist()
    assert [None if pd.isna(word) else word for word in back["network"]] == [network for _, network, _ in rows]
    np.testing.assert_allclose(back["value"].astype(float), table["value"], rtol=1e-8)


@pytest.mark.parametrize("name", LIKE_NOTHING)
def test_a_parcel_keeps_its_name_whatever_that_is(tmp_path, name):
    """NA is the accumbens in some atlases."""
    table = pd.DataFrame({"index": [1, 2], "name": [name, "b"], "network": ["7", None], "degree": [1.5, np.nan]})
    path = tmp_path / "sub-1_task-rest_atlas-A_desc-r025_nodes.tsv"
    save_table(path, table)
    nodes = read_nodes(path)
    assert nodes["name"].tolist() == [name, "b"]
    assert nodes["network"].fillna("none").tolist() == ["7", "none"]
    matrix = tmp_path / "sub-1_task-rest_atlas-A_stat-pearson_relmat.tsv"
    save_table(matrix, pd.DataFrame(np.eye(2), index=[name, "b"], columns=[name, "b"]), index=True)
    pairs = read_nodes(matrix)
    assert pairs[["from", "to", "name"]].to_numpy().tolist() == [[name, "b", f"{name} – b"]]


json_values = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


def alike(one, other):
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and not isinstance(other, str):
        return math.isclose(one, other, rel_tol=1e-8)
    return type(one) is type(other) and one == other


@QUICK
@given(content=st.dictionaries(st.text(), json_values, max_size=5))
def test_facts_come_back_and_are_written_the_same_again(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("facts") / "facts.json"
    save_json(path, content)
    first = path.read_bytes()
    back = json.loads(first)
    assert alike(content, back)
    save_json(path, back)
    assert path.read_bytes() == first


def test_what_json_does_not_know_is_written_as_bids_does(tmp_path):
    content = {
        "nan": np.nan,
        "inf": [np.float32(np.inf), -math.inf],
        "none": None,
        "array": np.arange(3),
        "flag": np.bool_(True),
        "path": tmp_path,
        "deep": {"none": None, "count": np.int64(2**40)},
    }
    save_json(tmp_path / "facts.json", content)
    text = (tmp_path / "facts.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "nan": "n/a",
        "inf": ["n/a", "n/a"],
        "array": [0, 1, 2],
        "flag": True,
        "path": str(tmp_path),
        "deep": {"count": 2**40},
    }


@QUICK
@given(
    names=st.lists(st.one_of(words, st.sampled_from(["a\tb", 'a"b', "a\nb", ""])), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    some=st.lists(numbers, min_size=1, max_size=8),
)
def test_a_matrix_is_written_as_a_table_is_byte_for_byte(tmp_path_factory, names, seed, some):
    """pandas is right and slow: 0.2 s for a matrix of 419 parcels, of which there are hundreds."""
    folder, rng = tmp_path_factory.mktemp("matrix"), np.random.default_rng(seed)
    values = rng.choice([*some, -0.0, 1.0, math.nan, rng.normal() * 10.0 ** rng.integers(-20, 20)], (len(names),) * 2)
    for rows, more in ((names, {"index": True, "index_label": "name"}), ([], {})):
        save_matrix(folder / "quick.tsv", values, names, rows)
        save_table(folder / "plain.tsv", pd.DataFrame(values, columns=names, index=names), **more)
        assert (folder / "quick.tsv").read_bytes() == (folder / "plain.tsv").read_bytes()
