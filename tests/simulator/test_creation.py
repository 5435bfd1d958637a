"""Creation of commands: dialects, validation, quota, all or nothing."""

import json
import re
from typing import Any

import pytest

from tests.simulator.in_process import DEX, LocalSimulator, Reply, item


def test_response_to_a_post_has_args_as_strings_and_no_email_or_dates(world: LocalSimulator) -> None:
    device = world.devices()[0]
    reply = world.create(item(device, args={"time-limit-min": 1, "max-file-size-mb": 2.5}))
    (row,) = reply.result["commands"]
    assert set(row) == {"id", "type", "args", "device_id", "registration_id", "status"}
    assert row["args"] == {"time-limit-min": "1", "max-file-size-mb": "2.5"}
    assert (row["type"], row["status"], row["device_id"]) == ("pcap", "PENDING_EXEC", device["deviceId"])
    assert re.fullmatch(r"[0-9a-f-]{36}", row["id"])


def test_one_post_can_mix_legacy_and_current_items(world: LocalSimulator) -> None:
    device = world.devices()[0]
    legacy = item(device) | {"command_type": "warp-diag", "command_args": {"test-all-routes": True}}
    del legacy["type"]
    reply = world.create(legacy, item(device, "speed-test", args={"interfaces": ["default", "tunnel"]}))
    rows = reply.result["commands"]
    assert [row["type"] for row in rows] == ["warp-diag", "speed-test"]
    assert [row["args"] for row in rows] == [{"test-all-routes": "true"}, {"interfaces": "default,tunnel"}]


@pytest.mark.parametrize(("dialect", "status"), [("current", 200), ("legacy", 400), ("both", 200)])
def test_simulator_can_be_limited_to_one_dialect(world: LocalSimulator, dialect: str, status: int) -> None:
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
def test_one_invalid_item_rejects_the_whole_post(world: LocalSimulator, change: dict[str, object]) -> None:
    good, other = world.devices()[:2]
    reply = world.create(item(good), item(other) | change)
    assert (reply.status, reply.json["success"], reply.json["result"]) == (400, False, None)
    assert reply.code >= 1000
    assert reply.json["errors"][0]["source"]["pointer"].startswith("/commands/1")
    assert world.ledger()["commands"] == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"commands": {}}', b'{"commands": []}', b'{"commands": [1]}']
)
def test_body_without_a_list_of_commands_is_rejected(world: LocalSimulator, body: bytes) -> None:
    reply = world.call("POST", f"{DEX}/commands", body)
    assert (reply.status, reply.code) == (400, 1001)


def test_post_with_more_than_twenty_items_or_ten_devices_is_rejected(world: LocalSimulator) -> None:
    devices = [row for row in world.devices() if row["platform"] != "windows"] + world.devices()
    diag = item(devices[0], "warp-diag")
    assert world.create(*[diag] * 21).status == 400
    assert world.create(*[diag] * 20).status == 200
    different = list({row["deviceId"]: row for row in devices}.values())
    assert len(different) >= 11
    assert world.create(*[item(row, "warp-diag") for row in different[:11]]).status == 400
    assert len(world.create(*[item(row, "warp-diag") for row in different[:10]]).result["commands"]) == 10


def test_with_rejection_by_item_valid_items_are_created_and_errors_are_messages(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"rejection": "item"})
    good, other = world.devices()[:2]
    reply = world.create(item(good), item(other) | {"device_id": "nobody"})
    assert [row["device_id"] for row in reply.result["commands"]] == [good["deviceId"]]
    assert reply.json["messages"][0]["source"]["pointer"] == "/commands/1/device_id"
    assert world.create(item(other) | {"device_id": "nobody"}).status == 400


def test_multi_user_machine_needs_the_registration_of_the_same_person(world: LocalSimulator) -> None:
    by_device: dict[str, list[dict[str, Any]]] = {}
    for row in world.devices():
        by_device.setdefault(row["deviceId"], []).append(row)
    first, second, *_ = next(rows for rows in by_device.values() if len(rows) > 1)
    without = {key: value for key, value in item(first).items() if key != "registration_id"}
    assert world.create(without).code == 1006
    assert world.create(item(first) | {"user_email": second["personEmail"]}).code == 1005
    assert world.create(item(second)).result["commands"][0]["registration_id"] == second["registrationId"]


