"""Cross-over trials of more than two treatments or periods: who was given what in which period, by whatever says it."""

import json

import numpy as np
import pandas as pd
import pytest

from bids_app.errors import DataError, UsageError
from bids_app.settings.settings import Trial
from bids_app.stats.sequences import told_apart
from bids_app.trial import several_periods
from bids_app.trial.period_reading import read_treatments
from bids_app.trial.periods_found import PeriodsNotCompared
from bids_app.trial.study import find_study
from bids_app.trial.tables import read_tables

CROSSOVER = Trial(design="crossover")
NAMES = ("ketamine", "lsd", "placebo")
WILLIAMS = ("klp", "lpk", "pkl", "plk", "klp", "lpk")  # of the initials
ORDERS = {
    f"0{n + 1}": tuple(next(one for one in NAMES if one[0] == letter) for letter in word)
    for n, word in enumerate(WILLIAMS)
}
TWICE = {"01": "ABB", "02": "BAA", "03": "ABB", "04": "BAA"}
DAYS = ("2021-01-01T10:00:00", "2021-02-01T10:00:00", "2021-03-01T10:00:00")


def find_several(tables, scanned, trial):
    """Read the tables, and settle the trial of what was read."""
    return several_periods.find_several(read_treatments(tables, scanned, trial))


@pytest.fixture
def dataset(tmp_path):
    """Return what writes columns of participants.tsv and rows of sessions.tsv, by participant, and reads them."""

    def make(columns=None, sessions=None, levels=None, everyone=tuple(ORDERS)):
        table = pd.DataFrame(
            {"participant_id": [f"sub-{one}" for one in everyone], "age": [str(30 + n) for n in range(len(everyone))]}
        )
        table = table.assign(**{name: [of.get(one) for one in everyone] for name, of in (columns or {}).items()})
        table.to_csv(tmp_path / "participants.tsv", sep="\t", index=False, na_rep="n/a")
        (tmp_path / "participants.json").write_text(
            json.dumps({name: {"Levels": of} for name, of in (levels or {}).items()})
        )
        for label, rows in (sessions or {}).items():
            folder = tmp_path / f"sub-{label}"
            folder.mkdir(exist_ok=True)
            pd.DataFrame(rows).to_csv(folder / f"sub-{label}_sessions.tsv", sep="\t", index=False, na_rep="n/a")
        return read_tables(tmp_path)

    return make


def scans(*sessions, of=tuple(ORDERS)):
    return {(label, session) for label in of for session in sessions}


SEQUENCE = {"sequence": {one: "-".join(order) for one, order in ORDERS.items()}}
EACH = {f"infusion_{n + 1}": {one: order[n] for one, order in ORDERS.items()} for n in range(3)}
TIMED = {
    one: {"session_id": [f"ses-{name}" for name in NAMES], "acq_time": [DAYS[order.index(name)] for name in NAMES]}
    for one, order in ORDERS.items()
}
GIVEN = {one: {"session_id": ["ses-1", "ses-2", "ses-3"], "drug": order} for one, order in ORDERS.items()}


@pytest.mark.parametrize(
    ("columns", "sessions", "labels", "evidence"),
    [
        (SEQUENCE, None, ("1", "2", "3"), "sequence"),
        (SEQUENCE, None, NAMES, "sequence"),
        (EACH, None, ("1", "2", "3"), "infusion_1 and infusion_2 and infusion_3"),
        (EACH, None, NAMES, "infusion_1 and infusion_2 and infusion_3"),
        (None, GIVEN, ("1", "2", "3"), "the order of the sessions"),
        (None, TIMED, NAMES, "acq_time"),
        (SEQUENCE, TIMED, NAMES, "sequence and acq_time"),
        (EACH, GIVEN, ("1", "2", "3"), "infusion_1 and infusion_2 and infusion_3 and the order of the sessions"),
    ],
)
def test_each_way_of_writing_tells_the_same(dataset, columns, sessions, labels, evidence):
    found = find_several(dataset(columns, sessions), scans(*labels), CROSSOVER)
    assert found.treatments == NAMES
    assert found.orders == ORDERS
    assert found.evidence == evidence
    by_period = labels == ("1", "2", "3")
    expected = {
        (one, str(n + 1) if by_period else name): n for one, order in ORDERS.items() for n, name in enumerate(order)
    }
    assert found.periods == expected
    assert any("ketamine then lsd then placebo: 2; " in one.text for one in found.findings)


