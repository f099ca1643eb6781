"""What of tables and options is left of the arms once they are blinded, the key, and the log of it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_app.bids.findings import Finding
from bids_app.errors import DataError, OutputError, UsageError
from bids_app.settings.deviation import Deviation
from bids_app.settings.plan import Plan
from bids_app.settings.settings import Settings, Trial
from bids_app.trial.blinding import blinded
from bids_app.trial.blinding_key import Key, draw_key, read_key
from bids_app.trial.blinding_log import append_event, departs_by_time, read_blinding, require_not_blind, told
from bids_app.trial.study import EVERYONE, find_study
from bids_app.trial.tables import Tables

PEOPLE = [f"{number:02d}" for number in range(1, 9)]
ARMS = ["Low dose", "placebo", "High dose", "placebo"] * 2
SCANNED = {(name, session) for name in PEOPLE for session in ("1", "2")}
COLUMNS = {
    "arm": ARMS,
    "dose": ["0.2", "0", "0.5", "0"] * 2,  # goes along with the arm
    "given": [f"got {arm.upper()}" for arm in ARMS],
    "sex": list("FFFFMMMM"),
    "age": list("12345678"),
}


def tables(**more):
    people = pd.DataFrame(COLUMNS | more, index=pd.Index(PEOPLE, name="participant_id"))
    index = pd.MultiIndex.from_product([PEOPLE, ["1", "2"]], names=["participant_id", "session_id"])
    return Tables(people, pd.DataFrame(index=index), {"arm": {"placebo": "nothing in it"}})


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "out" / "logs").mkdir(parents=True)
    trial = Trial(reference_arm="placebo")
    return Settings(
        *(tmp_path / "bids", tmp_path / "out", "group", tmp_path / "out" / "work"),
        blind="between",
        key=tmp_path / "key.json",
        trial=trial,
    )


def with_trial(settings, **words):
    return replace(settings, trial=replace(settings.trial, **words))


def test_letters_stand_for_arms_and_columns_that_tell_them_are_gone(settings):
    options, found = blinded(settings, tables(), SCANNED)
    letters = read_key(settings.key).letters
    assert set(letters.values()) == {"A", "B", "C"}
    assert found.participants["arm"].tolist() == [letters[arm] for arm in ARMS]
    assert list(found.participants) == ["arm", "sex", "age"]
    assert found.levels == {}
    trial = options.trial
    assert (trial.arm, trial.arms, trial.reference_arm) == ("arm", ("A", "B", "C"), "C")
    assert trial.contrasts == ("all-pairs",)
    study = find_study(found, SCANNED, trial)
    assert [one.contrast for one in study.designs] == ["A − C", "B − C", "B − A"]
    said = " ".join(one.text for one in study.findings).casefold()
    assert not [name for name in ("low dose", "high dose", "placebo") if name in said]


def test_arms_of_no_interest_are_letters_too_and_who_is_in_none_stays(settings):
    arms = ["drug", "placebo", "drug", "placebo", "open label", "withdrawn", "drug", "placebo"]
    options, found = blinded(
        with_trial(settings, arms=("drug", "placebo")), tables(arm=arms, given="", dose=""), SCANNED
    )
    letters = read_key(settings.key).letters
    assert letters["open label"] == "C"
    assert found.participants["arm"].tolist() == [letters.get(arm, arm) for arm in arms]
    assert options.trial.arms == ("A", "B")


def test_pooled_there_is_one_group_and_no_option_of_arms(settings):
    plan = Plan("degree", reference="placebo", further={"arms": ("placebo", "Low dose")})
    asked = with_trial(settings, plan=plan, contrasts=("reference", "x=1 -1 0"), dose=("dose",), slopes=("age",))
    options, found = blinded(replace(asked, blind="pooled"), tables(), SCANNED)
    assert set(found.participants["arm"]) == {EVERYONE}
    assert "placebo" not in options.to_json()
    assert "dose" not in json.loads(options.to_json())["trial"]["dose"]
    study = find_study(found, SCANNED, options.trial)
    assert [(one.active, one.baseline, one.followup) for one in study.designs] == [
        (EVERYONE, None, "1"),
        (EVERYONE, None, "2"),
    ]
    held = " ".join(one.text for one in found.findings)
    assert "made once the trial is unblinded: comparisons by weights, the slope over the dose, slopes" in held


def test_plan_and_departures_name_no_arm(settings):
    plan = Plan("degree", reference="placebo", further={"dose": ("dose",)}, hashes={"allocations": "0" * 64})
    departed = (Deviation("reference", "placebo", "Low dose"), Deviation("alpha", 0.05, 0.1))
    options, _ = blinded(with_trial(settings, plan=plan, departed=departed), tables(), SCANNED)
    text = options.to_json()
    assert not [word for word in ("placebo", "Low dose", "0" * 64) if word in text]
    assert "held back while blinded" in text
    assert options.trial.departed[1] == departed[1]


@pytest.mark.parametrize("value", ["names", "ones"])
def test_possible_allocations_are_in_letters(settings, tmp_path, value):
    arms = ["drug", "placebo"] * 4
    words = {"names": {"drug": "drug", "placebo": "placebo"}, "ones": {"drug": "1", "placebo": "0"}}[value]
    drawn = pd.DataFrame({"participant_id": PEOPLE, "x": [words[arm] for arm in arms]})
    drawn["y"] = drawn["x"].to_numpy()[::-1]
    drawn.to_csv(tmp_path / "drawn.tsv", sep="\t", index=False)
    settings.work_dir.mkdir()
    options, _ = blinded(
        with_trial(settings, allocations=tmp_path / "drawn.tsv"), tables(arm=arms, given="", dose=""), SCANNED
    )
    letters = read_key(settings.key).letters
    found = pd.read_csv(options.trial.allocations, sep="\t", dtype=str)
    assert found["x"].tolist() == [letters[arm] for arm in arms]
    assert found["y"].tolist() == [letters[arm] for arm in arms[::-1]]


@pytest.mark.parametrize("option", ["covariates", "strata"])
def test_what_tells_the_arm_is_refused_as_a_covariate(settings, option):
    with pytest.raises(UsageError, match="dose: it says the arm"):
        blinded(with_trial(settings, **{option: ("sex", "dose")}), tables(), SCANNED)
    assert not settings.key.exists()


def test_labels_that_name_an_arm_are_refused(settings):
    scanned = {(name, session) for name in PEOPLE for session in ("placebo", "2")}
    with pytest.raises(UsageError, match="ses-placebo say the arm"):
        blinded(settings, tables(), scanned)


def test_findings_of_the_tables_that_name_arms_are_counted_and_not_said(settings):
    found = replace(tables(), findings=(Finding("Values", "Two write 'Placebo '."), Finding("Values", "Age is fine.")))
    _, masked = blinded(settings, found, SCANNED)
    texts = [one.text for one in masked.findings]
    assert "Age is fine." in texts
    assert not [text for text in texts if "Placebo" in text]
    assert "Of the tables one thing that names arms, or their column, is not said here." in texts


def crossover(**columns):
    orders = ["ketamine-placebo", "placebo-ketamine"] * 4
    people = pd.DataFrame({"sequence": orders, "age": list("12345678")} | columns, index=pd.Index(PEOPLE))
    index = pd.MultiIndex.from_product([PEOPLE, ["1", "2"]], names=["participant_id", "session_id"])
    given = [word for order in orders for word in order.split("-")]
    return orders, Tables(people, pd.DataFrame({"drug": given}, index=index), {})


@pytest.mark.parametrize("by_session", [True, False])
def test_treatments_of_a_crossover_trial_are_letters(settings, by_session):
    orders, found = crossover(treatment_name=["K", "P"] * 4)
    found = found if by_session else replace(found, sessions=found.sessions.drop(columns="drug"))
    options, masked = blinded(with_trial(settings, design="crossover", estimator="crossover"), found, SCANNED)
    letters = read_key(settings.key).letters
    study = find_study(masked, SCANNED, options.trial)
    assert study.first.treatments == ("A", "B")
    expected = {
        name: tuple(letters[one] for one in order.split("-")) for name, order in zip(PEOPLE, orders, strict=True)
    }
    assert study.sequences.orders == expected
    text = options.to_json() + masked.participants.to_csv() + masked.sessions.to_csv()
    text += " ".join(one.text for one in study.findings)
    assert not [word for word in ("ketamine", "placebo", "treatment_name") if word in text]
    pooled, masked = blinded(
        replace(with_trial(settings, design="crossover", estimator="crossover"), blind="pooled"), found, SCANNED
    )
    assert [one.followup for one in find_study(masked, SCANNED, pooled.trial).designs] == ["1", "2"]
    assert "placebo" not in masked.participants.to_csv() + masked.sessions.to_csv()


def test_a_key_is_written_once_for_its_owner_and_keeps_its_letters(settings):
    _, first = blinded(settings, tables(), SCANNED)
    text = settings.key.read_text()
    assert settings.key.stat().st_mode & 0o777 == 0o600
    _, again = blinded(settings, tables(), SCANNED)
    assert settings.key.read_text() == text
    pd.testing.assert_frame_equal(first.participants, again.participants)
    with pytest.raises(OutputError, match="File exists"):
        draw_key(["drug"]).write(settings.key)


def test_letters_are_by_chance():
    """Of 200 keys about half give A to the first of two arms; fewer than 60 have a probability of 1e-8."""
    first = [draw_key(["a", "b"]).letters["a"] for _ in range(200)]
    assert 60 < first.count("A") < 140


def test_the_seal_hides_and_holds():
    one = Key(letters={"drug": "A", "placebo": "B"}, salt="s")
    assert one.digest == Key(letters={"placebo": "B", "drug": "A"}, salt="s", call=("x",)).digest
    others = (replace(one, salt="t"), replace(one, letters={"drug": "B", "placebo": "A"}))
    assert one.digest not in {other.digest for other in others}


def test_another_key_or_one_that_is_gone_is_refused(settings):
    blinded(settings, tables(), SCANNED)
    other = replace(settings, key=settings.key.with_name("other.json"))
    with pytest.raises(UsageError, match="is not there"):
        blinded(other, tables(), SCANNED)
    draw_key(["Low dose", "High dose", "placebo"]).write(other.key)
    with pytest.raises(DataError, match="another key"):
        blinded(other, tables(), SCANNED)


@pytest.mark.parametrize("name", ["group", "logs/20260101-101010_group_abcdefab", "group-earlier"])
def test_a_folder_in_which_arms_were_compared_by_name_is_not_sealed(settings, name):
    (settings.output_dir / name).mkdir()
    with pytest.raises(UsageError, match="was not blinded"):
        blinded(settings, tables(), SCANNED)
    assert read_blinding(settings.output_dir).seal is None


def test_after_unblinding_nothing_is_blind(settings):
    blinded(settings, tables(), SCANNED)
    with pytest.raises(UsageError, match=r"trialgraph unblind .*/out --key FILE"):
        require_not_blind(settings.output_dir)
    append_event(settings.output_dir, "unblinded", Plan="p1")
    require_not_blind(settings.output_dir)
    with pytest.raises(UsageError, match="was unblinded by"):
        blinded(settings, tables(), SCANNED)


def log_of(settings):
    path = settings.output_dir / "logs" / "blinding.jsonl"
    for event, plan in (("sealed", None), ("blinded", "p1"), ("unblinded", "p2"), ("compared", "p3")):
        append_event(settings.output_dir, event, Plan=plan, Seal="s")
    return path


def test_plans_of_before_are_told_from_those_of_after(settings):
    log_of(settings)
    found = {plan: departs_by_time(settings.output_dir, plan) for plan in ("p1", "p2", "p3", "p4", None)}
    assert [plan for plan, departed in found.items() if departed] == ["p3", "p4"]
    assert "first used, or changed, after the trial was unblinded" in found["p3"][0].text
    text = told(read_blinding(settings.output_dir))
    assert "looked at 1 time while blinded" in text
    assert "p2" in text


def changed(lines, number):
    line = json.loads(lines[number])
    return [*lines[:number], json.dumps(line | {"User": "nobody"}), *lines[number + 1 :]]


@pytest.mark.parametrize(
    ("tamper", "line"),
    [
        (lambda lines: changed(lines, 1), 2),
        (lambda lines: changed(lines, 3), 4),
        (lambda lines: lines[:1] + lines[2:], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2),
        (lambda lines: [*lines[:2], "{", *lines[2:]], 3),
    ],
)
def test_a_line_that_was_changed_taken_out_or_moved_is_found(settings, tamper, line):
    path = log_of(settings)
    assert read_blinding(settings.output_dir).damage is None
    path.write_text("\n".join(tamper(path.read_text().splitlines())) + "\n")
    assert read_blinding(settings.output_dir).damage.startswith(f"line {line} of ")
    with pytest.raises(DataError, match="The log of the blinding was changed"):
        require_not_blind(settings.output_dir)


def test_a_design_without_arms_has_nothing_to_blind(settings):
    with pytest.raises(UsageError, match="no arms that could be blinded"):
        blinded(with_trial(settings, design="one-group"), tables(), SCANNED)


def test_numbers_may_name_arms(settings):
    found = tables(arm=list("01010101"), given="", dose="", sex=["0", "1", "1", "0"] * 2)
    _, masked = blinded(with_trial(settings, reference_arm="0"), found, SCANNED)
    assert set(masked.participants["arm"]) == {"A", "B"}
    assert list(masked.participants["sex"]) == ["0", "1", "1", "0"] * 2
    assert np.all(masked.participants["age"] == found.participants["age"])


@pytest.mark.parametrize(
    "orders", [("drug-placebo", "placebo-drug"), ("low-high-placebo", "high-placebo-low", "placebo-low-high")]
)
def test_a_code_of_what_was_given_at_each_visit_is_no_outcome_of_a_blinded_cross_over(settings, orders):
    """A dose at each visit tells the treatment, though everyone had all of them; a score does not."""
    given = {who: orders[place % len(orders)].split("-") for place, who in enumerate(PEOPLE)}
    visits = [str(number + 1) for number in range(len(orders[0].split("-")))]
    index = pd.MultiIndex.from_product([PEOPLE, visits], names=["participant_id", "session_id"])
    doses = {name: str(0.1 * place) for place, name in enumerate(sorted(given[PEOPLE[0]]))}
    columns = {
        "mg": [doses[given[who][int(visit) - 1]] for who, visit in index],
        "period": [visit for _, visit in index],
        "score": [str((int(who) * 7 + int(visit) * 3) % 5) for who, visit in index],
    }
    people = pd.DataFrame(
        {"sequence": ["-".join(given[who]) for who in PEOPLE]}, index=pd.Index(PEOPLE, name="participant_id")
    )
    read = Tables(people, pd.DataFrame(columns, index=index), {}, logged=tuple(index))
    crossed = with_trial(settings, design="crossover")
    with pytest.raises(UsageError, match="--blind with --outcomes mg: it says the arm"):
        blinded(with_trial(crossed, outcomes=("mg",)), read, set(index))
    _, found = blinded(with_trial(crossed, outcomes=("score",)), read, set(index))
    assert set(found.sessions) >= {"period", "score"}
    assert "mg" not in found.sessions
