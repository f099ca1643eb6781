"""The schema of results.json has what the code writes, and refuses what it does not."""

import json
from dataclasses import fields

import pytest
from jsonschema import Draft202012Validator
from outputs import SCHEMA, require_schema

from bids_app.report.answer import Answer, AtLook, Drawn, Found, Result, Statement
from bids_app.settings.roles import ROLES

DEFINED = {"statement": Statement, "place": Found, "result": Result, "drawn": Drawn, "look": AtLook}
CONTENT = json.loads(SCHEMA.read_text())
RESULT = {"estimand": "adjusted", "measure": "degree", "role": "primary", "p": 0.01, "which_p": "p_fwe"}
RESULT |= {"files": ["x.tsv"]}


def of_trial(**changes):
    result = RESULT | changes
    place = {"place": "left", "text": "a > b", "results": [result]}
    statement = {"role": "primary", "about": "voxels", "text": "the arms differ.", "differs": True, "tested": 5}
    statement |= {"found": [place], "results": []}
    drawn = {"about": "voxels", "draws": 100, "not_settled": []}
    beside = {"could_see": "", "objectives": [], "draws": [drawn, drawn | {"at_most": 1000, "not_settled": ["x"]}]}
    return {"contrast": "a - b", "analysed": {"a": 3, "b": 3}, "statements": [statement], **beside}


def test_the_schema_is_one_and_describes_every_field():
    Draft202012Validator.check_schema(CONTENT)
    parts = {Answer: CONTENT, **{kind: CONTENT["$defs"][name] for name, kind in DEFINED.items()}}
    for kind, part in parts.items():
        assert set(part["properties"]) == {field.name for field in fields(kind)}
        always = {field.name for field in fields(kind) if field.default is not None}
        assert set(part["required"]) == always, "what is not known is left out of the file"
    said = CONTENT["$defs"]["result"]["properties"]
    assert all("description" in one for name, one in said.items() if name != "role")
    assert tuple(CONTENT["$defs"]["role"]["enum"]) == ROLES


@pytest.mark.parametrize("changes", [{}, {"hedges_g": "n/a", "p": "n/a"}, {"n": 6, "effect": -1.5}])
def test_what_the_app_writes_fits(tmp_path, changes):
    (tmp_path / "group" / "aVsB").mkdir(parents=True)
    (tmp_path / "group" / "aVsB" / "results.json").write_text(json.dumps(of_trial(**changes)))
    require_schema(tmp_path)


@pytest.mark.parametrize("changes", [{"p": 1.5}, {"which_p": "p_fdr"}, {"role": "main"}, {"new": 1}, {"n": 2.5}])
def test_what_it_does_not_write_is_refused(tmp_path, changes):
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "results.json").write_text(json.dumps(of_trial(**changes)))
    with pytest.raises(AssertionError, match=r"results.json"):
        require_schema(tmp_path)
