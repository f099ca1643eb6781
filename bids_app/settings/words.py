"""How the words of the command line are read."""

import argparse
import math
from pathlib import Path

from bids_app.settings.named import NamedPath, NamedRegion


def as_path(word: str) -> Path:
    """Return a path that does not depend on where the app runs."""
    return Path(word).absolute()


def as_output(word: str) -> Path:
    """Return the path of a folder that is written into."""
    return as_path(word)


def as_new_file(word: str) -> Path:
    """Return the path of a file that may be written."""
    return as_path(word)


def as_options(word: str) -> Path:
    """Return the path of a TOML file whose options may name paths themselves."""
    return as_path(word)


def as_listing(word: str) -> Path:
    """Return the path of a table that names files which lie around it."""
    return as_path(word)


def as_atlas(word: str) -> str:
    """Return a word that `atlas_source.find_atlas` reads, once it is known which file of options was given too."""
    return word


def as_named_path(word: str) -> NamedPath:
    """Read NAME=PATH, or PATH, which has the name of its folder."""
    name, equals, path = word.partition("=")
    if not equals or "/" in name:
        return NamedPath(as_path(word).resolve().name, as_path(word))
    return NamedPath(name, as_path(path))


def names_labels(word: str) -> bool:
    """Say whether a word is a file of labels: no label has a dot or a slash."""
    return bool({".", "/"} & set(word))


def as_labels(word: str) -> list[str]:
    """Read a label, or the labels in a file, one on each line.

    Examples
    --------
    >>> as_labels("sub-01")
    ['sub-01']
    """
    if not names_labels(word):
        return [word]
    try:
        lines = Path(word).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(
            f"{word} is no label, and cannot be read as a file of labels: {error}"
        ) from None
    if not (labels := [line.strip() for line in lines if line.strip()]):
        raise argparse.ArgumentTypeError(f"{word} holds no label")
    return labels


def as_region(word: str) -> NamedRegion:
    """Read NAME=IMAGE, or the name of a parcel."""
    name, equals, path = word.partition("=")
    return NamedRegion(name, as_path(path)) if equals and path else NamedRegion(word, None)


def as_fd_threshold(word: str) -> float:
    """Read a number of mm, or off."""
    return math.inf if word == "off" else float(word)


def as_dummy_scans(word: str) -> int | None:
    """Read a number of volumes, or auto."""
    return None if word == "auto" else int(word)


def as_densities(word: str) -> list[float]:
    """Read a density, or FROM:TO:STEP, or auc."""
    if ":" not in word and word != "auc":
        return [float(word)]
    low, high, step = (0.05, 0.5, 0.05) if word == "auc" else map(float, word.split(":"))
    if not (step > 0 and low <= high):
        raise argparse.ArgumentTypeError(f"{word} is no range: give FROM:TO:STEP, as in 0.05:0.5:0.05")
    n_steps = math.floor((high - low) / step + 1e-9)
    return [round(low + step * number, 6) for number in range(n_steps + 1)]


def as_mask(word: str) -> str:
    """Read the name of a mask, or a path."""
    return word if word in ("gm", "brain") else str(as_path(word))


def as_draws(word: str) -> int | str:
    """Read how many draws, or auto."""
    return word if word == "auto" else int(word)


def as_voxel_size(word: str) -> int | None:
    """Read a number of mm, or native."""
    return None if word == "native" else int(word)
