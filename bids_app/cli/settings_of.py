"""From the words of the command line to Settings."""

import argparse
import hashlib
import os
import re
from dataclasses import replace

from bids_app.errors import DataError, UnknownLevelError, UsageError
from bids_app.graph.measures import UNSIGNED, VOXEL_MEASURES
from bids_app.group.plan_match import file_deviations
from bids_app.settings.atlas_source import find_atlas
from bids_app.settings.cutoffs import parse_cutoffs
from bids_app.settings.parser import app_parser
from bids_app.settings.plan import read_plan
from bids_app.settings.roles import deviations, follow
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

LEVELS = ("participant", "group")


def dashed(argv):
    """Read --option_name as --option-name."""
    return [
        re.sub(r"^--[^=]+", lambda name: name.group().replace("_", "-"), word) if word.startswith("--") else word
        for word in argv
    ]


def parse(argv):
    """Turn arguments into Settings.

    Parameters
    ----------
    argv : list of str
        The arguments, without the program's name.

    Returns
    -------
    Settings

    Raises
    ------
    UsageError, UnknownLevelError, MissingInputError
    """
    options, given = _read(argv)
    if options.level not in LEVELS:
        raise UnknownLevelError(f"analysis level {options.level!r} is unknown; it is one of: {', '.join(LEVELS)}.")
    plan = read_plan(options.plan) if options.plan else None
    follow(plan, options, given)
    parse_cutoffs(options.cutoffs)
    settings = _settings(options)
    if plan is None:
        return settings
    planned = _settings(_planned(plan, options))
    departed = (*deviations(plan, planned, settings), *file_deviations(plan, settings))
    return replace(settings, trial=replace(settings.trial, plan=plan, departed=departed))


def _planned(plan, options):
    """Return the options as the plan alone would have them."""
    call = app_parser().parse_args([str(options.bids_dir), str(options.output_dir), options.level])
    for name, value in plan.options.items():
        setattr(call, name, value)
    return call


def _settings(options):
    selection = _selection(options)
    return Settings(
        bids_dir=options.bids_dir,
        output_dir=options.output_dir,
        level=options.level,
        work_dir=options.work_dir or _own_work_dir(options, selection),
        keep_work_dir=options.work_dir is not None,
        stop_on_first_crash=options.stop_on_first_crash,
        verbose=options.verbose,
        selection=selection,
        preprocessing=Preprocessing(options.preprocess, options.template or _cached_template()),
        signal=Signal(
            denoise=options.denoise,
            bandpass=_bandpass(options.bandpass),
            fd_threshold=options.fd_threshold,
            dummy_scans=options.dummy_scans,
            min_minutes=options.min_minutes,
            detrend=options.detrend == "linear",
        ),
        graph=_graph(options),
        trial=Trial(
            arm=options.arm,
            arms=tuple(options.arms),
            reference_arm=options.reference_arm,
            baseline=_label("ses", options.baseline),
            followup=_label("ses", options.followup),
            covariates=tuple(options.covariates),
            strata=tuple(options.strata),
            baseline_motion=options.baseline_motion,
            map_values=options.map_values,
            n_permutations=options.n_permutations,
            random_seed=options.random_seed,
            estimator=options.estimator,
            scheme=options.scheme,
            allocations=options.allocations,
            statistic=options.statistic,
            cluster_threshold=options.cluster_threshold,
            edge_statistic=options.edge_statistic,
            connectivity=options.connectivity,
            hc3=options.hc3,
            tail_approximation=options.tail_approximation,
            min_per_arm=options.min_per_arm,
            accept_mixed=options.accept_mixed,
            slopes=tuple(options.slopes),
            regions=_different("--regions", options.regions),
            alpha=options.alpha,
            outcomes=tuple(options.outcomes),
            ordinal=tuple(options.ordinal),
            higher_is_better=tuple(options.higher_is_better),
            cutoffs=tuple(options.cutoffs),
            robustness=options.robustness,
            also=_different("--also", options.also),
        ),
        skip_validation=options.skip_bids_validation or options.reports_only,
        reports_only=options.reports_only,
        dry_run=options.dry_run,
        resources=Resources(
            available_cpus() if options.n_cpus is None else options.n_cpus,
            options.omp_nthreads,
            available_memory_gb() if options.mem_gb is None else options.mem_gb,
            _plugin(options.nipype_plugin_file),
        ),
    )


