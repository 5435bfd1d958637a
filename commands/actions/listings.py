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
from django.db.models import Min, Q, QuerySet

from commands.actions import claims, upstream
from commands.cloudflare.client import Client
from commands.cloudflare.types import ListedCommand
from commands.models import Account, AccountSync, Command
from commands.states import Status

SOUGHT = (Status.SENDING, Status.UNCERTAIN)
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
    """A listing that was made. `begun_at` by our clock, `offset` how much Cloudflare's shows more."""

    complete: bool
    begun_at: datetime
    offset: timedelta
    rows: tuple[ListedCommand, ...]


def due_accounts(*, now: datetime) -> list[UUID]:
    due = Q(sync__due_at=None) | Q(sync__due_at__lte=now)
    return list(Account.objects.in_force().filter(due).order_by("sync__due_at", "id").values_list("id", flat=True))


def hurry(account_id: UUID, *, at: datetime) -> None:
    """Something new is to be watched: list the account by then at the latest."""
    AccountSync.objects.filter(Q(due_at=None) | Q(due_at__gt=at), account_id=account_id).update(due_at=at)


def plan_listing(account: Account, row: AccountSync, *, now: datetime) -> Plan | None:
    """The listing that is due, or None: nothing is open, and the last complete one is recent."""
    sent = _watched(account, row, now)
    pending = _pending(account)
    oldest = [
        at
        for at in (
            sent.aggregate(at=Min("dispatch__claimed_at"))["at"],
            pending.aggregate(at=Min("remote_created_at"))["at"],
            pending.aggregate(at=Min("dispatch__claimed_at"))["at"],
        )
        if at
    ]
    offset = row.clock_offset or timedelta()
    watch_since = min(oldest) - settings.ADOPT_BEFORE + min(offset, timedelta()) if oldest else None
    if _complete_is_due(row, now, has_open=watch_since is not None):
        whole = row.complete_at - settings.LISTING_OVERLAP if row.complete_at else now - settings.ARTIFACT_RETENTION
        return Plan(True, min(whole, watch_since or whole), frozenset(), sought=True)
    if watch_since is None:
        return None
    open_ids = frozenset(pending.values_list("remote_id", flat=True))
    return Plan(False, watch_since, open_ids, sought=sent.exists())


def _pending(account: Account) -> QuerySet[Command]:
    return Command.objects.shown().filter(account=account, status__in=PENDING)


def _watched(account: Account, row: AccountSync, now: datetime) -> QuerySet[Command]:
    """Commands of ours that are looked for without an id, or after every deadline."""
    unconfirmed = Q(status=Status.UNCONFIRMED) & _still_looked_for(row.complete_at, now)
    return Command.objects.filter(Q(status__in=SOUGHT) | unconfirmed, account=account, dispatch__isnull=False)


def _still_looked_for(complete_at: datetime | None, now: datetime) -> Q:
    """Unconfirmed: in the first hour with every sync, then hourly, then daily for 7 days."""
    looked_for = Q(status_at__gt=now - settings.UNCONFIRMED_EVERY_SYNC_FOR)
    last = complete_at or now - settings.UNCONFIRMED_DAILY
    if last <= now - settings.UNCONFIRMED_HOURLY:
        looked_for |= Q(status_at__gt=now - settings.UNCONFIRMED_HOURLY_FOR)
    if last <= now - settings.UNCONFIRMED_DAILY:
        looked_for |= Q(status_at__gt=now - settings.UNCONFIRMED_DAILY_FOR)
    return looked_for


def _complete_is_due(row: AccountSync, now: datetime, *, has_open: bool) -> bool:
    every = settings.LISTING_INTERVAL_OPEN if has_open else settings.LISTING_INTERVAL_IDLE
    if row.complete_due_at and row.complete_due_at <= now:
        return True
    return row.complete_at is None or row.complete_at + every <= now


def read(account: Account, row: AccountSync, plan: Plan, *, now: datetime) -> Listing:
    """All pages that the plan needs; the lease of `row` is kept alive meanwhile. Raises as the client does."""
    began = renewed = time.monotonic()
    rows: list[ListedCommand] = []
    offset = timedelta()
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
    if _pending(account).exists() or _watched(account, row, now).exists():
        return now + settings.SYNC_INTERVAL
    return (row.complete_at or now) + settings.LISTING_INTERVAL_IDLE
