"""The participant level as Nipype workflows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe

from bids_app.bids.matrix_runs import MatrixRun
from bids_app.bids.names import Name
from bids_app.bids.runs import AnyRun, BoldRun
from bids_app.bids.series_runs import SeriesRun
from bids_app.graph import needing_modules
from bids_app.participant.interfaces import CleanRun, DrawScan, ParcelGraph, VoxelGraph, WriteMaps
from bids_app.participant.memory import bits_gb, graph_gb
from bids_app.runtime.nipype_run import node_name
from bids_app.settings.settings import Graph, Settings
from bids_app.system.provenance import files_of, files_of_atlas, state_of

CLEANING_GB = 1.0


@dataclass(frozen=True)
class Layout:
    """What all images of a call are measured on, laid out once before the workflow runs.

    Attributes
    ----------
    grid_file : str or None
        Mask image of the analysis grid; None if there are only tables of series.
    n_nodes : int
        Voxels in that mask, from which memory is estimated.
    atlas_files : sequence of Path
        The atlases as they were laid over the grid.
    """

    grid_file: str | None
    n_nodes: int
    atlas_files: Sequence[Path] = ()


def init_level_wf(
    *,
    runs_by_participant: Mapping[str, Sequence[AnyRun]],
    layout: Layout,
    settings: Settings,
    n_threads: int,
    name: str = "trialgraph_wf",
) -> pe.Workflow:
    """Build the workflow of the whole participant level.

    Parameters
    ----------
    runs_by_participant : dict of list of run
    layout : Layout
    settings : Settings
    n_threads : int
        Threads of one graph.
    """
    workflow = pe.Workflow(name=name)
    of_participants = [
        init_participant_wf(
            runs=runs,
            layout=layout,
            settings=settings,
            n_threads=n_threads,
            name=f"{node_name(f'sub-{participant}')}_wf",
        )
        for participant, runs in runs_by_participant.items()
    ]
    workflow.add_nodes(of_participants)  # at once: each call goes through all that are there
    return workflow


def init_participant_wf(
    *,
    runs: Sequence[AnyRun],
    layout: Layout,
    settings: Settings,
    n_threads: int,
    name: str = "participant_wf",
) -> pe.Workflow:
    """Build the workflow of one participant: each run by itself, so that a bad one stops no other."""
    workflow = pe.Workflow(name=name)
    for run in runs:
        run_name = f"{node_name(run.label)}_wf"
        if isinstance(run, BoldRun):
            run_wf = init_bold_wf(run=run, layout=layout, settings=settings, n_threads=n_threads, name=run_name)
        else:
            run_wf = init_series_wf(run=run, settings=settings, name=run_name)
        workflow.add_nodes([run_wf])
    return workflow


def init_bold_wf(
    *, run: BoldRun, layout: Layout, settings: Settings, n_threads: int, name: str = "bold_wf"
) -> pe.Workflow:
    """Build the workflow of one BOLD run: clean, voxel graph, maps, figures, and a parcel graph per atlas.

    There is no voxel graph if nothing is to be measured on it.

    Inputs
    ------
    run : runs.BoldRun
    grid_file : str

    Outputs
    -------
    maps_file, series_file : str
    """
    inputnode = pe.Node(IdentityInterface(["run", "grid_file", "output_dir", "options"]), name="inputnode")
    inputnode.inputs.trait_set(run=run, grid_file=layout.grid_file, output_dir=settings.output_dir)
    inputnode.inputs.options = settings.graph
    outputnode = pe.Node(IdentityInterface(["maps_file", "series_file"]), name="outputnode")
    cleaning = CleanRun(options=settings.signal, state=state_of(files_of(run)), n_threads=n_threads)
    clean = pe.Node(cleaning, name="clean", mem_gb=CLEANING_GB, n_procs=n_threads)
    ds_figures = pe.Node(DrawScan(), name="ds_figures")

    workflow = pe.Workflow(name=name)
    workflow.connect(
        [
            (inputnode, clean, [("run", "run"), ("grid_file", "grid_file")]),
            (inputnode, ds_figures, [(field, field) for field in ("run", "output_dir", "options")]),
            (clean, ds_figures, [("carpet_file", "carpet_file")]),
            (clean, outputnode, [("series_file", "series_file")]),
        ]
    )
    if settings.graph.metrics:
        graph = VoxelGraph(
            n_threads=n_threads,
            memory_gb=bits_gb(settings),
            space=run.entities.get("space"),
            state=_modules_state(settings.graph),
        )
        memory = graph_gb(layout.n_nodes, settings)
        _add_voxel_graph(workflow, pe.Node(graph, name="graph", mem_gb=memory, n_procs=n_threads))
    for atlas_file in layout.atlas_files:
        _add_parcels(workflow, atlas_file)
    return workflow


GIVEN = [(field, field) for field in ("run", "grid_file", "output_dir", "options")]  # to all that writes


def _add_voxel_graph(workflow: pe.Workflow, graph: pe.Node) -> None:
    """Let the workflow of a run make the graph of its cleaned series, and write the maps."""
    inputnode, clean, outputnode = (workflow.get_node(name) for name in ("inputnode", "clean", "outputnode"))
    ds_maps = pe.Node(WriteMaps(), name="ds_maps")
    workflow.connect(
        [
            (inputnode, graph, [("options", "options"), ("grid_file", "grid_file")]),
            (clean, graph, [("series_file", "series_file")]),
            (inputnode, ds_maps, GIVEN),
            (clean, ds_maps, [("facts", "scan_facts")]),
            (graph, ds_maps, [("maps_file", "maps_file"), ("facts", "graph_facts")]),
            (graph, outputnode, [("maps_file", "maps_file")]),
        ]
    )


def _add_parcels(workflow: pe.Workflow, atlas_file: Path) -> None:
    """Let the workflow of a run average its cleaned series over an atlas, and make and write the parcels' graphs."""
    parcels = pe.Node(ParcelGraph(atlas_file=str(atlas_file)), name=f"{_atlas_name(atlas_file)}_parcels")
    workflow.connect(
        [
            (workflow.get_node("inputnode"), parcels, GIVEN),
            (workflow.get_node("clean"), parcels, [("series_file", "series_file"), ("facts", "scan_facts")]),
        ]
    )


def init_series_wf(*, run: SeriesRun | MatrixRun, settings: Settings, name: str = "series_wf") -> pe.Workflow:
    """Build the workflow of one table of parcel series, or of their correlations: a parcel graph."""
    workflow = pe.Workflow(name=name)
    parcels = ParcelGraph(
        run=run, state=state_of(files_of(run)), options=settings.graph, output_dir=settings.output_dir
    )
    workflow.add_nodes([pe.Node(parcels, name="parcels")])
    return workflow


def _atlas_name(path: Path) -> str:
    entities = Name.parse(path).entities
    return node_name("_".join(entities[key] for key in ("atlas", "seg", "scale") if key in entities))


def _modules_state(graph: Graph) -> list[Sequence[Any]]:
    """Return what changes with the image of the networks: part of what a cached result depends on."""
    source = graph.partition or next(iter(graph.atlases), None)
    return state_of(files_of_atlas(source)) if needing_modules(graph.metrics) else []
