"""Outbox of notifications: written with the change, once for each message."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from commands.actions.record import outbox
from commands.models import Account, Notification, Pause
from tests.people import make_account
from tests.rows import make_pause

pytestmark = pytest.mark.django_db

KIND = Notification.Kind.REFUSED


@pytest.fixture
def pause() -> Pause:
    account: Account = make_account()
    return make_pause(account, refused=True)


def _enqueue(pause: Pause, topic: str) -> bool:
    return outbox.enqueue(kind=KIND, pause=pause, topic=topic, data={"topic": topic}, now=timezone.now())


def _topics() -> list[str]:
    return [notification.data["topic"] for notification in Notification.objects.order_by("id")]


def test_change_that_is_rolled_back_leaves_no_notification(pause: Pause) -> None:
    def fail() -> None:
        with transaction.atomic():
            assert _enqueue(pause, "one")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _topics() == []


def test_same_message_is_enqueued_once_also_after_it_was_sent(pause: Pause) -> None:
    assert _enqueue(pause, "one")
    assert not _enqueue(pause, "one")
    Notification.objects.update(sent_at=timezone.now())
    assert not _enqueue(pause, "one")
    assert _topics() == ["one"]


def test_newer_message_replaces_a_pending_one_and_keeps_its_attempts(pause: Pause) -> None:
    assert _enqueue(pause, "one")
    later = timezone.now()
    Notification.objects.update(attempts=3, not_before=later)
    assert _enqueue(pause, "two")
    assert _topics() == ["two"]
    notification = Notification.objects.get()
    assert (notification.attempts, notification.not_before) == (3, later)


def test_newer_message_leaves_one_alone_that_is_being_sent(pause: Pause) -> None:
    assert _enqueue(pause, "one")
    Notification.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    assert _enqueue(pause, "two")
    assert _topics() == ["one", "two"]


def test_forgotten_messages_can_be_enqueued_again_and_pending_ones_are_dropped(pause: Pause) -> None:
    assert _enqueue(pause, "one")
    Notification.objects.update(sent_at=timezone.now())
    assert _enqueue(pause, "two")
    outbox.forget([pause.pk])
    assert _topics() == ["one"]
    assert _enqueue(pause, "one")
    assert _topics() == ["one", "one"]


def test_message_that_people_know_already_is_stored_as_sent(pause: Pause) -> None:
    kind = Notification.Kind.RESULTS_EXPIRING
    assert outbox.enqueue(kind=kind, pause=pause, now=timezone.now())
    outbox.mark_known(kind=kind, pause=pause, now=timezone.now())
    assert not Notification.objects.pending().exists()
    Notification.objects.all().delete()
    outbox.mark_known(kind=kind, pause=pause, now=timezone.now())
    assert Notification.objects.sent().count() == 1
