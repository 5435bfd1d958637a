"""Choice of the next listing, its length, and listings that cannot be read to their end."""

from datetime import timedelta
from typing import Any

import pytest

from commands.actions.listing import reader, schedule
from commands.actions.listing.sync import sync
from commands.actions.upstream import rate_limit
from commands.cloudflare.types import Call
from commands.models import Account, AccountSync, CallBudget, Command
from commands.rules import matching
from tests.actions.world import World
from tests.people import make_account
from tests.rows import make_pause

pytestmark = pytest.mark.django_db


@pytest.fixture
def scarce(world: World, settings: Any) -> None:
    """Set one row a page, and 10 calls for listings at once, then one every 30 seconds."""
    assert world.devices
    settings.PAGE_SIZE = 1
    settings.RATE_CALLS, settings.RATE_RESERVE = 50, 10
    CallBudget.objects.update(calls_left=None, list_calls_left=None)


def _lost(world: World, **rest: Any) -> Command:
    """Return a command that is uncertain because its answer was lost."""
    (command,) = world.request(**rest)
    world.fault("reset", nth=1, when="after")
    assert world.deliver()
    world.heal()
    return world.reload(command)


def _to_when_it_is_due(world: World) -> None:
    due_at = world.sync_row().due_at
    assert due_at is not None
    world.forward(max(0.0, (due_at - world.now).total_seconds()) + 0.01)


def test_quick_listing_ends_when_every_open_id_was_seen(world: World, settings: Any) -> None:
    settings.PAGE_SIZE = 2
    world.upstream.control("POST", "load", {"count": 40, "seed": 1, "days": 0.001})
    world.sync(complete=True)
    commands = world.request(devices=world.devices[:4])
    assert world.deliver()
    plan = schedule.plan_listing(world.account, world.sync_row(), now=world.now)
    assert plan is not None
    assert not plan.complete
    listing = reader.read(world.account, world.sync_row(), plan, now=world.now)
    assert len(listing.rows) == 4, "2 pages for 4 open ones"
    assert {row.id for row in listing.rows} == {world.reload(command).remote_id for command in commands}


def test_quick_listing_reads_on_while_an_answer_is_missing(world: World, settings: Any) -> None:
    settings.PAGE_SIZE = 2
    world.sync(complete=True)
    world.request(devices=world.devices[:3])
    assert world.deliver()
    _lost(world, devices=[world.devices[3]])
    plan = schedule.plan_listing(world.account, world.sync_row(), now=world.now)
    assert plan is not None
    assert not plan.complete
    assert len(reader.read(world.account, world.sync_row(), plan, now=world.now).rows) == 4


def test_complete_listing_is_due_every_half_hour_while_nothing_is_open(world: World) -> None:
    assert world.sync()
    assert not world.sync()
    world.forward(minutes=29)
    assert not world.sync()
    world.forward(minutes=2)
    assert world.sync()


def test_complete_listing_is_due_every_five_minutes_while_a_command_is_open(world: World) -> None:
    world.configure(speed=0.001)
    world.sent()
    assert world.sync()
    first = world.sync_row().complete_at
    world.forward(minutes=4)
    assert world.sync()
    assert world.sync_row().complete_at == first
    world.forward(minutes=2)
    assert world.sync()
    assert world.sync_row().complete_at != first


def test_one_worker_lists_an_account_at_a_time(world: World) -> None:
    world.sent()
    AccountSync.objects.update(lease_until=world.now + timedelta(seconds=30))
    assert not world.sync()
    world.forward(seconds=31)
    assert world.sync()
    assert world.sync_row().attempts == 0


