"""Cloudflare's list of commands held against our record: what moves, what is adopted, what is imported.

Owns the carrying out of what `matching.py` decides. One worker lists an account at a time, by lease.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Least

from commands import audit, matching
from commands.actions import budget, claims, listings, upstream
from commands.actions.budget import NotNow
from commands.actions.heard import MAX_EMAIL, Heard, deadline, has_room_for, hear, kept_word, merge_imports
from commands.actions.listings import Listing
from commands.actions.moves import Change, change
from commands.actions.upstream import NoCredential
from commands.audit import CLOUDFLARE, EventType, Subject
from commands.cloudflare.errors import CloudflareError
from commands.ids import new_id
from commands.kinds import Kind
from commands.matching import Adopt, Advance, Ambiguous, Clock, Decision, Doubt, Import, Note, Ours, Row, Sent, TakeOver
from commands.models import Account, AccountSync, Command, Device, Event, Pause
from commands.states import IN_FLIGHT, Status

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
    due = AccountSync.objects.filter(Q(due_at=None) | Q(due_at__lte=now), account=account)
    row = claims.take(due, lasting=settings.SYNC_LEASE, values={"due_at": None})
    if row is None:
        return False
    plan = listings.plan_listing(account, row, now=now)
    if plan is None:
        _hand_back(row, due_at=listings.next_due(account, row, now))
        return False
    try:
        listing = listings.read(account, row, plan, now=now)
    except NotNow as wait:
        _hand_back(row, due_at=wait.until)
        return False
    except (CloudflareError, NoCredential) as failure:
        until = upstream.rest_after(account, Pause.Act.LIST, failure, now=now)
        _hand_back(row, due_at=until or now + settings.PAUSE_MAX)
        log.warning("sync_failed", account=str(account.id), words=failure.words)
        return False
    apply(account, listing, now=now)
    _finish(account, row, listing, now)
    budget.works(account, Pause.Act.LIST)
    return True


# --- Recording ---


def apply(account: Account, listing: Listing, *, now: datetime) -> None:
    """Carry out what matching decides on the rows; what changed meanwhile is left to the next listing."""
    decisions = _decide(account, listing)
    try:
        with change(by=CLOUDFLARE, now=now) as changes:
            _carry_out(changes, account, decisions)
            if listing.complete:
                _carry_out_what_is_left(changes, account, listing, decisions)
                _count_unlisted(account, listing)
    except IntegrityError:
        log.warning("sync_overtaken", account=str(account.id))


def _decide(account: Account, listing: Listing) -> list[Decision]:
    rows = [
        Row(
            remote_id=row.id,
            kind=row.kind.lower(),
            status=row.status,
            device_id=row.device_id,
            registration_id=row.registration_id,
            email=row.user_email,
            created_at=row.created_date,
            completed_at=row.completed_date,
            filename=row.filename,
        )
        for row in listing.rows
        if has_room_for(row.id, row.device_id, row.registration_id) and len(row.user_email) <= MAX_EMAIL
    ]
    clock = Clock(
        now=listing.begun_at,
        import_age=max(settings.SETTLE_WINDOW, settings.ADOPT_BEFORE + settings.DISPATCH_LEASE),
        offset=listing.offset,
        before=settings.ADOPT_BEFORE,
        after=settings.ADOPT_AFTER,
    )
    return matching.match(rows, _ours(account, rows), clock, complete=listing.complete)


def _ours(account: Account, rows: Sequence[Row]) -> Iterator[Ours]:
    """What `matching.match` wants: the owners of the rows, what is looked for, and what may hold another's row."""
    owners = Q(remote_id__in=[row.remote_id for row in rows if row.remote_id])
    sought = Q(status__in=matching.SOUGHT, remote_id="", started_elsewhere=False, dispatch__isnull=False)
    commands = Command.objects.shown().filter(account=account).order_by("id")
    known = _Told.of(commands.filter(owners | sought))
    owned = {command.remote_id for command in known.values()}
    adopted = _adopted_as_sure(commands, {row.device_id for row in rows if row.remote_id not in owned})
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
    adopted = Exists(Event.objects.filter(command=OuterRef("pk"), event=EventType.ADOPTED))
    here = commands.filter(
        adopted, device_id__in=device_ids, started_elsewhere=False, likely=False, dispatch__isnull=False
    )
    return _Told.of(here.exclude(remote_id=""))


