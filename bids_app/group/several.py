"""The results of several comparisons together: p over all of them, as a table and as maps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.bids.files import save_described, save_map
from bids_app.bids.names import contrast_label
from bids_app.bids.result_names import comparison_folder, family_name
from bids_app.graph.features import Feature, camel
from bids_app.group.analyses import headline_of
from bids_app.group.family import Family
from bids_app.group.map_sidecars import correction_of, inference_of_map, model_of, of_route, software
from bids_app.group.painting import Brush, laid_atlas
from bids_app.group.routes import ParcelRoute, Route
from bids_app.group.sample import Sample
from bids_app.group.together import Result
from bids_app.settings.roles import feature_role
from bids_app.settings.settings import Settings, Trial
from bids_app.space.atlas import Atlas
from bids_app.space.grid import Nodes
from bids_app.trial.design import Design

COLUMNS = {
    "comparison": "Which arms, or the name of weights of several, at which follow-up; any: any difference, by F",
    "measure": "Graph measure",
    "edges": "Edge rule",
    "role": "Primary, secondary or exploratory, by the plan",
    "n": "Participants in the model, of all arms in it",
    "p_together": "Smallest p over all nodes",
    "p_together_all": "The same corrected over measures and edge rules too",
    "n_significant": "Nodes with p of alpha or less: p_together of a plan's primary measure, p_together_all of others",
    "node": "The node with the smallest p_together, of these that with the largest statistic: its name, or its place",
    "statistic": "t there, or F",
    "difference": "Adjusted difference there, in the units of the map",
    "ci_low": "Lower end of its 95 % confidence interval",
    "ci_high": "Upper end",
    "hedges_g": "Difference over the pooled within-arm standard deviation (Hedges g); chosen for being large",
    "n_draws": "Draws, the fewest of the tests it is in",
    "settled": "Where draws stop when p is settled: yes, or no, another seed could find p on the other side of alpha",
    "folder": "Where the comparison has its page, maps and tables",
}

OF_ANY = "corrected over nodes and follow-ups by re-drawing the labels of all arms"


class Compared(NamedTuple):
    """What p is told of: a comparison of a feature.

    Attributes
    ----------
    feature : Feature
    comparison : str
        Its folder; of whether any arms differ, the follow-up.
    """

    feature: Feature
    comparison: str


class Part(NamedTuple):
    """What one joint test says of one comparison of a feature.

    Attributes
    ----------
    joint : int
        Number of the joint test in the family; that of any difference has the number after those.
    compared : Compared
    """

    joint: int
    compared: Compared


def write_family(settings: Settings, family: Family, found: Mapping[Part, Result]) -> list[Path]:
    """Write p over all comparisons of a route: a table, and maps of voxels, or of parcels that are painted back.

    Parameters
    ----------
    settings : Settings
    family : Family
    found : dict of Result
        By part.

    Returns
    -------
    list of Path
    """
    rows: list[dict[str, Any]] = []
    written: list[Path] = []
    route = family.route
    laid = laid_atlas(settings.output_dir, route.entities) if isinstance(route, ParcelRoute) else None
    for one in _tested(family, found):
        rows.append(_row(settings, family, one))
        written += _save_maps(settings, family, one, laid)
    path = settings.group_dir / family_name(family.route, "comparisons", ".tsv")
    save_described(path, pd.DataFrame(rows, columns=list(COLUMNS)), COLUMNS, Note=f"p_together is {family.how}.")
    return [*written, path]


@dataclass(frozen=True, kw_only=True)
class Tested:
    """One line of the table: a comparison, or whether any arms differ.

    Attributes
    ----------
    feature : Feature
    design : Design or None
        None if it is of any difference.
    followup : str
    sample : Sample
    p, p_all : (V,) ndarray
        Over all comparisons, and over all features too.
    n_draws : int
        Of the joint test with the fewest.
    settled : bool
        In all joint tests.
    alone : stats.Comparison
        In the joint test of the fewest comparisons, which re-draws the labels of its own arms only.
    """

    feature: Feature
    design: Design | None
    followup: str
    sample: Sample
    p: np.ndarray
    p_all: np.ndarray
    n_draws: int
    settled: bool
    alone: stats.Comparison

    @property
    def text(self) -> str:
        """What it is, for people."""
        return f"any difference{self.sample.design.at}" if self.design is None else self.design.comparison

    @property
    def effect(self) -> stats.Effect | stats.JointEffect:
        """What is estimated."""
        return self.alone.effect

    @property
    def statistic(self) -> np.ndarray:
        """Student's t, or F."""
        return self.effect.f if isinstance(self.effect, stats.JointEffect) else self.effect.t


