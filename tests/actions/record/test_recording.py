"""Recording of a listing: by the holder of its lease only, and whole or not at all."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError

from commands.actions.listing import apply as applying
from commands.actions.listing import schedule
from commands.actions.listing.apply import apply
from commands.actions.listing.reader import ListingResult
from commands.actions.record import leases
from commands.models import AccountSync, Command
from commands.rules.listed_command import ListedCommand
from tests.actions.world import World

pytestmark = pytest.mark.django_db


def _leased(world: World) -> AccountSync:
    """Take the lease, as a worker that has just read a listing has it."""
    row = leases.take(AccountSync.objects.filter(account=world.account), lasting=timedelta(minutes=1))
    assert row is not None
    return row


def test_worker_without_its_lease_records_nothing_of_a_listing(world: World) -> None:
    old = world.now - timedelta(hours=1)
    row = ListedCommand("id", "pcap", "SUCCESS", "m", "", "", old, old, "")
    listing = ListingResult(True, world.now, timedelta(), (row,))
    late = _leased(world)
    world.forward(minutes=2)
    winner = _leased(world)
    assert not apply(world.account, late, listing, now=world.now)
    assert not Command.objects.exists()
    assert apply(world.account, winner, listing, now=world.now)
    assert Command.objects.get().started_elsewhere


def test_listing_that_could_not_be_recorded_is_repeated_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat the listing in full. Otherwise rows from before the overlap would never be read again."""
    foreign = world.foreign(world.device())
    world.forward(hours=3)

    def overtaken(*_: object) -> None:
        raise IntegrityError("another took the id")

    with monkeypatch.context() as patch:
        patch.setattr(applying, "_carry_out", overtaken)
        assert not world.sync()
    assert (world.sync_row().complete_at, world.sync_row().listed_at) == (None, None)
    assert world.account.id in schedule.due_accounts(now=world.now)
    assert world.sync()
    assert Command.objects.get().remote_id == foreign


def test_rows_with_ids_too_long_for_the_columns_are_skipped(world: World) -> None:
    old = world.now - timedelta(hours=1)
    fits = ListedCommand("id", "pcap", "S" * 200, "machine", "", "", old, None, "")
    rows = (fits, replace(fits, id="x" * 65), replace(fits, id="other", device_id="x" * 65))
    assert apply(world.account, _leased(world), ListingResult(True, world.now, timedelta(), rows), now=world.now)
    (imported,) = Command.objects.all()
    assert (imported.remote_id, imported.remote_status) == ("id", "S" * 40)
