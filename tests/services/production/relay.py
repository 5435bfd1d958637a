"""A door before Redis that can be shut in two ways: nobody opens, or somebody opens and never says a word."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers import free_port


class Relay:
    """On one port for all its life. What is said to a shut door is lost."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.port = free_port()
        self._joined: list[socket.socket] = []
        self._unanswered: list[socket.socket] = []
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._listen()

    def let_through(self) -> None:
        """Whoever was left without an answer is cut off; who was joined before goes on."""
        self._stop_listening()
        self._cut(self._unanswered)
        self._flows.set()
        self._listen()

    def refuse(self) -> None:
        self._stop_listening()
        self._cut(self._joined)

    def hang(self) -> None:
        """As a Redis that was stopped: connections stay open, new ones are taken, and no answer comes."""
        self._flows.clear()

    def close(self) -> None:
        self.refuse()
        self._cut(self._unanswered)
        self._flows.set()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _stop_listening(self) -> None:
        with suppress(OSError):  # wakes the thread that accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _cut(self, connections: list[socket.socket]) -> None:
        with self._lock:
            for one in connections:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                if self._flows.is_set():
                    self._join(client)
                else:
                    with self._lock:
                        self._unanswered.append(client)

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        with self._lock:
            self._joined += [client, server]
        for here, there in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=(here, there), daemon=True).start()

    def _copy(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while said := here.recv(65536):
                self._flows.wait()
                there.sendall(said)
        with suppress(OSError):
            there.shutdown(socket.SHUT_WR)


@contextmanager
def relay(host: str, port: int) -> Iterator[Relay]:
    made = Relay(host, port)
    try:
        yield made
    finally:
        made.close()
