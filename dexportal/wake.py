"""Wakes a worker after the commit, and never lets anybody wait for the broker.

What is to be done is in the database already: a wake that fails costs the few seconds until beat looks. It is logged
and swallowed, and for WAKE_QUIET nobody tries again.
"""

import threading
import time
from functools import partial
from typing import Any

import structlog
from celery import Task
from django.conf import settings
from django.db import transaction
from kombu import Connection

from dexportal.celery import app, broker_options

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
        with connection() as broker:
            app.send_task(name, args=args, connection=broker, expires=settings.MESSAGE_LIFE)
    except Exception as problem:
        quiet.begin()
        logger.warning("wake failed, beat will find the work", task=name, problem=repr(problem))


def connection() -> Connection:
    """One of its own, for the workers' wait longer. It is closed after use: threads share no connection."""
    options = broker_options(settings.BROKER_URL, settings.WAKE_TIMEOUT)
    return app.connection_for_write(settings.BROKER_URL, transport_options=options)