def test_letters_of_two_treatments_in_three_periods(dataset):
    tables = dataset({"sequence": TWICE}, levels={"sequence": {"A": "ketamine", "B": "placebo"}}, everyone=tuple(TWICE))
    found = find_several(tables, scans("1", "2", "3", of=TWICE), CROSSOVER)
    assert found.orders["02"] == ("placebo", "ketamine", "ketamine")
    assert found.title == "2 treatments in 3 periods (ketamine, placebo)"
    asked = dataset({"sequence": TWICE}, everyone=tuple(TWICE))
    with pytest.raises(UsageError, match=r"Which treatment is the reference: A or B\?"):
        find_several(asked, scans("1", "2", "3", of=TWICE), CROSSOVER)
    with pytest.raises(UsageError, match=r"sequence .* name 4 treatments for 3 periods.*under Levels"):
        find_several(asked, scans("ketamine", "placebo", of=TWICE), CROSSOVER)


def test_a_treatment_twice_by_sessions_is_two_periods_only_if_that_is_said(dataset):
    drug = {"A": "ketamine", "B": "placebo"}
    rows = {
        one: {"session_id": ["ses-1", "ses-2", "ses-3"], "drug": [drug[letter] for letter in order]}
        for one, order in TWICE.items()
    }
    tables, scanned = dataset(sessions=rows, everyone=tuple(TWICE)), scans("1", "2", "3", of=TWICE)
    assert find_several(tables, scanned, CROSSOVER) is None
    with pytest.raises(UsageError, match="There are several sessions of one treatment"):
        find_study(tables, scanned, CROSSOVER)
    found = find_several(tables, scanned, Trial(design="crossover", followup=("1", "2", "3")))
    assert found.orders["01"] == ("ketamine", "placebo", "placebo")
    assert found.periods["01", "3"] == 2


def test_three_treatments_in_two_periods_each_are_compared_only_if_all_are_named(dataset):
    said = {"01": "lsd-placebo", "02": "placebo-lsd", "03": "ketamine-placebo", "04": "lsd-ketamine"}
    tables, scanned = dataset({"sequence": said}, everyone=tuple(said)), scans("1", "2", of=said)
    assert find_several(tables, scanned, CROSSOVER) is None
    found = find_several(tables, scanned, Trial(design="crossover", arms=NAMES))
    assert found.orders["04"] == ("lsd", "ketamine")
    assert found.title == "3 treatments in 2 periods (ketamine, lsd, placebo)"


def test_who_lacks_a_period_is_placed_by_what_says_it(dataset):
    gone = {("01", ORDERS["01"][1]), ("02", ORDERS["02"][0])}
    by_name = find_several(dataset(SEQUENCE, TIMED), scans(*NAMES) - gone, CROSSOVER)
    assert by_name.scans("01") == {0: "ketamine", 2: "placebo"}
    assert by_name.scans("02") == {1: "placebo", 2: "ketamine"}
    rows = {one: {name: list(of)[: 2 if one == "01" else 3] for name, of in own.items()} for one, own in GIVEN.items()}
    by_label = find_several(dataset(sessions=rows), scans("1", "2", "3") - {("01", "3")}, CROSSOVER)
    assert sorted(by_label.orders) == ["02", "03", "04", "05", "06"]
    assert any("not known of sub-01 (1)" in one.text and one.warning for one in by_label.findings)


