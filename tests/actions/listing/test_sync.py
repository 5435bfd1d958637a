"""Effects of a listing on our record: commands move forward, are adopted or imported, or stay as they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from commands.actions.listing import schedule
from commands.actions.listing.sync import sync
from commands.actions.record.remote_updates import apply_remote_updates
from commands.actions.record.transitions import change_statuses
from commands.actions.sending import deliver
from commands.actions.sending.claim import claim
from commands.audit import CLOUDFLARE
from commands.models import AccountSync, AccountVersion, Artifact, Command
from commands.rules.listed_command import ListedCommand
from commands.rules.matching import Advance
from commands.rules.states import Status
from tests.actions.world import DIAG, QUICK_END, World

pytestmark = pytest.mark.django_db


def _lost(world: World, **rest: Any) -> Command:
    """Return a command that is uncertain because its answer was lost."""
    (command,) = world.request(**rest)
    world.fault("reset", nth=1, when="after")
    assert world.deliver()
    world.heal()
    assert world.status(command) == "uncertain"
    return world.reload(command)


# --- Forward ---


def test_statuses_move_forward_as_cloudflare_lists_them(world: World) -> None:
    command = world.sent()
    seen = [world.status(command)]
    world.forward(seconds=55)
    while seen[-1] != "SUCCESS":
        world.forward(seconds=3)
        world.sync()
        if world.status(command) != seen[-1]:
            seen.append(world.status(command))
    assert seen == ["PENDING_EXEC", "PENDING_UPLOAD", "SUCCESS"]
    done = world.reload(command)
    assert done.remote_status == "SUCCESS"
    assert done.remote_completed_at is not None
    assert world.artifact(command).filename


@pytest.mark.parametrize("wrong", [timedelta(days=365 * 70), timedelta(hours=2), -timedelta(days=365)])
def test_impossible_date_does_not_move_the_end_of_a_file(world: World, wrong: timedelta) -> None:
    """Ignore a date of Cloudflare's that is not between the POST and the listing."""
    command = world.sent()
    row = ListedCommand(command.remote_id, command.kind, "SUCCESS", command.device_id, completed_date=world.now + wrong)
    with change_statuses(by=CLOUDFLARE, now=world.now) as changes:
        apply_remote_updates(changes, [Advance(row, command.id, Status.SUCCESS)])
    off = abs(world.artifact(command).deleted_remotely_at - timedelta(days=7) - world.now)
    assert off < timedelta(minutes=5)


def test_failed_command_has_no_file(world: World) -> None:
    world.configure(failure_share=1)
    command = world.sent()
    world.forward(QUICK_END)
    assert world.sync()
    assert world.status(command) == "FAILED"
    assert not Artifact.objects.exists()


def test_status_that_goes_back_is_ignored(world: World) -> None:
    command = world.sent()
    world.forward(QUICK_END)
    assert world.sync()
    before = world.story(command)
    world.fault("status_back", call="list")
    assert world.sync(complete=True)
    assert world.story(command) == before


def test_unknown_status_is_shown_and_moves_nothing(world: World) -> None:
    command = world.sent()
    world.fault("unknown_status", call="list", word="PAUSED_BY_THE_MOON")
    assert world.sync()
    assert (world.status(command), world.reload(command).remote_status) == ("PENDING_EXEC", "PAUSED_BY_THE_MOON")
    version = AccountVersion.objects.get(account=world.account).number
    assert world.sync()
    assert AccountVersion.objects.get(account=world.account).number == version
    world.heal()
    world.forward(QUICK_END)
    assert world.sync()
    assert world.status(command) == "SUCCESS"


def test_unknown_statuses_of_many_commands_cost_as_many_queries_as_of_one(world: World) -> None:
    def queries(word: str) -> int:
        world.fault("unknown_status", call="list", word=word)
        with CaptureQueriesContext(connection) as caught:
            assert world.sync()
        world.heal()
        return len(caught)

    world.sync(complete=True)
    first = world.sent()
    alone = queries("PAUSED")
    others = world.request(
        devices=[candidate for candidate in world.devices if candidate.device_id != first.device_id][:5]
    )
    assert world.deliver()
    assert queries("WAXING") == queries("WANING") == alone
    assert {world.reload(candidate).remote_status for candidate in (first, *others)} == {"WANING"}


