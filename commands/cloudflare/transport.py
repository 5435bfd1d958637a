"""One HTTP request at a time, and what its failure means: surely not sent, or unknown.

Sends secrets and never shows them: no exception of requests or urllib3 (they hold the request) gets out of
here, neither as cause nor as context.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import IncompleteRead
from time import monotonic

import requests
from requests.exceptions import ProxyError
from urllib3.exceptions import IncompleteRead as CutShort
from urllib3.exceptions import ProxyError as PoolProxyError

from commands.cloudflare.auth import Auth
from commands.cloudflare.deadline_connection import Attempt, DeadlineAdapter, watching
from commands.cloudflare.errors import CloudflareError, DeadlineExceeded, NotSent, OutcomeUnknown, Truncated
from commands.cloudflare.types import Call, ClientLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCall:
    """A request to make; a body makes it a POST. `deadline` is a monotonic instant."""

    call: Call
    url: str
    deadline: float
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None


class Response:
    """Status and headers are here, the body is still on the wire. Close it."""

    def __init__(self, call: Call, response: requests.Response, attempt: Attempt, own: DeadlineAdapter | None) -> None:
        self.call = call
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._attempt = attempt
        self._own = own

    def read(self, size: int) -> bytes:
        """At least one byte of the raw body, at most `size`; b'' at its end."""
        failure = None
        try:
            data: bytes = self._response.raw.read1(size, decode_content=False)
        except Exception as error:
            data, failure = b"", _meaning(self.call, self._attempt, error)
        if failure is None and not data and self._attempt.overdue:
            failure = _overdue(self.call)  # a body without a length ends like this when we cut it
        if failure is not None:
            raise failure
        return data

    def close(self) -> None:
        self._attempt.close()
        self._response.close()
        if self._own is not None:
            self._own.close()


class Transport:
    """Sends requests for one credential. GETs share connections, a POST takes a fresh one of its own."""

    def __init__(self, auth: Auth, limits: ClientLimits, user_agent: str) -> None:
        self._auth = auth
        self._limits = limits
        self._user_agent = user_agent
        self._session = requests.Session()  # its environment (proxies, CA bundle); never its redirects or cookies
        self._session.headers.clear()
        self._shared = DeadlineAdapter()

    def close(self) -> None:
        self._shared.close()
        self._session.close()

    def open(self, ask: PreparedCall) -> Response:
        """Raises NotSent, or OutcomeUnknown and its kinds; every answer with a status is returned."""
        own = DeadlineAdapter(pool_connections=1, pool_maxsize=1) if ask.body is not None else None
        attempt = Attempt(ask.deadline)
        try:
            outcome = self._outcome(ask, own or self._shared, attempt)
        except BaseException:
            attempt.close()
            raise
        if isinstance(outcome, CloudflareError):
            attempt.close()
            raise outcome
        return Response(ask.call, outcome, attempt, own)

    def _outcome(
        self, ask: PreparedCall, adapter: DeadlineAdapter, attempt: Attempt
    ) -> requests.Response | CloudflareError:
        try:
            prepared = self._session.prepare_request(
                requests.Request(
                    method="GET" if ask.body is None else "POST",
                    url=ask.url,
                    params=ask.params,
                    data=ask.body,
                    headers={"User-Agent": self._user_agent, "Accept": "*/*", **(ask.headers or {})},
                    auth=self._auth,
                )
            )
            environment = self._session.merge_environment_settings(prepared.url or "", {}, True, None, None)
            timeouts = attempt.within(self._limits.connect_timeout), attempt.within(self._limits.read_timeout)
            with watching(attempt):
                # Not Session.send: for a redirect it prepares the next request and reads the whole body.
                return adapter.send(
                    prepared,
                    stream=True,
                    timeout=timeouts,
                    verify=environment["verify"] or True,
                    proxies=environment["proxies"],
                )
        except Exception as error:
            # Whatever it is, the one question is whether something may have left.
            return _meaning(ask.call, attempt, error)


def _meaning(call: Call, attempt: Attempt, error: Exception) -> CloudflareError:
    causes = list(_chain(error))
    if not attempt.sent:
        return NotSent(call, f"Not sent: {_obstacle(attempt, causes)}.")
    if attempt.overdue or monotonic() >= attempt.deadline:
        return _overdue(call)
    if any(isinstance(cause, IncompleteRead | CutShort) for cause in causes):
        return Truncated(call, "Cloudflare's answer ended before its announced length.")
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return OutcomeUnknown(call, "Cloudflare did not answer in time.")
    return OutcomeUnknown(call, "The connection to Cloudflare broke before the answer was complete.")


def _overdue(call: Call) -> DeadlineExceeded:
    return DeadlineExceeded(call, "Cloudflare's answer was not complete by the deadline.")


def _obstacle(attempt: Attempt, causes: list[BaseException]) -> str:
    if attempt.overdue or monotonic() >= attempt.deadline:
        return "the deadline passed before a connection was made"
    kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
        ((ProxyError, PoolProxyError), "the proxy could not be used"),
        (socket.gaierror, "the name of Cloudflare's API could not be resolved"),
        (ssl.SSLError, "no trusted TLS connection could be made"),
        (TimeoutError, "no connection within the time-out"),
        (ConnectionRefusedError, "the connection was refused"),
    )
    for kind, words in kinds:
        if any(isinstance(cause, kind) for cause in causes):
            return words
    return "no connection could be made"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything under it; urllib3 keeps causes in `reason` and in `args` too."""
    seen: list[BaseException] = []
    todo: list[object] = [error]
    while todo:
        cause = todo.pop(0)
        if not isinstance(cause, BaseException) or any(cause is other for other in seen):
            continue
        seen.append(cause)
        yield cause
        todo += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
