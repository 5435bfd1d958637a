"""Reads JSON objects into frozen dataclasses, field by field. Knows no domain; guesses nothing it cannot type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class BadInputError(Exception):
    """A control was given JSON it cannot use; the text says which field and why."""


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
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInputError(f"{name}: a number is needed")
    return float(value)


def as_whole(value: object, name: str) -> int:
    number = as_number(value, name)
    if number != int(number):
        raise BadInputError(f"{name}: a whole number is needed")
    return int(number)


def _like(value: object, present: object, name: str) -> object:
    """`value` in the type of the field's present value."""
    if isinstance(present, bool):
        if not isinstance(value, bool):
            raise BadInputError(f"{name}: true or false is needed")
        return value
    if isinstance(present, int):
        return as_whole(value, name)
    if isinstance(present, float):
        return as_number(value, name)
    if isinstance(present, tuple):
        return tuple(as_text(item, name) for item in as_list(value, name))
    return as_text(value, name)


def overlay[T: DataclassInstance](base: T, changes: Mapping[str, object], name: str) -> T:
    """`base` with the named fields changed; an unknown field or a wrong type is an error."""
    known = {field.name for field in fields(base)}
    values: dict[str, object] = {}
    for key, value in changes.items():
        if key not in known:
            raise BadInputError(f"{name}: no field {key!r}; there are {', '.join(sorted(known))}")
        values[key] = _like(value, getattr(base, key), f"{name}.{key}")
    return replace(base, **values)
