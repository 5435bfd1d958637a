"""Listings of commands and devices: filters, paging, order."""

import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from simulator.clock import format_rfc3339
from tests.simulator.in_process import DEX, START, LocalSimulator, item


def test_command_is_listed_at_once_and_its_status_advances_with_time(world: LocalSimulator) -> None:
    device = world.devices()[0]
    created = world.create(item(device, args={"time-limit-min": 1})).result["commands"][0]
    (row,) = world.rows()
    assert row == {
        "id": created["id"],
        "type": "pcap",
        "status": "PENDING_EXEC",
        "device_id": device["deviceId"],
        "registration_id": device["registrationId"],
        "user_email": device["personEmail"],
        "created_date": format_rfc3339(START),
        "completed_date": None,
        "filename": None,
    }
    statuses = []
    for _ in range(120):
        world.clock.advance(1)
        statuses.append(world.rows()[0]["status"])
    assert list(dict.fromkeys(statuses)) == ["PENDING_EXEC", "PENDING_UPLOAD", "SUCCESS"]
    (row,) = world.rows()
    assert row["filename"] == f"{created['id']}.zip"
    assert datetime.fromisoformat(row["completed_date"]) > datetime.fromtimestamp(START + 60, UTC)


def create_diags(world: LocalSimulator, count: int = 7) -> list[str]:
    """Create a diag every 10 seconds. Return the ids, oldest first."""
    ids = []
    for _ in range(count):
        ids.append(world.create(item(world.devices()[0], "warp-diag")).result["commands"][0]["id"])
        world.clock.advance(10)
    return ids


def test_newest_command_is_first_unless_configured_otherwise(world: LocalSimulator) -> None:
    ids = create_diags(world)
    assert [row["id"] for row in world.rows()] == ids[::-1]
    world.control("PUT", "config", {"sort": "oldest"})
    assert [row["id"] for row in world.rows()] == ids


def test_last_page_is_short_and_the_page_after_it_is_empty(world: LocalSimulator) -> None:
    ids = create_diags(world)
    pages = [world.call("GET", f"{DEX}/commands?page={page}&per_page=3").json for page in (1, 2, 3, 4)]
    assert [len(page["result"]["commands"]) for page in pages] == [3, 3, 1, 0]
    assert [row["id"] for page in pages for row in page["result"]["commands"]] == ids[::-1]
    assert pages[2]["result_info"] == {"page": 3, "per_page": 3, "count": 1, "total_count": 7, "total_pages": 3}


@pytest.mark.parametrize(
    "query",
    ["", "page=1", "per_page=10", "page=0&per_page=10", "page=1&per_page=51", "page=1&per_page=0", "page=x&per_page=1"],
)
@pytest.mark.parametrize("path", ["commands", "commands/devices"])
def test_page_and_per_page_are_required_and_have_limits(world: LocalSimulator, path: str, query: str) -> None:
    reply = world.call("GET", f"{DEX}/{path}?{query}")
    assert (reply.status, reply.code) == (400, 1008)


def test_from_and_to_are_inclusive_unless_configured_otherwise(world: LocalSimulator) -> None:
    ids = create_diags(world)
    span = f"from={format_rfc3339(START + 10)}&to={quote('2027-01-15T09:00:40+01:00')}"
    assert [row["id"] for row in world.rows(span)] == ids[1:5][::-1]
    world.control("PUT", "config", {"range_ends": "exclusive"})
    assert [row["id"] for row in world.rows(span)] == ids[2:4][::-1]


@pytest.mark.parametrize("query", ["from=yesterday", "to=2027-01-15T08:00:00", "command_type=reboot", "status=DONE"])
def test_invalid_filter_is_rejected(world: LocalSimulator, query: str) -> None:
    reply = world.listing(query)
    assert (reply.status, reply.code) == (400, 1009)


def test_filters_work_alone_and_together_and_do_not_change_the_total(world: LocalSimulator) -> None:
    first, second = world.devices()[:2]
    world.create(item(first), item(first, "warp-diag"), item(second), item(second, "speed-test"))
    world.clock.advance(60)
    assert {row["device_id"] for row in world.rows(f"device_id={first['deviceId']}")} == {first["deviceId"]}
    assert len(world.rows(f"user_email={second['personEmail'].upper()}")) >= 2
    assert [row["type"] for row in world.rows("command_type=speed-test")] == ["speed-test"]
    assert {row["type"] for row in world.rows("status=PENDING_EXEC")} >= {"pcap"}
    both = world.listing(f"device_id={first['deviceId']}&command_type=pcap&status=PENDING_EXEC")
    assert len(both.result["commands"]) == 1
    assert both.json["result_info"]["total_count"] == 4
    assert [row["type"] for row in world.rows("status=SUCCESS")] == ["speed-test"]


def test_devices_of_the_last_hour_are_listed_with_two_timestamp_formats(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"people": 100})
    reply = world.call("GET", f"{DEX}/commands/devices?page=1&per_page=50")
    all_devices = world.control("GET", "world")["devices"]
    assert reply.json["result_info"]["total_count"] < len(all_devices)
    stamps = [row["timestamp"] for row in reply.result["devices"]]
    assert any(re.fullmatch(r"2027-01-15 \d\d:\d\d:\d\d\+00", stamp) for stamp in stamps)
    assert any(re.fullmatch(r"2027-01-15T\d\d:\d\d:\d\d\.\d{3}Z", stamp) for stamp in stamps)
    assert all(START - datetime.fromisoformat(stamp).timestamp() <= 3601 for stamp in stamps)


def test_devices_connect_and_disconnect_over_the_hours(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"people": 100})

    def listed() -> set[str]:
        pages = [world.call("GET", f"{DEX}/commands/devices?page={page}&per_page=50") for page in range(1, 6)]
        return {row["registrationId"] for page in pages for row in page.result["devices"]}

    before = listed()
    world.clock.advance(4 * 3600)
    after = listed()
    assert before - after
    assert after - before


def test_search_matches_device_name_and_email(world: LocalSimulator) -> None:
    device = world.devices()[0]
    for text in (device["deviceName"].upper(), device["personEmail"]):
        reply = world.call("GET", f"{DEX}/commands/devices?page=1&per_page=50&search={quote(text)}")
        rows = reply.result["devices"]
        assert device["registrationId"] in {row["registrationId"] for row in rows}
        assert all(text.lower() in (row["deviceName"].lower() + row["personEmail"]) for row in rows)
    assert world.call("GET", f"{DEX}/commands/devices?page=1&per_page=50&search=zzz").result["devices"] == []


def test_order_stays_by_creation_date_after_the_clock_is_set_back(world: LocalSimulator) -> None:
    device = world.devices()[0]
    later = world.create(item(device, "warp-diag")).result["commands"][0]["id"]
    world.control("PUT", "config", {"clock_offset": -3600})
    earlier = world.create(item(device, "warp-diag")).result["commands"][0]["id"]
    for query in ("", f"device_id={device['deviceId']}", "command_type=warp-diag"):
        assert [row["id"] for row in world.rows(query)] == [later, earlier]