def _carry_out(changes: Change, account: Account, decisions: Sequence[Decision]) -> None:
    advances = [_heard(one, one.ours_id, one.status) for one in decisions if isinstance(one, Advance)]
    adopted = [
        _heard(one, one.ours_id, one.status, event=EventType.ADOPTED, likely=one.likely)
        for one in decisions
        if isinstance(one, Adopt)
    ]
    takeovers = [one for one in decisions if isinstance(one, TakeOver)]
    merge_imports(changes, account.id, {one.remote_id: one.ours_id for one in takeovers})
    adopted += [_heard(one, one.ours_id, one.status, event=EventType.ADOPTED, likely=True) for one in takeovers]
    hear(changes, advances, where=~Q(remote_id=""))
    hear(changes, adopted, where=Q(remote_id=""))
    _doubt(changes, decisions)
    _import(changes, account, [one for one in decisions if isinstance(one, Import)])
    for one in decisions:
        if isinstance(one, Note):
            _note(changes, account, one)
        elif isinstance(one, Ambiguous):
            log.info("row_is_ambiguous", account=str(account.id), candidates=len(one.ours_ids))


def _carry_out_what_is_left(changes: Change, account: Account, listing: Listing, decisions: Sequence[Decision]) -> None:
    """A row that matching leaves to the next listing, for its commands have others: after a long silence that one would
    no longer reach back to it, so with their ids attached it is decided at once."""
    if any(isinstance(one, Ambiguous | Doubt) for one in decisions):
        _carry_out(changes, account, _decide(account, listing))


def _doubt(changes: Change, decisions: Sequence[Decision]) -> None:
    """What was adopted as the only possible one was not: from now on it says "likely"."""
    casts = [(one.row, one.ours_ids) for one in decisions if isinstance(one, Doubt)]
    casts += [(one.row, one.doubts) for one in decisions if isinstance(one, Adopt)]
    doubted: dict[UUID, dict[str, object]] = {id_: {"remote_id": row.remote_id} for row, ids in casts for id_ in ids}
    sure = Q(likely=False)
    changes.note(doubted, event=EventType.DOUBTED, where=sure, values={"likely": True}, each_data=doubted)


def _note(changes: Change, account: Account, note: Note) -> None:
    word = kept_word(note.row.status)
    if Command.objects.filter(id=note.ours_id).exclude(remote_status=word).update(remote_status=word):
        changes.touch(account.id)


def _heard(
    decision: Advance | Adopt | TakeOver,
    command_id: UUID,
    status: Status | None,
    *,
    event: EventType = EventType.MOVED,
    likely: bool = False,
) -> Heard:
    row = decision.row
    return Heard(
        command_id,
        row.remote_id,
        status,
        row.status,
        created_at=row.created_at,
        completed_at=row.completed_at,
        filename=row.filename,
        likely=likely,
        event=event,
    )


def _import(changes: Change, account: Account, imports: Sequence[Import]) -> None:
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
        changes.tell(EventType.IMPORTED, [one.id for one in commands])


def _imported(account: Account, one: Import, device: Device | None, now: datetime) -> Command:
    row, born = one.row, one.row.created_at or one.row.completed_at or now
    return Command(
        id=new_id(born),
        account=account,
        started_elsewhere=True,
        asked_at=born,
        kind=row.kind,
        device_id=row.device_id,
        registration_id=row.registration_id,
        email=row.email,
        device_name=device.name if device else "",
        platform=device.platform if device else "",
        status=one.status,
        status_at=now,
        version=1,
        remote_id=row.remote_id,
        remote_status=kept_word(row.status),
        remote_created_at=row.created_at,
        remote_completed_at=row.completed_at,
        deadline_at=deadline(Kind(row.kind), {}, now) if one.status in IN_FLIGHT else None,
    )


def _count_unlisted(account: Account, listing: Listing) -> None:
    """A complete listing that began after the lease did not have these: one step of their settle window."""
    Command.objects.filter(
        account=account, status=Status.UNCERTAIN, remote_id="", dispatch__lease_until__lte=listing.begun_at
    ).update(unlisted=F("unlisted") + 1)


# --- When next ---


def _finish(account: Account, row: AccountSync, listing: Listing, now: datetime) -> None:
    values: dict[str, object] = {"listed_at": listing.begun_at, "clock_offset": listing.offset}
    if listing.complete:
        asked_since = When(complete_due_at__gte=listing.begun_at, then=F("complete_due_at"))
        values |= {"complete_at": listing.begun_at, "complete_due_at": Case(asked_since, default=None)}
        row.complete_at = listing.begun_at
    _hand_back(row, due_at=listings.next_due(account, row, now), **values)


def _hand_back(row: AccountSync, *, due_at: datetime, **values: object) -> None:
    """Due again then, or earlier if somebody asked for it since the row was taken."""
    due = Case(When(due_at=None, then=Value(due_at)), default=Least(F("due_at"), Value(due_at)))
    AccountSync.objects.filter(claims.held(row)).update(due_at=due, **claims.released(), **values)
