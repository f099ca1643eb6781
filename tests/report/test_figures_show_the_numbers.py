"""What is drawn is read back from the figures: the numbers that were given, where they belong, and none left out."""

import base64
import io

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from nilearn.datasets import load_mni152_template
from PIL import Image
from scipy import stats

from bids_app.report.figures import carpet_figure, histogram_figure, matrices_figure
from bids_app.report.mapfigures import NOTHING, Effect, colour_range, cuts_of, glass_figure, mosaic_figure, strip_figure
from bids_app.report.pages import WIDEST, light
from bids_app.report.slices import MARGIN, N_SLICES, draw_slices
from bids_app.report.trialfigures import (
    association_figure,
    curve_figure,
    forest_figure,
    matrix_figure,
    visits_figure,
)
from bids_app.space.grid import Grid

RNG = np.random.default_rng(31)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def scan_carpet(kept, n_nodes=9, seconds=0.8):
    total = len(kept)
    return {
        "repetition_time": np.array(seconds),
        "kept": np.array(kept),
        "framewise_displacement": np.r_[np.nan, RNG.uniform(0.1, 0.4, total - 1)],
        "dvars_before": np.r_[np.nan, RNG.uniform(1, 2, total - 1)],
        "dvars_after": np.r_[np.nan, RNG.uniform(0, 1, total - 1)],
        "before": RNG.normal(100, 5, (n_nodes, total)),
        "after": RNG.normal(0, 1, (n_nodes, int(np.sum(kept)))),
    }


@pytest.mark.parametrize("left_out", [(), (0,), (0, 1, 7), (19,), tuple(range(0, 20, 2))])
def test_a_carpet_has_every_volume_at_its_time_and_gaps_where_volumes_were_left_out(left_out):
    kept = [volume not in left_out for volume in range(20)]
    given = scan_carpet(kept)
    displacement, change, before, after, _ = carpet_figure(given).axes
    for axis, names in ((displacement, ["framewise_displacement"]), (change, ["dvars_before", "dvars_after"])):
        for line, name in zip(axis.lines, names, strict=True):
            np.testing.assert_allclose(line.get_xdata(), 0.8 * np.arange(20))
            np.testing.assert_array_equal(line.get_ydata(), given[name])
        marked = [segment[0][0] for segment in axis.collections[0].get_segments()]
        np.testing.assert_allclose(marked, 0.8 * np.array(left_out))
    shown = {name: np.ma.filled(axis.images[0].get_array(), np.nan) for name, axis in (("b", before), ("a", after))}
    scored = stats.zscore(given["before"], axis=1)
    order = np.argsort([-stats.pearsonr(row, scored.mean(axis=0)).statistic for row in scored])
    for values, raw in ((shown["b"], given["before"]), (shown["a"][:, kept], given["after"])):
        np.testing.assert_allclose(values, stats.zscore(raw, axis=1)[order], rtol=1e-6)
    assert np.isnan(shown["a"][:, list(left_out)]).all()
    for axis in (before, after):
        assert axis.images[0].get_extent() == [0, 16, 9, 0]
    assert [line.get_label() for line in change.lines] == ["before", "after"]


def test_a_carpet_without_motion_or_change_is_drawn():
    still = scan_carpet([True] * 10) | {"framewise_displacement": np.full(10, np.nan), "before": np.ones((9, 10))}
    axes = carpet_figure(still).axes
    assert axes[0].get_ylim() == (0, 1)
    np.testing.assert_array_equal(axes[2].images[0].get_array(), 0)


@pytest.mark.parametrize("n_scans", [1, 2, 7, 18, 20])
def test_a_histogram_counts_every_node_of_every_scan_with_a_value(n_scans):
    values = {f"ses-{number}": RNG.normal(number, 1, 50 + number) for number in range(n_scans)}
    for one in values.values():
        one[:5] = np.nan
    (axis,) = histogram_figure(values, "Degree", "edges").axes
    legend = {text.get_text() for text in axis.get_legend().get_texts()}
    assert legend == set(values)
    outlines = {patch.get_label(): patch.get_xy() for patch in axis.patches}
    for name, one in values.items():
        places, heights = outlines[name].T
        assert places.min() == pytest.approx(min(np.nanmin(v) for v in values.values()))
        assert heights[1::2].sum() == np.isfinite(one).sum()
    styles = {(patch.get_edgecolor(), patch.get_linestyle()) for patch in axis.patches}
    assert len(styles) == min(n_scans, 18), "scans cannot be told apart"


