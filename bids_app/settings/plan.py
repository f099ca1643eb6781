"""The plan of the analysis, frozen in a file before the data are seen."""

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from bids_app.errors import DataError, UsageError
from bids_app.settings.argument_parser import meant
from bids_app.settings.contradictions import contradictions
from bids_app.settings.fields import option_of, out_of_range
from bids_app.settings.interim import Interim, read_interim
from bids_app.settings.objective_keys import objective_of, protocol_of
from bids_app.settings.objectives import Objective, Protocol
from bids_app.settings.plan_keys import IN_PARTS, planned_actions, planned_options
from bids_app.settings.settings import BY_OPTION
from bids_app.system.provenance import digest_of_file
from bids_app.system.small_files import read_toml

OF_SESSIONS = ("baseline", "followup")  # keys that may be one session or several
SECTIONS = {
    "metrics": {"primary": "metric", "secondary": "secondary_metrics"},
    "signal": {"denoise": "denoise", "fd_threshold": "fd_threshold", "min_minutes": "min_minutes"},
    "graph": {
        "threshold": "threshold",
        "density": "density",
        "mask": "mask",
        "voxel_size": "voxel_size",
        "smooth_maps": "smooth_maps",
        "map_values": "map_values",
    },
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


# Options that are given a file, whose content a plan can settle by its hash.
FILES = ("mask", "allocations", "partition", "atlas", "regions")
_RULED_OUT = {"threshold": "density", "density": "threshold"}
_RULED_OUT |= {f"parcel_{one}": f"parcel_{other}" for one, other in _RULED_OUT.items()}


@dataclass(frozen=True)
class Plan:
    """What was decided before the data were seen; None where the plan leaves it open.

    Attributes
    ----------
    metric : str or None
        The primary graph measure; None where a clinical outcome alone is primary.
    secondary_metrics : tuple of str or None
    denoise : str or None
    fd_threshold, min_minutes : float or None
        How the signal is cleaned, and how much must be left.
    threshold, density : float or None
        The edge rule; at most one of them.
    mask, map_values : str or None
    voxel_size : int, "native" or None
    smooth_maps : float or None
        The nodes, and what is compared of their maps.
    arm, reference : str or None
    baseline, followup : tuple of str or None
        The contrast: column, reference level, sessions without ses-.
    covariates, strata : tuple of str or None
    estimator, scheme, statistic : str or None
        As the options of these names.
    alpha : float or None
    n_permutations : int, "auto" or None
    seed : int or None
    primary_outcomes, secondary_outcomes : tuple of str or None
    interim : Interim or None
        The looks before the end; None if there is none.
    further : dict
        What else is settled, by key: every option that changes a result has one, as `plankeys.planned_actions` has it.
    version : str or None
        Of trialgraph.
    objectives : tuple of Objective
        What the trial is to find out, each an estimand, in the order of the file.
    protocol : Protocol
        What is planned for the trial as a whole.
    hashes : dict of str
        SHA-256 of files that are given to options, by the key of the option.
    sha256 : str
        Hash of the file, as ``sha256sum`` prints it.
    """

    metric: str | None = None
    _: KW_ONLY
    secondary_metrics: tuple[str, ...] | None = None
    denoise: str | None = None
    fd_threshold: float | None = None
    min_minutes: float | None = None
    threshold: float | None = None
    density: float | None = None
    mask: str | None = None
    voxel_size: int | str | None = None
    smooth_maps: float | None = None
    map_values: str | None = None
    arm: str | None = None
    reference: str | None = None
    baseline: tuple[str, ...] | None = None
    followup: tuple[str, ...] | None = None
    covariates: tuple[str, ...] | None = None
    strata: tuple[str, ...] | None = None
    estimator: str | None = None
    scheme: str | None = None
    statistic: str | None = None
    alpha: float | None = None
    n_permutations: int | str | None = None
    seed: int | None = None
    primary_outcomes: tuple[str, ...] | None = None
    secondary_outcomes: tuple[str, ...] | None = None
    interim: Interim | None = None
    further: dict[str, Any] = field(default_factory=dict)
    version: str | None = None
    objectives: tuple[Objective, ...] = ()
    protocol: Protocol = field(default_factory=Protocol)
    hashes: dict[str, str] = field(default_factory=dict)
    sha256: str = ""

    @property
    def settled(self) -> dict[str, Any]:
        """What the plan says, by name: everything that is not left open."""
        names = [name for section in SECTIONS.values() for name in section.values()]
        own = {name: value for name in names if (value := getattr(self, name)) is not None}
        return own | self.further | ({} if self.version is None else {"version": self.version})

    @property
    def left_open(self) -> list[str]:
        """Names of what the plan does not say, in the order of the file; one edge rule is enough."""
        names = [name for section in _sections().values() for name in section.values()]
        settled = self.settled
        return [name for name in (*names, "version") if name not in settled and _RULED_OUT.get(name) not in settled]

    @property
    def options(self) -> dict[str, Any]:
        """What the plan settles, as the command line would have read it, by the name of the option."""
        values = {name: value for name, value in self.settled.items() if name != "version"}
        for option, parts in IN_PARTS.items():
            members = [member for part in parts for member in _listed(values.pop(part, None))]
            values |= {option: members} if members else {}
        return planned_options(values)


def read_plan(path: Path) -> Plan:
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
        sections = read_toml(path, called=f"--plan {path}")
    except DataError as error:
        raise UsageError(str(error)) from error
    try:
        return plan_of(sections, path)
    except UsageError as error:
        raise UsageError(f"--plan {path}: {error}") from None


def plan_of(sections: Mapping[str, Any], path: Path) -> Plan:
    """Return the plan that the sections of a file are.

    Parameters
    ----------
    sections : dict
    path : Path
        The whole file, whose hash the plan has.

    Raises
    ------
    UsageError
        A key or value is not one that a plan has.
    """
    values = values_of(sections)
    refuse_contradictions(values)
    plan = Plan(**values, sha256=digest_of_file(path))
    _ = plan.options  # which refuses what no option takes
    if found := contradictions(plan):
        raise UsageError(f"{'; '.join(found)}.")
    return plan


def _sections() -> dict[str, dict[str, str]]:
    """Return the name of each key, by section: those of `SECTIONS`, and every further option that changes a result."""
    known = {name for section in SECTIONS.values() for name in section.values()}
    sections = {section: dict(keys) for section, keys in SECTIONS.items()}
    for section, actions in planned_actions().items():
        sections.setdefault(section, {}).update({key: key for key in actions if key not in known})
    return {section: keys for section, keys in sections.items() if keys}


def values_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the sections of a plan say, by the fields of `Plan`, or refuse the first key that is none."""
    sections, content = _sections(), dict(content)
    looks = content.pop("interim", None)
    _refuse_unknown(content, (*sections, "version", "sha256", "protocol", "objective"), "section")
    values: dict[str, Any] = {"further": {}, "hashes": _hashes(content.get("sha256", {}))}
    values |= _objectives(content)
    values |= {} if looks is None else {"interim": read_interim(looks)}
    if "version" in content:
        values["version"] = _checked("version", "version", content["version"])
    for section, keys in sections.items():
        found = content.get(section, {})
        if not isinstance(found, dict):
            raise UsageError(f"{section} must be a section, [{section}], not {found!r}.")
        _refuse_unknown(found, keys, f"key in [{section}]")
        for key, value in found.items():
            name = keys[key]
            _refuse_out_of_range(f"{section}.{key}", name, value)
            if name in SECTIONS.get(section, {}).values():
                values[name] = _checked(f"{section}.{key}", name, value)
            else:
                values["further"][name] = tuple(value) if isinstance(value, list) else value
    return values


def _objectives(content: Mapping[str, Any]) -> dict[str, Any]:
    sections = content.get("objective", [])
    if not isinstance(sections, list):
        raise UsageError("objectives are sections, [[objective]], each in two brackets.")
    read = tuple(objective_of(one, number) for number, one in enumerate(sections, 1))
    return {"objectives": read, "protocol": protocol_of(content.get("protocol", {}))}


def _hashes(content: object) -> dict[str, str]:
    if not isinstance(content, dict):
        raise UsageError(f"sha256 must be a section, [sha256], not {content!r}.")
    _refuse_unknown(content, FILES, "key in [sha256]")
    for key, value in content.items():
        if not isinstance(value, str) or not re.fullmatch("[0-9a-fA-F]{64}", value):
            raise UsageError(f"sha256.{key} must be 64 hexadecimal digits, as sha256sum prints them, not {value!r}.")
    return {key: value.lower() for key, value in content.items()}


def refuse_contradictions(values: Mapping[str, Any]) -> None:
    """Refuse what cannot be planned together, and a plan that says nothing that the trial is judged by."""
    by_objective = any(one.role == "primary" for one in values["objectives"])
    if not (by_objective or values.get("metric") or values.get("primary_outcomes")):
        raise UsageError(
            "metrics.primary is missing, and so is outcomes.primary: a plan names what the trial is judged by, one "
            "measure or clinical outcomes."
        )
    if {"threshold", "density"} <= set(values):
        raise UsageError("graph.threshold and graph.density are two edge rules: keep one.")
    for first, second in (("metric", "secondary_metrics"), ("primary_outcomes", "secondary_outcomes")):
        if both := set(_listed(values.get(first))) & set(_listed(values.get(second))):
            raise UsageError(f"{', '.join(sorted(both))} cannot be primary and secondary.")


def _listed(value: Any) -> tuple[Any, ...]:
    return () if value is None else value if isinstance(value, tuple) else (value,)


def _refuse_unknown(found: Collection[str], known: Collection[str], what: str) -> None:
    if unknown := [name for name in found if name not in known]:
        near = "".join(meant(name, list(known)) for name in unknown)
        raise UsageError(f"unknown {what}: {', '.join(unknown)}{near}; known are {', '.join(known)}.")


def _checked(key: str, name: str, value: Any) -> Any:
    """Return the value as the plan keeps it, or refuse it by its type or range."""
    kind = str(next(field.type for field in dataclasses.fields(Plan) if field.name == name))
    if name in OF_SESSIONS and isinstance(value, str):
        value = [value]
    if "tuple" in kind:
        if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
            raise UsageError(f"{key} must be a list of names, not {value!r}.")
        return tuple(word.removeprefix("ses-") for word in value) if name in OF_SESSIONS else tuple(value)
    if "float" in kind or "int" in kind:
        return (
            value
            if (name, value) in (("voxel_size", "native"), ("n_permutations", "auto"))
            else _number(key, value, int if "int" in kind else float)
        )
    if not isinstance(value, str) or not value:
        raise UsageError(f"{key} must be text, not {value!r}.")
    of = BY_OPTION.get(option_of(name))
    if of and value not in (choices := of.metadata.get("choices") or (value,)):
        raise UsageError(f"{key} = {value!r}: it is one of {', '.join(choices)}.")
    return value


def _number(key: str, value: object, kind: type[int] | type[float]) -> float:
    whole = kind is int
    if not isinstance(value, int if whole else (int, float)) or isinstance(value, bool):
        raise UsageError(f"{key} must be a {'whole ' if whole else ''}number, not {value!r}.")
    return kind(value)


def _refuse_out_of_range(key: str, name: str, value: object) -> None:
    for number, allowed in out_of_range(BY_OPTION.get(option_of(name)), value):
        raise UsageError(f"{key} = {number:g}: must be {allowed}.")
