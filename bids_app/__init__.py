"""trialgraph: graph maps of resting-state fMRI, compared between the arms of a randomized trial."""

from pathlib import Path


def _read_version() -> str:
    beside_the_package = Path(__file__).parents[1] / "version"
    if beside_the_package.is_file():
        return beside_the_package.read_text().strip()
    from importlib.metadata import PackageNotFoundError, version  # a third of the time that --version takes

    try:
        return version("trialgraph")
    except PackageNotFoundError:
        return "unknown"


__version__ = _read_version()