@pytest.mark.parametrize("n_scans", [1, 3, 4])
@pytest.mark.parametrize("with_networks", [True, False])
def test_matrices_are_in_the_order_of_the_networks_each_in_its_place(n_scans, with_networks):
    n = 7
    networks = np.array(["b", "a", "b", "c", "a", "c", "b"]) if with_networks else None
    matrices = {}
    for number in range(n_scans):
        half = RNG.uniform(-1, 1, (n, n))
        matrices[f"ses-{number}"] = (half + half.T) / 2
    matrices["ses-0"][2] = matrices["ses-0"][:, 2] = np.nan
    figure = matrices_figure(matrices, networks)
    axes = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in axes] == list(matrices)
    order = [1, 4, 0, 2, 6, 3, 5] if with_networks else list(range(n))
    for axis, matrix in zip(axes, matrices.values(), strict=True):
        shown = np.ma.filled(axis.images[0].get_array(), np.nan)
        for row in range(n):
            for column in range(n):
                expected = np.nan if row == column else matrix[order[row], order[column]]
                np.testing.assert_equal(shown[row, column], expected)
        lines = sorted(line.get_ydata()[0] for line in axis.lines if len(set(line.get_ydata())) == 1)
        assert lines == ([1.5, 4.5] if with_networks else [])
        names = {
            label.get_text(): place for label, place in zip(axis.get_yticklabels(), axis.get_yticks(), strict=True)
        }
        assert not with_networks or names == {"a": 0.5, "b": 3.0, "c": 5.5}
        assert axis.images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize("flipped", [1, -1])
@pytest.mark.parametrize("anatomy", [True, False])
def test_maps_are_drawn_where_they_lie_and_left_is_left(flipped, anatomy):
    shape = np.array([9, 11, 8])
    affine = np.diag([10.0 * flipped, 10, 10, 1])
    affine[:3, 3] = [-40 * flipped, -70, -30]
    grid = Grid(np.ones(shape, dtype=bool), affine)
    x, y, z = grid.coordinates.T
    axis = plt.figure().add_axes((0, 0, 1, 1))
    colours = ScalarMappable(Normalize(-1000, 1000), "viridis")
    draw_slices(axis, grid, np.where(z == 10, np.nan, x + y / 100), colours, anatomy=anatomy)
    shown = [image for image in axis.images if image.get_cmap().name == "viridis"]
    heights = [float(text.get_text().split()[2]) for text in axis.texts if text.get_text().startswith("z")]
    assert len(shown) == len(heights) == N_SLICES
    step = 90 + 2 * MARGIN
    for place, (image, height) in enumerate(zip(shown, heights, strict=True)):
        values = np.ma.filled(image.get_array().astype(float), np.nan)
        left, right, back, front = image.get_extent()
        columns = np.linspace(left, right, 2 * values.shape[1] + 1)[1::2] - place * step
        rows = np.linspace(back, front, 2 * values.shape[0] + 1)[1::2]
        expected = columns[None, :] + rows[:, None] / 100
        np.testing.assert_allclose(values, expected if height != 10 else np.full(values.shape, np.nan))
    low, high = axis.get_xlim()
    assert low < high, "x grows to the right"
    below = [image for image in axis.images if image.get_cmap().name == "gray"]
    assert len(below) == (N_SLICES if anatomy else 0)


