"""Tests of the keys, in a folder whose tests see the sentences themselves."""

import ast
import inspect
import re
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from commands.rules import wording
from tests.wording_keys import keys_for_sentences, tables, templates, texts_of, wording_modules

type Load = Callable[[str], ModuleType]


def _texts() -> list[object]:
    texts: list[object] = [list(table.sentences.items()) for table in tables()]
    return texts + [getattr(holder, name) for holder, name, _ in templates()]


def test_sentences_are_replaced_only_in_tests_of_actions_and_rules() -> None:
    for table in tables():
        assert table.sentences != table.keys, table.name
    for holder, name, key in templates():
        assert getattr(holder, name) != key


def test_sentences_come_back_unchanged() -> None:
    before = _texts()
    with keys_for_sentences():
        assert all(table.sentences == table.keys for table in tables())
    assert _texts() == before


def test_every_file_of_the_wording_package_is_read() -> None:
    (folder,) = wording.__path__
    assert {Path(str(module.__file__)) for module in wording_modules()} == set(Path(folder).rglob("*.py"))
    assert f"{wording.__name__}.artifacts.SENTENCES" in {table.name for table in tables()}


def test_no_function_of_the_wording_package_holds_a_sentence() -> None:
    """Find text in the bodies of functions. Only separators and names of fields may be there."""
    found = [
        f"{module.__name__}:{node.lineno}: {node.value!r}"
        for module in wording_modules()
        for function in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(function, ast.FunctionDef)
        for statement in function.body[bool(ast.get_docstring(function)) :]
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if not re.fullmatch(r"\W*|[a-z_]+", node.value)
    ]
    assert not found


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that makes a module of a source."""

    def write_and_import(source: str) -> ModuleType:
        path = tmp_path / "sample.py"
        path.write_text(source)
        spec = spec_from_file_location("sample", path)
        assert spec
        assert spec.loader
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return write_and_import


def test_tables_and_templates_are_found_and_other_values_are_not(load: Load) -> None:
    module = load(
        """
from string import digits
from commands.rules.kinds import CAPTURES, Kind
SENTENCES: dict = {Kind.PCAP: "A capture."}
WITH_MESSAGE = "{reason} {message}"
MOST = 5
SETS = {Kind.PCAP: CAPTURES}
_TONED = {Kind.PCAP: ("A capture", "done")}
"""
    )
    assert [name for name, _ in texts_of(module)] == ["SENTENCES", "WITH_MESSAGE", "_TONED"]


def test_sentences_without_codes_are_an_error(load: Load) -> None:
    with pytest.raises(TypeError, match=r"sample\.LINES: sentences belong in a dict"):
        list(texts_of(load("LINES = ['A capture.']")))
