"""TCP relay before Redis with two failures: it refuses connections, or accepts them and never responds."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers import free_port


class Relay:
    """Relay on one port for its whole life. Data sent during a failure is lost."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.port = free_port()
        self._connected: list[socket.socket] = []
        self._unanswered: list[socket.socket] = []
        self._lock = threading.Lock()
        self._forwarding = threading.Event()
        self._forwarding.set()
        self._listen()

    def forward(self) -> None:
        """End a failure. Connections without a response are closed, and earlier connections continue."""
        self._stop_listening()
        self._cut(self._unanswered)
        self._forwarding.set()
        self._listen()

    def refuse(self) -> None:
        self._stop_listening()
        self._cut(self._connected)

    def hang(self) -> None:
        """Act like a suspended Redis: connections stay open, new ones are accepted, and no response comes."""
        self._forwarding.clear()

    def close(self) -> None:
        self.refuse()
        self._cut(self._unanswered)
        self._forwarding.set()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _stop_listening(self) -> None:
        with suppress(OSError):  # ends the accept call of the thread
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _cut(self, connections: list[socket.socket]) -> None:
        with self._lock:
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()
            connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                if self._forwarding.is_set():
                    self._connect(client)
                else:
                    with self._lock:
                        self._unanswered.append(client)

    def _connect(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        with self._lock:
            self._connected += [client, server]
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._forwarding.wait()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def relay(host: str, port: int) -> Iterator[Relay]:
    forwarder = Relay(host, port)
    try:
        yield forwarder
    finally:
        forwarder.close()