def _tested(family: Family, found: Mapping[Part, Result]) -> Iterator[Tested]:
    """Yield each comparison of each feature with the largest p of the tests it is in, then any difference."""
    p = _closed({part: one.p for part, one in found.items()}, found)
    p_all = _closed(_over_features(family, found), found)
    wanted: list[tuple[str, Design | None, Sample]] = [
        (comparison_folder(design), design, family.sample_of(design)) for design in family.designs
    ]
    wanted += [(followup, None, sample) for followup, sample in family.samples.items() if family.has_any]
    for feature in family.maps:
        for name, design, sample in wanted:
            compared = Compared(feature, name)
            results = [found[part] for part in sorted(found, key=_joint) if part.compared == compared]
            tests = [one.comparison for one in results]
            yield Tested(
                feature=feature,
                design=design,
                followup="" if sample.design.treatments else sample.design.followup,  # of all periods
                sample=sample,
                p=p[compared][sample.kept],
                p_all=p_all[compared][sample.kept],
                n_draws=min(len(one.max_statistics) for one in tests),
                settled=all(one.settled for one in results),
                alone=tests[0],
            )


def _joint(part: Part) -> int:
    """Return which joint test it is of; the first are of the fewest comparisons."""
    return part.joint


def _closed(p: Mapping[Part, np.ndarray], found: Mapping[Part, Result]) -> dict[Compared, np.ndarray]:
    """Return the largest p over the joint tests, over all nodes of the image or table."""
    tests: dict[int, dict[Compared, np.ndarray]] = {}
    for part, values in p.items():
        tests.setdefault(part.joint, {})[part.compared] = found[part].whole(values)
    return stats.closed(tests.values())


def _over_features(family: Family, found: Mapping[Part, Result]) -> dict[Part, np.ndarray]:
    """Return p of each joint test corrected over features too: they share their draws."""
    corrected: dict[Part, np.ndarray] = {}
    for number in {part.joint for part in found}:
        parts = [part for part in found if part.joint == number]
        times = family.joints[number].times if number < len(family.joints) else 1
        p = stats.across([found[part].comparison for part in parts])
        corrected |= {part: np.minimum(values * times, 1) for part, values in zip(parts, p, strict=True)}
    return corrected


def _row(settings: Settings, family: Family, one: Tested) -> dict[str, Any]:
    trial, size, feature = settings.trial, np.abs(one.statistic), one.feature
    row: dict[str, Any] = {
        "comparison": one.text,
        "measure": feature.metric,
        "edges": feature.edges,
        "role": feature_role(trial, feature, trial.estimator) if one.design else "exploratory",
        "n": len(one.sample.arm),
        "n_draws": one.n_draws,
        "settled": ("yes" if one.settled else "no") if trial.until_settled else None,
        "folder": comparison_folder(one.design) if one.design and not one.design.weighted else None,
    }
    if np.isnan(one.p).all():
        return row
    judged = one.p if row["role"] == "primary" else one.p_all
    smallest = np.nanmin(one.p)
    node = int(np.nanargmax(np.where(one.p == smallest, size, -1.0)))
    row |= {
        "p_together": smallest,
        "p_together_all": np.nanmin(one.p_all),
        "n_significant": int((judged <= trial.alpha).sum()),
        "node": _place(one.sample, node),
    }
    row |= {"statistic": one.statistic[node]}
    if isinstance(one.effect, stats.Effect):
        row |= {name: getattr(one.effect, name)[node] for name in ("difference", "ci_low", "ci_high", "hedges_g")}
    return row


