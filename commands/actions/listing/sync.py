"""Cloudflare's list of commands held against our record: what moves, what is adopted, what is imported.

Owns the carrying out of what `matching.py` decides. One worker lists an account at a time, by lease.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import batched
from typing import NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Greatest, Least

from commands import audit
from commands.actions.listing import possible_matches, schedule
from commands.actions.listing.schedule import Listing, Plan
from commands.actions.record import leases
from commands.actions.record.case_by_pk import CaseByPk
from commands.actions.record.remote_updates import (
    MAX_EMAIL,
    apply_remote_updates,
    cut_remote_status,
    deadline,
    has_room_for,
    merge_imports,
)
from commands.actions.record.transitions import BATCH, StatusWriter, Transition, change_statuses
from commands.actions.upstream import clients, rate_limit
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.audit import CLOUDFLARE, Subject
from commands.cloudflare.errors import CloudflareError, Throttled
from commands.models import Account, AccountSync, Command, Device, Dispatch, Event, Pause
from commands.rules import matching
from commands.rules.events import EventType
from commands.rules.ids import new_id
from commands.rules.kinds import Kind
from commands.rules.listed_command import ListedCommand
from commands.rules.matching import (
    Adopt,
    Advance,
    Ambiguous,
    CastDoubt,
    Clock,
    Decision,
    Import,
    Note,
    Ours,
    RemoteUpdate,
    Sent,
    TakeOver,
)
from commands.rules.states import IN_FLIGHT, Status

log = structlog.get_logger(__name__)


class _Told(NamedTuple):
    """What matching is told of a command: a thousand of these cost less than half of as many models."""

    id: UUID
    status: str
    kind: str
    device_id: str
    registration_id: str
    email: str
    remote_id: str
    started_elsewhere: bool
    claimed_at: datetime | None
    lease_until: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, commands: QuerySet[Command]) -> "dict[UUID, _Told]":
        names = [name if name not in cls._fields[8:] else f"dispatch__{name}" for name in cls._fields]
        return {row[0]: cls(*row) for row in commands.values_list(*names)}

    @property
    def sent(self) -> Sent | None:
        if self.claimed_at is None or self.lease_until is None:
            return None
        return Sent(self.claimed_at, self.lease_until, self.ended_at)


def sync(account: Account, *, now: datetime) -> bool:
    """List the account if that is due, and record what it says; False if it was not due or could not be read."""
    due = AccountSync.objects.filter(leases.has_passed("due_at", now), account=account)
    row = leases.take(due, lasting=settings.SYNC_LEASE, values={"due_at": None})
    if row is None:
        return False
    try:
        return _list(account, row, now=now)
    except leases.DATABASE_DOWN:
        raise  # the database is away: nothing can be written now, and the lease ends by itself
    except Exception as problem:
        log.exception("sync_broke", account=str(account.id))
        words = f"What Cloudflare listed could not be worked through ({type(problem).__name__}); the log tells more."
        _hand_back(row, due_at=rate_limit.pause(account, Pause.Act.LIST, words=words, refused=False, now=now))
        return False


def _list(account: Account, row: AccountSync, *, now: datetime) -> bool:
    resting = rate_limit.active_pause(account, Pause.Act.LIST, now=now)
    if resting:
        _hand_back(row, due_at=resting.until)
        return False
    plan = schedule.plan_listing(account, row, now=now)
    if plan is None:
        _hand_back(row, due_at=schedule.next_due(account, row, now))
        return False
    try:
        listing = schedule.read(account, row, plan, now=now)
    except (CloudflareError, NoCredential, NotNow) as failure:
        page = row.pass_page if isinstance(failure, NotNow | Throttled) else 0
        _hand_back(row, due_at=_rest_after(account, failure, now), pass_page=page)
        log.warning("sync_failed", account=str(account.id), words=failure.message)
        return False
    if not apply(account, row, listing, now=now):
        _hand_back(row, due_at=now)
        return False
    if listing.interrupted:
        _pause(account, row, plan, listing, now)
    else:
        _finish(account, row, listing, now)
        rate_limit.clear_pause(account, Pause.Act.LIST)
    return True


def _rest_after(account: Account, failure: CloudflareError | NoCredential | NotNow, now: datetime) -> datetime:
    if isinstance(failure, NotNow):
        return failure.until
    return clients.pause_after_error(account, Pause.Act.LIST, failure, now=now) or now + settings.PAUSE_MAX


# --- Recording ---


def apply(account: Account, row: AccountSync, listing: Listing, *, now: datetime) -> bool:
    """Carry out what matching decides on the rows; what changed meanwhile is left to the next listing.

    False if nothing was recorded: the lease of `row` was lost, or another took one of the ids in the same moment.
    """
    rows = _storable_rows(listing)
    decisions = _decide(account, listing, rows)
    try:
        with change_statuses(by=CLOUDFLARE, now=now) as changes:
            if not AccountSync.objects.select_for_update().filter(leases.is_holder(row)).exists():
                log.warning("sync_lost", account=str(account.id))
                return False
            _carry_out(changes, account, decisions)
            if listing.complete:
                _carry_out_what_is_left(changes, account, listing, rows, decisions)
            possible_matches.flag_possible_matches(account, rows)
            if listing.complete and not listing.interrupted and listing.knows_the_time:
                _count_unlisted(account, listing)
    except IntegrityError:
        log.warning("sync_overtaken", account=str(account.id))
        return False
    return True


def _storable_rows(listing: Listing) -> list[ListedCommand]:
    """Return the rows that the columns hold. A shortened id would be a wrong one."""
    return [
        row
        for row in listing.rows
        if has_room_for(row.id, row.device_id, row.registration_id) and len(row.user_email) <= MAX_EMAIL
    ]


def _decide(account: Account, listing: Listing, rows: Sequence[ListedCommand]) -> list[Decision]:
    clock = Clock(
        now=listing.begun_at,
        import_age=max(settings.SETTLE_WINDOW, settings.ADOPT_BEFORE + settings.DISPATCH_LEASE),
        offset=listing.offset,
        doubt=listing.doubt,
        before=settings.ADOPT_BEFORE,
        after=settings.ADOPT_AFTER,
    )
    return matching.match(rows, _ours(account, rows), clock, complete=listing.complete)


def _ours(account: Account, rows: Sequence[ListedCommand]) -> Iterator[Ours]:
    """What `matching.match` wants: the owners of the rows, what is looked for, and what may hold another's row."""
    owners = Q(remote_id__in=[row.id for row in rows if row.id])
    sought = Q(status__in=matching.SOUGHT, remote_id="", started_elsewhere=False, dispatch__isnull=False)
    commands = Command.objects.shown().filter(account=account).order_by("id")
    known = _Told.of(commands.filter(owners | sought))
    owned = {command.remote_id for command in known.values()}
    adopted = _adopted_as_sure(commands, {row.device_id for row in rows if row.id not in owned})
    for command in (known | adopted).values():
        yield Ours(
            id=command.id,
            status=Status(command.status),
            kind=command.kind,
            device_id=command.device_id,
            registration_id=command.registration_id,
            email=command.email,
            remote_id=command.remote_id,
            started_elsewhere=command.started_elsewhere,
            sent=command.sent,
            adopted=command.id in adopted,
        )


