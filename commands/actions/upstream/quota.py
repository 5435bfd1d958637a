"""Daily quota of an account: read from Cloudflare, and counted down with the commands that we send.

The only writer of the quota's columns of AccountSync. `quota_total` is the quota of the whole day, although
Cloudflare's figure may mean what is left.
"""

from datetime import datetime

import structlog
from django.conf import settings

from commands import clock
from commands.actions.upstream import clients, pauses
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError, Throttled
from commands.cloudflare.types import QuotaReading
from commands.models import Account, AccountSync, Command
from commands.rules.pauses import Operation

log = structlog.get_logger(__name__)

MAX_FIGURE = 2**31 - 1  # what the columns hold


def left(sync: AccountSync, db_now: datetime) -> int | None:
    """Return how many commands Cloudflare still accepts today, None if that is unknown."""
    if sync.quota_read_at is None:
        return None
    claimed = Command.objects.filter(dispatch__account_id=sync.account_id).claimed_since(sync.quota_read_at).count()
    return sync.quota.left(claimed, db_now)


def refresh_after_reset(account: Account, *, now: datetime) -> None:
    """Read the quota again before the first send of a new quota day. If that fails, forget the old day's figures."""
    db_now = clock.database_now()
    stale = AccountSync.objects.filter(account=account, quota_reset_at__lte=db_now)
    if not stale.update(quota_total=None, quota_used=None, quota_reset_at=None):
        return
    try:
        with clients.client_for(account) as client:
            try_to_read(account, client, now=now)
    except NoCredential as failure:
        pauses.pause_after_error(account, Operation.DIRECTORY, failure, now=now)


def is_old(account: Account, *, now: datetime) -> bool:
    """Return True if a step through the devices reads the quota too. Reading it with each would use up scarce calls."""
    read_at = AccountSync.objects.values_list("quota_read_at", flat=True).get(account=account)
    return read_at is None or not now - settings.DIRECTORY_STEP_MAX / 2 < read_at <= now + settings.LONGEST_WAIT


def try_to_read(account: Account, client: Client, *, now: datetime) -> None:
    """Read the quota if Cloudflare lets us. A failure stops nothing: the next step through the devices tries again.

    Only a 429 has an effect, because it pauses the credential.
    """
    try:
        read(account, client)
    except NotNow:
        pass
    except Throttled as failure:
        pauses.pause_after_error(account, Operation.DIRECTORY, failure, now=now)
    except CloudflareError as failure:
        log.warning("quota_not_read", account=str(account.id), error=str(failure))


def read(account: Account, client: Client) -> None:
    """Read the quota and store it, with the database's time, by which claims since then are counted too."""
    began = clock.database_now()
    store(account, client.quota(), began=began)


def store(account: Account, quota: QuotaReading, *, began: datetime) -> None:
    syncs = AccountSync.objects.filter(account=account)
    is_left = _is_left(syncs.get(), quota)
    total = quota.total + (quota.used or 0) if is_left and quota.total is not None else quota.total
    syncs.update(
        quota_total=_fitting(total),
        quota_used=_fitting(quota.used),
        quota_reset_at=quota.reset_at,
        quota_read_at=began,
        quota_is_left=is_left,
    )


def _is_left(before: AccountSync, quota: QuotaReading) -> bool:
    """Return True if Cloudflare's figure means what is left, as its older documentation says. Only the figures show it.

    It does if more was used than the figure, or if the figure fell by just as much as the usage rose since the last
    reading. It is the total if the usage rose and the figure did not fall. Otherwise the earlier answer holds.
    """
    if quota.total is None or quota.used is None:
        return before.quota_is_left
    if quota.used > quota.total:
        return True
    if before.quota_total is None or before.quota_used is None or quota.used <= before.quota_used:
        return before.quota_is_left
    figure = before.quota_total - before.quota_used if before.quota_is_left else before.quota_total
    if quota.total >= figure:
        return False
    return before.quota_is_left or quota.total + quota.used == figure + before.quota_used


def _fitting(figure: int | None) -> int | None:
    return None if figure is None else min(figure, MAX_FIGURE)
