"""Directory of an account's devices, listed page by page from Cloudflare, and with it the quota.

The only writer of Device rows and of AccountDirectory. A device that is no longer listed keeps its row for 90 days.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from commands import clock
from commands.actions.record import leases
from commands.actions.record.remote_updates import MAX_EMAIL, has_room_for
from commands.actions.upstream import clients, pauses, quota
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError, TooManyPages
from commands.cloudflare.types import ListedDevice, Page
from commands.models import Account, AccountDirectory, AccountSync, Device, Pause

log = structlog.get_logger(__name__)

_REMOTE_FIELDS = (
    "email",
    "name",
    "platform",
    "client_version",
    "connection",
    "eligible",
    "ineligible_reason",
    "seen_at",
)


def due_accounts(*, now: datetime) -> list[UUID]:
    due = clock.has_passed("directory__due_at", now)
    return list(Account.objects.active().filter(due).order_by("id").values_list("id", flat=True))


def refresh(account: Account, *, now: datetime) -> int:
    """List the next devices and read the quota, one worker at a time. Returns how many devices were listed.

    An account that was never listed is listed as a whole. Each page is stored at once, so that an interruption loses
    nothing. After that a step is one page, which spreads a pass over time. The quota is read after the page, because
    devices matter more to a helpdesk.
    """
    due = AccountDirectory.objects.filter(clock.has_passed("due_at", now), account=account)
    row = leases.take(due, lasting=settings.DIRECTORY_LEASE)
    if row is None:
        return 0
    listed = 0
    try:
        with clients.client_for(account) as client:
            reads_quota = quota.is_old(account, now=now)
            for page in _next_pages(client, row):
                if not _store_page(account, row, page, now=now):
                    log.warning("directory_lost", account=str(account.id))
                    return listed
                listed += len(page.rows)
                if reads_quota:
                    quota.try_to_read(account, client, now=now)
                    reads_quota = False
    except NotNow as wait:
        _hand_back(row, due_at=wait.until if not row.pages else max(wait.until, now + _step(row)))
        return listed
    except (CloudflareError, NoCredential) as failure:
        if isinstance(failure, TooManyPages):
            row.page = 1
        until = pauses.pause_after_error(account, Pause.Operation.DIRECTORY, failure, now=now)
        _hand_back(row, due_at=until or now + settings.PAUSE_MAX)
        return listed
    Device.objects.filter(account=account, listed_at__lt=now - settings.DEVICE_FORGOTTEN_AFTER).delete()
    _finish(account, row, now)
    return listed


def _next_pages(client: Client, row: AccountDirectory) -> Iterator[Page[ListedDevice]]:
    pages = client.iter_devices(first=row.page, per_page=settings.PAGE_SIZE)
    return islice(pages, 1) if row.pages else pages


def _store_page(account: Account, row: AccountDirectory, page: Page[ListedDevice], *, now: datetime) -> bool:
    """Store a page and the number of the next one in one transaction. False if the lease was lost."""
    with transaction.atomic():
        if not leases.renew(row, lasting=settings.DIRECTORY_LEASE):
            return False
        store(account, page.rows, now=now)
        if page.short:
            row.page, row.pages = 1, page.number
        else:
            row.page, row.pages = page.number + 1, row.pages and max(row.pages, page.number)
        AccountDirectory.objects.filter(leases.is_holder(row)).update(page=row.page, pages=row.pages)
    return True


def _finish(account: Account, row: AccountDirectory, now: datetime) -> None:
    if not row.pages:  # the first pass ended without a short page
        row.page, row.pages = 1, row.page
    AccountSync.objects.filter(account=account).update(directory_at=now)
    _hand_back(row, due_at=now + _step(row))
    pauses.clear_pause(account, Pause.Operation.DIRECTORY)


def _step(row: AccountDirectory) -> timedelta:
    return min(settings.DIRECTORY_STEP_MAX, settings.DIRECTORY_PASS / max(1, row.pages))


def _hand_back(row: AccountDirectory, *, due_at: datetime) -> None:
    values = {"due_at": due_at, "page": row.page, "pages": row.pages, **leases.released()}
    AccountDirectory.objects.filter(leases.is_holder(row)).update(**values)


def store(account: Account, listed: Iterable[ListedDevice], *, now: datetime) -> None:
    """Store listed devices. Of several rows with one registration the one that was seen last counts."""
    newest: dict[tuple[str, str], ListedDevice] = {}
    for device in sorted(listed, key=lambda device: (device.seen_at is not None, device.seen_at)):
        if device.device_id and has_room_for(device.device_id, device.registration_id):
            newest[device.device_id, device.registration_id] = device
    Device.objects.bulk_create(
        [_row(account, device, now) for device in newest.values()],
        update_conflicts=True,
        unique_fields=["account", "device_id", "registration_id"],
        update_fields=[*_REMOTE_FIELDS, "listed_at"],
        batch_size=500,
    )


def _row(account: Account, device: ListedDevice, now: datetime) -> Device:
    return Device(
        account=account,
        device_id=device.device_id,
        registration_id=device.registration_id,
        email=device.user_email if len(device.user_email) <= MAX_EMAIL else "",
        name=device.name[:255],
        platform=device.platform[:32],
        client_version=device.version[:64],
        connection=device.status[:32],
        eligible=device.eligible,
        ineligible_reason=device.ineligible_reason[:300],
        seen_at=device.seen_at,
        listed_at=now,
    )
