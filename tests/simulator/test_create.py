"""POST: both dialects, strict bodies, quota, all or nothing."""

import json
import re
from typing import Any

import pytest

from tests.simulator.running import DEX, Reply, Running, item


def test_a_created_command_is_answered_with_strings_and_without_email_or_dates(world: Running) -> None:
    device = world.devices()[0]
    reply = world.create(item(device, args={"time-limit-min": 1, "max-file-size-mb": 2.5}))
    (row,) = reply.result["commands"]
    assert set(row) == {"id", "type", "args", "device_id", "registration_id", "status"}
    assert row["args"] == {"time-limit-min": "1", "max-file-size-mb": "2.5"}
    assert (row["type"], row["status"], row["device_id"]) == ("pcap", "PENDING_EXEC", device["deviceId"])
    assert re.fullmatch(r"[0-9a-f-]{36}", row["id"])


def test_the_legacy_dialect_is_understood_beside_the_current_one(world: Running) -> None:
    device = world.devices()[0]
    legacy = item(device) | {"command_type": "warp-diag", "command_args": {"test-all-routes": True}}
    del legacy["type"]
    reply = world.create(legacy, item(device, "speed-test", args={"interfaces": ["default", "tunnel"]}))
    rows = reply.result["commands"]
    assert [row["type"] for row in rows] == ["warp-diag", "speed-test"]
    assert [row["args"] for row in rows] == [{"test-all-routes": "true"}, {"interfaces": "default,tunnel"}]


@pytest.mark.parametrize(("dialect", "status"), [("current", 200), ("legacy", 400), ("both", 200)])
def test_an_account_may_speak_one_dialect_alone(world: Running, dialect: str, status: int) -> None:
    device = world.devices()[0]
    legacy = {key: value for key, value in item(device).items() if key != "type"} | {"command_type": "pcap"}
    world.control("PUT", "config", {"dialect": dialect})
    assert world.create(item(device)).status == status
    assert world.create(legacy).status == (400 if dialect == "current" else 200)


BAD_ITEMS: list[dict[str, object]] = [
    {"args": {}},
    {"args": {"test-all-routes": True}},
    {"args": {"interfaces": ["default"]}},
    {"args": {"time_limit_min": 5}},
    {"args": {"time-limit-min": 0}},
    {"args": {"time-limit-min": "5"}},
    {"args": {"time-limit-min": True}},
    {"args": {"time-limit-min": 11}},
    {"args": {"max-file-size-mb": 51}},
    {"args": {"packet-size-bytes": 1501}},
    {"args": []},
    {"args": None},
    {"type": "reboot"},
    {"type": None},
    {"type": "speed-test", "args": {"interfaces": ["wifi"]}},
    {"type": "speed-test", "args": {"interfaces": "default"}},
    {"type": "warp-diag", "args": {"test-all-routes": "yes"}},
    {"device_id": ""},
    {"device_id": 5},
    {"device_id": "no-such-device"},
    {"user_email": "somebody.else@example.com"},
    {"user_email": None},
    {"registration_id": "no-such-registration"},
    {"registration_id": 7},
]


@pytest.mark.parametrize("change", BAD_ITEMS, ids=[json.dumps(change) for change in BAD_ITEMS])
def test_a_bad_item_is_refused_and_creates_nothing(world: Running, change: dict[str, object]) -> None:
    good, other = world.devices()[:2]
    reply = world.create(item(good), item(other) | change)
    assert (reply.status, reply.json["success"], reply.json["result"]) == (400, False, None)
    assert reply.code >= 1000
    assert reply.json["errors"][0]["source"]["pointer"].startswith("/commands/1")
    assert world.ledger()["commands"] == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"commands": {}}', b'{"commands": []}', b'{"commands": [1]}']
)
def test_a_body_that_is_no_list_of_commands_is_refused(world: Running, body: bytes) -> None:
    reply = world.call("POST", f"{DEX}/commands", body)
    assert (reply.status, reply.code) == (400, 1001)


def test_twenty_items_and_ten_devices_are_the_most(world: Running) -> None:
    devices = [row for row in world.devices() if row["platform"] != "windows"] + world.devices()
    one = item(devices[0], "warp-diag")
    assert world.create(*[one] * 21).status == 400
    assert world.create(*[one] * 20).status == 200
    different = list({row["deviceId"]: row for row in devices}.values())
    assert len(different) >= 11
    assert world.create(*[item(row, "warp-diag") for row in different[:11]]).status == 400
    assert len(world.create(*[item(row, "warp-diag") for row in different[:10]]).result["commands"]) == 10


def test_item_by_item_creates_the_good_ones_and_says_what_was_wrong(world: Running) -> None:
    world.control("PUT", "config", {"rejection": "item"})
    good, other = world.devices()[:2]
    reply = world.create(item(good), item(other) | {"device_id": "nobody"})
    assert [row["device_id"] for row in reply.result["commands"]] == [good["deviceId"]]
    assert reply.json["messages"][0]["source"]["pointer"] == "/commands/1/device_id"
    assert world.create(item(other) | {"device_id": "nobody"}).status == 400


