"""The pipelines whose output is read: recognised by GeneratedBy, and what is to be known of them."""

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bids_app.bids.datasets import Dataset
from bids_app.bids.names import Name
from bids_app.bids.timing import declared
from bids_app.errors import DataError

logger = logging.getLogger(__name__)

DENOISED_DESCS = ("denoised", "interpolated", "residual")  # as versions of XCP-D call them, the best first
MEAN_DISPLACEMENT = ("MeanFramewiseDisplacement", "FDMean")  # as giga_connectome and HALFpipe call it
APPLIED = "what was fitted before, applied: one resampling, confounds"  # as our own preprocessing describes itself
FAULTS = {
    (
        "fmriprep",
        "23.2.0",
    ): "wrote brain masks in template space with the transforms in the wrong order: they do not fit "
    "the images. Run 23.2.1 or later again for the masks",
}


@dataclass(frozen=True)
class Tool:
    """A tool whose images are cleaned already, so that they are not cleaned again.

    Attributes
    ----------
    called : str
        For people.
    names : tuple of str
        What its name in GeneratedBy, or the name of its folder, begins with: letters and digits, small.
    descs : tuple of str
        The desc of its cleaned images, the best first; without any, they have none.
    mark : str or None
        An entity of its own that only its cleaned images have, which tells several of them apart.
    space : str or None
        Of the images, where their names do not say.
    dense : bool
        Its cleaned series are ``timeseries.dtseries.nii`` and no ``bold``.
    left_in : str
        What is still in the images, as a whole sentence; of dense series, where nothing flags their volumes.
    """

    called: str
    names: tuple[str, ...]
    descs: tuple[str, ...] = ()
    mark: str | None = None
    space: str | None = None
    dense: bool = False
    left_in: str = ""


XCPD = Tool("XCP-D", ("xcpd", "xcpabcd"), DENOISED_DESCS)
CPAC = Tool("C-PAC", ("cpac", "pipelinecpac"), ("preproc",), mark="reg")
HALFPIPE = Tool("HALFpipe", ("halfpipe",), mark="setting", space="MNI152NLin2009cAsym")
TOOLS = (
    XCPD,
    CPAC,
    HALFPIPE,
    Tool(
        "fMRIPost-AROMA",
        ("fmripostaroma",),
        ("nonaggrDenoised", "aggrDenoised", "orthaggrDenoised"),
        left_in="fMRIPost-AROMA removed the components of motion alone: slow drifts and the signals of white matter "
        "and CSF are still in these images, and nothing of them was removed here.",
    ),
    Tool(
        "tedana",
        ("tedana",),
        ("denoised", "optcomDenoised"),
        left_in="tedana removed components that do not depend on the echo time: slow drifts and the signals of white "
        "matter and CSF are still in these images, and nothing of them was removed here.",
    ),
    Tool(
        "abcd-hcp-pipeline",
        ("abcdhcp", "abcdbids", "dcanbold"),
        ("filtered",),
        space="fsLR",
        dense=True,
        left_in="Volumes with motion are in these series: abcd-hcp-pipeline leaves them in, and neither a "
        "*_motion_mask.mat nor an *_outliers.tsv beside them says which.",
    ),
)


