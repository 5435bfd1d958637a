"""Creation of commands: the POST body in both dialects, and the parsed response."""

from datetime import UTC, datetime

import pytest

from commands.cloudflare.auth import TokenAuth
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError, NotSent, OutcomeUnknown, Rejected, Throttled
from commands.cloudflare.types import Call, Created, Dialect, NewCommand
from tests.cloudflare.conftest import ACCOUNT, Connect, Serve
from tests.cloudflare.raw_server import RawServer, close, failure, reset, respond, success

PCAP = NewCommand("dev-1", "pcap", "ann@example.com", "reg-1", {"time-limit-min": 5, "interfaces": ("default",)})
DIAG = NewCommand("dev-2", "warp-diag", "bob@example.com", options={"test-all-routes": True})
BARE = NewCommand("dev-3", "speed-test", "cy@example.com")
EMPTY = success({"commands": []})


def last_body(upstream: RawServer) -> object:
    return upstream.received[-1].json()


def test_current_dialect_sends_type_and_args(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(EMPTY))
    result = connect(upstream, user_agent="dexportal/1.2").create([PCAP, DIAG, BARE])
    assert result.dialect is Dialect.CURRENT
    request = upstream.received[0]
    assert (request.method, request.target) == ("POST", f"/client/v4/accounts/{ACCOUNT}/dex/commands")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "dexportal/1.2"
    assert last_body(upstream) == {
        "commands": [
            {
                "device_id": "dev-1",
                "user_email": "ann@example.com",
                "type": "pcap",
                "registration_id": "reg-1",
                "args": {"time-limit-min": 5, "interfaces": ["default"]},
            },
            {
                "device_id": "dev-2",
                "user_email": "bob@example.com",
                "type": "warp-diag",
                "args": {"test-all-routes": True},
            },
            {"device_id": "dev-3", "user_email": "cy@example.com", "type": "speed-test"},
        ]
    }


def test_legacy_dialect_sends_command_type_and_command_args(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(EMPTY))
    result = connect(upstream, dialect=Dialect.LEGACY).create([DIAG])
    assert result.dialect is Dialect.LEGACY
    assert last_body(upstream) == {
        "commands": [
            {
                "device_id": "dev-2",
                "user_email": "bob@example.com",
                "command_type": "warp-diag",
                "command_args": {"test-all-routes": True},
            }
        ]
    }


@pytest.mark.parametrize("status", [400, 422])
def test_auto_tries_the_legacy_dialect_once_and_remembers_it(status: int, serve: Serve, connect: Connect) -> None:
    calls: list[Call] = []
    upstream = serve(
        respond(failure(1002, "unknown field"), status), respond(EMPTY), respond(failure(1003, "bad device"), status)
    )
    client = connect(upstream, permit=calls.append)
    assert client.create([PCAP]).dialect is Dialect.LEGACY
    with pytest.raises(Rejected):
        client.create([PCAP])
    assert ["command_type" in request.body.decode() for request in upstream.received] == [False, True, True]
    assert calls == [Call.CREATE] * 3


def test_auto_keeps_the_current_dialect_after_its_first_success(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(EMPTY), respond(failure(1003, "bad device"), 400))
    client = connect(upstream)
    client.create([PCAP])
    with pytest.raises(Rejected):
        client.create([PCAP])
    assert len(upstream.received) == 2


@pytest.mark.parametrize("status", [403, 404, 405, 409, 429, 500])
def test_auto_does_not_switch_the_dialect_for_other_statuses(status: int, serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(failure(), status))
    with pytest.raises(CloudflareError):
        connect(upstream).create([PCAP])
    assert len(upstream.received) == 1


def test_fixed_dialect_is_never_switched(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(failure(), 400))
    for dialect in (Dialect.CURRENT, Dialect.LEGACY):
        with pytest.raises(Rejected):
            connect(upstream, dialect=dialect).create([PCAP])
    assert len(upstream.received) == 2


