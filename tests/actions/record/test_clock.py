"""Changes of Cloudflare's clock: a new time is believed once it stays, and one answer alone moves no window."""

from datetime import UTC, datetime, timedelta

import pytest

from commands.actions.listing.sync import sync
from commands.models import Account, AccountSync, Command
from tests.actions.world import World

pytestmark = pytest.mark.django_db

HOUR = 3600


def _in_doubt(world: World, *, landed: bool) -> Command:
    """Return a command whose POST was never answered."""
    (command,) = world.request()
    world.fault("reset", nth=1, when="after" if landed else "before")
    assert world.deliver()
    world.heal()
    assert world.status(command) == "uncertain"
    return command


def _date_is_off(world: World, seconds: float) -> None:
    world.fault("date_off", call="list", seconds=seconds)


def test_answer_dated_an_hour_ago_adopts_no_row_of_that_hour(world: World) -> None:
    assert world.sync(complete=True)
    stranger = world.foreign(world.device())
    world.forward(minutes=10)
    assert world.sync(complete=True)
    world.forward(minutes=50)
    command = _in_doubt(world, landed=False)
    _date_is_off(world, -HOUR)
    assert world.sync(complete=True)
    world.heal()
    assert world.sync(complete=True)
    assert Command.objects.get(remote_id=stranger).started_elsewhere
    assert world.reload(command).remote_id == ""


def test_answer_dated_tomorrow_imports_no_command_of_ours_and_hides_none(world: World) -> None:
    assert world.sync(complete=True)
    command = _in_doubt(world, landed=True)
    _date_is_off(world, 24 * HOUR)
    assert world.sync(complete=True)
    assert not Command.objects.filter(started_elsewhere=True).exists()
    assert world.status(command) == "uncertain"
    world.heal()
    listings = 0
    while world.reload(command).remote_id == "":
        listings += 1
        assert listings < 15, "a doubt is to halve with every listing"
        assert world.sync()
    reloaded = world.reload(command)
    assert (reloaded.remote_id, reloaded.match_uncertain) == (world.created()[0]["id"], False)


def test_changed_clock_is_believed_when_it_stays(world: World) -> None:
    assert world.sync(complete=True)
    world.configure(clock_offset=HOUR)
    command = _in_doubt(world, landed=True)
    for _ in range(6):
        assert world.sync()
    assert world.reload(command).remote_id == world.created()[0]["id"]


def test_listing_in_doubt_of_the_time_closes_no_settle_window(world: World) -> None:
    assert world.sync(complete=True)
    command = _in_doubt(world, landed=False)
    world.past_the_lease()
    _date_is_off(world, HOUR)
    assert world.sync(complete=True)
    assert world.reload(command).missed_listings == 0
    AccountSync.objects.update(clock_doubt=timedelta())
    assert world.sync(complete=True)
    assert world.reload(command).missed_listings == 1


def test_commands_refused_together_wait_until_a_listing_knows_the_time(world: World) -> None:
    assert world.sync(complete=True)
    Account.objects.filter(id=world.account.id).update(dialect="current")  # else the other form is tried at once
    commands = world.request(targets=world.targets(world.devices[:2]))
    world.fault("accepted_late", nth=1, then="error", status=422, seconds=0)
    assert world.deliver()
    world.heal()
    world.forward(seconds=1)
    _date_is_off(world, HOUR)
    assert world.sync(complete=True)
    world.settle()
    assert [world.status(command) for command in commands] == ["uncertain"] * 2
    world.heal()
    for _ in range(8):
        assert world.sync()
        world.settle()
    assert {world.reload(command).remote_id for command in commands} == {row["id"] for row in world.created()}
    assert len(world.created()) == 2


def test_foreign_commands_are_imported_after_the_doubt_however_old(world: World) -> None:
    assert world.sync(complete=True)
    stranger = world.foreign(world.device())
    world.forward(minutes=10)
    _date_is_off(world, -6 * HOUR)
    assert world.sync(complete=True)
    world.heal()
    assert not Command.objects.exists()
    for _ in range(8):
        due_at = world.sync_row().due_at
        assert due_at is not None
        assert due_at - world.now <= timedelta(minutes=5)
        world.forward(seconds=(due_at - world.now).total_seconds() + 1)
        assert sync(world.account, now=world.now)
    assert Command.objects.get(remote_id=stranger).started_elsewhere


@pytest.mark.parametrize("seconds", [-3 * HOUR, 3 * HOUR])
def test_clock_hours_off_hides_no_foreign_command(world: World, seconds: int) -> None:
    world.configure(clock_offset=seconds)
    assert world.sync(complete=True)
    stranger = world.foreign(world.device())
    world.forward(minutes=10)
    assert world.sync(complete=True)
    assert Command.objects.get(remote_id=stranger).started_elsewhere


@pytest.mark.parametrize("year", [1, 2011, 2098, 9999])
def test_absurd_date_among_good_ones_stops_no_listing(world: World, year: int) -> None:
    assert world.sync(complete=True)
    command = _in_doubt(world, landed=True)
    _date_is_off(world, (datetime(year, 12, 1, tzinfo=UTC) - world.now).total_seconds())
    assert world.sync(complete=True)
    world.heal()
    for _ in range(30):
        assert world.sync(complete=True)
    assert world.reload(command).remote_id == world.created()[0]["id"]