def makers(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the names in small letters and the versions of what made a dataset.

    Examples
    --------
    >>> makers({"GeneratedBy": [{"Name": "fMRIPrep", "Version": "23.2.1"}]})
    [('fmriprep', '23.2.1')]
    """
    listed = description.get("GeneratedBy")
    listed = listed if isinstance(listed, list) else [description.get("PipelineDescription")]
    return [
        (str(one.get("Name", "")).lower(), str(one.get("Version", "")).split("+")[0])
        for one in listed
        if isinstance(one, dict)
    ]


def tool_of(dataset: Dataset) -> Tool | None:
    """Return the tool that cleaned a dataset's images: by what made it, else by what its folder is called.

    Parameters
    ----------
    dataset : datasets.Dataset
    """
    made_by = makers(dataset.description)
    names = [name for name, _ in made_by[:1] if name] or [dataset.path.resolve().name.lower()]
    plain = ["".join(letter for letter in name if letter.isalnum()) for name in names]
    return next((tool for tool in TOOLS if any(name.startswith(tool.names) for name in plain)), None)


def is_denoised(dataset: Dataset) -> bool:
    """Say whether a dataset's BOLD images are cleaned already, as `tool_of` finds out."""
    return tool_of(dataset) is not None


def images_of(tool: Tool | None, *, on_surface: bool) -> dict[str, Any]:
    """Return the entities of the images of BOLD runs; None is for an entity that they do not have.

    Parameters
    ----------
    tool : Tool or None
        That cleaned them.
    on_surface : bool
        Of surfaces, and not of volumes.
    """
    extensions = [".dtseries.nii", ".func.gii"] if on_surface else [".nii", ".nii.gz"]
    if tool is None:
        return {"suffix": "bold", "desc": None if on_surface else "preproc", "extension": extensions}
    if tool.dense:
        return {"suffix": "timeseries", "desc": list(tool.descs), "extension": ".dtseries.nii"}
    return {"suffix": "bold", "desc": list(tool.descs) or None, "extension": extensions}


@dataclass(frozen=True)
class OfSeries:
    """What the sidecar of a table of series says.

    Attributes
    ----------
    repetition_time : object
        As it stands there; None if it does not say.
    mean_displacement : float or None
        Mean framewise displacement, in mm.
    note : str
        What is odd about it, as a whole sentence, or empty.
    """

    repetition_time: object
    mean_displacement: float | None
    note: str = ""


def of_series(tool: Tool | None, called: str, metadata: Mapping[str, Any]) -> OfSeries:
    """Read what the sidecar of a table of series says.

    Parameters
    ----------
    tool : Tool or None
        That made the table.
    called : str
        What messages call it.
    metadata : dict

    Examples
    --------
    >>> of_series(None, "x.tsv", {"SamplingFrequency": 0.5, "MeanFramewiseDisplacement": 0.12})
    OfSeries(repetition_time=2.0, mean_displacement=0.12, note='')
    """
    told = next((metadata[key] for key in MEAN_DISPLACEMENT if key in metadata), None)
    usable = isinstance(told, (int, float)) and not isinstance(told, bool) and math.isfinite(told) and told >= 0
    displacement = float(told) if isinstance(told, (int, float)) and usable else None
    if tool is HALFPIPE and metadata.get("RepetitionTime") is None and "SamplingFrequency" in metadata:
        told = metadata["SamplingFrequency"]
        note = (
            f"{called}: HALFpipe writes the repetition time, in seconds, as SamplingFrequency, so that {told} may be "
            "either. The repetition time counts as not known: write RepetitionTime into the sidecar."
        )
        return OfSeries(None, displacement, note)
    return OfSeries(declared(metadata), displacement)


def require_cleaned(tool: Tool, name: Name, called: str, metadata: Mapping[str, Any]) -> str:
    """Return what is still in an image of a tool that cleans, or refuse one of which nothing says that it is cleaned.

    Parameters
    ----------
    tool : Tool
    name : names.Name
        Of the image.
    called : str
        What messages call it.
    metadata : dict
        What its sidecars say.

    Returns
    -------
    str
        Empty, or a whole sentence for people.

    Raises
    ------
    DataError
        Neither the name nor the sidecar says that it is cleaned: it may not be, and cleaning it could be twice.
    """
    if tool is CPAC and "reg" not in name.entities and not _was_regressed(metadata):
        raise DataError(
            f"{called}: nothing says whether C-PAC took the nuisance regressors out: the name has no reg-, and "
            "CpacProvenance in the sidecar has no nuisance_regression. It is neither taken as it is nor cleaned again. "
            "Give the preprocessed data of fMRIPrep, or run C-PAC with nuisance regression."
        )
    if tool is HALFPIPE:
        return _of_halfpipe(called, metadata.get("Setting"))
    return tool.left_in


def left_in(
    tool: Tool | None, name: Name, called: str, metadata: Mapping[str, Any], *, flagged: bool, table: bool = False
) -> str:
    """Return what is still in an image or in a table of series, or refuse one, as `require_cleaned`.

    Parameters
    ----------
    flagged : bool
        Whether something says which of its volumes are left out.
    table : bool
        Of series, which tools make of what they cleaned; C-PAC of all that it has.
    """
    if tool is None or (tool.dense and flagged) or (table and tool is not CPAC and not tool.dense):
        return ""
    return require_cleaned(tool, name, called, metadata)


def _was_regressed(metadata: Mapping[str, Any]) -> bool:
    return "nuisance_regression" in json.dumps(metadata.get("CpacProvenance", []), default=str)


def _of_halfpipe(called: str, setting: object) -> str:
    """Return what a setting of HALFpipe left in; it says so in the sidecar."""
    said = setting if isinstance(setting, dict) else {}
    confounds, aroma = said.get("ConfoundsRemoval"), said.get("ICAAROMA")
    if not confounds and not aroma:
        raise DataError(
            f"{called}: Setting in its sidecar names neither ConfoundsRemoval nor ICAAROMA: HALFpipe did not clean "
            "this image, and the confounds beside it are scaled and filtered as it is. Give derivatives/fmriprep of "
            "the same run with --derivatives, or an image of a setting that cleans."
        )
    left = [] if said.get("BandpassFilter") else ["no band-pass filter was applied by HALFpipe, nor here"]
    left += [f"HALFpipe smoothed it ({smoothing})" for smoothing in [said.get("Smoothing")] if smoothing]
    return f"{called}: {'; '.join(left)}." if left else ""


def warn_of_faults(dataset: Dataset) -> None:
    """Say what is known to be wrong with what a version wrote."""
    made_by = makers(dataset.description)
    if made_by[:1] and made_by[0][0] == "trialgraph":  # which makes the masks anew
        return
    for maker in made_by:
        if maker in FAULTS:
            logger.warning("%s: %s %s %s.", dataset.path, *maker, FAULTS[maker])
