"""Emails about refusals: once for each reason, to the administrators of the account."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test.utils import CaptureQueriesContext

from commands.actions.administration import accounts
from commands.actions.notifications import alerts
from commands.actions.notifications.delivery import send_due_alerts
from commands.actions.results.fetch import collect as collect_one
from commands.actions.upstream import pauses
from commands.models import Artifact, Notification, Pause, User
from commands.rules.pauses import Operation, PauseCause, PauseReason
from tests.actions.racing import race
from tests.actions.world import QUICK_END, World, refusal
from tests.people import make_account, make_group, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail_in_memory(settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}


def _admin(name: str = "ada") -> None:
    make_person(name, "admin")


def _pending() -> list[str]:
    return list(Notification.objects.pending().values_list("kind", flat=True))


def _refuse(world: World, message: str) -> None:
    """Refuse sending, with this message of Cloudflare's."""
    cause = PauseCause(PauseReason.ACCOUNT_REFUSED, message, 403, 10000)
    pauses.pause_operation(world.account, Operation.CREATE, cause, now=world.now)


def test_refusal_is_emailed_once_with_waiting_commands_and_expiring_results(world: World) -> None:
    _admin()
    wanted = world.sent()
    world.forward(QUICK_END)
    world.sync()
    world.forward(days=6, hours=12)
    world.request(devices=[world.device("linux")])
    world.faults(refusal("create"))
    world.deliver()
    assert send_due_alerts(now=world.now) == 1
    (email,) = mail.outbox
    assert email.to == ["ada@example.com"]
    expected = (
        "CODES HTTP_STATUS 403, CODE 10000",
        "waiting to be sent: 1",
        "not downloaded yet: 1",
        f"/commands/{wanted.id}/",
    )
    for words in (*expected, "/status/"):
        assert words in email.body
    assert wanted.email not in email.body
    world.forward(minutes=6)
    world.deliver()
    assert send_due_alerts(now=world.now) == 0
    assert len(mail.outbox) == 1
    assert _pending() == []


def test_same_refusal_of_another_operation_sends_no_second_email(world: World) -> None:
    _admin()
    world.request()
    world.faults(refusal(""))
    world.deliver()
    send_due_alerts(now=world.now)
    world.sync()
    assert _pending() == ["refused"]
    assert send_due_alerts(now=world.now) == 0
    assert set(world.pauses()) >= {"create", "list"}
    assert (len(mail.outbox), _pending()) == (1, [])


def test_same_refusal_is_emailed_if_the_earlier_one_was_not_tried_for_long(world: World) -> None:
    _admin()
    world.sent()
    world.forward(QUICK_END)
    world.sync()
    world.faults(refusal("download"), refusal("fallback_download"))
    assert collect_one(now=lambda: world.now)
    assert send_due_alerts(now=world.now) == 1
    Artifact.objects.all().delete()
    world.forward(days=20)
    world.request(devices=[world.device("linux")])
    world.faults(refusal("create"))
    assert world.deliver()
    assert {(pause.reason_code, pause.remote_message) for pause in world.pauses().values()} == {
        ("account_refused", world.pauses()["create"].remote_message)
    }
    assert send_due_alerts(now=world.now) == 1


def test_email_says_that_further_refusals_for_the_same_reason_send_no_email(world: World) -> None:
    _admin()
    _try_one(world, "create")
    send_due_alerts(now=world.now)
    body = " ".join(mail.outbox[-1].body.split())
    for words in ("Only the items above are paused.", "you won't get another email", "every few minutes"):
        assert words in body


def test_refusal_after_a_success_is_emailed_again(world: World) -> None:
    _admin()
    world.request()
    world.faults(refusal("create"))
    world.deliver()
    send_due_alerts(now=world.now)
    world.heal()
    world.forward(minutes=6)
    assert world.deliver()
    world.request(devices=[world.device("linux")])
    world.faults(refusal("create"))
    assert world.deliver()
    assert send_due_alerts(now=world.now) == 1
    assert len(mail.outbox) == 2


def _try_one(world: World, call: str, status: int = 403) -> None:
    """Request one command, which Cloudflare refuses."""
    world.request(devices=[world.device("linux")])
    world.faults(refusal(call, status))
    assert world.deliver()


