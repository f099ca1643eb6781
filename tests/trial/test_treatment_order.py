"""Cross-over trials: who was given which treatment in which period, by whatever says it."""

import json

import pandas as pd
import pytest

from bids_app.bids.values import Codebook
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError, UsageError
from bids_app.group.analyses import Analysis, analyses_of
from bids_app.settings.settings import Trial
from bids_app.trial import sequences
from bids_app.trial.covariates import read_column
from bids_app.trial.flow import by_visit, participant_flow
from bids_app.trial.flow_table import flow_columns, read_flow, written
from bids_app.trial.period_reading import read_treatments
from bids_app.trial.study import find_study
from bids_app.trial.tables import read_tables
from bids_app.trial.treatments import read_order

FIRST = {"01": "ketamine", "02": "ketamine", "03": "placebo", "04": "placebo"}
OTHER = {"ketamine": "placebo", "placebo": "ketamine"}
NAMED = ("ketamine", "placebo")
OF_DRUG = Trial(design="crossover")


def find_sequences(tables, scanned, trial):
    """Read the tables, and settle the trial of what was read."""
    return sequences.find_sequences(read_treatments(tables, scanned, trial))


@pytest.fixture
def dataset(tmp_path):
    """Return what writes the tables of a dataset, column by column, and reads them."""

    def make(columns=None, levels=None, sessions=None):
        table = pd.DataFrame({"participant_id": [f"sub-{one}" for one in FIRST], "age": ["30", "31", "32", "33"]})
        table.assign(**(columns or {})).to_csv(tmp_path / "participants.tsv", sep="\t", index=False, na_rep="n/a")
        content = {name: {"Levels": of} for name, of in (levels or {}).items()}
        (tmp_path / "participants.json").write_text(json.dumps(content))
        for label, rows in (sessions or {}).items():
            folder = tmp_path / f"sub-{label}"
            folder.mkdir(exist_ok=True)
            pd.DataFrame(rows).to_csv(folder / f"sub-{label}_sessions.tsv", sep="\t", index=False, na_rep="n/a")
        return read_tables(tmp_path)

    return make


def scanned(*sessions):
    return {(label, session) for label in FIRST for session in sessions}


def orders(words):
    """Return a column of the four participants, of whom the first two had ketamine first."""
    return [words[0], words[0], words[1], words[1]]


def require_usual(found, sessions=NAMED):
    """Hold that two had ketamine first and two placebo, in sessions of these names."""
    assert (found.active, found.reference) == NAMED
    assert {one: order[0] for one, order in found.orders.items()} == FIRST
    for label, first in FIRST.items():
        ketamine, placebo = sessions
        of = {"ketamine": ketamine, "placebo": placebo}
        assert found.periods[label, of[first]] == "period1"
        assert found.periods[label, of[OTHER[first]]] == "period2"


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        (("ketamine-placebo", "placebo-ketamine"), None),
        (("ketamine then placebo", "Placebo then Ketamine"), None),
        (("ketamine first", "placebo first"), None),
        (("AB", "BA"), {"AB": "ketamine, then placebo", "BA": "placebo, then ketamine"}),
        (("1", "2"), {"1": "ketamine followed by placebo", "2": "placebo followed by ketamine"}),
        (("KP", "PK"), None),
    ],
)
def test_a_column_of_sequences(dataset, words, levels):
    tables = dataset({"sequence": orders(words)}, {"sequence": levels} if levels else None)
    found = find_sequences(tables, scanned(*NAMED), Trial(reference_arm="placebo"))
    require_usual(found)
    assert found.evidence == "sequence"


def test_letters_that_nothing_explains_are_asked_about(dataset):
    tables = dataset({"sequence": orders(("AB", "BA"))})
    with pytest.raises(UsageError, match=r"'A' and 'B' and 'ketamine' and 'placebo'.*Levels in participants\.json"):
        find_sequences(tables, scanned(*NAMED), OF_DRUG)
    found = find_sequences(tables, scanned("1", "2"), Trial(reference_arm="B"))
    assert found.names == ("A first", "B first")


def test_sessions_of_everyone_in_one_order_are_the_periods(dataset):
    tables = dataset({"treatment_order": orders(("ketamine-placebo", "placebo-ketamine"))})
    found = find_sequences(tables, scanned("1", "2"), OF_DRUG)
    assert found.periods == {(label, session): f"period{session}" for label, session in scanned("1", "2")}
    assert {one: order[0] for one, order in found.orders.items()} == FIRST
    assert any(
        "ses-1 is period 1 and ses-2 is period 2, because the labels say so" in one.text for one in found.findings
    )


