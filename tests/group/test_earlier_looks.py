"""A second look that knows the first from its record, and what it says where it cannot."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_app import stats
from bids_app.graph.features import Feature
from bids_app.group.analyses import Analysis, run_analysis
from bids_app.group.earlier_looks import with_earlier
from bids_app.group.record import write_design
from bids_app.group.routes import ParcelRoute
from bids_app.group.sample import Sample
from bids_app.group.targets import GroupRun, Target
from bids_app.settings.interim import Interim
from bids_app.settings.settings import Settings, Trial
from bids_app.trial.comparison_record import read_comparison
from bids_app.trial.design import Design
from bids_app.trial.tables import Tables

DESIGN = Design("arm", "drug", "usual care", "pre", "post")
DEGREE, ANCOVA = Feature("degree", "r025"), Analysis("ancova")
N, N_DRAWS, ALPHA = 48, 400, 0.2
NAMES = [f"{number:02d}" for number in np.random.default_rng(1).permutation(N)]  # who comes first is not first by name
PARCELS = pd.DataFrame({"index": [3, 8, 9, 12], "name": list("wxyz")})
ROUTE = ParcelRoute("parcels of A", {"task": "rest", "atlas": "A"}, {DEGREE: []})


def sample(n, shift=0.0, seed=0):
    """The first n who came, in the order of their names."""
    generator = np.random.default_rng(seed)
    arm, site = np.tile([0, 1], N // 2), np.repeat(["a", "b"], 2)[np.arange(N) % 4]
    before = generator.normal(10, 2, (N, len(PARCELS)))
    after = 0.6 * before + generator.normal(0, 1, before.shape) + shift * arm[:, np.newaxis]
    order = np.argsort(NAMES[:n])
    return Sample(
        design=DESIGN,
        maps={DEGREE: {"pre": before[order], "post": after[order]}},
        arm=arm[order],
        covariates=pd.DataFrame({"age": generator.normal(40, 9, N)[order]}, index=[NAMES[one] for one in order]),
        strata=site[order],
        kept=np.ones(len(PARCELS), dtype=bool),
        grid=None,
        parcels=PARCELS,
    )


def settings(folder, number, looks=(24, 48), group_folder="group", **options):
    look = Interim(looks, "pocock").at(number, ALPHA)
    trial = Trial(n_permutations=N_DRAWS, random_seed=3, strata=("site",), interim=look, alpha=look.level, **options)
    return Settings(folder, folder, "group", folder / "work", trial=trial, group_folder=group_folder)


def look(folder, number, of, *, alone=True, **options):
    """Take a look as the group level does; return the sample, and what the record has of it."""
    chosen = settings(folder, number, **options)
    of = with_earlier(of, ROUTE, chosen, alone=alone)
    flow = pd.DataFrame({"participant_id": [f"sub-{name}" for name in of.participants], "analysed": True})
    for visit in ("baseline", "followup"):
        flow = flow.assign(**{f"{visit}_scans": 1, f"{visit}_minutes": 5.0})
    run = GroupRun(chosen, DESIGN, Tables(pd.DataFrame(), pd.DataFrame(), {}))
    return of, read_comparison(write_design(run, Target(ROUTE, flow, of))), chosen.trial


def compared(of, trial):
    return run_analysis(ANCOVA, of, of.maps[DEGREE], trial)


def test_the_second_look_makes_the_first_again_and_leaves_out_what_it_found(tmp_path):
    first, record, trial = look(tmp_path, 1, sample(24))
    then = compared(first, trial)
    assert (record.interim.jointly, len(record.interim.taken)) == (None, 1)
    second, record, trial = look(tmp_path, 2, sample(48))
    assert record.interim.jointly
    assert "do not count" in second.findings[-1].text
    found = compared(second, trial)
    (earlier,) = found.earlier
    np.testing.assert_array_equal(earlier.maxima, then.max_statistics)
    assert earlier.level == record.interim.taken[0].level
    stops = np.array([(then.max_statistics >= one * (1 - 1e-9)).mean() for one in then.max_statistics]) <= earlier.level
    assert 0 < stops.sum() < N_DRAWS
    assert not stops[0]
    maxima = np.where(stops, 0, found.max_statistics)
    expected = [(maxima >= abs(one) * (1 - 1e-9)).mean() for one in found.statistic]
    np.testing.assert_allclose(found.p_fwe, expected)
    # and again from its own record, by which look 3 could go on too
    again, record, trial = look(tmp_path, 2, sample(48))
    np.testing.assert_array_equal(compared(again, trial).p_fwe, found.p_fwe)
    assert [one.number for one in record.interim.taken] == [1, 2]


def test_three_looks_follow_from_each_other(tmp_path):
    looks, found = (16, 32, 48), []
    for number, n in enumerate(looks, start=1):
        of, record, trial = look(tmp_path, number, sample(n), looks=looks)
        found.append(compared(of, trial))
    assert record.interim.jointly
    for before, one in zip(found, found[-1].earlier, strict=False):
        np.testing.assert_array_equal(before.max_statistics, one.maxima)
    draws = of.draws(trial)
    assert all((np.sort(draws.arms[:, rows], axis=1) == np.sort(of.arm[rows])).all() for rows in waves(of))


def waves(of):
    return [np.flatnonzero((of.came == one) & (of.strata == site)) for one in (1, 2, 3) for site in "ab"]


def test_what_an_earlier_look_found_does_not_hide_itself_at_the_next(tmp_path):
    look(tmp_path, 1, sample(24, shift=3))
    second, _, trial = look(tmp_path, 2, sample(48, shift=3))
    found = compared(second, trial)
    assert stats.going_on([found.earlier]) is None
    assert found.p_fwe.min() == pytest.approx(1 / N_DRAWS)


@pytest.mark.parametrize(
    ("change", "options", "why"),
    [
        (lambda of: replace(of, arm=1 - of.arm), {}, "is not what it was"),
        (lambda of: of.of(np.arange(2, N)), {}, "of those compared at look 1"),
        (lambda of: of, {"hc3": True}, "tested otherwise"),
        (lambda of: of, {"scheme": "freedman-lane"}, "only labels of parallel arms"),
        (lambda of: of, {"alone": False}, "there are several comparisons"),
        (lambda of: of, {"tail_approximation": True}, "fitted tail"),
    ],
)
def test_a_look_that_cannot_make_the_first_again_says_why_and_keeps_the_bound(change, options, why, tmp_path):
    look(tmp_path, 1, sample(24))
    second, record, trial = look(tmp_path, 2, change(sample(48)), **options)
    assert second.earlier == ()
    assert record.interim.jointly is False
    assert why in second.findings[-1].text
    assert compared(second, trial).earlier == ()


def test_a_look_without_the_record_of_the_first_says_so(tmp_path):
    second, record, _ = look(tmp_path, 2, sample(48))
    assert "no results of look 1" in second.findings[-1].text
    assert record.interim.taken is None
    again, _, _ = look(tmp_path, 2, sample(48))
    assert "do not say how look 1 was tested" in again.findings[-1].text


def test_other_draws_than_those_of_the_first_look_are_not_taken_for_them(tmp_path):
    look(tmp_path, 1, sample(24))
    chosen = settings(tmp_path, 2)
    other = replace(chosen, trial=replace(chosen.trial, random_seed=4))
    assert "the draws of look 1 are not part" in with_earlier(sample(48), ROUTE, other, alone=True).findings[-1].text
