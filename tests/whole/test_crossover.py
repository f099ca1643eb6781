"""A cross-over trial whose sessions are named by treatment: from the tables to the page."""

import json
import re

import nibabel as nib
import numpy as np
import pytest
import statsmodels.api as sm
from conftest import SHAPE, SMALL, SmallTrial, bold_data, save_bold
from outputs import mean_of, table, visible

from bids_app.trial.wording import CARRY_OVER

ORDERS = {"ketamine-placebo": ("01", "02", "03", "04"), "placebo-ketamine": ("05", "06", "07", "08")}
EVERYONE = sum(ORDERS.values(), ())
WORDS = ("--design", "crossover", "--n-permutations", "1000", "--map-values", "raw")
ASKED = (*SMALL, *WORDS, "--outcomes", "hamd", "--robustness")
OTHER_DESIGN = re.compile(r"\b(arms?|baselines?|follow-?ups?|ANCOVA)\b", re.IGNORECASE)
N_VOLUMES, LEFT = 60, slice(0, SHAPE[0] // 2)
TREATMENT, PERIOD = 14.0, 9.0  # how much more the left half has of a common signal under ketamine, and in period 2


def planted(bold, label, session):
    """Give the left half of the brain a common signal, which raises its degree."""
    first = next(order for order, labels in ORDERS.items() if label in labels).partition("-")[0]
    amount = TREATMENT * (session == "ketamine") + PERIOD * (session != first)
    data = bold_data(sum(map(ord, bold.name)), N_VOLUMES)
    common = np.sin(2 * np.pi * 0.05 * 2.0 * np.arange(N_VOLUMES) + int(label))
    data[LEFT] += (amount * common).astype(np.float32)
    save_bold(bold, data)


@pytest.fixture(scope="module")
def study(tmp_path_factory, app):
    """Four who had ketamine first and four who had placebo first; sub-08 has no second period."""
    root = tmp_path_factory.mktemp("crossover")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for label in EVERYONE:
        for session in ("ketamine", "placebo"):
            if (label, session) != ("08", "ketamine"):
                planted(trial.add_run(label, session), label, session)
    trial.add_arms("sequence", **{f"s{label}": order for order, labels in ORDERS.items() for label in labels})
    for label in EVERYONE:
        rows = f"ses-ketamine\t{5 + int(label) % 3}\nses-placebo\t{9 + int(label) % 4}\n"
        (trial.bids / f"sub-{label}").mkdir()
        (trial.bids / f"sub-{label}" / f"sub-{label}_sessions.tsv").write_text(f"session_id\thamd\n{rows}")
    assert app(trial.bids, root / "out", "participant", *SMALL).code == 0
    return trial


@pytest.fixture(scope="module")
def compared(study, app):
    out = study.bids.parent / "out"
    outcome = app(study.bids, out, "group", *ASKED)
    assert outcome.code == 0, outcome.said
    return out, outcome


def test_the_effect_is_ketamine_minus_placebo_by_least_squares_on_half_differences(compared):
    out, _ = compared
    rows = [
        (order == "ketamine-placebo", *(mean_of(out, label, session) for session in order.split("-")))
        for order, labels in ORDERS.items()
        for label in labels
        if label != "08"
    ]
    active_first, first, second = np.array(rows, dtype=float).T
    fit = sm.OLS((first - second) / 2, np.column_stack([active_first, np.ones(7)])).fit()
    (row,) = table(out / "group", "wholebrain").to_dict("records")
    assert (row["estimator"], row["n"]) == ("crossover", 7)
    assert row["difference"] == pytest.approx(fit.params[0], rel=1e-6)
    assert row["t"] == pytest.approx(fit.tvalues[0], rel=1e-6)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(fit.conf_int()[0]), rel=1e-6)
    assert row["difference"] > 0
    assert row["p"] == pytest.approx(1 / 35)  # of all sequences that four of seven can have first, the most extreme
    paired = np.where(active_first == 1, first - second, second - first)
    assert paired.mean() != pytest.approx(row["difference"], rel=0.01), "the period is in the mean of the pairs"


def test_the_planted_effect_is_found_where_it_is_and_the_period_beside_it(compared):
    out, _ = compared
    (p_fwe,) = (out / "group").glob("maps/*/*_stat-pFwe_desc-degreeR025_statmap.nii.gz")
    t, image = nib.load(p_fwe.with_name(p_fwe.name.replace("stat-pFwe", "stat-t"))).get_fdata(), nib.load(p_fwe)
    found = image.get_fdata() <= 0.05
    assert found.sum() > 20
    assert (t[found] > 0).all()
    places = nib.affines.apply_affine(image.affine, np.argwhere(found))
    assert (places[:, 0] < 0).mean() > 0.6, "smoothed by 20 mm over the middle"
    clusters = table(out / "group", "clusters")
    directions = dict(clusters[["estimator", "direction"]].itertuples(index=False))
    assert directions["crossover"] == "ketamine > placebo"
    assert directions["period"] == "period 1 < period 2" or directions["period"] == "period 2 > period 1"