def test_a_column_of_sessions_tsv_with_times(dataset):
    days = ("2021-01-01T10:00:00", "2021-02-01T10:00:00")
    sessions = {
        label: {
            "session_id": ["ses-a", "ses-b"],
            "treatment": NAMED,
            "acq_time": days[:: 1 if first == "ketamine" else -1],
        }
        for label, first in FIRST.items()
    }
    found = find_sequences(dataset(sessions=sessions), scanned("a", "b"), OF_DRUG)
    require_usual(found, ("a", "b"))
    assert found.evidence == "acq_time"


def test_a_column_of_sessions_tsv_with_sessions_in_order(dataset):
    sessions = {
        label: {"session_id": ["ses-1", "ses-2"], "drug": [first, OTHER[first]]} for label, first in FIRST.items()
    }
    found = find_sequences(dataset(sessions=sessions), scanned("1", "2"), OF_DRUG)
    assert {one: order[0] for one, order in found.orders.items()} == FIRST
    assert found.periods["03", "1"] == "period1"


def test_a_baseline_without_a_treatment_is_no_period(dataset):
    sessions = {
        label: {"session_id": ["ses-0", "ses-1", "ses-2"], "drug": ["n/a", first, OTHER[first]]}
        for label, first in FIRST.items()
    }
    found = find_sequences(dataset(sessions=sessions), scanned("0", "1", "2"), OF_DRUG)
    assert ("01", "0") not in found.periods
    assert any("ses-0: not the outcome of a period, and not used" in one.text for one in found.findings)


def test_a_column_for_each_period(dataset):
    columns = {"infusion_1": orders("kp"), "infusion_2": orders("pk")}
    levels = {name: {"k": "ketamine", "p": "placebo"} for name in columns}
    tables = dataset(columns, levels)
    require_usual(find_sequences(tables, scanned(*NAMED), OF_DRUG))
    require_usual(find_sequences(tables, scanned("k2", "p2"), OF_DRUG), ("k2", "p2"))
    found = find_sequences(tables, scanned("k2", "p2", "k10", "p10", "b0"), Trial(followup=("10",)))
    require_usual(found, ("k10", "p10"))
    require_usual(find_sequences(tables, scanned("k2", "p2", "k10", "p10"), Trial(followup=("k2", "p2"))), ("k2", "p2"))
    with pytest.raises(UsageError, match=r"ses-k2, ses-k10 of ketamine .*--followup 2 or --followup 10\.$"):
        find_sequences(tables, scanned("k2", "p2", "k10", "p10"), OF_DRUG)


def test_who_has_one_period_stated_had_the_other_treatment_in_the_other(dataset):
    columns = {"drug_1": ["ketamine", "ketamine", None, "placebo"], "drug_2": ["placebo", None, "ketamine", "ketamine"]}
    found = find_sequences(dataset(columns), scanned(*NAMED), OF_DRUG)
    require_usual(found)
    assert any("one treatment is not stated for sub-02, sub-03 (2)" in one.text for one in found.findings)


def test_sessions_named_by_treatment_are_put_in_order_by_everyones_times(dataset):
    days = ("2021-01-01T10:00:00", "2021-02-01T10:00:00")
    sessions = {
        label: {"session_id": ["ses-ketamine", "ses-placebo"], "acq_time": days[:: 1 if first == "ketamine" else -1]}
        for label, first in FIRST.items()
    }
    require_usual(find_sequences(dataset(sessions=sessions), scanned(*NAMED), OF_DRUG))


def test_without_an_order_it_is_said_what_would_tell_it(dataset):
    with pytest.raises(
        DataError, match=r"The order of the treatments is not known: sessions are named by treatment"
    ) as error:
        find_sequences(dataset(), scanned(*NAMED), OF_DRUG)
    for what in ("acq_time", "ketamine-placebo", "period_1, period_2", "cannot be told from the period"):
        assert what in str(error.value)


def test_scans_without_a_session_are_of_no_period(dataset):
    with pytest.raises(DataError, match="the two periods of a cross-over trial are two sessions"):
        find_sequences(dataset(), scanned(""), OF_DRUG)


