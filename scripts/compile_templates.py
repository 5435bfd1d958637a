"""Check that every template compiles, and that the templates it extends or includes by name exist."""

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
            for dependency in dependencies(get_template(name).template):  # type: ignore[attr-defined]  # Django's own engine
                get_template(dependency)
        except TemplateSyntaxError as problem:
            yield f"{name}: {problem}"
        except TemplateDoesNotExist as problem:
            yield f"{name}: template {problem} does not exist"


def dependencies(template: Template) -> Iterator[str]:
    for node in template.nodelist.get_nodes_by_type(ExtendsNode):
        yield from _literal_name(node.parent_name)  # type: ignore[attr-defined]
    for node in template.nodelist.get_nodes_by_type(IncludeNode):
        yield from _literal_name(node.template)  # type: ignore[attr-defined]


def _literal_name(expression: FilterExpression) -> Iterator[str]:
    """Yield the template's name, unless it is a variable, whose value is known only when the page is rendered."""
    if isinstance(expression.var, str):
        yield expression.var.partition("#")[0]


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexportal.settings")
    django.setup()
    folders = [ROOT / "templates", *ROOT.glob("*/templates")]
    names = [str(path.relative_to(folder)) for folder in folders for path in sorted(folder.rglob("*.*"))]
    messages = list(problems(names))
    print("\n".join(messages) or f"{len(names)} templates compile")
    return bool(messages)


if __name__ == "__main__":
    sys.exit(main())
