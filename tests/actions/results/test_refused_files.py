"""Refusals of a whole account or of a single file, which must not block the other files."""

import pytest

from commands.models import Command
from commands.rules.artifact_reasons import ArtifactReason
from tests.actions.world import DIAG, QUICK_END, World, refusal

pytestmark = pytest.mark.django_db

WAITS = {"minutes": 5}  # a refused account's downloads rest for so long
BEHIND = {"seconds": 31}  # and the file that was refused for so much longer


def _done(world: World, files: int) -> list[Command]:
    """Finish this number of WARP diags, and return them in the order in which their files are fetched."""
    commands = world.request(DIAG, devices=world.devices[:files])
    assert world.deliver()
    world.forward(QUICK_END)
    assert world.sync()
    return sorted(map(world.reload, commands), key=lambda command: (_when(world, command), world.artifact(command).id))


def _when(world: World, command: Command) -> float:
    return world.artifact(command).deleted_remotely_at.timestamp()


def _refuse(world: World, *commands: Command, status: int = 403) -> None:
    world.faults(*(refusal("download", status, path=command.remote_id) for command in commands))


def _stands(world: World, command: Command) -> tuple[str, int]:
    artifact = world.artifact(command)
    return artifact.status, artifact.attempts


@pytest.mark.parametrize("status", [401, 403])
def test_another_file_is_tried_first_after_a_refusal(world: World, status: int) -> None:
    bad, good = _done(world, 2)
    _refuse(world, bad, status=status)
    assert world.collect()
    assert not world.collect(), "the account's downloads rest"
    world.forward(**WAITS)
    assert world.collect()
    assert (_stands(world, bad), _stands(world, good)) == (("wanted", 0), ("stored", 0))
    assert "download" not in world.pauses()


def test_single_refused_file_ends_without_pausing_the_account(world: World) -> None:
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


def test_success_before_the_last_refusal_does_not_blame_the_file(world: World) -> None:
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


def test_several_refused_files_do_not_block_the_others(world: World) -> None:
    *bad, good = _done(world, 4)
    _refuse(world, *bad)
    for _ in bad:
        assert world.collect()
        world.forward(**WAITS)
        world.forward(**BEHIND)
    assert world.collect()
    assert _stands(world, good) == ("stored", 0)
