"""HTTP server: clients that send or read slowly hold up nobody, and every wait for them has a deadline."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dexportal import serve
from dexportal.run.portal import free_port
from tests.dexportal.portals import ROOT
from tests.polling import MAX_WAIT, eventually

BODY_BYTES = 100_000
LONG = b"x" * 50_000_000  # more than the buffers of a connection hold


class Application:
    """WSGI application that answers with the length of the body, or as its path says."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.waiting = threading.Semaphore(0)

    def __call__(self, environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/slow":
            self.waiting.release()
            self.may_answer.wait(MAX_WAIT)
        body = LONG if path == "/long" else str(len(environ["wsgi.input"].read())).encode()  # type: ignore[attr-defined]
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[serve.Server]:
    running = serve.create(application, "127.0.0.1", 0, body_bytes=BODY_BYTES)
    thread = threading.Thread(target=running.run)
    thread.start()
    yield running
    application.may_answer.set()
    running.stop()
    thread.join(MAX_WAIT)


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(server: serve.Server, clients: ExitStack, data: bytes) -> socket.socket:
    client = clients.enter_context(socket.create_connection(("127.0.0.1", int(server.effective_port)), MAX_WAIT))
    client.sendall(data)
    return client


def post(length: int, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (length, body)


def get(path: str = "/") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


def answer(client: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


SLOW = {
    "a few bytes of a body": post(1000, b"abc"),
    "no byte of a body": post(1000),
    "half a header": b"GET / HTTP/1.1\r\nHost: x\r\nX-",
    "nothing": b"",
}


@pytest.mark.parametrize("data", SLOW.values(), ids=SLOW.keys())
def test_clients_that_stop_sending_hold_up_nobody(server: serve.Server, clients: ExitStack, data: bytes) -> None:
    for _ in range(4 * serve.THREADS):
        connect(server, clients, data)
    assert answer(connect(server, clients, get())).startswith(b"HTTP/1.1 200 OK")


def test_body_over_the_limit_is_refused_before_it_is_read(server: serve.Server, clients: ExitStack) -> None:
    assert answer(connect(server, clients, post(BODY_BYTES + 1))).startswith(b"HTTP/1.1 413 ")
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (2 * BODY_BYTES)
    client = connect(server, clients, chunked)
    client.sendall(b"x" * (BODY_BYTES + 10_000))
    assert client.recv(12) == b"HTTP/1.1 413"


def test_headers_over_the_limit_are_refused(server: serve.Server, clients: ExitStack) -> None:
    client = connect(server, clients, b"GET / HTTP/1.1\r\nX: " + b"x" * serve.HEADER_BYTES)
    assert b" 431 " in client.recv(100)


@pytest.mark.parametrize("data", [post(1000, b"abc"), SLOW["half a header"]])
def test_request_that_does_not_arrive_in_time_is_given_up(
    server: serve.Server, clients: ExitStack, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """Send a byte again and again, so that the connection is never idle."""
    monkeypatch.setattr(serve, "REQUEST_SECONDS", 0.5)
    monkeypatch.setattr(server.adj, "cleanup_interval", 0)
    client = connect(server, clients, data)
    eventually(lambda: _is_closed(client, b"x") or None)


def test_idle_connection_is_closed(server: serve.Server, clients: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(server.adj, "cleanup_interval", 0)
    assert answer(connect(server, clients, b"")) == b""


def test_response_that_nobody_reads_is_given_up(
    server: serve.Server, clients: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    unread = [connect(server, clients, get("/long")) for _ in range(2 * serve.THREADS)]
    eventually(lambda: len(server.active_channels) == len(unread) or None)
    monkeypatch.setattr(serve, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(server.adj, "cleanup_interval", 0)
    eventually(lambda: not server.active_channels or None)
    assert answer(connect(server, clients, get())).startswith(b"HTTP/1.1 200 OK")


def test_request_that_takes_long_in_the_application_is_answered(
    server: serve.Server, application: Application, clients: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(server.adj, "cleanup_interval", 0)
    client = connect(server, clients, get("/slow"))
    assert application.waiting.acquire(timeout=MAX_WAIT)
    assert answer(connect(server, clients, b"")) == b""  # by now the slow one is overdue too
    application.may_answer.set()
    assert answer(client).startswith(b"HTTP/1.1 200 OK")


def test_stop_lets_a_running_request_finish_and_accepts_no_other(
    server: serve.Server, application: Application, clients: ExitStack
) -> None:
    client = connect(server, clients, get("/slow"))
    assert application.waiting.acquire(timeout=MAX_WAIT)
    server.stop()
    eventually(lambda: _refuses(server) or None)
    application.may_answer.set()
    assert answer(client).startswith(b"HTTP/1.1 200 OK")


def test_several_processes_share_a_port_and_end_together(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "dexportal.serve", "--port", str(port), "--processes", "2"]
    environment = {"PATH": "/usr/bin:/bin", "VAR_DIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as running:
        eventually(lambda: _is_up(port) or None)
        running.send_signal(signal.SIGTERM)
        assert running.wait(MAX_WAIT) == 0
    assert not _is_up(port)


def _is_closed(client: socket.socket, data: bytes) -> bool:
    try:
        client.sendall(data)
    except OSError:
        return True
    return False


def _refuses(server: serve.Server) -> bool:
    return not server.accepting


def _is_up(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), MAX_WAIT) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return answer(client).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
