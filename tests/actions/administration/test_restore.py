"""Restored databases: no command that may have been created is sent again, and every ledger entry finds its command."""

from collections import Counter
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from commands.actions.administration import restore
from commands.actions.administration.restore import after_restore
from commands.actions.record.transitions import Transition, change_statuses
from commands.actions.sending import withdraw
from commands.actions.sending.claim import claim
from commands.actions.upstream import directory
from commands.audit import by_person
from commands.models import Account, AccountSync, Command, Dispatch, Event, Heartbeat
from commands.rules.states import DONE, Status
from tests.actions.world import BOTH, DIAG, PCAP, World
from tests.backups import back_up, restore_backup

pytestmark = pytest.mark.django_db(transaction=True)


def _again(world: World) -> None:
    """Drop cached rows, so that this process reads the restored ones."""
    world.__dict__["account"] = Account.objects.select_related("credential").get(id=world.account.id)


def _restored(world: World, file: Path) -> restore.Restored:
    restore_backup(file)
    _again(world)
    return after_restore(now=world.now)


def _lives_on(world: World, *, hours: float = 4) -> None:
    """Run the workers for so long: complete listings, settling and sending."""
    for _ in range(int(hours * 60 / 6)):
        world.forward(minutes=6)
        world.sync(complete=True)
        world.settle()
        while world.deliver():
            pass


def _each_entry_has_one_command(world: World) -> None:
    owned = Counter(Command.objects.exclude(remote_id="").values_list("remote_id", flat=True))
    assert set(owned.values()) <= {1}
    assert set(owned) == {row["id"] for row in world.created()}


def test_command_sent_after_the_backup_is_found_and_not_sent_again(world: World, tmp_path: Path) -> None:
    devices = world.devices[:3]
    before = world.request(devices=devices)
    file = back_up(tmp_path)
    while world.deliver():
        pass
    posts = len(world.posts())
    world.forward(minutes=30)
    done = _restored(world, file)
    assert (done.uncertain, done.waiting) == (3, 0)
    assert {world.status(one) for one in before} == {"uncertain"}
    while world.deliver():
        pass
    _lives_on(world, hours=1)
    assert len(world.posts()) == posts
    assert {world.status(one) for one in before} == {"SUCCESS"}
    assert not any(world.reload(one).match_uncertain for one in before)
    _each_entry_has_one_command(world)


def test_command_never_sent_becomes_unconfirmed_and_is_not_sent(world: World, tmp_path: Path) -> None:
    (command,) = world.request()
    file = back_up(tmp_path)
    world.forward(minutes=10)
    _restored(world, file)
    _lives_on(world, hours=1)
    assert (world.status(command), world.posts()) == ("unconfirmed", [])


def test_post_in_progress_in_the_backup_may_have_arrived_until_the_restore(world: World, tmp_path: Path) -> None:
    """Back up during the first POST, which is not sent after all. Send the command half an hour later."""
    (command,) = world.request()
    assert claim(world.account, now=world.now) is not None
    file = back_up(tmp_path)
    Dispatch.objects.update(outcome=Dispatch.Outcome.NOT_SENT)
    Command.objects.update(status=Status.QUEUED, dispatch=None)
    world.forward(minutes=30)
    assert world.deliver()
    world.forward(minutes=30)
    done = _restored(world, file)
    assert (done.uncertain, world.status(command)) == (1, "uncertain")
    _lives_on(world, hours=1)
    assert (world.status(command), len(world.created_for(command))) == ("SUCCESS", 1)


def test_commands_of_one_machine_become_uncertain_one_after_another_and_none_is_sent_again(
    world: World, tmp_path: Path
) -> None:
    """Send three captures and a diag of one Windows device, one after another, between backup and restore."""
    device = world.device("windows")
    commands = [
        *world.request(BOTH, devices=[device]),
        *world.request(PCAP, devices=[device]),
        *world.request(PCAP, devices=[device]),
    ]
    file = back_up(tmp_path)
    for _ in commands:
        assert world.deliver()
        world.forward(minutes=14)
        world.sync(complete=True)
    assert {world.status(one) for one in commands} == {"SUCCESS"}
    done = _restored(world, file)
    assert (done.uncertain, done.waiting) == (1, 3)
    _lives_on(world)
    assert {world.status(one) for one in commands} == {"SUCCESS"}
    assert len(world.posts()) == 4
    _each_entry_has_one_command(world)