def test_scores_of_a_session_without_a_scan_are_of_its_period_too(dataset):
    sessions = {label: {"session_id": ["ses-ketamine", "ses-placebo"], "hamd": [1, 2]} for label in FIRST}
    tables = dataset({"sequence": orders(("ketamine-placebo", "placebo-ketamine"))}, sessions=sessions)
    found = find_sequences(tables, scanned(*NAMED) - {("03", "ketamine")}, OF_DRUG)
    assert found.told(tables).sessions.loc[("03", "period2"), "hamd"] == 1


def test_what_was_measured_after_a_treatment_is_not_adjusted_for(dataset):
    sessions = {label: {"session_id": ["ses-ketamine", "ses-placebo"], "pulse": [60, 70]} for label in FIRST}
    tables = dataset({"sequence": orders(("ketamine-placebo", "placebo-ketamine"))}, sessions=sessions)
    study = find_study(tables, scanned(*NAMED), OF_DRUG)
    with pytest.raises(UsageError, match="pulse is a column of sessions: in a cross-over trial every session is after"):
        read_column(study.tables, study.first, "pulse")
    assert read_column(study.tables, study.first, "age").is_number


def test_a_session_that_is_called_as_a_period_and_is_none_is_refused(dataset):
    tables = dataset({"sequence": orders(("ketamine-placebo", "placebo-ketamine"))})
    with pytest.raises(UsageError, match="ses-period1: periods are called so here"):
        find_sequences(tables, scanned(*NAMED, "period1"), OF_DRUG)
    found = find_sequences(tables, scanned("period1", "period2"), OF_DRUG)
    assert {visit[1]: period for visit, period in found.periods.items()} == {one: one for one in ("period1", "period2")}


def test_everyone_in_one_order_is_refused(dataset):
    tables = dataset({"sequence": ["ketamine-placebo"] * 4})
    with pytest.raises(DataError, match="Everyone had ketamine first"):
        find_sequences(tables, scanned(*NAMED), OF_DRUG)


def test_sources_that_contradict_each_other_are_named(dataset):
    days = ("2021-01-01T10:00:00", "2021-02-01T10:00:00")
    sessions = {
        label: {
            "session_id": ["ses-ketamine", "ses-placebo"],
            "acq_time": days[:: 1 if label in ("01", "02", "03") else -1],
        }
        for label in FIRST
    }
    tables = dataset({"sequence": orders(("ketamine-placebo", "placebo-ketamine"))}, sessions=sessions)
    with pytest.raises(
        DataError, match=r"sequence and acq_time contradict each other .* of sub-03: placebo then ketamine"
    ):
        find_sequences(tables, scanned(*NAMED), OF_DRUG)
    wrong = {label: {"session_id": ["ses-ketamine", "ses-placebo"], "drug": NAMED[::-1]} for label in FIRST}
    with pytest.raises(DataError, match=r"labels of the sessions and sessions\.tsv say different treatments: sub-01"):
        find_sequences(dataset(sessions=wrong), scanned(*NAMED), OF_DRUG)


def test_what_is_open_is_asked_with_the_option(dataset):
    with pytest.raises(
        UsageError, match=r"Which treatment is the reference: lsd or mdma\? Say so with --reference-arm"
    ):
        find_sequences(dataset({"sequence": orders(("lsd-mdma", "mdma-lsd"))}), scanned("1", "2"), OF_DRUG)
    three = dataset({"sequence": ["lsd-placebo", "placebo-lsd", "mdma-placebo", "lsd-mdma"]})
    with pytest.raises(UsageError, match=r"'lsd' and 'mdma' and 'placebo'\. Choose them with --arms"):
        find_sequences(three, scanned("1", "2"), OF_DRUG)
    found = find_sequences(three, scanned("1", "2"), Trial(arms=("lsd", "placebo")))
    assert sorted(found.orders) == ["01", "02"]
    assert any("no order of these two treatments for sub-03, sub-04 (2)" in one.text for one in found.findings)
    usual = dataset({"sequence": orders(("ketamine-placebo", "placebo-ketamine"))})
    with pytest.raises(UsageError, match=r"Sessions are 0, 1, 2: which are the outcomes of period 1 and of period 2\?"):
        find_sequences(usual, scanned("0", "1", "2"), OF_DRUG)
    found = find_sequences(usual, scanned("0", "1", "2"), Trial(followup=("1", "2")))
    assert found.periods["01", "2"] == "period2"
    with pytest.raises(UsageError, match="--arm dose: no such column"):
        find_sequences(usual, scanned("1", "2"), Trial(arm="dose"))
    with pytest.raises(UsageError, match="--arm age: no value says an order of treatments"):
        find_sequences(usual, scanned("1", "2"), Trial(arm="age"))


