"""Claim of the commands of the next POST, in a fair order.

Small runs go first, then one command of each run in turn, so that no run waits behind a thousand devices. A command
gets its position when it is requested, and a later run begins at the position that the earlier ones have reached. A
claim takes one command of each machine and no command of a busy machine, and it takes their quota.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from commands import clock
from commands.actions.record.transitions import StatusWriter, Transition, change_statuses
from commands.actions.sending import holds
from commands.actions.upstream import pauses, quota, rate_limit
from commands.audit import PORTAL
from commands.cloudflare import dialects
from commands.cloudflare.types import Dialect, NewCommand
from commands.models import Account, AccountSync, Command, Dispatch, Pause
from commands.rules import kinds
from commands.rules.ids import new_id
from commands.rules.kinds import CAPTURES, Kind
from commands.rules.states import Status

log = structlog.get_logger(__name__)

SMALL_RUN = 3  # devices: a run of so many goes before larger ones
_UNBARRED = Q(held_at=None, dispatch=None)  # neither on hold, nor uncertain after a restore
CANDIDATES = 200  # rows read for one POST: enough to find 10 machines even if some have many commands waiting


@dataclass(frozen=True, slots=True)
class Claimed:
    """Commands of one POST. `began` is when the claim began, in monotonic seconds."""

    account: Account
    dispatch: Dispatch
    commands: tuple[Command, ...]
    began: float

    def items(self) -> list[NewCommand]:
        return _items(self.account, self.commands)

    def body(self, dialect: Dialect) -> dict[str, object]:
        return _body(self.items(), dialect)


def _items(account: Account, commands: Iterable[Command]) -> list[NewCommand]:
    legacy = account.dialect == Account.Dialect.LEGACY
    return [
        NewCommand(
            device_id=command.device_id,
            kind=command.kind,
            user_email=command.email,
            registration_id=command.registration_id,
            options=kinds.on_the_wire(Kind(command.kind), command.options, legacy=legacy),
        )
        for command in commands
    ]


def _body(items: Sequence[NewCommand], dialect: Dialect) -> dict[str, object]:
    """Return what a Dispatch stores: the commands in the form of the request. It holds no secret."""
    return {"dialect": dialect, "commands": dialects.commands(items, dialect)}


def accounts_with_queued(*, now: datetime) -> list[UUID]:
    """Return the accounts with commands that may be sent now."""
    queued = Command.objects.filter(account=OuterRef("id"), status=Status.QUEUED, expires_at__gt=now)
    ready = queued.filter(_UNBARRED).filter(clock.has_passed("not_before", now))
    return list(Account.objects.active().filter(Exists(ready)).order_by("id").values_list("id", flat=True))


def claim(account: Account, *, now: datetime) -> Claimed | None:
    """Claim the next commands of one kind, one of each free machine. Commits before anything is sent."""
    began = time.monotonic()
    with change_statuses(by=PORTAL, now=now) as changes:
        # Claims of one account run one after another, or two claims would use the same room.
        sync = AccountSync.objects.select_for_update().get(account=account)
        db_now = clock.database_now()
        if holds.hold_stale(changes, db_now=db_now, account=account) >= holds.MOST:
            return None  # more commands may be too old to send: the next claim looks again
        room = _room(account, sync, db_now)
        chosen = _next_commands(account, db_now, room) if room > 0 else []
        if not chosen:
            return None
        # Read after the busy machines: a command that has ended since ended before this claim.
        claimed_at = clock.database_now()
        dispatch = Dispatch.objects.create(
            id=new_id(claimed_at),
            account=account,
            kind=chosen[0].kind,
            body=_body(_items(account, chosen), Dialect(account.dialect)),
            claimed_at=claimed_at,
            lease_until=claimed_at + settings.DISPATCH_LEASE,
        )
        taken = set(_take(changes, [command.id for command in chosen], dispatch))
        commands = tuple(command for command in chosen if command.id in taken)
        if not commands:
            dispatch.delete()
            return None
        if len(commands) < len(chosen):
            dispatch.body = _body(_items(account, commands), Dialect(account.dialect))
            dispatch.save(update_fields=["body"])
        reached = max(command.queue_position for command in commands)
        if reached > sync.queue_position:
            AccountSync.objects.filter(account=account).update(queue_position=reached)
    return Claimed(account, dispatch, commands, began)


def _room(account: Account, sync: AccountSync, db_now: datetime) -> int:
    """Return how many commands may go into a POST now, by pauses, POSTs in progress and quota."""
    if pauses.active_pause(account, Pause.Operation.CREATE, now=db_now):
        return 0
    assert account.credential_id is not None
    if rate_limit.paused_credentials([account.credential_id], now=db_now):
        return 0
    in_progress = Dispatch.objects.filter(account=account, outcome=Dispatch.Outcome.OPEN)
    if in_progress.exclude(clock.has_passed("lease_until", db_now)).count() >= settings.POSTS_AT_ONCE:
        return 0
    left = quota.left(sync, db_now)
    return settings.POST_DEVICES if left is None else min(settings.POST_DEVICES, left)


def turns(account: Account, *, devices: int, commands: int) -> Sequence[int]:
    """Return the queue positions of a new run's commands, in their order."""
    if devices <= SMALL_RUN:
        return [0] * commands
    reached = AccountSync.objects.values_list("queue_position", flat=True).get(account=account)
    return range(reached + 1, reached + 1 + commands)


