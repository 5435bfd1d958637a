"""Modules of JavaScript: their hashed imports in production, and their preload hints."""

import re
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.template.loader import render_to_string

from dexportal.settings import BASE_DIR
from tests.html import Page

JS = BASE_DIR / "static" / "js"
IMPORT = re.compile(r'^(?:import|export)\b[^;"]*"\./([^"]+)";$', re.MULTILINE)


def imports_of(file: Path) -> set[str]:
    return set(IMPORT.findall(file.read_text()))


def modules() -> set[str]:
    """Return the names of the modules that app.js imports, directly or through others."""
    names, waiting = set[str](), {"app.js"}
    while waiting:
        imported = imports_of(JS / waiting.pop())
        waiting |= imported - names
        names |= imported
    return names


def loaded_files(css: str, attribute: str) -> list[str]:
    """Return the names of our JavaScript files that the head of a page mentions."""
    elements = Page.parse(render_to_string("_scripts.html")).select(css)
    prefix = "/static/js/"
    return [each[attribute].removeprefix(prefix) for each in elements if each[attribute].startswith(prefix)]


def test_every_script_but_the_blocking_theme_is_loaded_by_app_js() -> None:
    assert modules() == {file.name for file in JS.iterdir()} - {"app.js", "theme.js"}


def test_every_module_has_a_preload_hint() -> None:
    assert sorted(loaded_files("link[rel=modulepreload]", "href")) == sorted(modules())


def test_modules_import_each_other_by_their_hashed_names_in_production(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    storage = {"BACKEND": "dexportal.static_files.ModuleManifestStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": storage}
    call_command("collectstatic", "--no-input", verbosity=0)
    names = [*loaded_files("script[type=module]", "src"), *loaded_files("link[rel=modulepreload]", "href")]
    assert len(names) == len(modules()) + 1
    for name in names:
        original = re.sub(r"\.[0-9a-f]{12}\.js$", ".js", name)
        assert name != original
        imported = imports_of(tmp_path / "js" / name)
        assert imported <= set(names)
        assert len(imported) == len(imports_of(JS / original))
