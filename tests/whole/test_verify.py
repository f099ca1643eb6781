"""`trialgraph verify`: the whole of the reference trial, and what is said where something is not the same."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_same_bytes import COMPILED, ELSEWHERE, THOROUGH

from bids_app.cli.main import main
from bids_app.cli.reference_values import Output, differences, kept_outputs, outputs_of
from bids_app.simulate.reference import whole_numbers, write_reference

ROOT = Path(__file__).parents[2]


def verified(*words, **environment):
    command = [sys.executable, ROOT / "run.py", "verify", "--json", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def not_same(said):
    return [one for one in said["outputs"] if one["verdict"] != "same"]


@pytest.mark.slow  # 50 s of a processor: the only whole run that says which number changed
def test_every_map_and_table_is_what_ships_with_the_release(tmp_path):
    code, said = verified("--n-cpus", 2, "--keep", tmp_path / "kept", TZ="Asia/Tokyo", PYTHONHASHSEED="3")
    assert not_same(said) == [], "if this is meant: make reference, and a line in CHANGES.md"
    assert (code, said["verdict"]) == (0, "same")
    outputs = outputs_of(tmp_path / "kept" / "out")
    assert len(outputs) == said["counts"]["same"] > 400
    assert {"sub-06", "group"} <= {name.partition("/")[0] for name in outputs}


@pytest.mark.slow
@pytest.mark.skipif(not THOROUGH, reason="minutes for each: TRIALGRAPH_THOROUGH=1")
@pytest.mark.parametrize("environment", [*ELSEWHERE.values(), COMPILED], ids=[*ELSEWHERE, "kernels"])
def test_every_map_and_table_is_the_same_by_other_code(environment, tmp_path):
    own = {"NUMBA_CACHE_DIR": str(tmp_path)} if environment is COMPILED else {}
    assert not_same(verified("--n-cpus", 1, **environment, **own)[1]) == []


def test_a_difference_is_sized():
    was = {"map": Output("a", np.array([1.0, 2, 4], np.float32)), "table": Output("b", np.array([1.0, np.nan]))}
    for change, verdict, n_differing, largest in (
        (2.0**-20, "close", 1, 2.0**-22),
        (0.5, "different", 1, 0.125),
        (0, "different", 0, 0),  # of which the text differs
    ):
        moved = Output("c", was["map"].values + np.array([0, 0, change], np.float32))
        (found, same) = differences(was, {**was, "map": moved})
        assert (found.verdict, found.n_differing) == (verdict, n_differing)
        assert found.largest == pytest.approx(largest)
        assert same.verdict == "same"
    shorter = replace(was["map"], digest="c", values=was["map"].values[1:])
    (found, _) = differences(was, {**was, "map": shorter})
    assert (found.verdict, found.largest) == ("different", None)
    found = differences(was, {"table": was["table"], "more": moved})
    assert {one.output: one.verdict for one in found} == {"map": "missing", "more": "new", "table": "same"}


def test_what_ships_is_whole():
    outputs, libraries = kept_outputs()
    assert all(len(one.digest) == 64 and one.values.ndim == 1 for one in outputs.values())
    assert {"numpy", "nilearn"} <= set(libraries)


def test_the_reference_trial_is_of_whole_numbers_and_always_the_same(tmp_path):
    numbers = whole_numbers(1)
    assert [next(numbers) for _ in range(2)] == [
        (6364136223846793005 + 1442695040888963407) % 2**64 >> 33,
        ((6364136223846793005 + 1442695040888963407) * 6364136223846793005 + 1442695040888963407) % 2**64 >> 33,
    ]
    for name in ("one", "other"):
        write_reference(tmp_path / name)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) > 90
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "other" / path).read_bytes() for path in files)
    people = pd.read_csv(tmp_path / "one" / "bids" / "participants.tsv", sep="\t")
    assert people["arm"].value_counts().to_dict() == {"ketamine": 3, "midazolam": 3}


def test_nothing_is_written_over(tmp_path, capsys):
    (tmp_path / "something").touch()
    assert main(["verify", "--keep", str(tmp_path)]) == 64
    assert "holds something already" in capsys.readouterr().err
