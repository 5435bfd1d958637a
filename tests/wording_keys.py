"""Keys in place of the sentences of the wording package, for tests of code that must not read a sentence.

Tests of `actions/` and `rules/` run with keys only. A decision on a sentence, on its ending or on its first word fails
there. Sentences in the body of a function can't be replaced, so the wording package keeps them in tables and templates.
"""

import ast
import inspect
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from importlib import import_module
from string import Formatter
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import commands
from commands.rules import wording


class Table(NamedTuple):
    """Module-level mapping from codes to sentences."""

    name: str
    sentences: dict[Any, Any]
    keys: dict[Any, Any]


class Template(NamedTuple):
    """Module-level sentence, or part of one. Its key is its name with its fields, because values are data."""

    holder: ModuleType
    name: str
    key: str


@cache
def tables() -> tuple[Table, ...]:
    return tuple(
        Table(f"{module.__name__}.{name}", value, {code: _key(code, text) for code, text in value.items()})
        for module in wording_modules()
        for name, value in texts_of(module)
        if isinstance(value, dict)
    )


@cache
def templates() -> tuple[Template, ...]:
    """Find the templates, with every module that imported one by its name."""
    modules = [*wording_modules(), *_modules_of(commands)]
    return tuple(
        Template(holder, name, " ".join([name, *_fields(value)]))
        for module in wording_modules()
        for name, value in texts_of(module)
        if isinstance(value, str)
        for holder in dict.fromkeys(modules)
        if vars(holder).get(name) is value
    )


def replace_sentences(patch: pytest.MonkeyPatch) -> None:
    """Replace each sentence by its code, and each template by its name and fields.

    Tables are changed in place, so that modules that imported one by its name see the keys too.
    """
    for table in tables():
        for code, key in table.keys.items():
            patch.setitem(table.sentences, code, key)
    for holder, name, key in templates():
        patch.setattr(holder, name, key)


@contextmanager
def keys_for_sentences() -> Iterator[None]:
    """Replace the sentences for a while, whatever the test itself does with its own `monkeypatch`."""
    with pytest.MonkeyPatch.context() as patch:
        replace_sentences(patch)
        yield


def holds_text(value: object) -> bool:
    if isinstance(value, dict):
        return any(holds_text(item) for item in value.values())
    if isinstance(value, (tuple, list, set, frozenset)):
        return any(holds_text(item) for item in value)
    return isinstance(value, str) and not isinstance(value, Enum)


def wording_modules() -> list[ModuleType]:
    return [wording, *_modules_of(wording)]


def texts_of(module: ModuleType) -> Iterator[tuple[str, dict[Any, Any] | str]]:
    """Return the module's tables and templates with their names."""
    for name in _assigned_names(module):
        value = getattr(module, name)
        if not holds_text(value):
            continue
        if not isinstance(value, (dict, str)):
            raise TypeError(f"{module.__name__}.{name}: sentences belong in a dict, by their codes")
        yield name, value


@cache
def _modules_of(package: ModuleType) -> list[ModuleType]:
    """Import every module of a package. A module imported later, by a test, would keep the keys that it saw."""
    return [import_module(module.name) for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]


def _assigned_names(module: ModuleType) -> Iterator[str]:
    """Return the names that the module assigns itself. It doesn't own what it imports."""
    for node in ast.parse(inspect.getsource(module)).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _fields(template: str) -> list[str]:
    return [f"{{{field}}}" for _, field, _, _ in Formatter().parse(template) if field is not None]


def _key(code: object, text: object) -> object:
    """Return the key of a sentence, in the same shape: a tuple of sentences becomes a tuple of keys."""
    if isinstance(text, tuple):
        return tuple(_key(code, item) for item in text)
    if isinstance(text, str):
        return ".".join(map(str, code)) if isinstance(code, tuple) else str(code)
    if holds_text(text):
        raise TypeError(f"{code}: a table holds sentences, or tuples of them")
    return text


def assert_sentences_are_keys() -> None:
    """Check that tests of the calling folder see keys in place of every sentence."""
    for table in tables():
        assert table.sentences == table.keys, table.name
    for holder, name, key in templates():
        assert getattr(holder, name) == key
