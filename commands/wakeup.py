"""Wake-up messages to the workers, sent after the commit.

The database already holds the work. A wake-up that fails costs the few seconds until beat looks at the database, so a
failure is logged and swallowed, and this process leaves the broker alone for WAKE_QUIET. No caller may depend on a
wake-up being delivered, and no caller waits longer than WAKE_TIMEOUT for the broker.
"""

import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, cast

import structlog
from celery import Task, current_app
from django.conf import settings
from django.db import transaction
from kombu import Connection

logger = structlog.get_logger(__name__)


class WakeupApp(Protocol):
    """Celery app of the project (dexportal/celery/app.py), with what a wake-up needs of it."""

    def load_sending(self) -> None: ...

    def wakeup_connection(self) -> Connection: ...

    def send_if_room(self, task: str, args: tuple[object, ...], connection: Connection) -> None: ...


def _app() -> WakeupApp:
    return cast(WakeupApp, current_app)


class BrokerBackoff:
    """Time until which this process leaves the broker alone, by the monotonic clock."""

    def __init__(self) -> None:
        self._until = float("-inf")
        self._lock = threading.Lock()

    def is_active(self) -> bool:
        with self._lock:
            return time.monotonic() < self._until

    def begin(self) -> None:
        with self._lock:
            self._until = time.monotonic() + settings.WAKE_QUIET.total_seconds()

    def end(self) -> None:
        with self._lock:
            self._until = float("-inf")


backoff = BrokerBackoff()


def wake(task: "str | Task[..., Any]", *args: object) -> None:
    """Send the task when the transaction commits, or at once outside a transaction. Never raises."""
    name = task if isinstance(task, str) else task.name
    transaction.on_commit(partial(_send, name, args), robust=True)


def prepare() -> None:
    """Load the modules that sending needs. Loading takes a second or two, and the first click would wait for it."""
    _app().load_sending()


def is_broker_reachable() -> bool:
    """Ask the broker for an answer, unless a failure is so fresh that the process leaves the broker alone."""
    if backoff.is_active():
        return False
    try:
        with connection() as broker:
            broker.default_channel  # noqa: B018 - connects, and asks Redis for an answer
    except Exception:
        backoff.begin()
        return False
    return True


def connection() -> Connection:
    """Open a connection with the short time-outs of a wake-up. Workers wait longer on their own connections."""
    return _app().wakeup_connection()


def _send(name: str, args: tuple[object, ...]) -> None:
    if backoff.is_active():
        return
    try:
        _connections.publish(name, args)
    except Exception as problem:
        backoff.begin()
        logger.warning("wake failed, beat will find the work", task=name, problem=repr(problem))


class _ThreadConnection(threading.local):
    """Broker connection of one thread. Connecting costs more than the rest of a wake-up, and threads can't share."""

    def __init__(self) -> None:
        self._broker: Connection | None = None
        self._opened_for: tuple[object, ...] = ()

    def publish(self, name: str, args: tuple[object, ...]) -> None:
        """Send one message, and reconnect once to a broker that was restarted. Raises the broker's errors."""
        began, is_fresh = time.monotonic(), self._connect()
        try:
            self._publish(name, args)
        except Exception:
            self._close()
            if is_fresh or time.monotonic() - began >= settings.WAKE_TIMEOUT.total_seconds():
                raise
            self._connect()
            self._publish(name, args)

    def _connect(self) -> bool:
        """Connect where the settings point now. True if the connection is a new one."""
        target = (settings.BROKER_URL, settings.BROKER_DIR, settings.WAKE_TIMEOUT)
        if self._broker is not None and self._opened_for == target:
            return False
        self._close()
        self._broker, self._opened_for = connection(), target
        return True

    def _publish(self, name: str, args: tuple[object, ...]) -> None:
        assert self._broker is not None
        _app().send_if_room(name, args, self._broker)

    def _close(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            with suppress(Exception):
                broker.release()


_connections = _ThreadConnection()
