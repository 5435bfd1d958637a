"""Time-outs: leases that ran out, settle windows that closed, deadlines and expiry times that passed.

Nothing here calls Cloudflare. The listing looks for commands that may have been created, and a command that it has
looked for long enough gets its final status here. Only a command that Cloudflare refused, and does not list, goes back
to `queued`.
"""

from datetime import datetime

from django.conf import settings
from django.db.models import Q

from commands import clock
from commands.actions.administration import restore
from commands.actions.record import leases
from commands.actions.record.transitions import StatusWriter, Transition, change_statuses
from commands.actions.results.claim import fetchable_accounts
from commands.actions.sending import holds
from commands.audit import PORTAL
from commands.models import Artifact, Command, Dispatch
from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import UNSENT, ArtifactStatus, Status

LISTED = (Status.PENDING_EXEC, Status.PENDING_UPLOAD)
MOST = 1000  # rows of each kind in one transaction: the next call takes the rest


def settle(*, now: datetime) -> int:
    """Make every transition that is due by time, and return how many commands moved."""
    with change_statuses(by=PORTAL, now=now) as changes:
        db_now = clock.database_now()
        holds.hold_stale(changes, db_now=db_now)
        return (
            _leases_that_ran_out(changes, db_now)
            + _refused_together(changes)
            + _closed_windows(changes, db_now)
            + _silent(changes, db_now)
            + _too_late(changes, db_now)
            + _end_repeatedly_abandoned(changes, db_now)
            + _end_unreachable(changes, db_now)
            + restore.next_uncertain(changes)
        )


def _leases_that_ran_out(changes: StatusWriter, db_now: datetime) -> int:
    """End POSTs without a recorded answer: the worker died, or is late, and then its answer is still accepted."""
    _end_wrong_leases(db_now)
    dispatches = Dispatch.objects.filter(lease_until__lte=db_now, outcome=Dispatch.Outcome.OPEN)
    over = list(dispatches.select_for_update(skip_locked=True).order_by("id")[:MOST])
    if not over:
        return 0
    ids = Command.objects.filter(dispatch__in=over, status=Status.SENDING).values_list("id", flat=True)
    reason_code = CommandReasonCode.ANSWER_NOT_RECORDED
    moved = changes.write(Transition(id_, Status.UNCERTAIN, reason_code) for id_ in ids)
    Dispatch.objects.filter(id__in=[one.id for one in over], outcome=Dispatch.Outcome.OPEN).update(
        outcome=Dispatch.Outcome.UNKNOWN, ended_at=None, reason_code=reason_code
    )
    return len(moved)


def _end_wrong_leases(db_now: datetime) -> None:
    """End leases that a wrong clock wrote, so that nothing waits for them."""
    wrong = Command.objects.in_flight().filter(dispatch__lease_until__gt=db_now + settings.LONGEST_WAIT)
    ids = list(wrong.values_list("dispatch", flat=True)[:MOST])
    if ids:
        Dispatch.objects.filter(id__in=ids).update(lease_until=db_now)


def _refused_together(changes: StatusWriter) -> int:
    """Queue commands again, each alone, that were refused together and are in no complete listing since.

    A possible match in any listing, at any time, prevents it: no clock decides what is sent again.
    """
    refused = Q(status=Status.UNCERTAIN, remote_id="", dispatch__outcome=Dispatch.Outcome.REJECTED)
    refused &= Q(dispatch__ended_at__isnull=False)  # after a restore it is unknown what was sent since
    refused &= Q(missed_listings__gte=1, possible_match=False)
    ids = list(Command.objects.filter(refused).values_list("id", flat=True)[:MOST])
    values = {"dispatch": None, "send_alone": True, "not_before": None}
    alone = [Transition(id_, Status.QUEUED, CommandReasonCode.SENT_ALONE, values=values) for id_ in ids]
    # Checked again under the lock: another settle may have been first, and a worker may be sending it by now.
    return len(changes.write(alone, where=refused))


