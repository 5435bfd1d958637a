"""Reverse proxy that records every exchange as sent, without any change."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tests.polling import MAX_WAIT

_HOP_BY_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "host"}


@dataclass(frozen=True)
class Exchange:
    """Recorded request and response. `path` is relative to the server's base URL, and the bodies are complete."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    status: int
    response_headers: Mapping[str, str]
    response: bytes


@dataclass
class Recorder:
    """Recorded exchanges. Clients use `base_url` instead of the upstream's base URL."""

    base_url: str
    exchanges: list[Exchange] = field(default_factory=list)


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """Start a proxy for this base URL, and stop it at the end."""
    target = urlsplit(upstream)
    recorder = Recorder("")

    class Handler(_Handler):
        def handle_one_request(self) -> None:
            self.target, self.recorder = target, recorder
            super().handle_one_request()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    recorder.base_url = f"http://127.0.0.1:{server.server_address[1]}{target.path}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join(MAX_WAIT)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target: SplitResult
    recorder: Recorder

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the exchanges are recorded already."""

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP_HEADERS}
        connection = http.client.HTTPConnection(str(self.target.netloc), timeout=MAX_WAIT)
        try:
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        split = urlsplit(self.path)
        self.recorder.exchanges.append(
            Exchange(
                method=self.command,
                path=split.path.removeprefix(self.target.path),
                query=parse_qsl(split.query, keep_blank_values=True),
                headers=headers,
                body=body,
                status=response.status,
                response_headers=dict(response.getheaders()),
                response=content,
            )
        )
        self._send_response(response, content)

    def _send_response(self, response: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP_HEADERS | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = _forward  # noqa: N815  # the base class's name
    do_POST = _forward  # noqa: N815
