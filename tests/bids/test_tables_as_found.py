"""Tables as people have them: read if it is clear what is meant, and said."""

import logging

import pandas as pd
import pytest

from bids_app.bids.tables import read_table
from bids_app.errors import DataError, UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.outcomes import outcome_table
from bids_app.trial.study import find_study
from bids_app.trial.tables import read_tables

PLAIN = "participant_id\tarm\tage\nsub-01\tketamine\t41.5\nsub-02\tusual care\t38\n"


@pytest.fixture
def written(tmp_path):
    def write(content, name="participants.tsv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


WAYS = {
    "marks of Windows": PLAIN.replace("\n", "\r\n").encode("utf-8-sig"),
    "byte order mark": PLAIN.encode("utf-8-sig"),
    "commas": PLAIN.replace("\t", ","),
    "semicolons and decimal commas": PLAIN.replace("\t", ";").replace("41.5", "41,5"),
    "decimal commas": PLAIN.replace("41.5", "41,5"),
    "labels without sub-": PLAIN.replace("sub-", ""),
    "blanks around": PLAIN.replace("\t", " \t"),
    "no line end": PLAIN.rstrip(),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_table_in_other_clothes(written, way):
    plain = read_table(written(PLAIN, "plain.tsv"), ["participant_id"])
    table = read_table(written(WAYS[way]), ["participant_id"])
    table["arm"] = table["arm"].str.strip()
    pd.testing.assert_frame_equal(table, plain)


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("commas", "is separated by commas"),
        ("semicolons and decimal commas", "is separated by semicolons"),
        ("decimal commas", "decimal commas are read as points in age"),
    ],
)
def test_what_was_read_otherwise_is_said(written, caplog, monkeypatch, way, said):
    monkeypatch.setattr(logging.getLogger("bids_app"), "propagate", True)
    with caplog.at_level(logging.WARNING):
        read_table(written(WAYS[way]), ["participant_id"])
    assert said in caplog.text


def test_text_with_commas_stays_text(written):
    table = read_table(written('participant_id\tnote\nsub-01\t"1,2 or 3"\nsub-02\t1,2\n'), ["participant_id"])
    assert table["note"].tolist() == ["1,2 or 3", "1,2"]


@pytest.mark.parametrize("word", ["n/a", "N/A", "NA", ""])
def test_missing_in_any_spelling(written, word):
    table = read_table(written(PLAIN.replace("41.5", word)), ["participant_id"])
    assert table["age"].isna().tolist() == [True, False]


def test_an_arm_called_none_is_an_arm(written):
    assert read_table(written(PLAIN.replace("usual care", "None")), ["participant_id"])["arm"].tolist()[1] == "None"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00p\x00a", b"", b'participant_id\ta\n"sub-01\t1\n'])
def test_what_is_no_table_is_refused(written, content):
    with pytest.raises(DataError, match=r"participants.tsv"):
        read_table(written(content), ["participant_id"])


def design_of(tables, sessions, trial):
    (design,) = find_study(tables, {(who, ses) for who in tables.participants.index for ses in sessions}, trial).designs
    return design


def test_arms_coded_in_numbers_with_their_names(written, tmp_path):
    written("participant_id\tarm\nsub-1\t0\nsub-2\t1\nsub-3\t1\n")
    written('{"arm": {"Levels": {"0": "Placebo", "1": {"Description": "drug"}}}}', "participants.json")
    design = design_of(read_tables(tmp_path), {"1", "2"}, Trial())
    assert (design.active, design.reference) == ("1", "0")


def test_arms_coded_in_numbers_without_names_are_asked_for(written, tmp_path):
    written("participant_id\tarm\nsub-1\t0\nsub-2\t1\n")
    with pytest.raises(UsageError, match="Which arm is the reference: 0 or 1"):
        design_of(read_tables(tmp_path), {"1", "2"}, Trial())
    assert design_of(read_tables(tmp_path), {"1", "2"}, Trial(reference_arm="0")).active == "1"


def test_visits_named_by_date(written, tmp_path):
    written(PLAIN.replace("usual care", "placebo"))
    tables = read_tables(tmp_path)
    design = design_of(tables, {"20240105", "20240103"}, Trial())
    assert (design.baseline, design.followup) == ("20240103", "20240105")
    with pytest.raises(UsageError, match=r"named by date.*give it one in the preprocessed data"):
        design_of(tables, {"20240103", "20240105", "20240301", "20240304"}, Trial())


def test_scores_in_a_long_phenotype_file(written, tmp_path):
    written(PLAIN.replace("usual care", "placebo"))
    rows = "".join(f"sub-0{n},ses-{s},{10 * n + s}\n" for n in (1, 2) for s in (1, 2))
    written("participant_id,session_id,hamd17\n" + rows, "phenotype/hamd.tsv")
    tables = read_tables(tmp_path)
    design = design_of(tables, {"1", "2"}, Trial())
    values = outcome_table(tables, design, ["hamd17"]).pivot(index="participant", columns="visit", values="value")
    assert values.loc["01"].to_dict() == {"baseline": 11, "followup": 12}
    assert values.loc["02"].to_dict() == {"baseline": 21, "followup": 22}


def test_a_crossover_is_explained(written, tmp_path):
    written("participant_id\tgroup\tdrug_1\tdrug_2\nsub-1\tMDD\td\tp\nsub-2\tBP\tp\td\nsub-3\tHC\td\tp\n")
    with pytest.raises(UsageError, match=r"cross-over trial: drug_1, drug_2.*--design crossover.*--arm drug_1"):
        design_of(read_tables(tmp_path), {"b0", "d2", "p2"}, Trial())
