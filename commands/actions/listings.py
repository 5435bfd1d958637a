"""Which listing of an account is due, and the reading of it.

A *quick* listing ends once every open id was seen; a *complete* one goes to the end, and only it imports and counts for
"not listed". Owns neither what the rows mean (`matching.py`) nor what becomes of them (`sync.py`).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Min, Q, QuerySet

from commands.actions import claims, upstream
from commands.cloudflare.client import Client
from commands.cloudflare.types import ListedCommand
from commands.models import Account, AccountSync, Command
from commands.states import Status

IN_DOUBT = (Status.SENDING, Status.UNCERTAIN)
PENDING = (Status.PENDING_EXEC, Status.PENDING_UPLOAD)


@dataclass(frozen=True, slots=True)
class Plan:
    """A listing that is to be made: from when, and the ids with which a quick one is content."""

    complete: bool
    since: datetime
    open_ids: frozenset[str]
    sought: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing that was made. `begun_at` by the database's clock, `offset` how much Cloudflare's shows more."""

    complete: bool
    begun_at: datetime
    offset: timedelta
    rows: tuple[ListedCommand, ...]


def due_accounts(*, now: datetime) -> list[UUID]:
    due = Q(sync__due_at=None) | Q(sync__due_at__lte=now)
    longest = F("sync__due_at").asc(nulls_first=True)  # PostgreSQL would leave the never listed ones to the last
    return list(Account.objects.in_force().filter(due).order_by(longest, "id").values_list("id", flat=True))


def hurry(account_id: UUID, *, at: datetime) -> None:
    """Something new is to be watched: list the account by then at the latest."""
    AccountSync.objects.filter(Q(due_at=None) | Q(due_at__gt=at), account_id=account_id).update(due_at=at)


def plan_listing(account: Account, row: AccountSync, *, now: datetime) -> Plan | None:
    """The listing that is due, or None: nothing is open, and the last complete one is recent."""
    sought = _watched(account, now)
    if _complete_is_due(row, now, has_open=sought.exists() or _pending(account).exists()):
        whole = row.complete_at - settings.LISTING_OVERLAP if row.complete_at else now - settings.ARTIFACT_RETENTION
        since = _since(row, _watched(account, now, last=row.complete_at), _pending(account))
        return Plan(True, min(whole, since or whole), frozenset(), sought=True)
    since = _since(row, sought, _pending(account))
    if since is None:
        return None
    open_ids = frozenset(_pending(account).values_list("remote_id", flat=True))
    return Plan(False, since, open_ids, sought=sought.exists())


def _since(row: AccountSync, sought: QuerySet[Command], pending: QuerySet[Command]) -> datetime | None:
    """When the oldest of these may have begun, by whichever of the two clocks shows less; None: there are none."""
    begun = (
        sought.aggregate(at=Min("dispatch__claimed_at"))["at"],
        pending.aggregate(at=Min("remote_created_at"))["at"],
        pending.aggregate(at=Min("dispatch__claimed_at"))["at"],
    )
    oldest = min((at for at in begun if at), default=None)
    return oldest - settings.ADOPT_BEFORE + min(row.clock_offset or timedelta(), timedelta()) if oldest else None


def _pending(account: Account) -> QuerySet[Command]:
    return Command.objects.shown().filter(account=account, status__in=PENDING)


def _watched(account: Account, now: datetime, *, last: datetime | None = None) -> QuerySet[Command]:
    """Commands of ours that are looked for without an id, or after every deadline.

    With the time of the `last` complete listing, those are among them that only some complete listings look for.
    """
    looked_for = Q(status_at__gt=now - settings.UNCONFIRMED_EVERY_SYNC_FOR)
    if last and _another(settings.UNCONFIRMED_HOURLY, last, now):
        looked_for |= Q(status_at__gt=now - settings.UNCONFIRMED_HOURLY_FOR)
    if last and _another(settings.UNCONFIRMED_DAILY, last, now):
        looked_for |= Q(status_at__gt=now - settings.UNCONFIRMED_DAILY_FOR)
    unconfirmed = Q(status=Status.UNCONFIRMED) & looked_for
    return Command.objects.filter(Q(status__in=IN_DOUBT) | unconfirmed, account=account, dispatch__isnull=False)


def _another(period: timedelta, last: datetime, now: datetime) -> bool:
    """Whether another hour (or day) has begun since then: the first complete listing in it looks further back."""
    return last.timestamp() // period.total_seconds() != now.timestamp() // period.total_seconds()


def _complete_is_due(row: AccountSync, now: datetime, *, has_open: bool) -> bool:
    every = settings.LISTING_INTERVAL_OPEN if has_open else settings.LISTING_INTERVAL_IDLE
    if row.complete_due_at and row.complete_due_at <= now:
        return True
    return row.complete_at is None or row.complete_at + every <= now


def read(account: Account, row: AccountSync, plan: Plan, *, now: datetime) -> Listing:
    """All pages that the plan needs; the lease of `row` is kept alive meanwhile. Raises as the client does."""
    began = renewed = time.monotonic()
    rows: list[ListedCommand] = []
    offset = row.clock_offset or timedelta()  # as it was, where no answer tells Cloudflare's time
    with upstream.client_for(account) as client:
        for page_rows, date in _pages(client, plan):
            rows += page_rows
            if time.monotonic() - renewed > settings.SYNC_LEASE.total_seconds() / 4:
                claims.renew(row, lasting=settings.SYNC_LEASE)
                renewed = time.monotonic()
            if date:
                offset = date - (now + timedelta(seconds=time.monotonic() - began))
    return Listing(plan.complete, now, offset, tuple(rows))


def _pages(client: Client, plan: Plan) -> Iterator[tuple[Sequence[ListedCommand], datetime | None]]:
    """The pages that the plan needs: all of them, or until every open id was seen."""
    missing = set(plan.open_ids)
    for page in client.iter_commands(per_page=settings.PAGE_SIZE, from_=plan.since):
        yield page.rows, page.date
        missing.difference_update(row.id for row in page.rows)
        if not plan.complete and not plan.sought and not missing:
            return


def next_due(account: Account, row: AccountSync, now: datetime) -> datetime:
    if _pending(account).exists() or _watched(account, now).exists():
        return now + settings.SYNC_INTERVAL
    return (row.complete_at or now) + settings.LISTING_INTERVAL_IDLE
