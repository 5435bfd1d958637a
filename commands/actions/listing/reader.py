"""Reading of a listing, page by page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from commands import clock
from commands.actions.listing.schedule import ListingRequest, is_clock_known
from commands.actions.record import leases
from commands.actions.upstream import clients
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError
from commands.models import Account, AccountSync
from commands.rules.listed_command import ListedCommand


@dataclass(frozen=True, slots=True)
class ListingResult:
    """Listing that was read, whole or up to an interruption.

    `begun_at` is by the database's clock, `offset` how much more Cloudflare's clock shows, and `clock_doubt` how far
    that may be wrong: by as much as Cloudflare's answers differed lately. `whole_clock_doubt` is the largest doubt of
    all pages, also of those that were read before an interruption. `interrupted` is what ended the listing early, after
    `calls` pages.
    """

    complete: bool
    begun_at: datetime
    offset: timedelta
    rows: tuple[ListedCommand, ...]
    calls: int = 1
    interrupted: CloudflareError | NotNow | None = None
    clock_doubt: timedelta = timedelta()
    whole_clock_doubt: timedelta = timedelta()

    @property
    def knows_the_time(self) -> bool:
        """Return whether a missing row counts as "not listed".

        While Cloudflare's clock is in doubt, a command's own row might not be recognized, or be older than what was
        requested.
        """
        return is_clock_known(self.whole_clock_doubt)


def read(account: Account, row: AccountSync, request: ListingRequest, *, now: datetime) -> ListingResult:
    """Read all pages that the request needs, and keep the lease of `row` alive meanwhile.

    Raises as the client does, if it got no page. After a page or more, what was read is an interrupted listing.
    """
    lease = leases.KeptAlive(row, lasting=settings.SYNC_LEASE)
    rows: list[ListedCommand] = []
    calls = 0
    interrupted: CloudflareError | NotNow | None = None
    # Both stay as they were where no answer has Cloudflare's time. A clock that jumps is believed when it stays there.
    offset, doubt = row.clock_offset, row.clock_doubt / 2
    try:
        with clients.client_for(account) as client:
            for page_rows, date in _pages(client, request):
                rows += page_rows
                calls += 1
                lease.is_held()  # a worker that lost the lease is kept from recording, not from reading
                if date:
                    difference = date - clock.database_now()
                    if offset is not None:
                        doubt = max(doubt, abs(difference - offset))
                    offset = difference
    except (CloudflareError, NotNow) as stop:
        if not calls:
            raise
        interrupted = stop
    return ListingResult(
        complete=request.complete,
        begun_at=request.begun_at or now,
        offset=offset or timedelta(),
        rows=tuple(rows),
        calls=calls,
        interrupted=interrupted,
        clock_doubt=doubt,
        whole_clock_doubt=max(request.clock_doubt, doubt),
    )


def _pages(client: Client, request: ListingRequest) -> Iterator[tuple[Sequence[ListedCommand], datetime | None]]:
    """Yield the pages that the request needs: all of them, or until every open id was seen."""
    missing = set(request.open_ids)
    for page in client.iter_commands(first=request.page, per_page=settings.PAGE_SIZE, from_=request.since):
        yield page.rows, page.date
        missing.difference_update(row.id for row in page.rows)
        if not request.complete and not request.sought and not missing:
            return
