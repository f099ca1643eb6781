"""The pipelines whose output is read: recognised by GeneratedBy, and what is to be known of them."""

import logging
from collections.abc import Mapping
from typing import Any

from bids_app.bids.datasets import Dataset

logger = logging.getLogger(__name__)

DENOISED = ("xcp_d", "xcp-d", "xcpd", "xcp_abcd")  # whose BOLD images are cleaned already
DENOISED_DESCS = ("denoised", "interpolated", "residual")  # as their versions call them, the best first
APPLIED = "what was fitted before, applied: one resampling, confounds"  # as our own preprocessing describes itself
FAULTS = {
    (
        "fmriprep",
        "23.2.0",
    ): "wrote brain masks in template space with the transforms in the wrong order: they do not fit "
    "the images. Run 23.2.1 or later again for the masks",
}


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


def is_denoised(dataset: Dataset) -> bool:
    """Say whether a dataset's BOLD images are cleaned already: by what made it, else by what its folder is called.

    Parameters
    ----------
    dataset : datasets.Dataset
    """
    made_by = makers(dataset.description)
    names = [name for name, _ in made_by[:1] if name] or [dataset.path.resolve().name.lower()]
    return any(name.startswith(DENOISED) for name in names)


def warn_of_faults(dataset: Dataset) -> None:
    """Say what is known to be wrong with what a version wrote."""
    made_by = makers(dataset.description)
    if made_by[:1] and made_by[0][0] == "trialgraph":  # which makes the masks anew
        return
    for maker in made_by:
        if maker in FAULTS:
            logger.warning("%s: %s %s %s.", dataset.path, *maker, FAULTS[maker])
