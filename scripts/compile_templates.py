"""Compiles every template of ours, and looks up the templates that they extend and include by name."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import django
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.base import FilterExpression, Template
from django.template.loader import get_template
from django.template.loader_tags import ExtendsNode, IncludeNode

ROOT = Path(__file__).resolve().parent.parent


def problems(names: list[str]) -> Iterator[str]:
    for name in names:
        try:
            for needed in needed_by(get_template(name).template):  # type: ignore[attr-defined]  # Django's own engine
                get_template(needed)
        except TemplateSyntaxError as problem:
            yield f"{name}: {problem}"
        except TemplateDoesNotExist as problem:
            yield f"{name}: there is no template {problem}"


def needed_by(template: Template) -> Iterator[str]:
    for node in template.nodelist.get_nodes_by_type(ExtendsNode):
        yield from _constant(node.parent_name)  # type: ignore[attr-defined]
    for node in template.nodelist.get_nodes_by_type(IncludeNode):
        yield from _constant(node.template)  # type: ignore[attr-defined]


def _constant(expression: FilterExpression) -> Iterator[str]:
    """A name that is computed can only be looked up when the page is made."""
    if isinstance(expression.var, str):
        yield expression.var.partition("#")[0]


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexportal.settings")
    django.setup()
    folders = [ROOT / "templates", *ROOT.glob("*/templates")]
    names = [str(path.relative_to(folder)) for folder in folders for path in sorted(folder.rglob("*.*"))]
    found = list(problems(names))
    print("\n".join(found) or f"{len(names)} templates compile")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
