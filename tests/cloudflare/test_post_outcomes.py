"""Outcome of a POST, for each way in which it can fail before, while or after it is sent."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from commands.cloudflare import deadline_connection, transport
from commands.cloudflare.client import Client
from commands.cloudflare.errors import (
    CloudflareError,
    DeadlineExceeded,
    NotFound,
    NotSent,
    OutcomeUnknown,
    Refused,
    Rejected,
    ReportedFailure,
    Throttled,
    TooLarge,
    Truncated,
    Unreadable,
)
from commands.cloudflare.types import Call, ClientLimits, Dialect, NewCommand
from tests.cloudflare.conftest import LIMITS, SHORT_DEADLINE, SHORT_READ_TIMEOUT, Connect, Serve
from tests.cloudflare.raw_server import (
    Peer,
    ReceivedRequest,
    Reply,
    before_reading,
    close,
    drip,
    failure,
    hang,
    head,
    reset,
    respond,
    send,
    send_then_hang,
    success,
)

ITEM = NewCommand("dev-1", "pcap", "ann@example.com", options={"time-limit-min": 5})


def error_of_post(client: Client) -> CloudflareError:
    with pytest.raises(CloudflareError) as caught:
        client.create([ITEM])
    error = caught.value
    assert error.call is Call.CREATE
    assert 10 < len(error.message) <= 300
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Bind a port without listening, so that it refuses connections and no other program can use it."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        yield int(sock.getsockname()[1])


@pytest.fixture
def full_port() -> Iterator[int]:
    """Fill the queue of a listening port, so that a further connection is neither accepted nor refused."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
        for sock in waiting:
            sock.close()


def test_refused_connection_is_not_sent(connect: Connect, closed_port: int) -> None:
    error = error_of_post(connect(f"http://127.0.0.1:{closed_port}"))
    assert type(error) is NotSent
    assert "refused" in error.message


def test_connect_timeout_is_not_sent(connect: Connect, full_port: int) -> None:
    error = error_of_post(connect(f"http://127.0.0.1:{full_port}", limits=replace(LIMITS, connect_timeout=0.3)))
    assert type(error) is NotSent
    assert "time-out" in error.message


