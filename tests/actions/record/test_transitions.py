"""Transitions: status, reason, Event and version in one transaction. Commands that may not move are left alone."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise, product
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.actions.record.transitions import Transition, change_statuses
from commands.actions.sending.submit import Submitted, submit_run
from commands.audit import CLOUDFLARE, PORTAL, By, by_person
from commands.models import Account, AccountVersion, Command, Event, User
from commands.rules.events import EventType
from commands.rules.kinds import Kind
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import COMMAND_MOVES, UNSENT, Mover, Status
from commands.rules.targeting import Target
from tests.people import make_account, make_person
from tests.rows import make_command, make_dispatch, make_run

pytestmark = pytest.mark.django_db

type CreateCommands = Callable[[int], list[Command]]


@pytest.fixture
def account() -> Account:
    return make_account()


@pytest.fixture
def person() -> User:
    return make_person("helpdesk", "helpdesk")


@pytest.fixture
def create_commands(account: Account, person: User) -> CreateCommands:
    def create_commands(count: int) -> list[Command]:
        targets = [Target(uuid4().hex, "kim@example.com") for _ in range(count)]
        result = submit_run(
            account=account,
            by=person,
            now=timezone.now(),
            key=uuid4(),
            kinds={Kind.PCAP: {"time-limit-min": 1}},
            targets=targets,
        )
        assert isinstance(result, Submitted)
        return list(result.run.commands.order_by("id"))

    return create_commands


def version_of(account: Account) -> int:
    return AccountVersion.objects.get(account=account).number


def test_move_writes_status_reason_event_and_version(create_commands: CreateCommands, person: User) -> None:
    (command,) = create_commands(1)
    now = timezone.now()
    transition = Transition(command.id, Status.WITHDRAWN, CommandReasonCode.HELD_AFTER_PAUSE, "Wrong device.")
    with change_statuses(by=by_person(person), now=now) as changes:
        assert changes.write([transition]) == [command.id]
    command.refresh_from_db()
    assert (command.status, command.status_at, command.version) == ("withdrawn", now, 2)
    assert (command.reason_code, command.remote_message) == ("held_after_pause", "Wrong device.")
    event = Event.objects.get(command=command, version=2)
    assert (event.from_status, event.to_status, event.by, event.mover) == ("queued", "withdrawn", person, "person")
    assert (event.at, event.data, event.account_id) == (
        now,
        {"reason_code": "held_after_pause", "remote_message": "Wrong device."},
        command.account_id,
    )


def test_command_that_may_not_move_is_left_alone_and_the_others_move(
    create_commands: CreateCommands, account: Account
) -> None:
    first, second, third = create_commands(3)
    with change_statuses(by=PORTAL, now=timezone.now()) as changes:
        changes.write([Transition(second.id, Status.EXPIRED)])
    before = version_of(account)
    with change_statuses(by=PORTAL, now=timezone.now()) as changes:
        assert changes.write(
            [
                Transition(first.id, Status.EXPIRED),
                Transition(second.id, Status.EXPIRED),
                Transition(third.id, Status.EXPIRED),
            ]
        ) == [first.id, third.id]
    assert Event.objects.filter(command=second).count() == 2
    assert version_of(account) == before + 1


@pytest.mark.parametrize("by", [Mover.PERSON, Mover.CLOUDFLARE, Mover.APPROVER])
def test_mover_makes_no_move_of_another_mover(create_commands: CreateCommands, by: Mover) -> None:
    (command,) = create_commands(1)
    with change_statuses(by=By(by), now=timezone.now()) as changes:
        assert changes.write([Transition(command.id, Status.EXPIRED)]) == []
    command.refresh_from_db()
    assert (command.status, command.version) == ("queued", 1)


@pytest.mark.parametrize("source", Status)
def test_command_moves_exactly_if_the_table_allows_it(account: Account, person: User, source: Status) -> None:
    group = make_run(account, person)
    for target, mover in product(Status, Mover):
        command = make_command(group, status=source, device_id=uuid4().hex)
        values = {"dispatch": command.dispatch or make_dispatch(account), "remote_id": _remote_id(command, target)}
        with change_statuses(by=By(mover), now=timezone.now()) as changes:
            moved = changes.write([Transition(command.id, target, values=values)])
        assert bool(moved) is (mover in COMMAND_MOVES.get((source, target), ())), (target, mover)


def _remote_id(command: Command, target: Status) -> str:
    return "" if target in UNSENT else command.remote_id or uuid4().hex


def test_failed_transaction_changes_no_status_event_or_version(
    create_commands: CreateCommands, account: Account
) -> None:
    (command,) = create_commands(1)
    before = version_of(account)
    with pytest.raises(ZeroDivisionError):
        _expire_and_fail(command)
    command.refresh_from_db()
    assert (command.status, Event.objects.filter(command=command).count(), version_of(account)) == ("queued", 1, before)


def _expire_and_fail(command: Command) -> None:
    with change_statuses(by=PORTAL, now=timezone.now()) as changes:
        changes.write([Transition(command.id, Status.EXPIRED)])
        raise ZeroDivisionError


def test_versions_have_no_gaps_and_events_keep_their_order(create_commands: CreateCommands, person: User) -> None:
    commands = create_commands(3)
    for to, by in ((Status.WAITING_DEVICE, PORTAL), (Status.QUEUED, PORTAL), (Status.WITHDRAWN, by_person(person))):
        with change_statuses(by=by, now=timezone.now()) as changes:
            changes.write(Transition(command.id, to) for command in commands)
            changes.write([Transition(commands[1].id, event=EventType.ATTACHED)])
    for command in commands:
        events = list(Event.objects.filter(command=command).order_by("id"))
        assert [event.version for event in events] == list(range(1, len(events) + 1))
        moves = [event for event in events if event.to_status]
        assert all(one.to_status == two.from_status for one, two in pairwise(moves))
        assert Command.objects.get(id=command.id).version == len(events)


def test_account_version_is_raised_once_and_last(create_commands: CreateCommands, account: Account) -> None:
    commands = create_commands(4)
    before = version_of(account)
    with CaptureQueriesContext(connection) as queries, change_statuses(by=PORTAL, now=timezone.now()) as changes:
        changes.write([Transition(commands[0].id, Status.EXPIRED), Transition(commands[1].id, Status.EXPIRED)])
        changes.write([Transition(commands[2].id, Status.WAITING_DEVICE)])
        changes.touch(account.id)
    assert version_of(account) == before + 1
    statements = [query["sql"] for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    raised = [index for index, sql in enumerate(statements) if "commands_accountversion" in sql]
    assert raised == [len(statements) - 1]


def test_version_stays_when_nothing_moved(create_commands: CreateCommands, account: Account) -> None:
    (command,) = create_commands(1)
    before = version_of(account)
    with change_statuses(by=CLOUDFLARE, now=timezone.now()) as changes:
        assert changes.write([Transition(command.id, Status.SUCCESS)]) == []
    assert version_of(account) == before


def test_thousand_commands_move_in_a_bounded_number_of_queries(create_commands: CreateCommands) -> None:
    commands = create_commands(1000)
    transitions = [
        Transition(command.id, Status.EXPIRED, values={"remote_status": f"word {index}"})
        for index, command in enumerate(commands)
    ]
    with CaptureQueriesContext(connection) as queries, change_statuses(by=PORTAL, now=timezone.now()) as changes:
        moved = changes.write(reversed(transitions))
    assert moved == [command.id for command in commands]
    assert len(queries) <= 20
    remote_statuses = dict(Command.objects.filter(id__in=moved).values_list("id", "remote_status"))
    assert remote_statuses == {command.id: f"word {index}" for index, command in enumerate(commands)}
    assert Event.objects.filter(command__in=moved, to_status="expired").count() == 1000


def test_one_update_writes_equal_values_different_values_and_no_values(create_commands: CreateCommands) -> None:
    first, second, third = create_commands(3)
    with CaptureQueriesContext(connection) as queries, change_statuses(by=PORTAL, now=timezone.now()) as changes:
        changes.write(
            [
                Transition(first.id, Status.EXPIRED, remote_message="A", values={"remote_status": "x", "ticket": "T"}),
                Transition(second.id, Status.EXPIRED, remote_message="B", values={"remote_status": "x"}),
                Transition(third.id, Status.EXPIRED, values={"remote_status": "x"}),
            ]
        )
    assert sum(query["sql"].startswith('UPDATE "commands_command"') for query in queries) == 1
    rows = Command.objects.order_by("id").values_list("remote_message", "remote_status", "ticket")
    assert list(rows) == [("A", "x", "T"), ("B", "x", second.ticket), ("", "x", third.ticket)]
    messages = [event.data.get("remote_message", "") for event in Event.objects.filter(version=2).order_by("command")]
    assert messages == ["A", "B", ""]


def test_move_without_a_reason_clears_the_old_reason_and_a_note_keeps_it(create_commands: CreateCommands) -> None:
    (command,) = create_commands(1)

    def reason() -> tuple[str, str]:
        command.refresh_from_db()
        return command.reason_code, command.remote_message

    with change_statuses(by=PORTAL, now=timezone.now()) as changes:
        changes.write([Transition(command.id, None, CommandReasonCode.THROTTLED, event=EventType.HELD)])
        assert reason() == ("throttled", "")
        changes.write([Transition(command.id, event=EventType.ATTACHED)])
        assert reason() == ("throttled", "")
        changes.write([Transition(command.id, Status.WAITING_DEVICE)])
        assert reason() == ("", "")


def test_transitions_of_several_kinds_are_made_in_one_call(create_commands: CreateCommands) -> None:
    first, second, third = create_commands(3)
    with change_statuses(by=PORTAL, now=timezone.now()) as changes:
        changed = changes.write(
            [
                Transition(third.id, event=EventType.ATTACHED),
                Transition(second.id, Status.EXPIRED),
                Transition(first.id, Status.WAITING_DEVICE),
            ]
        )
    assert set(changed) == {first.id, second.id, third.id}
    statuses = list(Command.objects.order_by("id").values_list("status", flat=True))
    assert statuses == ["waiting_device", "expired", "queued"]


def test_further_condition_is_checked(create_commands: CreateCommands) -> None:
    first, second = create_commands(2)
    with change_statuses(by=PORTAL, now=timezone.now()) as changes:
        late = Q(expires_at__lte=first.requested_at + timedelta(minutes=1))
        assert (
            changes.write([Transition(first.id, Status.EXPIRED), Transition(second.id, Status.EXPIRED)], where=late)
            == []
        )


def test_message_longer_than_its_column_is_cut(create_commands: CreateCommands) -> None:
    (command,) = create_commands(1)
    with change_statuses(by=PORTAL, now=timezone.now()) as changes:
        changes.write([Transition(command.id, Status.EXPIRED, remote_message="x" * 900)])
    command.refresh_from_db()
    assert len(command.remote_message) == 500


def test_move_with_an_earlier_time_does_not_go_back_in_the_history(create_commands: CreateCommands) -> None:
    (command,) = create_commands(1)
    with change_statuses(by=PORTAL, now=command.status_at - timedelta(seconds=1)) as changes:
        assert changes.write([Transition(command.id, Status.EXPIRED)])
    at = list(Event.objects.filter(command=command).order_by("version").values_list("at", flat=True))
    command.refresh_from_db()
    assert at == [command.requested_at, command.requested_at]
    assert command.status_at == command.requested_at


def test_note_with_a_slow_clock_does_not_go_back_in_the_history(create_commands: CreateCommands) -> None:
    (command,) = create_commands(1)
    ahead = command.status_at + timedelta(seconds=2)
    for now in (ahead, command.status_at):
        with change_statuses(by=CLOUDFLARE, now=now) as changes:
            assert changes.write([Transition(command.id, event=EventType.DOUBTED)])
    at = list(Event.objects.filter(command=command).order_by("version").values_list("at", flat=True))
    assert at == [command.requested_at, ahead, ahead]
