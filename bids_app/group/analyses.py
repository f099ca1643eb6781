"""Analyses: what is estimated of every feature, by which draws it is tested, and what it is called."""

from dataclasses import dataclass

import numpy as np

from bids_app import stats
from bids_app.bids.names import label

BETWEEN = {
    "ancova": "follow-up adjusted for the baseline of the same {node} (ANCOVA)",
    "change": "follow-up minus baseline (change score, the arm-by-visit interaction)",
    "post": "follow-up alone, not adjusted for the baseline",
}
SLOPES = {  # as `stats.KINDS` has them; a symptom's change goes with the change of the map
    "slope": "slope",
    "slope-by-arm": "slope-by-arm",
    "symptom": "slope",
    "symptom-by-arm": "slope-by-arm",
}
BLOCKS = "; residuals are permuted within arms and strata"
STATISTICS = {"tfce": "tfce", "t": "voxel", "cluster-extent": "extent", "cluster-mass": "mass"}
OF_CONNECTIONS = {"tfnbs": "tfce", "nbs": "extent", "nbs-intensity": "mass", "t": "voxel"}


@dataclass(frozen=True)
class Analysis:
    """One estimator, of everyone or of a part.

    Attributes
    ----------
    estimator : str
        Key of `BETWEEN` or `SLOPES`, or ``within``.
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
    def key(self):
        """The analysis in one word."""
        return self.estimator if self.subject is None else f"{self.estimator}:{self.subject}"

    @property
    def suffix(self):
        """What follows the feature in the desc label of a map; nothing for ANCOVA."""
        if self.estimator == "ancova":
            return ""
        camel = label(f"{self.estimator} {self.subject or ''}")
        return camel[0].upper() + camel[1:]

    @property
    def compares_arms(self):
        """True if it is a difference between the arms, which the trial is about; False for what describes."""
        return self.estimator in BETWEEN

    def text(self, node, design):
        """Say for people what it is."""
        if self.compares_arms:
            return BETWEEN[self.estimator].format(node=node)
        if self.estimator == "within":
            return f"follow-up minus baseline within {self.subject} (descriptive; no comparison of the arms)"
        if self.estimator == "symptom":
            return f"change that goes along with the change of {self.subject}, over both arms{BLOCKS} (exploratory)"
        if self.estimator == "symptom-by-arm":
            what = f"difference between the arms in what goes along with the change of {self.subject}"
            return f"{what}{BLOCKS} (exploratory)"
        of = {"slope": "slope of {}", "slope-by-arm": "difference between the arms in the slope of {}"}[self.estimator]
        return f"{of.format(self.subject)} on the follow-up, adjusted for the baseline of the same {node}{BLOCKS}"

    def direction(self, sign, design):
        """Say which way an effect of a sign goes."""
        if self.estimator == "within":
            before, after = f"ses-{design.baseline}", f"ses-{design.followup}"
            return f"{after} > {before}" if sign > 0 else f"{after} < {before}"
        if self.estimator in ("slope", "symptom"):
            return f"{'rises' if sign > 0 else 'falls'} with {self.subject}"
        larger, smaller = (design.active, design.reference)[::sign]
        return f"{larger} > {smaller}"


def analyses_of(trial, design, symptoms=(), kind="maps"):
    """Return the analyses of a trial: the headline's first, then what is always beside it.

    Parameters
    ----------
    trial : settings.Trial
    design : design.Design
    kind : str
        Of the route; connections, which are many, are compared between the arms only.
    symptoms : iterable of str
        Outcomes whose change is known for enough of those compared.
    """
    between = dict.fromkeys((trial.estimator, "ancova", "change"))
    if kind == "edges":
        return [Analysis(estimator) for estimator in between]
    within = [Analysis("within", arm) for arm in (design.active, design.reference)]
    slopes = [Analysis(kind, name) for name in trial.slopes for kind in ("slope", "slope-by-arm")]
    changes = [Analysis(kind, name) for name in symptoms for kind in ("symptom", "symptom-by-arm")]
    return [*(Analysis(estimator) for estimator in between), *within, *slopes, *changes]


def run_analysis(analysis, problem, maps, trial, *, n_jobs=1):
    """Estimate and test one analysis of one feature.

    Parameters
    ----------
    analysis : Analysis
    problem : sample.Problem
        Its maps are not read.
    maps : (2, n, V) array-like of float
        Baseline and follow-up.
    trial : settings.Trial
    n_jobs : int
        Threads; the result does not depend on it.

    Returns
    -------
    stats.Comparison
    """
    baseline, followup = maps
    inference = stats.Inference(
        statistic=_statistic(problem, trial),
        neighbours=problem.grid.neighbours(trial.connectivity) if problem.grid is not None else None,
        pairs=problem.pairs,
        threshold=trial.cluster_threshold,
        robust=trial.hc3,
        min_per_arm=trial.min_per_arm or 2,
        tail=trial.tail_approximation,
    )
    if analysis.estimator == "within":
        rows = problem.arm == (analysis.subject == problem.arms[0])
        tested = stats.hypothesis("within", followup[rows], baseline[rows], np.ones((rows.sum(), 1)))
        draws = stats.sign_flips(int(rows.sum()), trial.n_permutations, trial.random_seed)
        return stats.compare(tested, draws, inference, n_jobs=n_jobs)
    if analysis.estimator.startswith("symptom"):
        return _run_symptom(analysis, problem, followup - baseline, trial, inference, n_jobs)
    covariate = None if analysis.compares_arms else problem.slopes[analysis.subject].to_numpy()
    tested = stats.hypothesis(
        analysis.estimator,
        followup,
        baseline,
        problem.nuisance(without=analysis.subject),
        arm=problem.arm,
        covariate=covariate,
    )
    draws = main_draws(problem, trial) if analysis.compares_arms else _within_blocks(problem.arm, problem.strata, trial)
    return stats.compare(tested, draws, inference, n_jobs=n_jobs)


def main_draws(problem, trial):
    """Return the draws that test a difference of the arms, by the scheme that was chosen."""
    if trial.scheme == "rerandomize":
        return problem.draws(trial)
    return stats.residual_permutations(len(problem.arm), problem.strata, trial.n_permutations, trial.random_seed)


def _within_blocks(arm, strata, trial):
    """Return the draws that test what is no difference of the arms: within them."""
    blocks = stats.exchange_blocks(arm, strata)
    return stats.residual_permutations(len(blocks), blocks, trial.n_permutations, trial.random_seed)


def _statistic(problem, trial):
    if problem.grid is not None:
        return STATISTICS[trial.statistic]
    return "voxel" if problem.pairs is None else OF_CONNECTIONS[trial.edge_statistic]


def _run_symptom(analysis, problem, change, trial, inference, n_jobs):
    """Test what goes along with an outcome's change, among those whose change is known."""
    symptom = problem.symptoms[analysis.subject].to_numpy()
    rows = np.isfinite(symptom)
    tested = stats.hypothesis(
        SLOPES[analysis.estimator],
        change[rows],
        None,
        problem.nuisance()[rows],
        arm=problem.arm[rows],
        covariate=symptom[rows],
    )
    strata = None if problem.strata is None else problem.strata[rows]
    draws = _within_blocks(problem.arm[rows], strata, trial)
    return stats.compare(tested, draws, inference, n_jobs=n_jobs)
