"""The comparisons of one route, by arms and follow-ups: what is read for them, and how they are tested together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from bids_app.bids.names import label
from bids_app.bids.result_names import comparison_folder
from bids_app.graph.features import Feature
from bids_app.group.drawing import is_exact
from bids_app.group.forecast import gb_of_test
from bids_app.group.gathering import flow_of
from bids_app.group.routes import Route
from bids_app.group.sample import Sample, assemble
from bids_app.group.targets import TrialScans
from bids_app.group.together import Joint, everyone_of, flips_of_all, joints, one_by_one, row_of, why_not_closed
from bids_app.settings.settings import Trial
from bids_app.stats import intersections
from bids_app.trial.design import Design

CLOSED = (
    "corrected over nodes, signs and all {n} comparisons by a closed test: a comparison counts where every set of "
    "comparisons that it is in is significant, each by the draws that exchange only the labels of its arms (Marcus, "
    "Peritz & Gabriel 1976), the smallest p of a draw over its comparisons and follow-ups counted"
)
WEIGHTED = (
    "; one by weights is without a difference where all arms that have weight are alike, or its weights add up to 0 "
    "within each group of arms that are"
)
OF_PERIODS = (
    "corrected over nodes, signs and all {n} comparisons by a closed test: a comparison counts where every hypothesis "
    "that treatments are alike, and it is without a difference, is significant (Marcus, Peritz & Gabriel 1976), the "
    "smallest p of a draw over its comparisons counted. Labels are exchanged among sequences that are the same one if "
    "the hypothesis holds, which is exact ({exact})"
)
ROUGHLY = (
    ", or where these are too few among all sequences, the other treatments adjusted for in every draw, which is "
    "approximate if one of those works ({rough})"
)
FLIPS = (
    "corrected over nodes, signs and all {n} comparisons by flipping a participant's signs at all of them at once, "
    "the smallest p of a draw over the comparisons counted"
)
BONFERRONI = "corrected over nodes and signs, times the {n} comparisons (Bonferroni), because {why}"


@dataclass(frozen=True, kw_only=True)
class Family:
    """The comparisons of one route.

    Attributes
    ----------
    route : Route
    designs : tuple of Design
        Of the comparisons.
    samples : dict of Sample
        By name: of all arms, by follow-up, or of each comparison; without maps.
    joints : tuple of Joint
    maps : dict of dict of str
        Of each feature, where the maps of each sample are kept.
    how : str
        How p is corrected over the comparisons.
    model : str
        Which arms are in the models that are tested.
    has_any : bool
        Whether it is tested by F if any of three arms or more differ: in the last of the joint tests.
    """

    route: Route
    designs: tuple[Design, ...]
    samples: dict[str, Sample]
    joints: tuple[Joint, ...]
    maps: dict[Feature, dict[str, str]]
    how: str
    model: str
    has_any: bool

    def sample_of(self, design: Design) -> Sample:
        """Return the sample that a comparison is tested in."""
        return self.samples.get(design.followup) or self.samples[comparison_folder(design)]

    def gb_of_test(self, trial: Trial, n_jobs: int = 1) -> float:
        """Estimate the memory of a process that tests these together, in GB: of all at once until p is settled."""
        held = [gb_of_test(one, trial, n_features=len(self.maps), n_jobs=n_jobs) for one in self.samples.values()]
        return sum(held) if trial.until_settled else max(held)


def read_family(trial: TrialScans, route: Route, designs: Sequence[Design], folder: Path) -> Family:
    """Read the maps of everyone who is in any of several comparisons.

    Parameters
    ----------
    trial : TrialScans
    route : Route
    designs : sequence of Design
        Of the comparisons that can be made.
    folder : Path
        Where the maps are kept until they are tested.

    Returns
    -------
    Family
    """
    options, maps = trial.settings.trial, cast(dict[Feature, dict[str, str]], {})
    single = designs[0].single
    why = None if single else why_not_closed(designs, options)
    wanted = (
        {comparison_folder(design): design for design in designs}
        if why or single
        else {design.followup: design for design in of_all_arms(designs)}
    )
    samples = {}
    for name, design in wanted.items():
        own = folder / label(route.name) / label(name)
        flow = flow_of(trial, route, design)
        sample = assemble(route, flow, trial.study.tables, design, options, folder=trial.folder and own)
        for feature in sample.features:
            maps.setdefault(feature, {})[name] = sample.maps_on_disk(feature, own)
        samples[name] = sample.without_maps()
    if single:
        tests = [flips_of_all(designs, samples, everyone_of(samples, trial.study.tables, options), options)]
    elif why:
        tests = one_by_one(designs, {design: samples[comparison_folder(design)] for design in designs}, options)
    else:
        tests = joints(designs, samples, everyone_of(samples, trial.study.tables, options), options)
    return Family(
        route=route,
        designs=tuple(designs),
        samples=samples,
        joints=tuple(tests),
        maps=maps,
        how=_how_of_periods(designs, samples) if designs[0].orders and not why else _how(designs, why),
        model=_model(designs, why),
        has_any=not why and not single and len(next(iter(wanted.values())).levels) > 2,
    )


def _how(designs: Sequence[Design], why: str | None) -> str:
    """Say how p is corrected over the comparisons."""
    text = FLIPS if designs[0].single else BONFERRONI if why else CLOSED
    by_weights = not why and any(design.weighted for design in designs)
    return (text + WEIGHTED * by_weights).format(n=len(designs), why=why)


def _how_of_periods(designs: Sequence[Design], samples: dict[str, Sample]) -> str:
    """Say how p is corrected over comparisons of several treatments, and where the draws are exact."""
    sample = next(iter(samples.values()))
    levels, rows = sample.design.levels, [row_of(one, sample.design.levels) for one in designs]
    exact: dict[bool, list[str]] = {True: [], False: []}
    for one in intersections(list(dict.fromkeys(rows))):
        alike = [[name for name, own in zip(levels, one.blocks, strict=True) if own == block] for block in one.blocks]
        said = " and ".join(dict.fromkeys(" = ".join(names) for names in alike if len(names) > 1))
        exact[is_exact(sample, one.blocks)].append(said)
    text = OF_PERIODS.format(n=len(designs), exact="; ".join(exact[True]) or "none")
    return text + (ROUGHLY.format(rough="; ".join(exact[False])) if exact[False] else "")


def _model(designs: Sequence[Design], why: str | None) -> str:
    """Say who is in the models that are tested."""
    if designs[0].single:
        return "the visits of each comparison"
    if designs[0].orders:
        return "all treatments and periods"
    arms, two = designs[0].words.arms, "" if any(design.weighted for design in designs) else "two "
    return f"the {two}{arms} of each comparison" if why else f"all {arms}"


def of_all_arms(designs: Sequence[Design]) -> list[Design]:
    """Return a design of all arms for each follow-up, numbered alike in all.

    Examples
    --------
    >>> low = Design("arm", "low", "placebo", "pre", "day3")
    >>> [one.arms for one in of_all_arms([low, Design("arm", "high", "placebo", "pre", "day3")])]
    [('placebo', 'low', 'high')]
    """
    first = designs[0]
    if first.orders:
        return [replace(first, weighted=None)]
    arms = dict.fromkeys(arm for design in designs for arm in design.compared[::-1])
    others = [arm for arm in arms if arm != first.reference]
    of_each = {design.followup: design for design in designs}
    return [
        replace(one, active=others[0], reference=first.reference, further=tuple(others[1:]), weighted=None)
        for one in of_each.values()
    ]
