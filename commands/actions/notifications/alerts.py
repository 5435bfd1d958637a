"""Alerts for the administrators of an account: which pending notifications are due, and what their email says.

Cloudflare refuses an operation: one email for each reason. Cloudflare is about to delete results that cannot be
downloaded: one more. An email names no person and no device, because administering an account does not include seeing
its commands. Must not send anything, nor decide what a refusal stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse

from commands.access import administrators_of
from commands.actions.record import outbox
from commands.models import Account, Artifact, Command, Notification, Pause, User
from commands.rules.kinds import SPECS, Kind
from commands.rules.pauses import Operation
from commands.rules.states import Status
from commands.rules.wording import notifications as wording
from commands.rules.wording import sentence
from commands.rules.wording.notifications import EmailSubject
from commands.rules.wording.pauses import OPERATIONS, join_operations

LISTED_RESULTS = 20
TEMPLATE = "commands/email/alert.txt"


class Decision(Enum):
    """Decision about a pending notification."""

    SEND = auto()
    ALREADY_KNOWN = auto()  # another email said the same
    OUTDATED = auto()


@dataclass(frozen=True, slots=True)
class Email:
    subject: str
    body: str
    lists_results: bool


@dataclass(frozen=True, slots=True)
class PauseLine:
    operation: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ResultLine:
    kind: str
    deleted_at: datetime
    url: str


def due() -> QuerySet[Notification]:
    """Return the pending notifications of active accounts whose pause is still a refusal, oldest first."""
    pending = Notification.objects.pending().filter(account__in=Account.objects.active(), pause__refused=True)
    return pending.order_by("created_at", "id")


def enqueue_expiring_results(*, now: datetime) -> int:
    """Write a notification for each account with refused downloads of results that Cloudflare deletes soon.

    No change of ours makes results expire, so that this is called regularly. An email about a refusal lists them too:
    while one is pending, no other is needed.
    """
    expiring = Artifact.objects.expiring(now).filter(command__account=OuterRef("account"))
    alerts = Notification.objects.filter(account=OuterRef("account"), pause__refused=True)
    rows = Pause.objects.filter(
        Exists(expiring),
        ~Exists(alerts.pending().filter(kind=Notification.Kind.REFUSED)),
        ~Exists(Notification.objects.about_pause().filter(kind=Notification.Kind.RESULTS_EXPIRING)),
        operation=Operation.DOWNLOAD,
        refused=True,
        account__in=Account.objects.active(),
    )
    enqueued = 0
    for pk in list(rows.order_by("id").values_list("pk", flat=True)):
        with transaction.atomic():
            pause = Pause.objects.select_for_update().filter(pk=pk, refused=True).first()
            if pause is not None:
                enqueued += outbox.enqueue(kind=Notification.Kind.RESULTS_EXPIRING, pause=pause, now=now)
    return enqueued


def decide(notification: Notification, *, now: datetime) -> Decision:
    """Decide on a pending notification whose account and pause are loaded."""
    if notification.kind == Notification.Kind.RESULTS_EXPIRING:
        return _decide_on_results(notification, now)
    pause, data = notification.pause, notification.data
    assert pause is not None
    if (pause.reason_code, pause.remote_message) != (data["reason_code"], data["remote_message"]):
        return Decision.OUTDATED  # the present reason has a notification of its own
    # An invalid token stops every operation within minutes, and that is one piece of news. A refusal from long ago that
    # nothing has tried since is another one.
    others = Notification.objects.sent().filter(
        kind=notification.kind,
        account=notification.account_id,
        pause__refused=True,
        pause__until__gte=now - settings.PAUSE_MAX,
        data__reason_code=data["reason_code"],
        data__remote_message=data["remote_message"],
    )
    return Decision.ALREADY_KNOWN if others.exclude(pause=pause).exists() else Decision.SEND


def _decide_on_results(notification: Notification, now: datetime) -> Decision:
    if not Artifact.objects.expiring(now).filter(command__account=notification.account_id).exists():
        return Decision.OUTDATED
    sent = Notification.objects.sent().filter(
        kind=notification.kind, account=notification.account_id, pause__refused=True
    )
    return Decision.ALREADY_KNOWN if sent.exists() else Decision.SEND


def recipients(account: Account) -> list[User]:
    """Return the active people with an email address whose groups may administer the account."""
    return list(administrators_of(account).distinct().order_by("id"))


def email(notification: Notification, *, now: datetime) -> Email:
    """Write the email from the present state of the account: all its refusals, and the results about to be lost."""
    account = notification.account
    results_first = notification.kind == Notification.Kind.RESULTS_EXPIRING
    refused = list(Pause.objects.filter(account=account, refused=True).order_by("since", "id"))
    no_credential = [pause for pause in refused if pause.is_credential_problem]
    by_cloudflare = [pause for pause in refused if not pause.is_credential_problem]
    expiring = Artifact.objects.expiring(now).filter(command__account=account)
    count = expiring.count()
    context: dict[str, Any] = {
        "account": account,
        "no_credential": _lines(no_credential),
        "by_cloudflare": _lines(by_cloudflare),
        "queued": Command.objects.filter(account=account, status=Status.QUEUED, dispatch=None).count(),
        "expiring": count,
        "results": _results(expiring) if count or results_first else [],
        "results_first": results_first,
        "url": f"{settings.SITE_URL}{reverse('status')}",
    }
    if results_first:
        subject = sentence(wording.SUBJECTS, EmailSubject.RESULTS_EXPIRING, account=account.name, count=count)
    else:
        code = EmailSubject.REFUSED if by_cloudflare else EmailSubject.NO_CREDENTIAL
        operations = join_operations(Operation(pause.operation) for pause in by_cloudflare or no_credential)
        subject = sentence(wording.SUBJECTS, code, account=account.name, operations=operations)
    return Email(subject, render_to_string(TEMPLATE, context), lists_results=bool(count))


def _lines(pauses: Sequence[Pause]) -> list[PauseLine]:
    return [PauseLine(sentence(OPERATIONS, Operation(one.operation)), one.since, one.reason) for one in pauses]


def _results(expiring: QuerySet[Artifact]) -> list[ResultLine]:
    rows = expiring.select_related("command").order_by("deleted_remotely_at", "id")[:LISTED_RESULTS]
    return [ResultLine(_kind(row.command.kind), row.deleted_remotely_at, _address(row.command)) for row in rows]


def _kind(kind: str) -> str:
    return SPECS[Kind(kind)].label if kind in set(Kind) else kind


def _address(command: Command) -> str:
    return f"{settings.SITE_URL}{reverse('command', args=[command.id])}"