def test_rejections_of_both_dialects_become_one_error(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(failure(1003, "no such device"), 422), respond(failure(1004, "type is missing"), 400))
    with pytest.raises(Rejected) as caught:
        connect(upstream).create([PCAP])
    assert [problem.code for problem in caught.value.problems] == [1003, 1004]
    assert caught.value.status == 422
    assert "no such device" in caught.value.message


def test_failure_in_the_second_dialect_has_an_unknown_outcome(serve: Serve, connect: Connect) -> None:
    with pytest.raises(OutcomeUnknown):
        connect(serve(respond(failure(), 400), reset)).create([PCAP])


def test_speed_test_is_never_sent_in_the_legacy_dialect(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(failure(), 400))
    with pytest.raises(Rejected):
        connect(upstream).create([BARE])
    assert len(upstream.received) == 1
    with pytest.raises(Rejected, match="older request form"):
        connect(upstream, dialect=Dialect.LEGACY).create([BARE])
    assert len(upstream.received) == 1


def test_response_becomes_created_commands_with_cloudflares_clock(serve: Serve, connect: Connect) -> None:
    rows = [
        {
            "id": " C-1 ",
            "type": "pcap",
            "status": "PENDING_EXEC",
            "device_id": "DEV-1",
            "registration_id": "Reg-1",
            "args": {"time-limit-min": "5", "a": True},
            "new": {"field": 1},
        },
        {"id": "c-2", "command_type": "pcap", "command_args": None, "status": "LATER"},
        "no object",
    ]
    date = {"Date": "Sun, 22 Nov 2026 06:00:00 GMT"}
    result = connect(serve(respond(success({"commands": rows}), headers=date))).create([PCAP])
    assert result.created == (
        Created("c-1", "pcap", "PENDING_EXEC", "dev-1", "reg-1", (("a", "true"), ("time-limit-min", "5"))),
        Created("c-2", "pcap", "LATER", "", "", ()),
    )
    assert result.date == datetime(2026, 11, 22, 6, tzinfo=UTC)


@pytest.mark.parametrize("answer", [success(None), success({}), success({"commands": None}), {"success": True}])
def test_response_without_commands_has_no_created_commands(answer: object, serve: Serve, connect: Connect) -> None:
    result = connect(serve(respond(answer, headers={"Date": "yesterday"}))).create([PCAP])
    assert result.created == ()
    assert result.date is None


@pytest.mark.parametrize("count", [0, 21])
def test_post_takes_one_to_twenty_commands(count: int, serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(EMPTY))
    with pytest.raises(ValueError, match="1 to 20"):
        connect(upstream).create([PCAP] * count)
    assert upstream.connections == 0


def test_throttled_post_has_retry_after_and_is_not_retried(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(failure(971, "slow down"), 429, {"Retry-After": "1"}))
    with pytest.raises(Throttled) as caught:
        connect(upstream).create([PCAP])
    assert caught.value.retry_after == 1
    assert len(upstream.received) == 1, "a POST is never retried"


def test_post_does_not_reuse_the_connection_of_a_get(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(EMPTY), close, respond(EMPTY))
    client = connect(upstream)
    client.list_commands(1)
    with pytest.raises(OutcomeUnknown):
        client.create([PCAP])
    assert client.create([PCAP]).created == ()


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com", "example.com", "http://", "http://a:b@example.com", "http://example.com?x=1"],
)
def test_malformed_base_url_is_a_value_error(url: str, connect: Connect) -> None:
    with pytest.raises(ValueError, match="address"):
        connect(url)


@pytest.mark.parametrize("account", ["", "a/b", "x" * 33, "..", "a b"])
def test_malformed_account_id_is_a_value_error(account: str, connect: Connect) -> None:
    with pytest.raises(ValueError, match="account"):
        Client("http://example.com", account, TokenAuth("t"))


def test_socks_proxy_is_not_supported_and_nothing_is_sent(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(NotSent):
        connect("http://api.example.com").create([PCAP])
