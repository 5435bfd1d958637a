"""GET: the listing of commands and of devices, their filters and their paging."""

import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from simulator.clock import rfc3339
from tests.simulator.running import DEX, START, Running, item


def test_a_command_is_listed_at_once_and_its_statuses_come_with_time(world: Running) -> None:
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
        "created_date": rfc3339(START),
        "completed_date": None,
        "filename": None,
    }
    seen = []
    for _ in range(120):
        world.clock.forward(1)
        seen.append(world.rows()[0]["status"])
    assert list(dict.fromkeys(seen)) == ["PENDING_EXEC", "PENDING_UPLOAD", "SUCCESS"]
    (row,) = world.rows()
    assert row["filename"] == f"{created['id']}.zip"
    assert datetime.fromisoformat(row["completed_date"]) > datetime.fromtimestamp(START + 60, UTC)


def several(world: Running, count: int = 7) -> list[str]:
    """A diag on one device every 10 s; ids oldest first."""
    ids = []
    for _ in range(count):
        ids.append(world.create(item(world.devices()[0], "warp-diag")).result["commands"][0]["id"])
        world.clock.forward(10)
    return ids


def test_the_newest_come_first_unless_the_knob_says_otherwise(world: Running) -> None:
    ids = several(world)
    assert [row["id"] for row in world.rows()] == ids[::-1]
    world.control("PUT", "config", {"sort": "oldest"})
    assert [row["id"] for row in world.rows()] == ids


def test_pages_are_short_at_the_end_and_empty_beyond(world: Running) -> None:
    ids = several(world)
    pages = [world.call("GET", f"{DEX}/commands?page={page}&per_page=3").json for page in (1, 2, 3, 4)]
    assert [len(page["result"]["commands"]) for page in pages] == [3, 3, 1, 0]
    assert [row["id"] for page in pages for row in page["result"]["commands"]] == ids[::-1]
    assert pages[2]["result_info"] == {"page": 3, "per_page": 3, "count": 1, "total_count": 7, "total_pages": 3}


@pytest.mark.parametrize(
    "query",
    ["", "page=1", "per_page=10", "page=0&per_page=10", "page=1&per_page=51", "page=1&per_page=0", "page=x&per_page=1"],
)
@pytest.mark.parametrize("path", ["commands", "commands/devices"])
def test_page_and_per_page_are_required_and_bounded(world: Running, path: str, query: str) -> None:
    reply = world.call("GET", f"{DEX}/{path}?{query}")
    assert (reply.status, reply.code) == (400, 1008)


def test_from_and_to_include_their_ends_unless_the_knob_says_otherwise(world: Running) -> None:
    ids = several(world)
    span = f"from={rfc3339(START + 10)}&to={quote('2027-01-15T09:00:40+01:00')}"
    assert [row["id"] for row in world.rows(span)] == ids[1:5][::-1]
    world.control("PUT", "config", {"range_ends": "exclusive"})
    assert [row["id"] for row in world.rows(span)] == ids[2:4][::-1]


@pytest.mark.parametrize("query", ["from=yesterday", "to=2027-01-15T08:00:00", "command_type=reboot", "status=DONE"])
def test_a_filter_that_makes_no_sense_is_refused(world: Running, query: str) -> None:
    reply = world.listing(query)
    assert (reply.status, reply.code) == (400, 1009)


def test_every_filter_narrows_alone_and_together_while_the_total_stays(world: Running) -> None:
    one, two = world.devices()[:2]
    world.create(item(one), item(one, "warp-diag"), item(two), item(two, "speed-test"))
    world.clock.forward(60)
    assert {row["device_id"] for row in world.rows(f"device_id={one['deviceId']}")} == {one["deviceId"]}
    assert len(world.rows(f"user_email={two['personEmail'].upper()}")) >= 2
    assert [row["type"] for row in world.rows("command_type=speed-test")] == ["speed-test"]
    assert {row["type"] for row in world.rows("status=PENDING_EXEC")} >= {"pcap"}
    both = world.listing(f"device_id={one['deviceId']}&command_type=pcap&status=PENDING_EXEC")
    assert len(both.result["commands"]) == 1
    assert both.json["result_info"]["total_count"] == 4
    assert [row["type"] for row in world.rows("status=SUCCESS")] == ["speed-test"]


def test_devices_are_those_of_the_last_hour_in_two_forms_of_time(world: Running) -> None:
    world.control("PUT", "config", {"people": 100})
    reply = world.call("GET", f"{DEX}/commands/devices?page=1&per_page=50")
    everyone = world.control("GET", "world")["devices"]
    assert reply.json["result_info"]["total_count"] < len(everyone)
    stamps = [row["timestamp"] for row in reply.result["devices"]]
    assert any(re.fullmatch(r"2027-01-15 \d\d:\d\d:\d\d\+00", stamp) for stamp in stamps)
    assert any(re.fullmatch(r"2027-01-15T\d\d:\d\d:\d\d\.\d{3}Z", stamp) for stamp in stamps)
    assert all(START - datetime.fromisoformat(stamp).timestamp() <= 3601 for stamp in stamps)


def test_devices_come_and_go_with_the_hours(world: Running) -> None:
    world.control("PUT", "config", {"people": 100})

    def listed() -> set[str]:
        pages = [world.call("GET", f"{DEX}/commands/devices?page={page}&per_page=50") for page in range(1, 6)]
        return {row["registrationId"] for page in pages for row in page.result["devices"]}

    before = listed()
    world.clock.forward(4 * 3600)
    after = listed()
    assert before - after
    assert after - before


def test_search_finds_by_name_and_by_email(world: Running) -> None:
    device = world.devices()[0]
    for text in (device["deviceName"].upper(), device["personEmail"]):
        reply = world.call("GET", f"{DEX}/commands/devices?page=1&per_page=50&search={quote(text)}")
        found = reply.result["devices"]
        assert device["registrationId"] in {row["registrationId"] for row in found}
        assert all(text.lower() in (row["deviceName"].lower() + row["personEmail"]) for row in found)
    assert world.call("GET", f"{DEX}/commands/devices?page=1&per_page=50&search=zzz").result["devices"] == []


def test_a_clock_that_was_set_back_does_not_disturb_the_order(world: Running) -> None:
    device = world.devices()[0]
    later = world.create(item(device, "warp-diag")).result["commands"][0]["id"]
    world.control("PUT", "config", {"clock_offset": -3600})
    earlier = world.create(item(device, "warp-diag")).result["commands"][0]["id"]
    for query in ("", f"device_id={device['deviceId']}", "command_type=warp-diag"):
        assert [row["id"] for row in world.rows(query)] == [later, earlier]
