"""Whether a refusal is one of the account or of a file alone, and that one file's trouble keeps no other one back."""

import pytest

from commands.models import Command
from commands.rules.artifact_reasons import ArtifactReason
from tests.actions.world import DIAG, QUICK_END, World, refusal

pytestmark = pytest.mark.django_db

WAITS = {"minutes": 5}  # a refused account's downloads rest for so long
BEHIND = {"seconds": 31}  # and the file that was refused for so much longer


def _done(world: World, files: int) -> list[Command]:
    """So many WARP diags that ended, in the order in which their files are fetched."""
    commands = world.ask(DIAG, devices=world.devices[:files])
    assert world.deliver()
    world.forward(QUICK_END)
    assert world.sync()
    return sorted(map(world.again, commands), key=lambda one: (_when(world, one), world.artifact(one).id))


def _when(world: World, command: Command) -> float:
    return world.artifact(command).deleted_remotely_at.timestamp()


def _refuse(world: World, *commands: Command, status: int = 403) -> None:
    world.faults(*(refusal("download", status, path=command.remote_id) for command in commands))


def _stands(world: World, command: Command) -> tuple[str, int]:
    artifact = world.artifact(command)
    return artifact.status, artifact.attempts


@pytest.mark.parametrize("status", [401, 403])
def test_after_a_refusal_another_file_is_tried_first(world: World, status: int) -> None:
    bad, good = _done(world, 2)
    _refuse(world, bad, status=status)
    assert world.collect()
    assert not world.collect(), "the account's downloads rest"
    world.forward(**WAITS)
    assert world.collect()
    assert (_stands(world, bad), _stands(world, good)) == (("wanted", 0), ("stored", 0))
    assert "download" not in world.pauses()


def test_a_file_that_alone_is_refused_ends_by_itself_and_lets_nothing_rest(world: World) -> None:
    bad, *others = _done(world, 4)
    _refuse(world, bad)
    assert world.collect()
    world.forward(**WAITS)
    for attempt, good in enumerate(others, start=1):
        assert world.collect()
        assert _stands(world, good) == ("stored", 0)
        world.forward(minutes=21)
        assert world.collect()
        assert _stands(world, bad) == (("wanted", attempt) if attempt < 3 else ("refused", 0))
        assert "download" not in world.pauses()
    assert world.artifact(bad).reason_code == ArtifactReason.FILE_REFUSED


def test_what_came_before_a_files_last_refusal_does_not_blame_the_file(world: World) -> None:
    first, bad = _done(world, 2)
    assert world.collect()
    assert _stands(world, first) == ("stored", 0)
    _refuse(world, bad)
    for _ in range(4):
        assert world.collect()
        assert _stands(world, bad) == ("wanted", 0)
        assert world.pauses()["download"].refused
        world.forward(**WAITS)
        world.forward(**BEHIND)


def test_several_files_that_are_refused_keep_no_other_one_back(world: World) -> None:
    *bad, good = _done(world, 4)
    _refuse(world, *bad)
    for _ in bad:
        assert world.collect()
        world.forward(**WAITS)
        world.forward(**BEHIND)
    assert world.collect()
    assert _stands(world, good) == ("stored", 0)
