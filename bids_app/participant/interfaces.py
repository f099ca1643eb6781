"""Nipype interfaces of the participant level: load, call one function, save."""

import uuid
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from nipype.interfaces.base import (
    BaseInterfaceInputSpec,
    File,
    SimpleInterface,
    TraitedSpec,
    isdefined,
    traits,
)

from bids_app.bids.matrix_runs import MatrixRun
from bids_app.graph import Means, Place, needing_modules, voxel_graphs
from bids_app.graph.features import Feature
from bids_app.participant import denoise, map_files, parcel_tables
from bids_app.participant.parcel_matrix import matrix_parcels
from bids_app.participant.parcel_series import Parcels, atlas_parcels, table_parcels
from bids_app.space.atlas import network_of_nodes
from bids_app.space.grid import load_grid
from bids_app.space.saved_atlas import digest_of_atlas, load_atlas
from bids_app.system.provenance import digests_of


class _CleanRunInput(BaseInterfaceInputSpec):
    run = traits.Any(mandatory=True, desc="BoldRun")
    state = traits.Any(desc="size and time of the run's files, so that a changed file is read again")
    grid_file = File(exists=True, mandatory=True)
    options = traits.Any(mandatory=True, desc="Signal")
    n_threads = traits.Int(1, nohash=True)


class _CleanRunOutput(TraitedSpec):
    series_file = File(desc="(N, T') float32")
    carpet_file = File(desc="a sample of nodes before and after, with the motion")
    facts = traits.Any(desc="ScanFacts")


class CleanRun(SimpleInterface):
    """BOLD and confounds to clean series at the nodes."""

    input_spec, output_spec = _CleanRunInput, _CleanRunOutput

    def _run_interface(self, runtime: Any) -> Any:
        grid, threads = load_grid(self.inputs.grid_file), self.inputs.n_threads
        scan = denoise.clean_run(self.inputs.run, grid, self.inputs.options, threads)
        folder = Path(runtime.cwd)
        with (folder / "series.npy").open("wb") as file:  # numpy's own writing to a file keeps no errno of a full disk
            np.save(cast(Any, SimpleNamespace(write=file.write)), scan.series)
        np.savez(folder / "carpet.npz", **scan.carpet)
        self._results |= {
            "series_file": str(folder / "series.npy"),
            "carpet_file": str(folder / "carpet.npz"),
        }
        self._results["facts"] = replace(scan.facts, source_digests=digests_of(self.inputs.run))
        return runtime


class _VoxelGraphInput(BaseInterfaceInputSpec):
    series_file = File(exists=True, mandatory=True)
    grid_file = File(exists=True, mandatory=True)
    space = traits.Any(desc="of the data")
    state = traits.Any(desc="of the files that say which nodes form a network")
    options = traits.Any(mandatory=True, desc="Graph")
    n_threads = traits.Int(1, nohash=True)
    memory_gb = traits.Any(nohash=True, desc="what bits of graphs may take in memory; the rest lies on disk")


class _VoxelGraphOutput(TraitedSpec):
    maps_file = File(desc="one (N,) array per feature, and which nodes have a signal")
    facts = traits.Dict(desc="for the label of each rule, what is true of its graph")


