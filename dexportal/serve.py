"""HTTP server: waitress, with a deadline for everything that a client can keep waiting.

waitress gives a request to a thread only when the whole request has arrived. So clients that send slowly hold a
connection and no thread. This module adds deadlines for a request that arrives slowly and for a response that is not
read, and a stop that lets running requests finish. It must not know what the application does.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from dexportal import env
from dexportal.run.supervisor import die_with_parent

THREADS = 8
CONNECTIONS = 1000
HEADER_BYTES = 32 * 1024
BODY_IN_MEMORY = 512 * 1024  # bytes; the rest of a larger body goes into a temporary file
IDLE_SECONDS = 60  # without a byte in either direction
REQUEST_SECONDS = 60  # from the first byte of a request to its last
STOP_SECONDS = 20  # for running requests and responses, after TERM
_CLEANUP_SECONDS = 5
_POLL_SECONDS = 1


class Channel(HTTPChannel):
    """Connection of one client, which knows since when it has been receiving a request."""

    receiving_since = 0.0

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.receiving_since = time.time()
        return bool(super().received(data))

    def is_overdue(self, now: float) -> bool:
        if self.request is not None and now - self.receiving_since > REQUEST_SECONDS:
            return True
        # A request that is being processed sends nothing for a while. Only the client can hold back output.
        is_waiting_for_client = not self.requests or self.total_outbufs_len
        return bool(is_waiting_for_client) and now - self.last_activity > IDLE_SECONDS


class Server(TcpWSGIServer):
    channel_class = Channel
    active_channels: dict[int, Channel]  # type: ignore[assignment]  # the stubs are wrong
    _map: dict[int, Any]
    effective_port: str
    is_stopping = False

    def maintenance(self, now: float) -> None:
        for channel in list(self.active_channels.values()):
            if channel.is_overdue(now):
                # `will_close` would wait until the socket takes data, and nobody may be reading.
                channel.handle_close()

    def run(self) -> None:
        """Serve until `stop`, and then until the running requests are answered, STOP_SECONDS at most."""
        until = float("inf")
        while not self.is_stopping or (self._is_busy() and time.monotonic() < until):
            if self.is_stopping and self.accepting:
                until = time.monotonic() + STOP_SECONDS
                self.accepting = False
                wasyncore.dispatcher.close(self)
            wasyncore.loop(timeout=_POLL_SECONDS, use_poll=True, map=self._map, count=1)
        self.task_dispatcher.shutdown()
        for channel in list(self.active_channels.values()):
            channel.handle_close()

    def stop(self, *_signal: object) -> None:
        self.is_stopping = True

    def _is_busy(self) -> bool:
        return any(channel.requests or channel.total_outbufs_len for channel in self.active_channels.values())


def create(application: Any, host: str, port: int, *, body_bytes: int) -> Server:
    """Return a server that listens. Several processes can listen on one port, and the kernel spreads the connections.

    A request whose body has more than `body_bytes` is refused before its body is read.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.setblocking(False)
    adjustments = Adjustments(
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        cleanup_interval=_CLEANUP_SECONDS,
        max_request_header_size=HEADER_BYTES,
        max_request_body_size=body_bytes,
        inbuf_overflow=BODY_IN_MEMORY,
        log_socket_errors=False,
        clear_untrusted_proxy_headers=False,  # dexportal.middleware.TrustedProxies judges them
        ident=None,
    )
    sockinfo = (listener.family, listener.type, listener.proto, listener.getsockname())
    return Server(application, _sock=listener, adj=adjustments, bind_socket=False, sockinfo=sockinfo)


def serve(host: str, port: int) -> None:
    from django.conf import settings  # noqa: PLC0415 - a parent of several processes needs no settings

    from dexportal.wsgi import application  # noqa: PLC0415

    server = create(application, host, port, body_bytes=settings.BODY_MAX_BYTES)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    server.run()


def supervise(command: Sequence[str], processes: int) -> int:
    """Run a command in several processes until one of them ends, or until TERM. Return its exit status.

    Docker, or whatever started this process, starts all of them again.
    """
    children: list[subprocess.Popen[bytes]] = []

    def stop(*_signal: object) -> None:
        for child in children:
            child.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    parent = os.getpid()
    for _ in range(processes):
        children.append(
            subprocess.Popen(  # noqa: S603 - our own command
                command,
                preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - it makes system calls only
            )
        )
    pid, status = os.wait()
    ended = next(child for child in children if child.pid == pid)
    ended.returncode = os.waitstatus_to_exitcode(status)
    stop()
    for child in children:
        child.wait()
    return ended.returncode


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="dexportal.serve", description="Serves the web pages.")
    parser.add_argument("--host", default=env.text("WEB_HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=env.number("WEB_PORT", 8000, least=1, most=65535))
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.processes > 1:
        address = ["--host", options.host, "--port", str(options.port)]
        return supervise([sys.executable, "-m", "dexportal.serve", *address], options.processes)
    serve(options.host, options.port)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