def test_a_multi_user_machine_needs_the_registration(world: Running) -> None:
    by_device: dict[str, list[dict[str, Any]]] = {}
    for row in world.devices():
        by_device.setdefault(row["deviceId"], []).append(row)
    first, second, *_ = next(rows for rows in by_device.values() if len(rows) > 1)
    without = {key: value for key, value in item(first).items() if key != "registration_id"}
    assert world.create(without).code == 1006
    assert world.create(item(first) | {"user_email": second["personEmail"]}).code == 1005
    assert world.create(item(second)).result["commands"][0]["registration_id"] == second["registrationId"]


def test_an_ineligible_device_is_refused_with_its_reason(world: Running) -> None:
    world.control("PUT", "config", {"people": 100})
    rows = world.control("GET", "world")["devices"]
    old = next(row for row in rows if not row["eligible"])
    wanted = {"device_id": old["device_id"], "user_email": old["person_email"], "type": "pcap"}
    reply = world.create(wanted)
    assert (reply.status, reply.code) == (400, 1004)
    assert reply.json["errors"][0]["message"] == old["ineligible_reason"]


def test_an_answer_may_come_in_another_order(world: Running) -> None:
    world.control("PUT", "config", {"shuffle_answer": True})
    device = world.devices()[0]
    sent = ["pcap", "warp-diag", "speed-test"]
    orders = {
        tuple(row["type"] for row in world.create(*[item(device, kind) for kind in sent]).result["commands"])
        for _ in range(12)
    }
    assert len(orders) > 1
    assert all(sorted(order) == sorted(sent) for order in orders)


def test_windows_runs_one_capture_at_a_time_and_the_second_fails_at_once(world: Running) -> None:
    windows = next(row for row in world.devices() if row["platform"] == "windows")
    other = next(row for row in world.devices() if row["platform"] != "windows")
    first, second, diag = world.create(item(windows), item(windows), item(windows, "warp-diag")).result["commands"]
    assert [first["status"], second["status"], diag["status"]] == ["PENDING_EXEC", "FAILED", "PENDING_EXEC"]
    assert {row["status"] for row in world.create(item(other), item(other)).result["commands"]} == {"PENDING_EXEC"}
    world.clock.forward(400)
    assert world.create(item(windows)).result["commands"][0]["status"] == "PENDING_EXEC"


def test_the_quota_counts_at_creation_refuses_beyond_and_resets(world: Running) -> None:
    account = world.control("GET", "config")["accounts"][0]
    world.control("PUT", "config", {"accounts": [account | {"quota": 3}]})
    device = world.devices()[0]
    assert world.create(item(device, "warp-diag"), item(device, "speed-test")).status == 200
    over = world.create(item(device, "warp-diag"), item(device, "speed-test"))
    assert (over.status, over.code) == (400, 1007)
    quota = quota_of(world)
    assert (quota["quota"], quota["quota_usage"]) == (3, 2)
    assert re.fullmatch(r"2027-01-1\dT00:00:00\.000Z", quota["reset_time"])
    world.clock.forward(86400)
    assert quota_of(world)["quota_usage"] == 0


def test_the_quota_may_be_told_as_what_is_left(world: Running) -> None:
    world.control("PUT", "config", {"quota_means": "remaining"})
    world.create(item(world.devices()[0]))
    quota = quota_of(world)
    assert (quota["quota"], quota["quota_usage"]) == (199, 1)


def test_speed_shortens_the_quota_day() -> None:
    with Running(speed=86400.0) as world:
        world.create(item(world.devices()[0]))
        assert quota_of(world)["quota_usage"] == 1
        world.clock.forward(1)
        assert quota_of(world)["quota_usage"] == 0


def quota_of(world: Running) -> dict[str, Any]:
    reply: Reply = world.call("GET", f"{DEX}/commands/quota")
    result: dict[str, Any] = reply.result
    return result


def test_the_ceilings_can_be_lifted(world: Running) -> None:
    world.control("PUT", "config", {"enforce_ceilings": False})
    assert world.create(item(world.devices()[0], args={"time-limit-min": 60})).status == 200


def test_a_diag_may_count_as_a_capture_on_windows(world: Running) -> None:
    world.control("PUT", "config", {"windows_captures": ["pcap", "warp-diag"]})
    windows = next(row for row in world.devices() if row["platform"] == "windows")
    rows = world.create(item(windows), item(windows, "warp-diag")).result["commands"]
    assert [row["status"] for row in rows] == ["PENDING_EXEC", "FAILED"]


def test_item_by_item_the_quota_takes_what_fits(world: Running) -> None:
    account = world.control("GET", "config")["accounts"][0]
    world.control("PUT", "config", {"rejection": "item", "accounts": [account | {"quota": 1}], "quota_status": 403})
    one, two = world.devices()[:2]
    reply = world.create(item(one), item(two))
    assert [row["device_id"] for row in reply.result["commands"]] == [one["deviceId"]]
    assert reply.json["messages"][0]["code"] == 1007
    assert world.create(item(two)).status == 403
