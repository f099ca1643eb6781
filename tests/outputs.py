"""What a run left: the tables of a comparison, the mean of a map, and what people see of a page."""

import json
import re
from pathlib import Path

import pandas as pd
from jsonschema import Draft202012Validator

import bids_app

SCHEMA = Path(bids_app.__file__).with_name("data") / "results.schema.json"


def table(folder, suffix):
    """Read the one table of its kind in a folder of the group level."""
    (path,) = folder.glob(f"tables/*_{suffix}.tsv")
    return pd.read_csv(path, sep="\t", na_values="n/a", dtype={"participant_id": str})


def mean_of(out, name, session):
    """Return the mean degree of a participant at a session, as the sidecar of the map has it."""
    (path,) = (out / f"sub-{name}" / f"ses-{session}").rglob("*_stat-degree_desc-r025_boldmap.json")
    return json.loads(path.read_text())["Mean"]


def visible(page):
    """Return what people see or hear of a page: its text and what stands for its pictures."""
    text = re.sub(r"<(style|script).*?</\1>|srcdoc=\"[^\"]*\"|src=\"[^\"]*\"", " ", page, flags=re.DOTALL)
    heard = " ".join(re.findall(r'(?:alt|aria-label|title)="([^"]*)"', text))
    return re.sub(r"<[^>]*>", " ", text) + heard


def require_schema(out):
    """Hold every results.json of the group level against the schema that is published."""
    schema = Draft202012Validator(json.loads(SCHEMA.read_text()))
    for path in (out / "group").rglob("results.json"):
        wrong = [f"{error.json_path}: {error.message}" for error in schema.iter_errors(json.loads(path.read_text()))]
        assert wrong == [], path
