"""Pauses of one operation of an account: begun and extended after errors, ended by success.

An operation is paused alone: an account whose downloads are refused still sends and lists. Must not call Cloudflare.
"""

from collections.abc import Mapping
from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from commands import clock
from commands.actions.record import outbox
from commands.actions.upstream import rate_limit
from commands.actions.upstream.clients import NoCredential
from commands.cloudflare.errors import (
    CloudflareError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    Refused,
    Rejected,
    ReportedFailure,
    Throttled,
    TooLarge,
    TooManyPages,
    Truncated,
    Unreadable,
)
from commands.models import Account, Notification, Pause
from commands.rules.pauses import Operation, PauseCause, PauseReason

log = structlog.get_logger(__name__)

MAX_CODE = 2**31 - 1  # what the column holds; no code of Cloudflare's comes near it
MAX_MESSAGE = 300
MOST_ALERTS = 5  # emails about one refusal, if Cloudflare words it differently each time


def pause_after_error(
    account: Account, operation: Operation, error: CloudflareError | NoCredential, *, now: datetime
) -> datetime | None:
    """Begin or extend the pause that follows from an error: of the credential, of the operation, or none.

    Returns:
        The end of the pause, or None if the error is about one command or file and pauses nothing.
    """
    match error:
        case Throttled():
            assert account.credential_id is not None
            return rate_limit.pause_credential(
                account.credential_id, retry_after=error.retry_after, remote_message=error.remote_message
            )
        case NotFound() if operation == Operation.DOWNLOAD:
            return None  # the file is missing, not the account
        case NoCredential() | Refused() | NotSent() | OutcomeUnknown():
            return pause_operation(account, operation, cause_of(error), now=now)
        case _ if operation in (Operation.LIST, Operation.DIRECTORY):
            return pause_operation(account, operation, cause_of(error), now=now)
        case _:
            return None  # the request or the file was wrong, not the account


def cause_of(error: CloudflareError | NoCredential) -> PauseCause:
    """Return the reason code that an error stands for, with Cloudflare's message and codes."""
    if isinstance(error, NoCredential):
        return PauseCause(error.reason_code)
    code = error.code if 0 < error.code <= MAX_CODE else None
    return PauseCause(_reason_code(error), error.remote_message[:MAX_MESSAGE], error.status or None, code)


def _reason_code(error: CloudflareError) -> PauseReason:
    if error.names_credential and error.status != 403:  # the code of a 403 may also mean the account
        return PauseReason.CREDENTIAL_REFUSED
    if type(error) is Refused:
        return _REFUSALS.get(error.status, PauseReason.REDIRECTED)
    for error_type, reason in _REASONS.items():
        if isinstance(error, error_type):
            return reason
    return PauseReason.SERVER_ERROR if error.status else PauseReason.NO_RESPONSE


_REFUSALS: Mapping[int, PauseReason] = {401: PauseReason.CREDENTIAL_REFUSED, 403: PauseReason.ACCOUNT_REFUSED}
_REASONS: Mapping[type[CloudflareError], PauseReason] = {
    NotFound: PauseReason.NOT_FOUND,
    Throttled: PauseReason.RATE_LIMITED,
    NotSent: PauseReason.NOT_CONNECTED,
    ReportedFailure: PauseReason.REPORTED_FAILURE,
    Truncated: PauseReason.NO_RESPONSE,
    TooLarge: PauseReason.UNREADABLE_RESPONSE,
    Unreadable: PauseReason.UNREADABLE_RESPONSE,
    Rejected: PauseReason.UNEXPECTED_RESPONSE,
    TooManyPages: PauseReason.TOO_MANY_PAGES,
}


