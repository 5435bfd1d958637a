"""HTTP connections with a total deadline, that record if a byte of the request may have left.

requests offers neither. Its time-outs apply to each read, so a server that sends one byte now and then can hold a call
for ever. Its ConnectionError stands both for a refused connection and for one that broke after sending.

`use_attempt(attempt)` names the attempt that connections belong to while one request is made. This module knows nothing
of Cloudflare.
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
    """One HTTP request and its deadline, a value of `time.monotonic`.

    A timer shuts the socket down at the deadline, which ends every read and write on it. Close an attempt in any case:
    its timer is a thread.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.sent = False  # a byte of the request itself may have left
        self.expired = False
        self._lock = Lock()
        self._socket: Any = None
        self._timer = Timer(max(0.0, deadline - monotonic()), self._expire)
        self._timer.daemon = True
        self._timer.start()

    def limit(self, seconds: float | None) -> float:
        """Return the smaller of `seconds` and the time left. None stands for no limit of the caller's own.

        Raises:
            TimeoutError: the deadline has passed.
        """
        left = self.deadline - monotonic()
        if left <= 0 or self.expired:
            raise TimeoutError("the deadline of the call has passed")
        return left if seconds is None else min(left, seconds)

    def watch(self, sock: object) -> None:
        """Shut this socket down at the deadline, or now if it has passed. It replaces the socket watched before."""
        with self._lock:
            self._socket = sock
            if self.expired:
                self._shut_down()

    def close(self) -> None:
        """Stop the timer and leave the socket open, for its connection may be used again."""
        self._timer.cancel()
        with self._lock:
            self._socket = None

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut_down()

    def _shut_down(self) -> None:
        raw = getattr(self._socket, "socket", self._socket)  # urllib3 wraps the socket for TLS within TLS
        if isinstance(raw, socket.socket):
            with suppress(OSError):
                # Not SSLSocket.shutdown: it drops the TLS state while another thread reads.
                socket.socket.shutdown(raw, socket.SHUT_RDWR)


_current: ContextVar[Attempt] = ContextVar("attempt")


@contextmanager
def use_attempt(attempt: Attempt) -> Iterator[None]:
    """Make `attempt` the owner of every connection that this thread opens or uses again in the block."""
    token = _current.set(attempt)
    try:
        yield
    finally:
        _current.reset(token)


class _DeadlineConnection(HTTPConnection):
    """Connection with a socket that the current attempt watches."""

    _ready = False  # connected, including the proxy's tunnel and TLS where there are any

    @override
    def _new_conn(self) -> socket.socket:
        """Connect to the first address that accepts, within the deadline.

        urllib3 would give each address of the name the whole connect time-out.
        """
        attempt = _current.get()
        failure: OSError = OSError("the name has no address")
        addresses = socket.getaddrinfo(self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        for *_, address in addresses:
            try:
                sock = create_connection(
                    (str(address[0]), self.port or 0),
                    attempt.limit(self.timeout),
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                failure = error
                continue
            attempt.watch(sock)
            return self._limit_timeout(sock)
        raise failure

    def _limit_timeout(self, sock: socket.socket) -> socket.socket:
        """Set the socket's time-out to the time left.

        The TLS handshake needs it: while TLS wraps the socket, the attempt can't shut it down.
        """
        sock.settimeout(_current.get().limit(self.timeout))
        return sock

    def _tunnel(self) -> None:
        super()._tunnel()
        self._limit_timeout(self.sock)  # connecting to the proxy took some of the time

    @override
    def connect(self) -> None:
        super().connect()
        self._ready = True
        _current.get().watch(self.sock)  # TLS has replaced the socket that _new_conn() returned

    @override
    def close(self) -> None:
        self._ready = False
        super().close()

    @override
    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _current.get().watch(self.sock)  # a kept-alive connection belongs to a new attempt now
        super().request(*args, **kwargs)

    @override
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        # Before that, these are the bytes of a CONNECT request, which no server behind the proxy sees.
        if self._ready:
            attempt = _current.get()
            if not attempt.sent:
                attempt.limit(None)  # raises after the deadline, so that no request begins late
            attempt.sent = True
        super().send(data)


class _DeadlineTLSConnection(_DeadlineConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _DeadlineTLSConnection


class DeadlineAdapter(HTTPAdapter):
    """Adapter for requests over connections with a deadline.

    It retries nothing. It refuses SOCKS proxies, because their connections would have no deadline.
    """

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._use_deadline_pools(self.poolmanager)

    @override
    def proxy_manager_for(self, proxy: Any, **proxy_kwargs: Any) -> Any:
        if proxy.lower().startswith("socks"):
            raise InvalidSchema("SOCKS proxies are not supported")
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        self._use_deadline_pools(manager)
        return manager

    @staticmethod
    def _use_deadline_pools(manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