def test_second_address_is_used_when_the_first_refuses(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = serve(respond(success({"commands": []})))
    resolve = socket.getaddrinfo

    def two_addresses(host: str, port: int, *rest: Any, **named: Any) -> Any:
        if host != "api.example.com":
            return resolve(host, port, *rest, **named)
        # 127.0.0.2 is this machine too, but no program listens there.
        return resolve("127.0.0.2", port, *rest, **named) + resolve("127.0.0.1", port, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    assert connect(f"http://api.example.com:{upstream.port}/client/v4").create([ITEM]).created == ()


def test_unresolved_host_name_is_not_sent(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def unresolved(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # Patched, because the resolver of a machine without a network can take half a minute to fail.
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    error = error_of_post(connect("http://api.example.com/client/v4"))
    assert type(error) is NotSent
    assert "name" in error.message


def test_untrusted_certificate_is_not_sent(serve: Serve, connect: Connect, tls: ssl.SSLContext) -> None:
    upstream = serve(respond(success({"commands": []})), tls=tls)
    error = error_of_post(connect(upstream))
    assert type(error) is NotSent
    assert "TLS" in error.message
    assert upstream.received == []


@pytest.mark.parametrize("reply", [reset, close, hang, send(b"HTTP/1.1 200 OK\r\n\r\n")])
def test_failed_tls_handshake_is_not_sent(
    reply: Reply, serve: Serve, connect: Connect, certificate: Path, tls: ssl.SSLContext
) -> None:
    upstream = serve(before_reading(reply), tls=tls)
    assert type(error_of_post(connect(upstream, limits=replace(LIMITS, connect_timeout=0.3)))) is NotSent


def test_unreachable_proxy_is_not_sent(connect: Connect, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    error = error_of_post(connect("http://api.example.com/client/v4"))
    assert type(error) is NotSent
    assert "proxy" in error.message


@pytest.mark.parametrize("status", [403, 407, 502, 503])
def test_proxy_that_refuses_the_tunnel_is_not_sent(
    status: int, serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(respond(b"no", status))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert type(error_of_post(connect("https://api.example.com/client/v4"))) is NotSent
    assert [request.method for request in proxy.received] == ["CONNECT"]


@pytest.mark.parametrize("reply", [hang, drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), reset])
def test_proxy_that_breaks_during_connect_is_not_sent(
    reply: Reply, serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(reply)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert type(error_of_post(connect("https://api.example.com/client/v4", limits=SHORT_DEADLINE))) is NotSent


def test_proxy_that_requires_a_password_is_not_sent(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(respond(b"", 407))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert type(error_of_post(connect("http://api.example.com/client/v4"))) is NotSent


def test_exception_from_permit_stops_the_request_and_reaches_the_caller(serve: Serve, connect: Connect) -> None:
    class NoBudgetError(Exception):
        pass

    def permit(call: Call) -> None:
        assert call is Call.CREATE
        raise NoBudgetError

    upstream = serve(respond(success({"commands": []})))
    with pytest.raises(NoBudgetError):
        connect(upstream, permit=permit).create([ITEM])
    assert upstream.connections == 0


def test_nothing_is_sent_after_the_deadline(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = serve(respond(success({"commands": []})))
    client = connect(upstream)
    resolve, later = socket.getaddrinfo, monotonic() + 2 * LIMITS.create_deadline

    def slow_resolver(*args: Any, **kwargs: Any) -> Any:
        for module in (deadline_connection, transport):
            monkeypatch.setattr(module, "monotonic", lambda: later)
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow_resolver)
    error = error_of_post(client)
    assert type(error) is NotSent
    assert "deadline" in error.message
    assert upstream.received == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Refused),
        (307, Refused),
        (401, Refused),
        (403, Refused),
        (404, NotFound),
        (400, Rejected),
        (405, Rejected),
        (413, Rejected),
        (422, Rejected),
        (499, Rejected),
        (429, Throttled),
        (408, OutcomeUnknown),
        (409, OutcomeUnknown),
        (425, OutcomeUnknown),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (503, OutcomeUnknown),
        (520, OutcomeUnknown),
        (599, OutcomeUnknown),
    ],
)
def test_http_status_decides_the_error_type(
    status: int, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    upstream = serve(respond(failure(7003, "No route for the URI"), status))
    error = error_of_post(connect(upstream, dialect=Dialect.CURRENT))
    assert type(error) is kind
    assert (error.status, error.code) == (status, 7003)
    assert "No route for the URI" in error.message
    assert len(upstream.received) == 1


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"[1, 2]", b'{"errors": {}}', b"x" * 200_000])
def test_refusal_with_an_unreadable_body_is_still_refused(body: bytes, serve: Serve, connect: Connect) -> None:
    error = error_of_post(connect(serve(respond(body, 403))))
    assert type(error) is Refused
    assert error.problems == ()


def test_rejection_with_an_endless_body_is_still_rejected(serve: Serve, connect: Connect) -> None:
    error = error_of_post(connect(serve(send_then_hang(head(422) + b"{")), limits=SHORT_READ_TIMEOUT))
    assert type(error) is Rejected


def test_success_false_with_status_200_has_an_unknown_outcome(serve: Serve, connect: Connect) -> None:
    error = error_of_post(connect(serve(respond(failure(1001, "device is busy")))))
    assert type(error) is ReportedFailure
    assert isinstance(error, OutcomeUnknown)
    assert error.code == 1001
    assert "device is busy" in error.message


def reset_unread(peer: Peer, request: ReceivedRequest) -> bool:
    peer.sock.recv(1, socket.MSG_PEEK)  # wait for the request and leave it unread
    return reset(peer, request)


LARGE = b'{"success":true,"result":"' + b"x" * 150_000 + b'"}'


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(before_reading(reset_unread), OutcomeUnknown, id="reset before reading"),
        pytest.param(reset, OutcomeUnknown, id="reset after reading"),
        pytest.param(close, OutcomeUnknown, id="closed without a response"),
        pytest.param(send(b"HTTP/1.1 200 OK\r\nContent-Le"), OutcomeUnknown, id="cut in the headers"),
        pytest.param(send(b"this is not http\r\n\r\n"), OutcomeUnknown, id="not HTTP"),
        pytest.param(send(head(200, {"Content-Length": "500"}) + b"{}"), Truncated, id="shorter than announced"),
        pytest.param(send(head(200, {"Transfer-Encoding": "chunked"}) + b"5\r\nab"), Truncated, id="cut chunk"),
        pytest.param(send(head(200, {"Transfer-Encoding": "chunked"}) + b"zz\r\nab"), Truncated, id="bad chunk"),
        pytest.param(respond(b""), OutcomeUnknown, id="empty"),
        pytest.param(respond(b"{}"), Unreadable, id="no envelope"),
        pytest.param(respond(b"[]"), Unreadable, id="a list"),
        pytest.param(respond(b'{"success": tr'), Unreadable, id="cut JSON"),
        pytest.param(respond(b"\xff\xfe\x00"), Unreadable, id="not UTF-8"),
        pytest.param(respond(b"[" * 90_000), Unreadable, id="nested"),
        pytest.param(respond(success({"commands": 7})), Unreadable, id="no list"),
        pytest.param(respond(b"", 204), OutcomeUnknown, id="no content"),
        pytest.param(respond(LARGE), TooLarge, id="giant"),
        pytest.param(respond(b"{}", headers={"Content-Encoding": "br"}), Unreadable, id="unsupported encoding"),
        pytest.param(respond(b"{}", headers={"Content-Encoding": "gzip"}), Unreadable, id="wrong encoding"),
    ],
)
def test_failure_after_sending_has_an_unknown_outcome(
    reply: Reply, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    upstream = serve(reply)
    error = error_of_post(connect(upstream))
    assert type(error) is kind
    assert isinstance(error, OutcomeUnknown)
    assert upstream.connections == 1, "a POST is never retried"


@pytest.mark.parametrize(
    ("reply", "limits", "kind"),
    [
        pytest.param(hang, SHORT_READ_TIMEOUT, OutcomeUnknown, id="no response"),
        pytest.param(send_then_hang(head(200) + b"{"), SHORT_READ_TIMEOUT, OutcomeUnknown, id="half a response"),
        pytest.param(hang, SHORT_DEADLINE, DeadlineExceeded, id="no response by the deadline"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Slow: "), SHORT_DEADLINE, DeadlineExceeded, id="dripping headers"),
        pytest.param(drip(head(200) + b'{"'), SHORT_DEADLINE, DeadlineExceeded, id="dripping body"),
    ],
)
def test_timeout_after_sending_has_an_unknown_outcome(
    reply: Reply, limits: ClientLimits, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    upstream = serve(reply)
    error = error_of_post(connect(upstream, limits=limits))
    assert type(error) is kind
    assert upstream.connections == 1


@pytest.mark.parametrize("reply", [reset, close, hang, send(b"HTTP/1.1 200 OK\r\n")])
def test_failure_over_tls_after_sending_has_an_unknown_outcome(
    reply: Reply,
    serve: Serve,
    connect: Connect,
    tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    upstream = serve(reply, tls=tls)
    assert type(error_of_post(connect(upstream, limits=SHORT_READ_TIMEOUT))) is OutcomeUnknown
    assert len(upstream.received) == 1


def test_plain_text_within_tls_after_sending_has_an_unknown_outcome(
    serve: Serve, connect: Connect, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plain_text(peer: Peer, _: ReceivedRequest) -> bool:
        bare = socket.socket(fileno=peer.sock.detach())
        bare.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        bare.close()
        return False

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert type(error_of_post(connect(serve(plain_text, tls=tls)))) is OutcomeUnknown


def test_each_post_opens_a_new_connection(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(success({"commands": []})))
    client = connect(upstream)
    client.list_commands(1)
    client.list_commands(1)
    assert upstream.connections == 1
    client.create([ITEM])
    client.create([ITEM])
    assert upstream.connections == 3


def test_redirect_is_refused_and_sends_no_token_to_the_other_host(serve: Serve, connect: Connect) -> None:
    other = serve(respond(success({})))
    upstream = serve(respond(b"", 302, {"Location": f"{other.url}/elsewhere"}))
    assert type(error_of_post(connect(upstream))) is Refused
    calls: list[Callable[[], object]] = [
        lambda: connect(upstream).quota(),
        lambda: connect(upstream).list_commands(1),
        lambda: connect(upstream).download("c1", f"{other.url}/c1.zip").__enter__(),
    ]
    for call in calls:
        with pytest.raises(Refused):
            call()
    assert other.connections == 0