def _adopted_as_sure(commands: QuerySet[Command], device_ids: set[str]) -> dict[UUID, _Told]:
    """Of ours on these machines, those whose id came from a listing and was the only possible one so far."""
    if not device_ids:
        return {}
    found = (EventType.ADOPTED, EventType.ATTACHED)  # attached: an unconfirmed command that did not move
    adopted = Exists(Event.objects.filter(command=OuterRef("pk"), event__in=found))
    here = commands.filter(
        adopted, device_id__in=device_ids, started_elsewhere=False, match_uncertain=False, dispatch__isnull=False
    )
    return _Told.of(here.exclude(remote_id=""))


def _carry_out(changes: StatusWriter, account: Account, decisions: Sequence[Decision]) -> None:
    advances = [one for one in decisions if isinstance(one, Advance)]
    takeovers = _still_wanted([one for one in decisions if isinstance(one, TakeOver)])
    merge_imports(changes, account.id, {one.remote_id: one.ours_id for one in takeovers})
    adopted: list[RemoteUpdate] = [one for one in decisions if isinstance(one, Adopt)]
    adopted += takeovers
    apply_remote_updates(changes, advances, where=~Q(remote_id=""))
    apply_remote_updates(changes, adopted, where=Q(remote_id="", status__in=(Status.UNCERTAIN, Status.UNCONFIRMED)))
    _cast_doubt(changes, decisions)
    _import(changes, account, [one for one in decisions if isinstance(one, Import)])
    statuses = {one.ours_id: cut_remote_status(one.row.status) for one in decisions if isinstance(one, Note)}
    _note_statuses(changes, account, statuses)
    for one in decisions:
        if isinstance(one, Ambiguous):
            log.info("row_is_ambiguous", account=str(account.id), candidates=len(one.ours_ids))


