"""Decisions of matching, carried out on our record: commands move, adopt ids and are imported.

Called by the worker that holds the account's lease and has just read a listing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import batched
from typing import NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from commands import audit
from commands.actions.listing import possible_matches
from commands.actions.listing.reader import ListingResult
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
from commands.audit import CLOUDFLARE, Subject
from commands.models import Account, AccountSync, Command, Device, Dispatch, Event
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


class _CommandFacts(NamedTuple):
    """Columns that matching needs of a command. A thousand of these cost less than half of as many models."""

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
    def of(cls, commands: QuerySet[Command]) -> "dict[UUID, _CommandFacts]":
        names = [name if name not in cls._fields[8:] else f"dispatch__{name}" for name in cls._fields]
        return {row[0]: cls(*row) for row in commands.values_list(*names)}

    @property
    def sent(self) -> Sent | None:
        if self.claimed_at is None or self.lease_until is None:
            return None
        return Sent(self.claimed_at, self.lease_until, self.ended_at)


def apply(account: Account, row: AccountSync, result: ListingResult, *, now: datetime) -> bool:
    """Carry out the decisions about the rows. Commands that changed in the meantime are left to the next listing.

    Returns False if nothing was recorded, because the lease of `row` was lost, or because another worker took one of
    the ids at the same moment.
    """
    rows = _storable_rows(result)
    decisions = _decide(account, result, rows)
    try:
        with change_statuses(by=CLOUDFLARE, now=now) as changes:
            if not AccountSync.objects.select_for_update().filter(leases.is_holder(row)).exists():
                log.warning("sync_lost", account=str(account.id))
                return False
            _carry_out(changes, account, decisions)
            if result.complete:
                _carry_out_leftovers(changes, account, result, rows, decisions)
            possible_matches.flag_possible_matches(account, rows)
            if result.complete and not result.interrupted and result.knows_the_time:
                _count_missed_listings(account, result)
    except IntegrityError:
        log.warning("sync_overtaken", account=str(account.id))
        return False
    return True


def _storable_rows(result: ListingResult) -> list[ListedCommand]:
    """Return the rows that the columns hold. A shortened id would be a wrong one."""
    return [
        row
        for row in result.rows
        if has_room_for(row.id, row.device_id, row.registration_id) and len(row.user_email) <= MAX_EMAIL
    ]


def _decide(account: Account, result: ListingResult, rows: Sequence[ListedCommand]) -> list[Decision]:
    clock = Clock(
        now=result.begun_at,
        import_age=max(settings.SETTLE_WINDOW, settings.ADOPT_BEFORE + settings.DISPATCH_LEASE),
        offset=result.offset,
        doubt=result.clock_doubt,
        before=settings.ADOPT_BEFORE,
        after=settings.ADOPT_AFTER,
    )
    return matching.match(rows, _ours(account, rows), clock, complete=result.complete)


def _ours(account: Account, rows: Sequence[ListedCommand]) -> Iterator[Ours]:
    """Yield what `matching.match` needs: owners of the rows, commands without an id, and owners that may be wrong."""
    owners = Q(remote_id__in=[row.id for row in rows if row.id])
    sought = Q(status__in=matching.SOUGHT, remote_id="", started_elsewhere=False, dispatch__isnull=False)
    commands = Command.objects.shown().filter(account=account).order_by("id")
    known = _CommandFacts.of(commands.filter(owners | sought))
    owned = {command.remote_id for command in known.values()}
    adopted = _adopted_with_certainty(commands, {row.device_id for row in rows if row.id not in owned})
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


def _adopted_with_certainty(commands: QuerySet[Command], device_ids: set[str]) -> dict[UUID, _CommandFacts]:
    """Return our commands on these machines that adopted their id as the only possible match."""
    if not device_ids:
        return {}
    # An unconfirmed command that did not move has ATTACHED.
    events = (EventType.ADOPTED, EventType.ATTACHED)
    adopted = Exists(Event.objects.filter(command=OuterRef("pk"), event__in=events))
    certain = commands.filter(
        adopted, device_id__in=device_ids, started_elsewhere=False, match_uncertain=False, dispatch__isnull=False
    )
    return _CommandFacts.of(certain.exclude(remote_id=""))


def _carry_out(changes: StatusWriter, account: Account, decisions: Sequence[Decision]) -> None:
    advances = [one for one in decisions if isinstance(one, Advance)]
    takeovers = _still_possible([one for one in decisions if isinstance(one, TakeOver)])
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


def _still_possible(takeovers: Sequence[TakeOver]) -> list[TakeOver]:
    """Return the takeovers whose command has no id yet. An import is merged with no other command."""
    takers = Command.objects.filter(id__in=[one.ours_id for one in takeovers], remote_id="")
    without_id = set(takers.values_list("id", flat=True)) if takeovers else set()
    return [one for one in takeovers if one.ours_id in without_id]


def _carry_out_leftovers(
    changes: StatusWriter,
    account: Account,
    result: ListingResult,
    rows: Sequence[ListedCommand],
    decisions: Sequence[Decision],
) -> None:
    """Decide again about rows that matching left to the next listing, because their commands have other rows.

    After a long silence the next listing would no longer reach back to these rows.
    """
    if any(isinstance(one, Ambiguous | CastDoubt) for one in decisions):
        _carry_out(changes, account, _decide(account, result, rows))


def _cast_doubt(changes: StatusWriter, decisions: Sequence[Decision]) -> None:
    """Mark matches as uncertain that seemed to be the only possible ones and were not."""
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
    """Create commands for rows that no command of ours fits. They are shown as "started elsewhere"."""
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
    row, created_at = one.row, one.row.created_date or one.row.completed_date or now
    return Command(
        id=new_id(created_at),
        account=account,
        started_elsewhere=True,
        requested_at=created_at,
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


def _count_missed_listings(account: Account, result: ListingResult) -> None:
    """Count this listing for commands that it should have had: it began after their lease, or after their refusal."""
    refused = Q(dispatch__outcome=Dispatch.Outcome.REJECTED, dispatch__ended_at__lt=result.begun_at)
    over = refused | Q(dispatch__lease_until__lte=result.begun_at)
    missing = Command.objects.filter(over, account=account, status=Status.UNCERTAIN, remote_id="")
    missing.update(missed_listings=F("missed_listings") + 1)
