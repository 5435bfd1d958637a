"""A reverse proxy that keeps every exchange as it went over the wire. It changes nothing and judges nothing."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import SplitResult, parse_qsl, urlsplit

_OF_THE_HOP = {"connection", "keep-alive", "transfer-encoding", "host"}
_TIMEOUT = 30.0


@dataclass(frozen=True)
class Exchange:
    """`path` is what follows the server's address; the headers are as sent, the bodies whole."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer_headers: Mapping[str, str]
    answer: bytes


@dataclass
class Recorder:
    """`base_url` stands in for the upstream's."""

    base_url: str
    exchanges: list[Exchange] = field(default_factory=list)


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """`upstream` is a base URL; what is under it is reached under the recorder's."""
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
        thread.join(_TIMEOUT)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target: SplitResult
    recorder: Recorder

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the exchanges are the log."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_HOP}
        connection = http.client.HTTPConnection(str(self.target.netloc), timeout=_TIMEOUT)
        try:
            connection.request(self.command, self.path, body or None, sent)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        split = urlsplit(self.path)
        self.recorder.exchanges.append(
            Exchange(
                method=self.command,
                path=split.path.removeprefix(self.target.path),
                query=parse_qsl(split.query, keep_blank_values=True),
                headers=sent,
                body=body,
                status=answer.status,
                answer_headers=dict(answer.getheaders()),
                answer=content,
            )
        )
        self._answer(answer, content)

    def _answer(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _OF_THE_HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = _pass_on  # noqa: N815  # the base class's name
    do_POST = _pass_on  # noqa: N815
