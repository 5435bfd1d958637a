"""Rate limit of a credential: how many calls to Cloudflare may still be made, and its pause after a 429.

Cloudflare allows 1200 calls in 5 minutes for a credential. We keep a reserve for people. The rest is a token bucket
that holds half of it and refills at the rate of the other half, so that no 5 minutes ever see more than the whole.
Listings have a second bucket of half the size, so that a POST always finds room. Files and devices leave a quarter of
the bucket to POSTs and listings.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction

from commands import clock
from commands.cloudflare.types import Call
from commands.models import Account, CallBudget
from commands.rules.call_budget import Bucket
from commands.rules.pauses import PauseReason

log = structlog.get_logger(__name__)

OTHER_CALLS_FLOOR = 0.25  # files and devices leave this part of the bucket to POSTs and listings


class NotNow(Exception):
    """Call that must wait until `until`. Nothing was sent."""

    def __init__(self, until: datetime, reason_code: PauseReason, remote_message: str = "") -> None:
        super().__init__(reason_code)
        self.until = until
        self.reason_code = reason_code
        self.remote_message = remote_message


def spend(credential_id: int, call: Call) -> None:
    """Take one call from the credential's budget, before every HTTP request.

    Raises:
        NotNow: the budget is used up for the moment, or the credential is paused.
    """
    with transaction.atomic():
        row = CallBudget.objects.select_for_update().get(credential_id=credential_id)
        now = clock.database_now()
        if row.paused_until and clock.is_ahead(row.paused_until, now):
            raise NotNow(row.paused_until, PauseReason.RATE_LIMITED, row.pause_remote_message)
        all_calls, listings = CallBudget.bucket(), CallBudget.list_bucket()
        left = all_calls.refilled(row.calls_left, row.counted_at, now)
        list_left = listings.refilled(row.list_calls_left, row.counted_at, now)
        wait = _wait(call, all_calls, left, listings, list_left)
        # Also store the time if the clock was set back. Otherwise no call would come back until the old time.
        if not wait or (row.counted_at and row.counted_at > now):
            taken = 0 if wait else 1
            CallBudget.objects.filter(pk=row.pk).update(
                calls_left=left - taken,
                list_calls_left=list_left - (taken if call is Call.LIST else 0),
                counted_at=now,
            )
    if wait:
        raise NotNow(now + wait, PauseReason.CALLS_USED_UP)


def _wait(call: Call, all_calls: Bucket, left: float, listings: Bucket, list_left: float) -> timedelta:
    if call is Call.LIST:
        return max(all_calls.wait_for(left, 1), listings.wait_for(list_left, 1))
    if call is Call.CREATE:
        return all_calls.wait_for(left, 1)
    return all_calls.wait_for(left, 1 + all_calls.size * OTHER_CALLS_FLOOR)


def share_of_listings(account: Account, calls: int) -> timedelta:
    """Return the time in which the account may list with `calls` calls, if all accounts of the credential do so."""
    sharers = Account.objects.active().filter(credential=account.credential_id).count()
    return CallBudget.list_bucket().wait_for(0, calls * max(1, sharers))


def pause_credential(credential_id: int, *, retry_after: float | None, remote_message: str = "") -> datetime:
    """Pause all calls of the credential after a 429, and return the end of the pause.

    The pause is as long as Cloudflare asks for, but at least as long as the rate limiting has already lasted. With a
    `Retry-After` of 0 alone, one call after the other would go out at once.
    """
    wanted = settings.THROTTLE_PAUSE if retry_after is None else timedelta(seconds=retry_after)
    with transaction.atomic():
        row = CallBudget.objects.select_for_update().get(credential_id=credential_id)
        now = clock.database_now()
        continues = row.paused_since is not None and not is_long_over(row.paused_until, now)
        since = row.paused_since if continues and row.paused_since else now
        lasted = min(now, row.paused_until or now) - since
        length = min(max(wanted, lasted, settings.PAUSE_BASE), settings.THROTTLE_MAX)
        before = row.paused_until if row.paused_until and clock.is_ahead(row.paused_until, now) else now
        until = max(now + length, before)
        CallBudget.objects.filter(pk=row.pk).update(
            paused_until=until,
            paused_since=since,
            pause_reason_code=PauseReason.RATE_LIMITED,
            pause_remote_message=remote_message[:300],
        )
    if not continues:
        log.warning("throttle_begins", credential=credential_id, until=until.isoformat(), message=remote_message)
    return until


def end_credential_pause(account: Account) -> None:
    """Forget a pause after a 429 once it is over, because a call of the account's credential succeeded."""
    paused = CallBudget.objects.filter(credential__account=account, paused_since__isnull=False)
    if paused.exists() and paused.filter(paused_until__lte=clock.database_now()).update(paused_since=None):
        log.info("throttle_ends", credential=account.credential_id)


def is_long_over(until: datetime | None, now: datetime) -> bool:
    """Return whether a pause ended so long ago, without a call since, that a failure now starts another one."""
    return until is None or until < now - settings.PAUSE_MAX


def paused_credentials(credential_ids: Iterable[int], *, now: datetime) -> set[int]:
    """Return those of the credentials that may make no call now."""
    rows = CallBudget.objects.filter(credential_id__in=credential_ids).exclude(clock.has_passed("paused_until", now))
    return set(rows.values_list("credential_id", flat=True))
