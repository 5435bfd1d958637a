"""What a person asks for becomes one run, once, however often the button was pressed."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from commands import audit
from commands.actions.sending import submit
from commands.actions.sending.submit import Target
from commands.models import AccountVersion, Command, Event, Run
from commands.rules.kinds import Kind
from tests.actions.racing import race
from tests.actions.world import BOTH, PCAP, World
from tests.people import make_person

pytestmark = pytest.mark.django_db

TARGETS = [
    Target("device-1", "kim@example.com", "registration-1", "Kim's Mac", "mac", listed=True),
    Target("device-2", "ada@example.com"),
]


def test_every_kind_for_every_target_in_the_order_in_which_they_go(world: World) -> None:
    commands = world.ask(BOTH, targets=TARGETS)
    assert [(command.device_id, command.kind) for command in commands] == [
        ("device-1", "warp-diag"),
        ("device-1", "pcap"),
        ("device-2", "warp-diag"),
        ("device-2", "pcap"),
    ]
    assert {command.status for command in commands} == {"queued"}
    made = Run.objects.get()
    assert (made.devices, made.ticket, made.reason, made.requested_by) == (
        2,
        "HD-1",
        "the portal is slow",
        world.person,
    )
    assert made.options == {kind.value: dict(options) for kind, options in BOTH.items()}


def test_a_command_keeps_its_own_copy_of_whom_it_is_about(world: World) -> None:
    first, second = world.ask(PCAP, targets=TARGETS)
    assert (first.device_name, first.platform, first.registration_id, first.email, first.listed) == (
        "Kim's Mac",
        "mac",
        "registration-1",
        "kim@example.com",
        True,
    )
    assert (second.device_name, second.platform, second.registration_id, second.listed) == ("", "", "", False)
    assert first.options == PCAP[Kind.PCAP]
    assert first.requested_by == world.person


def test_who_asked_and_why_is_written_with_it(world: World) -> None:
    before = AccountVersion.objects.get(account=world.account).number
    commands = world.ask(PCAP, targets=TARGETS)
    for command in commands:
        (event,) = world.history(command)
        assert (event.event, event.to_status, event.version, event.by, event.mover) == (
            "requested",
            "queued",
            1,
            world.person,
            "person",
        )
        assert event.data == {"ticket": "HD-1", "reason": "the portal is slow"}
        assert event.run_id == command.run_id
    assert AccountVersion.objects.get(account=world.account).number == before + 1


def test_it_may_wait_an_hour_in_the_queue(world: World) -> None:
    (command,) = world.ask(PCAP, targets=TARGETS[:1])
    assert command.expires_at is not None
    assert command.expires_at - command.requested_at == timedelta(minutes=60)


def test_a_form_that_is_sent_twice_makes_one_run(world: World) -> None:
    key = uuid4()
    first = world.ask(PCAP, targets=TARGETS, form_key=key)
    second = world.ask(PCAP, targets=TARGETS, form_key=key)
    assert [command.id for command in first] == [command.id for command in second]
    others: list[dict[str, Any]] = [{"options": BOTH}, {"targets": TARGETS[:1]}, {"reason": "another"}]
    for other in others:
        with pytest.raises(submit.SentBefore):
            world.ask(**{"options": PCAP, "targets": TARGETS, "form_key": key, **other})
    assert (Run.objects.count(), Command.objects.count(), Event.objects.count()) == (1, 2, 2)


def test_the_same_key_of_somebody_else_is_another_form(world: World) -> None:
    key = uuid4()
    world.ask(PCAP, targets=TARGETS, form_key=key)
    world.__dict__["person"] = make_person("other", "helpdesk")
    world.ask(PCAP, targets=TARGETS, form_key=key)
    assert Run.objects.count() == 2


def test_a_form_of_a_thousand_targets_is_written_in_few_queries(
    world: World, django_assert_max_num_queries: Any
) -> None:
    targets = [Target(f"device-{number}", "kim@example.com") for number in range(1000)]
    assert world.account
    assert world.person
    with django_assert_max_num_queries(16):
        world.ask(PCAP, targets=targets)
    assert Command.objects.count() == 1000


@pytest.mark.django_db(transaction=True)
def test_a_form_that_is_sent_twice_at_once_makes_one_run(world: World) -> None:
    key, account, person = uuid4(), world.account, world.person

    def ask() -> Run:
        return submit.ask(account=account, by=person, now=world.now, form_key=key, options=PCAP, targets=TARGETS)

    runs = race(ask, threads=4)
    assert len({made.id for made in runs}) == 1
    assert (Run.objects.count(), Command.objects.count(), Event.objects.count()) == (1, 2, 2)


@pytest.mark.django_db(transaction=True)
def test_what_went_wrong_in_the_middle_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    assert world.account
    assert world.person
    monkeypatch.setattr(audit, "write", fail)
    with pytest.raises(ZeroDivisionError):
        world.ask(PCAP, targets=TARGETS)
    assert (Run.objects.count(), Command.objects.count(), Event.objects.count()) == (0, 0, 0)
