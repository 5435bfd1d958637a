"""404 responses, which count against a file only while its account can be listed."""

import pytest

from commands.actions.listing import schedule
from commands.actions.listing.sync import sync
from commands.models import Command
from commands.rules.artifact_reasons import ArtifactReason
from tests.actions.world import World, refusal

pytestmark = pytest.mark.django_db

NOWHERE = [
    {"match": {"call": call}, "effect": {"kind": "error", "status": 404}} for call in ("download", "fallback_download")
]


def _listed(world: World) -> bool:
    """Run a sync and return whether a listing was due and succeeded."""
    return world.account.id in schedule.due_accounts(now=world.now) and sync(world.account, now=world.now)


def _stands(world: World, command: Command) -> tuple[str, int]:
    artifact = world.artifact(command)
    return artifact.status, artifact.attempts


def test_missing_file_is_gone_after_three_attempts_with_listings_between(world: World, done: Command) -> None:
    world.faults(*NOWHERE)
    for attempts, pause in enumerate([31, 31, 1201, 0]):
        assert world.collect()
        assert _stands(world, done) == (("wanted", attempts) if attempts < 3 else ("gone", 0))
        is_unconfirmed = world.artifact(done).reason_code == ArtifactReason.NOT_FOUND_UNCONFIRMED
        assert is_unconfirmed == (attempts == 0)
        assert not world.collect()
        world.forward(seconds=pause)
        assert _listed(world) == (attempts < 3)


def test_404_costs_no_attempt_while_the_account_cannot_be_listed(world: World, done: Command) -> None:
    """Answer as for a wrong account id or a removed route: every file of the account looks missing."""
    world.faults(*NOWHERE, refusal("list", 404))
    for _ in range(6):
        assert world.collect()
        assert _stands(world, done) == ("wanted", 0)
        world.forward(minutes=21)
        world.sync()
    assert world.pauses()["list"].refused
    deleted = world.artifact(done).deleted_remotely_at
    world.forward((deleted - world.now).total_seconds())
    assert world.collect()
    assert _stands(world, done) == ("gone", 0)


def test_listing_before_a_refusal_of_the_account_proves_nothing(world: World, done: Command) -> None:
    world.faults(*NOWHERE)
    assert world.collect()
    world.forward(seconds=31)
    assert world.sync(complete=True)
    world.faults(*NOWHERE, refusal("list", 404))
    assert not world.sync(complete=True)
    assert world.collect()
    assert _stands(world, done) == ("wanted", 0)


def test_file_of_an_unlisted_account_is_requested_less_often(world: World, done: Command) -> None:
    world.faults(*NOWHERE)
    assert world.collect()
    world.forward(seconds=31)
    assert world.collect()
    world.forward(minutes=19)
    assert not world.collect()
    world.forward(minutes=2)
    assert world.collect()
    world.heal()
    world.forward(minutes=21)
    assert world.collect()
    assert world.artifact(done).status == "stored"