@pytest.mark.parametrize("word", ["unknown", "3", "control", "01"])
def test_words_that_are_no_order(word):
    assert read_order(word, Codebook({})) is None


def test_the_design_speaks_of_treatments_and_its_arms_are_the_sequences(dataset):
    tables = dataset({"sequence": orders(("ketamine-placebo", "placebo-ketamine"))})
    study = find_study(tables, scanned(*NAMED), OF_DRUG)
    (design,) = study.designs
    assert (design.active, design.reference) == ("ketamine first", "placebo first")
    assert (design.contrast, design.sides, design.comparison) == ("ketamine − placebo", NAMED, "ketamine − placebo")
    assert design.called == {"baseline": "period 1", "followup": "period 2"}
    assert study.tables.participants["sequence"].tolist() == orders(("ketamine first", "placebo first"))
    trial = Trial(design="crossover", estimator="crossover")
    found = analyses_of(trial, design)
    assert [one.key for one in found] == ["crossover", "first-period", "period", "carry-over"]
    assert [one.suffix for one in found] == ["", "FirstPeriod", "Period", "CarryOver"]
    assert [one.direction(1, design) for one in found] == [
        "ketamine > placebo",
        "ketamine > placebo",
        "period 1 > period 2",
        "ketamine first > placebo first",
    ]
    assert [one.key for one in analyses_of(trial, design, describes=False)] == ["crossover", "first-period"]
    assert Analysis("crossover").estimand(design).outcome == {"period1": 0.5, "period2": -0.5}


def test_the_flow_is_written_by_periods_and_read_again(dataset, tmp_path):
    tables = dataset({"sequence": orders(("ketamine-placebo", "placebo-ketamine"))})
    study = find_study(tables, scanned(*NAMED), OF_DRUG)
    (design,) = study.designs
    flow = participant_flow(study.tables, design, by_visit([]), {}, 4.0)
    assert flow.loc[0, "reason"] == "period 1: no scan; period 2: no scan"
    rows = written(flow, design)
    assert set(rows) == set(flow_columns(design))
    assert "period1_session" in rows
    assert not [column for column in rows if "baseline" in column or "followup" in column]
    rows.to_csv(tmp_path / "flow.tsv", sep="\t", index=False, na_rep="n/a")
    assert set(read_flow(tmp_path / "flow.tsv")) == set(flow)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--estimator", "ancova"], "--design crossover with --estimator ancova"),
        (["--slopes", "age"], "--design crossover with --slopes"),
        (["--outcomes", "h", "--cutoffs", "h:response=50%"], "--design crossover with --cutoffs"),
    ],
)
def test_what_a_crossover_has_no_place_for_is_refused(words, message):
    with pytest.raises(UsageError, match=message):
        parse(["bids", "out", "group", "--design", "crossover", *words])


def test_its_estimator_is_of_no_other_design():
    with pytest.raises(UsageError, match="--estimator crossover is that of --design crossover"):
        parse(["bids", "out", "group", "--estimator", "crossover"])


def real(folder, scans):
    names = {
        (path.parts[-2].removeprefix("sub-"), path.name.removeprefix("ses-")) for path in scans.glob("sub-*/ses-*")
    }
    return read_tables(folder), names


def test_the_ketamine_trial(shared_data):
    folder = shared_data / "bids_trees" / "ds005917_ketamine_rct"
    if not folder.is_dir():
        pytest.skip("not there")
    tables, names = real(folder, folder)
    found = find_sequences(tables, names, Trial(design="crossover", followup=("2",)))
    assert (found.active, found.reference, found.evidence) == ("Ketamine", "Placebo", "infusion_1 and infusion_2")
    assert found.orders["MOA101"] == ("Ketamine", "Placebo")
    assert (found.periods["MOA101", "d2"], found.periods["MOA102", "d2"]) == ("period1", "period2")
    assert {session for _, session in found.periods} == {"d2", "p2"}


def test_the_psilocybin_trial_does_not_say_its_order(shared_data):
    folder = shared_data / "psilocybin_crossover"
    if not folder.is_dir():
        pytest.skip("not there")
    tables, names = real(folder / "bids", folder / "derivatives-xcpd")
    with pytest.raises(DataError, match=r"not known: sessions are named by treatment \(ses-placebo, ses-psilocybin\)"):
        find_sequences(tables, names, OF_DRUG)
