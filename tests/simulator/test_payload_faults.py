"""Faults in the payload of a response, as a client reads it."""

from typing import Any

import pytest

from simulator.clock import format_rfc3339
from tests.simulator.in_process import DEX, START, LocalSimulator, item

KINDS = ("pcap", "warp-diag", "speed-test")


@pytest.fixture
def three_commands(world: LocalSimulator) -> LocalSimulator:
    """Create three commands on one device, a capture, a diag and a speed test, and wait until they have ended."""
    for kind in KINDS:
        world.create(item(world.devices()[0], kind))
        world.clock.advance(1)
    world.clock.advance(3600)
    return world


def test_command_is_not_listed_until_the_lag_is_over(world: LocalSimulator) -> None:
    world.fault("listing_lag", call="list", seconds=20)
    world.create(item(world.devices()[0]))
    world.clock.advance(19)
    assert world.rows() == []
    world.clock.advance(2)
    assert len(world.rows()) == 1


def test_rows_are_missing_although_the_total_counts_them(three_commands: LocalSimulator) -> None:
    three_commands.fault("missing_rows", call="list", p=1.0)
    reply = three_commands.listing()
    assert reply.result["commands"] == []
    assert reply.json["result_info"]["total_count"] == 3


def test_rows_are_repeated(three_commands: LocalSimulator) -> None:
    three_commands.fault("repeated_rows", call="list")
    ids = [row["id"] for row in three_commands.rows()]
    assert len(ids) == 6
    assert len(set(ids)) == 3


def test_rows_are_in_random_order(three_commands: LocalSimulator) -> None:
    three_commands.fault("reordered_rows", call="list")
    orders = {tuple(row["type"] for row in three_commands.rows()) for _ in range(20)}
    assert len(orders) > 1
    assert all(sorted(order) == sorted(KINDS) for order in orders)


def test_fault_changes_only_a_share_of_the_rows(three_commands: LocalSimulator) -> None:
    three_commands.control("POST", "load", {"count": 50, "days": 1})
    three_commands.fault("missing_rows", call="list", p=0.5)
    assert 10 < len(three_commands.rows()) < 40


def test_final_statuses_go_back_to_pending(three_commands: LocalSimulator) -> None:
    three_commands.fault("status_back", call="list")
    statuses = {row["status"] for _ in range(10) for row in three_commands.rows()}
    assert statuses == {"PENDING_EXEC", "PENDING_UPLOAD"}
    assert all(row["filename"] is None for row in three_commands.rows())


def test_status_is_an_undocumented_one(three_commands: LocalSimulator) -> None:
    three_commands.fault("unknown_status", call="list", word="QUARANTINED")
    assert {row["status"] for row in three_commands.rows()} == {"QUARANTINED"}


def test_created_date_is_absent_or_skewed(three_commands: LocalSimulator) -> None:
    three_commands.fault("created_date_absent", call="list")
    assert all("created_date" not in row for row in three_commands.rows())
    three_commands.fault("created_date_skewed", call="list", seconds=-300)
    assert three_commands.rows()[-1]["created_date"] == format_rfc3339(START - 300)


def test_registration_is_absent_from_every_response(three_commands: LocalSimulator) -> None:
    device = three_commands.devices()[0]
    three_commands.fault("registration_absent")
    assert all("registration_id" not in row for row in three_commands.rows())
    assert "registration_id" not in three_commands.create(item(device)).result["commands"][0]
    reply = three_commands.call("GET", f"{DEX}/commands/devices?page=1&per_page=5")
    assert all("registrationId" not in row for row in reply.result["devices"])


def test_any_field_can_be_absent(three_commands: LocalSimulator) -> None:
    three_commands.fault("field_absent", call="list", word="user_email")
    assert all("user_email" not in row and row["id"] for row in three_commands.rows())


def test_created_command_is_missing_from_the_response_to_its_post(world: LocalSimulator) -> None:
    device = world.devices()[0]
    world.fault("item_missing", call="create", count=2)
    reply = world.create(*[item(device, kind) for kind in KINDS])
    assert len(reply.result["commands"]) == 1
    assert len(world.ledger()["commands"]) == 3


def test_filename_is_an_absolute_url(three_commands: LocalSimulator) -> None:
    three_commands.fault("filename_url", call="list", word="https://files.example.net/a")
    row = three_commands.rows()[0]
    assert row["filename"] == f"https://files.example.net/a/{row['id']}.zip"


def test_result_is_null(three_commands: LocalSimulator) -> None:
    three_commands.fault("null_result")
    assert three_commands.listing().json["success"] is True
    assert three_commands.listing().result is None


def test_analysis_has_an_unexpected_shape(world: LocalSimulator) -> None:
    diag = world.create_finished("warp-diag")
    world.fault("odd_analysis", call="analysis")
    assert isinstance(world.call("GET", f"{DEX}/commands/{diag}/analysis").result, list)


def commands_own_first(world: LocalSimulator) -> list[dict[str, Any]]:
    commands: list[dict[str, Any]] = world.ledger()["commands"]
    return sorted(commands, key=lambda command: bool(command["foreign"]))


def test_foreign_twin_has_the_same_device_kind_and_date_as_the_created_command(world: LocalSimulator) -> None:
    device = next(row for row in world.devices() if row["platform"] != "windows")
    world.fault("foreign_twin", call="create", when="after")
    response = world.create(item(device)).result["commands"]
    ours, theirs = commands_own_first(world)
    shared_fields = ("device_id", "registration_id", "user_email", "kind", "created_at")
    assert [ours[key] for key in shared_fields] == [theirs[key] for key in shared_fields]
    assert (ours["foreign"], theirs["foreign"]) == (False, True)
    assert [row["id"] for row in response] == [ours["id"]]


def test_foreign_twin_exists_although_the_post_itself_created_nothing(world: LocalSimulator) -> None:
    device = world.devices()[0]
    rules = [{"match": {"call": "create"}, "effect": {"kind": kind}} for kind in ("foreign_twin", "reset")]
    world.control("PUT", "faults", {"rules": rules})
    with pytest.raises(ConnectionResetError):
        world.create(item(device))
    (theirs,) = commands_own_first(world)
    assert (theirs["foreign"], theirs["kind"]) == (True, "pcap")
