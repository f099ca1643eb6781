"""Whatever bytes come, the app ends with a known exit code and one message."""

import json
import shutil

import pytest
from conftest import MNI, SMALL, SmallTrial
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bids_app.cli.main import main

pytestmark = pytest.mark.slow
CODES = {0, 16, 17, 18, 64, 65, 66, 73}
SOME = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
WORDS = st.sampled_from(
    [
        "participant_id",
        "sub-01",
        "sub-02",
        "arm",
        "placebo",
        "drug",
        "n/a",
        "ses-1",
        "session_id",
        "1",
        "1,5",
        "",
        "é",
        "\x00",
    ]
)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=0, max_size=5)
TABLES = st.one_of(
    st.binary(max_size=80),
    st.tuples(LINES, st.sampled_from("\t,;")).map(
        lambda table: "\n".join(table[1].join(line) for line in table[0]).encode()
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["Name", "GeneratedBy", "DatasetType", "RepetitionTime", "Levels", "arm", "bold", "Version"])
DOCUMENTS = st.one_of(
    st.binary(max_size=60),
    st.dictionaries(KEYS, VALUES, max_size=4).map(lambda content: json.dumps(content).encode()),
)


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzz")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for participant in ("01", "02"):
        for session in ("1", "2"):
            trial.add_run(participant, session, hollow=True)
    trial.add_arms(s01="placebo", s02="drug")
    return trial


@pytest.fixture
def spoiled(trial, capsys):
    """Call the app's check with one file replaced, then put the file back."""

    def call(path, content, *options):
        whole = path.read_bytes() if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        try:
            code = main(["check", str(trial.bids), str(trial.bids.parent / "out"), *map(str, options)])
        finally:
            path.unlink() if whole is None else path.write_bytes(whole)
        said = capsys.readouterr()
        heard = said.out + said.err
        assert code in CODES, heard
        assert "Traceback" not in heard
        assert "a fault of the app" not in heard, heard
        assert said.err.count("trialgraph: ") == (code != 0), heard
        return code

    return call


@SOME
@given(content=TABLES)
def test_participants(trial, spoiled, content):
    spoiled(trial.bids / "participants.tsv", content)


@SOME
@given(content=TABLES)
def test_sessions(trial, spoiled, content):
    spoiled(trial.bids / "sub-01" / "sub-01_sessions.tsv", content)


@SOME
@given(content=TABLES)
def test_phenotype(trial, spoiled, content):
    spoiled(trial.bids / "phenotype" / "score.tsv", content, "--outcomes", "arm")


@SOME
@given(content=DOCUMENTS)
def test_descriptions_of_columns(trial, spoiled, content):
    spoiled(trial.bids / "participants.json", content)


@SOME
@given(content=DOCUMENTS)
def test_descriptions_of_datasets(trial, spoiled, content):
    spoiled(trial.fmriprep / "dataset_description.json", content)


@SOME
@given(content=DOCUMENTS)
def test_sidecars(trial, spoiled, content):
    spoiled(trial.file(f"*_space-{MNI}_desc-preproc_bold.json"), content)


@SOME
@given(content=DOCUMENTS)
def test_filters(trial, spoiled, tmp_path_factory, content):
    path = tmp_path_factory.mktemp("filter") / "filter.json"
    spoiled(path, content, "--bids-filter-file", path)


@SOME
@given(content=st.one_of(st.binary(max_size=60), st.text(alphabet='[]="\nabcmetrics 0.', max_size=60).map(str.encode)))
def test_plans(trial, spoiled, tmp_path_factory, content):
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    spoiled(path, content, "--plan", path)


@pytest.mark.parametrize("seed", range(4))
def test_confounds(seed, app, tmp_path):
    """Of a real run, for these are read when a scan is processed."""
    trial = SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "fmriprep").begin()
    trial.add_run()
    path = trial.file("*confounds_timeseries.tsv")
    text = path.read_text()
    lines = text.splitlines()
    broken = [
        text.replace("\t", ","),
        text.replace("trans_x\t", "trans x\t"),
        "\n".join([lines[0], *(line.replace("0.", "x.") for line in lines[1:])]),
        text.replace("csf", "csf\t", 1),
    ][seed]
    path.write_text(broken)
    outcome = app(trial.bids, tmp_path / "out", "participant", *SMALL)
    assert outcome.code in (65, 66), outcome.said
    assert "an error of the app" not in outcome.said
    shutil.rmtree(tmp_path / "out")
