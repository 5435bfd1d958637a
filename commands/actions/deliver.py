"""From `queued` to Cloudflare: claim, POST, record. Each POST is a Dispatch, and none is ever sent twice.

The claim commits before a byte leaves, with a lease that outlives the POST's own deadline. The answer is recorded only
for commands that still point to the dispatch, also when it comes late. What surely was not sent goes back to `queued`;
whatever may have landed becomes `uncertain`, and the listing decides (`sync.py`, `reconcile.py`).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from commands import kinds
from commands.actions import budget, claims, upstream
from commands.actions.budget import NotNow
from commands.actions.heard import Heard, further, hear, merge_imports, remote_status
from commands.actions.moves import Change, change
from commands.actions.upstream import NoCredential
from commands.audit import CLOUDFLARE, PORTAL, EventType
from commands.cloudflare.errors import CloudflareError, NotSent, Refused, Rejected, SaidNo, Throttled
from commands.cloudflare.pairing import pair
from commands.cloudflare.types import CreateResult, NewCommand
from commands.ids import new_id
from commands.kinds import CAPTURES, Kind
from commands.models import Account, AccountSync, Command, Dispatch, Pause
from commands.states import Status

log = structlog.get_logger(__name__)

CANDIDATES = 200  # looked at for one POST: enough to find 10 machines even where some have many commands waiting

type Failure = CloudflareError | NotNow | NoCredential


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one POST carries, and when (monotonic seconds) its claim began."""

    account: Account
    dispatch: Dispatch
    commands: tuple[Command, ...]
    began: float

    def items(self) -> list[NewCommand]:
        legacy = self.account.dialect == Account.Dialect.LEGACY
        return [
            NewCommand(
                device_id=command.device_id,
                kind=command.kind,
                user_email=command.email,
                registration_id=command.registration_id,
                options=kinds.on_the_wire(Kind(command.kind), command.options, legacy=legacy),
            )
            for command in self.commands
        ]


def accounts_with_queued(*, now: datetime) -> list[UUID]:
    """Accounts with something to send that may be sent now."""
    queued = Command.objects.filter(account=OuterRef("id"), status=Status.QUEUED, expires_at__gt=now)
    ready = queued.filter(Q(not_before=None) | Q(not_before__lte=now))
    return list(Account.objects.in_force().filter(Exists(ready)).order_by("id").values_list("id", flat=True))


def deliver(account: Account, *, now: datetime) -> bool:
    """Send one POST of the account's queued commands; True if there was one to send."""
    claimed = claim(account, now=now)
    if claimed is None:
        return False
    answer = post(claimed)

    def write() -> None:
        record(claimed, answer, now=now + timedelta(seconds=time.monotonic() - claimed.began))

    claims.insist(write, until=claimed.began + settings.DISPATCH_LEASE.total_seconds())
    return True


# --- Claim ---


def claim(account: Account, *, now: datetime) -> Claimed | None:
    """Take the next commands of one kind, one a machine, none of them busy; commits before anything is sent."""
    began = time.monotonic()
    with change(by=PORTAL, now=now) as changes:
        clock = claims.database_now()
        room = _room(account, clock)
        chosen = _next_commands(account, clock, room) if room > 0 else []
        if not chosen:
            return None
        dispatch = Dispatch.objects.create(
            id=new_id(clock),
            account=account,
            kind=chosen[0].kind,
            claimed_at=clock,
            lease_until=clock + settings.DISPATCH_LEASE,
        )
        taken = set(_take(changes, [command.id for command in chosen], dispatch))
        commands = tuple(command for command in chosen if command.id in taken)
        if not commands:
            dispatch.delete()
            return None
    return Claimed(account, dispatch, commands, began)


def _room(account: Account, clock: datetime) -> int:
    """How many commands may go into a POST now: pauses, POSTs under way, quota."""
    if budget.resting(account, Pause.Act.CREATE, now=clock):
        return 0
    assert account.credential_id is not None
    if budget.paused_credentials([account.credential_id], now=clock):
        return 0
    under_way = Dispatch.objects.filter(account=account, outcome=Dispatch.Outcome.OPEN, lease_until__gt=clock)
    if under_way.count() >= settings.POSTS_AT_ONCE:
        return 0
    left = quota_left(AccountSync.objects.select_for_update().get(account=account), clock)
    return settings.POST_DEVICES if left is None else min(settings.POST_DEVICES, left)


