"""Matches that seemed to be the only possible ones, and were not: they become uncertain, and no row is lost."""

import pytest

from commands.models import Command
from tests.actions.world import World

pytestmark = pytest.mark.django_db


def test_adopted_foreign_row_becomes_uncertain_once_our_own_row_turns_up(world: World) -> None:
    (command,) = world.request()
    foreign = world.foreign(world.device())
    world.fault("accepted_late", nth=1, then="reset")
    with world.upstream.late_commands_held():
        assert world.deliver()
        world.heal()
        assert world.sync()
        adopted = world.reload(command)
        assert (adopted.remote_id, adopted.match_uncertain) == (foreign, False)
    (own,) = [row["id"] for row in world.created_for(command)]
    assert world.sync(complete=True)
    assert world.reload(command).match_uncertain
    assert world.story(command)[-1] == "doubted"
    world.forward(minutes=30)
    assert world.sync(complete=True)
    assert Command.objects.get(remote_id=own).started_elsewhere
    assert world.story(command).count("doubted") == 1


def test_match_of_an_unconfirmed_command_can_become_uncertain_too(world: World) -> None:
    assert world.sync(complete=True)
    (command,) = world.request()
    world.fault("reset", nth=1, when="before")
    assert world.deliver()
    world.heal()
    stranger = world.foreign(world.device())
    world.forward(seconds=5)
    Command.objects.filter(id=command.id).update(status="unconfirmed")
    assert world.sync()
    taken = world.reload(command)
    assert (taken.status, taken.remote_id, taken.match_uncertain) == ("unconfirmed", stranger, False)
    world.foreign(world.device())
    assert world.sync()
    assert world.reload(command).match_uncertain


def test_two_rows_for_one_command_are_both_recorded_after_hours_without_a_listing(world: World) -> None:
    """Decide about the second row at once, because the next listing would not reach back to it."""
    (command,) = world.request()
    foreign = world.foreign(world.device())
    world.fault("reset", nth=1, when="after")
    assert world.deliver()
    world.heal()
    (own,) = [row["id"] for row in world.created_for(command)]
    world.forward(hours=2)
    world.settle()
    for _ in range(2):
        assert world.sync(complete=True)
        world.forward(minutes=10)
    assert world.reload(command).match_uncertain
    assert {row.remote_id for row in Command.objects.all()} == {own, foreign}


def test_our_own_row_is_recorded_after_hours_without_a_listing(world: World) -> None:
    (command,) = world.request()
    world.foreign(world.device())
    world.fault("accepted_late", nth=1, then="reset")
    with world.upstream.late_commands_held():
        assert world.deliver()
        world.heal()
        assert world.sync(complete=True)
    (own,) = [row["id"] for row in world.created_for(command)]
    for _ in range(2):
        world.forward(hours=2)
        assert world.sync(complete=True)
    assert world.reload(command).match_uncertain
    assert Command.objects.get(remote_id=own).started_elsewhere
