"""From `queued` to Cloudflare: claim (`queue.py`), POST, record. Each POST is a Dispatch, and none is ever sent twice.

The claim commits before a byte leaves, with a lease that outlives the POST's own deadline. The answer is recorded only
for commands that still point to the dispatch, also when it comes late. What surely was not sent goes back to `queued`;
whatever may have landed becomes `uncertain`, and the listing decides (`sync.py`, `reconcile.py`).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q

from commands.actions.listing import schedule
from commands.actions.record import leases
from commands.actions.record.remote_updates import (
    RemoteUpdate,
    apply_remote_updates,
    has_room_for,
    merge_imports,
    remote_status,
)
from commands.actions.record.transitions import MAX_MESSAGE, StatusWriter, change_statuses
from commands.actions.sending.claim import Claimed, claim
from commands.actions.upstream import clients, quota, rate_limit
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.audit import CLOUDFLARE, PORTAL
from commands.cloudflare.errors import (
    CloudflareError,
    NotSent,
    OutcomeUnknown,
    Refused,
    Rejected,
    ReportedFailure,
    Throttled,
    TooLarge,
    Truncated,
    Unreadable,
)
from commands.cloudflare.match_response import pair
from commands.cloudflare.types import Created, CreateResult
from commands.models import Account, Command, Dispatch, Pause
from commands.rules.events import EventType
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import Status, rank

log = structlog.get_logger(__name__)

MAX_CODE = 2**31 - 1  # what the column holds; no code of Cloudflare's comes near it


@dataclass(frozen=True, slots=True)
class NotPosted:
    """A POST that was never begun, and why. The commands may be sent again from `until` on."""

    until: datetime
    reason_code: CommandReasonCode


type Failure = CloudflareError | NotNow | NoCredential | NotPosted


def deliver(account: Account, *, now: datetime) -> bool:
    """Send one POST of the account's queued commands; True if there was one to send.

    Its end has the database's time as its claim has: what this process waited for before the claim is not in it.
    """
    quota.renew(account, now=now)
    claimed = claim(account, now=now)
    if claimed is None:
        return False
    answer = post(claimed)

    def write() -> None:
        record(claimed, answer, now=leases.database_now())

    leases.retry_while_database_is_down(write, until=claimed.began + settings.DISPATCH_LEASE.total_seconds())
    return True


# --- POST ---


def post(claimed: Claimed) -> CreateResult | Failure:
    """The POST itself, outside of any transaction; what went wrong is returned, by what it means."""
    try:
        if _too_late(claimed):
            return NotPosted(claimed.dispatch.claimed_at, CommandReasonCode.WORKER_DELAYED)
        with clients.client_for(claimed.account) as client:
            return client.create(claimed.items())
    except (CloudflareError, NotNow, NoCredential) as failure:
        return failure
    except leases.DATABASE_DOWN:  # the clock and the budget are asked before a byte leaves, never after
        connection.close()
        return NotPosted(claimed.dispatch.claimed_at, CommandReasonCode.DATABASE_DOWN)


def _too_late(claimed: Claimed) -> bool:
    """Whether too much of the lease is gone to begin: by the clock or by this process, whichever says more."""
    by_clock = (leases.database_now() - claimed.dispatch.claimed_at).total_seconds()
    gone = max(by_clock, time.monotonic() - claimed.began)
    return gone > settings.DISPATCH_LEASE.total_seconds() * settings.DISPATCH_START_SHARE


# --- Record ---


def record(claimed: Claimed, answer: CreateResult | Failure, *, now: datetime) -> None:
    """Write what became of a POST, late or not: once, and only for commands that still point to this dispatch."""
    with change_statuses(by=CLOUDFLARE, now=now) as changes:
        # The dispatch first, as settle() does: two that lock in one order never wait for each other.
        dispatch = Dispatch.objects.select_for_update(no_key=True).get(id=claimed.dispatch.id)
        if dispatch.outcome not in (Dispatch.Outcome.OPEN, Dispatch.Outcome.UNKNOWN):
            return  # written before; the database went away when it should have said so
        if isinstance(answer, CreateResult):
            _record_created(changes, claimed, answer)
        else:
            _record_failure(changes, claimed, answer)
    if isinstance(answer, Rejected) and len(claimed.commands) > 1:
        # After the commit: who records a listing locks in the other order.
        schedule.schedule_listing_by(claimed.account.id, at=now, complete=True)
    log.info(
        "dispatch_ended",
        dispatch=str(claimed.dispatch.id),
        commands=len(claimed.commands),
        outcome="created" if isinstance(answer, CreateResult) else _outcome(answer),
        reason_code="" if isinstance(answer, CreateResult) else _reason_code(answer),
        error="" if isinstance(answer, CreateResult | NotPosted) else str(answer),
    )


def _end(dispatch: Dispatch, outcome: Dispatch.Outcome, now: datetime, **values: object) -> None:
    Dispatch.objects.filter(id=dispatch.id).update(outcome=outcome, ended_at=now, **values)


def _record_created(changes: StatusWriter, claimed: Claimed, answer: CreateResult) -> None:
    dispatch = claimed.dispatch
    pairing = pair(claimed.items(), [one for one in answer.created if has_room_for(one.id)])
    created = {claimed.commands[index].id: one for index, one in pairing.pairs}
    missing = [claimed.commands[index].id for index in pairing.missing]
    if pairing.unmatched:
        log.warning("answer_with_strangers", dispatch=str(dispatch.id), strangers=len(pairing.unmatched))
    takers = set(Command.objects.filter(dispatch=dispatch, remote_id="").values_list("id", flat=True))
    ids = {one.id: id_ for id_, one in created.items() if id_ in takers}
    merged = merge_imports(changes, claimed.account.id, ids)
    owned = _owned_by_others(claimed.account, created)
    heard = [
        RemoteUpdate(
            id_,
            one.id,
            max(remote_status(one.status) or Status.PENDING_EXEC, merged.get(one.id, Status.PENDING_EXEC), key=rank),
            one.status,
            created_at=answer.date,
        )
        for id_, one in created.items()
        if one.id not in owned
    ]
    moved = apply_remote_updates(changes, heard, where=Q(dispatch=dispatch, remote_id=""))
    _attach_late(changes, [one for one in heard if one.command_id not in moved], dispatch)
    changes.move(
        [*missing, *(id_ for id_, one in created.items() if one.id in owned)],
        to=Status.UNCERTAIN,
        by=PORTAL,
        reason_code=CommandReasonCode.NOT_IN_ANSWER,
        where=Q(dispatch=dispatch),
    )
    said = {} if dispatch.body.get("dialect") == answer.dialect else {"body": claimed.body(answer.dialect)}
    _end(dispatch, Dispatch.Outcome.CREATED, changes.now, http_status=200, **said)
    clients.remember_dialect(claimed.account, answer.dialect)
    rate_limit.clear_pause(claimed.account, Pause.Act.CREATE)


def _owned_by_others(account: Account, created: Mapping[UUID, Created]) -> set[str]:
    """Those of the answer's ids that another command of ours has already, adopted from a listing."""
    ids = [one.id for one in created.values()]
    others = Command.objects.ours().filter(account=account, remote_id__in=ids).exclude(id__in=list(created))
    return set(others.values_list("remote_id", flat=True))