def _closed_windows(changes: StatusWriter, db_now: datetime) -> int:
    looked_for = Q(
        dispatch__lease_until__lte=db_now - settings.SETTLE_WINDOW, missed_listings__gte=settings.SETTLE_LISTINGS
    )
    long_ago = Q(dispatch__lease_until__lte=db_now - settings.SETTLE_WINDOW_MAX)
    closed = Command.objects.filter(looked_for | long_ago, status=Status.UNCERTAIN)
    # An error reported with status 200 is believed once listings confirm it. After a day without listings the outcome
    # is unknown. A command with an id was created, whatever the answer said. One with a possible match may have been.
    error_in_200 = looked_for & Q(dispatch__outcome=Dispatch.Outcome.ERROR_IN_200, remote_id="", possible_match=False)
    answers = closed.filter(error_in_200).values_list(
        "id", "dispatch__remote_message", "dispatch__http_status", "dispatch__code"
    )
    rejected = changes.write(
        [
            Transition(
                id_,
                Status.REJECTED,
                CommandReasonCode.ERROR_IN_200,
                message,
                data={"http_status": http_status, "code": code},
            )
            for id_, message, http_status, code in answers[:MOST]
        ],
        where=Q(status=Status.UNCERTAIN, remote_id="", possible_match=False),
    )
    silent = closed.exclude(error_in_200).values_list("id", flat=True)[:MOST]
    unconfirmed = changes.write(
        [Transition(id_, Status.UNCONFIRMED, CommandReasonCode.NOT_FOUND) for id_ in silent],
        where=Q(status=Status.UNCERTAIN),  # a command that was found since is running
    )
    return len(rejected) + len(unconfirmed)


def _silent(changes: StatusWriter, db_now: datetime) -> int:
    listed = Command.objects.shown().filter(status__in=LISTED)
    overdue = listed.filter(deadline_at__lte=db_now).values_list("id", flat=True)[:MOST]
    reason_code = CommandReasonCode.NO_RESULT_REPORTED
    return len(changes.write(Transition(id_, Status.UNCONFIRMED, reason_code) for id_ in overdue))


def _too_late(changes: StatusWriter, db_now: datetime) -> int:
    late = Command.objects.filter(status__in=UNSENT, dispatch=None, expires_at__lte=db_now)
    ids = late.values_list("id", flat=True)[:MOST]
    return len(changes.write(Transition(id_, Status.EXPIRED, CommandReasonCode.NOT_SENT_IN_TIME) for id_ in ids))


def _end_repeatedly_abandoned(changes: StatusWriter, db_now: datetime) -> int:
    """End artifacts whose download ended every worker that tried. No command moves for it, so the count is 0."""
    tried = Artifact.objects.filter(status=ArtifactStatus.FETCHING, attempts__gte=settings.ATTEMPTS)
    for artifact in tried.filter(clock.has_passed("lease_until", db_now)).order_by("id")[:MOST]:
        _end_artifact(changes, artifact, db_now, ArtifactReason.WORKERS_DIED)
    return 0


def _end_unreachable(changes: StatusWriter, db_now: datetime) -> int:
    """End artifacts that Cloudflare deleted while their account was retired or paused. No command moves for it.

    Artifacts of the other accounts get one more attempt, and that attempt decides their state.
    """
    waiting = Q(status=ArtifactStatus.WANTED) | Q(
        clock.has_passed("lease_until", db_now), status=ArtifactStatus.FETCHING
    )
    over = Artifact.objects.filter(waiting, deleted_remotely_at__lte=db_now - settings.ARTIFACT_GIVE_UP)
    for artifact in over.exclude(command__account__in=fetchable_accounts(db_now)).order_by("id")[:MOST]:
        _end_artifact(changes, artifact, db_now, ArtifactReason.DELETED_BEFORE_FETCHED)
    return 0


def _end_artifact(changes: StatusWriter, artifact: Artifact, db_now: datetime, reason: ArtifactReason) -> None:
    """Move the artifact to `refused`, unless a late worker has renewed its lease meanwhile: then it stores the file."""
    idle = leases.is_holder(artifact) & clock.has_passed("lease_until", db_now)
    values = {"reason_code": reason, **leases.released()}
    if changes.move_artifact(artifact, to=ArtifactStatus.REFUSED, where=idle, values=values):
        changes.log_lines.append({"outcome": "artifact_not_fetched", "artifact": str(artifact.id), "reason": reason})