def _read(argv):
    """Return the options, and the names of those that were given."""
    options, untouched = app_parser().parse_args(argv), object()
    names = set(vars(options)) - {"verbose"}  # which is counted upwards from what is there
    again = app_parser().parse_args(argv, argparse.Namespace(**dict.fromkeys(names, untouched)))
    return options, {name for name in names if getattr(again, name) is not untouched}


def _graph(options):
    metrics = tuple(dict.fromkeys(options.metrics))
    densities = tuple(dict.fromkeys(options.density))
    own = Measured(_voxel_metrics(metrics), _thresholds(options.threshold, densities), densities)
    return Graph(
        metrics=own.metrics,
        thresholds=own.thresholds,
        densities=own.densities,
        voxel_size=options.voxel_size,
        mask=options.mask,
        smooth_maps=options.smooth_maps,
        atlases=tuple(map(find_atlas, options.atlas)),
        partition=find_atlas(options.partition) if options.partition else None,
        distance=options.distance,
        parcels=_parcel_graph(options, metrics, own),
    )


def _voxel_metrics(metrics):
    return tuple(name for name in metrics if name in VOXEL_MEASURES)


def _parcel_graph(options, metrics, voxels):
    """Return what is measured on parcels: what is measured on voxels where nothing else is asked for."""
    densities = tuple(dict.fromkeys(options.parcel_density))
    thresholds = _thresholds(options.parcel_threshold, densities)
    if options.parcel_threshold is None and not densities:
        thresholds, densities = voxels.thresholds, voxels.densities
    wanted = tuple(dict.fromkeys(options.parcel_metrics)) or metrics
    if options.negative == "keep" and not options.parcel_metrics:
        wanted = tuple(name for name in wanted if name not in UNSIGNED)
    return ParcelGraph(
        wanted,
        thresholds,
        densities,
        tuple(dict.fromkeys(options.matrix)),
        options.negative,
        options.backbone,
        options.n_null_graphs,
        options.random_seed,
    )


def _thresholds(given, densities):
    """Return the thresholds: as given, else the default, unless densities are given."""
    if given is None:
        return () if densities else Measured.thresholds
    return tuple(dict.fromkeys(given))


def _different(option, named):
    """Refuse two things of one name."""
    names = [name for name, _ in named]
    if len(set(names)) < len(names):
        raise UsageError(f"{option} {' '.join(names)}: the names must differ; give NAME=PATH.")
    return tuple(named)


def _own_work_dir(options, selection):
    """Name a work folder by what is done on what, so that calls that run at once do not share one."""
    digest = hashlib.sha256(repr(selection).encode()).hexdigest()[:8]
    what = f"{options.level}-pages" if options.reports_only else options.level
    return options.output_dir / "work" / "-".join([what, *selection.participants[:3], digest])


def _selection(options):
    return Selection(
        participants=tuple(_label("sub", label) for label in options.participant_label),
        sessions=tuple(_label("ses", label) for label in options.session_label),
        task=_label("task", options.task_id),
        space=_label("space", options.space),
        resolution=_label("res", options.res),
        derivatives=tuple(options.derivatives),
        filters=_filters(options.bids_filter_file),
        meshes=tuple(options.surface),
    )


def _cached_template():
    """Look for the template now: the work folder may take the place of the cache later."""
    return cached_template(os.environ.get("TEMPLATEFLOW_HOME"))


def _label(entity, label):
    return label.removeprefix(f"{entity}-") if label else None


def _bandpass(words):
    if words == ["off"]:
        return None
    try:
        low, high = map(float, words)
    except ValueError:
        raise UsageError(f"--bandpass {' '.join(words)}: give LOW HIGH in Hz, or off.") from None
    return low, high


def _of_option(option, path, read):
    """Read a small file that an option names: what is wrong with it is wrong with the call."""
    try:
        return read(path, called=f"{option} {path}")
    except DataError as error:
        raise UsageError(str(error)) from error


def _filters(path):
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


def _plugin(path):
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
