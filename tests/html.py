"""Helpers for tests that read the HTML of a page."""


def on_one_line(html: str) -> str:
    """Replace each run of whitespace with one space, so that a template may break its lines anywhere."""
    return " ".join(html.split())
