"""Draws that stop when p is settled, against exact probabilities and full runs."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import betabinom, binomtest

from bids_app import stats
from bids_app.stats.settling import Stopping, anytime_p

SHORT = Stopping(least=399, step=200, most=1999)
ARM = np.repeat([0, 1], 9)


def crossed(n_draws, chance, stops):
    """Return the probability that any count of 1 to ``n_draws`` draws, one more of ``b`` with ``chance(b, n)``, stops.

    ``stops(n)`` tells it of every b.
    """
    going, stopped = np.ones(1), 0.0
    for n in range(n_draws):
        more = chance(np.arange(n + 1), n)
        going = np.append(going * (1 - more), 0) + np.append(0, going * more)
        at = stops(n + 1)
        stopped, going = stopped + going[at].sum(), np.where(at, 0, going)
    return stopped


@pytest.mark.parametrize("level", [0.001, 0.01, 0.05, 0.3])
@pytest.mark.parametrize(("most", "loss"), [(99, 0.01), (400, 0.01), (400, 0.2)])
def test_p_is_valid_wherever_one_stops(level, most, loss):
    """Stop at the first draw at which p is at or below the level: that is no more probable than the level says."""
    ever = crossed(
        most,
        lambda b, n: (b + 1) / (n + 2),  # an exchangeable statistic
        lambda n: anytime_p(np.arange(n + 1), n, most, loss) <= level,
    )
    assert ever <= level + 1e-9
    assert level < 2 / most or ever > 0.6 * level  # and not by being large


def test_ordinary_p_is_not_valid_wherever_one_stops():
    ever = crossed(400, lambda b, n: (b + 1) / (n + 2), lambda n: (np.arange(n + 1) + 1) / (n + 1) <= 0.05)
    assert ever > 0.075


@pytest.mark.parametrize(("n", "most"), [(10, 30), (99, 999), (999, 99_999), (50, 50)])
def test_p_is_the_quantile_of_what_is_to_come(n, most):
    p = anytime_p(np.arange(n + 1), n, most, 0.01)
    of_all = np.round(p * 0.99 * (most + 1) - 1).astype(int)
    for b in {0, 1, n // 20, n // 2, n - 1} if most > n else ():
        if p[b] < 1:
            more = of_all[b] - b
            below, at = betabinom.cdf([more - 1, more], most - n, b + 1, n - b + 1)
            assert below < 0.99 <= at + 1e-8
    if most == n:
        np.testing.assert_allclose(p, np.minimum((np.arange(n + 1) + 1) / (n + 1) / 0.99, 1))
    assert (np.diff(p) >= 0).all()


def stopped(stopping, chance):
    """Return the probability of each count of draws and of reaching ones that they stop at, by every path."""
    going, found = {0: 1.0}, {}
    for n in range(stopping.most):
        following = {}
        for b, share in going.items():
            for more, probability in ((1, chance(b, n)), (0, 1 - chance(b, n))):
                following[b + more] = following.get(b + more, 0.0) + share * probability
        going = following
        if n + 2 in set(stopping.looks()):
            at = dict(zip(going, stopping.settled(list(going), n + 1), strict=True))
            found |= {(n + 1, b): share for b, share in going.items() if at[b]}
            going = {b: share for b, share in going.items() if not at[b]}
    assert not going  # after all draws all is settled
    return found


@pytest.mark.parametrize("risk", [1e-3, 0.02])
def test_the_run_that_stops_concludes_as_the_full_one_but_for_the_risk(risk):
    stopping = Stopping(0.1, risk=risk, least=49, step=25, most=599)
    errors = otherwise = draws = 0.0
    for (n, b), share in stopped(stopping, lambda b, n: (b + 1) / (n + 2)).items():  # an exchangeable statistic
        significant = stopping.p([b], n)[0] <= 0.1
        below = betabinom.cdf(59 - b, 599 - n, b + 1, n - b + 1) if n < 599 else float(b <= 59)
        otherwise += share * (1 - below if significant else below)
        errors += share * significant
        draws += share * n
    assert errors <= 0.1
    assert otherwise <= risk + 1 / 600  # the q of .1 itself, which no longer counts
    assert errors + otherwise > 0.09
    assert draws < 150


def test_conclusions_are_settled_where_what_is_to_come_is_as_unlikely_as_is_said():
    stopping, n, most = Stopping(risk=1e-3), 400, 1999
    b = np.arange(60)
    significant = betabinom.cdf(98 - b, most - n, b + 1, n - b + 1)  # (98 + 1) / 2000 is what .05 (1 - risk) leaves
    expected = (significant >= 1 - 1e-3) | (significant <= 1e-3)
    np.testing.assert_array_equal(stopping.settled(b, n, most=most), expected)
    assert 0 < expected.sum() < 60


def test_what_is_settled_as_significant_is_significant():
    for n in (999, 9_999, 60_000):
        stopping, b = Stopping(), np.arange(n // 10)
        settled = stopping.settled(b, n)
        assert (stopping.p(b[settled & (b < 0.05 * n)], n) <= 0.05).all()
        assert (stopping.p(b[settled & (b > 0.05 * n)], n) > 0.05).all()


@pytest.mark.parametrize(("p", "n"), [(0.05, 1999), (0.04, 1999), (0.0499, 99_999)])
def test_chance_decides_where_another_seed_could_conclude_otherwise(p, n):
    """Of two full runs of the same p, given the first, seen from all p that it could be of."""
    open_, b = Stopping().by_chance(np.arange(n), n), round(p * n)
    other = betabinom.cdf(int(0.05 * (n + 1)) - 1, n, b + 1, n - b + 1)
    assert open_[b] == (0.01 < other < 0.99 or p == 0.0499)
    near = np.flatnonzero(open_)
    assert (np.diff(near) == 1).all()
    deviation = np.sqrt(0.05 * 0.95 * n)
    assert abs(near[0] - 0.05 * n) == pytest.approx(2.33 * deviation, rel=0.2)
    assert not Stopping(whole=True).by_chance(np.arange(n), n).any()


def trial(seed, effect=0.0, n_voxels=12):
    generator = np.random.default_rng(seed)
    maps = generator.standard_normal((len(ARM), n_voxels)) + 0.5 * generator.standard_normal((len(ARM), 1))
    maps[ARM == 1, :3] += effect
    return stats.hypothesis(stats.two_visits("post"), {"followup": maps}, np.ones((len(ARM), 1)), arm=ARM)


def until_settled(seed, effects=(0.0,), stopping=SHORT, n_jobs=1):
    draws = stats.allocations(ARM, None, stopping.most + 1, seed)
    tests = [(trial((seed, n), effect), draws, stats.Inference()) for n, effect in enumerate(effects)]
    return stats.compare_until_settled(tests, stopping, n_jobs=n_jobs), tests


def same(one, other):
    for name in ("statistic", "p", "p_fwe", "max_statistics"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_clear_conclusions_take_the_least_draws_and_their_p_is_that_of_the_counts():
    (found,), [(tested, draws, _)] = until_settled(1, (3.0,))
    assert len(found.max_statistics) == 400
    assert (found.p_fwe[:3] <= 0.05).all()
    whole = stats.compare(tested, draws)
    np.testing.assert_array_equal(found.max_statistics, whole.max_statistics[:400])
    at_least = (found.max_statistics[1:, np.newaxis] >= np.abs(found.statistic) * (1 - 1e-9)).sum(0)
    np.testing.assert_array_equal(found.p_fwe, anytime_p(at_least, 399, 1999))
    assert (stats.settled([found]), stats.by_chance([found])) == ([True], [False])
    same(found, until_settled(1, (3.0,), n_jobs=2)[0][0])


def test_a_close_call_goes_on_to_the_end_and_says_so():
    for seed in range(40):
        (found,), _ = until_settled(seed)
        if abs(np.nanmin(found.p_fwe) - 0.05) < 0.002:
            break
    assert len(found.max_statistics) > 1500
    assert stats.settled([found]) == [True]
    assert stats.by_chance([found]) == [True]


def test_all_draws_that_there_are_are_made_and_p_is_exact():
    few = np.repeat([0, 1], 4)
    tested = stats.hypothesis(
        stats.two_visits("post"), {"followup": np.random.default_rng(0).normal(size=(8, 3))}, np.ones((8, 1)), arm=few
    )
    draws = stats.allocations(few, n_draws=100)
    (found,) = stats.compare_until_settled([(tested, draws, stats.Inference())], SHORT)
    same(found, stats.compare(tested, draws))
    assert (found.stopping, stats.settled([found]), stats.by_chance([found])) == (None, [True], [False])


def test_draws_are_mixed_but_the_same():
    draws = stats.allocations(np.repeat([0, 1], 4), n_draws=100)
    mixed = draws.mixed(3)
    assert (mixed.arms[0] == draws.arms[0]).all()
    assert (mixed.arms != draws.arms).any()
    assert {tuple(row) for row in mixed.arms} == {tuple(row) for row in draws.arms}
    assert not mixed.exhaustive
    assert mixed.fingerprint != draws.fingerprint
    flips = stats.sign_flips(5).mixed(3)
    assert (flips.signs[0] == 1).all()
    assert len(np.unique(flips.signs, axis=0)) == 32


def test_over_several_comparisons_the_first_draws_only_measure_the_others():
    found, _ = until_settled(5, (2.5, 0.0, 0.0))
    assert len({len(one.max_statistics) for one in found}) == 1
    maxima = np.stack([one.max_statistics for one in found])
    scale, further = maxima[:, 1:400], maxima[:, 400:]

    def rank(values, of):  # the larger, the smaller; beyond the scale by the ratio
        above = (of[:, np.newaxis] >= values * (1 - 1e-9)).sum(0)
        return (1 + above) / 400 * np.where(values > of.max(), of.max() / values, 1)

    smallest = np.min([rank(*pair) for pair in zip(further, scale, strict=True)], axis=0)
    for p, one, of in zip(stats.across(found), found, scale, strict=True):
        observed = rank(np.abs(one.statistic), of)
        reached = (smallest[:, np.newaxis] <= observed * (1 + 1e-9)).sum(0)
        np.testing.assert_allclose(p, anytime_p(reached, further.shape[1], 1999 - 399))
        assert p[np.argmax(np.abs(one.statistic))] == p.min()
    assert stats.across(found)[0][:3].min() <= 0.05


def test_peaks_decide_and_are_what_clusters_are_there_by():
    """A smooth map of two signs: whatever the threshold, each cluster has a peak, and it stands or falls with it."""
    generator = np.random.default_rng(4)
    mask = np.ones((8, 8, 8), dtype=bool)
    touching = stats.neighbours(mask)
    values = ndimage.gaussian_filter(generator.standard_normal(mask.shape), 1)[mask]
    peaks = stats.Inference(neighbours=touching).deciding(values)
    assert 5 < peaks.sum() < 60
    for threshold in np.quantile(np.abs(values), [0.5, 0.8, 0.95, 0.99]):
        clusters = stats.find_clusters(np.where(np.abs(values) >= threshold, 0.01, 1.0), values, touching)
        assert clusters
        assert all(peaks[cluster.nodes].any() for cluster in clusters)
    assert stats.Inference().deciding(values).all()


def test_peaks_of_connections():
    pairs = np.array([[0, 1], [1, 2], [0, 2], [3, 4], [2, 3]])
    peaks = stats.Inference(pairs=pairs, statistic="tfce").deciding(np.array([4.0, 5.0, -5.0, 6.0, 5.5]))
    assert peaks.tolist() == [False, False, True, True, False]
    assert stats.Inference(pairs=pairs, statistic="voxel").deciding(np.ones(5)).all()


def test_a_fitted_tail_is_refused():
    draws = stats.allocations(ARM, n_draws=2000)
    with pytest.raises(ValueError, match="tail"):
        stats.compare_until_settled([(trial(0), draws, stats.Inference(tail=True))], SHORT)


def test_null_trials_err_as_often_as_is_said_and_conclude_as_the_full_run():
    n_trials = 300
    alone, over_all, alike = 0, 0, 0
    for seed in range(n_trials):
        found, tests = until_settled(1000 + seed, (0.0, 0.0))
        whole = [stats.compare(tested, draws) for tested, draws, _ in tests[:1]]
        alone += np.nanmin(found[0].p_fwe) <= 0.05
        alike += (np.nanmin(found[0].p_fwe) <= 0.05) == (np.nanmin(whole[0].p_fwe) <= 0.05)
        over_all += min(map(np.nanmin, stats.across(found))) <= 0.05
    assert binomtest(alone, n_trials, 0.05).pvalue > 0.005
    assert binomtest(over_all, n_trials, 0.05).pvalue > 0.005
    assert alike >= n_trials - 1
