"""Cross-over trials whose periods have baselines: which sessions these are, by labels, options and times."""

import pandas as pd
import pytest

from bids_app.errors import DataError, UsageError
from bids_app.group.analyses import analyses_of
from bids_app.settings.settings import Trial
from bids_app.trial.flow import by_visit, counts, participant_flow
from bids_app.trial.flow_table import flow_columns, read_flow, written
from bids_app.trial.outcomes import outcome_table, two_visits
from bids_app.trial.study import find_study
from bids_app.trial.tables import read_tables

FIRST = {"01": "drug", "02": "drug", "03": "placebo", "04": "placebo"}
OTHER = {"drug": "placebo", "placebo": "drug"}
BY_TREATMENT = ("drugpre", "drugpost", "placebopre", "placebopost")
IN_ORDER = ("pre1", "post1", "pre2", "post2")
DAYS = [f"2021-0{month}-01T10:00:00" for month in range(1, 5)]


@pytest.fixture
def found(tmp_path):
    """Return what writes the tables of four participants, and settles what is compared of their scans."""

    def find(sessions, rows=None, **options):
        lines = [f"sub-{name}\t{first}-{OTHER[first]}\n" for name, first in FIRST.items()]
        (tmp_path / "participants.tsv").write_text("participant_id\tsequence\n" + "".join(lines))
        for name, of in (rows or {}).items():
            (tmp_path / f"sub-{name}").mkdir(exist_ok=True)
            table = pd.DataFrame({key: [f"ses-{v}" for v in of[key]] if key == "session_id" else of[key] for key in of})
            table.to_csv(tmp_path / f"sub-{name}" / f"sub-{name}_sessions.tsv", sep="\t", index=False, na_rep="n/a")
        scanned = {(name, session) for name in FIRST for session in sessions}
        return find_study(read_tables(tmp_path), scanned, Trial(design="crossover", **options))

    return find


def said(study):
    return " ".join(one.text for one in study.findings)


def test_labels_that_mean_before_are_the_baselines_of_their_treatments(found):
    study = found(BY_TREATMENT)
    assert study.first.has_baselines
    periods = study.sequences.periods
    assert (periods["01", "drugpre"], periods["01", "drugpost"]) == ("baseline1", "period1")
    assert (periods["03", "drugpre"], periods["03", "placebopre"]) == ("baseline2", "baseline1")
    assert "baselines within the periods, because the labels mean before treatment" in said(study)
    assert "Their difference is adjusted for" in said(study)


@pytest.mark.parametrize(
    ("sessions", "options"),
    [
        (BY_TREATMENT, {"baseline": ("pre",), "followup": ("post",)}),
        (BY_TREATMENT, {"followup": ("post",)}),
        (("drug0", "drug2", "placebo0", "placebo2", "drug10", "placebo10"), {"baseline": ("0",), "followup": ("2",)}),
        (("druga", "drugb", "placeboa", "placebob"), {"baseline": ("druga", "placeboa")}),
    ],
)
def test_baselines_are_named_by_what_their_labels_have_in_common(found, sessions, options):
    study = found(sessions, **options)
    own = {session: period for (name, session), period in study.sequences.periods.items() if name == "01"}
    assert own == dict(zip(sessions, ("baseline1", "period1", "baseline2", "period2"), strict=False))


@pytest.mark.parametrize(
    ("sessions", "options"),
    [
        (IN_ORDER, {}),
        (IN_ORDER, {"baseline": ("pre1", "pre2")}),
        (("a", "b", "c", "d"), {"baseline": ("a", "c"), "followup": ("b", "d")}),
    ],
)
def test_sessions_of_the_same_labels_for_everyone(found, sessions, options):
    study = found(sessions, **options)
    names = dict(zip(sessions, ("baseline1", "period1", "baseline2", "period2"), strict=True))
    assert study.sequences.periods == {(who, session): names[session] for who in FIRST for session in sessions}


def test_outcomes_by_treatment_may_have_baselines_of_the_same_labels_for_everyone(found):
    study = found(("drug", "placebo", "b1", "b2"), baseline=("b1", "b2"))
    periods = study.sequences.periods
    assert [periods["03", one] for one in ("drug", "placebo", "b1", "b2")] == [
        "period2",
        "period1",
        "baseline1",
        "baseline2",
    ]


