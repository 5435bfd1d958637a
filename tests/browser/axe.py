"""Accessibility problems that axe finds on a page, one line for each place."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def axe_problems(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [
        f"{page.url} {violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in violations
        for node in violation["nodes"]
    ]


def axe_problems_in_both_themes(page: Page) -> list[str]:
    problems: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        problems += axe_problems(page)
    return problems
