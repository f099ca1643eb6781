"""Every map of the group level says its whole model: what is fitted, on whom, by which draws, corrected over what."""

import json

import pandas as pd
import pytest

from bids_app.bids.names import Name
from bids_app.bids.result_names import beside
from bids_app.group.map_sidecars import INFERENCE_KEYS, MODEL_KEYS

ALWAYS = {"Description", "Estimator", "Role", "Statistic", "StandardErrors", "DegreesOfFreedom", "Software"}


def sidecars_of(folder):
    """Return the sidecar of every map, and of every matrix of a statistic, by path."""
    paths = [*folder.rglob("*_statmap.json"), *folder.rglob("*_relmat.json")]
    return {path: json.loads(path.read_text()) for path in paths}


@pytest.fixture(scope="module")
def routes(compared):
    """Of each route its record, the columns of its model, and its sidecars by path."""
    found = sidecars_of(compared / "group")
    routes = []
    for path in sorted((compared / "group").glob("*_design.json")):
        record, matrix = json.loads(path.read_text()), pd.read_csv(beside(path, "matrix"), sep="\t")
        own = {key: value for key, value in Name.parse(path).entities.items() if key != "desc"}
        suffix = {"maps": "statmap", "parcels": "statmap", "edges": "relmat"}.get(record["Kind"])
        of_route = {
            one: about
            for one, about in found.items()
            if own.items() <= Name.parse(one).entities.items()
            and ("atlas" in own) == ("atlas" in Name.parse(one).entities)
            and Name.parse(one).suffix == suffix
        }
        routes.append((record, matrix, of_route))
    assert sum(len(of_route) for *_, of_route in routes) == len(found) > 100
    return routes


def test_every_key_is_there(routes):
    for _, _, sidecars in routes:
        for path, about in sidecars.items():
            assert ALWAYS | {*MODEL_KEYS, *INFERENCE_KEYS} <= set(about), path


def test_the_model_is_that_of_the_record_and_of_the_matrix(routes):
    """A difference of the arms is of everyone analysed and adjusted for every column of the matrix but the arm."""
    for record, matrix, sidecars in routes:
        columns = [name for name in matrix if name not in ("participant_id", "arm")]
        differences = [one for one in sidecars.values() if one["Contrast"] == record["Contrast"]]
        assert bool(differences) == bool(sidecars)
        for one in differences:
            assert one["NumberAnalysed"] == record["NumberAnalysed"]
            assert sum(one["NumberAnalysed"].values()) == len(matrix)
            assert (one["NumberOfDraws"], one["RandomSeed"]) == (record["Draws"], record["RandomSeed"])
            assert (one["Scheme"], one["StandardErrors"]) == (record["Scheme"], record["StandardErrors"])
            assert one["AllDrawsMade"] == record["AllAllocationsEnumerated"]
            baseline = [name for name in one["AdjustedFor"] if name.startswith("ses-baseline of the same ")]
            assert [name for name in one["AdjustedFor"] if name not in baseline] == columns
            n_terms = 2 + len(one["AdjustedFor"])  # the intercept and the arm too
            assert one["DegreesOfFreedom"] == len(matrix) - n_terms
            assert one["Formula"].count("+") == n_terms - 1


def test_formulas_are_those_of_the_estimators(routes):
    said = {
        (one["Contrast"], one["Formula"].partition(" ~ ")[0]): one["Formula"].partition(" ~ ")[2]
        for *_, sidecars in routes
        for one in sidecars.values()
    }
    difference = "ketamine − midazolam"
    assert said[difference, "ses-day3"].startswith("1 + arm + ses-baseline")
    assert said[difference, "ses-day3 − ses-baseline"].startswith("1 + arm")
    assert "ses-baseline" not in said[difference, "ses-day3 − ses-baseline"]
    assert said["ses-day3 − ses-baseline in ketamine", "ses-day3 − ses-baseline"] == "1"


def test_what_is_within_an_arm_is_of_that_arm_by_flipping_signs(routes):
    for record, _, sidecars in routes:
        for path, one in sidecars.items():
            arm = one["Contrast"].partition(" in ")[2]
            if arm:
                assert f"Within{arm.title()}" in path.name
                assert one["NumberAnalysed"] == {arm: record["NumberAnalysed"][arm]}
                assert (one["Scheme"], one["AdjustedFor"]) == ("sign-flips", [])
                assert one["AllDrawsMade"] == (one["NumberOfDraws"] == 2 ** record["NumberAnalysed"][arm])


def test_corrections_name_their_family(routes):
    for record, _, sidecars in routes:
        for path, one in sidecars.items():
            stat, n = Name.parse(path).entities["stat"], f"{record['NodesCompared']:,} "
            assert (one["Correction"] != "none") == (stat in ("pFdr", "pFwe", "pFweAll"))
            assert one["Family"].startswith(n) == (one["Correction"] != "none")
            assert ("both signs" in one["Family"]) == (stat in ("pFwe", "pFweAll"))
            if stat == "pFweAll":
                assert all(feature["Title"] in one["Family"] for feature in record["Features"])


def test_tables_call_the_same_the_same(compared):
    paths = [path for path in (compared / "group" / "tables").glob("*.tsv") if not path.name.endswith("_relmat.tsv")]
    assert len(paths) > 20
    for path in paths:
        table = pd.read_csv(path, sep="\t", dtype={"participant_id": str})
        assert not {"metric", "feature", "participant", "subject"} & set(table), path
        assert ("measure" in table) == ("edges" in table), path
        assert "participant_id" not in table or table["participant_id"].str.startswith("sub-").all(), path
