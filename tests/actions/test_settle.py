"""Time-outs, each tested just before its boundary and at it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commands.actions import settle
from commands.actions.record.transitions import StatusWriter, Transition
from commands.actions.sending.claim import claim
from commands.models import Artifact, Command, Dispatch
from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.kinds import Kind
from tests.actions.world import BOTH, QUICK_END, World

pytestmark = pytest.mark.django_db

JUST = timedelta(seconds=2)


def _lost(world: World, **rest: Any) -> Command:
    """Return a command that was claimed and whose POST has no known result."""
    (command,) = world.request(**rest)
    assert claim(world.account, now=world.now)
    return world.reload(command)


def _listed(world: World, times: int) -> None:
    """Apply complete listings that lack the command."""
    world.fault("missing_rows", call="list")
    for _ in range(times):
        world.forward(seconds=1)
        assert world.sync(complete=True)


def test_only_a_lease_that_ran_out_ends_a_post(world: World) -> None:
    command = _lost(world)
    world.forward(seconds=58)
    assert world.settle() == 0
    assert world.status(command) == "sending"
    world.forward(seconds=2)
    assert world.settle() == 1
    assert world.status(command) == "uncertain"
    (dispatch,) = world.dispatches()
    assert (dispatch.outcome, dispatch.ended_at) == (Dispatch.Outcome.UNKNOWN, None)
    assert dispatch.reason_code == "answer_not_recorded"
    assert world.settle() == 0


def test_lease_written_by_a_wrong_clock_is_over(world: World) -> None:
    """Test a command that is being sent, and one that is searched for in listings."""
    sending, looked_for = _lost(world), _lost(world, devices=[world.device("linux")])
    Command.objects.filter(id=looked_for.id).update(status="uncertain")
    Dispatch.objects.update(lease_until=world.now + timedelta(hours=8))
    world.settle()
    assert world.status(sending) == "uncertain"
    _listed(world, 3)
    world.forward(minutes=4)
    world.settle()
    assert (world.status(sending), world.status(looked_for)) == ("unconfirmed", "unconfirmed")


def test_settle_window_closes_after_three_minutes_and_three_complete_listings(world: World) -> None:
    command = _lost(world)
    world.past_the_lease()
    _listed(world, 3)
    assert world.settle() == 0
    world.forward(seconds=174)
    assert world.settle() == 0, "three listings, but not yet three minutes"
    world.forward(seconds=5)
    assert world.settle() == 1
    assert world.status(command) == "unconfirmed"
    assert world.reload(command).reason_code == "not_found"


def test_two_listings_close_no_settle_window(world: World) -> None:
    command = _lost(world)
    world.past_the_lease()
    _listed(world, 2)
    world.forward(minutes=10)
    assert world.settle() == 0
    _listed(world, 1)
    assert world.settle() == 1
    assert world.status(command) == "unconfirmed"


def test_settle_window_without_listings_closes_after_a_day(world: World) -> None:
    command = _lost(world)
    world.past_the_lease()
    world.forward(timedelta(hours=24).total_seconds() - 10)
    assert world.settle() == 0
    world.forward(seconds=11)
    assert world.settle() == 1
    assert world.status(command) == "unconfirmed"


def test_listings_before_a_second_sending_do_not_count(world: World) -> None:
    command = _lost(world)
    world.past_the_lease()
    _listed(world, 2)
    Command.objects.filter(id=command.id).update(status="queued", dispatch=None)  # as a late "not sent" would
    assert claim(world.account, now=world.now)
    assert world.reload(command).missed_listings == 0


def test_command_with_a_reported_error_that_is_listed_is_not_rejected(world: World) -> None:
    (command,) = world.request()
    world.fault("success_false", nth=1, when="after")
    assert world.deliver()
    world.fault("unknown_status", call="list", word="PENDING_TRANSFER")
    assert world.sync()
    assert world.reload(command).remote_id == world.created()[0]["id"]
    world.forward(hours=25)
    world.settle()
    assert world.status(command) == "unconfirmed"
    world.heal()
    assert world.sync()
    assert world.status(command) == "SUCCESS"


@pytest.mark.parametrize("kind", ["reset", "success_false"])
def test_command_found_while_its_window_closes_stays_found(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commit a listing after the settling worker has read the row and before it locks the row."""
    (command,) = world.request({Kind.PCAP: {"time-limit-min": 10, "max-file-size-mb": 5, "packet-size-bytes": 160}})
    world.fault(kind, nth=1, when="after")
    assert world.deliver()
    world.heal()
    Command.objects.filter(id=command.id).update(missed_listings=3)
    world.forward(minutes=4, seconds=2)
    write = StatusWriter.write

    def held_up(changes: StatusWriter, transitions: Iterable[Transition], **rest: Any) -> list[UUID]:
        if transitions := list(transitions):
            monkeypatch.setattr(StatusWriter, "write", write)
            assert world.sync()
        return write(changes, transitions, **rest)

    monkeypatch.setattr(StatusWriter, "write", held_up)
    world.settle()
    reloaded = world.reload(command)
    assert (reloaded.remote_id, reloaded.status) == (world.created()[0]["id"], "PENDING_EXEC")


