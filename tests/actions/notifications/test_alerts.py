"""What Cloudflare refuses is told by mail to who can mend it: once, and again when it is refused anew."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend

from commands.actions.administration import accounts
from commands.actions.notifications import alerts
from commands.actions.results.fetch import collect as collect_one
from commands.actions.upstream import rate_limit
from commands.models import Artifact, Pause, User
from tests.actions.racing import race
from tests.actions.world import QUICK_END, World, refusal
from tests.people import make_account, make_group, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail_in_memory(settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}


def _admin(name: str = "ada") -> None:
    make_person(name, "admin")


def test_the_admins_are_told_once_with_what_waits_and_what_cloudflare_deletes(world: World) -> None:
    _admin()
    wanted = world.sent()
    world.forward(QUICK_END)
    world.sync()
    world.forward(days=6, hours=12)
    world.ask(devices=[world.device("linux")])
    world.faults(refusal("create"))
    world.deliver()
    assert alerts.tell(now=world.now) == 1
    (letter,) = mail.outbox
    assert letter.to == ["ada@example.com"]
    assert "sending commands" in letter.subject
    for words in ("(code 10000)", "wait to be sent: 1", "not here yet: 1", f"/commands/{wanted.id}/", "/status/"):
        assert words in letter.body
    assert wanted.email not in letter.body
    world.forward(minutes=6)
    world.deliver()
    assert alerts.tell(now=world.now) == 0
    assert len(mail.outbox) == 1
    assert world.pauses()["create"].told_at is not None


def test_the_same_refusal_of_another_act_is_no_second_letter(world: World) -> None:
    _admin()
    world.ask()
    world.faults(refusal(""))
    world.deliver()
    alerts.tell(now=world.now)
    world.sync()
    assert alerts.tell(now=world.now) == 0
    assert set(world.pauses()) >= {"create", "list"}
    assert len(mail.outbox) == 1


def test_the_same_refusal_long_after_one_that_nobody_tried_since_is_told(world: World) -> None:
    _admin()
    world.sent()
    world.forward(QUICK_END)
    world.sync()
    world.faults(refusal("download"), refusal("fallback_download"))
    assert collect_one(now=lambda: world.now)
    assert alerts.tell(now=world.now) == 1
    Artifact.objects.all().delete()
    world.forward(days=20)
    world.ask(devices=[world.device("linux")])
    world.faults(refusal("create"))
    assert world.deliver()
    assert {pause.words for pause in world.pauses().values()} == {world.pauses()["create"].words}
    assert alerts.tell(now=world.now) == 1


def test_the_letter_says_that_more_may_be_refused_and_that_no_further_one_will_say_so(world: World) -> None:
    _admin()
    _refused(world, "create")
    alerts.tell(now=world.now)
    body = " ".join(mail.outbox[-1].body.split())
    for words in ("So far only what is named above rests.", "and no further mail.", "or asked for, every few minutes"):
        assert words in body


def test_a_refusal_after_it_worked_again_is_told_again(world: World) -> None:
    _admin()
    world.ask()
    world.faults(refusal("create"))
    world.deliver()
    alerts.tell(now=world.now)
    world.heal()
    world.forward(minutes=6)
    assert world.deliver()
    world.ask(devices=[world.device("linux")])
    world.faults(refusal("create"))
    assert world.deliver()
    assert alerts.tell(now=world.now) == 1
    assert len(mail.outbox) == 2


def _refused(world: World, call: str, status: int = 403) -> None:
    """Asked for anew and refused: one try."""
    world.ask(devices=[world.device("linux")])
    world.faults(refusal(call, status))
    assert world.deliver()


def test_one_lasting_refusal_is_one_letter_however_many_commands_run_into_it(world: World) -> None:
    _admin()
    letters = []
    for _ in range(8):
        _refused(world, "create")
        alerts.tell(now=world.now)
        letters.append(len(mail.outbox))
        pause = world.pauses()["create"]
        assert world.now - pause.since < timedelta(minutes=1), "a pause of its own, that holds nothing back"
        world.forward(hours=2)
    assert letters == [1] * 8


def test_a_refusal_that_nobody_ran_into_for_a_day_is_told_anew(world: World) -> None:
    _admin()
    _refused(world, "create")
    assert alerts.tell(now=world.now) == 1
    world.forward(hours=25)
    _refused(world, "create")
    assert alerts.tell(now=world.now) == 1


def test_what_cloudflare_puts_differently_later_is_told_and_each_way_once(world: World) -> None:
    _admin()
    world.ask()
    world.faults(refusal("", 401))
    world.sync()
    assert alerts.tell(now=world.now) == 1
    assert world.deliver()
    assert alerts.tell(now=world.now) == 0
    letters = []
    for status in (403, 403, 401, 403):
        world.forward(minutes=5, seconds=1)
        _refused(world, "create", status)
        assert f"(HTTP {status})" in world.pauses()["create"].words
        letters.append(alerts.tell(now=world.now))
        assert world.pauses()["create"].told_at is not None
    assert letters == [1, 0, 0, 0]
    assert "sending commands" in mail.outbox[-1].subject
    assert "(HTTP 403)" in mail.outbox[-1].body
    assert "So far only what is named above rests." in mail.outbox[-1].body


def test_words_that_are_never_the_same_are_not_told_for_ever(world: World) -> None:
    _admin()
    for number in range(20):
        rate_limit.pause(world.account, Pause.Act.CREATE, words=f"No. (ray {number})", refused=True, now=world.now)
        alerts.tell(now=world.now)
        world.forward(minutes=5)
    assert len(mail.outbox) == alerts.MOST_TOLD
    assert world.pauses()["create"].told_at is not None


def test_what_is_put_differently_while_the_mail_goes_out_is_still_to_be_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _admin()
    now = world.now
    rate_limit.pause(world.account, Pause.Act.CREATE, words="First.", refused=True, now=now)

    def send(_: EmailMessage) -> int:
        monkeypatch.undo()
        rate_limit.pause(world.account, Pause.Act.CREATE, words="Second.", refused=True, now=now)
        return 1

    monkeypatch.setattr(EmailMessage, "send", send)
    assert alerts.tell(now=now) == 2
    (letter,) = mail.outbox
    assert "Second." in letter.body


def test_told_are_active_people_with_an_address_who_may_administer_this_account(world: World) -> None:
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
    assert [person.username for person in alerts.administrators(world.account)] == ["ada", "hans"]


def test_a_dead_upstream_or_a_429_is_not_told_by_mail(world: World) -> None:
    _admin()
    world.ask()
    world.fault("throttle", seconds=30)
    world.deliver()
    world.forward(minutes=6)
    world.fault("error", call="list", status=500)
    assert not world.sync()
    assert set(world.pauses()) == {"list"}
    assert alerts.tell(now=world.now) == 0


def test_who_gets_an_address_later_is_told_then_and_nobody_is_told_as_told(world: World) -> None:
    world.ask()
    world.faults(refusal("create"))
    world.deliver()
    for _ in range(8):
        assert alerts.tell(now=world.now) == 0
        world.forward(minutes=61)
    pause = Pause.objects.get()
    assert (pause.told_at, pause.attempts, pause.not_before is not None) == (None, 0, True)
    _admin()
    User.objects.filter(username="ada").update(email="")
    assert alerts.tell(now=world.now) == 0
    User.objects.filter(username="ada").update(email="ada@example.com")
    assert alerts.tell(now=world.now) == 0
    world.forward(minutes=61)
    assert alerts.tell(now=world.now) == 1
    assert Pause.objects.get().told_at is not None


def test_that_nobody_is_to_tell_costs_a_mail_server_that_is_away_no_try(world: World, settings: Any) -> None:
    world.ask()
    world.faults(refusal("create"))
    world.deliver()
    Pause.objects.update(attempts=settings.MAIL_ATTEMPTS - 1)
    alerts.tell(now=world.now)
    assert Pause.objects.get().attempts == settings.MAIL_ATTEMPTS - 1


def test_a_credential_that_no_key_opens_is_told_as_our_own_trouble(world: World, settings: Any) -> None:
    _admin()
    world.ask()
    settings.CREDENTIAL_KEYS = ["ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY="]
    world.deliver()
    assert alerts.tell(now=world.now) == 1
    (letter,) = mail.outbox
    assert letter.subject == "Nothing can be asked of Cloudflare for Acme: sending commands"
    assert "dexportal cannot speak for the account “Acme”" in letter.body
    assert "enter the account's credential anew" in letter.body
    for words in ("Cloudflare refuses", "In its words", "DEX Write"):
        assert words not in letter.subject + letter.body


def test_a_result_that_cloudflare_has_deleted_is_not_told_as_one_that_it_will(world: World) -> None:
    _admin()
    world.sent()
    world.forward(QUICK_END)
    world.sync()
    world.ask(devices=[world.device("linux")])
    world.faults(refusal("create"))
    world.deliver()
    for ago, count in ((-1, 0), (1, 1)):
        Artifact.objects.update(deleted_remotely_at=world.now + timedelta(minutes=ago))
        Pause.objects.update(told_at=None, told_words=[])
        assert alerts.tell(now=world.now) == 1
        assert f"not here yet: {count}." in mail.outbox[-1].body
        assert mail.outbox[-1].body.count("will be deleted") == count


class Broken(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError("the mail server is away")


def test_a_mail_server_that_is_away_is_tried_quickly_at_first_and_then_hourly_until_it_takes_the_mail(
    world: World, settings: Any
) -> None:
    _admin()
    world.ask()
    world.faults(refusal("create"))
    world.deliver()
    working = settings.MAILERS
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.Broken"}}
    begun, tried = world.now, []
    for _ in range(6 * 60):
        before = Pause.objects.get().attempts
        assert alerts.tell(now=world.now) == 0
        if Pause.objects.get().attempts > before:
            tried.append(round((world.now - begun).total_seconds() / 60))
        world.forward(minutes=1, seconds=0.01)
    assert tried == [0, 1, 3, 7, 15, 75, 135, 195, 255, 315]
    assert Pause.objects.get().is_mail_failing
    settings.MAILERS = working
    world.forward(hours=1)
    assert alerts.tell(now=world.now) == 1
    pause = Pause.objects.get()
    assert (pause.told_at is not None, pause.attempts, pause.is_mail_failing) == (True, 0, False)


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_one_sends_the_mail(world: World) -> None:
    _admin()
    world.ask()
    world.faults(refusal("create"))
    world.deliver()
    now = world.now
    assert sum(race(lambda: alerts.tell(now=now), threads=6)) == 1
    assert len(mail.outbox) == 1


def test_a_new_credential_ends_the_refusal_and_is_tried_at_once(world: World) -> None:
    (command,) = world.ask()
    world.faults(refusal("create"))
    world.deliver()
    world.heal()
    assert world.account.credential is not None
    accounts.change_credential(world.account.credential, value="simulator-token-not-a-secret")
    assert world.deliver()
    assert world.status(command) == "PENDING_EXEC"
