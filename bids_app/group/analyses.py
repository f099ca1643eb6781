"""Analyses: what is estimated of every feature, by which draws it is tested, and what it is called."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, cast

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.bids.names import label
from bids_app.bids.result_names import comparison_desc
from bids_app.graph.features import Feature
from bids_app.group.analysis_words import (
    ALONE,
    BASELINE_CARRY_OVER,
    BETWEEN,
    BLOCKS,
    NOT_TESTED,
    OF_BASELINES,
    OF_PERIODS,
    UNADJUSTED,
    mean_change,
)
from bids_app.group.drawing import Draws, draws_of, draws_to_make, inference_of
from bids_app.group.sample import Sample
from bids_app.group.treatments import analyses_of_several, counting_participants, of_several, of_treatments
from bids_app.settings.roles import Role, feature_role
from bids_app.settings.settings import DESCRIBED, Trial
from bids_app.trial.design import Design

HEADLINES = ("ancova", "crossover", "within")  # whose maps are named by the feature alone
SYMPTOMS = {"symptom": "slope", "symptom-by-arm": "slope-by-arm"}


@dataclass(frozen=True)
class Analysis:
    """One estimator, of everyone or of a part.

    Attributes
    ----------
    estimator : str
        Key of `BETWEEN`, `OF_PERIODS` or `BASELINE_CARRY_OVER`, ``within``, ``slope``, ``slope-by-arm``, ``symptom`` or
        ``symptom-by-arm``.
    subject : str or None
        The arm that ``within`` describes, the covariate of a slope, or the outcome of a symptom.

    Examples
    --------
    >>> Analysis("ancova").suffix, Analysis("within", "usual care").suffix, Analysis("slope-by-arm", "age").key
    ('', 'WithinUsualCare', 'slope-by-arm:age')
    """

    estimator: str
    subject: str | None = None

    @property
    def key(self) -> str:
        """The analysis in one word."""
        return self.estimator if self.subject is None else f"{self.estimator}:{self.subject}"

    @property
    def suffix(self) -> str:
        """What follows the feature in the desc label of a map; nothing for ANCOVA, and in a cross-over trial."""
        if self.estimator in HEADLINES and self.subject is None:
            return ""
        camel = label(f"{self.estimator} {self.subject or ''}")
        return camel[0].upper() + camel[1:]

    @property
    def compares_arms(self) -> bool:
        """True if it is a difference between the arms, which the trial is about; False for what describes."""
        return self.estimator in BETWEEN and self.subject is None

    @classmethod
    def of(cls, key: str) -> "Analysis":
        """Return the analysis of a `key`."""
        estimator, _, subject = key.partition(":")
        return cls(estimator, subject or None)

    def estimand(self, design: Design) -> stats.Estimand:
        """Return what is estimated, as `stats.Estimand`: the reference is arm 0, the active arm is 1."""
        visits = cast(dict[str, str], {"baseline": None, **design.visits})
        if design.treatments:
            return stats.two_periods(self.estimator, str(design.baseline), design.followup, two_baselines(design))
        if self.estimator == "within":
            of_arm = None if self.subject is None else design.arms.index(self.subject)
            return replace(stats.two_visits("within", **visits), outcome=_change(visits, design), of_arm=of_arm)
        named = SYMPTOMS.get(self.estimator, self.estimator)
        found = stats.two_visits(named, **visits, **({"covariate": self.subject} if self.subject else {}))
        if design.baseline is None:
            return replace(found, adjusts=())
        if self.estimator in SYMPTOMS:  # the change of the map goes along with that of the symptom
            return replace(found, outcome=_change(visits, design), adjusts=())
        return replace(found, outcome=_change(visits, design)) if self.estimator == "change" else found

    def text(self, node: str, design: Design) -> str:
        """Say for people what it is."""
        alone, said = design.baseline is None, design.words.of
        if design.orders:
            return of_several(self.estimator, design)
        before = OF_BASELINES.get(self.estimator, "") * design.has_baselines
        described = OF_PERIODS | BASELINE_CARRY_OVER
        blocks = "; residuals are permuted (Freedman and Lane)" if design.single else said(BLOCKS)
        if self.estimator in described:
            return described[self.estimator].replace(" (descriptive)", f"{before} (descriptive)")
        if self.estimator == DESCRIBED:
            return NOT_TESTED
        if self.estimator == "within" and self.subject is None:
            return mean_change(design)
        if self.compares_arms:
            text = UNADJUSTED if design.is_change and self.estimator == "change" else BETWEEN[self.estimator]
            text = ALONE if alone else f"{said(text)}{before}".format(node=node)
            return text.replace("follow-up", design.called["followup"], 1)
        if self.estimator == "within":
            change = f"{design.called['followup']}{'' if design.is_change else ' minus baseline'}"
            return f"{change} within {self.subject} ({said('descriptive; no comparison of the arms')})"
        between = said("difference between the arms in ") * self.estimator.endswith("-by-arm")
        if self.estimator in SYMPTOMS:
            what = "what" if alone or between else "change that"
            of = "" if alone else "the change of "
            over = "" if between or design.single else said(", over both arms")
            return f"{between}{what} goes along with {of}{self.subject}{over}{blocks} (exploratory)"
        where = "at the visit" if alone else f"on the follow-up, adjusted for the baseline of the same {node}"
        return f"{between}{'the ' if between else ''}slope of {self.subject} {where}{blocks}"

    def sides(self, design: Design) -> tuple[str, ...]:
        """Return what its differences are of, the first minus the second."""
        if self.estimator == "period":
            return design.periods[0], design.periods[-1]
        if design.orders:
            return design.sides
        return design.compared if self.estimator.endswith("carry-over") else design.sides

    def direction(self, sign: int, design: Design) -> str:
        """Say which way an effect of a sign goes."""
        if self.estimator == "within" and self.subject is not None:
            if design.is_change:
                return f"{design.called['followup']} {'above' if sign > 0 else 'below'} 0"
            before, after = map(design.named, design.visits)
            return f"{after} > {before}" if sign > 0 else f"{after} < {before}"
        if self.estimator in ("slope", "symptom", "within"):
            return design.direction(sign, self.subject)
        return " > ".join(self.sides(design)[::sign])


def two_baselines(design: Design) -> tuple[str, str] | None:
    """Return the baselines of two periods, if there are such."""
    if design.baselines is None:
        return None
    first, second = design.baselines
    return first, second


def _change(visits: Mapping[str, str], design: Design) -> Mapping[str, float]:
    """Return the weights of what changed: the follow-up minus the baseline, or what is a change by itself."""
    return stats.two_visits("post" if design.is_change else "change", **visits).outcome


@dataclass(frozen=True)
class Test:
    """One analysis of one feature.

    Attributes
    ----------
    feature : Feature
    analysis : Analysis

    Examples
    --------
    >>> test = Test(Feature("degree", "r025"), Analysis("change"))
    >>> test.desc, test.role(Trial())
    ('degreeR025Change', 'exploratory')
    """

    feature: Feature
    analysis: Analysis
    __test__: ClassVar[bool] = False  # of what pytest collects

    @property
    def desc(self) -> str:
        """The desc label of its maps."""
        return comparison_desc(self.feature, self.analysis)

    def role(self, trial: Trial) -> Role:
        """Say what it counts for, by the plan."""
        return feature_role(trial, self.feature, self.analysis.key)


def analyses_of(
    trial: Trial, design: Design, symptoms: Iterable[Hashable] = (), *, describes: bool = True
) -> list[Analysis]:
    """Return the analyses of a trial: the headline's first, then what is always beside it.

    Parameters
    ----------
    trial : settings.Trial
    design : design.Design
    symptoms : iterable of str
        Outcomes whose change is known for enough of those compared.
    describes : bool, optional
        Of the route: otherwise the arms are compared, and no more.
    """
    if design.orders:
        return [Analysis(one) for one in analyses_of_several(design, describes=describes)]
    if design.treatments:
        beside = ("unadjusted",) * design.has_baselines
        described = [*OF_PERIODS, *(BASELINE_CARRY_OVER if design.has_baselines else ())] if describes else []
        return [Analysis(one) for one in (trial.estimator, *beside, "first-period", *described)]
    if design.single:
        return _of_one_group(trial, design, symptoms, describes=describes)
    alone = design.baseline is None
    between = dict.fromkeys(("post",) if alone else (trial.estimator, "ancova", "change"))
    if not describes:
        return [Analysis(estimator) for estimator in between]
    within = [] if alone else [Analysis("within", arm) for arm in (design.active, design.reference)]
    slopes = [Analysis(kind, name) for name in trial.slopes for kind in ("slope", "slope-by-arm")]
    changes = [Analysis(kind, str(name)) for name in symptoms for kind in ("symptom", "symptom-by-arm")]
    return [*(Analysis(estimator) for estimator in between), *within, *slopes, *changes]


def _of_one_group(trial: Trial, design: Design, symptoms: Iterable[Hashable], *, describes: bool) -> list[Analysis]:
    """Return the analyses of one group: its change, slopes, and what goes along with the outcomes."""
    change = [Analysis("within")] if design.of_change else []
    slopes = [Analysis("slope", name) for name in trial.slopes] if describes or not change else []
    return [*change, *slopes, *(Analysis("symptom", str(name)) for name in symptoms if describes)]


def headline_of(trial: Trial) -> Analysis:
    """Return the analysis that the page begins with."""
    return Analysis.of(trial.estimator)


def run_analysis(
    analysis: Analysis, sample: Sample, maps: Mapping[str | None, np.ndarray], trial: Trial, *, n_jobs: int = 1
) -> stats.Comparison:
    """Estimate and test one analysis of one feature.

    Parameters
    ----------
    analysis : Analysis
    sample : sample.Sample
        Its maps are not read.
    maps : dict of (n, V) ndarray
        By the session of the visit.
    trial : settings.Trial
    n_jobs : int
        Threads; the result does not depend on it.

    Returns
    -------
    stats.Comparison
    """
    tested, make = _stated(analysis, sample, maps)
    draws, inference = make(trial), inference_of(sample, trial)
    earlier = []
    for before in sample.earlier if isinstance(draws, stats.Allocations) else ():
        own = {visit: values[before.rows] for visit, values in maps.items()}
        then, _ = _stated(analysis, sample.of(before.rows), own)
        found = stats.compare(then, draws.of(before.rows), inference, n_jobs=n_jobs)
        earlier.append(stats.EarlierLook(found.max_statistics, before.taken.level))
    found = stats.compare(tested, draws, inference, earlier=earlier, n_jobs=n_jobs)
    return counting_participants(found, sample, len(tested.outcome))


def run_until_settled(
    analysis: Analysis,
    sample: Sample,
    maps: Sequence[Mapping[str | None, np.ndarray]],
    trial: Trial,
    *,
    n_jobs: int = 1,
) -> list[stats.Comparison]:
    """Test one analysis of several features, with the same draws until all that p says of them at alpha is settled.

    Parameters
    ----------
    analysis : Analysis
    sample : sample.Sample
    maps : sequence of dict
        Of each feature, as `run_analysis` takes them.
    trial : settings.Trial
    n_jobs : int

    Returns
    -------
    list of stats.Comparison
    """
    stated = [_stated(analysis, sample, own) for own in maps]
    draws, inference = draws_to_make(stated[0][1], trial), inference_of(sample, trial)
    tests = [(tested, draws, inference) for tested, _ in stated]
    found = stats.compare_until_settled(tests, stats.Stopping(trial.alpha), n_jobs=n_jobs)
    return [
        counting_participants(one, sample, len(tested.outcome)) for one, (tested, _) in zip(found, stated, strict=True)
    ]


def _stated(
    analysis: Analysis, sample: Sample, maps: Mapping[str | None, np.ndarray]
) -> tuple[stats.Hypothesis, Callable[[Trial], Draws]]:
    """Return the hypothesis that is tested, and what makes the draws that options ask for."""
    if sample.design.orders:
        return of_treatments(analysis.estimator, sample, maps)
    estimand = analysis.estimand(sample.design)
    if sample.design.treatments:
        design, visits = sample.design, cast(dict[str, np.ndarray], maps)
        periods = str(design.baseline), design.followup
        maps = dict(stats.crossed(analysis.estimator, visits, sample.arm, periods, two_baselines(design)).items())
    covariate = _covariate(analysis, sample)
    rows = rows_of(analysis, sample)
    tested = stats.hypothesis(
        estimand,
        {session: _of_rows(maps[session], rows) for session in estimand.visits},
        _nuisance(analysis, sample, rows),
        arm=sample.arm[rows],
        covariate=None if covariate is None else covariate[rows],
    )
    return tested, lambda options: draws_of(estimand, sample, rows, options)


def rows_of(analysis: Analysis, sample: Sample) -> np.ndarray:
    """Return who of a sample is in an analysis, (n,) bool: those of its arm, or who has the covariate."""
    of_arm, covariate = analysis.estimand(sample.design).of_arm, _covariate(analysis, sample)
    if of_arm is not None:
        return sample.arm == of_arm
    return np.ones(len(sample.arm), dtype=bool) if covariate is None else np.isfinite(covariate)


def covariates_of(analysis: Analysis, sample: Sample) -> list[str]:
    """Return the covariates that an analysis is adjusted for; a slope's own is not, and a mean is as it is."""
    if analysis.estimator == "within":
        return []
    own = analysis.subject if analysis.estimator.startswith("slope") else None
    return [str(name) for name in sample.covariates if name != own]


def _of_rows(maps: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return maps if rows.all() else maps[rows]


def _nuisance(analysis: Analysis, sample: Sample, rows: np.ndarray) -> np.ndarray:
    """Return what is adjusted for; a slope's own covariate is not, and the change within an arm is as it is."""
    if analysis.estimator == "within":
        return np.ones((int(rows.sum()), 1))
    own = analysis.subject if analysis.estimator.startswith("slope") else None
    return sample.nuisance(without=own)[rows]


def _covariate(analysis: Analysis, sample: Sample) -> np.ndarray | None:
    """Return the values whose slope is tested, (n,), NaN for who has none; or None."""
    if analysis.estimator in SYMPTOMS:
        return sample.symptoms[analysis.subject].to_numpy()
    if analysis.estimator.startswith("slope"):
        return cast(pd.DataFrame, sample.slopes)[analysis.subject].to_numpy()
    return None