def test_the_files_are_named_by_treatments_and_the_flow_says_which_session_was_which_period(compared):
    out, _ = compared
    assert list((out / "group").glob("tables/*contrast-ketamineVsPlacebo*_flow.tsv"))
    flow = table(out / "group", "flow").set_index("participant_id")
    assert flow.loc["sub-01", ["arm", "period1_session", "period2_session"]].tolist() == [
        "ketamine first",
        "ketamine",
        "placebo",
    ]
    assert flow.loc["sub-08", ["arm", "period1_session"]].tolist() == ["placebo first", "placebo"]
    assert flow.loc["sub-08", "reason"] == "period 2: no scan"
    assert flow["analysed"].sum() == 7
    assert not [column for column in flow if "baseline" in column or "followup" in column]
    motion = table(out / "group", "motion")
    assert set(motion["visit"]) == {
        "period 1",
        "period 2",
        "ketamine − placebo, half the difference of the periods",
    }


def test_the_record_says_the_design(compared):
    out, _ = compared
    (path,) = (out / "group").glob("*_design.json")
    record = json.loads(path.read_text())
    assert (record["ComparisonOf"], record["Treatments"]) == ("crossover", ["ketamine", "placebo"])
    assert record["Contrast"] == "ketamine − placebo"
    assert record["NumberAnalysed"] == {"ketamine first": 4, "placebo first": 3}
    assert (record["Headline"], list(record["Estimators"])) == ("crossover", ["crossover", "first-period"])
    assert list(record["Descriptive"]) == ["period", "carry-over"]
    assert (record["Draws"], record["AllAllocationsEnumerated"]) == (35, True)
    assert not record["Covariates"]


def test_scores_of_both_periods_are_compared_as_the_maps_are(compared):
    out, _ = compared
    (row,) = table(out / "group", "outcomes").to_dict("records")
    assert (row["method"], row["analysis"], row["population"]) == ("crossover", "main", "with both periods")
    assert (row["n_active"], row["n_reference"]) == (4, 4)  # also of whom a scan is missing
    difference = {int(label): (5 + int(label) % 3) - (9 + int(label) % 4) for label in EVERYONE}
    halves = [np.mean([difference[int(label)] for label in labels]) / 2 for labels in ORDERS.values()]
    assert row["estimate"] == pytest.approx(sum(halves))
    scores = table(out / "group", "scores")
    own = scores[scores["participant_id"] == "sub-05"].set_index("visit")["value"]
    assert own.to_dict() == {"period1": 10, "period2": 7}
    assert not list((out / "group").glob("tables/*missing.tsv")) + list(
        (out / "group").glob("tables/*_association.tsv")
    )


def test_the_regions_are_read_of_both_periods_by_every_choice(compared):
    out, _ = compared
    roi = table(out / "group", "roi")
    assert set(roi["visit"]) == {"period1", "period2"}
    sensitivity, robustness = table(out / "group", "sensitivity"), table(out / "group", "robustness")
    assert set(robustness["estimator"]) == {"crossover"}
    primary = robustness[robustness["primary"]].set_index("region")["estimate"]
    headline = sensitivity[sensitivity["variation"].str.startswith("none")].set_index("region")["estimate"]
    assert headline.notna().all()
    assert primary[headline.index].to_numpy() == pytest.approx(headline.to_numpy(), rel=1e-5)


def test_the_page_speaks_of_treatments_sequences_and_periods(compared):
    out, outcome = compared
    page = visible((out / "group" / "index.html").read_text())
    found = {
        match.group(): page[max(0, match.start() - 60) : match.end() + 30] for match in OTHER_DESIGN.finditer(page)
    }
    assert not found
    assert "the treatments differ in" in page
    assert CARRY_OVER.split(":")[0] in page
    methods = (out / "logs" / "CITATION.md").read_text()
    ours = methods[methods.index("## Comparison") : methods.index("## Plan")]
    assert not OTHER_DESIGN.findall(ours)
    assert "ketamine was compared with placebo within participants" in ours
    (path,) = (out / "group").glob("*_design.json")
    assert not OTHER_DESIGN.findall(json.dumps(json.loads(path.read_text())["Findings"]))
    for sidecar in (out / "group").glob("maps/*/*_statmap.json"):
        assert not OTHER_DESIGN.findall(sidecar.read_text()), sidecar
    assert "'ketamine' is compared with 'placebo' within participants" in " ".join(outcome.said.split())


def test_the_pages_are_made_anew_alike(compared, study, app):
    out, _ = compared
    before = {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}
    assert app(study.bids, out, "group", *ASKED, "--reports-only").code == 0
    assert before == {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}


def test_check_says_who_could_be_compared(study, app, tmp_path):
    outcome = app("check", study.bids, tmp_path / "out", *WORDS)
    assert outcome.code == 0, outcome.said
    assert "ketamine compared with placebo, period 1 and period 2" in outcome.said
    assert "7 of 8 would be compared" in outcome.said
    assert "no: no period 2" in outcome.said


def test_without_the_order_the_refusal_says_what_would_tell_it(study, app, tmp_path):
    rows = "".join(f"sub-{label}\t{30 + int(label)}\n" for label in EVERYONE)
    told = (study.bids / "participants.tsv").read_text()
    (study.bids / "participants.tsv").write_text(f"participant_id\tage\n{rows}")
    outcome = app("check", study.bids, tmp_path / "out", *WORDS)
    (study.bids / "participants.tsv").write_text(told)
    assert outcome.code == 65
    said = " ".join(outcome.said.split())
    assert (
        "The order of the treatments is not known: sessions are named by treatment (ses-ketamine, ses-placebo)" in said
    )
    assert "Without it the treatment cannot be told from the period." in said
