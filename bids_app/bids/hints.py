"""What is there instead, where no run is selected: looked for only then."""

from collections.abc import Iterable
from pathlib import Path

HINTS = {
    "*.h5": "giga_connectome before 0.5 wrote all series into one HDF5 file ({}), which is not read: run 0.5 or later.",
    "sub-*/**/func/*.dtseries.nii": "There are series on surfaces ({}): give --space fsLR.",
    "sub-*/**/func/*_bold.func.gii": "There are series on surfaces ({}): give --space, as their names say.",
}


def instead_of_runs(folders: Iterable[Path]) -> str:
    """Say what lies in datasets that could be meant, and what to do.

    Parameters
    ----------
    folders : iterable of Path
        Of the datasets.

    Returns
    -------
    str
        Whole sentences; empty if nothing is known of what is there.
    """
    said = []
    for pattern, sentence in HINTS.items():
        found = next((path for folder in folders for path in folder.glob(pattern)), None)
        said += [sentence.format(found.name)] if found else []
    return " ".join(said)
