"""Daily quota: taken in the claim, read again, and understood in both of its meanings."""

from datetime import timedelta
from typing import Any

import pytest

from commands import clock
from commands.actions.sending.claim import claim
from commands.actions.sending.deliver import post, record
from commands.actions.upstream import clients, quota
from commands.cloudflare.types import QuotaReading
from commands.models import AccountSync
from tests.actions.world import World

pytestmark = pytest.mark.django_db


def _read(world: World) -> None:
    """Return a world whose devices are listed already."""
    assert world.devices
    world.account.refresh_from_db()
    with clients.client_for(world.account) as client:
        quota.read(world.account, client)


def _left(world: World) -> int | None:
    return quota.left(world.sync_row(), clock.database_now())


def _quota(world: World, figure: int) -> None:
    _raise_quota(world, figure)
    _read(world)


def _raise_quota(world: World, figure: int) -> None:
    (account,) = world.upstream.control("GET", "config")["accounts"]
    world.configure(accounts=[{**account, "quota": figure}])


# --- Taken in the claim ---


def test_claim_takes_the_quota_so_that_no_post_exceeds_it(world: World) -> None:
    _quota(world, 3)
    commands = world.request(devices=world.devices[:5])
    assert world.deliver()
    assert not world.deliver()
    assert sorted(world.status(command) for command in commands) == ["PENDING_EXEC"] * 3 + ["queued"] * 2


def test_quota_is_read_again_before_the_first_post_of_the_next_day(world: World) -> None:
    _quota(world, 1)
    world.request(devices=world.devices[:2])
    assert world.deliver()
    assert not world.deliver()
    AccountSync.objects.update(quota_reset_at=world.now)
    _raise_quota(world, 2)
    assert world.deliver()
    assert len(world.created()) == 2
    row = world.sync_row()
    assert (row.quota_total, row.quota_used) == (2, 1)


def test_quota_used_by_others_counts(world: World) -> None:
    _quota(world, 4)
    AccountSync.objects.update(quota_used=3)
    world.request(devices=world.devices[:3])
    assert world.deliver()
    assert len(world.created()) == 1


def test_unknown_quota_stops_no_command(world: World) -> None:
    AccountSync.objects.update(quota_total=None)
    world.request(devices=world.devices[:3])
    AccountSync.objects.update(quota_total=None)
    assert world.deliver()
    assert len(world.created()) == 3


def test_figures_too_large_for_their_column_are_cut(world: World) -> None:
    _quota(world, 10**12)
    assert world.sync_row().quota_total == 2**31 - 1


def test_quota_that_cannot_be_read_on_the_new_day_is_forgotten(world: World, settings: Any) -> None:
    settings.GET_RETRY_BASE = timedelta(0)
    AccountSync.objects.filter(account=world.account).update(
        quota_total=5, quota_used=5, quota_reset_at=world.now, quota_read_at=world.now
    )
    world.fault("error", call="quota", status=500)
    quota.refresh_after_reset(world.account, now=world.now)
    row = world.sync_row()
    assert (row.quota_total, row.quota_used, row.quota_reset_at) == (None, None, None)
    assert world.pauses() == {}, "devices are none of its business"


def test_quota_of_the_same_day_is_not_read_again(world: World) -> None:
    AccountSync.objects.filter(account=world.account).update(
        quota_total=5, quota_reset_at=world.now + timedelta(minutes=1)
    )
    quota.refresh_after_reset(world.account, now=world.now)
    assert world.sync_row().quota_total == 5


def test_post_in_progress_during_the_reading_counts(world: World) -> None:
    """Claim before the reading and create after it, so that neither figure contains the command by itself."""
    commands = world.request(devices=world.devices[:5])
    claimed = claim(world.account, now=world.now)
    assert claimed is not None
    _read(world)
    assert _left(world) == 200 - len(commands)
    world.forward(seconds=1)
    answer = post(claimed)
    record(claimed, answer, now=world.now)
    assert _left(world) == 200 - len(commands)
    world.forward(seconds=1)
    _read(world)
    assert _left(world) == 200 - len(commands), "Cloudflare's own figure has them now"


def test_post_of_a_dead_worker_counts(world: World) -> None:
    world.request()
    assert claim(world.account, now=world.now)
    _read(world)
    world.past_the_lease()
    assert _left(world) == 199
    _read(world)
    assert _left(world) == 200


# --- The total, or what is left ---


def _stored_quota(world: World, *readings: tuple[int | None, int | None]) -> tuple[int | None, bool]:
    """Return the day's total after these (quota, usage) readings, and whether it counts as what is left."""
    for total, used in readings:
        quota.store(world.account, QuotaReading(total, used, None, None), began=world.now)
    row = world.sync_row()
    return row.quota_total, row.quota_is_left


@pytest.mark.parametrize(
    ("readings", "total", "is_left"),
    [
        ([(200, 0), (200, 50)], 200, False),
        ([(300, 500)], 800, True),
        ([(150, 50)], 150, False),
        ([(150, 50), (140, 60)], 200, True),
        ([(150, 50), (140, 60), (200, 0)], 200, True),
        ([(150, 50), (140, 60), (200, 0), (190, 10)], 200, True),
        ([(300, 500), (800, 0), (800, 20)], 800, False),
        ([(150, 50), (100, 60)], 100, False),
        ([(150, 50), (150, 50)], 150, False),
        ([(300, 500), (None, 500)], None, True),
        ([(300, 500), (300, None)], 300, True),
        ([(0, 800)], 800, True),
    ],
)
def test_figures_show_if_the_quota_is_the_total_or_what_is_left(
    world: World, readings: list[tuple[int | None, int | None]], total: int | None, is_left: bool
) -> None:
    assert _stored_quota(world, *readings) == (total, is_left)


def test_sending_continues_if_the_quota_means_what_is_left(world: World) -> None:
    world.configure(quota_means="remaining")
    _quota(world, 5)
    assert _left(world) == 5
    for number, device in enumerate(world.devices[:4], start=1):
        world.sent(devices=[device])
        world.forward(seconds=1)
        _read(world)
        assert _left(world) == 5 - number
    row = world.sync_row()
    assert (row.quota_total, row.quota_used) == (5, 4)