def quota_left(sync: AccountSync, clock: datetime) -> int | None:
    """Commands that Cloudflare still takes today; None where that is not known."""
    if sync.quota_total is None or sync.quota_read_at is None:
        return None
    if sync.quota_reset_at is not None and sync.quota_reset_at <= clock:
        return None
    claimed_since = Command.objects.filter(
        account_id=sync.account_id, dispatch__claimed_at__gte=sync.quota_read_at, started_elsewhere=False
    ).count()
    return max(0, sync.quota_total - (sync.quota_used or 0) - claimed_since)


def _next_commands(account: Account, clock: datetime, room: int) -> list[Command]:
    """The oldest command that may go, and others of its kind for other machines, as many as one POST takes."""
    ready = list(_ready(account, clock).order_by("id")[:1])
    if not ready:
        return []
    first = ready[0]
    if first.alone or not first.listed:
        return list(_ready(account, clock).filter(id=first.id).select_for_update(skip_locked=True, of=("self",)))
    alike = _ready(account, clock).filter(kind=first.kind, alone=False, listed=True).order_by("id")
    machines: dict[str, Command] = {}
    for command in alike.select_for_update(skip_locked=True, of=("self",))[:CANDIDATES]:
        machines.setdefault(command.device_id, command)
        if len(machines) == room:
            break
    return list(machines.values())


def _ready(account: Account, clock: datetime) -> QuerySet[Command]:
    """Queued commands that may be sent now: in time, and nothing of ours or of others in their way on the machine."""
    there = Command.objects.in_flight().filter(account=account, device_id=OuterRef("device_id"))
    complete_at = AccountSync.objects.filter(account=account).values_list("complete_at", flat=True).first()
    listed_since = Q(after_listing_at__lt=complete_at) if complete_at else Q(pk=None)
    return (
        Command.objects.filter(account=account, status=Status.QUEUED, expires_at__gt=clock)
        .filter(Q(not_before=None) | Q(not_before__lte=clock))
        .filter(Q(after_listing_at=None) | listed_since)
        .exclude(Exists(there.filter(kind=OuterRef("kind"))))
        .exclude(Q(platform="windows", kind__in=CAPTURES) & Exists(there.filter(kind__in=CAPTURES)))
    )


def _take(changes: Change, ids: Sequence[UUID], dispatch: Dispatch) -> list[UUID]:
    """Move to `sending`; where a constraint says that a machine is busy after all, one by one without that one."""

    def send(some: Sequence[UUID]) -> list[UUID]:
        with transaction.atomic():
            return changes.move(
                some,
                to=Status.SENDING,
                values={"dispatch": dispatch, "not_before": None, "after_listing_at": None, "unlisted": 0},
                data={"dispatch": str(dispatch.id)},
            )

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


# --- POST ---


def post(claimed: Claimed) -> CreateResult | Failure:
    """The POST itself, outside of any transaction; what went wrong is returned, by what it means."""
    if _too_late(claimed):
        return NotNow(claimed.dispatch.claimed_at, "The worker was held up before it could send.")
    try:
        with upstream.client_for(claimed.account) as client:
            return client.create(claimed.items())
    except (CloudflareError, NotNow, NoCredential) as failure:
        return failure


def _too_late(claimed: Claimed) -> bool:
    """Whether too much of the lease is gone to begin: by the clock or by this process, whichever says more."""
    by_clock = (claims.database_now() - claimed.dispatch.claimed_at).total_seconds()
    gone = max(by_clock, time.monotonic() - claimed.began)
    return gone > settings.DISPATCH_LEASE.total_seconds() * settings.DISPATCH_START_SHARE


# --- Record ---


def record(claimed: Claimed, answer: CreateResult | Failure, *, now: datetime) -> None:
    """Write what became of a POST, late or not: only for commands that still point to this dispatch."""
    if isinstance(answer, CreateResult):
        _record_created(claimed, answer, now)
        upstream.remember_dialect(claimed.account, answer.dialect)
        budget.works(claimed.account, Pause.Act.CREATE)
    else:
        _record_failure(claimed, answer, now)
    log.info(
        "dispatch_ended",
        dispatch=str(claimed.dispatch.id),
        commands=len(claimed.commands),
        outcome="created" if isinstance(answer, CreateResult) else _outcome(answer),
        words="" if isinstance(answer, CreateResult) else answer.words,
    )


def _end(dispatch: Dispatch, outcome: Dispatch.Outcome, now: datetime, **values: object) -> None:
    Dispatch.objects.filter(id=dispatch.id).update(outcome=outcome, ended_at=now, **values)