def _attach_late(changes: StatusWriter, late: Sequence[RemoteUpdate], dispatch: Dispatch) -> None:
    """Commands that went further without the answer: they get their id if they have none, and an Event either way.

    One that was adopted with another id keeps it, for what it brought is known by it, but says "likely" from now on.
    """
    each_data = {one.command_id: {"remote_id": one.remote_id, "dispatch": str(dispatch.id)} for one in late}
    attached = changes.note(
        each_data,
        event=EventType.LATE_ANSWER,
        where=Q(dispatch=dispatch, remote_id="", status=Status.UNCONFIRMED),
        each={one.command_id: one.values() for one in late},
        each_data=each_data,
    )
    others = {id_: data for id_, data in each_data.items() if id_ not in attached}
    held = set(Command.objects.filter(id__in=list(others)).values_list("remote_id", flat=True))
    another = {one.command_id: {"match_uncertain": True} for one in late if one.remote_id not in held}
    changes.note(others, event=EventType.LATE_ANSWER, where=~Q(remote_id=""), each=another, each_data=others)


def _record_failure(changes: StatusWriter, claimed: Claimed, failure: Failure) -> None:
    dispatch, ids = claimed.dispatch, [command.id for command in claimed.commands]
    outcome = _outcome(failure)
    resumes = _rest(claimed, failure, changes.now)
    ours = Q(dispatch=dispatch, remote_id="")  # what a listing has an id for was created, whatever this answer says
    code, status = (failure.code, failure.status) if isinstance(failure, CloudflareError) else (0, 0)
    message = failure.remote_message if isinstance(failure, CloudflareError) else ""
    reason_code, data = _reason_code(failure), {"http_status": status or None, "code": code or None}
    if outcome is Dispatch.Outcome.REJECTED and len(ids) == 1:
        changes.move(ids, to=Status.REJECTED, reason_code=reason_code, remote_message=message, data=data, where=ours)
    elif outcome is Dispatch.Outcome.REJECTED:
        # What Cloudflare said is about one of them, and nobody knows which: the Dispatch keeps it, none of them does.
        # Nor whether the others were created: a complete listing tells, and then `reconcile.py` sends them again.
        changes.move(ids, to=Status.UNCERTAIN, by=PORTAL, reason_code=CommandReasonCode.REJECTED_TOGETHER, where=ours)
    elif outcome in (Dispatch.Outcome.SAID_NO, Dispatch.Outcome.UNKNOWN):
        changes.move(
            ids,
            to=Status.UNCERTAIN,
            by=PORTAL,
            reason_code=reason_code,
            remote_message=message,
            data=data,
            where=ours,
        )
    else:
        values: dict[str, object] = {"dispatch": None, "not_before": resumes}
        changes.move(
            ids,
            to=Status.QUEUED,
            reason_code=reason_code,
            remote_message=message,
            data=data,
            where=ours,
            values=values,
        )
    _end(
        dispatch,
        outcome,
        changes.now,
        reason_code=reason_code,
        remote_message=message[:MAX_MESSAGE],
        code=code if 0 < code <= MAX_CODE else None,
        http_status=status or None,
    )