def _still_wanted(takeovers: Sequence[TakeOver]) -> list[TakeOver]:
    """Those whose command has not got its id meanwhile: an import is merged with nobody else."""
    takers = Command.objects.filter(id__in=[one.ours_id for one in takeovers], remote_id="")
    still = set(takers.values_list("id", flat=True)) if takeovers else set()
    return [one for one in takeovers if one.ours_id in still]


def _carry_out_what_is_left(
    changes: StatusWriter,
    account: Account,
    listing: Listing,
    rows: Sequence[ListedCommand],
    decisions: Sequence[Decision],
) -> None:
    """A row that matching leaves to the next listing, for its commands have others: after a long silence that one would
    no longer reach back to it, so with their ids attached it is decided at once."""
    if any(isinstance(one, Ambiguous | CastDoubt) for one in decisions):
        _carry_out(changes, account, _decide(account, listing, rows))


def _cast_doubt(changes: StatusWriter, decisions: Sequence[Decision]) -> None:
    """Mark as uncertain the matches that seemed to be the only possible ones, and were not."""
    casts = [(one.row, one.ours_ids) for one in decisions if isinstance(one, CastDoubt)]
    casts += [(one.row, one.doubts) for one in decisions if isinstance(one, Adopt)]
    values = {"match_uncertain": True}
    changes.write(
        [
            Transition(id_, values=values, data={"remote_id": row.id}, event=EventType.DOUBTED)
            for row, ids in casts
            for id_ in ids
        ],
        where=Q(match_uncertain=False),
    )


def _note_statuses(changes: StatusWriter, account: Account, statuses: dict[UUID, str]) -> None:
    """Store Cloudflare's unknown words, hundreds in one statement: they come with every listing and are rarely new."""
    for some in batched(statuses.items(), BATCH):
        new = CaseByPk(Command, "remote_status", dict(some))
        changed = Command.objects.filter(id__in=[id_ for id_, _ in some]).exclude(remote_status=new)
        if changed.update(remote_status=new):
            changes.touch(account.id)


def _import(changes: StatusWriter, account: Account, imports: Sequence[Import]) -> None:
    """Rows that nobody here asked for, shown as "started elsewhere"."""
    devices = {
        (device.device_id, device.registration_id): device
        for device in Device.objects.filter(account=account, device_id__in={one.row.device_id for one in imports})
    }
    commands = [
        _imported(account, one, devices.get((one.row.device_id, one.row.registration_id)), changes.now)
        for one in imports
    ]
    Command.objects.bulk_create(commands, batch_size=500)
    subjects = [Subject(one.id, account.id, None, one.version, "", one.status) for one in commands]
    audit.write(
        subjects,
        event=EventType.IMPORTED,
        by=CLOUDFLARE,
        now=changes.now,
        each={one.id: {"remote_id": one.remote_id} for one in commands},
    )
    if commands:
        changes.touch(account.id)
        changes.log_commands(EventType.IMPORTED, [one.id for one in commands])


