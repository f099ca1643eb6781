"""Looks before this one, from the record they left: their tests are made again by the draws of this one."""

import hashlib
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np

from bids_app import __version__
from bids_app.bids.findings import Finding
from bids_app.bids.result_names import group_name
from bids_app.errors import DataError
from bids_app.group.routes import Route
from bids_app.group.sample import EarlierSample, Sample
from bids_app.settings.interim import Look
from bids_app.settings.settings import DESCRIBED, GROUP, Settings, Trial
from bids_app.stats.allocation import Allocations
from bids_app.trial.comparison_record import Looked, read_comparison
from bids_app.trial.looks_taken import LookTaken
from bids_app.trial.wording import PARALLEL

ABOUT = "Interim looks"
JOINTLY = (
    "Allocations that look {before} would have stopped at do not count at this one, so that all looks together spend "
    "all of alpha. That is of corrected p; labels are exchanged among those who came for the same look. What an "
    "earlier look found is tested by itself again."
)
BOUND = (
    "This look is tested as if those before it had found nothing in common with it, which spends less of alpha than it "
    "may: {why}."
)


class NotMadeAgain(Exception):
    """Why the test of an earlier look cannot be made again."""


def with_earlier(sample: Sample, route: Route, settings: Settings, *, alone: bool) -> Sample:
    """Return a sample that knows the looks before this one, and a finding that says so, or why it does not.

    Parameters
    ----------
    sample : Sample
    route : Route
    settings : Settings
    alone : bool
        Whether it is the only comparison.

    Returns
    -------
    Sample
        As it was where there is no look before this one.

    Notes
    -----
    The record is that of the results which this run will take the place of, so that it is of the look before, or of
    this one, which has those before it.
    """
    look = settings.trial.interim
    if look is None or look.number == 1 or settings.trial.estimator == DESCRIBED:
        return sample
    path = settings.output_dir / GROUP / group_name(route, sample.design, "design", ".json")
    try:
        _require_plain(sample, settings.trial, alone=alone)
        found = _made_again(sample, settings.trial, look, _taken(path, look))
    except NotMadeAgain as why:
        finding = Finding(ABOUT, BOUND.format(why=why))
        return replace(sample, findings=(*sample.findings, finding))
    before = " and ".join(str(one + 1) for one in range(len(found.earlier)))
    finding = Finding(ABOUT, JOINTLY.format(before=before))
    return replace(found, findings=(*sample.findings, finding))


def looked(sample: Sample, trial: Trial) -> Looked:
    """Return what the record says of the look that a sample is compared at."""
    look = trial.interim
    if look is None:
        return Looked()
    own = taken(sample, trial, look) if _why_not_plain(sample, trial) is None else None
    return Looked(
        look=look.number,
        looks=look.of,
        look_planned=look.planned,
        spending=look.spending,
        alpha_spent=look.spent,
        alpha_of_all_looks=look.alpha,
        jointly=bool(sample.earlier) if look.number > 1 else None,
        # a look that was not taken jointly cannot be made again by the draws of a later one
        taken=(*(one.taken for one in sample.earlier), own) if own and len(sample.earlier) == look.number - 1 else None,
    )


def taken(sample: Sample, trial: Trial, look: Look) -> LookTaken:
    """Return what a look leaves for those after it."""
    return LookTaken(
        number=look.number,
        level=look.level,
        participants=sample.participants,
        values=_digest(sample, trial),
        draws=sample.draws(trial).fingerprint,
    )


def _why_not_plain(sample: Sample, trial: Trial) -> str | None:
    """Say why the test of a look could not be made again later, whoever is there; None where it could."""
    design = sample.design
    if trial.until_settled:
        return "draws stop when p is settled"
    if trial.tail_approximation:
        return "small p are of a fitted tail"
    if trial.scheme != "rerandomize" or design.words is not PARALLEL or design.orders or design.treatments:
        return "only labels of parallel arms that are re-randomized are followed from look to look"
    return "the possible allocations are listed" if sample.allocation_table is not None else None


def _require_plain(sample: Sample, trial: Trial, *, alone: bool) -> None:
    why = _why_not_plain(sample, trial) if alone else "there are several comparisons"
    if why:
        raise NotMadeAgain(why)


def _taken(path: Path, look: Look) -> tuple[LookTaken, ...]:
    """Return the looks before this one, as the record has them."""
    if not path.exists():
        raise NotMadeAgain(f"no results of look {look.number - 1} are in the output folder")
    try:
        looks = read_comparison(path).interim.taken or ()
    except DataError as error:
        raise NotMadeAgain(f"the record of look {look.number - 1} cannot be read ({error})") from error
    before = tuple(one for one in looks if one.number < look.number)
    if [one.number for one in before] != list(range(1, look.number)):
        raise NotMadeAgain(f"the results in the output folder do not say how look {look.number - 1} was tested")
    return before


def _made_again(sample: Sample, trial: Trial, look: Look, before: tuple[LookTaken, ...]) -> Sample:
    """Return the sample with the looks before it, whose values and draws must be what they were."""
    place = {name: row for row, name in enumerate(sample.participants)}
    came = np.full(len(place), look.number)
    earlier = []
    for one in reversed(before):
        if gone := [name for name in one.participants if name not in place]:
            raise NotMadeAgain(f"of those compared at look {one.number}, {len(gone)} are not compared now")
        rows = np.array([place[name] for name in one.participants])
        came[rows] = one.number
        earlier.append(EarlierSample(taken=one, rows=rows))
    found = replace(sample, earlier=tuple(reversed(earlier)), came=came)
    draws = found.draws(trial)
    for own in found.earlier:
        number = own.taken.number
        if _digest(sample.of(own.rows), trial) != own.taken.values:
            raise NotMadeAgain(f"what is compared of those at look {number} is not what it was, or is tested otherwise")
        if _fingerprint(draws, own.rows) != own.taken.draws:
            raise NotMadeAgain(f"the draws of look {number} are not part of those of this one")
    return found


def _fingerprint(draws: Allocations, rows: np.ndarray) -> int:
    """Return that of the draws as those rows would have had them by themselves."""
    return crc32(draws.arms[:, rows].tobytes())


def _digest(sample: Sample, trial: Trial) -> str:
    """Return a digest of all that a test depends on but its draws: values, what they are adjusted for, and options."""
    how = (trial.estimator, trial.statistic, trial.edge_statistic, trial.connectivity, trial.cluster_threshold)
    digest = hashlib.sha256(repr((*how, trial.hc3, trial.min_per_arm, __version__)).encode())
    for values in (sample.arm.astype(np.int8), sample.nuisance(), sample.kept):
        digest.update(np.ascontiguousarray(values).tobytes())
    for feature, visits in sample.maps.items():
        digest.update(feature.title.encode())
        for visit in sorted(visits, key=str):
            digest.update(f"{visit}".encode())
            digest.update(np.ascontiguousarray(visits[visit], dtype=np.float64).tobytes())
    return digest.hexdigest()
