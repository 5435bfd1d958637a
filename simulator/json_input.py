"""Type checks for JSON input, and dataclasses filled from it.

Used by the controls under `/_sim`. This module must not know any field by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class BadInputError(Exception):
    """JSON that a control cannot use. Its message names the field and the reason."""


def as_object(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise BadInputError(f"{name}: an object is needed")
    return {str(key): item for key, item in value.items()}


def as_list(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise BadInputError(f"{name}: a list is needed")
    return value


def as_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise BadInputError(f"{name}: a string is needed")
    return value


def as_number(value: object, name: str) -> float:
    # bool is a subclass of int, so that true would pass as 1
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInputError(f"{name}: a number is needed")
    return float(value)


def as_integer(value: object, name: str) -> int:
    number = as_number(value, name)
    if number != int(number):
        raise BadInputError(f"{name}: a whole number is needed")
    return int(number)


def _as_same_type(value: object, current: object, name: str) -> object:
    """Check that `value` has the type of the field's current value, and return it."""
    # bool comes before int, its base class
    if isinstance(current, bool):
        if not isinstance(value, bool):
            raise BadInputError(f"{name}: true or false is needed")
        return value
    if isinstance(current, int):
        return as_integer(value, name)
    if isinstance(current, float):
        return as_number(value, name)
    if isinstance(current, tuple):
        return tuple(as_text(item, name) for item in as_list(value, name))
    return as_text(value, name)


def replace_fields[T: DataclassInstance](base: T, changes: Mapping[str, object], name: str) -> T:
    """Copy `base` with the given fields changed. Unknown fields and wrong types raise BadInputError."""
    known = {field.name for field in fields(base)}
    values: dict[str, object] = {}
    for key, value in changes.items():
        if key not in known:
            raise BadInputError(f"{name}: unknown field {key!r}, known fields are {', '.join(sorted(known))}")
        values[key] = _as_same_type(value, getattr(base, key), f"{name}.{key}")
    return replace(base, **values)
