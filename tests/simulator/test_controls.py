"""Controls under `/_sim`: ledger, configuration, reset, foreign commands, load."""

import pytest

from simulator.clock import format_rfc3339
from tests.simulator.in_process import DEX, START, LocalSimulator, item


def test_ledger_shows_each_post_and_command_without_secrets(world: LocalSimulator) -> None:
    device = world.devices()[0]
    sent = item(device, args={"time-limit-min": 1})
    created = world.create(sent).result["commands"][0]
    world.create(item(device) | {"device_id": "nobody"})
    ledger = world.ledger()
    (command,) = ledger["commands"]
    good, bad = ledger["posts"]
    assert command | {"ends_at": ""} == {
        "id": created["id"],
        "account": "0123456789abcdef0123456789abcdef",
        "device_id": device["deviceId"],
        "registration_id": device["registrationId"],
        "user_email": device["personEmail"],
        "kind": "pcap",
        "args": {"time-limit-min": 1},
        "created_at": format_rfc3339(START),
        "ends_at": "",
        "status": "PENDING_EXEC",
        "cause": "",
        "post_id": good["id"],
        "foreign": False,
        "fetched": [],
    }
    assert (good["items"], good["outcome"], good["status_code"], good["answered"]) == ([sent], "created", 200, True)
    assert (good["credential"], good["command_ids"]) == ("token 1", [created["id"]])
    assert (bad["outcome"], bad["status_code"], bad["command_ids"]) == ("refused", 400, [])


def test_ledger_can_be_filtered_by_time_account_and_limit(world: LocalSimulator) -> None:
    device = world.devices()[0]
    for _ in range(3):
        world.create(item(device, "warp-diag"))
        world.clock.advance(10)
    assert len(world.control("GET", f"ledger?since={format_rfc3339(START + 10)}")["commands"]) == 2
    assert len(world.control("GET", "ledger?limit=1")["posts"]) == 1
    assert world.control("GET", "ledger?account=other") == {"commands": [], "posts": []}
    assert world.call("GET", "/_sim/ledger?since=now").status == 400


def test_command_of_a_dashboard_user_is_foreign_and_uses_quota(world: LocalSimulator) -> None:
    device = world.devices()[0]
    command = world.control("POST", "foreign", {"device_id": device["deviceId"], "kind": "warp-diag"})
    assert (command["foreign"], command["post_id"], command["kind"]) == (True, None, "warp-diag")
    assert [row["id"] for row in world.rows()] == [command["id"]]
    assert world.call("GET", f"{DEX}/commands/quota").result["quota_usage"] == 1
    assert world.call("POST", "/_sim/foreign", {"device_id": "nobody"}).status == 400
    assert world.call("POST", "/_sim/foreign", {"device_id": device["deviceId"], "kind": "reboot"}).status == 400


def test_loaded_commands_are_foreign_and_listed_in_order_and_use_no_quota(world: LocalSimulator) -> None:
    world.create(item(world.devices()[0]))
    assert world.control("POST", "load", {"count": 2000, "seed": 3}) == {"loaded": 2000, "commands": 2001}
    page = world.listing()
    dates = [row["created_date"] for row in page.result["commands"]]
    assert dates == sorted(dates, reverse=True)
    assert page.json["result_info"]["total_count"] == 2001
    assert world.call("GET", f"{DEX}/commands/quota").result["quota_usage"] == 1
    loaded = world.ledger()["commands"][1:]
    assert all(command["foreign"] for command in loaded)
    assert {command["status"] for command in loaded} >= {"SUCCESS", "FAILED"}
    assert world.call("POST", "/_sim/load", {"account": "nobody"}).status == 400


def test_reset_deletes_events_and_restores_the_configuration_only_on_request(world: LocalSimulator) -> None:
    world.create(item(world.devices()[0]))
    world.fault("hang", call="create")
    world.control("PUT", "config", {"sort": "oldest"})
    world.control("POST", "reset")
    assert world.ledger() == {"commands": [], "posts": []}
    assert world.control("GET", "faults")["rules"] == []
    assert world.control("GET", "config")["sort"] == "oldest"
    world.control("POST", "reset", {"config": True})
    assert world.control("GET", "config")["sort"] == "newest"


def test_configuration_can_be_read_and_written_back(world: LocalSimulator) -> None:
    config = world.control("GET", "config")
    assert world.control("PUT", "config", config) == config


def test_change_of_speed_does_not_affect_running_commands(world: LocalSimulator) -> None:
    world.create(item(world.devices()[0]))
    ends = world.ledger()["commands"][0]["ends_at"]
    world.control("PUT", "config", {"speed": 1000})
    assert world.ledger()["commands"][0]["ends_at"] == ends


def test_clock_offset_ages_commands(world: LocalSimulator) -> None:
    world.create(item(world.devices()[0]))
    world.control("PUT", "config", {"clock_offset": 3600})
    assert world.rows()[0]["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("config", {"speeed": 1}),
        ("config", {"speed": 0}),
        ("config", {"speed": "fast"}),
        ("config", {"dialect": "klingon"}),
        ("config", {"seed": 1.5}),
        ("config", {"shuffle_answer": 1}),
        ("config", {"accounts": []}),
        ("config", {"accounts": [{"account_id": "a"}]}),
        ("config", {"accounts": [{"account_id": "a" * 33, "token": "t"}]}),
        ("config", {"accounts": [{"account_id": "a", "token": "t"}, {"account_id": "a", "token": "u"}]}),
        ("config", {"windows_captures": "pcap"}),
        ("config", []),
        ("config", b"{"),
        ("faults", {"rules": [{"effect": {"kind": "earthquake"}}]}),
        ("faults", {"rules": [{"match": {"call": "delete"}, "effect": {"kind": "hang"}}]}),
        ("faults", {"rules": [{"match": {"path": "("}, "effect": {"kind": "hang"}}]}),
        ("faults", {"rules": [{"effect": {"kind": "hang", "when": "never"}}]}),
        ("faults", {"rules": [{}]}),
        ("faults", {"rule": []}),
        ("faults", {"seed": "x"}),
    ],
)
def test_invalid_control_input_is_rejected_with_a_reason_and_changes_nothing(
    world: LocalSimulator, path: str, body: object
) -> None:
    before = world.control("GET", "config")
    reply = world.call("PUT", f"/_sim/{path}", body)
    assert reply.status == 400
    assert reply.json["error"]
    assert world.control("GET", "config") == before
    assert world.control("GET", "faults")["rules"] == []