def test_the_template_lies_where_its_own_voxels_are():
    template = load_mni152_template(resolution=2)
    grid = Grid(template.get_fdata() > 0.5 * template.get_fdata().max(), template.affine)
    axis = plt.figure().add_axes((0, 0, 1, 1))
    values = template.get_fdata()[grid.mask] / template.get_fdata().max()
    draw_slices(axis, grid, values, ScalarMappable(Normalize(0, 1), "viridis"))
    maps, below = ([image for image in axis.images if image.get_cmap().name == name] for name in ("viridis", "gray"))
    for upper, lower in zip(maps, below, strict=True):
        (map_left, _, map_back, _), (left, _, back, _) = upper.get_extent(), lower.get_extent()
        columns, rows = round((left - map_left) / 2), round((back - map_back) / 2)
        inside = np.ma.filled(lower.get_array(), np.nan)
        over = np.ma.filled(upper.get_array(), np.nan)[rows:, columns : columns + inside.shape[1]][: inside.shape[0]]
        known = np.isfinite(over)
        assert known.any()
        np.testing.assert_allclose(inside[: over.shape[0], : over.shape[1]][known], over[known], rtol=1e-6)


def two_visits(n=12):
    table = pd.DataFrame({"arm": ["drug", "placebo", "other"] * (n // 3), "baseline": RNG.normal(20, 3, n)})
    table["followup"] = table["baseline"] - RNG.uniform(0, 9, n)
    table.loc[0, "followup"] = table.loc[4, "baseline"] = np.nan
    table.loc[3, ["baseline", "followup"]] = np.nan
    return table


def test_visits_have_the_means_and_intervals_of_students_t_by_arm():
    table = two_visits()
    for axis, arm in zip(visits_figure(table, ("drug", "placebo"), "points").axes, ("drug", "placebo"), strict=True):
        own = table[table["arm"] == arm]
        assert axis.get_title() == arm
        seen = [label.get_text() for label in axis.get_xticklabels()]
        for visit, label, container in zip(("baseline", "followup"), seen, axis.containers, strict=True):
            known = own[visit].dropna()
            assert label.endswith(f"(n = {len(known)})")
            interval = stats.t.interval(0.95, len(known) - 1, known.mean(), stats.sem(known))
            (bar,) = container.lines[2]
            np.testing.assert_allclose(bar.get_segments()[0][:, 1], interval)
            assert container.lines[0].get_ydata()[0] == pytest.approx(known.mean())
        people = own.dropna(how="all", subset=["baseline", "followup"])[["baseline", "followup"]].to_numpy()
        drawn = [line.get_ydata() for line in axis.lines if len(line.get_xdata()) == 2 and line.get_alpha()]
        np.testing.assert_array_equal(drawn, people)


@pytest.mark.parametrize("n_known", [0, 1])
def test_visits_of_nobody_or_one_are_drawn_without_an_interval(n_known):
    table = pd.DataFrame({"arm": ["a", "b"], "baseline": [1.0, 2.0], "followup": [[np.nan, 3.0][n_known], 4.0]})
    figure = visits_figure(table, ("a", "b"), "points")
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()][1] == f"follow-up (n = {n_known})"


def test_the_design_is_drawn_as_z_scores_the_active_arm_above():
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{n}" for n in "31524"],
            "arm": [0, 1, 0, 1, 1],
            "age": [30.0, 40, 50, 60, 71],
            "same": 7.0,
            "stratum": ["x", "y", "x", "x", "y"],
        }
    )
    figure = matrix_figure(table, ("drug", "placebo"))
    axis = figure.axes[0]
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == ["sub-1", "sub-2", "sub-4", "sub-3", "sub-5"]
    columns = [label.get_text() for label in axis.get_xticklabels()]
    assert columns == ["arm", "age", "same", "x", "y"]
    shown = pd.DataFrame(np.asarray(axis.images[0].get_array()), index=names, columns=columns)
    given = table.set_index("participant_id").loc[names]
    np.testing.assert_allclose(shown["age"], stats.zscore(given["age"]))
    np.testing.assert_allclose(shown["x"], stats.zscore((given["stratum"] == "x").astype(float)))
    np.testing.assert_allclose(shown["same"], 0)
    assert axis.lines[0].get_ydata()[0] == 2.5
    assert axis.get_title() == "above: drug; below: placebo"


