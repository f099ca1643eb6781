"""The plan of the analysis, frozen in a file before the data are seen, and what departs from it."""

import dataclasses
import hashlib
import tomllib
from dataclasses import dataclass

from bids_app.errors import MissingInputError, UsageError

ROLES = ("primary", "secondary", "exploratory")
CHOICES = {
    "estimator": ("ancova", "change", "post"),
    "scheme": ("rerandomize", "freedman-lane"),
    "statistic": ("tfce", "t", "cluster-extent", "cluster-mass"),
}
# These change how exactly a p-value is known, not which question it answers.
PRECISION = ("n_permutations", "seed")
SECTIONS = {
    "metrics": {"primary": "metric", "secondary": "secondary_metrics"},
    "graph": {"threshold": "threshold", "density": "density", "mask": "mask"},
    "trial": {
        "arm": "arm",
        "reference": "reference",
        "baseline": "baseline",
        "followup": "followup",
        "covariates": "covariates",
        "strata": "strata",
    },
    "analysis": {
        "estimator": "estimator",
        "scheme": "scheme",
        "statistic": "statistic",
        "alpha": "alpha",
        "n_permutations": "n_permutations",
        "seed": "seed",
    },
    "outcomes": {"primary": "primary_outcomes", "secondary": "secondary_outcomes"},
}


@dataclass(frozen=True)
class Plan:
    """What was decided before the data were seen; None where the plan leaves it open.

    Attributes
    ----------
    metric : str
        The primary graph measure.
    secondary_metrics : tuple of str or None
    threshold, density : float or None
        The edge rule; at most one of them.
    mask : str or None
    arm, reference, baseline, followup : str or None
        The contrast: column, reference level, sessions without ses-.
    covariates, strata : tuple of str or None
    estimator, scheme, statistic : str or None
        See `CHOICES`.
    alpha : float or None
    n_permutations, seed : int or None
    primary_outcomes, secondary_outcomes : tuple of str or None
    sha256 : str
        Hash of the file, as ``sha256sum`` prints it.
    """

    metric: str
    secondary_metrics: tuple[str, ...] | None = None
    threshold: float | None = None
    density: float | None = None
    mask: str | None = None
    arm: str | None = None
    reference: str | None = None
    baseline: str | None = None
    followup: str | None = None
    covariates: tuple[str, ...] | None = None
    strata: tuple[str, ...] | None = None
    estimator: str | None = None
    scheme: str | None = None
    statistic: str | None = None
    alpha: float | None = None
    n_permutations: int | None = None
    seed: int | None = None
    primary_outcomes: tuple[str, ...] | None = None
    secondary_outcomes: tuple[str, ...] | None = None
    sha256: str = ""

    @property
    def settled(self):
        """What the plan says, by name: everything that is not left open."""
        names = (field.name for field in dataclasses.fields(self) if field.name != "sha256")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def left_open(self):
        """Names of what the plan does not say, in the order of the file; one edge rule is enough."""
        ruled_out = {"threshold": "density", "density": "threshold"}
        names = [name for section in SECTIONS.values() for name in section.values()]
        return [name for name in names if name not in self.settled and ruled_out.get(name) not in self.settled]