def test_lasting_refusal_is_one_email_for_any_number_of_commands(world: World) -> None:
    _admin()
    emails = []
    for _ in range(8):
        _try_one(world, "create")
        send_due_alerts(now=world.now)
        emails.append(len(mail.outbox))
        pause = world.pauses()["create"]
        assert world.now - pause.since < timedelta(minutes=1), "a new pause, which holds no command back"
        world.forward(hours=2)
    assert emails == [1] * 8


def test_refusal_that_nothing_met_for_a_day_is_emailed_again(world: World) -> None:
    _admin()
    _try_one(world, "create")
    assert send_due_alerts(now=world.now) == 1
    world.forward(hours=25)
    _try_one(world, "create")
    assert send_due_alerts(now=world.now) == 1


def test_other_reasons_are_emailed_once_each(world: World) -> None:
    _admin()
    world.request()
    world.faults(refusal("", 401))
    world.sync()
    assert send_due_alerts(now=world.now) == 1
    assert world.deliver()
    assert send_due_alerts(now=world.now) == 0
    emails = []
    for status in (403, 403, 401, 403):
        world.forward(minutes=5, seconds=1)
        _try_one(world, "create", status)
        assert world.pauses()["create"].http_status == status
        emails.append(send_due_alerts(now=world.now))
        assert _pending() == []
    assert emails == [1, 0, 0, 0]
    assert "CODES HTTP_STATUS 403, CODE 10000" in mail.outbox[-1].body


def test_message_that_always_differs_is_not_emailed_for_ever(world: World) -> None:
    _admin()
    for number in range(20):
        _refuse(world, f"No. (ray {number})")
        send_due_alerts(now=world.now)
        world.forward(minutes=5)
    assert len(mail.outbox) == pauses.MOST_ALERTS
    assert _pending() == []
    assert Notification.objects.count() == pauses.MOST_ALERTS


def test_message_that_changes_while_its_email_is_sent_is_emailed_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _admin()
    _refuse(world, "First.")

    def send(_: EmailMessage) -> int:
        monkeypatch.undo()
        _refuse(world, "Second.")
        return 1

    now = world.now
    monkeypatch.setattr(EmailMessage, "send", send)
    assert send_due_alerts(now=now) == 2
    (email,) = mail.outbox
    assert "Second." in email.body


def test_recipients_are_active_people_with_an_address_who_administer_the_account(world: World) -> None:
    _admin()
    other = make_account("Other", cloudflare_id="b" * 32)
    here, there = (
        make_group("here", account=world.account, administer=True),
        make_group("there", account=other, administer=True),
    )
    for name, group in (("hans", here), ("tom", there), ("gone", here), ("mute", here)):
        make_person(name).groups.add(group)
    people = type(world.person).objects
    people.filter(username="gone").update(is_active=False)
    people.filter(username="mute").update(email="")
    assert [person.username for person in alerts.recipients(world.account)] == ["ada", "hans"]


def test_network_failure_or_rate_limit_sends_no_email(world: World) -> None:
    _admin()
    world.request()
    world.fault("throttle", seconds=30)
    world.deliver()
    world.forward(minutes=6)
    world.fault("error", call="list", status=500)
    assert not world.sync()
    assert set(world.pauses()) == {"list"}
    assert (send_due_alerts(now=world.now), Notification.objects.count()) == (0, 0)


def test_notification_waits_hourly_until_somebody_has_an_address(world: World) -> None:
    world.request()
    world.faults(refusal("create"))
    world.deliver()
    for _ in range(8):
        assert send_due_alerts(now=world.now) == 0
        world.forward(minutes=61)
    notification = Notification.objects.get()
    assert (notification.sent_at, notification.attempts, notification.not_before is not None) == (None, 0, True)
    _admin()
    User.objects.filter(username="ada").update(email="")
    assert send_due_alerts(now=world.now) == 0
    User.objects.filter(username="ada").update(email="ada@example.com")
    assert send_due_alerts(now=world.now) == 0
    world.forward(minutes=61)
    assert send_due_alerts(now=world.now) == 1
    assert Notification.objects.get().sent_at is not None