def test_names_that_could_not_be_read_are_left_to_the_table():
    table = pd.DataFrame({"participant_id": [f"sub-{n:03d}" for n in range(300)], "arm": [0, 1] * 150})
    axis = matrix_figure(table, ("drug", "placebo")).axes[0]
    assert not axis.get_yticklabels()
    assert axis.get_ylabel() == "300 participants, sorted by name"
    assert np.asarray(axis.images[0].get_array()).shape == (300, 1)


def test_a_forest_has_every_row_from_the_top_filled_where_it_counts():
    rows = [
        {"name": name, "hedges_g": g, "g_low": g - 0.4, "g_high": g + 0.6, "p_fwe": p, "alpha": 0.05}
        for name, g, p in (("a", 1.0, 0.001), ("b", -0.5, 0.05), ("c", 0.2, 0.0501))
    ]
    (axis,) = forest_figure(rows, "title", "drug").axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b", "c"]
    assert axis.yaxis_inverted()
    intervals, points = axis.lines[0:6:2], axis.lines[1:6:2]
    for place, (row, interval, point) in enumerate(zip(rows, intervals, points, strict=True)):
        assert list(interval.get_xdata()) == [row["g_low"], row["g_high"]]
        assert (point.get_xdata()[0], point.get_ydata()[0]) == (row["hedges_g"], place)
        assert (point.get_markerfacecolor() != "white") is (row["p_fwe"] <= 0.05)


@pytest.mark.parametrize("slopes", [(2.0, -0.5), (np.nan, 1.0)])
def test_an_association_is_a_line_through_the_means_of_its_arm(slopes):
    pairs = pd.DataFrame({"arm": ["a", "b", "c"] * 6, "brain": RNG.normal(size=18), "outcome": RNG.normal(size=18)})
    pairs.loc[0, "outcome"] = np.nan
    (axis,) = association_figure(pairs, slopes, ("a", "b"), ("degree", "score")).axes
    lines = iter(axis.lines)
    for arm, slope, dots in zip("ab", slopes, axis.collections, strict=True):
        own = pairs[pairs["arm"] == arm].dropna()
        np.testing.assert_array_equal(dots.get_offsets(), own[["brain", "outcome"]])
        assert dots.get_label() == f"{arm} (n = {len(own)})"
        if np.isfinite(slope):
            x, y = next(lines).get_data()
            assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(slope)
            assert np.interp(own["brain"].mean(), x, y) == pytest.approx(own["outcome"].mean())
            assert list(x) == [own["brain"].min(), own["brain"].max()]
    assert next(lines, None) is None
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("degree", "score")


def test_a_specification_curve_marks_for_each_effect_what_it_was_made_by():
    made = [(e, s, v) for e in ("ancova", "change") for s in (0.0, 6.0) for v in ("z",)]
    rows = pd.DataFrame(made, columns=["estimator", "smoothing", "values"])
    rows["effect_size"] = [0.3, -0.1, np.nan, 0.2]
    rows["effect_low"], rows["effect_high"] = rows["effect_size"] - 0.2, rows["effect_size"] + 0.3
    rows["rank"], rows["primary"] = rows["effect_size"].rank(), [False, False, False, True]
    above, below = curve_figure(rows, "title").axes
    others, own = above.lines[:2]
    assert list(zip(*others.get_data(), strict=True)) == [(0, -0.1), (2, 0.3)]
    assert list(zip(*own.get_data(), strict=True)) == [(1, 0.2)]
    marks = {
        label.get_text(): list(line.get_xdata())
        for label, line in zip(below.get_yticklabels(), below.lines, strict=True)
    }
    assert marks == {
        "estimator: ancova": [0, 2],
        "estimator: change": [1],
        "smoothing: 0 mm": [2],
        "smoothing: 6 mm": [0, 1],
    }
    segments = [segment[:, 1].tolist() for segment in above.collections[0].get_segments()]
    np.testing.assert_allclose(segments, [[-0.3, 0.2], [0.0, 0.5], [0.1, 0.6]])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [1, 3])
