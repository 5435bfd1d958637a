"""HTTP server on raw sockets, in which a test controls every byte, delay and reset. It knows no API.

A reply is a function of the connection and the request. It returns True if the connection may be used again. A reply
from `before_reading` is called before the request is read, and before TLS, with an empty request.

A reply that only the client can end ends by itself after MAX_WAIT, and its test fails. So no test needs a clock to see
that the client gave up.
"""

import json
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

from tests.polling import MAX_WAIT

DRIP_INTERVAL = 0.02  # seconds between the bytes of a drip


@dataclass(frozen=True)
class ReceivedRequest:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


@dataclass
class Peer:
    sock: socket.socket
    stop: Event
    outlasted: Event  # the client waited until the server gave up

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


type Reply = Callable[[Peer, ReceivedRequest], bool]


class RawServer:
    """Server that gives one reply to each request. The last one is repeated."""

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None) -> None:
        self.replies = list(replies)
        self.received: list[ReceivedRequest] = []
        self.connections = 0
        self._played = 0
        self._tls = tls
        self._stop = Event()
        self._outlasted = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/client/v4"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for sock in [self._listener, *self._open]:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(MAX_WAIT)
        assert not self._outlasted.is_set(), "the client waited until the server gave up"

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            thread = Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError, ValueError):
            reply = self.replies[min(self._played, len(self.replies) - 1)]
            if getattr(reply, "before_reading", False):
                self._played += 1
                reply(Peer(sock, self._stop, self._outlasted), ReceivedRequest("", "", {}, b""))
                return
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            while self._reply_to_request(sock):
                pass
            sock.close()

    def _reply_to_request(self, sock: socket.socket) -> bool:
        request = _read(sock)
        if request is None:
            return False
        self.received.append(request)
        reply = self.replies[min(self._played, len(self.replies) - 1)]
        self._played += 1
        return reply(Peer(sock, self._stop, self._outlasted), request)


def _read(sock: socket.socket) -> ReceivedRequest | None:
    with sock.makefile("rb") as stream:
        first = stream.readline().decode()
        if not first:
            return None
        headers = {}
        while line := stream.readline().decode().rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        method, target, _ = first.split(" ", 2)
        return ReceivedRequest(method, target, headers, stream.read(int(headers.get("content-length", 0))))


def head(status: int, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def respond(body: object = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Send a complete response. A body of another type than bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def reply(peer: Peer, _: ReceivedRequest) -> bool:
        peer.sock.sendall(head(status, {"Content-Length": str(len(data)), **(headers or {})}) + data)
        return True

    return reply


def send(data: bytes) -> Reply:
    """Send these bytes and close the connection."""

    def reply(peer: Peer, _: ReceivedRequest) -> bool:
        peer.sock.sendall(data)
        return False

    return reply


def drip(data: bytes, filler: bytes = b"x") -> Reply:
    """Send these bytes one by one, then the filler again and again until the test ends."""

    def reply(peer: Peer, _: ReceivedRequest) -> bool:
        for sent in range(int(MAX_WAIT / DRIP_INTERVAL)):
            if peer.stop.wait(DRIP_INTERVAL):
                return False
            peer.sock.sendall(data[sent : sent + 1] or filler)
        peer.outlasted.set()
        return False

    return reply


def send_then_hang(data: bytes) -> Reply:
    """Send these bytes and keep the connection open without another byte."""

    def reply(peer: Peer, request: ReceivedRequest) -> bool:
        peer.sock.sendall(data)
        return hang(peer, request)

    return reply


def hang(peer: Peer, _: ReceivedRequest) -> bool:
    if not peer.stop.wait(MAX_WAIT):
        peer.outlasted.set()
    return False


def close(peer: Peer, _: ReceivedRequest) -> bool:
    return False


def reset(peer: Peer, _: ReceivedRequest) -> bool:
    peer.reset()
    return False


def before_reading(reply: Reply) -> Reply:
    def early_reply(peer: Peer, request: ReceivedRequest) -> bool:
        return reply(peer, request)

    early_reply.before_reading = True  # type: ignore[attr-defined]
    return early_reply


def success(result: object) -> dict[str, object]:
    return {"success": True, "errors": [], "messages": [], "result": result}


def failure(code: int = 1000, message: str = "Something is wrong") -> dict[str, object]:
    return {
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
        "result": None,
    }
