"""A raw-socket HTTP server whose every byte, delay and reset a test decides. It knows no API.

An act is called with the connection and the request; it returns whether the connection may be used again.
An act marked early is called before anything is read, and gets no request.
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

FAST = 0.02  # seconds between the bytes of a drip


@dataclass(frozen=True)
class Received:
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

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


type Act = Callable[[Peer, Received], bool]


class Upstream:
    """Plays its acts one a request, the last one again and again."""

    def __init__(self, *acts: Act, tls: ssl.SSLContext | None = None) -> None:
        self.acts = list(acts)
        self.received: list[Received] = []
        self.connections = 0
        self._played = 0
        self._tls = tls
        self._stop = Event()
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
            thread.join(5)

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
            act = self.acts[min(self._played, len(self.acts) - 1)]
            if getattr(act, "early", False):
                self._played += 1
                act(Peer(sock, self._stop), Received("", "", {}, b""))
                return
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            while self._answer(sock):
                pass
            sock.close()

    def _answer(self, sock: socket.socket) -> bool:
        request = _read(sock)
        if request is None:
            return False
        self.received.append(request)
        act = self.acts[min(self._played, len(self.acts) - 1)]
        self._played += 1
        return act(Peer(sock, self._stop), request)


def _read(sock: socket.socket) -> Received | None:
    with sock.makefile("rb") as stream:
        first = stream.readline().decode()
        if not first:
            return None
        headers = {}
        while line := stream.readline().decode().rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        method, target, _ = first.split(" ", 2)
        return Received(method, target, headers, stream.read(int(headers.get("content-length", 0))))


def head(status: int, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Word", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def say(body: object = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> Act:
    """A whole answer; a body that is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def act(peer: Peer, _: Received) -> bool:
        peer.sock.sendall(head(status, {"Content-Length": str(len(data)), **(headers or {})}) + data)
        return True

    return act


def raw(data: bytes) -> Act:
    """These bytes and the end."""

    def act(peer: Peer, _: Received) -> bool:
        peer.sock.sendall(data)
        return False

    return act


def drip(data: bytes, filler: bytes = b"x") -> Act:
    """These bytes one by one, then the filler for ever."""

    def act(peer: Peer, _: Received) -> bool:
        sent = 0
        while not peer.stop.wait(FAST):
            peer.sock.sendall(data[sent : sent + 1] or filler)
            sent += 1
        return False

    return act


def then_hang(data: bytes) -> Act:
    """These bytes, and then nothing."""

    def act(peer: Peer, request: Received) -> bool:
        peer.sock.sendall(data)
        return hang(peer, request)

    return act


def hang(peer: Peer, _: Received) -> bool:
    peer.stop.wait(30)
    return False


def close(peer: Peer, _: Received) -> bool:
    return False


def reset(peer: Peer, _: Received) -> bool:
    peer.reset()
    return False


def early(act: Act) -> Act:
    def before_reading(peer: Peer, request: Received) -> bool:
        return act(peer, request)

    before_reading.early = True  # type: ignore[attr-defined]
    return before_reading


def ok(result: object) -> dict[str, object]:
    return {"success": True, "errors": [], "messages": [], "result": result}


def no(code: int = 10000, message: str = "Authentication error") -> dict[str, object]:
    return {
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
        "result": None,
    }
