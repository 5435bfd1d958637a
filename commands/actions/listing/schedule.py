"""Times at which accounts are listed, and the listing that is due then.

A *quick* listing ends once every open id was seen. A *complete* one goes to the last page, and only it imports and
counts for "not listed". A complete listing that is interrupted, because the calls are used up or Cloudflare does not
return a page, goes on where it stopped, with quick ones in between. What was read until then counts already. If it gets
no page when it goes on, it begins anew.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Min, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest

from commands.clock import has_passed
from commands.models import Account, AccountSync, Command
from commands.rules.states import Status

IN_DOUBT = (Status.SENDING, Status.UNCERTAIN)
PENDING = (Status.PENDING_EXEC, Status.PENDING_UPLOAD)


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """Listing that is due: from which time on, and the ids after which a quick one ends.

    A listing that goes on after an interruption also has the next page, the time when it began, and how far
    Cloudflare's clock was in doubt until then.
    """

    complete: bool
    since: datetime
    open_ids: frozenset[str]
    sought: bool
    page: int = 1
    begun_at: datetime | None = None
    clock_doubt: timedelta = timedelta()


def is_clock_known(clock_doubt: timedelta) -> bool:
    """Return whether Cloudflare's clock is known as well as the windows of matching forgive."""
    return clock_doubt <= settings.ADOPT_BEFORE


def due_accounts(*, now: datetime) -> list[UUID]:
    """Return the active accounts to list now, the one that has waited longest first."""
    due = has_passed("sync__due_at", now) & has_passed("sync__not_before", now)
    longest = F("sync__due_at").asc(nulls_first=True)  # PostgreSQL would put the never listed ones last
    return list(Account.objects.active().filter(due).order_by(longest, "id").values_list("id", flat=True))


def schedule_listing_by(account_id: UUID, *, at: datetime, complete: bool = False) -> None:
    """List the account by then, or as soon as the calls of its last listing have come back."""
    rows = AccountSync.objects.filter(account_id=account_id)
    if complete:
        rows.update(complete_due_at=at)
    affordable = Greatest(Value(at), Coalesce("not_before", Value(at)))
    rows.filter(Q(due_at=None) | Q(due_at__gt=at)).update(due_at=affordable)


def plan_listing(account: Account, row: AccountSync, *, now: datetime) -> ListingRequest | None:
    """Return the listing that is due, or None where nothing is open and the last complete listing is recent."""
    sought, pending = _watched(account, now), _pending(account)
    has_open = sought.exists() or pending.exists()
    interrupted = _interrupted_listing(row)
    if interrupted and not (row.pass_rests and has_open):
        return interrupted
    last = _last_complete(row, now)
    if not row.pass_page and _complete_is_due(row, last, now, has_open=has_open):
        whole = last - settings.LISTING_OVERLAP + _behind(row) if last else now - settings.ARTIFACT_RETENTION
        since = _since(row, _watched(account, now, last=last), pending)
        return ListingRequest(True, min(whole, since or whole), frozenset(), sought=True)
    since = _since(row, sought, pending)
    if since is None:
        return interrupted  # no open command has a time, so no quick listing knows how far to look back
    known = (sought.exclude(remote_id="") | pending).values_list("remote_id", flat=True)
    return ListingRequest(False, since, frozenset(known), sought=sought.filter(remote_id="").exists())


def _interrupted_listing(row: AccountSync) -> ListingRequest | None:
    if not (row.pass_page and row.pass_since):
        return None
    return ListingRequest(
        complete=True,
        since=row.pass_since,
        open_ids=frozenset(),
        sought=True,
        page=row.pass_page,
        begun_at=row.pass_begun_at,
        clock_doubt=row.pass_doubt,
    )


def _since(row: AccountSync, sought: QuerySet[Command], pending: QuerySet[Command]) -> datetime | None:
    """Return when the oldest of these commands may have begun, by ours or Cloudflare's clock, whichever shows less."""
    begun = (
        commands.aggregate(at=Min(time))["at"]
        for commands in (sought, pending)
        for time in ("dispatch__claimed_at", "remote_created_at")
    )
    oldest = min((at for at in begun if at), default=None)
    return oldest - settings.ADOPT_BEFORE + _behind(row) if oldest else None


def _behind(row: AccountSync) -> timedelta:
    """Return how far Cloudflare's clock may be behind ours, as a negative duration. Zero if it is not behind."""
    return min((row.clock_offset or timedelta()) - row.clock_doubt, timedelta())


def _pending(account: Account) -> QuerySet[Command]:
    return Command.objects.shown().filter(account=account, status__in=PENDING)


def _watched(account: Account, now: datetime, *, last: datetime | None = None) -> QuerySet[Command]:
    """Return commands that we look for without an id, or after every deadline, also those started elsewhere.

    With the time of the `last` complete listing, they include those that only some complete listings look for.
    """
    looked_for = Q(status_at__gt=now - settings.UNCONFIRMED_EVERY_SYNC_FOR)
    if last and _has_another_begun(settings.UNCONFIRMED_HOURLY, last, now):
        looked_for |= Q(status_at__gt=now - settings.UNCONFIRMED_HOURLY_FOR)
    if last and _has_another_begun(settings.UNCONFIRMED_DAILY, last, now):
        looked_for |= Q(status_at__gt=now - settings.UNCONFIRMED_DAILY_FOR)
    unconfirmed = Q(status=Status.UNCONFIRMED) & looked_for
    return Command.objects.shown().filter(Q(status__in=IN_DOUBT) | unconfirmed, account=account)


def _has_another_begun(period: timedelta, last: datetime, now: datetime) -> bool:
    """Return whether another hour (or day) has begun: the first complete listing in it looks further back."""
    return last.timestamp() // period.total_seconds() != now.timestamp() // period.total_seconds()


def _last_complete(row: AccountSync, now: datetime) -> datetime | None:
    """Return when the last complete listing began, or None for a time that a wrong clock wrote."""
    at = row.complete_at
    return at if at and at <= now + settings.LONGEST_WAIT else None


def _complete_is_due(row: AccountSync, last: datetime | None, now: datetime, *, has_open: bool) -> bool:
    every = settings.LISTING_INTERVAL_OPEN if has_open else _idle_interval(row)
    if row.complete_due_at and row.complete_due_at <= now:
        return True
    return last is None or last + every <= now


def next_due(account: Account, row: AccountSync, now: datetime) -> datetime:
    """Return when the account is to be listed again."""
    if _pending(account).exists() or _watched(account, now).exists():
        return now + settings.SYNC_INTERVAL
    return (_last_complete(row, now) or now) + _idle_interval(row)


def _idle_interval(row: AccountSync) -> timedelta:
    """Return the interval of complete listings while nothing is open."""
    # While Cloudflare's clock is in doubt, commands that were started elsewhere are not imported either.
    return settings.LISTING_INTERVAL_IDLE if is_clock_known(row.clock_doubt) else settings.LISTING_INTERVAL_OPEN
