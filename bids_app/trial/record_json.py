"""Parts of a record as JSON, and read back: the fields of dataclasses, by what their types say."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from bids_app.errors import DataError

_WORDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def key_of(name: str) -> str:
    """Return the key of a field.

    Examples
    --------
    >>> key_of("random_seed"), key_of("smoothing_fwhm")
    ('RandomSeed', 'SmoothingFWHM')
    """
    return "".join("FWHM" if word == "fwhm" else word.capitalize() for word in name.split("_"))


def as_json(part: Any) -> dict[str, Any]:
    """Return the fields of a part, those of its parts among them, without what is None."""
    content: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            content |= as_json(value)
        elif isinstance(value, tuple):
            content[key_of(field.name)] = [as_json(one) if is_dataclass(one) else one for one in value]
        elif value is not None:
            content[key_of(field.name)] = value
    return content


def part_of(kind: Any, content: Mapping[str, Any], within: str = "") -> Any:
    """Return a part of the record; what its fields are made of is what their types say."""
    found = {}
    for name, of in get_type_hints(kind).items():
        key = key_of(name)
        found[name] = part_of(of, content) if is_dataclass(of) else value_of(of, content.get(key), within + key)
    return kind(**found)


def value_of(of: Any, value: object, key: str) -> Any:
    """Return a value as its type has it.

    Raises
    ------
    DataError
        It is missing, or of another type.
    """
    origin, inner = get_origin(of), get_args(of)
    if origin in (Union, types.UnionType):
        return None if value is None else value_of(inner[0], value, key)
    if value is None:
        raise DataError(f"It lacks {key}.")
    if origin is Literal:
        if value not in inner:
            raise DataError(f"{key} is {value!r:.40}, none of {', '.join(inner)}.")
        return value
    if origin is tuple:
        return tuple(value_of(inner[0], one, key) for one in _checked(list, value, key))
    if origin is dict:
        return {name: value_of(inner[1], one, f"{key}.{name}") for name, one in _checked(dict, value, key).items()}
    return part_of(of, _checked(dict, value, key), f"{key}.") if is_dataclass(of) else _checked(of, value, key)


def _checked(kind: type, value: Any, key: str) -> Any:
    fits = isinstance(value, (int, float) if kind is float else kind)
    if not fits or isinstance(value, bool) != (kind is bool):  # to Python true and false are numbers
        raise DataError(f"{key} is {value!r:.40}, not {_WORDS[kind]}.")
    return value