def _outcome(failure: Failure) -> Dispatch.Outcome:
    """The contract's table "Can a POST be sent again?"."""
    match failure:
        case NotPosted() | NotNow() | NoCredential() | NotSent():
            return Dispatch.Outcome.NOT_SENT
        case Throttled():
            return Dispatch.Outcome.THROTTLED
        case Refused():
            return Dispatch.Outcome.REFUSED
        case Rejected():
            return Dispatch.Outcome.REJECTED
        case ReportedFailure():
            return Dispatch.Outcome.SAID_NO
        case _:
            return Dispatch.Outcome.UNKNOWN


_REASON_CODES: Sequence[tuple[type, CommandReasonCode]] = (
    (NotNow, CommandReasonCode.CALLS_USED_UP),
    (NoCredential, CommandReasonCode.NO_CREDENTIAL),
    (NotSent, CommandReasonCode.NOT_CONNECTED),
    (Throttled, CommandReasonCode.THROTTLED),
    (Refused, CommandReasonCode.ACCOUNT_REFUSED),
    (Rejected, CommandReasonCode.REJECTED),
    (ReportedFailure, CommandReasonCode.ERROR_IN_200),
    (Truncated, CommandReasonCode.UNREADABLE_ANSWER),
    (TooLarge, CommandReasonCode.UNREADABLE_ANSWER),
    (Unreadable, CommandReasonCode.UNREADABLE_ANSWER),
)


def _reason_code(failure: Failure) -> CommandReasonCode:
    if isinstance(failure, NotPosted):
        return failure.reason_code
    for kind, code in _REASON_CODES:
        if isinstance(failure, kind):
            return code
    has_status = isinstance(failure, OutcomeUnknown) and failure.status
    return CommandReasonCode.SERVER_ERROR if has_status else CommandReasonCode.NO_ANSWER


def _rest(claimed: Claimed, failure: Failure, now: datetime) -> datetime | None:
    """When what was not sent may be tried again; the pause that follows is written on the way."""
    if isinstance(failure, NotNow | NotPosted):
        return failure.until
    return clients.pause_after_error(claimed.account, Pause.Act.CREATE, failure, now=now)
