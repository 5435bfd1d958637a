"""One listing of an account, from its lease to the time of the next one.

One worker lists an account at a time, by lease. The module decides neither which listing is due (`schedule.py`) nor
what the rows mean (`apply.py`).
"""

from datetime import datetime

import structlog
from django.conf import settings
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce, Greatest, Least

from commands.actions.listing import reader, schedule
from commands.actions.listing.apply import apply
from commands.actions.listing.reader import ListingResult
from commands.actions.listing.schedule import ListingRequest
from commands.actions.record import leases
from commands.actions.upstream import pauses, rate_limit
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.clock import has_passed
from commands.cloudflare.errors import CloudflareError, Throttled
from commands.models import Account, AccountSync, Pause
from commands.rules.pauses import PauseCause, PauseReason

log = structlog.get_logger(__name__)


def sync(account: Account, *, now: datetime) -> bool:
    """List the account if that is due, and record the result. Return False if nothing was listed or recorded."""
    due = AccountSync.objects.filter(has_passed("due_at", now), account=account)
    row = leases.take(due, lasting=settings.SYNC_LEASE, values={"due_at": None})
    if row is None:
        return False
    try:
        return _list(account, row, now=now)
    except leases.DATABASE_DOWN:
        raise  # nothing can be written now, and the lease ends by itself
    except Exception:
        log.exception("sync_broke", account=str(account.id))
        cause = PauseCause(PauseReason.LISTING_NOT_APPLIED)
        _hand_back(row, due_at=pauses.pause_operation(account, Pause.Operation.LIST, cause, now=now))
        return False


def _list(account: Account, row: AccountSync, *, now: datetime) -> bool:
    pause = pauses.active_pause(account, Pause.Operation.LIST, now=now)
    if pause:
        _hand_back(row, due_at=pause.until)
        return False
    request = schedule.plan_listing(account, row, now=now)
    if request is None:
        _hand_back(row, due_at=schedule.next_due(account, row, now))
        return False
    try:
        result = reader.read(account, row, request, now=now)
    except (CloudflareError, NoCredential, NotNow) as failure:
        page = row.pass_page if isinstance(failure, NotNow | Throttled) else 0
        _hand_back(row, due_at=_resume_at(account, failure, now), pass_page=page)
        log.warning("sync_failed", account=str(account.id), error=str(failure))
        return False
    if not apply(account, row, result, now=now):
        _hand_back(row, due_at=now)
        return False
    if result.interrupted:
        _suspend(account, row, request, result, now)
    else:
        _finish(account, row, result, now)
        pauses.clear_pause(account, Pause.Operation.LIST)
    return True


def _resume_at(account: Account, failure: CloudflareError | NoCredential | NotNow, now: datetime) -> datetime:
    """Pause listings as the failure calls for, and return when to list again."""
    if isinstance(failure, NotNow):
        return failure.until
    return pauses.pause_after_error(account, Pause.Operation.LIST, failure, now=now) or now + settings.PAUSE_MAX


def _finish(account: Account, row: AccountSync, result: ListingResult, now: datetime) -> None:
    # A listing that was interrupted began before the quick ones in between, and these tell how fresh the record is.
    is_older = row.listed_at is not None and result.begun_at < row.listed_at <= now
    values: dict[str, object] = {"listed_at": row.listed_at if is_older else result.begun_at, "pass_rests": False}
    values |= _clock_columns(result)
    row.clock_doubt = result.clock_doubt
    if result.complete:
        requested_since = When(complete_due_at__gte=result.begun_at, then=F("complete_due_at"))
        values |= {"complete_at": result.begun_at, "pass_page": 0}
        values |= {"complete_due_at": Case(requested_since, default=None)}
        row.complete_at = result.begun_at
    affordable_at = _affordable_at(account, result, now)
    _hand_back(row, due_at=schedule.next_due(account, row, now), not_before=affordable_at, **values)


def _suspend(account: Account, row: AccountSync, request: ListingRequest, result: ListingResult, now: datetime) -> None:
    """Remember where an interrupted listing stopped. A complete one goes on there, after a quick one if any is due."""
    assert result.interrupted is not None
    values: dict[str, object] = {**_clock_columns(result), "pass_rests": result.complete}
    if result.complete:
        values |= {"pass_page": request.page + result.calls, "pass_since": request.since}
        values |= {"pass_begun_at": result.begun_at, "pass_doubt": result.whole_clock_doubt}
    due_at = _resume_at(account, result.interrupted, now)
    log.info("sync_interrupted", account=str(account.id), calls=result.calls, complete=result.complete)
    _hand_back(row, due_at=due_at, not_before=_affordable_at(account, result, now), **values)


def _clock_columns(result: ListingResult) -> dict[str, object]:
    return {"clock_offset": result.offset, "clock_doubt": result.clock_doubt}


def _affordable_at(account: Account, result: ListingResult, now: datetime) -> datetime:
    """Return when the calls of this listing have come back, so that no account lists at the cost of others."""
    return now + min(rate_limit.share_of_listings(account, result.calls), settings.LISTING_INTERVAL_IDLE)


def _hand_back(row: AccountSync, *, due_at: datetime, not_before: datetime | None = None, **values: object) -> None:
    """End the lease. The next listing is due at `due_at` or when requested since, but not before `not_before`."""
    earliest = Least(Coalesce("due_at", Value(due_at)), Value(due_at))
    due = Greatest(earliest, Value(not_before)) if not_before else earliest
    AccountSync.objects.filter(leases.is_holder(row)).update(
        due_at=due, **leases.released(not_before=not_before), **values
    )