def test_missing_recipients_use_up_no_attempt(world: World, settings: Any) -> None:
    world.request()
    world.faults(refusal("create"))
    world.deliver()
    Notification.objects.update(attempts=settings.MAIL_ATTEMPTS - 1)
    send_due_alerts(now=world.now)
    assert Notification.objects.get().attempts == settings.MAIL_ATTEMPTS - 1


def test_credential_that_cannot_be_decrypted_is_not_blamed_on_cloudflare(world: World, settings: Any) -> None:
    _admin()
    world.request()
    settings.CREDENTIAL_KEYS = ["ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY="]
    world.deliver()
    assert send_due_alerts(now=world.now) == 1
    (email,) = mail.outbox
    assert "dexportal has no usable credential for the account “Acme”" in email.body
    assert "enter the account's credential again" in email.body
    for words in ("Cloudflare refuses", "DEX Write"):
        assert words not in email.body


def test_result_that_cloudflare_has_deleted_is_not_listed_as_expiring(world: World) -> None:
    _admin()
    world.sent()
    world.forward(QUICK_END)
    world.sync()
    world.request(devices=[world.device("linux")])
    world.faults(refusal("create"))
    world.deliver()
    for ago, count in ((-1, 0), (1, 1)):
        Artifact.objects.update(deleted_remotely_at=world.now + timedelta(minutes=ago))
        Notification.objects.update(sent_at=None)
        assert send_due_alerts(now=world.now) == 1
        assert f"not downloaded yet: {count}." in mail.outbox[-1].body
        assert mail.outbox[-1].body.count("will be deleted") == count


class Broken(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError("the mail server is down")


def test_mail_server_that_is_down_is_tried_quickly_at_first_then_hourly(world: World, settings: Any) -> None:
    _admin()
    world.request()
    world.faults(refusal("create"))
    world.deliver()
    working = settings.MAILERS
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.Broken"}}
    tried = []
    for minute in range(6 * 60):
        before = Notification.objects.get().attempts
        assert send_due_alerts(now=world.now) == 0
        if Notification.objects.get().attempts > before:
            tried.append(minute)
        world.forward(minutes=1, seconds=0.01)
    assert tried == [0, 1, 3, 7, 15, 75, 135, 195, 255, 315]
    assert Notification.objects.failing().exists()
    settings.MAILERS = working
    world.forward(hours=1)
    assert send_due_alerts(now=world.now) == 1
    notification = Notification.objects.get()
    assert (notification.sent_at is not None, notification.attempts) == (True, 0)
    assert not Notification.objects.failing().exists()


def test_message_that_always_differs_does_not_hurry_a_mail_server_that_is_down(world: World, settings: Any) -> None:
    _admin()
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.Broken"}}
    attempts = []
    for number in range(60):
        _refuse(world, f"No. (ray {number})")
        send_due_alerts(now=world.now)
        attempts.append(Notification.objects.get().attempts)
        world.forward(minutes=5)
    assert attempts[-1] <= 9
    assert Notification.objects.failing().exists()


@pytest.mark.django_db(transaction=True)
def test_one_of_several_workers_sends_the_email(world: World) -> None:
    _admin()
    world.request()
    world.faults(refusal("create"))
    world.deliver()
    now = world.now
    assert sum(race(lambda: send_due_alerts(now=now), threads=6)) == 1
    assert len(mail.outbox) == 1


def test_new_credential_ends_the_refusal_its_notifications_and_is_tried_at_once(world: World) -> None:
    _admin()
    (command,) = world.request()
    world.faults(refusal("create"))
    world.deliver()
    world.heal()
    assert world.account.credential is not None
    accounts.change_credential(world.account.credential, value="simulator-token-not-a-secret")
    assert (Pause.objects.count(), _pending()) == (0, [])
    assert world.deliver()
    assert world.status(command) == "PENDING_EXEC"
    assert send_due_alerts(now=world.now) == 0


def test_looking_for_due_alerts_takes_few_queries_when_there_are_none(world: World) -> None:
    assert world.account
    with CaptureQueriesContext(connection) as captured:
        send_due_alerts(now=world.now)
    assert len([query for query in captured if "SELECT" in query["sql"]]) <= 4
