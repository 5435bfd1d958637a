"""Probes end a refusal that was fixed at Cloudflare, even if no command or file waits."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from commands import tasks
from commands.actions.administration import accounts
from commands.actions.notifications import delivery
from commands.actions.upstream import pauses, probe, rate_limit
from commands.models import Notification
from commands.rules.pauses import PROBED, Operation
from tests.actions.racing import race
from tests.actions.world import QUICK_END, World, refusal
from tests.people import make_person

pytestmark = pytest.mark.django_db


def _refused(world: World) -> None:
    """Refuse sending until the only command has expired, so that there is nothing left to try."""
    world.request()
    world.faults(refusal("create"))
    assert world.deliver()
    world.forward(hours=2)
    world.settle()
    assert not world.deliver()


def test_every_probed_operation_has_a_probe() -> None:
    assert set(probe.PROBES) == PROBED


def test_probe_ends_a_fixed_refusal_of_sending_and_creates_nothing(world: World) -> None:
    _refused(world)
    tasks.alerts_due()
    assert world.pauses()["create"].refused
    world.heal()
    world.forward(minutes=5, seconds=1)
    tasks.alerts_due()
    pause = world.pauses()["create"]
    assert (pause.refused, pauses.active_pause(world.account, Operation.CREATE, now=world.now)) == (False, None)
    assert world.created() == []
    (command,) = world.request()
    assert world.deliver()
    assert world.status(command) == "PENDING_EXEC"
    assert world.pauses() == {}


def test_probe_ends_a_fixed_refusal_of_downloads(world: World) -> None:
    command = world.sent()
    world.forward(QUICK_END)
    assert world.sync()
    world.faults(refusal("download"), refusal("fallback_download"))
    assert world.collect()
    world.artifact(command).delete()
    world.forward(minutes=7)
    probe.probe()
    assert world.pauses()["download"].refused
    world.heal()
    world.forward(minutes=6)
    probe.probe()
    assert not world.pauses()["download"].refused


def test_read_only_token_stays_refused_and_is_probed_every_five_minutes(world: World) -> None:
    first = world.upstream.control("GET", "config")["accounts"][0]
    world.request()
    world.configure(accounts=[{**first, "permissions": ["Cloudflare DEX Read"]}])
    assert world.deliver()
    world.forward(hours=2)
    world.settle()
    before, probed = len(world.posts()), []
    for _ in range(20):
        probe.probe()
        probed.append(len(world.posts()) - before)
        world.forward(seconds=31)
    assert probed == [1] * 10 + [2] * 10
    assert world.pauses()["create"].refused


def test_operation_with_something_to_try_is_not_probed(world: World) -> None:
    world.request()
    world.faults(refusal("create"))
    assert world.deliver()
    posts = len(world.posts())
    for _ in range(11):
        probe.probe()
        world.forward(seconds=32)
    assert len(world.posts()) == posts
    assert world.deliver()
    assert len(world.posts()) == posts + 1


def test_probe_does_not_extend_the_pause(world: World) -> None:
    _refused(world)
    until = world.pauses()["create"].until
    probe.probe()
    pause = world.pauses()["create"]
    assert (pause.until, pause.probed_at is not None, pause.failures) == (until, True, 1)


def test_probe_without_a_clear_answer_changes_nothing(world: World, settings: Any) -> None:
    _refused(world)
    patient = settings.READ_TIMEOUT
    for rule, read_timeout in (
        (refusal("create", 500), patient),
        ({"match": {"call": "create"}, "effect": {"kind": "hang"}}, timedelta(seconds=0.2)),
    ):
        world.faults(rule)
        settings.READ_TIMEOUT = read_timeout
        probe.probe()
        assert world.pauses()["create"].refused
        world.forward(minutes=6)
    settings.READ_TIMEOUT = patient
    world.fault("throttle", seconds=60)
    probe.probe()
    assert world.pauses()["create"].refused
    assert world.account.credential_id is not None
    assert rate_limit.paused_credentials([world.account.credential_id], now=world.now)


def test_accepted_probe_and_refused_commands_are_one_email(world: World, settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    make_person("ada", "admin")
    for _ in range(3):
        _refused(world)
        delivery.send_due_alerts(now=world.now)
        world.heal()
        probe.probe()
        assert not world.pauses()["create"].refused
    assert len(mail.outbox) == 1


def test_new_credential_deletes_the_pause_that_a_probe_ended(world: World) -> None:
    _refused(world)
    assert Notification.objects.get().pause == world.pauses()["create"]
    world.heal()
    probe.probe()
    assert set(world.pauses()) == {"create"}
    assert world.account.credential is not None
    accounts.change_credential(world.account.credential, value="simulator-token-not-a-secret")
    assert world.pauses() == {}


@pytest.mark.django_db(transaction=True)
def test_one_of_several_workers_probes(world: World) -> None:
    _refused(world)
    posts = len(world.posts())
    race(probe.probe, threads=4)
    assert len(world.posts()) == posts + 1


def test_probe_ends_a_refusal_while_all_commands_are_held_and_releases_none(world: World) -> None:
    (command,) = world.request()
    world.faults(refusal("create"))
    for _ in range(3):
        world.deliver()
        world.forward(minutes=5, seconds=1)
    world.settle()
    assert world.reload(command).held_at is not None
    world.heal()
    world.forward(minutes=2)
    probe.probe()
    assert not world.pauses()["create"].refused
    assert not world.deliver()
    assert world.reload(command).held_at is not None
