"""Which listing of an account is due, and the reading of it.

A *quick* listing ends once every open id was seen; a *complete* one goes to the end, and only it imports and counts for
"not listed". A complete one that is interrupted (the calls are used up, or Cloudflare does not give a page) goes on
where it stopped, with quick ones in between; what was read until then counts already. One that gets no page there
begins anew. Owns neither what the rows mean (`matching.py`) nor what becomes of them (`sync.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Min, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest

from commands.actions.record import leases
from commands.actions.upstream import clients
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError
from commands.models import Account, AccountSync, Command
from commands.rules.listed_command import ListedCommand
from commands.rules.states import Status

IN_DOUBT = (Status.SENDING, Status.UNCERTAIN)
PENDING = (Status.PENDING_EXEC, Status.PENDING_UPLOAD)


@dataclass(frozen=True, slots=True)
class Plan:
    """A listing that is to be made: from when, and the ids with which a quick one is content.

    One that goes on where it was interrupted has the page that comes next, when it was begun, and how far Cloudflare's
    clock was in doubt until then.
    """

    complete: bool
    since: datetime
    open_ids: frozenset[str]
    sought: bool
    page: int = 1
    begun_at: datetime | None = None
    doubt: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing that was made. `begun_at` by the database's clock, `offset` how much Cloudflare's shows more, and
    `doubt` how far that may be wrong: by as much as its answers differed lately.

    `interrupted`: what kept it from its end, after `calls` pages; None where it was reached. `whole_doubt`: the largest
    doubt of all its pages, also of those that came before it was interrupted.
    """

    complete: bool
    begun_at: datetime
    offset: timedelta
    rows: tuple[ListedCommand, ...]
    calls: int = 1
    interrupted: CloudflareError | NotNow | None = None
    doubt: timedelta = timedelta()
    whole_doubt: timedelta = timedelta()

    @property
    def knows_the_time(self) -> bool:
        """Else a command's own row might not be recognised, or be older than what was asked for: that it was not found
        means nothing."""
        return _knows_the_time(self.whole_doubt)


def _knows_the_time(doubt: timedelta) -> bool:
    """Whether Cloudflare's clock is known as well as the windows of matching forgive."""
    return doubt <= settings.ADOPT_BEFORE


def due_accounts(*, now: datetime) -> list[UUID]:
    due = leases.has_passed("sync__due_at", now) & leases.has_passed("sync__not_before", now)
    longest = F("sync__due_at").asc(nulls_first=True)  # PostgreSQL would leave the never listed ones to the last
    return list(Account.objects.active().filter(due).order_by(longest, "id").values_list("id", flat=True))


def schedule_listing_by(account_id: UUID, *, at: datetime, complete: bool = False) -> None:
    """Something new is to be watched: list the account by then, or as soon as the last listing is paid for."""
    rows = AccountSync.objects.filter(account_id=account_id)
    if complete:
        rows.update(complete_due_at=at)
    affordable = Greatest(Value(at), Coalesce("not_before", Value(at)))
    rows.filter(Q(due_at=None) | Q(due_at__gt=at)).update(due_at=affordable)


def plan_listing(account: Account, row: AccountSync, *, now: datetime) -> Plan | None:
    """The listing that is due, or None: nothing is open, and the last complete one is recent."""
    sought, pending = _watched(account, now), _pending(account)
    has_open = sought.exists() or pending.exists()
    rest = _rest_of_pass(row)
    if rest and not (row.pass_rests and has_open):
        return rest
    last = _last_complete(row, now)
    if not row.pass_page and _complete_is_due(row, last, now, has_open=has_open):
        whole = last - settings.LISTING_OVERLAP + _behind(row) if last else now - settings.ARTIFACT_RETENTION
        since = _since(row, _watched(account, now, last=last), pending)
        return Plan(True, min(whole, since or whole), frozenset(), sought=True)
    since = _since(row, sought, pending)
    if since is None:
        return rest  # what is open has no time, so no quick listing knows how far to look back
    known = (sought.exclude(remote_id="") | pending).values_list("remote_id", flat=True)
    return Plan(False, since, frozenset(known), sought=sought.filter(remote_id="").exists())


def _rest_of_pass(row: AccountSync) -> Plan | None:
    if not (row.pass_page and row.pass_since):
        return None
    begun_at, doubt = row.pass_begun_at, row.pass_doubt
    return Plan(True, row.pass_since, frozenset(), sought=True, page=row.pass_page, begun_at=begun_at, doubt=doubt)


