"""Commands refused together but created: they are never sent again, whatever the clocks show."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commands import clock
from commands.actions import settle
from commands.actions.listing.sync import sync
from commands.actions.record.transitions import StatusWriter, Transition
from commands.actions.sending import deliver
from commands.actions.sending.claim import Claimed, claim
from commands.cloudflare.client import Client
from commands.models import Account, AccountSync, Command, Pause
from tests.actions.world import World

pytestmark = pytest.mark.django_db

OFF = 200  # seconds: more than the two minutes that the windows forgive


def _refused(world: World, *, created: bool = True, listed: bool = True) -> list[Command]:
    """Return two commands of one POST that was answered with 422."""
    if listed:
        assert world.sync(complete=True)
    Account.objects.filter(id=world.account.id).update(dialect="current")  # else the other form is tried at once
    commands = world.request(targets=world.targets(world.devices[:2]))
    if created:
        world.fault("accepted_late", nth=1, then="error", status=422, seconds=0)
    else:
        world.fault("error", nth=1, status=422)
    assert world.deliver()
    world.heal()
    world.forward(seconds=1)
    return commands


def _broken_off(world: World) -> None:
    """Make a listing whose first page has a wrong date, and whose second page does not come."""
    date = {"match": {"call": "list", "count": 1}, "effect": {"kind": "date_off", "seconds": OFF}}
    world.faults({"match": {"call": "list", "nth": 2}, "effect": {"kind": "error", "status": 400}}, date)
    world.sync(complete=True)
    world.heal()
    Pause.objects.all().delete()
    AccountSync.objects.update(not_before=None, due_at=None)


def _none_is_doubled(world: World) -> None:
    for _ in range(4):
        world.forward(seconds=5)
        world.sync()
        world.settle()
        while world.deliver():
            pass
    assert len([row for row in world.created() if not row["foreign"]]) == 2
    assert len(world.posts()) == 1


def test_date_wrong_in_two_listings_sends_nothing_twice(world: World) -> None:
    _refused(world)
    world.fault("date_off", call="list", seconds=OFF)
    for complete in (True, False):
        assert world.sync(complete=complete)
        world.settle()
        world.forward(seconds=5)
    world.heal()
    _none_is_doubled(world)


def test_date_an_hour_off_until_it_is_believed_sends_nothing_twice(world: World) -> None:
    _refused(world)
    world.fault("date_off", call="list", seconds=3600)
    assert world.sync(complete=True)
    for _ in range(9):
        world.forward(seconds=5)
        assert world.sync()
        world.settle()
    world.heal()
    _none_is_doubled(world)


def test_first_listing_with_a_wrong_date_sends_nothing_twice(world: World) -> None:
    _refused(world, listed=False)
    world.fault("date_off", call="list", seconds=3600)
    assert world.sync(complete=True)
    world.heal()
    for _ in range(3):
        world.forward(minutes=10)
        assert world.sync(complete=True)
        world.settle()
    _none_is_doubled(world)


def test_database_clock_that_steps_back_sends_nothing_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _refused(world)
    there = clock.database_now
    monkeypatch.setattr(clock, "database_now", lambda: there() - timedelta(seconds=180))
    for _ in range(10):
        world.forward(seconds=30)
        AccountSync.objects.update(not_before=None, due_at=None, complete_due_at=clock.database_now())
        assert sync(world.account, now=clock.database_now())
        settle.settle(now=clock.database_now())
    _none_is_doubled(world)


def test_command_imported_while_two_clocks_alternate_is_not_sent_twice(world: World) -> None:
    commands = _refused(world)
    for _ in range(6):
        world.fault("date_off", call="list", seconds=600)
        for _ in range(2):
            world.forward(minutes=2, seconds=30)
            assert world.sync(complete=True)
            world.heal()
        world.settle()
    assert Command.objects.filter(started_elsewhere=True, merged_into=None).count() == 2
    _none_is_doubled(world)
    assert {world.status(command) for command in commands} <= {"uncertain", "unconfirmed"}


def test_interrupted_listing_with_a_part_in_doubt_of_the_time_sends_nothing_twice(world: World, settings: Any) -> None:
    _refused(world)
    settings.PAGE_SIZE = 2
    _broken_off(world)
    _none_is_doubled(world)


def test_interrupted_listing_with_a_part_in_doubt_of_the_time_gives_no_command_up(world: World, settings: Any) -> None:
    assert world.sync(complete=True)
    (command,) = world.request()
    world.fault("reset", nth=1, when="after")
    assert world.deliver()
    world.past_the_lease()
    settings.PAGE_SIZE = 1
    _broken_off(world)
    for _ in range(2):
        world.forward(seconds=5)
        assert world.sync()
    assert world.sync_row().pass_page == 0, "the other piece came, too"
    assert world.reload(command).missed_listings == 0


def test_rows_created_while_pages_are_read_hide_none_of_ours(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Create so many rows that those of the first page move to the second one."""
    _refused(world)
    settings.PAGE_SIZE = 2
    others = world.devices[3:7]
    for device in others[:2]:
        world.foreign(device)
    read = Client.list_commands

    def list_commands(client: Client, page: int, *filters: Any, **rest: Any) -> Any:
        result = read(client, page, *filters, **rest)
        while page == 1 and len(others) > 2:
            world.foreign(others.pop())
        return result

    monkeypatch.setattr(Client, "list_commands", list_commands)
    assert world.sync(complete=True)
    world.settle()
    _none_is_doubled(world)


def test_command_queued_by_another_settle_and_being_sent_is_not_queued_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let one settle read before the other one and lock after it."""
    commands = _refused(world, created=False)
    assert world.sync(complete=True)
    write, claimed = StatusWriter.write, list[Claimed]()

    def held_up(changes: StatusWriter, transitions: Iterable[Transition], **rest: Any) -> list[UUID]:
        if transitions := list(transitions):
            monkeypatch.setattr(StatusWriter, "write", write)
            write(changes, transitions, **rest)
            while post := claim(Account.objects.select_related("credential").get(id=world.account.id), now=world.now):
                claimed.append(post)
        return write(changes, transitions, **rest)

    monkeypatch.setattr(StatusWriter, "write", held_up)
    world.settle()
    assert {world.status(command) for command in commands} == {"sending"}
    for post in claimed:
        deliver.record(post, deliver.post(post), now=world.now)
    while world.deliver():
        pass
    assert len(world.created()) == 2


def test_older_foreign_command_does_not_keep_ours_from_being_sent_again(world: World) -> None:
    world.foreign(world.devices[0])
    world.forward(hours=1)
    commands = _refused(world, created=False)
    assert world.sync()
    world.settle()
    assert {world.status(command) for command in commands} == {"queued"}
    while world.deliver():
        pass
    assert {world.status(command) for command in commands} == {"PENDING_EXEC"}


def test_reported_error_with_a_possible_match_is_not_rejected(world: World) -> None:
    (command,) = world.request()
    world.fault("success_false", nth=1, when="after")
    assert world.deliver()
    world.configure(clock_offset=3600)
    world.heal()
    AccountSync.objects.update(clock_offset=timedelta(hours=2))
    for _ in range(12):
        world.forward(minutes=1)
        world.sync(complete=True)
        world.settle()
    assert world.status(command) != "rejected"
