"""Workers that are delayed or die around their POST: late answers count, and nothing is sent twice."""

from dataclasses import replace
from typing import Any

import pytest

from commands.actions.sending import deliver
from commands.actions.sending.claim import claim
from commands.models import Account, Command
from tests.actions.world import QUICK_END, World

pytestmark = pytest.mark.django_db


def _lost_and_answered(world: World, command: Command) -> tuple[Any, Any]:
    """Send a POST and return its answer, without recording the answer."""
    account = Account.objects.select_related("credential").get(id=world.account.id)
    claimed = claim(account, now=world.now)
    assert claimed is not None
    return claimed, deliver.post(claimed)


def test_late_answer_moves_an_uncertain_command_as_an_answer_in_time(world: World) -> None:
    (command,) = world.request()
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    assert world.status(command) == "uncertain"
    deliver.record(claimed, answer, now=world.now)
    assert world.story(command) == ["queued", "sending", "uncertain", "PENDING_EXEC"]
    assert world.reload(command).remote_id == world.created()[0]["id"]


def test_late_refusal_moves_an_uncertain_command_back_to_the_queue(world: World) -> None:
    (command,) = world.request()
    world.fault("throttle", nth=1, seconds=1)
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    deliver.record(claimed, answer, now=world.now)
    assert world.status(command) == "queued"
    world.forward(seconds=5)
    assert world.deliver()
    assert len(world.created()) == 1


@pytest.mark.parametrize("status", [429, 400])
def test_late_refusal_does_not_change_a_command_adopted_from_a_listing(world: World, status: int) -> None:
    """Adopt the command with an unknown status. It is running, so it is not sent again and not rejected."""
    (command,) = world.request()
    world.fault("error", nth=1, when="after", status=status)
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    world.fault("unknown_status", call="list", word="PENDING_TRANSFER")
    assert world.sync()
    deliver.record(claimed, answer, now=world.now)
    assert (world.status(command), world.reload(command).remote_id) == ("PENDING_EXEC", world.created()[0]["id"])
    assert world.dispatches()[0].ended_at is not None


def test_late_answer_to_an_adopted_command_only_writes_an_event(world: World) -> None:
    (command,) = world.request()
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    assert world.sync()
    adopted = world.reload(command)
    deliver.record(claimed, answer, now=world.now)
    assert world.story(command)[-1] == "late_answer"
    assert (world.status(command), world.reload(command).remote_id) == (adopted.status, adopted.remote_id)


def test_late_answer_with_another_id_than_the_adopted_one_makes_the_match_uncertain(world: World) -> None:
    (command,) = world.request()
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    own = world.created()[0]["id"]
    foreign = world.foreign(world.device())
    Command.objects.filter(id=command.id).update(remote_id=foreign, status="PENDING_EXEC", status_at=world.now)
    deliver.record(claimed, answer, now=world.now)
    held = world.reload(command)
    assert (held.remote_id, held.match_uncertain) == (foreign, True)
    assert world.history(command)[-1].data["remote_id"] == own
    world.forward(minutes=30)
    assert world.sync(complete=True)
    assert Command.objects.get(remote_id=own).started_elsewhere


def test_late_answer_to_an_unconfirmed_command_attaches_its_id(world: World) -> None:
    (command,) = world.request()
    world.fault("missing_rows", call="list")
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    for _ in range(3):
        world.forward(minutes=2)
        world.sync(complete=True)
    world.settle()
    assert world.status(command) == "unconfirmed"
    deliver.record(claimed, answer, now=world.now)
    assert (world.status(command), world.story(command)[-1]) == ("unconfirmed", "late_answer")
    assert world.reload(command).remote_id == world.created()[0]["id"]
    world.heal()
    world.forward(QUICK_END)
    assert world.sync()
    assert world.status(command) == "SUCCESS"


def test_answer_with_an_imported_id_merges_the_import(world: World) -> None:
    (command,) = world.request()
    claimed, answer = _lost_and_answered(world, command)
    world.forward(minutes=30)  # nobody settled; the row is old enough to be somebody else's, and the window is over
    Command.objects.filter(id=command.id).update(device_id="elsewhere")
    assert world.sync(complete=True)
    imported = Command.objects.get(started_elsewhere=True)
    Command.objects.filter(id=command.id).update(device_id=command.device_id)
    deliver.record(claimed, answer, now=world.now)
    imported.refresh_from_db()
    ours = world.reload(command)
    assert (imported.remote_id, imported.merged_into_id) == ("", command.id)
    assert ours.remote_id == world.created()[0]["id"]
    assert ours.status == imported.status


def test_answer_with_the_id_of_an_unconfirmed_import_merges_it_too(world: World) -> None:
    (command,) = world.request()
    claimed, answer = _lost_and_answered(world, command)
    world.forward(minutes=5)
    Command.objects.filter(id=command.id).update(device_id="elsewhere")
    world.configure(offline_timeout=100_000)
    assert world.sync(complete=True)
    imported = Command.objects.get(started_elsewhere=True)
    Command.objects.filter(id=command.id).update(device_id=command.device_id)
    Command.objects.filter(id=imported.id).update(status="PENDING_EXEC", deadline_at=world.now)
    world.forward(seconds=1)
    world.settle()
    assert world.status(imported) == "unconfirmed"
    deliver.record(claimed, answer, now=world.now)
    assert world.reload(command).remote_id == world.created()[0]["id"]
    assert world.status(command) == "PENDING_EXEC"


def test_recording_an_answer_twice_changes_nothing(world: World) -> None:
    """Record the same answer twice, as after a database that went down behind the commit."""
    (command,) = world.request()
    claimed, answer = _lost_and_answered(world, command)
    deliver.record(claimed, answer, now=world.now)
    before = (world.story(command), world.reload(command).remote_id)
    deliver.record(claimed, answer, now=world.now)
    assert (world.story(command), world.reload(command).remote_id) == before


# --- Held up, and killed ---


def test_worker_delayed_before_the_post_does_not_send(world: World) -> None:
    (command,) = world.request()
    claimed = claim(world.account, now=world.now)
    assert claimed is not None
    world.forward(seconds=16)
    answer = deliver.post(claimed)
    assert world.posts() == []
    deliver.record(claimed, answer, now=world.now)
    assert world.status(command) == "queued"
    assert world.deliver()
    assert len(world.created()) == 1


def test_worker_delayed_by_its_own_clock_does_not_send(world: World) -> None:
    world.request()
    claimed = claim(world.account, now=world.now)
    assert claimed is not None
    deliver.post(replace(claimed, began=claimed.began - 16))
    assert world.posts() == []


def test_worker_killed_after_post_leaves_command_uncertain_and_the_listing_finds_it(world: World) -> None:
    (command,) = world.request()
    _lost_and_answered(world, command)
    world.past_the_lease()
    assert world.status(command) == "uncertain"
    assert not world.deliver()
    assert world.sync()
    assert world.story(command) == ["queued", "sending", "uncertain", "PENDING_EXEC"]
    assert [row["id"] for row in world.created()] == [world.reload(command).remote_id]


def test_worker_killed_before_post_leaves_a_command_that_is_never_sent(world: World) -> None:
    (command,) = world.request()
    assert claim(world.account, now=world.now)
    world.past_the_lease()
    assert world.status(command) == "uncertain"
    for _ in range(4):
        world.forward(minutes=2)
        world.sync(complete=True)
        world.settle()
        assert not world.deliver()
    assert world.status(command) == "unconfirmed"
    assert world.posts() == []
