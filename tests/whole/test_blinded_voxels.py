"""Blinded maps do not know what was given in which period, nor which of three arms is which."""

import json
import shutil

import pandas as pd
import pytest
from conftest import SMALL
from series_trial import TrialFolder
from swapped import contents, plain, telling, write_key

PEOPLE = ("01", "02", "03", "04", "05", "06")
THREE = ("ketamine", "midazolam", "esketine")
NAMES = tuple(name.encode() for name in THREE)
LETTERS = {"ketamine": "B", "midazolam": "C", "esketine": "A"}
ASKED = (*SMALL, "--mem-gb", "4", "--n-permutations", "20", "--no-baseline-motion")


def of_orders(swap):
    one, other = (swap.get(name, name) for name in THREE[:2])
    orders = [f"{one}-{other}", f"{other}-{one}"]
    return {"sequence": [orders[place % 2] for place in range(len(PEOPLE))]}, ("--design", "crossover")


def of_three_arms(swap):
    arms = [swap.get(THREE[place % 3], THREE[place % 3]) for place in range(len(PEOPLE))]
    return {"treatment": arms}, ("--arm", "treatment", "--reference-arm", swap.get("midazolam", "midazolam"))


DESIGNS = {"cross-over": (of_orders, THREE[:2]), "three arms": (of_three_arms, THREE)}


@pytest.mark.parametrize("mode", ["pooled", "between"])
@pytest.mark.parametrize("design", DESIGNS)
def test_no_byte_of_the_maps_differs_when_the_arms_are_swapped(finished, tmp_path, app, design, mode):
    columns, names = DESIGNS[design]
    trial, out, _ = finished
    few = design == "three arms" and mode == "between"  # the scan that is cut short leaves one of an arm
    found = []
    for folder, swap in (("a", {}), ("b", dict(zip(names, (*names[1:], names[0]), strict=True)))):
        made = TrialFolder(tmp_path / "trial")
        shutil.copytree(trial.bids, made.bids)
        shutil.copytree(out, made.out)
        values, options = columns(swap)
        table = pd.DataFrame(values, index=[f"sub-{one}" for one in PEOPLE])
        table.to_csv(made.bids / "participants.tsv", sep="\t", index_label="participant_id")
        write_key(made.key, {one: LETTERS[one] for one in names}, swap)
        outcome = app(made.bids, made.out, "group", *ASKED, *options, "--blind", mode, "--key", made.key)
        assert outcome.code == (65 if few else 0), outcome.said
        found.append((made.root.rename(tmp_path / folder), outcome.said))
    (one, said), (other, also_said) = found
    first, second = contents(one / "out"), contents(other / "out")
    assert sorted(first) == sorted(second)
    assert not [name for name in first if first[name] != second[name]]
    assert plain(said.encode()) == plain(also_said.encode())
    assert telling(one / "out", said, NAMES) == telling(other / "out", also_said, NAMES) == []
    maps = [name for name in first if name.startswith(b"group/") and name.endswith(b".nii.gz")]
    assert any(b"pFwe" in name for name in maps) == (mode == "between")
    assert maps, json.dumps(sorted(map(bytes.decode, first)))
