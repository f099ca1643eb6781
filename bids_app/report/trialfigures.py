"""Figures of the trial's tables: tables in, figures out."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import special

# Okabe and Ito's blue and vermilion, told apart by people who see no red or green; markers differ too.
COLOURS, MARKERS = ("#0072b2", "#d55e00"), ("o", "s")
VISITS = ("baseline", "followup")
LABELS = ("baseline", "follow-up")
LABEL_WIDTH = 18  # characters
NAMED_BELOW = 120  # participants whose names can still be read beside their rows
FROM_LOWEST = "from the lowest effect size to the highest"
NONE_VARIES = "no choice among them varies"
VARIED = ("estimator", "measure", "edges", "values", "smoothing")


def visits_figure(
    wide: pd.DataFrame, arms: Sequence[str], quantity: str, called: Mapping[str, str] | None = None
) -> Figure:
    """Draw every participant's visits by arm, with means and their 95 % confidence intervals.

    Parameters
    ----------
    wide : DataFrame
        arm, and baseline and followup or followup alone, a row per participant; NaN where there is none.
    arms : sequence of str
        One or two.
    quantity : str
        With its unit.
    called : dict of str, optional
        What the visits are called, where there are two.
    """
    visits = [visit for visit in VISITS if visit in wide]
    named = dict(zip(VISITS, LABELS, strict=True)) | (dict(called or {}) if len(called or ()) > 1 else {})
    labels = [named[visit] for visit in visits] if len(visits) > 1 else ["visit"]
    places = list(range(len(visits)))
    figure, grid = plt.subplots(1, len(arms), figsize=(0.4 + 3.8 * len(arms), 3.4), sharey=True, squeeze=False)
    axes = grid[0]
    bottom = 0.15 if max(map(len, labels)) > LABEL_WIDTH else 0.1
    figure.subplots_adjust(left=0.09 if len(arms) > 1 else 0.18, right=0.99, top=0.9, bottom=bottom, wspace=0.05)
    for axis, arm, colour, marker in zip(axes, arms, COLOURS, MARKERS, strict=False):
        values = wide.loc[wide["arm"] == arm, visits].to_numpy(float)
        values = values[np.isfinite(values).any(axis=1)]
        axis.plot(places, values.T, color=colour, alpha=0.35, linewidth=0.8, marker=marker, markersize=3)
        for place, column in zip((-0.12, 1.12), values.T, strict=False):
            mean, margin = _mean_and_margin(column)
            axis.errorbar(place, mean, yerr=margin, color="black", marker=marker, capsize=4, markersize=6)
        known = np.isfinite(values).sum(axis=0)
        axis.set_xticks(places, [_broken(f"{label} (n = {n})") for label, n in zip(labels, known, strict=True)])
        axis.set_xlim(-0.35, places[-1] + 0.35)
        axis.set_title(arm, fontsize=10)
    axes[0].set_ylabel(quantity)
    return figure


def _broken(label: str) -> str:
    """Break a label that would run into that beside it."""
    return label if len(label) <= LABEL_WIDTH + len(" (n = 99)") else textwrap.fill(label, LABEL_WIDTH)


def _mean_and_margin(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % confidence interval by Student's t."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return (known.mean() if len(known) else np.nan), np.nan
    return known.mean(), special.stdtrit(len(known) - 1, 0.975) * known.std(ddof=1) / np.sqrt(len(known))


def matrix_figure(table: pd.DataFrame, arms: Sequence[str]) -> Figure:
    """Draw the columns of the model, a row per participant, the arms apart; colours are z scores.

    Parameters
    ----------
    table : DataFrame
        participant_id, arm (1 and 0), covariates, and a column ``stratum`` if there are strata.
    arms : sequence of str
        Names of arm 1 and of arm 0; of one group there is no such column.
    """
    by = {"arm": False, "participant_id": True}
    order = [name for name in by if name in table]
    rows = table.sort_values(order, ascending=[by[name] for name in order])
    names = rows["participant_id"].tolist()
    columns = rows.drop(columns="participant_id")
    if "stratum" in columns:
        columns = pd.get_dummies(columns, columns=["stratum"], prefix="", prefix_sep="", dtype=float)
    scaled = (columns - columns.mean()) / columns.std(ddof=0).replace(0, 1)
    height = min(2.2 + 0.13 * len(rows), 9)
    figure, axis = plt.subplots(figsize=(2.4 + 0.55 * len(columns.columns), height), layout="constrained")
    drawn = axis.imshow(scaled, aspect="auto", cmap="cividis", vmin=-2, vmax=2, interpolation="nearest")
    axis.set_xticks(range(len(scaled.columns)), scaled.columns, rotation=60, ha="right", fontsize=8)
    if len(names) < NAMED_BELOW:
        axis.set_yticks(range(len(names)), names, fontsize=min(7, 500 / max(len(names), 1)))
    else:
        axis.set_yticks([])
        axis.set_ylabel(f"{len(names)} participants, sorted by name", fontsize=8)
    if len(arms) > 1:
        axis.axhline(int((rows["arm"] == 1).sum()) - 0.5, color="white", linewidth=3)
        axis.set_title(f"above: {arms[0]}; below: {arms[1]}", fontsize=9)
    figure.colorbar(drawn, ax=axis, shrink=0.6).set_label("z score", fontsize=8)
    return figure


def forest_figure(rows: Sequence[Mapping[str, Any]], title: str, direction: str) -> Figure:
    """Draw effect sizes of parcels with their confidence intervals, from the smallest p down.

    Parameters
    ----------
    rows : list of dict
        name, hedges_g, g_low, g_high, p_fwe and alpha.
    title : str
    direction : str
        Which way an effect above 0 goes.
    """
    figure, axis = plt.subplots(figsize=(7, 1.1 + 0.27 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        significant = row["p_fwe"] <= row["alpha"]
        axis.plot([row["g_low"], row["g_high"]], [place, place], color=COLOURS[0], linewidth=1.2)
        face = COLOURS[0] if significant else "white"
        axis.plot(row["hedges_g"], place, "o", color=COLOURS[0], markerfacecolor=face, markersize=6)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel(f"Hedges g (95 % CI); above 0: {direction}; filled: FWE significant", fontsize=8)
    axis.set_title(title, fontsize=9, loc="left")
    return figure


def association_figure(
    pairs: pd.DataFrame, slopes: tuple[float, float], arms: tuple[str, str], labels: tuple[str, str]
) -> Figure:
    """Draw outcome against brain value in each arm, with the slopes of the table through the arm's means.

    Parameters
    ----------
    pairs : DataFrame
        arm, brain and outcome, a row per participant.
    slopes : (float, float)
        Of the arms; adjusted for what the table is adjusted for.
    arms : (str, str)
    labels : (str, str)
        Of the brain value and the outcome.
    """
    figure, axis = plt.subplots(figsize=(5.2, 3.6), layout="constrained")
    for arm, slope, colour, marker in zip(arms, slopes, COLOURS, MARKERS, strict=True):
        rows = pairs[pairs["arm"] == arm].dropna()
        axis.scatter(
            rows["brain"], rows["outcome"], color=colour, marker=marker, s=18, label=f"{arm} (n = {len(rows)})"
        )
        if len(rows) > 1 and np.isfinite(slope):
            ends = np.array([rows["brain"].min(), rows["brain"].max()])
            axis.plot(ends, rows["outcome"].mean() + slope * (ends - rows["brain"].mean()), color=colour)
    axis.set_xlabel(labels[0])
    axis.set_ylabel(labels[1])
    axis.legend(fontsize=8, frameon=False)
    return figure


def curve_figure(rows: pd.DataFrame, title: str) -> Figure:
    """Draw a specification curve: effect sizes in order, and below them which choices each was made by, if any vary.

    Parameters
    ----------
    rows : DataFrame
        One region of the robustness table.
    title : str
    """
    rows = rows[rows["effect_size"].notna()].sort_values("rank")
    place = np.arange(len(rows))
    levels = [(name, value) for name in VARIED if name in rows for value in _levels(rows[name])]
    height, parts = 2.6 + 0.17 * len(levels), (2.4, max(0.17 * len(levels), 0.3))[: 1 + bool(levels)]
    figure, axes = plt.subplots(
        len(parts), 1, figsize=(9, height), sharex=True, squeeze=False, height_ratios=parts, layout="constrained"
    )
    above, below = axes[0, 0], axes[-1, 0]
    own = rows["primary"].astype(bool).to_numpy()
    effect = rows["effect_size"].to_numpy()
    above.vlines(place, rows["effect_low"], rows["effect_high"], color="#999999", linewidth=0.8)
    above.plot(place[~own], effect[~own], "o", color=COLOURS[0], markersize=4, label="other specifications")
    above.plot(place[own], effect[own], "D", color=COLOURS[1], markersize=7, label="headline analysis")
    above.axhline(0, color="black", linewidth=0.8)
    above.set_ylabel("effect size (95 % CI)")
    above.set_title(title, fontsize=9, loc="left")
    above.legend(fontsize=7, frameon=False, loc="upper left")
    varying = FROM_LOWEST if levels else NONE_VARIES
    below.set_xlabel(f"{len(rows)} specification{'s' * (len(rows) != 1)}, {varying}")
    if not levels:
        below.set_xticks([])
        return figure
    for row, (name, value) in enumerate(levels):
        used = (rows[name] == value).to_numpy()
        below.plot(place[used], np.full(used.sum(), row), "|", color="black", markersize=6)
    below.set_yticks(range(len(levels)), [f"{name}: {_said(name, value)}" for name, value in levels], fontsize=7)
    below.set_ylim(len(levels) - 0.5, -0.5)
    return figure


def _levels(column: pd.Series) -> list[Any]:
    """Return what is worth a row: choices that vary."""
    levels = sorted(column.unique(), key=str)
    return levels if len(levels) > 1 else []


def _said(name: str, value: Any) -> str:
    return f"{value:g} mm" if name == "smoothing" else str(value)
