"""Emails to administrators when Cloudflare is about to delete results that cannot be fetched."""

from typing import Any

import pytest
from django.core import mail

from commands.actions.notifications.delivery import send_due_alerts
from commands.models import Command, Notification
from tests.actions.world import QUICK_END, World, refusal
from tests.people import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail_in_memory(settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}


@pytest.fixture
def missing(world: World) -> Command:
    """Return a finished command whose file cannot be fetched, after the administrators got an email."""
    make_person("ada", "admin")
    command = world.sent()
    world.forward(QUICK_END)
    assert world.sync()
    _refuse_downloads(world)
    assert send_due_alerts(now=world.now) == 1
    assert "not downloaded yet: 0." in mail.outbox[-1].body
    return command


def _refuse_downloads(world: World) -> None:
    world.faults(refusal("download"), refusal("fallback_download"))
    assert world.collect()


def test_one_more_email_is_sent_when_results_expire_within_a_day(world: World, missing: Command) -> None:
    emails = []
    for _ in range(12):
        world.forward(hours=12)
        emails.append(send_due_alerts(now=world.now))
    assert emails == [0] * 11 + [1]
    email = mail.outbox[-1]
    assert email.body.startswith("Results that Cloudflare deletes within 24 hours and that are not downloaded yet: 1.")
    for text in (f"/commands/{missing.id}/", "Cloudflare refuses dexportal's calls for the account “Acme”"):
        assert email.body.count(text) == 1
    for _ in range(3):
        _refuse_downloads(world)
        world.forward(minutes=6)
        assert send_due_alerts(now=world.now) == 0


def test_expiring_results_named_in_the_first_email_get_no_second_one(world: World) -> None:
    make_person("ada", "admin")
    world.sent()
    world.forward(QUICK_END)
    assert world.sync()
    world.forward(days=6, hours=12)
    world.request(devices=[world.device("linux")])
    world.faults(refusal("create"), refusal("download"), refusal("fallback_download"))
    assert world.deliver()
    assert send_due_alerts(now=world.now) == 1
    assert "not downloaded yet: 1." in mail.outbox[-1].body
    assert world.collect()
    assert send_due_alerts(now=world.now) == 0
    about_download = Notification.objects.filter(pause=world.pauses()["download"])
    assert set(about_download.sent().values_list("kind", flat=True)) == {"refused", "results_expiring"}
    assert not about_download.pending().exists()


def test_no_email_about_expiring_results_while_downloads_work(world: World) -> None:
    make_person("ada", "admin")
    world.sent()
    world.forward(QUICK_END)
    assert world.sync()
    world.request(devices=[world.device("linux")])
    world.faults(refusal("create"))
    assert world.deliver()
    assert send_due_alerts(now=world.now) == 1
    world.forward(days=6, hours=12)
    assert send_due_alerts(now=world.now) == 0
