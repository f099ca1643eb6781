"""``trialgraph --version --check FILE``: whether this version was flagged, by a list that a site keeps beside it."""

import argparse
from pathlib import Path

from bids_app import __version__
from bids_app.errors import DataError
from bids_app.system.small_files import read_json


def check_version(file: str, version: str = __version__) -> int:
    """Say the version, and whether a list of releases flags it.

    Parameters
    ----------
    file : str
        JSON as ``.versions.json`` of this project: ``flagged`` maps a version to what is wrong with it; ``latest``.
    version : str, optional

    Returns
    -------
    int
        0, or 65 if the version is flagged.

    Raises
    ------
    DataError, MissingInputError
    """
    called = f"--check {file}"
    content = read_json(Path(file), called=called)
    flagged, latest = content.get("flagged"), content.get("latest")
    if not isinstance(flagged, dict) or not isinstance(latest, str | None):
        raise DataError(f"{called}: must hold 'flagged', versions with what is wrong with each, and may hold 'latest'.")
    reason = flagged.get(version)
    print(f"trialgraph {version}")
    print(f"flagged: {reason}" if reason else f"not among the {len(flagged)} versions that {file} flags")
    if latest and latest != version:
        print(f"latest by that file: {latest}")
    return DataError.exit_code if reason else 0


def file_to_check(argv: list[str]) -> str | None:
    """Return the file that ``--version --check FILE`` names, in either order of the options; None of any other call.

    Examples
    --------
    >>> file_to_check(["--version", "--check", "v.json"]), file_to_check(["--check=v.json", "--version"])
    ('v.json', 'v.json')
    >>> file_to_check(["bids", "out", "group"]) is None
    True
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--check")
    try:
        found, rest = parser.parse_known_args(argv)
    except (argparse.ArgumentError, SystemExit):
        return None
    return found.check if found.version and found.check and not rest else None
