"""Signs of life of a worker or beat, given by itself while it goes round: ALIVE_FILE for whoever looks after the
processes (a probe needs no Python to see that), and rows (commands/actions/heartbeats.py) for the pages.

Rows are written by a thread of their own: a database that is away, or hangs, keeps nobody from their work. A worker
that waits for its broker does not go round, and is silent.
"""

import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from celery import bootsteps
from celery.beat import ScheduleEntry, Scheduler
from celery.result import AsyncResult
from celery.schedules import schedule
from django.conf import settings
from kombu import Connection

from dexportal.celery import queue_limit

logger = structlog.get_logger(__name__)


def touch() -> None:
    if settings.ALIVE_FILE:
        Path(settings.ALIVE_FILE).touch(mode=0o600)


class Pulse:
    """What was told with `lives` is written soon; once, however often it was told meanwhile."""

    def __init__(self) -> None:
        self._roles: set[str] = set()
        self._told = threading.Condition()
        self._is_failing = False
        threading.Thread(target=self._write_for_ever, name="pulse", daemon=True).start()

    def lives(self, roles: Iterable[str]) -> None:
        with self._told:
            self._roles.update(roles)
            self._told.notify()

    def _write_for_ever(self) -> None:
        while True:
            with self._told:
                self._told.wait_for(lambda: self._roles)
                roles, self._roles = self._roles, set()
            self._write(sorted(roles))

    def _write(self, roles: list[str]) -> None:
        from django.db import connection  # noqa: PLC0415 - Celery loads this module before Django's apps

        from commands import clock  # noqa: PLC0415
        from commands.actions.administration import heartbeats  # noqa: PLC0415
        from commands.models import Heartbeat  # noqa: PLC0415

        try:
            heartbeats.beat(*map(Heartbeat.Role, roles), now=clock.database_now())
        except Exception as problem:  # of the database, mostly; the next sign tries again
            if not self._is_failing:
                logger.warning("sign of life not written", problem=repr(problem))
            self._is_failing = True
        else:
            self._is_failing = False
        connection.close()  # one every few seconds: none is kept that may have died meanwhile


class WorkerStep(bootsteps.StartStopStep):
    """With Redis the timer is turned by the loop that takes messages: a loop that stands still gives no sign."""

    requires = ("celery.worker.components:Timer",)

    def start(self, parent: Any) -> None:
        pulse, queues = Pulse(), sorted(parent.app.amqp.queues.consume_from)

        def goes_round() -> None:
            touch()
            pulse.lives(queues)

        goes_round()
        parent.timer.call_repeatedly(settings.HEARTBEAT_INTERVAL.total_seconds(), goes_round)


class Steadily(schedule):
    """Every so often, by a clock that nobody sets: with the wall clock set back an hour, Celery's own beat would rest
    for that hour."""

    def __init__(self, run_every: timedelta, **kwargs: Any) -> None:
        super().__init__(run_every, **(kwargs | {"nowfun": steady_now}))


_BEGUN = datetime.now(UTC), time.monotonic()


def steady_now() -> datetime:
    """The time when this process began, and how much has passed since."""
    at, monotonic = _BEGUN
    return at + timedelta(seconds=time.monotonic() - monotonic)


class TouchingScheduler(Scheduler):
    """Intervals of seconds need no memory: it is the scheduler without a file.

    It is beat that knows whether the broker takes messages: it has one for it every few seconds.
    """

    _pulse: Pulse | None = None
    _spoke_at = float("-inf")
    _took_at = float("-inf")

    def tick(self, *args: Any, **kwargs: Any) -> float:
        touch()
        delay: float = super().tick(*args, **kwargs)
        return delay

    def _ensure_connected(self) -> Connection:
        """Not yet: without a broker a message fails, and beat goes on; Celery's own would wait here in silence."""
        connection: Connection = self.connection
        return connection

    def apply_async(self, entry: ScheduleEntry, *args: Any, **kwargs: Any) -> "AsyncResult[Any] | None":
        sent: AsyncResult[Any] | None = None
        try:
            if queue_limit.has_room(self.app, self.connection, str(entry.task)):
                sent = super().apply_async(entry, *args, **kwargs)
            self._took_at = time.monotonic()
            return sent
        finally:
            self._speak()

    def _speak(self) -> None:
        """Now and then, and never before it is known whether the broker took a message."""
        now, interval = time.monotonic(), settings.HEARTBEAT_INTERVAL.total_seconds()
        if now - self._spoke_at >= interval:
            self._pulse = self._pulse or Pulse()
            self._pulse.lives({"beat", "broker"} if self._took_at > self._spoke_at else {"beat"})
            self._spoke_at = now