def _record_created(claimed: Claimed, answer: CreateResult, now: datetime) -> None:
    dispatch = claimed.dispatch
    pairing = pair(claimed.items(), answer.created)
    created = {claimed.commands[index].id: one for index, one in pairing.pairs}
    missing = [claimed.commands[index].id for index in pairing.missing]
    if pairing.strangers:
        log.warning("answer_with_strangers", dispatch=str(dispatch.id), strangers=len(pairing.strangers))
    with change(by=CLOUDFLARE, now=now) as changes:
        merged = merge_imports(changes, claimed.account.id, {one.id: id_ for id_, one in created.items()})
        owned = set(
            Command.objects.filter(account=claimed.account, remote_id__in=[one.id for one in created.values()])
            .exclude(id__in=list(created))
            .values_list("remote_id", flat=True)
        )
        heard = [
            Heard(
                id_,
                one.id,
                further(remote_status(one.status) or Status.PENDING_EXEC, merged.get(one.id)),
                one.status,
                created_at=answer.date,
            )
            for id_, one in created.items()
            if one.id not in owned
        ]
        ours = Q(dispatch=dispatch, remote_id="")
        moved = hear(changes, heard, where=ours)
        _attach_late(changes, [one for one in heard if one.command_id not in moved], dispatch)
        changes.move(
            [*missing, *(id_ for id_, one in created.items() if one.id in owned)],
            to=Status.UNCERTAIN,
            by=PORTAL,
            because="Cloudflare's answer did not name it.",
            where=Q(dispatch=dispatch),
        )
        _end(dispatch, Dispatch.Outcome.CREATED, now, http_status=200)


def _attach_late(changes: Change, late: Sequence[Heard], dispatch: Dispatch) -> None:
    """Commands that went further without the answer: they get their id if they have none, and an Event either way."""
    each_data = {one.command_id: {"remote_id": one.remote_id, "dispatch": str(dispatch.id)} for one in late}
    attached = changes.note(
        each_data,
        event=EventType.LATE_ANSWER,
        where=Q(dispatch=dispatch, remote_id="", status=Status.UNCONFIRMED),
        each={one.command_id: one.values() for one in late},
        each_data=each_data,
    )
    others = {id_: data for id_, data in each_data.items() if id_ not in attached}
    changes.note(others, event=EventType.LATE_ANSWER, where=~Q(remote_id=""), each_data=others)


def _record_failure(claimed: Claimed, failure: Failure, now: datetime) -> None:
    dispatch, ids = claimed.dispatch, [command.id for command in claimed.commands]
    outcome = _outcome(failure)
    code, status = (failure.code, failure.status) if isinstance(failure, CloudflareError) else (0, 0)
    words = f"{failure.words} (code {code})" if code else failure.words
    resumes = _rest(claimed, failure, now)
    ours = Q(dispatch=dispatch)
    with change(by=CLOUDFLARE, now=now) as changes:
        if outcome is Dispatch.Outcome.REJECTED and len(ids) == 1:
            changes.move(ids, to=Status.REJECTED, because=words, where=ours)
        elif outcome in (Dispatch.Outcome.SAID_NO, Dispatch.Outcome.UNKNOWN):
            changes.move(ids, to=Status.UNCERTAIN, by=PORTAL, because=words, where=ours)
        else:
            values: dict[str, object] = {"dispatch": None, "not_before": resumes}
            if outcome is Dispatch.Outcome.REJECTED:
                # One of them may be the cause: each goes alone, once a listing has shown that none was created.
                values |= {"alone": True, "after_listing_at": now}
                AccountSync.objects.filter(account=claimed.account).update(due_at=now, complete_due_at=now)
            changes.move(ids, to=Status.QUEUED, because=words, where=ours, values=values)
        _end(
            dispatch,
            outcome,
            now,
            words=failure.words,
            code=code or None,
            http_status=status or None,
        )


def _outcome(failure: Failure) -> Dispatch.Outcome:
    """The contract's table "Can a POST be sent again?"."""
    match failure:
        case NotNow() | NoCredential() | NotSent():
            return Dispatch.Outcome.NOT_SENT
        case Throttled():
            return Dispatch.Outcome.THROTTLED
        case Refused():
            return Dispatch.Outcome.REFUSED
        case Rejected():
            return Dispatch.Outcome.REJECTED
        case SaidNo():
            return Dispatch.Outcome.SAID_NO
        case _:
            return Dispatch.Outcome.UNKNOWN


def _rest(claimed: Claimed, failure: Failure, now: datetime) -> datetime | None:
    """When what was not sent may be tried again; the pause that follows is written on the way."""
    if isinstance(failure, NotNow):
        return failure.until
    return upstream.rest_after(claimed.account, Pause.Act.CREATE, failure, now=now)