def _place(sample: Sample, node: int) -> str:
    """Say which node it is: by its name, or where it lies."""
    if sample.grid is not None:
        return ", ".join(f"{axis:.0f}" for axis in sample.grid.coordinates[node]) + " mm"
    return str(cast(pd.DataFrame, sample.parcels)["name"].iloc[node])


def _save_maps(settings: Settings, family: Family, one: Tested, laid: tuple[Nodes, Atlas] | None) -> Iterator[Path]:
    """Write the maps of a comparison; none of nodes that have no place."""
    route, brush = family.route, Brush.of(laid, one.sample) if laid else None
    grid = brush.grid if brush else one.sample.grid
    if grid is None:
        return
    description = f"{one.feature.title}; {one.text}"
    contrast = contrast_label(*one.design.sides) if one.design else "any"
    maps = {"pTogether": (one.p, f"p {family.how}")}
    if one.design and one.design.weighted:
        maps |= _maps_of_weights(one)
    if one.design is None:
        maps |= {"f": (one.statistic, "F of the differences of all arms from the reference")}
        maps |= {"pTogether": (one.p, f"p of F, {OF_ANY}")}
    for stat, (values, text) in maps.items():
        desc = camel([route.entities.get("desc"), one.feature.label]) if brush else one.feature.label
        more = {"ses": one.followup or None, "contrast": contrast, "stat": stat, "desc": desc}
        path = settings.group_dir / family_name(route, "statmap", grid.extension, **more)
        together = stat == "pTogether"
        corrected = _correction(family, one) if together else correction_of(stat, one.alone, route.node, [])
        about = {"Description": f"{text}: {description}.", **_about(settings.trial, route, one), **corrected}
        about |= {"Software": software(), **(brush.about if brush else {})}
        save_map(path, grid, brush.painted(values) if brush else values, about)
        yield path


def _correction(family: Family, one: Tested) -> dict[str, str]:
    """Return by what p over all comparisons is corrected, and which they are."""
    if one.design is None:
        compared = [f"any difference{sample.design.at}" for sample in family.samples.values()]
        return {"Correction": OF_ANY, "Family": "; ".join(compared)}
    return {"Correction": family.how, "Family": "; ".join(design.comparison for design in family.designs)}


def _about(trial: Trial, route: Route, one: Tested) -> dict[str, Any]:
    """Return the model that a comparison is tested in, and how it is drawn."""
    headline = headline_of(trial)
    model = model_of(headline, one.sample, trial, route.node) | {"Contrast": one.text}
    if one.design and one.design.weighted:
        model |= {"Contrast": f"{one.text}: {one.design.weighted.text}"}
    drawn = inference_of_map(headline, one.sample.design, one.alone, trial, n_draws=one.n_draws)
    return {"Estimator": headline.text(route.node, one.sample.design), **model, **drawn, **of_route(route, trial)}


def _maps_of_weights(one: Tested) -> dict[str, tuple[np.ndarray, str]]:
    """Return what has no page and folder of its own: the effect and its uncorrected p, each with what it is."""
    effect = cast(stats.Effect, one.effect)
    text = cast(Design, one.design).weighted
    sum_ = f"the sum of the arms' adjusted means with weights, {text and text.text}"
    return {
        "t": (effect.t, f"Student's t of {sum_}"),
        "difference": (effect.difference, f"{sum_[0].upper()}{sum_[1:]}, in the units of the map"),
        "ciLow": (effect.ci_low, f"Lower end of the 95 % confidence interval of {sum_}"),
        "ciHigh": (effect.ci_high, f"Upper end of the 95 % confidence interval of {sum_}"),
        "hedgesG": (effect.hedges_g, f"Over the SD pooled within the arms of the model (Hedges g), {sum_}"),
        "p": (one.alone.p, "Two-sided p of the statistic, uncorrected, by re-drawing the labels of its arms only"),
    }