def test_listing_requested_during_another_one_follows_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Request a listing while an idle account is being listed, as after a sent command or a rejected POST."""
    real = reader.read

    def read_and_be_hurried(*given: Any, **named: Any) -> Any:
        listing = real(*given, **named)
        world.forward(seconds=2)  # it was one call, which is paid for by then
        schedule.schedule_listing_by(world.account.id, at=world.now)
        AccountSync.objects.update(complete_due_at=world.now)
        return listing

    monkeypatch.setattr(reader, "read", read_and_be_hurried)
    assert world.sync()
    row = world.sync_row()
    assert row.due_at is not None
    assert row.due_at <= world.now
    assert row.complete_due_at is not None
    monkeypatch.setattr(reader, "read", real)
    assert schedule.due_accounts(now=world.now) == [world.account.id]
    assert sync(world.account, now=world.now)
    assert world.sync_row().complete_due_at is None


def test_failed_listing_pauses_longer_each_time_and_counts_for_nothing(world: World) -> None:
    command = _lost(world)
    world.fault("error", call="list", status=400)
    assert not world.sync()
    world.fault("error", call="list", status=403)
    world.forward(minutes=6)
    assert not world.sync()
    pause = world.pauses()["list"]
    assert pause.refused
    assert world.reload(command).missed_listings == 0
    assert schedule.due_accounts(now=world.now) == []
    world.heal()
    world.forward(minutes=6)
    assert world.sync()
    assert "list" not in world.pauses()


def test_only_complete_listings_begun_after_the_lease_count_for_not_listed(world: World) -> None:
    command = _lost(world)
    world.fault("missing_rows", call="list")
    assert world.sync(complete=True)
    assert world.reload(command).missed_listings == 0, "the lease still ran"
    world.forward(seconds=90)
    assert world.sync(complete=True)
    assert world.reload(command).missed_listings == 1
    world.forward(seconds=10)
    assert world.sync()
    assert world.reload(command).missed_listings == 1, "a quick one counts for nothing"


# --- Paid for ---


def test_interval_grows_with_the_calls_of_the_listing_and_no_request_shortens_it(world: World, settings: Any) -> None:
    settings.PAGE_SIZE = 1
    world.configure(speed=0.001)
    world.sync(complete=True)
    world.request(devices=world.devices[:10])
    while world.deliver():
        pass
    assert world.sync()
    cost = timedelta(seconds=10 * 300 / 275)
    due_at = world.sync_row().due_at
    assert due_at is not None
    assert cost - timedelta(seconds=1) < due_at - world.now <= cost
    schedule.schedule_listing_by(world.account.id, at=world.now)
    assert world.sync_row().due_at == due_at
    assert schedule.due_accounts(now=world.now) == []
    assert not sync(world.account, now=world.now)
    _to_when_it_is_due(world)
    assert schedule.due_accounts(now=world.now) == [world.account.id]
    assert sync(world.account, now=world.now)


def test_accounts_of_one_credential_share_what_listings_may_cost(world: World) -> None:
    alone = rate_limit.share_of_listings(world.account, 10)
    make_account("Beside it", credential=world.account.credential)
    make_account("Elsewhere")
    assert rate_limit.share_of_listings(world.account, 10) == 2 * alone


@pytest.mark.usefixtures("scarce")
def test_more_open_commands_than_calls_are_all_updated_in_time(world: World) -> None:
    """Sync every half minute, although 10 pages are due every 5 seconds and there is one call every 30 seconds."""
    commands = world.request(devices=world.devices[:10])
    while world.deliver():
        pass
    world.use_up(Call.LIST)
    for _ in range(50):
        world.forward(seconds=30)
        sync(world.account, now=world.now)
        world.settle()
    assert [world.status(command) for command in commands] == ["SUCCESS"] * len(commands)
    assert not any("unconfirmed" in world.story(command) for command in commands)


# --- Interrupted ---


@pytest.mark.usefixtures("scarce")
def test_complete_listing_with_more_pages_than_calls_continues_until_its_end(world: World) -> None:
    lost = _lost(world)
    foreign = {world.foreign(device) for device in world.devices[1:] for _ in range(3)}
    assert len(foreign) > 12
    world.fault("missing_rows", call="list", p=0)
    Command.objects.filter(id=lost.id).update(email="nobody@example.com")  # so that its row is another's
    world.forward(minutes=10)
    begun = world.now
    assert sync(world.account, now=world.now)
    row = world.sync_row()
    assert (row.pass_page, row.complete_at, row.listed_at) == (11, None, None)
    assert Command.objects.filter(started_elsewhere=True).count() == 10
    assert world.reload(lost).missed_listings == 0, "who knows what the other pages have"
    parts = 1
    while world.sync_row().pass_page:
        _to_when_it_is_due(world)
        sync(world.account, now=world.now)
        parts += 1
        assert parts < 60
    row = world.sync_row()
    assert row.complete_at is not None
    assert begun <= row.complete_at < begun + timedelta(seconds=5), "what came since is for the next one"
    assert foreign <= set(Command.objects.filter(started_elsewhere=True).values_list("remote_id", flat=True))
    assert world.reload(lost).missed_listings == 1


@pytest.mark.usefixtures("scarce")
def test_quick_listings_run_between_the_parts_of_a_complete_one(world: World) -> None:
    for device in world.devices[1:]:
        world.foreign(device)
        world.foreign(device)
    world.configure(speed=0.001)
    world.forward(minutes=10)
    world.sent()
    assert sync(world.account, now=world.now)
    sorts = []
    for _ in range(4):
        _to_when_it_is_due(world)
        plan = schedule.plan_listing(world.account, world.sync_row(), now=world.now)
        assert plan is not None
        sorts.append((plan.complete, plan.page > 1))
        assert sync(world.account, now=world.now)
    assert sorts == [(False, False), (True, True), (False, False), (True, True)]


def test_429_during_a_listing_loses_no_page_that_was_read(world: World, settings: Any) -> None:
    settings.PAGE_SIZE = 1
    world.configure(sort="oldest")
    commands = world.request(devices=world.devices[:3])
    assert world.deliver()
    world.forward(hours=1)
    world.fault("throttle", call="list", nth=3, seconds=60)
    assert world.sync(complete=True)
    assert sorted(world.status(command) for command in commands) == ["PENDING_EXEC", "SUCCESS", "SUCCESS"]
    assert schedule.due_accounts(now=world.now) == []
    world.heal()
    world.forward(seconds=61)
    assert world.sync()
    assert world.sync() or world.sync()
    assert {world.status(command) for command in commands} == {"SUCCESS"}


# --- Resting ---


@pytest.mark.parametrize("status", [403, 400])
def test_refused_listing_stays_paused_when_a_new_command_is_sent(world: World, status: int) -> None:
    world.fault("error", call="list", status=status)
    assert not world.sync()
    world.heal()
    world.sent()
    assert not world.sync(), "not even asked: it would have worked"
    assert world.sync_row().due_at == world.pauses()["list"].until
    world.forward(minutes=6)
    assert world.sync()


def test_listing_that_cannot_be_processed_is_paused(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def poisoned(*_: object, **__: object) -> None:
        raise OverflowError("date value out of range")

    command = world.sent()
    with monkeypatch.context() as patch:
        patch.setattr(matching, "match", poisoned)
        assert not world.sync()
    pause = world.pauses()["list"]
    assert pause.reason_code == "listing_not_applied"
    assert "sync_broke" in caplog.text
    assert schedule.due_accounts(now=world.now) == []
    world.forward(hours=1)
    assert world.sync()
    assert (world.status(command), world.pauses()) == ("SUCCESS", {})


# --- Written by a wrong clock ---


def test_times_written_by_a_wrong_clock_stop_no_listing(world: World) -> None:
    command = world.sent()
    tomorrow = world.now + timedelta(days=1)
    AccountSync.objects.update(due_at=tomorrow, complete_at=tomorrow, not_before=tomorrow, lease_until=tomorrow)
    make_pause(world.account, "list", until=tomorrow, since=tomorrow)
    CallBudget.objects.update(list_calls_left=0, calls_left=0, counted_at=tomorrow, paused_until=tomorrow)
    assert schedule.due_accounts(now=world.now) == [world.account.id]
    plan = schedule.plan_listing(world.account, world.sync_row(), now=world.now)
    assert plan is not None
    assert plan.complete
    assert plan.since < command.requested_at
    assert sync(world.account, now=world.now)
    complete_at = world.sync_row().complete_at
    assert complete_at is not None
    assert complete_at < tomorrow


def test_wrong_clock_releases_no_command_that_waits_for_a_complete_listing(world: World) -> None:
    Account.objects.filter(id=world.account.id).update(dialect="current")
    commands = world.request(targets=world.targets(world.devices[:2]))
    world.fault("error", nth=1, status=400)
    assert world.deliver()
    AccountSync.objects.update(complete_at=world.now + timedelta(days=1))
    world.settle()
    assert not world.deliver()
    world.forward(seconds=1)
    assert world.sync(complete=True)
    world.settle()
    assert world.deliver()
    assert {world.status(command) for command in commands} == {"queued", "PENDING_EXEC"}


def test_page_that_never_comes_does_not_hide_the_pages_before_it(world: World, settings: Any) -> None:
    settings.PAGE_SIZE = 2
    commands = world.request(targets=world.targets(world.devices[:5]))
    while world.deliver():
        pass
    world.configure(speed=10_000)
    third = (
        {"match": {"call": "list", "nth": 2 + n}, "effect": {"kind": "error"}}
        for n in range(1, settings.GET_ATTEMPTS + 1)
    )
    world.faults(*third)
    world.forward(minutes=6)
    assert world.sync(complete=True)
    assert sum(world.status(command) == "SUCCESS" for command in commands) == 4
    assert world.sync_row().complete_at is None


# --- Started elsewhere, and unconfirmed ---


def test_foreign_command_that_ends_after_its_deadline_is_still_updated(world: World) -> None:
    """Use a command that began before the time to which the regular listings go back."""
    world.configure(speed=0.04)
    world.foreign(world.device())
    world.forward(minutes=4)
    assert world.sync(complete=True)
    (imported,) = Command.objects.all()
    for _ in range(4):
        world.forward(minutes=25)
        world.sync(complete=True)
        world.settle()
    assert world.status(imported) == "unconfirmed"
    world.forward(hours=3)
    assert sync(world.account, now=world.now)
    assert world.status(imported) == "SUCCESS"
    assert not Command.objects.exclude(id=imported.id).exists()


def test_interrupted_listing_goes_on_when_no_open_command_has_a_time(world: World) -> None:
    assert world.sync(complete=True)
    stranger = world.foreign(world.device())
    world.forward(minutes=10)
    assert world.sync(complete=True)
    Command.objects.filter(remote_id=stranger).update(status="PENDING_EXEC", remote_created_at=None)
    begun = {"pass_since": world.now - timedelta(hours=1), "pass_begun_at": world.now}
    AccountSync.objects.update(pass_page=2, pass_rests=True, **begun)
    world.forward(minutes=5)
    assert world.sync()
    assert (world.sync_row().pass_page, world.sync_row().complete_at) == (0, begun["pass_begun_at"])
