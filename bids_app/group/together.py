"""Several comparisons tested together: p that is corrected over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.bids.result_names import comparison_folder
from bids_app.group.analyses import headline_of
from bids_app.group.drawing import draws_of_blocks, inference_of, main_draws
from bids_app.group.sample import Sample, load_maps
from bids_app.group.treatments import compare_treatments, of_rows_of_treatments
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
    """

    p: np.ndarray
    comparison: stats.Comparison
    kept: np.ndarray

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
        return "the possible allocations are of two arms"
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
            drawn = (draws_of_blocks(first, one.blocks, trial).allocations,) * len(members)
        else:
            blocks = [f"{label} {one.blocks[number]}" for label, number in zip(labels, arm, strict=True)]
            draws = stats.allocations(arm, blocks, trial.n_permutations, trial.random_seed)
            drawn = tuple(_of_those(draws, labels.index, one) for one in members)
        found.append(Joint(members=members, draws=drawn))
    return found


def _arm_of_everyone(samples: Mapping[str, Sample], participants: Sequence[str]) -> np.ndarray:
    """Return the number of the arm of everyone who is compared at any follow-up."""
    arms = {
        name: number for sample in samples.values() for name, number in zip(_names(sample), sample.arm, strict=True)
    }
    return np.array([arms[name] for name in participants])


def _names(sample: Sample) -> list[str]:
    return [str(name).removeprefix("sub-") for name in sample.covariates.index]


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
    draws = stats.sign_flips(len(labels), trial.n_permutations, trial.random_seed)
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
            draws=(main_draws(samples[design], trial),),
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
    compared = [
        _compare(member, draws, maps, () if member.design.single else (member.row,), trial, n_jobs)
        for member, draws in zip(joint.members, joint.draws, strict=True)
    ]
    return {
        comparison_folder(one.design): Result(p=np.minimum(p * joint.times, 1), comparison=own, kept=one.sample.kept)
        for one, p, own in zip(joint.members, _corrected(compared), compared, strict=True)
    }


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
    once = {member.name: (member, draws) for member, draws in zip(joint.members, joint.draws, strict=True)}
    compared = [
        _compare(member, draws, maps, against_reference(len(member.sample.design.levels)), trial, n_jobs)
        for member, draws in once.values()
    ]
    return {
        member.design.followup: Result(p=p, comparison=one, kept=member.sample.kept)
        for (member, _), p, one in zip(once.values(), _corrected(compared), compared, strict=True)
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


def _compare(
    member: Member,
    draws: stats.Allocations | stats.Rearrangements,
    maps: Mapping[str, Path | str],
    tested: tuple[tuple[float, ...], ...],
    trial: Trial,
    n_jobs: int,
) -> stats.Comparison:
    """Test rows over the arms in the model of all arms of a sample."""
    sample = member.sample
    if sample.design.orders:
        of_treatments = of_rows_of_treatments(tested, sample, load_maps(maps[member.name]))
        rows = stats.of_rows(draws, sample.design.n_periods)
        return compare_treatments(of_treatments, rows, sample, trial, n_jobs)
    estimand = replace(headline_of(trial).estimand(sample.design), tested=tested)
    stated = stats.hypothesis(estimand, load_maps(maps[member.name]), sample.nuisance(), arm=sample.arm)
    return stats.compare(stated, draws, inference_of(sample, trial), n_jobs=n_jobs)