def test_sources_that_contradict_each_other_are_named(dataset):
    wrong = {"sequence": {**SEQUENCE["sequence"], "03": "placebo-lsd-ketamine"}}
    with pytest.raises(
        DataError,
        match="sequence and acq_time contradict each other about the order of the treatments of sub-03: "
        "placebo then lsd then ketamine, or placebo then ketamine then lsd",
    ):
        find_several(dataset(wrong, TIMED), scans(*NAMES), CROSSOVER)
    gone = {("03", "placebo")}
    timed = {**TIMED, "03": {name: values[:2] for name, values in TIMED["03"].items()}}
    with pytest.raises(DataError, match="acq_time of sub-03: the sessions were not in the order of the treatments"):
        find_several(dataset(wrong, timed), scans(*NAMES) - gone, CROSSOVER)


def test_what_cannot_be_told_from_the_periods_is_refused(dataset):
    last = {"sequence": {one: ("ketamine-lsd-placebo", "lsd-ketamine-placebo")[n % 2] for n, one in enumerate(ORDERS)}}
    with pytest.raises(DataError, match="ketamine, lsd, placebo cannot be told from the periods: the sequences are"):
        find_several(dataset(last), scans("1", "2", "3"), CROSSOVER)


def test_without_an_order_it_is_said_what_would_tell_it(dataset):
    with pytest.raises(DataError, match=r"The order of the treatments is not known of anybody.*ketamine-lsd-placebo"):
        find_several(dataset(), scans(*NAMES), CROSSOVER)


@pytest.mark.parametrize("more", [{}, {"followup": ("post",)}, {"baseline": ("pre",)}])
def test_baselines_of_the_periods_are_found_by_treatment(dataset, more):
    both = [f"{name}{when}" for name in NAMES for when in ("pre", "post")]
    found = find_several(dataset(SEQUENCE), scans(*both), Trial(design="crossover", **more))
    assert found.scans("01") == {0: "ketaminepost", 1: "lsdpost", 2: "placebopost"}
    assert (found.session("02", "lsdpre"), found.session("02", "ketaminepre")) == ("baseline1", "baseline3")
    assert found.session("02", "placebopost") == "period2"
    assert any("baselines within the periods, because" in one.text for one in found.findings)
    study = find_study(dataset(SEQUENCE), scans(*both), Trial(design="crossover", **more))
    assert list(study.first.visits.values()) == [f"{one}{n}" for one in ("period", "baseline") for n in (1, 2, 3)]


def test_baselines_of_the_periods_are_found_by_labels_that_are_alike(dataset):
    labels = ("base1", "drug1", "base2", "drug2", "base3", "drug3")
    wanted = Trial(design="crossover", baseline=labels[::2], followup=labels[1::2])
    found = find_several(dataset(SEQUENCE), scans(*labels), wanted)
    assert [found.session("03", one) for one in labels] == [
        "baseline1",
        "period1",
        "baseline2",
        "period2",
        "baseline3",
        "period3",
    ]
    with pytest.raises(UsageError, match="there are 3 periods"):
        find_several(dataset(SEQUENCE), scans(*labels), Trial(design="crossover", baseline=labels[:1]))


def test_a_baseline_of_a_treatment_that_was_given_twice_is_asked_about(dataset):
    letters = {"sequence": {"A": "ketamine", "B": "placebo"}}
    tables = dataset({"sequence": TWICE}, levels=letters, everyone=tuple(TWICE))
    labels = [f"{name}{when}" for name in ("ketamine", "placebo") for when in ("pre", "post")]
    with pytest.raises(UsageError, match="Which baseline is that of which period"):
        find_several(tables, scans(*labels, of=TWICE), CROSSOVER)


