"""Wakes a worker after the commit, and never lets anybody wait for the broker.

What is to be done is in the database already: a wake that fails costs the few seconds until beat looks. It is logged
and swallowed, and for WAKE_QUIET nobody tries again.
"""

import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from celery import Task
from django.conf import settings
from django.db import transaction
from kombu import Connection

from dexportal.celery import queue_limit
from dexportal.celery.app import app, broker_options

logger = structlog.get_logger(__name__)


class _Quiet:
    """Remembers, for this process, until when the broker is left alone (seconds of the monotonic clock)."""

    def __init__(self) -> None:
        self._until = float("-inf")
        self._lock = threading.Lock()

    def lasts(self) -> bool:
        with self._lock:
            return time.monotonic() < self._until

    def begin(self) -> None:
        with self._lock:
            self._until = time.monotonic() + settings.WAKE_QUIET.total_seconds()

    def end(self) -> None:
        with self._lock:
            self._until = float("-inf")


quiet = _Quiet()


def wake(task: "str | Task[..., Any]", *args: object) -> None:
    """Sends the task when the transaction is committed, at once outside of one. Never raises, never blocks long."""
    name = task if isinstance(task, str) else task.name
    transaction.on_commit(partial(_send, name, args), robust=True)


def prepare() -> None:
    """Loads what a wake needs, which takes a second or two: else the first who clicks waits. Connects to nobody."""
    with connection() as broker:
        _ = broker.transport, app.amqp, app.backend, app.events.Dispatcher


def reachable() -> bool:
    """Does the broker answer? Not asked while a failure is fresh."""
    if quiet.lasts():
        return False
    try:
        with connection() as broker:
            broker.default_channel  # noqa: B018 - connects, and asks Redis for an answer
    except Exception:
        quiet.begin()
        return False
    return True


def _send(name: str, args: tuple[object, ...]) -> None:
    if quiet.lasts():
        return
    try:
        _kept.publish(name, args)
    except Exception as problem:
        quiet.begin()
        logger.warning("wake failed, beat will find the work", task=name, problem=repr(problem))


def connection() -> Connection:
    """One of our own, for the workers' wait longer."""
    return app.connection_for_write(settings.BROKER_URL, transport_options=_options())


def _options() -> dict[str, Any]:
    return broker_options(settings.BROKER_URL, settings.WAKE_TIMEOUT)


class _Kept(threading.local):
    """This thread's connection: to connect costs more than all else about a wake, and threads share no connection."""

    def __init__(self) -> None:
        self._broker: Connection | None = None
        self._to: tuple[str, dict[str, Any]] | None = None

    def publish(self, name: str, args: tuple[object, ...]) -> None:
        """Raises what the broker, or its absence, raises. A broker that was restarted since is connected to again."""
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
        """Whether the connection is a new one."""
        to = settings.BROKER_URL, _options()
        if self._broker is not None and self._to == to:
            return False
        self._close()
        self._broker, self._to = connection(), to
        return True

    def _publish(self, name: str, args: tuple[object, ...]) -> None:
        assert self._broker is not None
        if queue_limit.has_room(app, self._broker, name):
            app.send_task(name, args=args, connection=self._broker, expires=settings.MESSAGE_LIFE)

    def _close(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            with suppress(Exception):
                broker.release()


_kept = _Kept()
