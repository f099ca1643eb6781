"""The participant level: from a preprocessed scan to its maps, tables and figures.

The interfaces load, call one function and save; arithmetic is in `graph`.

The names below are imported when they are first used.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "clean": "denoise",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
