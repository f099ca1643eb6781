"""Several comparisons tested together: p that is corrected over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.bids.result_names import comparison_folder
from bids_app.group.analyses import headline_of
from bids_app.group.drawing import draws_of_blocks, draws_to_make, inference_of, main_draws
from bids_app.group.sample import Sample, load_maps
from bids_app.group.treatments import counting_participants, of_rows_of_treatments
from bids_app.settings.settings import Trial
from bids_app.stats.allocation import Allocations
from bids_app.trial.design import Design
from bids_app.trial.strata import strata
from bids_app.trial.tables import Tables
from bids_app.trial.wording import WORDINGS


@dataclass(frozen=True, kw_only=True)
class Member:
    """One comparison among those that are tested together.

    Attributes
    ----------
    design : Design
        Which arms, at which follow-up.
    name : str
        Of the sample, that its maps are kept by.
    sample : Sample
        Of all arms in the model, at that follow-up, without its maps.
    """

    design: Design
    name: str
    sample: Sample

    @property
    def row(self) -> tuple[float, ...]:
        """The weights of the arms in the sample: of two, 1 for the active and -1 for the reference."""
        return row_of(self.design, self.sample.design.levels)


def row_of(design: Design, arms: Sequence[str]) -> tuple[float, ...]:
    """Return the weights of some arms in a comparison."""
    return tuple(map(design.weight, arms))


@dataclass(frozen=True, kw_only=True)
class Joint:
    """Comparisons that are tested with the same draws, as if none of them found a difference.

    Attributes
    ----------
    members : tuple of Member
    draws : tuple of Allocations or Rearrangements
        For each of the members.
    times : int
        What p is multiplied by: 1, or the count of all comparisons where each is tested by itself.
    """

    members: tuple[Member, ...]
    draws: tuple[stats.Allocations | stats.Rearrangements, ...]
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Result:
    """One comparison of one feature as a joint test has it.

    Attributes
    ----------
    p : (V,) ndarray
        Corrected over nodes, signs and the comparisons of the joint test.
    comparison : stats.Comparison
        By itself.
    kept : (N,) bool ndarray
        Which nodes of the image or table the V are.
    settled : bool
        False if all draws that would be made do not tell on which side of alpha p is, see `stats.by_chance`.
    """

    p: np.ndarray
    comparison: stats.Comparison
    kept: np.ndarray
    settled: bool = True

    def whole(self, values: np.ndarray) -> np.ndarray:
        """Return (V,) values over all N nodes, NaN where nothing was compared."""
        found = np.full(len(self.kept), np.nan)
        found[self.kept] = values
        return found


def why_not_closed(designs: Sequence[Design], trial: Trial) -> str | None:
    """Say why comparisons cannot be tested by the closed test; None where they can.

    Parameters
    ----------
    designs : sequence of Design
        Of the comparisons.
    trial : settings.Trial
    """
    if trial.scheme != "rerandomize":
        return f"residuals are permuted in place of {WORDINGS[trial.design].arms}"
    if trial.allocations:
        of = "whole sequences, of a table" if designs[0].orders else "two arms"
        return f"the possible allocations are of {of}"
    sides = {design.sides for design in designs}
    if len(sides) * len({design.followup for design in designs}) > len(designs):
        return "not every arm can be compared at every follow-up"
    return None


def joints(designs: Sequence[Design], samples: Mapping[str, Sample], labels: pd.Series, trial: Trial) -> list[Joint]:
    """List the tests of a closed test of all comparisons.

    Parameters
    ----------
    designs : sequence of Design
    samples : dict of Sample
        Of all arms, by follow-up.
    labels : Series of str
        Stratum of everyone who is compared at any follow-up, by participant.
    trial : settings.Trial

    Returns
    -------
    list of Joint
        One for each `stats.Intersection` of their weights, over all follow-ups: one allocation of everyone drives
        them all, and a comparison takes from it whom it has.
    """
    first = next(iter(samples.values()))
    arms = first.design.levels
    rows = list(dict.fromkeys(row_of(design, arms) for design in designs))
    arm = _arm_of_everyone(samples, list(labels.index))
    found = []
    for one in stats.intersections(rows):
        members = tuple(
            Member(design=design, name=design.followup, sample=samples[design.followup])
            for design in designs
            if row_of(design, arms) in one.rows
        )
        if first.design.orders:  # whose one sample is of everyone
            of_sequences = draws_to_make(partial(_of_sequences, first, one.blocks), trial)
            drawn = (cast(Allocations, of_sequences),) * len(members)
        else:
            blocks = [f"{label} {one.blocks[number]}" for label, number in zip(labels, arm, strict=True)]
            draws = cast(Allocations, draws_to_make(partial(_allocations, arm, blocks), trial))
            drawn = tuple(_of_those(draws, labels.index, one) for one in members)
        found.append(Joint(members=members, draws=drawn))
    return found


def _allocations(arm: np.ndarray, blocks: Sequence[str], trial: Trial) -> stats.Allocations:
    return stats.allocations(arm, blocks, trial.n_draws, trial.random_seed)


def _of_sequences(sample: Sample, blocks: Sequence[int], trial: Trial) -> Allocations:
    return draws_of_blocks(sample, blocks, trial)


def _sign_flips(n: int, trial: Trial) -> stats.Rearrangements:
    return stats.sign_flips(n, trial.n_draws, trial.random_seed)


def _arm_of_everyone(samples: Mapping[str, Sample], participants: Sequence[str]) -> np.ndarray:
    """Return the number of the arm of everyone who is compared at any follow-up."""
    arms = {
        name: number for sample in samples.values() for name, number in zip(_names(sample), sample.arm, strict=True)
    }
    return np.array([arms[name] for name in participants])


def _names(sample: Sample) -> list[str]:
    return list(sample.participants)


def flips_of_all(designs: Sequence[Design], samples: Mapping[str, Sample], labels: pd.Series, trial: Trial) -> Joint:
    """Return the one test of all later visits of one group: a participant's sign is flipped at all of them at once.

    Parameters
    ----------
    designs : sequence of Design
    samples : dict of Sample
        By `result_names.comparison_folder`.
    labels : Series
        Its index is everyone who is compared at any visit.
    trial : settings.Trial

    Returns
    -------
    Joint
        The smallest p over visits of a draw is what an observed p must beat. That holds whichever visits change: those
        that do can only make what must be beaten smaller, and those that do not are flipped as if alone.
    """
    draws = cast(stats.Rearrangements, draws_to_make(partial(_sign_flips, len(labels)), trial))
    names = [comparison_folder(design) for design in designs]
    members = [Member(design=one, name=name, sample=samples[name]) for one, name in zip(designs, names, strict=True)]
    rows = [labels.index.get_indexer(pd.Index(_names(member.sample))) for member in members]
    return Joint(members=tuple(members), draws=tuple(draws.of(own) for own in rows))


def _of_those(draws: Allocations, participants: pd.Index, member: Member) -> Allocations:
    return draws.of(participants.get_indexer(pd.Index(_names(member.sample))))


def one_by_one(designs: Sequence[Design], samples: Mapping[Design, Sample], trial: Trial) -> list[Joint]:
    """List the comparisons by themselves, p times their number (Bonferroni)."""
    return [
        Joint(
            members=(Member(design=design, name=comparison_folder(design), sample=samples[design]),),
            draws=(draws_to_make(partial(main_draws, samples[design]), trial),),
            times=len(designs),
        )
        for design in designs
    ]


def everyone_of(samples: Mapping[str, Sample], tables: Tables, trial: Trial) -> pd.Series:
    """Return the stratum of everyone who is compared at any follow-up, by participant."""
    names = sorted({name for sample in samples.values() for name in _names(sample)})
    of_strata = strata(tables, trial.strata, names)
    return pd.Series("" if of_strata is None else of_strata, index=names, dtype=str)


def compare_together(
    joint: Joint, maps: Mapping[str, Path | str], trial: Trial, *, n_jobs: int = 1
) -> dict[str, Result]:
    """Test comparisons of one feature with the same draws.

    Parameters
    ----------
    joint : Joint
    maps : dict of path
        The feature's maps as `Sample.save_maps` saves them, by the name of each member's sample.
    trial : settings.Trial
    n_jobs : int
        Threads.

    Returns
    -------
    dict of Result
        By `result_names.comparison_folder`.
    """
    parts = _parts(joint)
    compared = [stats.compare(*_stated(one, maps, trial), n_jobs=n_jobs) for one in parts.values()]
    return _results(parts, compared, joint.times)


def compare_any(joint: Joint, maps: Mapping[str, Path | str], trial: Trial, *, n_jobs: int = 1) -> dict[str, Result]:
    """Test by F whether any arms of a feature differ, at each follow-up.

    Parameters
    ----------
    joint : Joint
        The one that all comparisons are in.
    maps : dict of path
    trial : settings.Trial
    n_jobs : int

    Returns
    -------
    dict of Result
        By follow-up; p is corrected over the follow-ups too.
    """
    parts = _parts(joint, any_difference=True)
    return _results(parts, [stats.compare(*_stated(one, maps, trial), n_jobs=n_jobs) for one in parts.values()])


def together_until_settled(
    joint: Joint,
    maps: Sequence[Mapping[str, Path | str]],
    trial: Trial,
    *,
    any_difference: bool = False,
    n_jobs: int = 1,
) -> list[dict[str, Result]]:
    """Test comparisons of several features, with the same draws until all that p says of them at alpha is settled.

    Parameters
    ----------
    joint : Joint
    maps : sequence of dict of path
        Of each feature, as `compare_together` takes them.
    trial : settings.Trial
    any_difference : bool
        Test by F whether any arms differ, as `compare_any`.
    n_jobs : int

    Returns
    -------
    list of dict of Result
        As `compare_together` or `compare_any`, of each feature.
    """
    parts, times = _parts(joint, any_difference=any_difference), 1 if any_difference else joint.times
    tests = [_stated(one, own, trial) for own in maps for one in parts.values()]
    of_features = [range(first, first + len(parts)) for first in range(0, len(tests), len(parts))]
    families = (*of_features, range(len(tests)))
    found = stats.compare_until_settled(tests, stats.Stopping(trial.alpha / times), families=families, n_jobs=n_jobs)
    open_ = {
        place
        for family in families
        for place, by_chance in zip(family, stats.by_chance([found[one] for one in family]), strict=True)
        if by_chance
    }
    results = []
    for own in of_features:
        of_one = _results(parts, [found[place] for place in own], times)
        said = zip(of_one.items(), own, strict=True)
        results.append({name: replace(one, settled=place not in open_) for (name, one), place in said})
    return results


class _Part(NamedTuple):
    """One test of a joint one: whose, by which draws, of which rows over the arms."""

    member: Member
    draws: stats.Allocations | stats.Rearrangements
    rows: tuple[tuple[float, ...], ...]


def _parts(joint: Joint, *, any_difference: bool = False) -> dict[str, _Part]:
    """Return the tests by the comparison, or by the follow-up at which any arms may differ."""
    both = list(zip(joint.members, joint.draws, strict=True))
    if any_difference:
        rows = against_reference(len(joint.members[0].sample.design.levels))
        return {member.design.followup: _Part(member, draws, rows) for member, draws in both}
    return {
        comparison_folder(member.design): _Part(member, draws, () if member.design.single else (member.row,))
        for member, draws in both
    }


def _results(parts: Mapping[str, _Part], compared: Sequence[stats.Comparison], times: int = 1) -> dict[str, Result]:
    counted = [
        counting_participants(own, part.member.sample, len(part.member.sample.arm) * (part.member.design.n_periods - 1))
        for part, own in zip(parts.values(), compared, strict=True)
    ]
    return {
        name: Result(p=np.minimum(p * times, 1), comparison=own, kept=part.member.sample.kept)
        for (name, part), p, own in zip(parts.items(), _corrected(compared), counted, strict=True)
    }


def against_reference(n_arms: int) -> tuple[tuple[float, ...], ...]:
    """Return the rows that compare every arm with the reference.

    Examples
    --------
    >>> against_reference(3)
    ((-1.0, 1.0, 0.0), (-1.0, 0.0, 1.0))
    """
    return tuple(tuple(float(arm == one) - float(arm == 0) for arm in range(n_arms)) for one in range(1, n_arms))


def _corrected(compared: Sequence[stats.Comparison]) -> list[np.ndarray]:
    """Return p over several comparisons with the same draws; that of a single one may be of a fitted tail."""
    return stats.across(compared) if len(compared) > 1 else [compared[0].p_fwe]


def _stated(
    part: _Part, maps: Mapping[str, Path | str], trial: Trial
) -> tuple[stats.Hypothesis, stats.Allocations | stats.Rearrangements, stats.Inference]:
    """Return the test of rows over the arms in the model of all arms of a sample."""
    sample, own = part.member.sample, load_maps(maps[part.member.name])
    inference = inference_of(sample, trial)
    if sample.design.orders:
        rows = stats.of_rows(part.draws, sample.design.n_periods)
        return of_rows_of_treatments(part.rows, sample, own), rows, inference
    estimand = replace(headline_of(trial).estimand(sample.design), tested=part.rows)
    return stats.hypothesis(estimand, own, sample.nuisance(), arm=sample.arm), part.draws, inference
