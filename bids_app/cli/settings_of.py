"""From the words of the command line to Settings."""

import hashlib
import os
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from bids_app.cli.adopted import find_adopted
from bids_app.cli.of_designs import of_design
from bids_app.errors import DataError, MissingInputError, UnknownLevelError, UsageError
from bids_app.graph.measures import UNSIGNED, VOXEL_MEASURES
from bids_app.group.plan_match import file_deviations
from bids_app.settings.argument_parser import meant
from bids_app.settings.atlas_source import find_atlas
from bids_app.settings.checks import check_numbers
from bids_app.settings.config import read_config
from bids_app.settings.contrasts import chosen_contrasts
from bids_app.settings.cutoffs import parse_cutoffs
from bids_app.settings.everyday import LEVELS
from bids_app.settings.interim import look_of
from bids_app.settings.named import Call
from bids_app.settings.parser import read_given, with_defaults
from bids_app.settings.plan import read_plan
from bids_app.settings.power_options import PowerOptions, settled_by
from bids_app.settings.roles import deviations, left_to
from bids_app.settings.settings import (
    QUERIES,
    Graph,
    Measured,
    ParcelGraph,
    Preprocessing,
    Resources,
    Selection,
    Settings,
    Signal,
    Trial,
)
from bids_app.space.templates import cached_template
from bids_app.system.machine import available_cpus, available_memory_gb
from bids_app.system.small_files import read_json, read_yaml

Part = TypeVar("Part")


def parse(argv: Sequence[str], *, check: bool = False) -> Settings:
    """Turn arguments into Settings.

    What the command line says goes first, then what the file of options says, then the plan; the group level takes
    what all leave open from what the participant level was given.

    Parameters
    ----------
    argv : list of str
        The arguments, without the program's name.
    check : bool, optional
        Of ``trialgraph check``.

    Returns
    -------
    Settings

    Raises
    ------
    UsageError, UnknownLevelError, MissingInputError
    """
    given = read_given(argv, check=check)
    if (level := given["level"]) not in LEVELS:
        near = meant(level, LEVELS)
        raise UnknownLevelError(f"analysis level {level!r} is unknown; it is one of: {', '.join(LEVELS)}{near}.")
    config = read_config(given["config"]) if "config" in given else None
    given = {**(config.options if config else {}), **given}
    plan = read_plan(given["plan"]) if "plan" in given else config and config.plan
    told = of_design(left_to(plan, given), given)
    adopted = find_adopted(given["output_dir"], told) if level == "group" and not given.get("reports_only") else None
    options = with_defaults({**(adopted.options if adopted else {}), **told})
    parse_cutoffs(options.cutoffs)
    settings = replace(_settings(options), adopted=adopted.text if adopted else None)
    if settings.blind:
        settings = replace(settings, call=_repeatable(argv, given))
    if plan is None:
        look_of(None, settings.trial.look, settings.trial.alpha, needed=False)
        return settings
    places = {name: given[name] for name in ("bids_dir", "output_dir", "level")}
    planned = _settings(with_defaults(of_design(plan.options, places)))
    departed = (*deviations(plan, planned, settings), *file_deviations(plan, settings))
    trial = replace(settings.trial, plan=plan, departed=departed)
    look = look_of(plan.interim, trial.look, trial.alpha, needed=level == "group")
    return replace(settings, trial=replace(trial, interim=look, alpha=look.level) if look else trial)


def _repeatable(argv: Sequence[str], given: Mapping[str, Any]) -> Call:
    """Return a call as the key keeps it."""
    if [Path(word).absolute() for word in argv[:2]] != [given["bids_dir"], given["output_dir"]]:
        raise UsageError("A call with --blind begins with the dataset, the output folder and the level.")
    return Call(tuple(argv), str(Path.cwd()))


def parse_for_power(options: PowerOptions, words: Sequence[str]) -> tuple[Settings, PowerOptions]:
    """Return the settings that the group level would have of an output folder, and the options with what they settle.

    The folder is read, and no dataset.

    Raises
    ------
    MissingInputError, UsageError
    """
    folder = options.output_dir
    if not folder.is_dir():
        raise MissingInputError(f"{folder} is no folder: trialgraph power reads what the participant level wrote.")
    told = ["--design", options.design] if options.design else []
    told += ["--reports-only"] if options.reports_only else []
    settings = parse([str(folder), str(folder), "group", *told, *words])
    check_numbers(settings)
    return settings, settled_by(options, settings.trial)


def _settings(options: Namespace) -> Settings:
    selection = _selection(options)
    return _of_options(
        Settings,
        options,
        work_dir=options.work_dir or _own_work_dir(options, selection),
        keep_work_dir=options.work_dir is not None,
        selection=selection,
        preprocessing=Preprocessing(options.preprocess, options.template or _cached_template(), options.use_syn_sdc),
        signal=_of_options(Signal, options, bandpass=_bandpass(options.bandpass), detrend=options.detrend == "linear"),
        graph=_graph(options),
        trial=_of_options(
            Trial,
            options,
            baseline=_sessions(options.baseline),
            followup=_sessions(options.followup),
            contrasts=chosen_contrasts(options.contrasts),
            over_followups=tuple(dict.fromkeys(options.over_followups)),
            regions=_different("--regions", options.regions),
            also=_different("--also", options.also),
            plan=None,
            interim=None,
        ),
        skip_validation=options.skip_bids_validation or options.reports_only,
        resources=_resources(options),
    )