def test_ineligible_device_is_rejected_with_its_reason(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"people": 100})
    rows = world.control("GET", "world")["devices"]
    old = next(row for row in rows if not row["eligible"])
    old_item = {"device_id": old["device_id"], "user_email": old["person_email"], "type": "pcap"}
    reply = world.create(old_item)
    assert (reply.status, reply.code) == (400, 1004)
    assert reply.json["errors"][0]["message"] == old["ineligible_reason"]


def test_rows_of_the_response_can_be_shuffled(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"shuffle_answer": True})
    device = world.devices()[0]
    sent = ["pcap", "warp-diag", "speed-test"]
    orders = {
        tuple(row["type"] for row in world.create(*[item(device, kind) for kind in sent]).result["commands"])
        for _ in range(12)
    }
    assert len(orders) > 1
    assert all(sorted(order) == sorted(sent) for order in orders)


def test_second_capture_on_a_windows_machine_fails_at_once(world: LocalSimulator) -> None:
    windows = next(row for row in world.devices() if row["platform"] == "windows")
    other = next(row for row in world.devices() if row["platform"] != "windows")
    first, second, diag = world.create(item(windows), item(windows), item(windows, "warp-diag")).result["commands"]
    assert [first["status"], second["status"], diag["status"]] == ["PENDING_EXEC", "FAILED", "PENDING_EXEC"]
    assert {row["status"] for row in world.create(item(other), item(other)).result["commands"]} == {"PENDING_EXEC"}
    world.clock.advance(400)
    assert world.create(item(windows)).result["commands"][0]["status"] == "PENDING_EXEC"


def test_quota_counts_at_creation_rejects_what_is_over_and_resets_daily(world: LocalSimulator) -> None:
    account = world.control("GET", "config")["accounts"][0]
    world.control("PUT", "config", {"accounts": [account | {"quota": 3}]})
    device = world.devices()[0]
    assert world.create(item(device, "warp-diag"), item(device, "speed-test")).status == 200
    over = world.create(item(device, "warp-diag"), item(device, "speed-test"))
    assert (over.status, over.code) == (400, 1007)
    quota = read_quota(world)
    assert (quota["quota"], quota["quota_usage"]) == (3, 2)
    assert re.fullmatch(r"2027-01-1\dT00:00:00\.000Z", quota["reset_time"])
    world.clock.advance(86400)
    assert read_quota(world)["quota_usage"] == 0


def test_quota_can_be_reported_as_the_remaining_number(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"quota_means": "remaining"})
    world.create(item(world.devices()[0]))
    quota = read_quota(world)
    assert (quota["quota"], quota["quota_usage"]) == (199, 1)


def test_speed_shortens_the_day_of_the_quota() -> None:
    with LocalSimulator(speed=86400.0) as world:
        world.create(item(world.devices()[0]))
        assert read_quota(world)["quota_usage"] == 1
        world.clock.advance(1)
        assert read_quota(world)["quota_usage"] == 0


def read_quota(world: LocalSimulator) -> dict[str, Any]:
    reply: Reply = world.call("GET", f"{DEX}/commands/quota")
    result: dict[str, Any] = reply.result
    return result


def test_maximums_of_options_can_be_switched_off(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"enforce_ceilings": False})
    assert world.create(item(world.devices()[0], args={"time-limit-min": 60})).status == 200


def test_diag_can_be_configured_to_count_as_a_capture_on_windows(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"windows_captures": ["pcap", "warp-diag"]})
    windows = next(row for row in world.devices() if row["platform"] == "windows")
    rows = world.create(item(windows), item(windows, "warp-diag")).result["commands"]
    assert [row["status"] for row in rows] == ["PENDING_EXEC", "FAILED"]


def test_with_rejection_by_item_the_quota_limits_the_number_of_created_items(world: LocalSimulator) -> None:
    account = world.control("GET", "config")["accounts"][0]
    world.control("PUT", "config", {"rejection": "item", "accounts": [account | {"quota": 1}], "quota_status": 403})
    first, second = world.devices()[:2]
    reply = world.create(item(first), item(second))
    assert [row["device_id"] for row in reply.result["commands"]] == [first["deviceId"]]
    assert reply.json["messages"][0]["code"] == 1007
    assert world.create(item(second)).status == 403
