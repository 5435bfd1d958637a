"""Credentials, permissions, routes and the rate limit."""

import pytest

from simulator.config import DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN
from tests.simulator.in_process import BEARER, DEX, LocalSimulator, item

KEY = {"X-Auth-Email": "simulator@example.com", "X-Auth-Key": f"{DEFAULT_TOKEN}-key"}


def test_email_and_key_authenticate_for_the_same_account(world: LocalSimulator) -> None:
    assert world.listing(headers=KEY).status == 200
    assert world.create(item(world.devices()[0]), headers=KEY).status == 200
    assert [post["credential"] for post in world.ledger()["posts"]] == ["key 1"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, 9106),
        ({"X-Auth-Email": "simulator@example.com"}, 401, 9106),
        (KEY | {"X-Auth-Key": "wrong"}, 401, 10001),
        ({"Authorization": "Bearer wrong"}, 403, 9109),
        ({"Authorization": "Basic abc"}, 400, 6003),
    ],
)
def test_invalid_credential_is_rejected_with_cloudflares_code(
    world: LocalSimulator, headers: dict[str, str], status: int, code: int
) -> None:
    reply = world.listing(headers=headers)
    assert (reply.status, reply.code) == (status, code)
    assert reply.json["success"] is False


def test_each_of_twenty_accounts_has_its_own_token_and_people() -> None:
    with LocalSimulator(accounts=20) as world:
        accounts = world.control("GET", "config")["accounts"]
        assert len({account["token"] for account in accounts}) == 20
        second = accounts[1]
        path = f"/client/v4/accounts/{second['account_id']}/dex/commands/devices?page=1&per_page=50"
        reply = world.call("GET", path, headers={"Authorization": f"Bearer {second['token']}"})
        assert reply.status == 200
        assert all(row["personEmail"].endswith(".example.com") for row in reply.result["devices"])
        assert world.call("GET", path).code == 10000


def test_path_of_another_account_is_an_authentication_error(world: LocalSimulator) -> None:
    reply = world.call("GET", "/client/v4/accounts/ffff/dex/commands/quota")
    assert (reply.status, reply.code) == (403, 10000)


@pytest.mark.parametrize(
    ("permission", "read", "write"),
    [
        ("Cloudflare DEX Write", 200, 200),
        ("Cloudflare DEX Read", 200, 403),
        ("Zero Trust Read", 200, 403),
        ("Zero Trust Report", 200, 403),
        ("DNS Write", 403, 403),
    ],
)
def test_each_permission_allows_only_its_calls(world: LocalSimulator, permission: str, read: int, write: int) -> None:
    device = world.devices()[0]
    account = world.control("GET", "config")["accounts"][0]
    world.control("PUT", "config", {"accounts": [account | {"permissions": [permission]}]})
    assert world.listing().status == read
    assert world.call("GET", f"{DEX}/commands/quota").status == read
    assert world.create(item(device)).status == write


def test_one_token_can_authenticate_for_two_accounts(world: LocalSimulator) -> None:
    world.control(
        "PUT",
        "config",
        {"accounts": [{"account_id": "one", "token": "shared"}, {"account_id": "two", "token": "shared"}]},
    )
    for account in ("one", "two"):
        reply = world.call(
            "GET", f"/client/v4/accounts/{account}/dex/commands/quota", headers={"Authorization": "Bearer shared"}
        )
        assert reply.status == 200


@pytest.mark.parametrize(
    "path", ["/client/v4/user", f"{DEX}/nothing", "/", f"/client/v4/accounts/{'a' * 33}/dex/commands"]
)
def test_unknown_path_has_no_route(world: LocalSimulator, path: str) -> None:
    reply = world.call("GET", path)
    assert (reply.status, reply.code) == (404, 7003)


def test_calls_over_the_rate_limit_are_rejected_for_a_whole_window_in_real_seconds() -> None:
    with LocalSimulator(speed=10.0, rate_limit=5) as world:
        replies = [world.listing() for _ in range(7)]
        assert [reply.status for reply in replies] == [200] * 5 + [429] * 2
        assert replies[-1].headers["Retry-After"] == "30"
        assert world.call("GET", f"{DEX}/commands/quota").status == 429
        world.clock.advance(10)
        assert world.listing().headers["Retry-After"] == "20"
        assert world.listing(headers=KEY).status == 200
        world.clock.advance(20)
        assert world.listing().status == 200


def test_rate_limited_post_creates_nothing() -> None:
    with LocalSimulator(rate_limit=2) as world:
        devices = world.devices()
        world.listing()
        assert world.create(item(devices[0])).status == 429
        ledger = world.ledger()
        assert ledger["commands"] == []
        assert [(post["outcome"], post["status_code"]) for post in ledger["posts"]] == [("refused", 429)]


def test_default_account_and_token_never_change() -> None:
    assert DEFAULT_ACCOUNT_ID == "0123456789abcdef0123456789abcdef"
    assert BEARER == {"Authorization": "Bearer simulator-token-not-a-secret"}