def test_status_longer_than_its_column_is_cut(world: World) -> None:
    command = world.sent()
    world.fault("unknown_status", call="list", word="W" * 90)
    assert world.sync()
    assert world.reload(command).remote_status == "W" * 40


@pytest.mark.parametrize("fault", ["repeated_rows", "reordered_rows", "created_date_absent", "registration_absent"])
def test_order_of_the_rows_does_not_matter(world: World, fault: str) -> None:
    commands = world.request(devices=world.devices[:4])
    assert world.deliver()
    world.forward(QUICK_END)
    world.fault(fault, call="list")
    assert world.sync(complete=True)
    assert {world.status(command) for command in commands} == {"SUCCESS"}
    assert Command.objects.count() == len(commands)


def test_missing_row_changes_nothing_until_the_deadline(world: World) -> None:
    command = world.sent()
    world.fault("missing_rows", call="list")
    world.forward(minutes=20)
    assert world.sync(complete=True)
    world.settle()
    assert world.status(command) == "PENDING_EXEC"
    world.forward(minutes=20)
    world.settle()
    assert world.status(command) == "unconfirmed"
    world.heal()
    assert world.sync()
    assert world.status(command) == "SUCCESS"
    assert len(world.created()) == 1


# --- Adopted ---


def test_command_whose_answer_was_lost_is_found_and_adopted(world: World) -> None:
    command = _lost(world)
    assert world.sync()
    adopted = world.reload(command)
    assert adopted.remote_id == world.created()[0]["id"]
    assert not adopted.match_uncertain
    assert [event.event for event in world.history(command)] == ["requested", "moved", "moved", "adopted"]


@pytest.mark.parametrize("seconds", [-600, -90, 90, 600])
def test_wrong_clock_hides_no_command(world: World, seconds: int) -> None:
    world.configure(clock_offset=seconds)
    command = _lost(world)
    assert world.sync(complete=True)
    assert world.reload(command).remote_id == world.created()[0]["id"]


def test_absurd_date_in_an_answer_is_ignored(world: World) -> None:
    command = _lost(world)
    world.fault("date_off", call="list", seconds=(datetime(9999, 12, 1, tzinfo=UTC) - world.now).total_seconds())
    assert world.sync(complete=True)
    assert world.reload(command).remote_id == world.created()[0]["id"]


def test_match_without_a_date_is_uncertain(world: World) -> None:
    command = _lost(world)
    world.fault("created_date_absent", call="list")
    assert world.sync()
    assert world.reload(command).match_uncertain


def test_match_beside_a_foreign_twin_is_uncertain(world: World) -> None:
    (command,) = world.request()
    world.faults(
        {"match": {"call": "create", "nth": 1}, "effect": {"kind": "foreign_twin", "when": "after"}},
        {"match": {"call": "create", "nth": 1}, "effect": {"kind": "reset", "when": "after"}},
    )
    assert world.deliver()
    world.heal()
    assert world.sync(complete=True)
    assert world.reload(command).match_uncertain
    world.forward(minutes=10)
    assert world.sync(complete=True)
    assert Command.objects.filter(started_elsewhere=True).count() == 1
    ids = set(Command.objects.exclude(remote_id="").values_list("remote_id", flat=True))
    assert ids == {row["id"] for row in world.created()}


def test_lost_commands_of_two_kinds_on_one_machine_each_find_their_own_row(world: World) -> None:
    first = _lost(world)
    (second,) = world.request(DIAG)
    world.forward(seconds=10)
    world.fault("reset", nth=1, when="after")
    assert world.deliver()
    world.heal()
    assert world.sync()
    kinds = {row["id"]: row["kind"] for row in world.created()}
    for command in (first, second):
        assert kinds[world.reload(command).remote_id] == command.kind


def test_row_is_left_alone_while_its_post_is_in_progress(world: World) -> None:
    (command,) = world.request()
    claimed = claim(world.account, now=world.now)
    assert claimed is not None
    answer = deliver.post(claimed)
    assert world.sync(complete=True)
    assert (world.status(command), Command.objects.count()) == ("sending", 1)
    deliver.record(claimed, answer, now=world.now)
    assert world.status(command) == "PENDING_EXEC"