class VoxelGraph(SimpleInterface):
    """Clean series to the graph maps of every edge rule."""

    input_spec, output_spec = _VoxelGraphInput, _VoxelGraphOutput

    def _run_interface(self, runtime: Any) -> Any:
        series, options = np.load(self.inputs.series_file), self.inputs.options
        present = np.isfinite(series).all(axis=1)
        place, means = self._place(present), self._means(Path(runtime.cwd))
        graphs = voxel_graphs(series[present], options.rules, options.metrics, place=place, means=means)
        labels = [rule.label for rule in options.rules]
        maps = map_files.by_feature({name: graph.maps for name, graph in zip(labels, graphs, strict=True)}, options)
        maps_file = Path(runtime.cwd) / "maps.npz"
        spread: dict[str, Any] = map_files.at_all_nodes(
            {feature.key: values for feature, values in maps.items()}, present
        )
        np.savez(maps_file, present=present, **spread)
        self._results["maps_file"] = str(maps_file)
        self._results["facts"] = {
            rule.label: map_files.graph_facts(graph, rule) for rule, graph in zip(options.rules, graphs, strict=True)
        }
        return runtime

    def _place(self, present: np.ndarray) -> Place:
        options, grid = self.inputs.options, load_grid(self.inputs.grid_file)
        modules = None
        if needing_modules(options.metrics):
            space = self.inputs.space if isdefined(self.inputs.space) else None
            modules = network_of_nodes(options.partition or options.atlases[0], grid, space)[present]
        return Place(grid.coordinates[present], modules, options.distance)

    def _means(self, folder: Path) -> Means:
        def on_disk(shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
            return np.asarray(np.memmap(folder / f"{uuid.uuid4().hex}.bits", dtype, "w+", shape=shape))

        memory = self.inputs.memory_gb
        bytes_allowed = 1e9 * memory if isdefined(memory) and memory else np.inf
        return Means(self.inputs.n_threads, bytes_allowed, on_disk)


def read_maps(path: Path) -> tuple[dict[Feature, np.ndarray], np.ndarray]:
    """Return maps by feature, and which nodes have a signal."""
    arrays = dict(np.load(path))
    present = arrays.pop("present")
    return {Feature.parse(key): values for key, values in arrays.items()}, present


class _WriteMapsInput(BaseInterfaceInputSpec):
    run = traits.Any(mandatory=True)
    grid_file = File(exists=True, mandatory=True)
    maps_file = File(exists=True, mandatory=True)
    scan_facts = traits.Any(mandatory=True, desc="ScanFacts")
    graph_facts = traits.Dict(mandatory=True)
    options = traits.Any(mandatory=True, desc="Graph")
    output_dir = traits.Any(mandatory=True)


class _WrittenOutput(TraitedSpec):
    out_files = traits.List(traits.Str)


class WriteMaps(SimpleInterface):
    """Maps to BIDS derivatives: as measured, z-scored, and both smoothed."""

    input_spec, output_spec = _WriteMapsInput, _WrittenOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs = self.inputs
        maps, present = read_maps(inputs.maps_file)
        facts = map_files.MapFacts(present=present, scan=inputs.scan_facts, graphs=inputs.graph_facts)
        grid = load_grid(inputs.grid_file)
        written = map_files.write_maps(inputs.output_dir, inputs.run, grid, maps, facts, inputs.options)
        self._results["out_files"] = [str(path) for path in written]
        return runtime


class _ParcelGraphInput(BaseInterfaceInputSpec):
    run = traits.Any(mandatory=True)
    state = traits.Any()
    series_file = File(
        exists=True, desc="clean series at the nodes; without it, the run is a table of series or a matrix"
    )
    grid_file = File(exists=True)
    atlas_file = File(exists=True, desc="the atlas as it was laid over the grid")
    scan_facts = traits.Any(desc="ScanFacts")
    options = traits.Any(mandatory=True, desc="Graph")
    output_dir = traits.Any(mandatory=True)


class ParcelGraph(SimpleInterface):
    """Parcel series to matrices, nodal and global tables, written as BIDS derivatives."""

    input_spec, output_spec = _ParcelGraphInput, _WrittenOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs, parcels = self.inputs, self._parcels()
        given = {"coordinates": parcels.coordinates, "modules": parcels.networks}
        graphs = parcel_tables.graphs_of(parcels.matrix, inputs.options.parcels, given, inputs.options.distance)
        written = parcel_tables.write_parcels(inputs.output_dir, parcels, graphs)
        self._results["out_files"] = [str(path) for path in written]
        return runtime

    def _parcels(self) -> Parcels:
        inputs = self.inputs
        if not isdefined(inputs.series_file):
            is_matrix = isinstance(inputs.run, MatrixRun)
            parcels = matrix_parcels(inputs.run) if is_matrix else table_parcels(inputs.run)
            return replace(parcels, facts=replace(parcels.facts, source_digests=digests_of(inputs.run)))
        path = Path(inputs.atlas_file)
        atlas = load_atlas(path, load_grid(inputs.grid_file))
        facts = replace(inputs.scan_facts, atlas_digest=digest_of_atlas(path))
        return atlas_parcels(inputs.run, np.load(inputs.series_file), atlas, facts)


class _DrawScanInput(BaseInterfaceInputSpec):
    run = traits.Any(mandatory=True)
    carpet_file = File(exists=True, mandatory=True)
    options = traits.Any(mandatory=True, desc="Graph")
    output_dir = traits.Any(mandatory=True)


class DrawScan(SimpleInterface):
    """Carpet to a figure of the participant's page."""

    input_spec, output_spec = _DrawScanInput, _WrittenOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        from bids_app.report.figures import carpet_figure  # here, for the processes that do not draw

        inputs = self.inputs
        drawn = {"carpet": carpet_figure(dict(np.load(inputs.carpet_file)))}
        written = map_files.write_figures(inputs.output_dir, inputs.run, drawn, inputs.options)
        self._results["out_files"] = [str(path) for path in written]
        return runtime
