"""Connections that know two things which requests does not tell: whether a byte of the request may have
left, and that everything ends by a deadline, however slowly the other side drips.

Knows nothing of Cloudflare. `watching(attempt)` says whose connection it is while a request is made.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Lock, Timer
from time import monotonic
from typing import Any, override

from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import allowed_gai_family, create_connection


class Attempt:
    """One HTTP request. At `deadline` (monotonic) its socket is shut down, which ends any read or write."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.sent = False  # a byte of the request itself may have left
        self.overdue = False
        self._lock = Lock()
        self._socket: Any = None
        self._timer = Timer(max(0.0, deadline - monotonic()), self._cut)
        self._timer.daemon = True
        self._timer.start()

    def within(self, seconds: float | None) -> float:
        """`seconds`, or what is left of the deadline if that is less. Raises TimeoutError when nothing is."""
        left = self.deadline - monotonic()
        if left <= 0 or self.overdue:
            raise TimeoutError("the deadline of the call has passed")
        return left if seconds is None else min(left, seconds)

    def watch(self, sock: object) -> None:
        with self._lock:
            self._socket = sock
            if self.overdue:
                self._shut_down()

    def close(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None

    def _cut(self) -> None:
        with self._lock:
            self.overdue = True
            self._shut_down()

    def _shut_down(self) -> None:
        raw = getattr(self._socket, "socket", self._socket)  # TLS in TLS wraps the socket
        if isinstance(raw, socket.socket):
            with suppress(OSError):
                # Not SSLSocket.shutdown: it drops the TLS state under the thread that is reading.
                socket.socket.shutdown(raw, socket.SHUT_RDWR)


_current: ContextVar[Attempt] = ContextVar("attempt")


@contextmanager
def watching(attempt: Attempt) -> Iterator[None]:
    token = _current.set(attempt)
    try:
        yield
    finally:
        _current.reset(token)


class _Watched(HTTPConnection):
    """A connection whose sockets belong to the current attempt."""

    _ready = False  # connected, through a proxy's tunnel and TLS where there are any

    @override
    def _new_conn(self) -> socket.socket:
        attempt = _current.get()
        failure: OSError = OSError("the name has no address")
        found = socket.getaddrinfo(self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        for *_, address in found:
            try:
                sock = create_connection(
                    (str(address[0]), self.port or 0),
                    attempt.within(self.timeout),
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                failure = error
                continue
            attempt.watch(sock)
            return self._hurried(sock)
        raise failure

    def _hurried(self, sock: socket.socket) -> socket.socket:
        """The TLS handshake takes its time-out from the socket, and is out of the watch's reach."""
        sock.settimeout(_current.get().within(self.timeout))
        return sock

    def _tunnel(self) -> None:
        super()._tunnel()
        self._hurried(self.sock)

    @override
    def connect(self) -> None:
        super().connect()
        self._ready = True
        _current.get().watch(self.sock)

    @override
    def close(self) -> None:
        self._ready = False
        super().close()

    @override
    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _current.get().watch(self.sock)  # a kept-alive connection changes hands
        super().request(*args, **kwargs)

    @override
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if self._ready:  # else these are the bytes of CONNECT, for a proxy
            attempt = _current.get()
            if not attempt.sent:
                attempt.within(None)  # never begin to send after the deadline
            attempt.sent = True
        super().send(data)


class _WatchedTLS(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLS


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter over watched connections; no retries, no SOCKS proxies."""

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._watch(self.poolmanager)

    @override
    def proxy_manager_for(self, proxy: Any, **proxy_kwargs: Any) -> Any:
        if proxy.lower().startswith("socks"):
            raise InvalidSchema("SOCKS proxies are not supported")
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        self._watch(manager)
        return manager

    @staticmethod
    def _watch(manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
