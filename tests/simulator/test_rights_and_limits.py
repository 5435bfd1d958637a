"""Who may call, and how often."""

import pytest

from simulator.config import DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN
from tests.simulator.running import BEARER, DEX, Running, item

KEY = {"X-Auth-Email": "simulator@example.com", "X-Auth-Key": f"{DEFAULT_TOKEN}-key"}


def test_an_email_with_its_key_opens_the_same_account(world: Running) -> None:
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
def test_a_wrong_credential_is_refused_in_cloudflares_codes(
    world: Running, headers: dict[str, str], status: int, code: int
) -> None:
    reply = world.listing(headers=headers)
    assert (reply.status, reply.code) == (status, code)
    assert reply.json["success"] is False


def test_twenty_accounts_have_tokens_and_people_of_their_own() -> None:
    with Running(accounts=20) as world:
        accounts = world.control("GET", "config")["accounts"]
        assert len({account["token"] for account in accounts}) == 20
        second = accounts[1]
        path = f"/client/v4/accounts/{second['account_id']}/dex/commands/devices?page=1&per_page=50"
        own = world.call("GET", path, headers={"Authorization": f"Bearer {second['token']}"})
        assert own.status == 200
        assert all(row["personEmail"].endswith(".example.com") for row in own.result["devices"])
        assert world.call("GET", path).code == 10000


def test_another_accounts_address_is_an_authentication_error(world: Running) -> None:
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
def test_each_permission_opens_what_it_should(world: Running, permission: str, read: int, write: int) -> None:
    device = world.devices()[0]
    account = world.control("GET", "config")["accounts"][0]
    world.control("PUT", "config", {"accounts": [account | {"permissions": [permission]}]})
    assert world.listing().status == read
    assert world.call("GET", f"{DEX}/commands/quota").status == read
    assert world.create(item(device)).status == write


def test_one_token_may_stand_behind_two_accounts(world: Running) -> None:
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
def test_an_address_that_does_not_exist_has_no_route(world: Running, path: str) -> None:
    reply = world.call("GET", path)
    assert (reply.status, reply.code) == (404, 7003)


def test_beyond_the_rate_limit_every_call_is_refused_for_a_window_in_real_seconds() -> None:
    with Running(speed=10.0, rate_limit=5) as world:
        replies = [world.listing() for _ in range(7)]
        assert [reply.status for reply in replies] == [200] * 5 + [429] * 2
        assert replies[-1].headers["Retry-After"] == "30"
        assert world.call("GET", f"{DEX}/commands/quota").status == 429
        world.clock.forward(10)
        assert world.listing().headers["Retry-After"] == "20"
        assert world.listing(headers=KEY).status == 200
        world.clock.forward(20)
        assert world.listing().status == 200


def test_a_throttled_post_creates_nothing() -> None:
    with Running(rate_limit=2) as world:
        devices = world.devices()
        world.listing()
        assert world.create(item(devices[0])).status == 429
        ledger = world.ledger()
        assert ledger["commands"] == []
        assert [(post["outcome"], post["status_code"]) for post in ledger["posts"]] == [("refused", 429)]


def test_the_default_account_and_token_are_fixed() -> None:
    assert DEFAULT_ACCOUNT_ID == "0123456789abcdef0123456789abcdef"
    assert BEARER == {"Authorization": "Bearer simulator-token-not-a-secret"}
