"""The devices and the quota of an account, as Cloudflare lists them.

Owns the Device rows and the quota's columns. A device that is no longer listed keeps its row for 90 days: it is
"not seen since".
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from commands.actions import budget, quota, upstream
from commands.actions.budget import NotNow
from commands.actions.heard import MAX_EMAIL, has_room_for
from commands.actions.upstream import NoCredential
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError
from commands.cloudflare.types import ListedDevice, Page
from commands.models import Account, AccountSync, Device, Pause

_TOLD = ("email", "name", "platform", "client_version", "connection", "eligible", "ineligible_reason", "seen_at")


def due_accounts(*, now: datetime) -> list[UUID]:
    due = Q(sync__directory_due_at=None) | Q(sync__directory_due_at__lte=now)
    return list(Account.objects.in_force().filter(due).order_by("id").values_list("id", flat=True))


def refresh(account: Account, *, now: datetime) -> int:
    """The next step through the devices, and the quota; returns how many devices were listed. One worker at a time.

    An account that was never listed is listed whole; from then on one page a step, so that a pass is spread.
    """
    due = Q(directory_due_at=None) | Q(directory_due_at__lte=now)
    syncs = AccountSync.objects.filter(account=account)
    if not syncs.filter(due).update(directory_due_at=now + settings.DIRECTORY_LEASE):
        return 0
    sync = syncs.get()
    try:
        with upstream.client_for(account) as client:
            quota.read(account, client)
            pages = _next_pages(client, sync.directory_page)
    except (CloudflareError, NoCredential, NotNow) as failure:
        until = _rest(account, failure, now=now)
        syncs.update(directory_due_at=until)
        return 0
    listed = [device for page in pages for device in page.rows]
    keep(account, listed, now=now)
    Device.objects.filter(account=account, listed_at__lt=now - settings.DEVICE_FORGOTTEN_AFTER).delete()
    at_end = pages[-1].short
    known = pages[-1].number if at_end else max(sync.directory_pages, pages[-1].number)
    step = min(settings.DIRECTORY_STEP_MAX, settings.DIRECTORY_PASS / known)
    syncs.update(
        directory_at=now,
        directory_due_at=now + step,
        directory_page=1 if at_end else pages[-1].number + 1,
        directory_pages=known,
    )
    budget.works(account, Pause.Act.DIRECTORY)
    return len(listed)


def _next_pages(client: Client, page: int) -> list[Page[ListedDevice]]:
    if page:
        return [client.list_devices(page, settings.PAGE_SIZE)]
    return list(client.iter_devices(per_page=settings.PAGE_SIZE))


def _rest(account: Account, failure: CloudflareError | NoCredential | NotNow, *, now: datetime) -> datetime:
    if isinstance(failure, NotNow):
        return failure.until
    return upstream.rest_after(account, Pause.Act.DIRECTORY, failure, now=now) or now + settings.PAUSE_MAX


def keep(account: Account, listed: Iterable[ListedDevice], *, now: datetime) -> None:
    """Write what was listed; of several rows with one registration the one seen last counts."""
    newest: dict[tuple[str, str], ListedDevice] = {}
    for device in sorted(listed, key=lambda one: (one.seen_at is not None, one.seen_at)):
        if device.device_id and has_room_for(device.device_id, device.registration_id):
            newest[device.device_id, device.registration_id] = device
    Device.objects.bulk_create(
        [_row(account, device, now) for device in newest.values()],
        update_conflicts=True,
        unique_fields=["account", "device_id", "registration_id"],
        update_fields=[*_TOLD, "listed_at"],
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
