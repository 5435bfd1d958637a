"""The quota of an account's day: read from Cloudflare, and what is left of it by our own count.

Owns the quota's columns of AccountSync. `quota_total` is the whole day's, whichever of the two Cloudflare tells.
"""

from datetime import datetime

import structlog
from django.conf import settings

from commands import clock
from commands.actions.upstream import clients
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError, Throttled
from commands.cloudflare.types import QuotaReading
from commands.models import Account, AccountSync, Command, Pause

log = structlog.get_logger(__name__)

MAX_FIGURE = 2**31 - 1  # what the columns hold


def left(sync: AccountSync, db_now: datetime) -> int | None:
    """Commands that Cloudflare still takes today; None where that is not known."""
    if sync.quota_read_at is None:
        return None
    claimed = Command.objects.filter(dispatch__account_id=sync.account_id).claimed_since(sync.quota_read_at).count()
    return left_after(sync, claimed, db_now)


def left_after(sync: AccountSync, claimed: int, db_now: datetime) -> int | None:
    """As `left`, where it is known how many were claimed since the reading."""
    if sync.quota_total is None or sync.quota_read_at is None or _is_of_yesterday(sync, db_now):
        return None
    return max(0, sync.quota_total - (sync.quota_used or 0) - claimed)


def used(sync: AccountSync, claimed: int, db_now: datetime) -> int | None:
    """Commands of the quota's day, as Cloudflare told and as we claimed since; None where that is not known."""
    return None if sync.quota_used is None or _is_of_yesterday(sync, db_now) else sync.quota_used + claimed


def _is_of_yesterday(sync: AccountSync, db_now: datetime) -> bool:
    return sync.quota_reset_at is not None and sync.quota_reset_at <= db_now


def renew(account: Account, *, now: datetime) -> None:
    """Before the first send of a new quota day: the old day's figures are read again, or else forgotten."""
    db_now = clock.database_now()
    stale = AccountSync.objects.filter(account=account, quota_reset_at__lte=db_now)
    if not stale.update(quota_total=None, quota_used=None, quota_reset_at=None):
        return
    try:
        with clients.client_for(account) as client:
            try_to_read(account, client, now=now)
    except NoCredential as failure:
        clients.pause_after_error(account, Pause.Act.DIRECTORY, failure, now=now)


def is_old(account: Account, *, now: datetime) -> bool:
    """Whether a step through the devices reads it too: not every one, or scarce calls would all go to the quota."""
    read_at = AccountSync.objects.values_list("quota_read_at", flat=True).get(account=account)
    return read_at is None or not now - settings.DIRECTORY_STEP_MAX / 2 < read_at <= now + settings.LONGEST_REST


def try_to_read(account: Account, client: Client, *, now: datetime) -> None:
    """A quota that cannot be read stops nothing else, and is tried again with the next step through the devices. But a
    credential that is throttled rests, whatever it was used for."""
    try:
        read(account, client)
    except NotNow:
        pass
    except Throttled as failure:
        clients.pause_after_error(account, Pause.Act.DIRECTORY, failure, now=now)
    except CloudflareError as failure:
        log.warning("quota_not_read", account=str(account.id), words=failure.message)


def read(account: Account, client: Client) -> None:
    """The time of the reading is the database's, as that of the claims which are counted since."""
    began = clock.database_now()
    keep(account, client.quota(), began=began)


def keep(account: Account, told: QuotaReading, *, began: datetime) -> None:
    syncs = AccountSync.objects.filter(account=account)
    is_left = _is_left(syncs.get(), told)
    total = told.total + (told.used or 0) if is_left and told.total is not None else told.total
    syncs.update(
        quota_total=_fitting(total),
        quota_used=_fitting(told.used),
        quota_reset_at=told.reset_at,
        quota_read_at=began,
        quota_is_left=is_left,
    )


def _is_left(before: AccountSync, told: QuotaReading) -> bool:
    """Whether `quota` is what is left, as the older text has it: only the figures show it.

    More was used than there is; or, since the last reading, it fell by just as much as the usage rose. It is the total
    where the usage rose and it did not fall. Everything else shows nothing, and what was found before holds.
    """
    if told.total is None or told.used is None:
        return before.quota_is_left
    if told.used > told.total:
        return True
    if before.quota_total is None or before.quota_used is None or told.used <= before.quota_used:
        return before.quota_is_left
    figure = before.quota_total - before.quota_used if before.quota_is_left else before.quota_total
    if told.total >= figure:
        return False
    return before.quota_is_left or told.total + told.used == figure + before.quota_used


def _fitting(figure: int | None) -> int | None:
    return None if figure is None else min(figure, MAX_FIGURE)
