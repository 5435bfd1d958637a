"""Paging of listings: the query of one page, and all pages of a listing. Must not send a request itself."""

from collections.abc import Callable, Iterator, Mapping

from commands.cloudflare.errors import TooManyPages
from commands.cloudflare.types import Call, Page

MAX_PER_PAGE = 50


def params(page: int, per_page: int, filters: Mapping[str, str]) -> dict[str, str]:
    """Return the query of one page. Empty filters are not sent.

    Raises:
        ValueError: `page` or `per_page` is out of range.
    """
    if page < 1 or not 1 <= per_page <= MAX_PER_PAGE:
        raise ValueError(f"The page number must be at least 1, and per_page 1 to {MAX_PER_PAGE}.")
    return {"page": str(page), "per_page": str(per_page)} | {name: value for name, value in filters.items() if value}


def pages[Row](
    call: Call, fetch: Callable[[int], Page[Row]], key: Callable[[Row], object], *, first: int, most: int
) -> Iterator[Page[Row]]:
    """Yield pages from number `first` until one is short. `key` identifies a row.

    Cloudflare's `total_count` is of no use here, because it ignores the filters. One page without a new row does not
    end the listing: a page's worth of new commands may have moved all its rows down. Two such pages in a row do end it.
    Otherwise it would go on for ever if a server repeats a page.

    Raises:
        TooManyPages: page number `most` is not the last one.
    """
    seen: set[object] = set()
    was_new = True
    for number in range(first, most + 1):
        page = fetch(number)
        keys = {key(row) for row in page.rows}
        is_new = not keys or not keys <= seen
        if not (is_new or was_new):
            return
        was_new = is_new
        seen |= keys
        yield page
        if page.short:
            return
    raise TooManyPages(call, f"The listing has more than {most} pages.")
