"""Tests that a request becomes exactly one run, however often the button was pressed."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from commands import audit
from commands.actions.sending.submit import Submitted, submit_run
from commands.models import AccountVersion, Command, Event, Run
from commands.rules.kinds import Kind
from commands.rules.plan import Verdict
from commands.rules.policies import Policy, Refusal, RefusalCode
from commands.rules.targeting import LineErrorCode, Target, read_lines
from tests.actions.racing import race
from tests.actions.world import BOTH, PCAP, World
from tests.people import make_person
from tests.rows import make_device

pytestmark = pytest.mark.django_db

TARGETS = [
    Target("device-1", "kim@example.com", "registration-1", "Kim's Mac", "mac", listed=True),
    Target("device-2", "ada@example.com"),
]


def submit(world: World, **changes: Any) -> Submitted | Refusal:
    given: dict[str, Any] = {"key": uuid4(), "targets": TARGETS, "kinds": PCAP}
    return submit_run(**{"account": world.account, "by": world.person, "now": world.now, **given, **changes})


def run_of(result: Submitted | Refusal) -> Run:
    assert isinstance(result, Submitted), result
    return result.run


def test_run_has_every_kind_for_every_target_in_order(world: World) -> None:
    commands = world.request(BOTH, targets=TARGETS)
    assert [(command.device_id, command.kind) for command in commands] == [
        ("device-1", "warp-diag"),
        ("device-1", "pcap"),
        ("device-2", "warp-diag"),
        ("device-2", "pcap"),
    ]
    assert {command.status for command in commands} == {"queued"}
    run = Run.objects.get()
    assert (run.devices, run.ticket, run.reason, run.requested_by) == (2, "HD-1", "the portal is slow", world.person)
    assert run.options == {kind.value: dict(options) for kind, options in BOTH.items()}


def test_command_has_its_own_copy_of_its_target(world: World) -> None:
    first, second = world.request(PCAP, targets=TARGETS)
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


def test_event_records_who_requested_the_command_and_why(world: World) -> None:
    before = AccountVersion.objects.get(account=world.account).number
    commands = world.request(PCAP, targets=TARGETS)
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


def test_command_may_wait_an_hour_in_the_queue(world: World) -> None:
    (command,) = world.request(PCAP, targets=TARGETS[:1])
    assert command.expires_at is not None
    assert command.expires_at - command.requested_at == timedelta(minutes=60)


# --- The one-time key


def test_key_makes_one_run_and_refuses_other_contents(world: World) -> None:
    key = uuid4()
    first, second = (run_of(submit(world, key=key)) for _ in range(2))
    assert first == second
    others: list[dict[str, Any]] = [
        {"kinds": BOTH},
        {"targets": TARGETS[:1]},
        {"reason": "another"},
        {"ticket": "HD-2"},
        {"purpose": "another"},
    ]
    for other in others:
        assert submit(world, key=key, **other) == Refusal(RefusalCode.KEY_REUSED), other
    assert (Run.objects.count(), Command.objects.count(), Event.objects.count()) == (1, 2, 2)


def test_same_key_of_another_person_is_another_form(world: World) -> None:
    key = uuid4()
    runs = {run_of(submit(world, key=key, by=person)) for person in (world.person, make_person("other", "helpdesk"))}
    assert len(runs) == 2


@pytest.mark.django_db(transaction=True)
def test_form_that_is_sent_several_times_at_once_makes_one_run(world: World) -> None:
    key, account, person = uuid4(), world.account, world.person

    def send() -> UUID:
        return run_of(submit(world, account=account, by=person, key=key)).id

    assert len(set(race(send, threads=4))) == 1
    assert (Run.objects.count(), Command.objects.count(), Event.objects.count()) == (1, 2, 2)


@pytest.mark.django_db(transaction=True)
def test_error_in_the_middle_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    assert world.account
    assert world.person
    monkeypatch.setattr(audit, "write", fail)
    with pytest.raises(ZeroDivisionError):
        world.request(PCAP, targets=TARGETS)
    assert (Run.objects.count(), Command.objects.count(), Event.objects.count()) == (0, 0, 0)


def test_thousand_targets_are_written_in_few_queries(world: World, django_assert_max_num_queries: Any) -> None:
    targets = [Target(f"device-{number}", "kim@example.com") for number in range(1000)]
    assert world.account
    assert world.person
    with django_assert_max_num_queries(20):
        world.request(PCAP, targets=targets)
    assert Command.objects.count() == 1000


# --- Targets


def test_lines_as_typed_become_targets_beside_known_devices(world: World) -> None:
    listed = make_device(world.account, email="maria@example.com", name="LAP-1", registration_id="r1")
    run = run_of(submit(world, targets=[TARGETS[0], *read_lines("maria@example.com\nlap-1")]))
    assert set(run.commands.values_list("device_id", "registration_id", "listed")) == {
        ("device-1", "registration-1", True),
        (listed.device_id, "r1", True),
    }


def test_line_that_means_no_device_refuses_the_whole_run(world: World) -> None:
    result = submit(world, targets=[TARGETS[0], *read_lines("zoe")])
    assert isinstance(result, Refusal)
    assert result.code is RefusalCode.LINES_NOT_UNDERSTOOD
    assert [error.code for error in result.line_errors] == [LineErrorCode.NOT_FOUND]
    assert not Run.objects.exists()


def test_target_that_is_given_twice_counts_once(world: World) -> None:
    assert run_of(submit(world, targets=[*TARGETS, TARGETS[0]])).devices == 2


def test_device_that_cloudflare_would_refuse_is_skipped(world: World) -> None:
    tablet = make_device(world.account, email="ann@example.com", registration_id="r", eligible=False)
    target = Target(tablet.device_id, "ann@example.com", "r", listed=True)
    result = submit(world, targets=[target, *TARGETS])
    assert run_of(result).devices == 2
    assert isinstance(result, Submitted)
    assert [(line.target, line.steps[0].verdict) for line in result.skipped] == [(target, Verdict.INELIGIBLE)]
    refused = submit(world, targets=[target])
    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.NOTHING_TO_SEND
    assert [line.target for line in refused.skipped] == [target]


def test_only_some_pairs_of_targets_and_kinds_are_queued(world: World) -> None:
    only = [(TARGETS[0], Kind.PCAP), (TARGETS[1], Kind.WARP_DIAG)]
    run = run_of(submit(world, kinds=BOTH, only=only))
    assert list(run.commands.order_by("id").values_list("device_id", "kind")) == [
        ("device-1", "pcap"),
        ("device-2", "warp-diag"),
    ]


# --- Refusals


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"targets": []}, RefusalCode.NO_TARGETS),
        ({"kinds": {}}, RefusalCode.NO_KINDS),
        ({"policy": Policy(ticket_required=True)}, RefusalCode.TICKET_REQUIRED),
        ({"policy": Policy(purpose_required=True)}, RefusalCode.PURPOSE_REQUIRED),
        ({"policy": Policy(ticket_pattern=r"\d+"), "ticket": "x"}, RefusalCode.TICKET_INVALID),
    ],
)
def test_incomplete_request_is_refused(world: World, changes: dict[str, Any], code: RefusalCode) -> None:
    result = submit(world, **changes)
    assert isinstance(result, Refusal)
    assert result.code is code
    assert not Run.objects.exists()


def test_number_of_targets_is_limited(world: World, settings: Any) -> None:
    settings.TARGETS_MAX = 1
    assert submit(world) == Refusal(RefusalCode.TOO_MANY_TARGETS, {"limit": 1})


def test_retired_account_takes_no_run(world: World) -> None:
    world.account.retired_at = timezone.now()
    assert submit(world) == Refusal(RefusalCode.ACCOUNT_RETIRED, {"account": world.account.name})
