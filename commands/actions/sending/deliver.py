"""Delivery of queued commands: claim (`claim.py`), POST, record. Each POST is a Dispatch, and no POST is sent twice.

The claim commits before a byte leaves, with a lease that outlives the POST's own deadline. The answer is recorded only
for commands that still point to the dispatch, also if it comes late. Commands that were certainly not sent go back to
`queued`. Commands that may have been created become `uncertain`, and the listing decides (`sync.py`, `settle.py`).
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

from commands import clock
from commands.actions.listing import schedule
from commands.actions.record import leases
from commands.actions.record.remote_updates import (
    apply_remote_updates,
    columns_of,
    has_room_for,
    merge_imports,
    remote_status,
)
from commands.actions.record.transitions import MAX_MESSAGE, StatusWriter, Transition, Values, change_statuses
from commands.actions.sending.claim import Claimed, claim
from commands.actions.upstream import clients, pauses, quota
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.audit import CLOUDFLARE, PORTAL, By
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
from commands.rules.listed_command import ListedCommand
from commands.rules.matching import Advance
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import Status, rank

log = structlog.get_logger(__name__)

MAX_CODE = 2**31 - 1  # the column's largest number, far above any code of Cloudflare's


@dataclass(frozen=True, slots=True)
class NotPosted:
    """POST that was never begun, and why. The commands may be sent again from `until` on."""

    until: datetime
    reason_code: CommandReasonCode


type Failure = CloudflareError | NotNow | NoCredential | NotPosted


def deliver(account: Account, *, now: datetime) -> bool:
    """Send one POST of the account's queued commands. Return False if there was nothing to send."""
    quota.refresh_after_reset(account, now=now)
    claimed = claim(account, now=now)
    if claimed is None:
        return False
    answer = post(claimed)

    def write() -> None:
        # The end too has the database's time, so that the time spent waiting for the claim is not counted.
        record(claimed, answer, now=clock.database_now())

    leases.retry_while_database_is_down(write, until=claimed.began + settings.DISPATCH_LEASE.total_seconds())
    return True


def post(claimed: Claimed) -> CreateResult | Failure:
    """Send the POST, outside of any transaction. A failure is returned, not raised."""
    try:
        if _too_late(claimed):
            return NotPosted(claimed.dispatch.claimed_at, CommandReasonCode.WORKER_DELAYED)
        with clients.client_for(claimed.account) as client:
            return client.create(claimed.items())
    except (CloudflareError, NotNow, NoCredential) as failure:
        return failure
    except leases.DATABASE_DOWN:  # raised by the clock or the rate limit, and so before a byte leaves
        connection.close()
        return NotPosted(claimed.dispatch.claimed_at, CommandReasonCode.DATABASE_DOWN)


def _too_late(claimed: Claimed) -> bool:
    """Return whether too much of the lease is gone to begin, by the database's clock or by this process's."""
    by_clock = (clock.database_now() - claimed.dispatch.claimed_at).total_seconds()
    gone = max(by_clock, time.monotonic() - claimed.began)
    return gone > settings.DISPATCH_LEASE.total_seconds() * settings.DISPATCH_START_SHARE


def record(claimed: Claimed, answer: CreateResult | Failure, *, now: datetime) -> None:
    """Record the result of a POST, late or not: once, and only for commands that still point to this dispatch."""
    with change_statuses(by=CLOUDFLARE, now=now) as changes:
        # Lock the dispatch first, as settle() does: with one order of locks, two workers never wait for each other.
        dispatch = Dispatch.objects.select_for_update(no_key=True).get(id=claimed.dispatch.id)
        if dispatch.outcome not in (Dispatch.Outcome.OPEN, Dispatch.Outcome.UNKNOWN):
            return  # recorded before, although the database went down before it confirmed that
        if isinstance(answer, CreateResult):
            _record_created(changes, claimed, answer)
        else:
            _record_failure(changes, claimed, answer)
    if isinstance(answer, Rejected) and len(claimed.commands) > 1:
        # After the commit, because the worker that records a listing locks in the other order.
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
        log.warning("unexpected_commands_in_answer", dispatch=str(dispatch.id), strangers=len(pairing.unmatched))
    takers = set(Command.objects.filter(dispatch=dispatch, remote_id="").values_list("id", flat=True))
    ids = {one.id: id_ for id_, one in created.items() if id_ in takers}
    merged = merge_imports(changes, claimed.account.id, ids)
    owned = _owned_by_others(claimed.account, created)
    updates = [
        Advance(_as_listed(one, answer.date), id_, _status_of(one, merged))
        for id_, one in created.items()
        if one.id not in owned
    ]
    moved = apply_remote_updates(changes, updates, where=Q(dispatch=dispatch, remote_id=""))
    _attach_late(changes, [update for update in updates if update.ours_id not in moved], dispatch)
    not_named = [*missing, *(id_ for id_, one in created.items() if one.id in owned)]
    changes.write(
        [Transition(id_, Status.UNCERTAIN, CommandReasonCode.NOT_IN_ANSWER, by=PORTAL) for id_ in not_named],
        where=Q(dispatch=dispatch),
    )
    body = {} if dispatch.body.get("dialect") == answer.dialect else {"body": claimed.body(answer.dialect)}
    _end(dispatch, Dispatch.Outcome.CREATED, changes.now, http_status=200, **body)
    clients.remember_dialect(claimed.account, answer.dialect)
    pauses.clear_pause(claimed.account, Pause.Operation.CREATE)


