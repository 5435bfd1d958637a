"""Recovery after the database was restored from a backup: no command that may have been sent since is sent again.

Commands that are `queued` or `sending` in the backup may have reached Cloudflare after the backup was made. All of them
become `uncertain`, and the listing decides. They may have been created between the last sign of life in the backup and
the restore.

Only one command of a machine and kind may be in flight. The commands behind it stay `queued` but point to the restore's
dispatch, which keeps them from being claimed, from expiring and from being withdrawn. They become `uncertain` one after
another as the machine becomes free.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from commands import clock
from commands.actions.record import leases
from commands.actions.record.transitions import StatusWriter, Transition, change_statuses
from commands.audit import By
from commands.models import AccountDirectory, AccountSync, Command, Dispatch, Event, Heartbeat
from commands.rules.events import EventType
from commands.rules.ids import new_id
from commands.rules.kinds import CAPTURES
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import Mover, Status

log = structlog.get_logger(__name__)

RESTORE = By(Mover.RESTORE)
MOST = 1000  # barred commands in one call: the next call takes the rest


@dataclass(frozen=True, slots=True)
class Restored:
    """Result of a recovery. From `since` on, commands may have been sent that this database does not know of."""

    since: datetime
    uncertain: int
    waiting: int


def after_restore(*, now: datetime, since: datetime | None = None) -> Restored:
    """Bar all unsent commands, and let Cloudflare's lists decide. A second call finds nothing to do.

    `since` is when the backup was made, by default the latest time in it.
    """
    with change_statuses(by=RESTORE, now=now) as changes:
        db_now = clock.database_now()
        since = min(since or _last_sign_of_life() or db_now, db_now)
        reopened = _reopen(changes, db_now)
        _bar(since, db_now)
        uncertain = reopened + next_uncertain(changes, most=None)
        barred = list(_barred().values_list("id", flat=True))
        waiting = CommandReasonCode.RESTORED_WAITING
        changes.write(Transition(id_, reason_code=waiting, event=EventType.HELD) for id_ in barred)
        _reset_accounts(db_now)
    log.warning("restored", since=since.isoformat(), uncertain=uncertain, waiting=len(barred))
    return Restored(since, uncertain, len(barred))


def _last_sign_of_life() -> datetime | None:
    """Return the latest time in the backup. The backup was made no earlier."""
    signs = [
        Heartbeat.objects.order_by("-seen_at").values_list("seen_at", flat=True).first(),
        Event.objects.order_by("-id").values_list("at", flat=True).first(),
        Dispatch.objects.order_by("-id").values_list("claimed_at", flat=True).first(),
        AccountSync.objects.exclude(listed_at=None).order_by("-listed_at").values_list("listed_at", flat=True).first(),
    ]
    return max((sign for sign in signs if sign), default=None)


def _reopen(changes: StatusWriter, db_now: datetime) -> int:
    """Reopen POSTs whose end is not in the backup. Their commands may have been sent again until now."""
    open_ = Command.objects.filter(status__in=[Status.SENDING, Status.UNCERTAIN], dispatch__isnull=False)
    dispatches = Dispatch.objects.filter(id__in=open_.values("dispatch_id"))
    dispatches.update(lease_until=db_now, ended_at=None)
    dispatches.filter(outcome=Dispatch.Outcome.OPEN).update(
        outcome=Dispatch.Outcome.UNKNOWN, reason_code=CommandReasonCode.RESTORED
    )
    open_.update(missed_listings=0)
    sending = list(open_.filter(status=Status.SENDING).values_list("id", flat=True))
    return len(changes.write(Transition(id_, Status.UNCERTAIN, CommandReasonCode.RESTORED) for id_ in sending))


def _bar(since: datetime, db_now: datetime) -> None:
    """Create a dispatch for each account and kind, for all that may have been sent between backup and restore."""
    queued = Command.objects.filter(status=Status.QUEUED, dispatch=None)
    for account_id, kind in queued.order_by("account_id", "kind").values_list("account_id", "kind").distinct():
        dispatch = Dispatch.objects.create(
            id=new_id(db_now),
            account_id=account_id,
            kind=kind,
            claimed_at=since,
            lease_until=db_now,
            outcome=Dispatch.Outcome.UNKNOWN,
            reason_code=CommandReasonCode.SENT_SINCE_BACKUP,
        )
        queued.filter(account_id=account_id, kind=kind).update(
            dispatch=dispatch, held_at=None, not_before=None, missed_listings=0
        )


def _barred() -> QuerySet[Command]:
    return Command.objects.filter(status=Status.QUEUED, dispatch__isnull=False)


def next_uncertain(changes: StatusWriter, *, most: int | None = MOST) -> int:
    """Move barred commands whose machine is free to `uncertain`, the oldest first. Return how many."""
    there = Command.objects.in_flight().ours().filter(account=OuterRef("account"), device_id=OuterRef("device_id"))
    free = (
        _barred()
        .exclude(Exists(there.filter(kind=OuterRef("kind"))))
        .exclude(Q(platform="windows", kind__in=CAPTURES) & Exists(there.filter(platform="windows", kind__in=CAPTURES)))
    )
    rows = free.order_by("id").values_list("id", "account_id", "device_id", "kind", "platform")[:most]
    return len(_become_uncertain(changes, _one_a_machine(rows)))


def _one_a_machine(rows: Iterable[tuple[UUID, UUID, str, str, str]]) -> list[UUID]:
    """Return the oldest command of each machine and kind. On Windows all captures are one kind."""
    taken: dict[tuple[UUID, str, str], UUID] = {}
    for id_, account_id, device_id, kind, platform in rows:
        one_kind = "capture" if platform == "windows" and kind in CAPTURES else kind
        taken.setdefault((account_id, device_id, one_kind), id_)
    return list(taken.values())


def _become_uncertain(changes: StatusWriter, ids: list[UUID]) -> list[UUID]:
    """Move the commands to `uncertain`. If a constraint says that a machine is busy, move the others one by one."""
    reason_code, values = CommandReasonCode.RESTORED, {"missed_listings": 0}

    def move(some: list[UUID]) -> list[UUID]:
        with transaction.atomic():
            return changes.write(
                [Transition(id_, Status.UNCERTAIN, reason_code, values=values, by=RESTORE) for id_ in some],
                where=Q(dispatch__isnull=False),
            )

    try:
        return move(ids) if ids else []
    except IntegrityError:
        pass
    moved: list[UUID] = []
    for id_ in ids:
        try:
            moved += move([id_])
        except IntegrityError:
            log.info("machine_busy", command=str(id_))
    return moved


def _reset_accounts(db_now: datetime) -> None:
    """Make listings due, forget the quota, and end all leases of accounts."""
    AccountSync.objects.update(
        due_at=db_now,
        complete_due_at=db_now,
        pass_page=0,
        quota_total=None,
        quota_used=None,
        quota_read_at=None,
        quota_reset_at=None,
        **leases.released(),
    )
    AccountDirectory.objects.update(due_at=None, **leases.released())
