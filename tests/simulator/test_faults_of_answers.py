"""Faults in what an answer says, as a client reads it."""

from typing import Any

import pytest

from simulator.clock import rfc3339
from tests.simulator.running import DEX, START, Running, item

KINDS = ("pcap", "warp-diag", "speed-test")


@pytest.fixture
def three(world: Running) -> Running:
    """Three commands on one device, oldest pcap; all finished."""
    for kind in KINDS:
        world.create(item(world.devices()[0], kind))
        world.clock.forward(1)
    world.clock.forward(3600)
    return world


def test_a_command_is_not_listed_before_the_lag_is_over(world: Running) -> None:
    world.fault("listing_lag", call="list", seconds=20)
    world.create(item(world.devices()[0]))
    world.clock.forward(19)
    assert world.rows() == []
    world.clock.forward(2)
    assert len(world.rows()) == 1


def test_rows_go_missing_and_the_total_does_not_tell(three: Running) -> None:
    three.fault("missing_rows", call="list", p=1.0)
    reply = three.listing()
    assert reply.result["commands"] == []
    assert reply.json["result_info"]["total_count"] == 3


def test_rows_come_twice(three: Running) -> None:
    three.fault("repeated_rows", call="list")
    ids = [row["id"] for row in three.rows()]
    assert len(ids) == 6
    assert len(set(ids)) == 3


def test_rows_come_in_any_order(three: Running) -> None:
    three.fault("reordered_rows", call="list")
    orders = {tuple(row["type"] for row in three.rows()) for _ in range(20)}
    assert len(orders) > 1
    assert all(sorted(order) == sorted(KINDS) for order in orders)


def test_a_share_of_rows_is_hit_and_not_the_others(three: Running) -> None:
    three.control("POST", "load", {"count": 50, "days": 1})
    three.fault("missing_rows", call="list", p=0.5)
    assert 10 < len(three.rows()) < 40


def test_statuses_go_back(three: Running) -> None:
    three.fault("status_back", call="list")
    seen = {row["status"] for _ in range(10) for row in three.rows()}
    assert seen == {"PENDING_EXEC", "PENDING_UPLOAD"}
    assert all(row["filename"] is None for row in three.rows())


def test_a_status_that_nobody_documented_comes(three: Running) -> None:
    three.fault("unknown_status", call="list", word="QUARANTINED")
    assert {row["status"] for row in three.rows()} == {"QUARANTINED"}


def test_created_date_is_absent_or_skewed(three: Running) -> None:
    three.fault("created_date_absent", call="list")
    assert all("created_date" not in row for row in three.rows())
    three.fault("created_date_skewed", call="list", seconds=-300)
    assert three.rows()[-1]["created_date"] == rfc3339(START - 300)


def test_the_registration_is_absent_from_answers(three: Running) -> None:
    device = three.devices()[0]
    three.fault("registration_absent")
    assert all("registration_id" not in row for row in three.rows())
    assert "registration_id" not in three.create(item(device)).result["commands"][0]
    reply = three.call("GET", f"{DEX}/commands/devices?page=1&per_page=5")
    assert all("registrationId" not in row for row in reply.result["devices"])


def test_any_field_may_be_absent(three: Running) -> None:
    three.fault("field_absent", call="list", word="user_email")
    assert all("user_email" not in row and row["id"] for row in three.rows())


def test_an_item_is_missing_from_the_answer_although_it_was_created(world: Running) -> None:
    device = world.devices()[0]
    world.fault("item_missing", call="create", count=2)
    reply = world.create(*[item(device, kind) for kind in KINDS])
    assert len(reply.result["commands"]) == 1
    assert len(world.ledger()["commands"]) == 3


def test_a_filename_comes_as_an_absolute_address(three: Running) -> None:
    three.fault("filename_url", call="list", word="https://files.example.net/a")
    row = three.rows()[0]
    assert row["filename"] == f"https://files.example.net/a/{row['id']}.zip"


def test_the_result_may_be_null(three: Running) -> None:
    three.fault("null_result")
    assert three.listing().json["success"] is True
    assert three.listing().result is None


def test_the_analysis_may_have_any_shape(world: Running) -> None:
    diag = world.finished("warp-diag")
    world.fault("odd_analysis", call="analysis")
    assert isinstance(world.call("GET", f"{DEX}/commands/{diag}/analysis").result, list)


def twins(world: Running) -> list[dict[str, Any]]:
    commands: list[dict[str, Any]] = world.ledger()["commands"]
    return sorted(commands, key=lambda command: bool(command["foreign"]))


def test_somebody_starts_the_same_on_the_same_device_in_the_same_second(world: Running) -> None:
    device = next(row for row in world.devices() if row["platform"] != "windows")
    world.fault("foreign_twin", call="create", when="after")
    answered = world.create(item(device)).result["commands"]
    ours, theirs = twins(world)
    same = ("device_id", "registration_id", "user_email", "kind", "created_at")
    assert [ours[key] for key in same] == [theirs[key] for key in same]
    assert (ours["foreign"], theirs["foreign"]) == (False, True)
    assert [row["id"] for row in answered] == [ours["id"]]


def test_a_twin_may_exist_where_our_own_was_never_created(world: Running) -> None:
    device = world.devices()[0]
    rules = [{"match": {"call": "create"}, "effect": {"kind": kind}} for kind in ("foreign_twin", "reset")]
    world.control("PUT", "faults", {"rules": rules})
    with pytest.raises(ConnectionResetError):
        world.create(item(device))
    (theirs,) = twins(world)
    assert (theirs["foreign"], theirs["kind"]) == (True, "pcap")
