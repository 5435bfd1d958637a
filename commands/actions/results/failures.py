"""Record of a failed or interrupted attempt to fetch an artifact.

Every artifact ends in a named state: after three failures of its own, or a day after Cloudflare deleted it. An attempt
counts as no failure of the artifact if the cause concerns every artifact (an outage, a refused account), if it brought
more of the file, or if the worker was told to stop.
"""

from datetime import datetime

import structlog
from django.conf import settings

from commands.actions.listing import schedule
from commands.actions.record import leases
from commands.actions.record.transitions import MAX_MESSAGE, change_statuses
from commands.actions.results.spool import spool_path
from commands.actions.results.store import NotStored, error_detail
from commands.actions.upstream import pauses
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.artifacts.bundle import InvalidZip
from commands.audit import PORTAL
from commands.cloudflare.errors import (
    CloudflareError,
    DeadlineExceeded,
    NotFound,
    NotSent,
    OutcomeUnknown,
    Refused,
    Rejected,
    Throttled,
    TooLarge,
)
from commands.models import AccountSync, Artifact, Event, Pause
from commands.rules.artifact_reasons import NO_FAILURE, ArtifactReason
from commands.rules.events import EventType
from commands.rules.states import ArtifactStatus

log = structlog.get_logger(__name__)

MAX_REASONS_IN_HISTORY = 10  # of one artifact, before it ends

type Failure = CloudflareError | NotNow | NoCredential | InvalidZip | NotStored | OSError
FAILURES = (CloudflareError, NotNow, NoCredential, InvalidZip, NotStored, OSError)


def hand_back(artifact: Artifact, *, now: datetime) -> None:
    """Let the next worker continue the artifact at once. The attempt does not count."""
    reason = artifact.reason_code or ArtifactReason.WORKER_STOPPED
    values = {"reason_code": reason, **leases.released(attempts=artifact.attempts - 1)}
    with change_statuses(by=PORTAL, now=now) as changes:
        changes.move_artifact(
            artifact, to=ArtifactStatus.WANTED, where=leases.is_holder(artifact), values=values, tell=False
        )
    log.info("artifact_handed_back", artifact=str(artifact.id))


def record_failure(artifact: Artifact, failure: Failure, *, has_grown: bool, now: datetime) -> None:
    """Move the artifact back to `wanted`, or to the state in which it ends. `has_grown`: more of the file came."""
    reason, message = _reason(failure), _message(failure)
    if _is_refused_alone(artifact, failure):
        reason = ArtifactReason.FILE_REFUSED
    elif _is_unconfirmed_404(artifact, failure, now):
        reason = ArtifactReason.NOT_FOUND_UNCONFIRMED
    costs_nothing = has_grown or reason == ArtifactReason.NOT_FOUND_UNCONFIRMED or _concerns_every_file(failure, reason)
    to, values = _next_state(artifact, failure, now, costs_nothing=costs_nothing)
    if to == ArtifactStatus.REFUSED and is_past_retention(artifact, now):
        reason = ArtifactReason.DELETED_BEFORE_FETCHED
    if to != ArtifactStatus.WANTED:
        spool_path(artifact).unlink(missing_ok=True)
    elif isinstance(failure, NotFound):
        # A 404 counts only after a complete listing proves that the account still exists.
        schedule.schedule_listing_by(artifact.command.account_id, at=now, complete=True)
    values |= {"reason_code": reason, "remote_message": message}
    tell = to != ArtifactStatus.WANTED or _is_new_reason(artifact, reason, message)
    with change_statuses(by=PORTAL, now=now) as changes:
        changes.move_artifact(artifact, to=to, where=leases.is_holder(artifact), values=values, tell=tell)
    log.warning("artifact_not_fetched", artifact=str(artifact.id), status=to, reason=reason, message=message)


def is_past_retention(artifact: Artifact, now: datetime) -> bool:
    """Return whether Cloudflare deleted the file so long ago that waiting has no point."""
    return now >= artifact.deleted_remotely_at + settings.ARTIFACT_GIVE_UP


_REASONS: tuple[tuple[type[Exception], ArtifactReason], ...] = (
    (NotFound, ArtifactReason.NOT_FOUND),
    (Refused, ArtifactReason.ACCOUNT_REFUSED),
    (Throttled, ArtifactReason.RATE_LIMITED),
    (NotNow, ArtifactReason.RATE_LIMITED),
    (NoCredential, ArtifactReason.NO_CREDENTIAL),
    (NotSent, ArtifactReason.NOT_CONNECTED),
    (TooLarge, ArtifactReason.TOO_LARGE),
    (Rejected, ArtifactReason.REQUEST_REJECTED),
    (OSError, ArtifactReason.DISK_FAILED),
)
"""Reasons by type of failure. The first type that fits counts."""


def _reason(failure: Failure) -> ArtifactReason:
    if isinstance(failure, InvalidZip | NotStored):
        return failure.reason
    if isinstance(failure, CloudflareError) and failure.status >= 500:
        return ArtifactReason.SERVER_ERROR
    known = (reason for types, reason in _REASONS if isinstance(failure, types))
    return next(known, ArtifactReason.CONNECTION_BROKEN)