def test_where_no_choice_varies_there_is_no_panel_of_choices_and_the_curve_says_so(n):
    effect = np.arange(n) / 10
    rows = pd.DataFrame({"estimator": "ancova", "smoothing": 0.0, "effect_size": effect})
    rows = rows.assign(effect_low=effect - 0.1, effect_high=effect + 0.1, rank=np.arange(n), primary=effect == 0)
    (axis,) = curve_figure(rows, "title").axes
    assert [line.get_xdata().size for line in axis.lines[:2]] == [n - 1, 1]
    assert axis.get_xlabel() == f"{n} specification{'s' if n > 1 else ''}, no choice among them varies"


@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
def test_a_colour_range_leaves_few_out_and_does_not_know_signs(scale):
    values = scale * RNG.standard_normal(4001)
    largest = colour_range(values)
    assert largest == colour_range(-values) == colour_range(np.append(values, [np.nan, 0.0, np.inf]))
    assert (np.abs(values) > largest).mean() <= 0.005
    assert largest == 0.1 or largest == pytest.approx(np.quantile(np.abs(values), 0.995))
    assert colour_range(np.array([np.nan])) == colour_range(np.zeros(3)) == 0.1


def effect_of(height, significant=True):
    """An effect of g = 0.5 in a brain of 6 mm, with a cluster of g = 2 at one height."""
    shape, affine = (24, 30, 24), nib.affines.from_matvec(np.diag([6.0] * 3), [-70, -100, -50])
    size, p = np.full(shape, 0.5, dtype=np.float32), np.ones(shape, dtype=np.float32)
    size[10:13, 10:13, height], p[10:13, 10:13, height] = 2.0, 0.01 if significant else 0.2
    images = [nib.Nifti1Image(values, affine) for values in (size, 4 * size, p)]
    return Effect(*images, alpha=0.05, title="Degree: g", sides=("drug", "placebo"))


def cuts_shown(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text().startswith("z=")]


def test_the_bar_of_a_map_says_what_it_is_of_and_points_on_where_values_lie_beyond():
    for largest, extend in ((1.0, "both"), (3.0, "neither")):
        figure = strip_figure(effect_of(12), largest)
        bar = figure.axes[-1]._colorbar
        assert (bar.vmin, bar.vmax, bar.extend) == (-largest, largest, extend)
        assert bar.ax.get_ylabel() == "Hedges g"
        heights = {text.get_text(): text.get_position()[1] for text in figure.texts}
        assert heights["drug more"] > 0.5 > heights["placebo more"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, np.nan])
@pytest.mark.parametrize("draw", [strip_figure, mosaic_figure, glass_figure])
def test_where_there_is_no_effect_anywhere_the_picture_says_so(draw, value):
    found = effect_of(12)
    nothing = nib.Nifti1Image(np.full(found.size.shape, value, dtype=np.float32), found.size.affine)
    figure = draw(Effect(nothing, nothing, found.p_fwe, alpha=0.05, title="Degree: g", sides=("drug", "placebo")))
    assert [text.get_text() for text in figure.texts] == ["Degree: g", NOTHING]
    assert not figure.axes


def test_all_maps_of_a_measure_are_cut_where_the_headline_is():
    headline, other = effect_of(12), effect_of(15)
    cuts = cuts_of(headline)
    assert cuts != cuts_of(other)
    assert 12 * 6 - 50 in cuts, "where its cluster is"
    assert cuts_shown(strip_figure(headline)) == cuts_shown(strip_figure(other, cuts=cuts)) != []


def test_a_picture_on_the_page_is_a_smaller_copy_that_looks_alike(tmp_path):
    across, down = np.meshgrid(np.linspace(0, 255, 3000), np.linspace(0, 255, 600))
    pixels = np.stack([across, down, 255 - across], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "map.png")
    kind, _, data = light(tmp_path / "map.png").partition(";base64,")
    shown = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == "data:image/webp"
    assert shown.size == (WIDEST, round(600 * WIDEST / 3000))
    again = np.asarray(shown.resize((3000, 600)), dtype=float)
    assert np.abs(again - pixels).mean() < 3