@pytest.mark.parametrize(("kind", "minutes"), [("pcap", 26), ("warp-diag", 30)])
def test_command_without_a_result_is_unconfirmed_after_the_time_of_its_kind(
    world: World, kind: str, minutes: int
) -> None:
    command = world.sent(options={Kind(kind): BOTH[Kind(kind)]})
    deadline = world.reload(command).deadline_at
    assert deadline is not None
    assert deadline - world.reload(command).status_at == timedelta(minutes=minutes)
    world.forward((deadline - world.now - JUST).total_seconds())
    assert world.settle() == 0
    world.forward(2 * JUST.total_seconds())
    assert world.settle() == 1
    assert world.status(command) == "unconfirmed"
    assert world.reload(command).reason_code == "no_result_reported"


def test_command_not_sent_within_the_hour_expires(world: World) -> None:
    (command,) = world.request()
    world.forward(timedelta(minutes=60).total_seconds() - 2)
    assert world.settle() == 0
    world.forward(seconds=3)
    assert not world.deliver()
    assert world.settle() == 1
    assert world.status(command) == "expired"
    assert world.posts() == []


def test_sent_command_does_not_expire(world: World) -> None:
    command = world.sent()
    world.configure(speed=0.001)
    world.forward(minutes=20)
    Command.objects.filter(id=command.id).update(expires_at=world.now - JUST)
    assert world.settle() == 0
    assert world.status(command) == "PENDING_EXEC"


def test_rows_beyond_the_limit_are_settled_by_the_next_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "MOST", 2)
    world.request(devices=world.devices[:5])
    world.forward(hours=2)
    assert [world.settle() for _ in range(4)] == [2, 2, 1, 0]


def test_download_that_ended_three_workers_is_given_up(world: World) -> None:
    command = world.sent()
    world.forward(QUICK_END)
    assert world.sync()
    leased = {"status": "fetching", "lease_token": command.id, "lease_until": world.now + JUST}
    Artifact.objects.update(**leased, attempts=3)
    assert world.settle() == 0
    assert world.artifact(command).status == "fetching"
    world.forward(2 * JUST.total_seconds())
    world.settle()
    artifact = world.artifact(command)
    assert (artifact.status, artifact.lease_token) == ("refused", None)
    assert artifact.reason_code == ArtifactReason.WORKERS_DIED
    assert world.story(command)[-1] == "artifact"


def test_download_with_an_attempt_left_is_not_given_up(world: World) -> None:
    command = world.sent()
    world.forward(QUICK_END)
    assert world.sync()
    Artifact.objects.update(status="fetching", lease_token=command.id, lease_until=world.now - JUST, attempts=2)
    world.settle()
    assert world.artifact(command).status == "fetching"
