"""Nine people under placebo and under psilocybin, in an order that nobody knows: from public parcels to the page."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from bids_app.trial.wording import PAIRED

PARCELS = "psilocybin_crossover"
OTHER_WORDS = re.compile(r"\b(arms?|randomi[sz]\w*|baseline|follow-?up)\b")


@pytest.fixture(scope="module")
def compared(shared_data, tmp_path_factory, app):
    data, out = shared_data / PARCELS, tmp_path_factory.mktemp("paired") / "out"
    words = ("--derivatives", data / "derivatives-xcpd", "--parcel-metrics", "degree", "--n-null-graphs", "0")
    assert app(data / "bids", out, "participant", *words).code == 0
    outcome = app(data / "bids", out, "group", *words, "--design", "paired")
    assert outcome.code == 0, outcome.said
    return out, outcome


def table(folder, suffix):
    (path,) = (one for one in folder.glob(f"tables/*_{suffix}.tsv") if "desc-global" not in one.name)
    return pd.read_csv(path, sep="\t", na_values="n/a", dtype={"participant_id": str})


def degrees(out, session):
    paths = sorted(out.glob(f"sub-*/ses-{session}/**/*_desc-r025_nodes.tsv"))
    assert len(paths) == 9
    return np.stack([pd.read_csv(path, sep="\t")["degree"] for path in paths])


def test_every_parcel_has_the_paired_t_of_scipy(compared):
    out, _ = compared
    rows = table(out / "group", "nodes")
    assert set(rows["estimator"]) == {"within"}
    found = ttest_rel(degrees(out, "psilocybin"), degrees(out, "placebo"))
    np.testing.assert_allclose(rows["t"], found.statistic, rtol=1e-6)
    interval = found.confidence_interval(0.95)
    np.testing.assert_allclose(rows["ci_low"], interval.low, rtol=1e-6)
    np.testing.assert_allclose(rows["ci_high"], interval.high, rtol=1e-6)
    assert rows["t"].mean() == pytest.approx(found.statistic.mean())


def test_p_is_that_of_all_flips_and_of_their_largest_t(compared):
    out, _ = compared
    rows = table(out / "group", "nodes")
    change = degrees(out, "psilocybin") - degrees(out, "placebo")
    signs = np.array(np.meshgrid(*[(1, -1)] * 9)).reshape(9, -1).T
    flipped = signs[:, :, None] * change
    t = np.abs(flipped.mean(axis=1) / (flipped.std(axis=1, ddof=1) / 3))
    own = np.abs(ttest_rel(degrees(out, "psilocybin"), degrees(out, "placebo")).statistic)
    np.testing.assert_allclose(rows["p"], (t >= own - 1e-9).mean(axis=0))
    np.testing.assert_allclose(rows["p_fwe"], (t.max(axis=1)[:, None] >= own - 1e-9).mean(axis=0))


def test_the_page_says_first_what_cannot_be_told_apart(compared):
    out, outcome = compared
    html = (out / "group" / "index.html").read_text()
    page = re.sub(r"<[^>]*>", " ", re.sub(r"<(style|script).*?</\1>|src=\"[^\"]*\"", " ", html, flags=re.DOTALL))
    assert page.index("Read this first") < page.index(PAIRED.warning)
    for word in ("carry-over", "no effect of the period", "Nobody knows who had which treatment first"):
        assert word in PAIRED.warning
    assert "the treatments do not differ significantly" in page
    assert not OTHER_WORDS.findall(page)
    assert PAIRED.warning in " ".join(outcome.said.split())


def test_the_record_and_the_flow_say_which_session_was_which(compared):
    out, _ = compared
    (path,) = (one for one in (out / "group").glob("*_design.json") if "desc-global" not in one.name)
    record = json.loads(path.read_text())
    assert (record["ComparisonOf"], record["Scheme"], record["Draws"]) == ("paired", "sign-flips", 512)
    assert (record["Contrast"], record["BaselineSession"]) == ("psilocybin − placebo", "placebo")
    flow = table(out / "group", "flow")
    assert set(flow["baseline_session"]) == {"placebo"}
    assert set(flow["followup_session"]) == {"psilocybin"}
    assert flow["analysed"].all()


def test_the_effect_by_other_choices_is_that_of_the_treatments(compared, shared_data, app):
    out, _ = compared
    data = shared_data / PARCELS
    words = ("--derivatives", data / "derivatives-xcpd", "--parcel-metrics", "degree", "--n-null-graphs", "0")
    asked = ("--design", "paired", "--robustness", "--alpha", "0.9")  # so that there are regions
    outcome = app(data / "bids", out, "group", *words, *asked)
    assert outcome.code == 0, outcome.said
    by_choice, here = table(out / "group", "robustness"), table(out / "group", "sensitivity")
    assert set(by_choice["estimator"]) == {"within"}
    primary = by_choice[by_choice["primary"]].set_index("region")["estimate"].sort_index()
    headline = here[here["variation"].str.startswith("none")].set_index("region")["estimate"].sort_index()
    assert len(primary) > 0
    np.testing.assert_allclose(primary, headline)
