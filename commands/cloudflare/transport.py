"""Sending of single HTTP requests, and the distinction between a failure before and a failure after sending.

This module handles secrets. It lets no exception of requests or urllib3 out, neither as cause nor as context, because
those hold the request with its credential.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import IncompleteRead
from time import monotonic

import requests
from requests.exceptions import ProxyError
from urllib3.exceptions import IncompleteRead as PoolIncompleteRead
from urllib3.exceptions import ProxyError as PoolProxyError

from commands.cloudflare.auth import Auth
from commands.cloudflare.deadline_connection import Attempt, DeadlineAdapter, use_attempt
from commands.cloudflare.errors import CloudflareError, DeadlineExceeded, NotSent, OutcomeUnknown, Truncated
from commands.cloudflare.types import Call, ClientLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCall:
    """Request to send, a POST if it has a body and else a GET. `deadline` is a value of `time.monotonic`."""

    call: Call
    url: str
    deadline: float
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None


class Response:
    """HTTP response of any status, whose body is not yet read. The caller must close it."""

    def __init__(
        self, call: Call, response: requests.Response, attempt: Attempt, own_adapter: DeadlineAdapter | None
    ) -> None:
        self.call = call
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._attempt = attempt
        self._own_adapter = own_adapter

    def read(self, size: int) -> bytes:
        """Return 1 to `size` bytes of the raw body, or b'' at its end.

        Raises:
            Truncated, DeadlineExceeded, OutcomeUnknown: the body can't be read to its end.
        """
        failure = None
        try:
            data: bytes = self._response.raw.read1(size, decode_content=False)
        except Exception as error:
            data, failure = b"", _error_of(self.call, self._attempt, error)
        if failure is None and not data and self._attempt.expired:
            # A body without a length ends when its connection ends, also when the attempt has shut it down.
            failure = _deadline_exceeded(self.call)
        # Raised outside of the handler, so that the exception of urllib3 does not become the context.
        if failure is not None:
            raise failure
        return data

    def close(self) -> None:
        self._attempt.close()
        self._response.close()
        if self._own_adapter is not None:
            self._own_adapter.close()


class Transport:
    """Sender of the requests of one credential. Several threads may share it.

    GETs share kept-alive connections. Each POST opens a connection of its own: if the server has just closed a
    kept-alive one, the failure looks like a connection that broke after sending.
    """

    def __init__(self, auth: Auth, limits: ClientLimits, user_agent: str) -> None:
        self._auth = auth
        self._limits = limits
        self._user_agent = user_agent
        # The session only reads the environment (proxies, CA bundle). Its send() with redirects and cookies is unused.
        self._session = requests.Session()
        self._session.headers.clear()
        self._shared_adapter = DeadlineAdapter()

    def close(self) -> None:
        self._shared_adapter.close()
        self._session.close()

    def open(self, prepared: PreparedCall) -> Response:
        """Send a request and return its response, whatever its status.

        Raises:
            NotSent: no byte of the request left.
            OutcomeUnknown: the request or a part of it left, and no response came. Subclasses name the reason.
        """
        is_post = prepared.body is not None
        own_adapter = DeadlineAdapter(pool_connections=1, pool_maxsize=1) if is_post else None
        attempt = Attempt(prepared.deadline)
        try:
            outcome = self._send(prepared, own_adapter or self._shared_adapter, attempt)
        except BaseException:
            attempt.close()
            raise
        if isinstance(outcome, CloudflareError):
            attempt.close()
            raise outcome
        return Response(prepared.call, outcome, attempt, own_adapter)

    def _send(
        self, prepared: PreparedCall, adapter: DeadlineAdapter, attempt: Attempt
    ) -> requests.Response | CloudflareError:
        """Return the response, or the error for the caller to raise outside of this exception handler."""
        try:
            request = self._session.prepare_request(
                requests.Request(
                    method="GET" if prepared.body is None else "POST",
                    url=prepared.url,
                    params=prepared.params,
                    data=prepared.body,
                    headers={"User-Agent": self._user_agent, "Accept": "*/*", **(prepared.headers or {})},
                    auth=self._auth,
                )
            )
            environment = self._session.merge_environment_settings(request.url or "", {}, True, None, None)
            timeouts = attempt.limit(self._limits.connect_timeout), attempt.limit(self._limits.read_timeout)
            with use_attempt(attempt):
                # Not Session.send: for a redirect it reads the whole body and prepares the next request.
                return adapter.send(
                    request,
                    stream=True,
                    timeout=timeouts,
                    verify=environment["verify"] or True,
                    proxies=environment["proxies"],
                )
        except Exception as error:
            # Any exception type: what counts is only if a byte may have left, which the attempt knows.
            return _error_of(prepared.call, attempt, error)


def _error_of(call: Call, attempt: Attempt, error: Exception) -> CloudflareError:
    """Return the CloudflareError that stands for an exception of requests, urllib3 or the standard library."""
    causes = list(_causes(error))
    if not attempt.sent:
        return NotSent(call, f"Not sent: {_not_sent_reason(attempt, causes)}.")
    if attempt.expired or monotonic() >= attempt.deadline:
        return _deadline_exceeded(call)
    if any(isinstance(cause, IncompleteRead | PoolIncompleteRead) for cause in causes):
        return Truncated(call, "Cloudflare's response ended before its announced length.")
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return OutcomeUnknown(call, "Cloudflare did not respond in time.")
    return OutcomeUnknown(call, "The connection to Cloudflare broke before the response was complete.")


def _deadline_exceeded(call: Call) -> DeadlineExceeded:
    return DeadlineExceeded(call, "Cloudflare's response was not complete by the deadline.")


def _not_sent_reason(attempt: Attempt, causes: list[BaseException]) -> str:
    if attempt.expired or monotonic() >= attempt.deadline:
        return "the deadline passed before a connection was made"
    reasons: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
        ((ProxyError, PoolProxyError), "the proxy could not be used"),
        (socket.gaierror, "the host name of Cloudflare's API could not be resolved"),
        (ssl.SSLError, "no trusted TLS connection could be made"),
        (TimeoutError, "no connection within the time-out"),
        (ConnectionRefusedError, "the connection was refused"),
    )
    for error_type, reason in reasons:
        if any(isinstance(cause, error_type) for cause in causes):
            return reason
    return "no connection could be made"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and all exceptions under it. urllib3 keeps some in `reason` and `args`."""
    seen: list[BaseException] = []
    todo: list[object] = [error]
    while todo:
        cause = todo.pop(0)
        if not isinstance(cause, BaseException) or any(cause is other for other in seen):
            continue
        seen.append(cause)
        yield cause
        todo += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
