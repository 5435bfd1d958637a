"""Sending of pending notifications by email, one worker at a time for each.

A mail server that is down is tried quickly at first, then hourly, for as long as the notification is due. Without a
recipient it is tried hourly too, because somebody may get an address. Must not decide what is due: see `alerts.py`.
"""

from datetime import datetime

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from commands import clock
from commands.actions.notifications import alerts
from commands.actions.notifications.alerts import Decision
from commands.actions.record import leases, outbox
from commands.models import Notification, Pause

log = structlog.get_logger(__name__)


def send_due_alerts(*, now: datetime) -> int:
    """Send what is due, and return how many emails went out."""
    sent = _send_pending(now)
    if alerts.enqueue_expiring_results(now=now):
        sent += _send_pending(now)
    return sent


def _send_pending(now: datetime) -> int:
    sent = 0
    while (notification := leases.take(alerts.due(), lasting=settings.MAIL_LEASE)) is not None:
        sent += _send(notification, now)
    return sent


def _send(notification: Notification, now: datetime) -> bool:
    match alerts.decide(notification, now=now):
        case Decision.OUTDATED:
            Notification.objects.filter(leases.is_holder(notification)).delete()
            return False
        case Decision.ALREADY_KNOWN:
            _mark_sent(notification, now, lists_results=False)
            return False
    account = notification.account
    people = alerts.recipients(account)
    if not people:
        log.error("nobody_to_notify", account=str(account.id), kind=notification.kind, **notification.data)
        again = clock.database_now() + settings.LONGEST_WAIT
        leases.hand_back(notification, attempts=notification.attempts - 1, not_before=again)
        return False
    email = alerts.email(notification, now=now)
    try:
        EmailMessage(email.subject, email.body, to=[person.email for person in people]).send()
    except (OSError, ValueError) as problem:  # SMTP's own errors are OSErrors
        _postpone(notification, problem)
        return False
    _mark_sent(notification, now, lists_results=email.lists_results)
    log.info("administrators_notified", account=str(account.id), kind=notification.kind, people=len(people))
    return True


def _mark_sent(notification: Notification, now: datetime, *, lists_results: bool) -> None:
    """Mark as sent. If the email listed expiring results, no other email needs to say so during this pause."""
    with transaction.atomic():
        # The pause is locked before its notifications, here as everywhere else.
        pause = Pause.objects.select_for_update().filter(notifications=notification.pk).first()
        Notification.objects.filter(leases.is_holder(notification)).update(sent_at=now, **leases.released())
        if pause is not None and lists_results:
            outbox.mark_known(kind=Notification.Kind.RESULTS_EXPIRING, pause=pause, now=now)


def _postpone(notification: Notification, problem: Exception) -> None:
    is_quick = notification.attempts < settings.MAIL_ATTEMPTS
    wait = settings.MAIL_RETRY * 2 ** (notification.attempts - 1) if is_quick else settings.LONGEST_WAIT
    again = clock.database_now() + wait
    leases.hand_back(notification, attempts=notification.attempts, not_before=again)
    log.error(
        "administrators_not_notified",
        account=str(notification.account_id),
        problem=repr(problem),
        attempt=notification.attempts,
        again=again.isoformat(),
    )