def _imported(account: Account, one: Import, device: Device | None, now: datetime) -> Command:
    row, born = one.row, one.row.created_date or one.row.completed_date or now
    return Command(
        id=new_id(born),
        account=account,
        started_elsewhere=True,
        requested_at=born,
        kind=row.kind,
        device_id=row.device_id,
        registration_id=row.registration_id,
        email=row.user_email,
        device_name=device.name if device else "",
        platform=device.platform if device else "",
        status=one.status,
        status_at=now,
        version=1,
        remote_id=row.id,
        remote_status=cut_remote_status(row.status),
        remote_created_at=row.created_date,
        remote_completed_at=row.completed_date,
        deadline_at=deadline(Kind(row.kind), {}, now) if one.status in IN_FLIGHT else None,
    )


def _count_unlisted(account: Account, listing: Listing) -> None:
    """A complete listing that began after the lease, or after a refusal, did not have these: one step of their settle
    window."""
    refused = Q(dispatch__outcome=Dispatch.Outcome.REJECTED, dispatch__ended_at__lt=listing.begun_at)
    over = refused | Q(dispatch__lease_until__lte=listing.begun_at)
    missing = Command.objects.filter(over, account=account, status=Status.UNCERTAIN, remote_id="")
    missing.update(missed_listings=F("missed_listings") + 1)


# --- When next ---


def _finish(account: Account, row: AccountSync, listing: Listing, now: datetime) -> None:
    """One that was interrupted began before the quick ones in between: these tell how fresh the record is."""
    newer = row.listed_at if row.listed_at and listing.begun_at < row.listed_at <= now else listing.begun_at
    values: dict[str, object] = {"listed_at": newer, **_clock(listing), "pass_rests": False}
    row.clock_doubt = listing.doubt
    if listing.complete:
        asked_since = When(complete_due_at__gte=listing.begun_at, then=F("complete_due_at"))
        values |= {"complete_at": listing.begun_at, "complete_due_at": Case(asked_since, default=None), "pass_page": 0}
        row.complete_at = listing.begun_at
    paid_at = _paid_at(account, listing, now)
    _hand_back(row, due_at=schedule.next_due(account, row, now), not_before=paid_at, **values)


def _pause(account: Account, row: AccountSync, plan: Plan, listing: Listing, now: datetime) -> None:
    """The calls are used up: a complete listing goes on from here, after a quick one if anything is open."""
    assert listing.interrupted is not None
    values: dict[str, object] = {**_clock(listing), "pass_rests": listing.complete}
    if listing.complete:
        values |= {"pass_page": plan.page + listing.calls, "pass_since": plan.since}
        values |= {"pass_begun_at": listing.begun_at, "pass_doubt": listing.whole_doubt}
    due_at = _rest_after(account, listing.interrupted, now)
    log.info("sync_interrupted", account=str(account.id), calls=listing.calls, complete=listing.complete)
    _hand_back(row, due_at=due_at, not_before=_paid_at(account, listing, now), **values)


def _clock(listing: Listing) -> dict[str, object]:
    return {"clock_offset": listing.offset, "clock_doubt": listing.doubt}


def _paid_at(account: Account, listing: Listing, now: datetime) -> datetime:
    """When the calls of this listing have come back: no account lists on at the cost of those beside it."""
    return now + min(rate_limit.share_of_listings(account, listing.calls), settings.LISTING_INTERVAL_IDLE)


def _hand_back(row: AccountSync, *, due_at: datetime, not_before: datetime | None = None, **values: object) -> None:
    """Due again then, or earlier if somebody asked for it since the row was taken; but never before `not_before`."""
    asked = Least(Coalesce("due_at", Value(due_at)), Value(due_at))
    due = Greatest(asked, Value(not_before)) if not_before else asked
    AccountSync.objects.filter(leases.is_holder(row)).update(
        due_at=due, **leases.released(not_before=not_before), **values
    )