def test_which_sessions_are_the_periods_is_asked(dataset):
    with pytest.raises(UsageError, match="Sessions are 0, 1, 2, 3: which are those of the 3 periods"):
        find_several(dataset(SEQUENCE), scans("0", "1", "2", "3"), Trial(design="crossover", followup=()))
    found = find_several(
        dataset(SEQUENCE), scans("0", "1", "2", "3"), Trial(design="crossover", followup=("1", "2", "3"))
    )
    assert found.orders == ORDERS
    four = {"sequence": {one: f"{text}-mdma" for one, text in SEQUENCE["sequence"].items()}}
    with pytest.raises(UsageError, match="leaves out treatments of the order"):
        find_several(dataset(four), scans("1", "2", "3", "4"), Trial(design="crossover", arms=NAMES))
    with pytest.raises(UsageError, match="ketamine then lsd then placebo: more than two periods; two are compared"):
        find_study(dataset(SEQUENCE), scans(*NAMES), Trial(design="crossover", arms=("lsd", "placebo")))


def test_answers_in_columns_with_numbers_are_no_treatments(dataset):
    answers = {f"response_{n}": {one: ("yes", "no")[(int(one) + n) % 2] for one in ORDERS} for n in (1, 2, 3)}
    found = find_several(dataset({**SEQUENCE, **answers}), scans("1", "2", "3"), CROSSOVER)
    assert found.treatments == NAMES


def test_every_treatment_is_compared_with_the_reference_or_all_in_pairs_or_by_weights(dataset):
    tables, scanned = dataset(SEQUENCE), scans("1", "2", "3")
    study = find_study(tables, scanned, CROSSOVER)
    assert [one.contrast for one in study.designs] == ["ketamine − placebo", "lsd − placebo"]
    assert study.first.levels == ("placebo", "ketamine", "lsd")
    assert study.first.arms == tuple(sorted({"-".join(order) for order in ORDERS.values()}))
    assert study.tables.participants["sequence"]["02"] == "lsd-placebo-ketamine"
    assert study.first.given("lsd-placebo-ketamine", "period2") == "placebo"
    asked = Trial(design="crossover", contrasts=("all-pairs", "both=lsd=0.5 ketamine=0.5 placebo=-1"))
    study = find_study(tables, scanned, asked)
    assert [one.contrast for one in study.designs][2:] == ["lsd − ketamine"]
    (both,), left = study.by_weights(study.designs)
    assert ([both.weight(one) for one in both.levels], both.sides, left) == ([-1, 0.5, 0.5], ("both",), [])
    doses = find_study(tables, scanned, Trial(design="crossover", dose=("placebo=0", "lsd=1", "ketamine=2")))
    assert [doses.weighted[0].row([one])[0] for one in doses.first.levels] == [-0.5, 0.5, 0]
    with pytest.raises(UsageError, match="--ordinal hamd: ranks are not made"):
        find_study(tables, scanned, Trial(design="crossover", ordinal=("hamd",)))
    with pytest.raises(UsageError, match="give the dose of each treatment"):
        find_study(tables, scanned, Trial(design="crossover", dose=("age",)))


def test_what_cannot_be_compared_says_what_was_found(dataset):
    last = {"sequence": {one: ("ketamine-lsd-placebo", "lsd-ketamine-placebo")[n % 2] for n, one in enumerate(ORDERS)}}
    with pytest.raises(
        PeriodsNotCompared, match=r"^3 treatments in 3 periods \(ketamine, lsd, placebo\) were found, by sequence\."
    ) as refused:
        find_study(dataset(last), scans("1", "2", "3"), CROSSOVER)
    assert refused.value.found.rows[0][0] == "sub-01"


def test_who_had_what_in_which_period_is_listed(dataset):
    found = find_several(dataset(SEQUENCE), scans("1", "2", "3") - {("04", "2")}, CROSSOVER)
    assert found.heads == ("participant", "period 1", "period 2", "period 3")
    assert found.rows[3] == ("sub-04", "placebo, ses-1", "lsd, no scan", "ketamine, ses-3")


