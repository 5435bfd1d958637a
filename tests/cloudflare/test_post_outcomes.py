"""Every row of "Can a POST be sent again?": what happened on the wire, and what the client makes of it."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

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
from tests.cloudflare.conftest import BRIEF, IMPATIENT, LIMITS, Connect, Serve
from tests.cloudflare.raw_server import (
    Act,
    Peer,
    Received,
    close,
    drip,
    early,
    hang,
    head,
    no,
    ok,
    raw,
    reset,
    say,
    then_hang,
)

ITEM = NewCommand("dev-1", "pcap", "ann@example.com", options={"time-limit-min": 5})


def posted(client: Client) -> CloudflareError:
    with pytest.raises(CloudflareError) as caught:
        client.create([ITEM])
    error = caught.value
    assert error.call is Call.CREATE
    assert 10 < len(error.message) <= 300
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Bound and not listening: it refuses, and nobody else can take it."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        yield int(sock.getsockname()[1])


@pytest.fixture
def full_port() -> Iterator[int]:
    """Its queue of connections is full: a further one is neither accepted nor refused."""
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


def test_a_refused_connection_is_not_sent(connect: Connect, deaf_port: int) -> None:
    error = posted(connect(f"http://127.0.0.1:{deaf_port}"))
    assert type(error) is NotSent
    assert "refused" in error.message


def test_a_connection_that_times_out_is_not_sent(connect: Connect, full_port: int) -> None:
    error = posted(connect(f"http://127.0.0.1:{full_port}", limits=replace(LIMITS, connect_timeout=0.3)))
    assert type(error) is NotSent
    assert "time-out" in error.message


def test_a_dead_address_of_several_is_passed_over(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = serve(say(ok({"commands": []})))
    resolve = socket.getaddrinfo

    def two(host: str, port: int, *rest: Any, **named: Any) -> Any:
        if host != "api.example.com":
            return resolve(host, port, *rest, **named)
        # 127.0.0.2 is this machine too, but nobody listens there.
        return resolve("127.0.0.2", port, *rest, **named) + resolve("127.0.0.1", port, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert connect(f"http://api.example.com:{upstream.port}/client/v4").create([ITEM]).created == ()


def test_a_name_that_does_not_resolve_is_not_sent(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def unresolved(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # Patched: the resolver of a machine without a network can take half a minute to say so.
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    error = posted(connect("http://api.example.com/client/v4"))
    assert type(error) is NotSent
    assert "name" in error.message


def test_an_untrusted_certificate_is_not_sent(serve: Serve, connect: Connect, tls: ssl.SSLContext) -> None:
    upstream = serve(say(ok({"commands": []})), tls=tls)
    error = posted(connect(upstream))
    assert type(error) is NotSent
    assert "TLS" in error.message
    assert upstream.received == []


@pytest.mark.parametrize("act", [reset, close, hang, raw(b"HTTP/1.1 200 OK\r\n\r\n")])
def test_a_handshake_that_fails_is_not_sent(
    act: Act, serve: Serve, connect: Connect, certificate: Path, tls: ssl.SSLContext
) -> None:
    upstream = serve(early(act), tls=tls)
    assert type(posted(connect(upstream, limits=replace(LIMITS, connect_timeout=0.3)))) is NotSent


def test_a_proxy_that_cannot_be_reached_is_not_sent(
    connect: Connect, deaf_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{deaf_port}")
    error = posted(connect("http://api.example.com/client/v4"))
    assert type(error) is NotSent
    assert "proxy" in error.message


@pytest.mark.parametrize("status", [403, 407, 502, 503])
def test_a_proxy_that_refuses_the_tunnel_is_not_sent(
    status: int, serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(say(b"no", status))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert type(posted(connect("https://api.example.com/client/v4"))) is NotSent
    assert [request.method for request in proxy.received] == ["CONNECT"]


@pytest.mark.parametrize("act", [hang, drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), reset])
def test_a_proxy_that_breaks_while_it_connects_is_not_sent(
    act: Act, serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(act)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert type(posted(connect("https://api.example.com/client/v4", limits=BRIEF))) is NotSent


def test_a_proxy_that_wants_a_password_is_not_sent(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(say(b"", 407))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert type(posted(connect("http://api.example.com/client/v4"))) is NotSent


def test_a_permit_that_is_refused_is_not_sent_and_keeps_its_own_error(serve: Serve, connect: Connect) -> None:
    class NoBudgetError(Exception):
        pass

    def permit(call: Call) -> None:
        assert call is Call.CREATE
        raise NoBudgetError

    upstream = serve(say(ok({"commands": []})))
    with pytest.raises(NoBudgetError):
        connect(upstream, permit=permit).create([ITEM])
    assert upstream.connections == 0


def test_nothing_is_sent_after_the_deadline(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = serve(say(ok({"commands": []})))
    client = connect(upstream, limits=BRIEF)
    passed, resolve = Event(), socket.getaddrinfo

    def slow(*args: Any, **kwargs: Any) -> Any:
        found = resolve(*args, **kwargs)
        passed.wait(1)  # longer than create_deadline
        return found

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    error = posted(client)
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
def test_a_status_decides(status: int, kind: type[CloudflareError], serve: Serve, connect: Connect) -> None:
    upstream = serve(say(no(7003, "No route for the URI"), status))
    error = posted(connect(upstream, dialect=Dialect.CURRENT))
    assert type(error) is kind
    assert (error.status, error.code) == (status, 7003)
    assert "No route for the URI" in error.message
    assert len(upstream.received) == 1


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"[1, 2]", b'{"errors": {}}', b"x" * 200_000])
def test_a_refusal_without_readable_words_is_still_a_refusal(body: bytes, serve: Serve, connect: Connect) -> None:
    error = posted(connect(serve(say(body, 403))))
    assert type(error) is Refused
    assert error.problems == ()


def test_a_refusal_whose_body_never_ends_is_still_a_refusal(serve: Serve, connect: Connect) -> None:
    error = posted(connect(serve(then_hang(head(422) + b"{")), limits=IMPATIENT))
    assert type(error) is Rejected


def test_success_false_with_200_is_unknown_and_keeps_its_words(serve: Serve, connect: Connect) -> None:
    error = posted(connect(serve(say(no(1001, "device is busy")))))
    assert type(error) is ReportedFailure
    assert isinstance(error, OutcomeUnknown)
    assert error.code == 1001
    assert "device is busy" in error.message


def reset_unread(peer: Peer, request: Received) -> bool:
    peer.sock.recv(1, socket.MSG_PEEK)  # the request has come, and stays unread
    return reset(peer, request)


GIANT = b'{"success":true,"result":"' + b"x" * 150_000 + b'"}'


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        pytest.param(early(reset_unread), OutcomeUnknown, id="reset before reading"),
        pytest.param(reset, OutcomeUnknown, id="reset after reading"),
        pytest.param(close, OutcomeUnknown, id="closed without an answer"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Le"), OutcomeUnknown, id="cut in the headers"),
        pytest.param(raw(b"this is not http\r\n\r\n"), OutcomeUnknown, id="not HTTP"),
        pytest.param(raw(head(200, {"Content-Length": "500"}) + b"{}"), Truncated, id="shorter than announced"),
        pytest.param(raw(head(200, {"Transfer-Encoding": "chunked"}) + b"5\r\nab"), Truncated, id="cut chunk"),
        pytest.param(raw(head(200, {"Transfer-Encoding": "chunked"}) + b"zz\r\nab"), Truncated, id="bad chunk"),
        pytest.param(say(b""), OutcomeUnknown, id="empty"),
        pytest.param(say(b"{}"), Unreadable, id="no envelope"),
        pytest.param(say(b"[]"), Unreadable, id="a list"),
        pytest.param(say(b'{"success": tr'), Unreadable, id="cut JSON"),
        pytest.param(say(b"\xff\xfe\x00"), Unreadable, id="no text"),
        pytest.param(say(b"[" * 90_000), Unreadable, id="nested"),
        pytest.param(say(ok({"commands": 7})), Unreadable, id="no list"),
        pytest.param(say(b"", 204), OutcomeUnknown, id="no content"),
        pytest.param(say(GIANT), TooLarge, id="giant"),
        pytest.param(say(b"{}", headers={"Content-Encoding": "br"}), Unreadable, id="foreign encoding"),
        pytest.param(say(b"{}", headers={"Content-Encoding": "gzip"}), Unreadable, id="false encoding"),
    ],
)
def test_whatever_breaks_after_sending_is_unknown(
    act: Act, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    upstream = serve(act)
    error = posted(connect(upstream))
    assert type(error) is kind
    assert isinstance(error, OutcomeUnknown)
    assert upstream.connections == 1, "a POST is never tried again"


@pytest.mark.parametrize(
    ("act", "limits", "kind"),
    [
        pytest.param(hang, IMPATIENT, OutcomeUnknown, id="no answer"),
        pytest.param(then_hang(head(200) + b"{"), IMPATIENT, OutcomeUnknown, id="half an answer"),
        pytest.param(hang, BRIEF, DeadlineExceeded, id="no answer by the deadline"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Slow: "), BRIEF, DeadlineExceeded, id="dripping headers"),
        pytest.param(drip(head(200) + b'{"'), BRIEF, DeadlineExceeded, id="dripping body"),
    ],
)
def test_whatever_takes_too_long_after_sending_is_unknown(
    act: Act, limits: ClientLimits, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    upstream = serve(act)
    error = posted(connect(upstream, limits=limits))
    assert type(error) is kind
    assert upstream.connections == 1


@pytest.mark.parametrize("act", [reset, close, hang, raw(b"HTTP/1.1 200 OK\r\n")])
def test_whatever_breaks_under_tls_after_sending_is_unknown(
    act: Act,
    serve: Serve,
    connect: Connect,
    tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    upstream = serve(act, tls=tls)
    assert type(posted(connect(upstream, limits=IMPATIENT))) is OutcomeUnknown
    assert len(upstream.received) == 1


def test_tls_that_breaks_after_sending_is_unknown(
    serve: Serve, connect: Connect, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plain_text(peer: Peer, _: Received) -> bool:
        bare = socket.socket(fileno=peer.sock.detach())
        bare.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        bare.close()
        return False

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert type(posted(connect(serve(plain_text, tls=tls)))) is OutcomeUnknown


def test_a_post_takes_a_fresh_connection(serve: Serve, connect: Connect) -> None:
    upstream = serve(say(ok({"commands": []})))
    client = connect(upstream)
    client.list_commands(1)
    client.list_commands(1)
    assert upstream.connections == 1
    client.create([ITEM])
    client.create([ITEM])
    assert upstream.connections == 3


def test_a_redirect_is_refused_and_the_token_stays_home(serve: Serve, connect: Connect) -> None:
    other = serve(say(ok({})))
    upstream = serve(say(b"", 302, {"Location": f"{other.url}/elsewhere"}))
    assert type(posted(connect(upstream))) is Refused
    calls: list[Callable[[], object]] = [
        lambda: connect(upstream).quota(),
        lambda: connect(upstream).list_commands(1),
        lambda: connect(upstream).download("c1", f"{other.url}/c1.zip").__enter__(),
    ]
    for call in calls:
        with pytest.raises(Refused):
            call()
    assert other.connections == 0
