"""Lists of commands on a page."""

from tests.html import Page


def row_ids(page: Page) -> list[str]:
    """Return the ids of the listed commands, in order."""
    return [row["id"].removeprefix("row-") for row in page.select("#rows [data-testid=row]")]
