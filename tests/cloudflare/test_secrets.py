"""Secrets are sent in their headers, and appear nowhere else."""

import logging
import pickle
import ssl
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from commands.cloudflare.auth import Auth, KeyAuth, TokenAuth
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError, DeadlineExceeded, NotSent
from commands.cloudflare.types import NewCommand
from tests.cloudflare.conftest import ACCOUNT, LIMITS, SHORT_DEADLINE, TOKEN, Connect, Serve
from tests.cloudflare.raw_server import (
    Peer,
    ReceivedRequest,
    Reply,
    drip,
    failure,
    hang,
    head,
    reset,
    respond,
    send,
    success,
)

KEY = "144c9defac04969c7bfad8efaa8ea194"
KEY_AUTH = KeyAuth("admin@example.com", KEY)
BOTH = pytest.mark.parametrize(("auth", "secret"), [(TokenAuth(TOKEN), TOKEN), (KEY_AUTH, KEY)], ids=["token", "key"])
JSON = {"Content-Type": "application/json"}
ITEM = NewCommand("dev-1", "pcap", "ann@example.com")


def echo(status: int) -> Reply:
    """Reply with an error message that repeats every header of the request."""

    def reply(peer: Peer, request: ReceivedRequest) -> bool:
        headers = " ".join(f"{name}: {value}" for name, value in request.headers.items())
        return respond(failure(1000, headers), status, JSON)(peer, request)

    return reply


def test_token_is_sent_as_a_bearer_token(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(success({})))
    connect(upstream).quota()
    assert upstream.received[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_api_key_is_sent_with_its_email(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(success({})))
    connect(upstream, auth=KEY_AUTH).quota()
    headers = upstream.received[0].headers
    assert (headers["x-auth-email"], headers["x-auth-key"]) == ("admin@example.com", KEY)
    assert "authorization" not in headers


def test_netrc_does_not_replace_the_authorization_header(
    serve: Serve, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    upstream = serve(respond(success({})))
    connect(upstream).quota()
    connect(upstream, auth=KEY_AUTH).create([ITEM])
    assert upstream.received[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "authorization" not in upstream.received[1].headers


def test_cookies_are_not_stored(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(success({}), headers={"Set-Cookie": "__cf_bm=1; Path=/"}))
    client = connect(upstream)
    client.quota()
    client.quota()
    assert "cookie" not in upstream.received[1].headers


def test_proxy_from_the_environment_is_used(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(respond(success({"quota": 3})))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert connect("http://api.example.com/client/v4").quota().total == 3
    expected = f"http://api.example.com/client/v4/accounts/{ACCOUNT}/dex/commands/quota"
    assert proxy.received[0].target == expected


@pytest.mark.parametrize("bad", ["", "with space", "line\nbreak", "ü"])
def test_secret_that_is_unsafe_in_a_header_is_rejected_without_showing_it(bad: str) -> None:
    for make in (lambda: TokenAuth(bad), lambda: KeyAuth("a@example.com", bad), lambda: KeyAuth(bad, KEY)):
        with pytest.raises(ValueError, match="HTTP header can't carry") as caught:
            make()
        assert not bad or bad not in str(caught.value)


@BOTH
def test_no_repr_shows_a_secret(auth: Auth, secret: str, connect: Connect) -> None:
    client = connect("http://127.0.0.1:1", auth=auth)
    for value in (auth, client, client.__dict__):
        assert secret not in repr(value)
        assert secret not in str(value)


@BOTH
@pytest.mark.parametrize(
    "reply",
    [echo(status) for status in (200, 400, 403, 404, 409, 429, 500)]
    + [reset, hang, send(b"no http"), respond(b"{}", headers=JSON)],
)
def test_no_error_and_no_log_shows_a_secret(
    reply: Reply, auth: Auth, secret: str, serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    limits = replace(LIMITS, read_timeout=0.3) if reply is hang else LIMITS
    client = connect(serve(reply), auth=auth, limits=limits)
    for call in (client.quota, lambda: client.create([ITEM]), client.download("c1", "x").__enter__):
        with pytest.raises(CloudflareError) as caught:
            call()
        error = caught.value
        assert error.__cause__ is None
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        assert secret not in shown
        assert secret.encode() not in pickle.dumps(vars(error))
    assert secret not in caplog.text


def test_cut_message_holds_no_part_of_a_secret(serve: Serve, connect: Connect) -> None:
    for padding in (230, 245, 250, 280, 290):
        upstream = serve(respond(failure(1000, "x" * padding + TOKEN), 403))
        with pytest.raises(CloudflareError) as caught:
            connect(upstream).quota()
        assert TOKEN[:8] not in caught.value.message
        assert TOKEN[:8] not in caught.value.problems[0].message
        assert len(caught.value.message) <= 300


def test_ca_bundle_from_the_environment_is_trusted(
    serve: Serve, connect: Connect, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = serve(respond(success({"quota": 5})), tls=tls)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    client = connect(upstream)
    assert client.quota().total == 5
    assert client.quota().total == 5
    assert upstream.connections == 1


@pytest.mark.parametrize("reply", [drip(b"HTTP/1.1 200 OK\r\nX: "), drip(head(200))])
def test_dripping_response_over_tls_ends_at_the_deadline(
    reply: Reply,
    serve: Serve,
    connect: Connect,
    tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    client = connect(serve(reply, tls=tls), limits=SHORT_DEADLINE)
    with pytest.raises(DeadlineExceeded):
        client.quota()


def test_https_proxy_never_sees_the_token(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(respond(b"", 403))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(NotSent):
        Client("https://api.example.com", ACCOUNT, TokenAuth(TOKEN), limits=LIMITS).quota()
    assert TOKEN not in repr(proxy.received)
