"""The preprocessing as Nipype workflows."""

from collections.abc import Mapping, Sequence
from typing import Any

from nipype.interfaces.utility import IdentityInterface, Merge
from nipype.pipeline import engine as pe

from bids_app.preproc.anatomical.interfaces import PrepareAnatomy
from bids_app.preproc.dataset import Job
from bids_app.preproc.distortion.interfaces import EstimateField
from bids_app.preproc.fitted.interfaces import BringAnatomy, ReadAlignment, ReadField, ReadMotion
from bids_app.preproc.interfaces import (
    AlignRun,
    DrawRun,
    EstimateMotion,
    MakeConfounds,
    ResampleRun,
    WriteRun,
)
from bids_app.runtime.nipype_run import node_name

ANATOMY_GB, RUN_GB = 2.5, 1.5
ANATOMY = "anatomy"


def init_preproc_wf(
    *,
    jobs_by_participant: Mapping[str, Sequence[Job]],
    anatomies: Mapping[str, Sequence[Mapping[str, Any]]],
    name: str = "preproc_wf",
) -> pe.Workflow:
    """Build the workflow of the preprocessing.

    Parameters
    ----------
    jobs_by_participant : dict of list of dataset.Job
        Runs that are to be done.
    anatomies : dict of list of dict
        For the participants of whom a T1w is to be done, the inputs of `PrepareAnatomy` or `BringAnatomy` of each.
    """
    workflow = pe.Workflow(name=name)
    for participant, jobs in jobs_by_participant.items():
        workflow.add_nodes(
            [
                init_participant_preproc_wf(
                    jobs=jobs,
                    anatomies=anatomies.get(participant, ()),
                    name=f"{node_name(f'sub-{participant}')}_wf",
                )
            ]
        )
    return workflow


def init_participant_preproc_wf(
    *, jobs: Sequence[Job], anatomies: Sequence[Mapping[str, Any]], name: str = "participant_preproc_wf"
) -> pe.Workflow:
    """Build the workflow of one participant: each T1w once, and each run by itself."""
    workflow = pe.Workflow(name=name)
    runs = [init_run_preproc_wf(job=job, name=f"{node_name(job.run.label)}_wf") for job in jobs]
    workflow.add_nodes(runs)
    for anatomy in anatomies:
        node = anatomy_name(anatomy["owner"])
        step = BringAnatomy if "fit" in anatomy else PrepareAnatomy
        prepare = pe.Node(step(**anatomy), name=node, mem_gb=ANATOMY_GB)
        own = [run for run, job in zip(runs, jobs, strict=True) if job.run.anatomy == anatomy["owner"]]
        workflow.connect([(prepare, run, [("finished", "inputnode.anatomy_finished")]) for run in own])
    return workflow


def anatomy_name(owner: Mapping[str, str]) -> str:
    """Name the node of an anatomy, whose entities are `RawRun.anatomy`.

    Examples
    --------
    >>> anatomy_name({"sub": "01"}), anatomy_name({"sub": "01", "ses": "pre"})
    ('anatomy', 'anatomy_pre')
    """
    return node_name("_".join(filter(None, (ANATOMY, owner.get("ses")))))


def init_run_preproc_wf(*, job: Job, name: str = "run_preproc_wf") -> pe.Workflow:
    """Build the workflow of one run: motion, distortion, alignment, one resampling, confounds, figures, files.

    Inputs
    ------
    anatomy_finished : bool
        Whatever it is, the alignment waits for it.

    Outputs
    -------
    out_files : list of Path
    """
    inputnode = pe.Node(IdentityInterface(["job", "anatomy_finished"]), name="inputnode")
    inputnode.inputs.job = job
    outputnode = pe.Node(IdentityInterface(["out_files"]), name="outputnode")
    fitted = job.run.fit is not None
    motion = pe.Node(ReadMotion() if fitted else EstimateMotion(), name="motion", mem_gb=RUN_GB)
    distortion = pe.Node(ReadField() if fitted else EstimateField(), name="distortion", mem_gb=RUN_GB)
    align = pe.Node(ReadAlignment() if fitted else AlignRun(), name="align", mem_gb=RUN_GB)
    resample = pe.Node(ResampleRun(), name="resample", mem_gb=RUN_GB)
    confounds = pe.Node(MakeConfounds(), name="ds_confounds", mem_gb=RUN_GB)
    draw = pe.Node(DrawRun(), name="ds_figures", mem_gb=RUN_GB)
    others = pe.Node(Merge(2), name="others", run_without_submitting=True)
    write = pe.Node(WriteRun(), name="ds_bold", mem_gb=RUN_GB)
    read = ["reference_file", "mask_file"]
    standard = ["standard_file", "brain_file"]

    workflow = pe.Workflow(name=name)
    # Not taken apart, though long: what a node is connected to is read in one place.
    workflow.connect(
        [(inputnode, node, [("job", "job")]) for node in (motion, distortion, align, resample, confounds, draw, write)]
    )
    workflow.connect(
        [
            (inputnode, distortion, [("anatomy_finished", "anatomy_finished")]),
            (inputnode, align, [("anatomy_finished", "anatomy_finished")]),
            (motion, distortion, [(field, field) for field in read]),
            (distortion, align, [(field, field) for field in read]),
            (motion, resample, [(field, field) for field in ("series_file", "motion_file")]),
            (motion, resample, [("reference_file", "acquired_file")]),
            (distortion, resample, [(field, field) for field in (*read, "field")]),
            (align, resample, [("transforms", "transforms")]),
            (motion, confounds, [("motion_file", "motion_file")]),
            (resample, confounds, [(field, field) for field in standard]),
            (resample, draw, [("brain_file", "brain_file")]),
            (confounds, draw, [("out_files", "confounds")]),
            (confounds, others, [("out_files", "in1")]),
            (draw, others, [("out_files", "in2")]),
            (motion, write, [("reference_file", "acquired_file"), ("motion_file", "motion_file")]),
            (motion, write, [("facts", "motion_facts")]),
            (distortion, write, [("reference_file", "reference_file"), ("field", "field")]),
            (distortion, write, [("facts", "distortion_facts")]),
            (align, write, [("transforms", "transforms"), ("facts", "alignment_facts")]),
            (resample, write, [(field, field) for field in standard]),
            (others, write, [("out", "others")]),
            (write, outputnode, [("out_files", "out_files")]),
        ]
    )
    return workflow
