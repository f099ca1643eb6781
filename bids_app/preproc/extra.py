"""The packages that raw scans alone need: an extra of the installation. Imports nothing heavy."""

from importlib.util import find_spec

from bids_app.errors import MissingInputError

ANTS = "ants"


def require_ants() -> None:
    """Refuse to preprocess where antspyx is not installed.

    Raises
    ------
    MissingInputError
        It is not.
    """
    if find_spec(ANTS) is None:
        raise MissingInputError(
            "Raw scans have to be preprocessed, for which antspyx is needed, and it is not installed (looked for the "
            'package "ants"). Install the extra with pip install "trialgraph[preproc]", or use the image, which has '
            "it; or give preprocessed data with --derivatives."
        )
