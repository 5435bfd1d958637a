"""Modules of JavaScript: their hashed imports in production, and their preload hints."""

import re
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.template.loader import render_to_string

from dexportal.settings import BASE_DIR

JS = BASE_DIR / "static" / "js"
IMPORT = re.compile(r'^(?:import|export)\b[^;"]*"\./([^"]+)";$', re.MULTILINE)


def imports_of(file: Path) -> set[str]:
    return set(IMPORT.findall(file.read_text()))


def modules() -> set[str]:
    """Names of the modules that app.js imports, directly or through others."""
    found, waiting = set[str](), {"app.js"}
    while waiting:
        imported = imports_of(JS / waiting.pop())
        waiting |= imported - found
        found |= imported
    return found


def test_every_script_but_the_blocking_theme_is_loaded_by_app_js() -> None:
    assert modules() == {file.name for file in JS.iterdir()} - {"app.js", "theme.js"}


def test_every_module_has_a_preload_hint() -> None:
    hints = re.findall(r'<link rel="modulepreload" href="/static/js/([^"]+)">', render_to_string("_scripts.html"))
    assert sorted(hints) == sorted(modules())


def test_modules_import_each_other_by_their_hashed_names_in_production(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    storage = {"BACKEND": "dexportal.static_files.ModuleManifestStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": storage}
    call_command("collectstatic", "--no-input", verbosity=0)
    names = re.findall(r'"/static/js/(\S+)" (?:type="module")?', render_to_string("_scripts.html").replace(">", " "))
    assert len(names) == len(modules()) + 1
    for name in names:
        original = re.sub(r"\.[0-9a-f]{12}\.js$", ".js", name)
        assert name != original
        imported = imports_of(tmp_path / "js" / name)
        assert imported <= set(names)
        assert len(imported) == len(imports_of(JS / original))
