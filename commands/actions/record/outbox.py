"""Outbox of notifications: rows written in the transaction of the change that they report.

A change that is rolled back notifies nobody, and a committed one is not forgotten: workers send what is pending. Must
not decide who is notified, nor send anything: see `notifications/alerts.py` and `delivery.py`.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import sha256

from commands import clock
from commands.models import Notification, Pause
from commands.wakeup import wake


def enqueue(
    *,
    kind: Notification.Kind,
    pause: Pause,
    now: datetime,
    topic: str = "",
    data: Mapping[str, object] | None = None,
) -> bool:
    """Write one notification about a pause, in the transaction of the caller. False if it exists already.

    Notifications of one kind, pause and topic are the same message. A pending one of the same kind and pause with
    another topic is out of date and is replaced, unless it is being sent. The new one keeps the attempts of the old
    one, so that a mail server that is down is not tried more often.

    `topic` distinguishes messages of one kind about one pause. `data` holds codes and values for the text.
    """
    key = dedupe_key(kind, pause, topic)
    if Notification.objects.filter(dedupe_key=key).exists():
        return False
    replaced = Notification.objects.pending().filter(kind=kind, pause=pause)
    attempts, not_before = replaced.order_by("-attempts").values_list("attempts", "not_before").first() or (0, None)
    replaced.filter(clock.has_passed("lease_until", clock.database_now())).delete()
    Notification.objects.bulk_create(
        [
            Notification(
                kind=kind,
                account_id=pause.account_id,
                pause=pause,
                data=dict(data or {}),
                dedupe_key=key,
                created_at=now,
                attempts=attempts,
                not_before=not_before,
            )
        ],
        ignore_conflicts=True,
    )
    wake("commands.tasks.alerts_due")
    return True


def mark_known(*, kind: Notification.Kind, pause: Pause, now: datetime) -> None:
    """Store a notification as sent, in the transaction of the caller, because another email has said the same."""
    key = dedupe_key(kind, pause)
    rows = Notification.objects.filter(dedupe_key=key)
    if rows.exists():
        rows.pending().update(sent_at=now)
    else:
        Notification.objects.create(
            kind=kind, account_id=pause.account_id, pause=pause, dedupe_key=key, created_at=now, sent_at=now
        )


def dedupe_key(kind: Notification.Kind, pause: Pause, topic: str = "") -> str:
    """Return the key that two notifications share if they are the same message."""
    return f"{kind}:{pause.pk}:{sha256(topic.encode()).hexdigest()[:32]}"


def forget(pause_ids: Collection[int]) -> None:
    """Let the same messages be sent again, in the transaction of the caller. Pending ones are never sent."""
    rows = Notification.objects.filter(pause__in=pause_ids)
    rows.pending().delete()
    rows.update(pause=None, dedupe_key="")
