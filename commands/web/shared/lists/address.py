"""Address of a list: account, filters and page, as query parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class ListAddress:
    """Address of one page of a list.

    Attributes:
        path: path of the page that shows the list.
        filters: query parameters by name. Those with the value '' are omitted.
        cursor: id of the command before this page, None on the first page.
        part_path: path that returns the list alone, '' where the page itself does so for htmx.
    """

    path: str
    account_id: UUID
    filters: Mapping[str, str]
    cursor: UUID | None = None
    is_oldest_first: bool = False
    part_path: str = ""

    def url(self, **changes: str) -> str:
        """Return the URL of the first page with these filters changed."""
        return f"{self.path}?{self._query(changes)}"

    def part_url(self, **changes: str) -> str:
        """Return the URL of the same list without the page around it."""
        return f"{self.part_path or self.path}?{self._query(changes)}"

    def url_of_page(self, cursor: UUID | None) -> str:
        return self.url(**self._page(cursor))

    def poll_url(self, token: str) -> str:
        """Return the URL that asks for changes of this page since the token."""
        return self.part_url(**self._page(self.cursor), token=token)

    def _page(self, cursor: UUID | None) -> dict[str, str]:
        return {AFTER if self.is_oldest_first else BEFORE: str(cursor or "")}

    def _query(self, changes: Mapping[str, str]) -> str:
        query = {"account": str(self.account_id), **self.filters, **changes}
        return urlencode({name: value for name, value in query.items() if value})
