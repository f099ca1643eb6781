"""A crafted dataset writes nowhere else, runs nothing, and puts nothing into the pages but text."""

import ast
import json
import os
import string
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import NOTHING_WRONG
from conftest import SMALL

import bids_app
from bids_app.bids.names import Name, build

PACKAGE = Path(bids_app.__file__).parent
RUN = PACKAGE.parent / "run.py"
FORBIDDEN = {
    *("eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "yaml.load", "yaml.unsafe_load"),
    *("os.system", "os.popen", "subprocess.getoutput", "marshal.loads", "shelve.open", "joblib.load"),
}
EVIL = "<script>document.title='evil'</script>"
SCORE = "<b onclick>score</b>"
IMAGE = '"><img src=x onerror="document.title=1">'


def calls():
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.relative_to(PACKAGE), node, ast.unparse(node.func)


def test_nothing_of_the_users_is_run_or_unpickled():
    assert [(str(path), name) for path, _, name in calls() if name in FORBIDDEN] == []


def test_no_shell_and_no_pickled_arrays():
    for path, node, name in calls():
        for keyword in node.keywords:
            assert (keyword.arg, ast.unparse(keyword.value)) not in {("shell", "True"), ("allow_pickle", "True")}, path
        assert not (name == "np.load" and len(node.args) > 2), path


def test_pages_escape_by_themselves():
    (environment,) = [node for _, node, name in calls() if name == "jinja2.Environment"]
    assert ast.unparse(next(word.value for word in environment.keywords if word.arg == "autoescape")) == "True"
    templates = "".join(path.read_text() for path in (PACKAGE / "data" / "templates").glob("*.jinja"))
    assert "| safe" not in templates
    assert "autoescape false" not in templates


@pytest.fixture
def crafted(empty_trial):
    """A trial of parcel series whose labels, columns and names are HTML."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(1, 9):
        for session in ("1", "2"):
            place = empty_trial.fmriprep / f"sub-0{number}" / f"ses-{session}" / "func"
            place.mkdir(parents=True)
            table = pd.DataFrame(rng.normal(size=(40, 4)) + rng.normal(size=(40, 1)), columns=[EVIL, IMAGE, "a&b", "c"])
            path = place / f"sub-0{number}_ses-{session}_task-rest_atlas-X_timeseries.tsv"
            table.to_csv(path, sep="\t", index=False)
            path.with_suffix(".json").write_text('{"RepetitionTime": 3.0}')
        rows.append((f"sub-0{number}", ("placebo", EVIL)[number % 2], rng.normal(), 40 + number))
    people = pd.DataFrame(rows, columns=["participant_id", "arm", SCORE, "age"])
    people.to_csv(empty_trial.bids / "participants.tsv", sep="\t", index=False)
    return empty_trial


def test_html_in_labels_columns_and_names_is_text_on_every_page(crafted, app, browse, tmp_path):
    out = tmp_path / "out"
    options = ("--min-minutes", "1", "--n-permutations", "50", "--threshold", "0.1", "--alpha", "0.9")
    assert app(crafted.bids, out, "participant", *options).code == 0
    outcome = app(crafted.bids, out, "group", *options, "--outcomes", SCORE, "--covariates", "age")
    assert outcome.code == 0, outcome.said
    pages = [*out.glob("*.html"), *out.glob("group/*.html"), *out.glob("logs/*.html")]
    assert len(pages) == 8 + 1 + 1 + 2
    assert "&lt;script&gt;" in (out / "group" / "index.html").read_text()
    for page in pages:
        assert EVIL not in page.read_text(), page.name
        assert SCORE not in page.read_text(), page.name
        assert "<img src=x" not in page.read_text(), page.name
    found = browse(out / "group" / "index.html")
    assert replace(found, cut={}) == NOTHING_WRONG, "a label of 40 letters without a blank may be wider than its column"


def test_labels_of_arms_lead_to_no_other_folder(crafted, app, tmp_path):
    people = pd.read_csv(crafted.bids / "participants.tsv", sep="\t")
    people["arm"] = people["arm"].replace(EVIL, "../../../../../tmp/evil")
    people.to_csv(crafted.bids / "participants.tsv", sep="\t", index=False)
    out = tmp_path / "out"
    options = ("--min-minutes", "1", "--n-permutations", "50", "--threshold", "0.1")
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)}
    assert app(crafted.bids, out, "participant", *options).code == 0
    assert app(crafted.bids, out, "group", *options).code == 0
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)} == before
    designs = list((out / "group").glob("*_design.json"))
    assert designs
    for design in designs:
        assert set(Name.parse(design).entities["contrast"]) <= set(string.ascii_letters)


@pytest.mark.parametrize("value", ["../x", "a/b", "..", "a_b", ""])
def test_values_of_entities_make_no_path(value):
    name = Name.parse(f"sub-01_task-{value}_bold.nii.gz")
    assert "/" not in build({key: one for key, one in name.entities.items() if "/" not in one}, "bold", ".nii.gz")


@pytest.mark.parametrize("place", ["sub-01", "group", "logs/status"])
def test_links_that_lead_out_of_the_output_are_not_written_through(trial, app, tmp_path, place):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / place).parent.mkdir(parents=True, exist_ok=True)
    (out / place).symlink_to(elsewhere)
    outcome = app(trial.bids, out, "participant", *SMALL)
    assert outcome.code == 73, outcome.said
    assert "is a link that leads out of the output folder" in outcome.said
    assert list(elsewhere.iterdir()) == []


def test_links_within_the_output_are_as_good_as_files(trial, app, tmp_path):
    """As an annex of DataLad keeps its files."""
    out = tmp_path / "out"
    (out / "kept").mkdir(parents=True)
    (out / "sub-01").symlink_to(out / "kept")
    assert app(trial.bids, out, "participant", *SMALL).code == 0
    assert list((out / "kept").rglob("*boldmap.nii.gz"))


def test_names_with_blanks_and_letters_of_all_kinds(empty_trial, app, tmp_path):
    bids = tmp_path / "Stüdie № 1 (final)"
    empty_trial.add_run()
    empty_trial.add_arms(s01="placebo")
    empty_trial.bids.rename(bids)
    out = tmp_path / "résultats d'été"
    assert app(bids, out, "participant", *SMALL).code == 0
    assert json.loads((out / "dataset_description.json").read_text())["DatasetLinks"]["raw"] == "../Stüdie № 1 (final)"
    assert list(out.rglob("*boldmap.nii.gz"))


def test_a_description_that_links_elsewhere_changes_nothing(trial, app, tmp_path):
    path = trial.fmriprep / "dataset_description.json"
    content = json.loads(path.read_text()) | {"DatasetLinks": {"raw": "file:///etc"}, "SourceDatasets": [{"URL": "x"}]}
    path.write_text(json.dumps(content))
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL).code == 0
    links = json.loads((tmp_path / "out" / "dataset_description.json").read_text())["DatasetLinks"]
    assert "file:///etc" not in links.values()


@pytest.mark.parametrize("name", ["sourcedata", "notes", "code"])
def test_links_of_the_user_in_the_output_are_left_alone(trial, app, tmp_path, name):
    """As YODA lays a dataset out: sourcedata of the results leads to the raw data."""
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(tmp_path / "nowhere" if name == "notes" else trial.bids)
    outcome = app(trial.bids, out, "participant", *SMALL)
    assert outcome.code == 0, outcome.said
    assert (out / name).is_symlink()


@pytest.mark.parametrize("letter", ["\n", "\r", "\x1b"])
def test_a_path_with_a_control_character_is_refused(trial, app, tmp_path, letter):
    outcome = app(trial.bids, tmp_path / f"a{letter}b", "participant", *SMALL)
    assert outcome.code == 64, outcome.said
    assert "control character" in outcome.said
    assert list(tmp_path.glob("a*b")) == []


def test_a_current_folder_that_is_gone_is_no_matter(trial, app, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL).code == 0


def test_a_limit_on_the_size_of_files_is_said(trial, tmp_path):
    words = [sys.executable, RUN, trial.bids, tmp_path / "out", "participant", *SMALL, "--skip-bids-validation"]
    limited = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)); "
    limited += "os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", limited, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 73, done.stderr
    assert "File too large" in done.stderr
    assert "fault of the app" not in done.stderr


def test_a_locale_without_unicode_is_no_matter(trial, tmp_path):
    env = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    out = tmp_path / "résultats"
    words = [sys.executable, RUN, trial.bids, out, "participant", *SMALL, "--skip-bids-validation"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert list(out.rglob("*boldmap.nii.gz"))