def test_command_found_with_an_unknown_status_is_running_until_its_deadline(world: World) -> None:
    """End the command at its deadline. Otherwise its machine would be busy for a day."""
    command = _lost(world)
    world.fault("unknown_status", call="list", word="PAUSED")
    world.sync(complete=True)
    adopted = world.reload(command)
    assert (adopted.remote_id, adopted.status, adopted.remote_status) == (
        world.created()[0]["id"],
        "PENDING_EXEC",
        "PAUSED",
    )
    world.forward(minutes=50)
    world.sync(complete=True)
    world.settle()
    assert world.status(command) == "unconfirmed"
    world.heal()
    world.forward(QUICK_END)
    assert world.sync()
    assert world.status(command) == "SUCCESS"


def test_lagging_listing_is_waited_for(world: World) -> None:
    command = _lost(world)
    world.fault("listing_lag", call="list", seconds=240)
    for _ in range(2):
        world.forward(seconds=100)
        world.sync(complete=True)
        world.settle()
    assert world.status(command) == "uncertain"
    world.forward(seconds=100)
    assert world.sync()
    assert world.reload(command).remote_id


# --- Looked for after every deadline ---


def _unconfirmed(world: World) -> Command:
    command = _lost(world)
    world.fault("missing_rows", call="list")
    for _ in range(4):
        world.forward(minutes=2)
        world.sync(complete=True)
        world.settle()
    assert world.status(command) == "unconfirmed"
    return command


@pytest.mark.parametrize("hours", [0.5, 3, 60])
def test_unconfirmed_command_is_updated_when_it_turns_up(world: World, hours: float) -> None:
    command = _unconfirmed(world)
    _pass_by(world, hours)
    world.heal()
    _pass_by(world, 25 if hours > 24 else 2)
    assert world.status(command) == "SUCCESS"
    assert world.reload(command).remote_id == world.created()[0]["id"]


def _pass_by(world: World, hours: float) -> None:
    """Let time pass, and list whenever a listing is due. Over a long time the steps are longer."""
    step = 0.52 if hours < 24 else 5
    for _ in range(int(hours / step) + 1):
        world.forward(hours=step)
        sync(world.account, now=world.now)


def test_unconfirmed_command_is_not_looked_for_after_a_week(world: World) -> None:
    command = _unconfirmed(world)
    world.forward(days=8)
    assert sync(world.account, now=world.now)
    world.forward(days=1)
    plan = schedule.plan_listing(world.account, world.sync_row(), now=world.now)
    assert plan is not None
    assert plan.complete
    assert plan.since > world.reload(command).requested_at


def test_old_unconfirmed_commands_are_looked_for_in_complete_listings_only(world: World) -> None:
    """Keep quick listings short. With the old commands they would go back for days, every 5 seconds."""
    old = _unconfirmed(world)
    world.heal()
    AccountSync.objects.update(complete_at=world.now + timedelta(hours=5))
    world.forward(hours=5)
    world.sent(devices=[world.device("linux")])
    plan = schedule.plan_listing(world.account, world.sync_row(), now=world.now)
    assert plan is not None
    assert not plan.complete
    assert plan.since > world.reload(old).requested_at


# --- Imported ---


def test_foreign_command_is_imported_and_updated_without_a_file(world: World) -> None:
    world.configure(speed=0.2)
    foreign = world.foreign(world.device("mac"))
    assert world.sync(complete=True)
    assert not Command.objects.exists(), "too young: it could be an answer on its way"
    world.forward(minutes=4)
    assert world.sync(complete=True)
    imported = Command.objects.get()
    assert (imported.remote_id, imported.started_elsewhere, imported.status) == (foreign, True, "PENDING_EXEC")
    assert (imported.platform, imported.email, imported.run, imported.requested_by) == (
        "mac",
        imported.email,
        None,
        None,
    )
    world.forward(QUICK_END * 5)
    assert world.sync()
    assert world.status(imported) == "SUCCESS"
    assert not Artifact.objects.exists()
    assert world.story(imported) == ["PENDING_EXEC", "SUCCESS"]


def test_quick_listing_imports_nothing(world: World) -> None:
    world.sync(complete=True)
    world.sent()
    world.foreign(world.device("linux"))
    world.forward(minutes=4, seconds=30)
    assert world.sync()
    assert Command.objects.filter(started_elsewhere=True).count() == 0