def _as_listed(created: Created, date: datetime | None) -> ListedCommand:
    """Return the row that a listing of this moment would have."""
    return ListedCommand(
        created.id, created.kind, created.status, created.device_id, created.registration_id, created_date=date
    )


def _status_of(created: Created, merged: Mapping[str, Status]) -> Status:
    """Return the further status of two: that of the answer, and that of a merged import from a listing."""
    reported = remote_status(created.status) or Status.PENDING_EXEC
    return max(reported, merged.get(created.id, Status.PENDING_EXEC), key=rank)


def _owned_by_others(account: Account, created: Mapping[UUID, Created]) -> set[str]:
    """Return the ids of the answer that another command of ours has adopted from a listing."""
    ids = [one.id for one in created.values()]
    others = Command.objects.ours().filter(account=account, remote_id__in=ids).exclude(id__in=list(created))
    return set(others.values_list("remote_id", flat=True))


def _attach_late(changes: StatusWriter, late: Sequence[Advance], dispatch: Dispatch) -> None:
    """Attach the ids to commands that went further without the answer, and write an Event either way.

    A command that was adopted with another id keeps that id, because its result is known by it. From now on its match
    is uncertain.
    """

    def late_answer(update: Advance, values: Values) -> Transition:
        data = {"remote_id": update.row.id, "dispatch": str(dispatch.id)}
        return Transition(update.ours_id, event=EventType.LATE_ANSWER, values=values, data=data)

    unconfirmed = Q(dispatch=dispatch, remote_id="", status=Status.UNCONFIRMED)
    attached = changes.write([late_answer(update, columns_of(update)) for update in late], where=unconfirmed)
    others = [update for update in late if update.ours_id not in attached]
    ids = [update.ours_id for update in others]
    known_ids = set(Command.objects.filter(id__in=ids).values_list("remote_id", flat=True))
    changes.write(
        [late_answer(one, {} if one.row.id in known_ids else {"match_uncertain": True}) for one in others],
        where=~Q(remote_id=""),
    )


@dataclass(frozen=True, slots=True)
class _Reason:
    """Reason for a failed POST: our code, Cloudflare's codes and Cloudflare's message."""

    code: CommandReasonCode
    remote_message: str = ""
    remote_code: int = 0
    http_status: int = 0

    @property
    def event_data(self) -> Values:
        return {"http_status": self.http_status or None, "code": self.remote_code or None}


def _reason(failure: Failure) -> _Reason:
    if isinstance(failure, CloudflareError):
        return _Reason(_reason_code(failure), failure.remote_message, failure.code, failure.status)
    return _Reason(_reason_code(failure))


def _record_failure(changes: StatusWriter, claimed: Claimed, failure: Failure) -> None:
    dispatch, outcome, reason = claimed.dispatch, _outcome(failure), _reason(failure)
    resumes = _pause_after(claimed, failure, changes.now)
    ours = Q(dispatch=dispatch, remote_id="")  # a command with an id was created, whatever this answer says
    changes.write(_transitions(claimed, outcome, reason, resumes), where=ours)
    _end(
        dispatch,
        outcome,
        changes.now,
        reason_code=reason.code,
        remote_message=reason.remote_message[:MAX_MESSAGE],
        code=reason.remote_code if 0 < reason.remote_code <= MAX_CODE else None,
        http_status=reason.http_status or None,
    )


def _transitions(
    claimed: Claimed, outcome: Dispatch.Outcome, reason: _Reason, resumes: datetime | None
) -> list[Transition]:
    """Return where the commands go after a failed POST."""
    to, by = _AFTER_FAILURE.get(outcome, (Status.QUEUED, CLOUDFLARE))
    if outcome is Dispatch.Outcome.REJECTED and len(claimed.commands) > 1:
        # Cloudflare's message is about one of the commands, and nobody knows which: only the Dispatch keeps it. Nor is
        # it known whether the others were created: a complete listing shows that, and then `settle.py` sends them.
        to, by, reason = Status.UNCERTAIN, PORTAL, _Reason(CommandReasonCode.REJECTED_TOGETHER)
    values: Values = {"dispatch": None, "not_before": resumes} if to is Status.QUEUED else {}
    data = reason.event_data
    return [
        Transition(command.id, to, reason.code, reason.remote_message, values=values, data=data, by=by)
        for command in claimed.commands
    ]


_AFTER_FAILURE: Mapping[Dispatch.Outcome, tuple[Status, By]] = {
    Dispatch.Outcome.REJECTED: (Status.REJECTED, CLOUDFLARE),
    Dispatch.Outcome.ERROR_IN_200: (Status.UNCERTAIN, PORTAL),
    Dispatch.Outcome.UNKNOWN: (Status.UNCERTAIN, PORTAL),
}
"""Where a command goes that was alone in its POST, or whose POST was not rejected. Others were not sent: `queued`."""


def _outcome(failure: Failure) -> Dispatch.Outcome:
    """Return the outcome by the contract's table "Can a POST be sent again?"."""
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
            return Dispatch.Outcome.ERROR_IN_200
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


def _pause_after(claimed: Claimed, failure: Failure, now: datetime) -> datetime | None:
    """Pause what the failure calls for, and return when a command that was not sent may be tried again."""
    if isinstance(failure, NotNow | NotPosted):
        return failure.until
    return pauses.pause_after_error(claimed.account, Pause.Operation.CREATE, failure, now=now)