def test_two_of_them_can_be_compared_as_pairs_and_in_order_with_a_warning(dataset):
    pair = Trial(design="paired", arms=("lsd", "placebo"))
    study = find_study(dataset(SEQUENCE), scans(*NAMES), pair)
    assert study.sequences.treatments == ("lsd", "placebo")
    assert any(
        "sequence of participants.tsv says the order of more than two periods" in one.text for one in study.findings
    )
    by_time = find_study(dataset(sessions=TIMED), scans(*NAMES), Trial(design="crossover", arms=("lsd", "placebo")))
    assert by_time.sequences.sequence("01") == "lsd first"
    (said,) = [one for one in by_time.findings if "left out by --arms" in one.text]
    assert said.warning
    assert said.text.startswith("ketamine left out by --arms: period 1 is when the first of these two was given")


def test_two_columns_of_three_that_hold_the_same_two_treatments_are_no_trial_of_their_own(dataset):
    words = {"01": "kll", "02": "lkk", "03": "lkl", "04": "klk", "05": "lpk", "06": "kpl"}
    orders = {
        one: tuple(next(name for name in NAMES if name[0] == letter) for letter in word) for one, word in words.items()
    }
    columns = {f"drug_{n + 1}": {one: order[n] for one, order in orders.items()} for n in range(3)}
    found = find_several(dataset(columns), scans("1", "2", "3"), CROSSOVER)
    assert found.orders == orders


def test_a_session_that_is_no_treatment_is_asked_about(dataset):
    letters = {"sequence": dict(zip(ORDERS, ("KP", "PK") * 3, strict=True))}
    tables, scanned = dataset(letters), scans("ketamine", "placebo", "tour")
    assert find_several(tables, scanned, CROSSOVER) is None
    with pytest.raises(UsageError, match=r"'ketamine' and 'placebo' and 'tour'\. Choose them with --arms"):
        find_study(tables, scanned, CROSSOVER)
    with pytest.raises(DataError, match="If one of these is no treatment, name those that are with --arms"):
        find_several(dataset(), scanned, CROSSOVER)


@pytest.mark.parametrize("way", ["words", "letters", "columns", "treatment of sessions", "times"])
@pytest.mark.parametrize("seed", range(8))
def test_random_orders_are_read_as_they_were_drawn_or_refused(dataset, way, seed):
    rng = np.random.default_rng([2026, seed])
    names = ("placebo", "lsd", "mdma")[: 3 if way == "times" else rng.integers(2, 4)]
    sequences = [rng.permutation([*names, *rng.choice(names, 3 - len(names))]).tolist() for _ in range(4)]
    sequences[1] = [*sequences[0][1:], sequences[0][0]]  # not everyone has the same
    orders = {f"{n + 1:02d}": tuple(sequences[n % 4]) for n in range(9)}
    initials = {"sequence": {name[0].upper(): name for name in names}} if way == "letters" else None
    columns = {
        "words": {"sequence": {one: "-".join(order) for one, order in orders.items()}},
        "letters": {"sequence": {one: "".join(name[0].upper() for name in order) for one, order in orders.items()}},
        "columns": {f"drug_{n + 1}": {one: order[n] for one, order in orders.items()} for n in range(3)},
    }.get(way)
    labels = {one: order if way == "times" else ("1", "2", "3") for one, order in orders.items()}
    rows = {one: {"session_id": [f"ses-{label}" for label in own]} for one, own in labels.items()}
    for one, order in orders.items():
        more = {"treatment of sessions": {"treatment": order}, "times": {"acq_time": DAYS}}
        rows[one] |= more.get(way, {})
    tables = dataset(columns, rows if columns is None else None, initials, everyone=tuple(orders))
    scanned = {(one, label) for one, own in labels.items() for label in own}
    given = [[names.index(name) for name in order] for order in set(orders.values())]
    trial = Trial(design="crossover", followup=() if way == "times" else ("1", "2", "3"))
    if not told_apart(given):
        with pytest.raises(DataError, match="cannot be told from the periods"):
            find_several(tables, scanned, trial)
        return
    found = find_several(tables, scanned, trial)
    assert found.orders == orders
    assert found.periods == {(one, label): n for one, own in labels.items() for n, label in enumerate(own)}