def _next_commands(account: Account, db_now: datetime, room: int) -> list[Command]:
    """Return the first command of the queue, and those of its kind for other machines, as many as fit into one POST."""
    ready = _ready(account, db_now).order_by("queue_position", "id")
    first = ready.values("id", "kind", "send_alone", "listed").first()
    if first is None:
        return []
    if first["send_alone"] or not first["listed"]:
        return list(_locked([first["id"]]))
    alike = ready.filter(kind=first["kind"], send_alone=False, listed=True).values_list("device_id", "id")
    machines: dict[str, UUID] = {}
    for device_id, id_ in alike[:CANDIDATES]:
        machines.setdefault(device_id, id_)
        if len(machines) == room:
            break
    return list(_locked(list(machines.values())))


def _locked(ids: Sequence[UUID]) -> QuerySet[Command]:
    return (
        Command.objects.filter(id__in=ids, status=Status.QUEUED)
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("id")
    )


def _ready(account: Account, db_now: datetime) -> QuerySet[Command]:
    """Return queued commands that may be sent now: not expired, and with no other command running on their machine."""
    rows = (
        Command.objects.filter(account=account, status=Status.QUEUED, expires_at__gt=db_now)
        .filter(_UNBARRED)
        .filter(clock.has_passed("not_before", db_now))
    )
    # One subquery for each kind, read once. A planner without statistics chooses a slow plan for a lookup in each row.
    busy = Command.objects.shown().in_flight().filter(account=account).values("device_id")
    for kind in Kind:
        rows = rows.exclude(kind=kind, device_id__in=busy.filter(kind=kind))
    return rows.exclude(platform="windows", kind__in=CAPTURES, device_id__in=busy.filter(kind__in=CAPTURES))


def _take(changes: StatusWriter, ids: Sequence[UUID], dispatch: Dispatch) -> list[UUID]:
    """Move the commands to `sending`. If a constraint says that a machine is busy, move the others one by one."""
    values = {"dispatch": dispatch, "not_before": None, "missed_listings": 0, "possible_match": False}
    data = {"dispatch": str(dispatch.id)}

    def send(some: Sequence[UUID]) -> list[UUID]:
        with transaction.atomic():
            return changes.write(Transition(id_, Status.SENDING, values=values, data=data) for id_ in some)

    try:
        return send(ids)
    except IntegrityError:
        pass
    taken: list[UUID] = []
    for id_ in ids:
        try:
            taken += send([id_])
        except IntegrityError:
            log.info("machine_busy", command=str(id_))
    return taken
