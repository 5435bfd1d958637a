"""Directory of devices, page by page, with the quota."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import structlog

from commands.actions.record import leases
from commands.actions.upstream import directory
from commands.cloudflare.types import Call, ListedDevice
from commands.models import Account, AccountDirectory, Device
from tests.actions.world import World
from tests.people import make_account

pytestmark = pytest.mark.django_db

SEEN = datetime(2026, 11, 20, tzinfo=UTC)
ONE = ListedDevice("machine", "registration", "kim@example.com", "Kim's", "mac", "2026.1", "connected", True, "", SEEN)


def _refresh(world: World) -> int:
    return directory.refresh(world.account, now=world.now)


def _row(world: World) -> AccountDirectory:
    return AccountDirectory.objects.get(account=world.account)


def test_first_pass_lists_all_devices_and_the_quota(world: World, settings: Any) -> None:
    settings.PAGE_SIZE = 5
    listed = _refresh(world)
    assert listed == Device.objects.count() > 10
    row = world.sync_row()
    assert (row.quota_total, row.quota_used) == (200, 0)
    assert row.quota_reset_at is not None
    assert row.directory_at is not None
    known = {(device.device_id, device.registration_id) for device in Device.objects.all()}
    listed_now = world.upstream.devices()
    assert {(one["deviceId"], one["registrationId"]) for one in listed_now} <= known


def test_later_passes_take_one_page_a_step_and_at_most_an_hour(world: World, settings: Any) -> None:
    settings.PAGE_SIZE = 5
    world.everybody_stays()
    total = _refresh(world)
    pages = total // 5 + 1
    assert _refresh(world) == 0, "not due yet"
    begun = world.now
    for number in range(1, pages + 1):
        row = _row(world)
        assert (row.page, row.pages) == (number, pages)
        assert row.due_at is not None
        assert world.account.id not in directory.due_accounts(now=world.now)
        world.forward((row.due_at - world.now).total_seconds() + 0.01)
        assert directory.due_accounts(now=world.now) == [world.account.id]
        assert _refresh(world) <= 5
    assert _row(world).page == 1
    assert world.now - begun <= timedelta(hours=1, minutes=1)


def test_changed_device_is_updated_and_unlisted_device_keeps_its_row(world: World) -> None:
    directory.store(world.account, [ONE, replace(ONE, device_id="other")], now=SEEN)
    later = SEEN + timedelta(hours=1)
    directory.store(world.account, [replace(ONE, name="Kim's new", eligible=False, seen_at=later)], now=later)
    changed = Device.objects.get(device_id="machine")
    assert (changed.name, changed.eligible, changed.seen_at, changed.listed_at) == ("Kim's new", False, later, later)
    assert Device.objects.get(device_id="other").listed_at == SEEN


def test_last_seen_row_of_one_registration_counts(world: World) -> None:
    older = replace(ONE, name="older", seen_at=SEEN - timedelta(days=1))
    never = [replace(ONE, name="never", seen_at=None), replace(ONE, name="never too", seen_at=None)]
    directory.store(world.account, [never[0], ONE, older, never[1]], now=SEEN)
    assert Device.objects.get().name == "Kim's"


def test_each_user_of_a_shared_machine_has_a_row(world: World) -> None:
    two = replace(ONE, registration_id="second", user_email="ada@example.com")
    directory.store(world.account, [ONE, two], now=SEEN)
    assert set(Device.objects.values_list("email", "registration_id")) == {
        ("kim@example.com", "registration"),
        ("ada@example.com", "second"),
    }


def test_values_too_long_for_their_column_are_cut_or_skipped(world: World) -> None:
    long = replace(ONE, name="n" * 400, platform="p" * 60, version="v" * 90, ineligible_reason="i" * 400)
    rows = [long, replace(ONE, device_id="d" * 65), replace(ONE, device_id=""), replace(ONE, registration_id="r" * 65)]
    directory.store(world.account, rows, now=SEEN)
    device = Device.objects.get()
    lengths = (len(device.name), len(device.platform), len(device.client_version), len(device.ineligible_reason))
    assert lengths == (255, 32, 64, 300)


def test_same_device_in_two_accounts_has_two_rows(world: World) -> None:
    directory.store(world.account, [ONE], now=SEEN)
    directory.store(make_account("Other"), [ONE], now=SEEN)
    assert Device.objects.count() == 2


def test_one_worker_lists_at_a_time_and_another_takes_over_from_a_dead_one(world: World) -> None:
    rows = AccountDirectory.objects.filter(account=world.account)
    assert leases.take(rows, lasting=timedelta(minutes=2))
    assert _refresh(world) == 0
    world.forward(minutes=3)
    assert _refresh(world) > 0


def test_worker_that_lost_its_lease_stores_nothing(world: World, settings: Any) -> None:
    settings.PAGE_SIZE = 5
    real = directory.store

    def lose(*given: Any, **named: Any) -> None:
        real(*given, **named)
        AccountDirectory.objects.update(lease_token=uuid4())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directory, "store", lose)
        assert _refresh(world) == 5
    assert Device.objects.count() == 5
    assert (world.sync_row().directory_at, _row(world).page) == (None, 1)


def test_first_pass_of_more_pages_than_calls_stores_each_page_and_finishes(world: World, settings: Any) -> None:
    """Allow 15 calls at once for devices, then one in 15 seconds. Stored pages are not requested again."""
    settings.PAGE_SIZE = 1
    settings.RATE_CALLS, settings.RATE_RESERVE = 50, 10
    world.everybody_stays()
    listed, steps = _refresh(world), 1
    assert listed == Device.objects.count() == 14, "and one call for the quota"
    assert world.sync_row().directory_at is None, "the search still waits for it"
    while world.sync_row().directory_at is None:
        due_at = _row(world).due_at
        assert due_at is not None
        assert due_at - world.now < timedelta(seconds=16)
        world.forward((due_at - world.now).total_seconds() + 0.01)
        listed += _refresh(world)
        steps += 1
        assert steps < 100
    assert listed == Device.objects.count() > 20
    assert (_row(world).page, _row(world).pages) == (1, listed + 1)


def test_failed_first_pass_continues_where_it_stopped(world: World, settings: Any) -> None:
    settings.PAGE_SIZE, settings.GET_RETRY_BASE = 5, timedelta(0)
    world.everybody_stays()
    world.faults({"match": {"call": "devices", "nth": 3}, "effect": {"kind": "error", "status": 403}})
    assert _refresh(world) == 10
    assert "directory" in world.pauses()
    world.heal()
    world.forward(minutes=6)
    assert _refresh(world) == Device.objects.count() - 10 > 10
    assert "directory" not in world.pauses()


def test_step_without_calls_left_waits_for_the_next_step(world: World, settings: Any) -> None:
    _refresh(world)
    AccountDirectory.objects.update(due_at=None)
    settings.RATE_CALLS, settings.RATE_RESERVE = 50, 10
    world.use_up(Call.DOWNLOAD)
    assert _refresh(world) == 0
    assert directory.due_accounts(now=world.now + timedelta(minutes=4, seconds=50)) == []
    assert directory.due_accounts(now=world.now + timedelta(minutes=5)) == [world.account.id]


def test_due_time_written_by_a_wrong_clock_has_passed(world: World) -> None:
    AccountDirectory.objects.filter(account=world.account).update(due_at=world.now + timedelta(days=1))
    assert directory.due_accounts(now=world.now) == [world.account.id]
    assert _refresh(world) > 0


@pytest.mark.parametrize(("status", "refused"), [(403, True), (404, True), (500, False)])
def test_failing_directory_is_paused_and_starts_again(world: World, settings: Any, status: int, refused: bool) -> None:
    settings.GET_RETRY_BASE = timedelta(0)
    world.fault("error", call="devices", status=status)
    assert _refresh(world) == 0
    pause = world.pauses()["directory"]
    assert pause.refused is refused
    assert directory.due_accounts(now=world.now) == []
    world.heal()
    world.forward(minutes=6)
    assert directory.due_accounts(now=world.now) == [world.account.id]
    assert _refresh(world) > 0
    assert world.pauses() == {}


@pytest.mark.parametrize("status", [403, 404, 500])
def test_failing_quota_does_not_stop_the_listing_of_devices(world: World, settings: Any, status: int) -> None:
    settings.GET_RETRY_BASE = timedelta(0)
    world.fault("error", call="quota", status=status)
    with structlog.testing.capture_logs() as lines:
        assert _refresh(world) == Device.objects.count() > 10
    assert [line["account"] for line in lines if line["event"] == "quota_not_read"] == [str(world.account.id)]
    assert world.pauses() == {}
    assert world.sync_row().directory_at is not None
    assert world.sync_row().quota_total is None
    world.heal()
    world.forward(minutes=6)
    assert _refresh(world) > 0
    assert world.sync_row().quota_total == 200


def test_rate_limited_quota_pauses_the_credential_and_not_the_directory(world: World, settings: Any) -> None:
    settings.PAGE_SIZE = 5
    world.everybody_stays()
    world.fault("throttle", call="quota", seconds=60)
    assert _refresh(world) == 5
    assert world.pauses() == {}
    world.heal()
    assert _refresh(world) == 0
    world.forward(minutes=2)
    assert _refresh(world) == Device.objects.count() - 5 > 5
    assert world.sync_row().quota_total == 200


def test_accounts_that_are_retired_or_of_another_upstream_are_not_listed(world: World) -> None:
    Account.objects.filter(id=world.account.id).update(retired_at=SEEN)
    assert directory.due_accounts(now=world.now) == []
    Account.objects.filter(id=world.account.id).update(retired_at=None, upstream="https://api.example.com")
    assert directory.due_accounts(now=world.now) == []