def pause_operation(account: Account, operation: Operation, cause: PauseCause, *, now: datetime) -> datetime:
    """Pause one operation of an account, longer with every failure in a row. Returns the end of the pause."""
    reason: dict[str, object] = {
        "reason_code": cause.reason_code,
        "remote_message": cause.remote_message,
        "http_status": cause.http_status,
        "code": cause.code,
        "refused": cause.is_refusal,
    }
    with transaction.atomic():
        row, is_created = Pause.objects.select_for_update().get_or_create(
            account=account, operation=operation, defaults={"until": now, "since": now, **reason}
        )
        is_new = is_created or rate_limit.is_long_over(row.until, now)
        failures = 1 if is_new else row.failures + 1
        length = min(settings.PAUSE_MAX, settings.PAUSE_BASE * 2 ** min(failures - 1, 10))
        until = now + (settings.PAUSE_MAX if cause.is_refusal else length)
        values: dict[str, object] = {"until": until, "failures": failures, **reason}
        values |= {"since": now} if is_new else {}
        Pause.objects.filter(pk=row.pk).update(**values)
        if is_new and _was_notified_long_ago(row, now):
            outbox.forget([row.pk])
        if cause.is_refusal:
            _enqueue_alert(row, cause, now)
    if is_new or row.refused != cause.is_refusal:
        log.warning(
            "pause_begins" if is_new else "pause_turns",
            account=str(account.id),
            operation=operation,
            refused=cause.is_refusal,
            reason_code=cause.reason_code,
            message=cause.remote_message,
        )
    return until


def _was_notified_long_ago(pause: Pause, now: datetime) -> bool:
    """Return True if administrators were last notified of this refusal more than a day ago.

    A refusal is not over because nothing was tried for a while. Otherwise every command of a day would be an email.
    """
    alerts = Notification.objects.filter(pause=pause)
    last = alerts.order_by(F("sent_at").desc(nulls_first=True)).values_list("sent_at", flat=True).first()
    return last is not None and last < now - settings.ALERT_REPEAT_AFTER


def _enqueue_alert(pause: Pause, cause: PauseCause, now: datetime) -> None:
    """Notify administrators of a refusal, once for each reason, and of few reasons if the message never repeats."""
    if Notification.objects.sent().filter(pause=pause, kind=Notification.Kind.REFUSED).count() >= MOST_ALERTS:
        return
    outbox.enqueue(
        kind=Notification.Kind.REFUSED,
        pause=pause,
        topic=f"{cause.reason_code} {cause.remote_message}",
        data={
            "operation": pause.operation,
            "reason_code": cause.reason_code,
            "remote_message": cause.remote_message,
            "code": cause.code,
        },
        now=now,
    )


def clear_pause(account: Account, operation: Operation) -> None:
    """End the pause of an operation that succeeded, if there is one, and a pause of the credential that is over."""
    if Pause.objects.filter(account=account, operation=operation).exists():
        with transaction.atomic():
            ended = delete_pauses(Pause.objects.filter(account=account, operation=operation))
        if any(pause.until > pause.since for pause in ended):
            log.info("pause_ends", account=str(account.id), operation=operation)
    rate_limit.end_credential_pause(account)


def delete_pauses(pauses: QuerySet[Pause]) -> list[Pause]:
    """Delete pauses, in a transaction of the caller. A refusal after this is news, also for the same reason."""
    rows = list(pauses.select_for_update().order_by("pk"))
    ids = [pause.pk for pause in rows]
    outbox.forget(ids)
    Pause.objects.filter(pk__in=ids).delete()
    return rows


def clear_pause_after_probe(pause: Pause) -> None:
    """End a refusal after a harmless call of the same operation succeeded, if nothing was refused meanwhile.

    The row stays, as a pause without length, because only a command or a file proves that the refusal is over. If
    Cloudflare accepts such calls but still refuses commands, administrators would otherwise get an email per command.
    """
    over = Pause.objects.filter(pk=pause.pk, until=pause.until, refused=True)
    if over.update(until=F("since"), refused=False):
        log.info("pause_ends", account=str(pause.account_id), operation=pause.operation, by="probe")


def active_pause(account: Account, operation: Operation, *, now: datetime) -> Pause | None:
    """Return the pause that forbids this operation now."""
    return Pause.objects.filter(account=account, operation=operation).exclude(clock.has_passed("until", now)).first()
