"""A 404 counts against a file only while Cloudflare demonstrably serves its account."""

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
    """Whether a listing was asked for, and came."""
    return world.account.id in schedule.due_accounts(now=world.now) and sync(world.account, now=world.now)


def _stands(world: World, command: Command) -> tuple[str, int]:
    artifact = world.artifact(command)
    return artifact.status, artifact.attempts


def test_a_missing_file_has_its_account_listed_and_is_gone_after_three_attempts_with_a_listing_between(
    world: World, done: Command
) -> None:
    world.faults(*NOWHERE)
    for attempts, pause in enumerate([31, 31, 1201, 0]):
        assert world.collect()
        assert _stands(world, done) == (("wanted", attempts) if attempts < 3 else ("gone", 0))
        is_unconfirmed = world.artifact(done).reason_code == ArtifactReason.NOT_FOUND_UNCONFIRMED
        assert is_unconfirmed == (attempts == 0)
        assert not world.collect()
        world.forward(seconds=pause)
        assert _listed(world) == (attempts < 3)


def test_where_nothing_is_listed_a_missing_file_costs_nothing_until_cloudflare_has_deleted_it(
    world: World, done: Command
) -> None:
    """The account's id is wrong, or a route is gone: everything of it is missing."""
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


def test_a_listing_counts_for_nothing_once_the_account_is_refused(world: World, done: Command) -> None:
    world.faults(*NOWHERE)
    assert world.collect()
    world.forward(seconds=31)
    assert world.sync(complete=True)
    world.faults(*NOWHERE, refusal("list", 404))
    assert not world.sync(complete=True)
    assert world.collect()
    assert _stands(world, done) == ("wanted", 0)


def test_a_file_whose_account_nothing_is_heard_of_is_asked_for_less_often(world: World, done: Command) -> None:
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