def _since(row: AccountSync, sought: QuerySet[Command], pending: QuerySet[Command]) -> datetime | None:
    """When the oldest of these may have begun, by whichever of the two clocks shows, or may show, less; None: there are
    none."""
    begun = (
        commands.aggregate(at=Min(time))["at"]
        for commands in (sought, pending)
        for time in ("dispatch__claimed_at", "remote_created_at")
    )
    oldest = min((at for at in begun if at), default=None)
    return oldest - settings.ADOPT_BEFORE + _behind(row) if oldest else None


def _behind(row: AccountSync) -> timedelta:
    """By how much Cloudflare's clock shows, or may show, less than ours; never more than nothing."""
    return min((row.clock_offset or timedelta()) - row.clock_doubt, timedelta())


def _pending(account: Account) -> QuerySet[Command]:
    return Command.objects.shown().filter(account=account, status__in=PENDING)


def _watched(account: Account, now: datetime, *, last: datetime | None = None) -> QuerySet[Command]:
    """Commands that are looked for without an id, or after every deadline; those started elsewhere too.

    With the time of the `last` complete listing, those are among them that only some complete listings look for.
    """
    looked_for = Q(status_at__gt=now - settings.UNCONFIRMED_EVERY_SYNC_FOR)
    if last and _another(settings.UNCONFIRMED_HOURLY, last, now):
        looked_for |= Q(status_at__gt=now - settings.UNCONFIRMED_HOURLY_FOR)
    if last and _another(settings.UNCONFIRMED_DAILY, last, now):
        looked_for |= Q(status_at__gt=now - settings.UNCONFIRMED_DAILY_FOR)
    unconfirmed = Q(status=Status.UNCONFIRMED) & looked_for
    return Command.objects.shown().filter(Q(status__in=IN_DOUBT) | unconfirmed, account=account)


def _another(period: timedelta, last: datetime, now: datetime) -> bool:
    """Whether another hour (or day) has begun since then: the first complete listing in it looks further back."""
    return last.timestamp() // period.total_seconds() != now.timestamp() // period.total_seconds()


def _last_complete(row: AccountSync, now: datetime) -> datetime | None:
    """None for a time that a wrong clock wrote: then all of what Cloudflare keeps is listed."""
    at = row.complete_at
    return at if at and at <= now + settings.LONGEST_REST else None


def _complete_is_due(row: AccountSync, last: datetime | None, now: datetime, *, has_open: bool) -> bool:
    every = settings.LISTING_INTERVAL_OPEN if has_open else _interval_idle(row)
    if row.complete_due_at and row.complete_due_at <= now:
        return True
    return last is None or last + every <= now


def read(account: Account, row: AccountSync, plan: Plan, *, now: datetime) -> Listing:
    """All pages that the plan needs; the lease of `row` is kept alive meanwhile. Raises as the client does.

    But not after a page or more: then what was read is the listing, an interrupted one.
    """
    lease = leases.KeptAlive(row, lasting=settings.SYNC_LEASE)
    rows: list[ListedCommand] = []
    calls = 0
    interrupted: CloudflareError | NotNow | None = None
    # As they were, where no answer tells Cloudflare's time. One that jumps is believed when it stays there.
    offset, doubt = row.clock_offset, row.clock_doubt / 2
    try:
        with clients.client_for(account) as client:
            for page_rows, date in _pages(client, plan):
                rows += page_rows
                calls += 1
                lease.is_held()  # who lost it is kept from recording, not from reading
                if date:
                    told = date - leases.database_now()
                    if offset is not None:
                        doubt = max(doubt, abs(told - offset))
                    offset = told
    except (CloudflareError, NotNow) as stop:
        if not calls:
            raise
        interrupted = stop
    begun_at, offset = plan.begun_at or now, offset or timedelta()
    whole_doubt = max(plan.doubt, doubt)
    return Listing(plan.complete, begun_at, offset, tuple(rows), calls, interrupted, doubt, whole_doubt)


def _pages(client: Client, plan: Plan) -> Iterator[tuple[Sequence[ListedCommand], datetime | None]]:
    """The pages that the plan needs: all of them, or until every open id was seen."""
    missing = set(plan.open_ids)
    for page in client.iter_commands(first=plan.page, per_page=settings.PAGE_SIZE, from_=plan.since):
        yield page.rows, page.date
        missing.difference_update(row.id for row in page.rows)
        if not plan.complete and not plan.sought and not missing:
            return


def next_due(account: Account, row: AccountSync, now: datetime) -> datetime:
    if _pending(account).exists() or _watched(account, now).exists():
        return now + settings.SYNC_INTERVAL
    return (_last_complete(row, now) or now) + _interval_idle(row)


def _interval_idle(row: AccountSync) -> timedelta:
    """Nothing is open. But while Cloudflare's clock is in doubt, what others started is not imported either."""
    return settings.LISTING_INTERVAL_IDLE if _knows_the_time(row.clock_doubt) else settings.LISTING_INTERVAL_OPEN