def test_one_common_baseline_stays_unused_and_it_is_said(found):
    study = found(("drug", "placebo", "baseline"))
    assert not study.first.has_baselines
    assert "ses-baseline: not the outcome of a period, and not used" in said(study)
    with pytest.raises(UsageError, match=r"--baseline baseline: there are two periods.*a common one before period 1"):
        found(("drug", "placebo", "baseline"), baseline=("baseline",))
    with pytest.raises(UsageError, match="--baseline and --followup are both b"):
        found(("a", "b", "c"), baseline=("a", "b"), followup=("b", "c"))
    with pytest.raises(UsageError, match="--baseline start: sessions are"):
        found(("drug", "placebo"), baseline=("start",))


def test_baselines_of_one_treatment_only_are_refused(found):
    with pytest.raises(UsageError, match="--baseline drugpre: baselines of drug only"):
        found(BY_TREATMENT, baseline=("drugpre",), followup=("post",))


def test_baselines_after_their_outcome_are_refused(found):
    order = {"drug": (0, 1, 2, 3), "placebo": (2, 3, 0, 1)}
    rows = {
        name: {"session_id": BY_TREATMENT, "acq_time": [DAYS[day] for day in order[first]]}
        for name, first in FIRST.items()
    }
    assert found(BY_TREATMENT, rows).first.has_baselines
    rows["02"]["acq_time"] = [DAYS[1], DAYS[0], DAYS[2], DAYS[3]]
    with pytest.raises(DataError, match=r"acq_time of sub-02: baselines and periods are not in turn \(baseline1 and"):
        found(BY_TREATMENT, rows)


def test_the_flow_needs_all_four_and_is_read_again(found, tmp_path):
    study = found(BY_TREATMENT)
    (design,) = study.designs
    assert (
        list(design.visits.values())
        == list(design.columns.values())
        == ["period1", "period2", "baseline1", "baseline2"]
    )
    assert list(design.called.values()) == ["period 1", "period 2", "baseline of period 1", "baseline of period 2"]
    assert [design.given("drug first", one) for one in ("baseline1", "period1", "baseline2")] == [
        *("drug", "drug"),
        "placebo",
    ]
    flow = participant_flow(study.tables, design, by_visit([]), {}, 4.0)
    assert flow.loc[0, "reason"].endswith("baseline of period 1: no scan; baseline of period 2: no scan")
    assert counts(flow, design).loc["with all"].tolist() == [0, 0]
    rows = written(flow, design)
    assert set(rows) == set(flow_columns(design))
    rows.to_csv(tmp_path / "flow.tsv", sep="\t", index=False, na_rep="n/a")
    assert set(read_flow(tmp_path / "flow.tsv")) == set(flow)


def test_what_is_compared_and_adjusted_for(found):
    (design,) = found(BY_TREATMENT).designs
    analyses = analyses_of(Trial(design="crossover", estimator="crossover"), design)
    assert [one.key for one in analyses] == [
        *("crossover", "unadjusted", "first-period", "period", "carry-over"),
        "baseline-carry-over",
    ]
    assert [one.estimand(design).adjusts for one in analyses] == [
        ("difference of the baselines",),
        (),
        ("baseline1",),
        ("difference of the baselines",),
        (),
        (),
    ]
    assert analyses[-1].estimand(design).outcome == {"baseline1": -1, "baseline2": 1}
    assert analyses[-1].direction(1, design) == "drug first > placebo first"
    assert (
        analyses[0].text("voxel", design).endswith("adjusted for the difference of their baselines in the same voxel")
    )


def test_scores_have_the_difference_of_their_baselines(found):
    values = {"h": [10, 5, 8, 7]}
    study = found(BY_TREATMENT, {name: {"session_id": BY_TREATMENT, **values} for name in FIRST})
    (design,) = study.designs
    data = two_visits(outcome_table(study.tables, design, ["h"]), "h", design)
    assert data.baseline.tolist() == [5, 5, 7, 7]
    assert data.of_baselines.tolist() == [2, 2, -2, -2]