def read_plan(path):
    """Read a plan.

    Parameters
    ----------
    path : Path
        A TOML file; docs/plan.toml is an annotated example.

    Returns
    -------
    Plan

    Raises
    ------
    MissingInputError
        The file cannot be read.
    UsageError
        It is not TOML, or a key or value is not one that a plan has.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise MissingInputError(f"--plan {path}: {error.strerror}.") from error
    try:
        sections = tomllib.loads(raw.decode("utf-8"))
    except ValueError as error:  # also of the encoding
        raise UsageError(f"--plan {path}: not valid TOML ({error}).") from error
    try:
        return Plan(**_values(sections), sha256=hashlib.sha256(raw).hexdigest())
    except UsageError as error:
        raise UsageError(f"--plan {path}: {error}") from None


def _values(sections):
    _refuse_unknown(sections, SECTIONS, "section")
    values = {}
    for section, keys in SECTIONS.items():
        content = sections.get(section, {})
        if not isinstance(content, dict):
            raise UsageError(f"{section} must be a section, [{section}], not {content!r}.")
        _refuse_unknown(content, keys, f"key in [{section}]")
        for key, value in content.items():
            values[keys[key]] = _checked(f"{section}.{key}", keys[key], value)
    if "metric" not in values:
        raise UsageError("metrics.primary is missing: a plan names the one measure that the trial is judged by.")
    if {"threshold", "density"} <= set(values):
        raise UsageError("graph.threshold and graph.density are two edge rules: keep one.")
    for first, second in (("metric", "secondary_metrics"), ("primary_outcomes", "secondary_outcomes")):
        if both := set(_listed(values.get(first))) & set(_listed(values.get(second))):
            raise UsageError(f"{', '.join(sorted(both))} cannot be primary and secondary.")
    return values


def _listed(value):
    return () if value is None else value if isinstance(value, tuple) else (value,)


def _refuse_unknown(found, known, what):
    if unknown := [name for name in found if name not in known]:
        raise UsageError(f"unknown {what}: {', '.join(unknown)}; known are {', '.join(known)}.")


def _checked(key, name, value):
    """Return the value as the plan keeps it, or refuse it by its type or range."""
    kind = str(next(field.type for field in dataclasses.fields(Plan) if field.name == name))
    if "tuple" in kind:
        if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
            raise UsageError(f"{key} must be a list of names, not {value!r}.")
        return tuple(value)
    if "float" in kind:
        return _number(key, name, value)
    if "int" in kind:
        if not isinstance(value, int) or isinstance(value, bool) or value < (name == "n_permutations"):
            raise UsageError(f"{key} must be a whole number of {int(name == 'n_permutations')} or more, not {value!r}.")
        return value
    if not isinstance(value, str) or not value:
        raise UsageError(f"{key} must be text, not {value!r}.")
    if value not in CHOICES.get(name, (value,)):
        raise UsageError(f"{key} = {value!r}: it is one of {', '.join(CHOICES[name])}.")
    return value.removeprefix("ses-") if name in ("baseline", "followup") else value


def _number(key, name, value):
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise UsageError(f"{key} must be a number, not {value!r}.")
    fits = 0 <= value < 1 if name == "threshold" else 0 < value < 1
    if not fits:
        least = "at least 0" if name == "threshold" else "above 0"
        raise UsageError(f"{key} = {value:g}: must be {least} and below 1.")
    return float(value)


def fill(plan, given, defaults):
    """Combine the command line with the plan: what is given goes first, then the plan, then the default.

    Parameters
    ----------
    plan : Plan or None
    given : dict
        What the command line says, by the names of `Plan`; nothing that was left at its default.
    defaults : dict
        What holds where neither says anything.

    Returns
    -------
    dict
        What is used. Where it differs from the plan, `deviations` lists it.

    Examples
    --------
    >>> fill(Plan("degree", alpha=0.01), {"metric": "strength"}, {"metric": "degree", "alpha": 0.05, "seed": 0})
    {'metric': 'strength', 'alpha': 0.01, 'seed': 0}
    """
    planned = dict(plan.settled) if plan else {}
    for rule, other in (("threshold", "density"), ("density", "threshold")):
        if given.get(rule) is not None:
            planned.pop(other, None)
        if planned.get(rule) is not None:
            defaults = {name: value for name, value in defaults.items() if name != other}
    return {**defaults, **planned, **given}


def deviations(plan, used):
    """List where the analysis departs from the plan.

    Parameters
    ----------
    plan : Plan or None
    used : dict
        What was done, by the names of `Plan`; a name that is absent is not compared, but for the edge rule.

    Returns
    -------
    list of (str, object, object)
        What, as planned, as used; in the order of `Plan`.

    Examples
    --------
    >>> deviations(Plan("degree", threshold=0.25, alpha=0.05), {"threshold": 0.3, "alpha": 0.05})
    [('threshold', 0.25, 0.3)]
    """
    if plan is None:
        return []
    rule = {name for name in ("threshold", "density") if used.get(name) is not None}
    compared = set(used) | ({"threshold", "density"} if rule else set())
    return [
        (name, planned, used.get(name))
        for name, planned in plan.settled.items()
        if name in compared and not _same(planned, used.get(name))
    ]


def _same(planned, used):
    """Compare as sets where the order says nothing."""
    if isinstance(planned, tuple):
        return used is not None and set(planned) == set(used)
    return planned == used


def role_of(plan, *, metric=None, outcome=None, estimator=None, departed=()):
    """Say what a result counts for.

    Parameters
    ----------
    plan : Plan or None
    metric, outcome : str, optional
        Which result: that of a graph measure, or of a clinical outcome.
    estimator : str, optional
        How it was estimated; another than the planned one makes it exploratory.
    departed : list of tuple, optional
        From `deviations`. Any of them makes every result exploratory, but for those of `PRECISION`, and for
        the lists of measures and outcomes, which decide about their members only.

    Returns
    -------
    {"primary", "secondary", "exploratory"}

    Examples
    --------
    >>> plan = Plan("degree", estimator="ancova", primary_outcomes=("hamd17",))
    >>> role_of(plan, metric="degree", estimator="ancova"), role_of(plan, metric="degree", estimator="change")
    ('primary', 'exploratory')
    """
    if plan is None:
        return "exploratory"
    lists = ("metric", "secondary_metrics", "primary_outcomes", "secondary_outcomes")
    if any(what not in (*PRECISION, *lists) for what, _, _ in departed):
        return "exploratory"
    if None not in (estimator, plan.estimator) and estimator != plan.estimator:
        return "exploratory"
    if metric == plan.metric or outcome in _listed(plan.primary_outcomes):
        return "primary"
    listed = metric in _listed(plan.secondary_metrics) or outcome in _listed(plan.secondary_outcomes)
    return "secondary" if listed else "exploratory"