def test_command_waiting_after_a_restore_neither_expires_nor_is_withdrawn(world: World, tmp_path: Path) -> None:
    first, second = world.request()[0], world.request()[0]
    file = back_up(tmp_path)
    world.forward(hours=5)
    done = _restored(world, file)
    assert (done.uncertain, done.waiting) == (1, 1)
    world.settle()
    assert [world.status(one) for one in (first, second)] == ["uncertain", "queued"]
    kept = withdraw.withdraw(account=world.account, ids=[second.id], by=world.person, now=world.now)
    assert kept.withdrawn == frozenset()
    assert world.reload(second).reason_code == "restored_waiting"
    _lives_on(world, hours=2)
    assert [world.status(one) for one in (first, second)] == ["unconfirmed", "unconfirmed"]
    assert world.story(second) == ["queued", "held", "uncertain", "unconfirmed"]
    assert world.posts() == []


def test_machine_busy_in_the_backup_keeps_the_next_command_waiting(world: World, tmp_path: Path) -> None:
    running = world.sent()
    (next_one,) = world.request()
    file = back_up(tmp_path)
    world.forward(minutes=20)
    world.sync()
    assert world.deliver()
    world.forward(minutes=20)
    done = _restored(world, file)
    assert (done.uncertain, done.waiting) == (0, 1)
    _lives_on(world, hours=2)
    assert [world.status(one) for one in (running, next_one)] == ["SUCCESS", "SUCCESS"]
    assert len(world.posts()) == 2
    _each_entry_has_one_command(world)


def test_command_requested_between_backup_and_restore_is_imported(world: World, tmp_path: Path) -> None:
    device = world.device("linux")
    file = back_up(tmp_path)
    (lost,) = world.request(DIAG, devices=[device])
    assert world.deliver()
    world.forward(minutes=30)
    _restored(world, file)
    _lives_on(world, hours=1)
    (found,) = Command.objects.filter(device_id=device.device_id)
    assert (found.started_elsewhere, found.status, found.id == lost.id) == (True, "SUCCESS", False)
    _each_entry_has_one_command(world)


def test_command_requested_after_the_restore_is_sent_as_usual(world: World, tmp_path: Path) -> None:
    world.request()
    file = back_up(tmp_path)
    world.forward(minutes=5)
    _restored(world, file)
    (fresh,) = world.request(devices=[world.device("linux")])
    assert world.deliver()
    assert world.status(fresh) == "PENDING_EXEC"


def test_uncertain_commands_of_the_backup_get_a_new_settle_window(world: World, tmp_path: Path) -> None:
    (command,) = world.request()
    world.faults({"match": {"call": "create"}, "effect": {"kind": "reset", "when": "before"}})
    world.deliver()
    world.heal()
    assert world.status(command) == "uncertain"
    file = back_up(tmp_path)
    world.forward(hours=3)
    _restored(world, file)
    world.settle()
    assert world.status(command) == "uncertain"
    _lives_on(world, hours=1)
    assert world.status(command) == "unconfirmed"


def test_second_restore_changes_nothing(world: World) -> None:
    world.request(devices=world.devices[:2])
    assert after_restore(now=world.now).uncertain == 2
    events = Event.objects.count()
    again = after_restore(now=world.now)
    assert (again.uncertain, again.waiting, Event.objects.count()) == (0, 0, events)


def test_restore_resets_leases_and_quota_and_makes_listings_due(world: World) -> None:
    world.device()
    sync = AccountSync.objects.filter(account=world.account)
    sync.update(lease_until=world.now + timedelta(minutes=1), quota_used=3, due_at=world.now + timedelta(hours=1))
    after_restore(now=world.now)
    row = sync.get()
    assert (row.lease_until, row.quota_used, row.quota_total) == (None, None, None)
    assert world.account.id in directory.due_accounts(now=world.now)
    assert row.due_at is not None
    assert row.due_at <= world.now


def test_command_prints_what_it_did_and_takes_the_time_of_the_backup(world: World) -> None:
    world.request()
    world.request()
    Heartbeat.objects.create(role=Heartbeat.Role.TALK, instance="host:1", seen_at=world.now)
    told, warned = StringIO(), StringIO()
    call_command("after_restore", "--taken-at=2026-01-02T03:04:05", stdout=told, stderr=warned)
    lines = told.getvalue().splitlines()
    assert lines[0].endswith("sent after 2 Jan 2026, 03:04:05 UTC.")
    assert lines[1:] == [
        "Commands that are now uncertain, until Cloudflare's list shows them: 1.",
        "Commands that wait for another command on the same device first: 1.",
    ]
    assert "talk" in warned.getvalue()
    assert Dispatch.objects.get().claimed_at.isoformat() == "2026-01-02T03:04:05+00:00"


def test_command_barred_by_a_restore_is_not_withdrawn_or_expired(world: World) -> None:
    world.request()
    (barred,) = world.request()
    after_restore(now=world.now)
    with change_statuses(by=by_person(world.person), now=world.now) as changes:
        assert changes.write([Transition(barred.id, Status.WITHDRAWN)]) == []
    assert world.status(barred) not in DONE