def _sessions(labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels of sessions without ses-, each once."""
    return tuple(dict.fromkeys(_label("ses", one) or "" for one in labels))


def _of_options(part: type[Part], options: Namespace, **made: Any) -> Part:
    """Return a part of the settings: what is made here, and of the rest what an option of the same name says."""
    names = [field.name for field in fields(cast(Any, part)) if hasattr(options, field.name)]
    found = {name: getattr(options, name) for name in names}
    return part(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()} | made)


def _resources(options: Namespace) -> Resources:
    return Resources(
        n_cpus=available_cpus() if options.n_cpus is None else options.n_cpus,
        omp_nthreads=options.omp_nthreads,
        mem_gb=available_memory_gb() if options.mem_gb is None else options.mem_gb,
        plugin=_plugin(options.nipype_plugin_file),
    )


def _graph(options: Namespace) -> Graph:
    metrics = tuple(dict.fromkeys(options.metrics))
    densities = tuple(dict.fromkeys(options.density))
    own = Measured(
        metrics=_voxel_metrics(metrics), thresholds=_thresholds(options.threshold, densities), densities=densities
    )
    return _of_options(
        Graph,
        options,
        metrics=own.metrics,
        thresholds=own.thresholds,
        densities=own.densities,
        atlases=tuple(map(find_atlas, options.atlas)),
        partition=find_atlas(options.partition) if options.partition else None,
        parcels=_parcel_graph(options, metrics, own),
    )


def _voxel_metrics(metrics: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in metrics if name in VOXEL_MEASURES)


def _parcel_graph(options: Namespace, metrics: tuple[str, ...], voxels: Measured) -> ParcelGraph:
    """Return what is measured on parcels: what is measured on voxels where nothing else is asked for."""
    densities = tuple(dict.fromkeys(options.parcel_density))
    thresholds = _thresholds(options.parcel_threshold, densities)
    if options.parcel_threshold is None and not densities:
        thresholds, densities = voxels.thresholds, voxels.densities
    wanted = tuple(dict.fromkeys(options.parcel_metrics)) or metrics
    if options.negative == "keep" and not options.parcel_metrics:
        wanted = tuple(name for name in wanted if name not in UNSIGNED)
    return _of_options(
        ParcelGraph,
        options,
        metrics=wanted,
        thresholds=thresholds,
        densities=densities,
        matrices=tuple(dict.fromkeys(options.matrix)),
    )


def _thresholds(given: Sequence[float] | None, densities: Sequence[float]) -> tuple[float, ...]:
    """Return the thresholds: as given, else the default, unless densities are given."""
    if given is None:
        return () if densities else Measured.thresholds
    return tuple(dict.fromkeys(given))


def _different(option: str, named: Sequence[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Refuse two things of one name."""
    names = [name for name, _ in named]
    if len(set(names)) < len(names):
        raise UsageError(f"{option} {' '.join(names)}: the names must differ; give NAME=PATH.")
    return tuple(named)


def _own_work_dir(options: Namespace, selection: Selection) -> Path:
    """Name a work folder by what is done on what, so that calls that run at once do not share one."""
    digest = hashlib.sha256(repr(selection).encode()).hexdigest()[:8]
    what = f"{options.level}-pages" if options.reports_only else options.level
    return options.output_dir / "work" / "-".join([what, *selection.participants[:3], digest])


def _selection(options: Namespace) -> Selection:
    return Selection(
        participants=tuple(_label("sub", label) or "" for label in options.participant_label),
        sessions=tuple(_label("ses", label) or "" for label in options.session_label),
        task=_label("task", options.task_id),
        space=_label("space", options.space),
        resolution=_label("res", options.res),
        derivatives=tuple(options.derivatives),
        filters=_filters(options.bids_filter_file),
        meshes=tuple(options.surface),
    )


def _cached_template() -> Path | None:
    """Look for the template now: the work folder may take the place of the cache later."""
    return cached_template(os.environ.get("TEMPLATEFLOW_HOME"))


def _label(entity: str, label: str | None) -> str | None:
    return label.removeprefix(f"{entity}-") if label else None


def _bandpass(words: Sequence[str | float]) -> tuple[float, float] | None:
    if list(words) == ["off"]:
        return None
    try:
        low, high = map(float, words)
    except ValueError:
        raise UsageError(f"--bandpass {' '.join(map(str, words))}: give LOW HIGH in Hz, or off.") from None
    return low, high


def _of_option(option: str, path: Path, read: Callable[..., Any]) -> Any:
    """Read a small file that an option names: what is wrong with it is wrong with the call."""
    try:
        return read(path, called=f"{option} {path}")
    except DataError as error:
        raise UsageError(str(error)) from error


def _filters(path: Path | None) -> dict[str, dict[str, Any]]:
    if path is None:
        return {}
    filters = _of_option("--bids-filter-file", path, read_json)
    if not all(isinstance(entities, dict) for entities in filters.values()):
        raise UsageError(f"--bids-filter-file {path}: must map a query to its entities.")
    if unknown := set(filters) - set(QUERIES):
        raise UsageError(
            f"--bids-filter-file {path}: unknown query {', '.join(sorted(unknown))}; known are {', '.join(QUERIES)}."
        )
    return filters


def _plugin(path: Path | None) -> dict[str, Any]:
    """Read what Nipype is to run the parts with: the name of a plugin and its arguments."""
    if path is None:
        return {}
    plugin = _of_option("--nipype-plugin-file", path, read_yaml)
    if not isinstance(plugin.get("plugin"), str):
        raise UsageError(f"--nipype-plugin-file {path}: must hold plugin: NAME, and may hold plugin_args.")
    if unknown := set(map(str, plugin)) - {"plugin", "plugin_args"}:
        raise UsageError(
            f"--nipype-plugin-file {path}: unknown {', '.join(sorted(unknown))}; known are plugin, plugin_args."
        )
    if not isinstance(plugin.get("plugin_args", {}), dict):
        raise UsageError(f"--nipype-plugin-file {path}: plugin_args must map names to values.")
    return plugin