def _message(failure: Failure) -> str:
    """Return the text of the failing side: Cloudflare's own, the disk's or the storage's."""
    if isinstance(failure, CloudflareError):
        return failure.remote_message[:MAX_MESSAGE]
    if isinstance(failure, NotStored):
        return failure.detail[:MAX_MESSAGE]
    return error_detail(failure)[:MAX_MESSAGE] if isinstance(failure, OSError) else ""


def _is_new_reason(artifact: Artifact, reason: ArtifactReason, message: str) -> bool:
    """Return whether the history should have this reason: each once, and not too many of them.

    An outage is retried hundreds of times.
    """
    if (reason, message) == (artifact.reason_code, artifact.remote_message):
        return False
    waits = Event.objects.filter(
        command=artifact.command_id, event=EventType.ARTIFACT, data__artifact_status=ArtifactStatus.WANTED
    ).values_list("data", flat=True)
    known = [(data.get("reason_code", ""), data.get("remote_message", "")) for data in waits]
    return len(known) < MAX_REASONS_IN_HISTORY and (reason, message) not in known


def _next_state(
    artifact: Artifact, failure: Failure, now: datetime, *, costs_nothing: bool
) -> tuple[ArtifactStatus, dict[str, object]]:
    """Return the state that follows a failed attempt, and the columns that end the lease."""
    attempts = artifact.attempts - costs_nothing
    if isinstance(failure, NotFound) and (attempts >= settings.ATTEMPTS or artifact.deleted_remotely_at <= now):
        return ArtifactStatus.GONE, leases.released()
    if isinstance(failure, TooLarge):
        return ArtifactStatus.TOO_LARGE, leases.released()
    not_before = _not_before(artifact, failure, now, costs_nothing=costs_nothing)
    if attempts >= settings.ATTEMPTS or is_past_retention(artifact, now):
        return ArtifactStatus.REFUSED, leases.released()
    return ArtifactStatus.WANTED, leases.released(attempts=attempts, not_before=not_before)


def _not_before(artifact: Artifact, failure: Failure, now: datetime, *, costs_nothing: bool) -> datetime:
    """Return when to try again. A failure that concerns more than this file pauses the account's downloads."""
    if isinstance(failure, NotNow):
        return failure.until
    wait = settings.ARTIFACT_RETRIES[min(artifact.attempts, len(settings.ARTIFACT_RETRIES)) - 1]
    if isinstance(failure, NotFound) and costs_nothing and artifact.reason_code == ArtifactReason.NOT_FOUND_UNCONFIRMED:
        wait = settings.ARTIFACT_RETRIES[-1]  # the listing that the last attempt requested has not come yet
    # Only a person can fix a disk or bucket that takes no files, so there is no hurry.
    again: datetime = now + (settings.PAUSE_MAX if isinstance(failure, NotStored | OSError) else wait)
    if isinstance(failure, Refused) and not costs_nothing:
        return again
    if isinstance(failure, CloudflareError | NoCredential):
        resumes = pauses.pause_after_error(artifact.command.account, Pause.Operation.DOWNLOAD, failure, now=now)
        if resumes and isinstance(failure, OutcomeUnknown | Refused):
            # Another file goes first after the pause, because this one may be the only one that fails.
            resumes += settings.ARTIFACT_RETRIES[0]
        return max(again, resumes) if resumes else again
    return again


def _is_refused_alone(artifact: Artifact, failure: Failure) -> bool:
    """Return whether Cloudflare refused this file although the account's other files can be downloaded.

    `status_at` is from before the claim: the end of the attempt before this one.
    """
    if not isinstance(failure, Refused) or isinstance(failure, NotFound) or artifact.reason_code in NO_FAILURE:
        return False
    account_id = artifact.command.account_id
    return Artifact.objects.filter(command__account=account_id, stored_at__gt=artifact.status_at).exists()


def _is_unconfirmed_404(artifact: Artifact, failure: Failure, now: datetime) -> bool:
    """Return whether a 404 may mean that the whole account is missing.

    It may until a listing succeeds after the last attempt, or until Cloudflare's retention ends.
    """
    if not isinstance(failure, NotFound) or artifact.deleted_remotely_at <= now:
        return False
    account_id = artifact.command.account_id
    if Pause.objects.filter(account=account_id, operation=Pause.Operation.LIST, refused=True).exists():
        return True
    return not AccountSync.objects.filter(account=account_id, listed_at__gt=artifact.status_at).exists()


def _concerns_every_file(failure: Failure, reason: ArtifactReason) -> bool:
    """Return whether the failure would meet every file of the account, so that it costs this one no attempt."""
    if reason == ArtifactReason.FILE_REFUSED or isinstance(failure, NotFound):
        return False
    if isinstance(failure, CloudflareError) and failure.status >= 500:
        return True
    if type(failure) in (OutcomeUnknown, DeadlineExceeded):  # no response, or a broken connection
        return True
    return isinstance(failure, NotNow | NoCredential | NotSent | Throttled | Refused | NotStored | OSError)
