"""Heartbeats of workers and beat.

The main loop of each process touches ALIVE_FILE, so that a container probe needs no Python, and writes database rows
(commands/actions/administration/heartbeats.py), which the pages show. A separate thread writes the rows, so that a
database that is down or hangs doesn't stop the work. A worker that waits for its broker sends no heartbeat.
"""

import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.beat import ScheduleEntry, Scheduler
from celery.result import AsyncResult
from celery.schedules import schedule
from django.conf import settings
from kombu import Connection

from dexportal.celery import queue_limit
from dexportal.celery.problem_log import ProblemLog


def touch() -> None:
    if settings.ALIVE_FILE:
        Path(settings.ALIVE_FILE).touch(mode=0o600)


class HeartbeatWriter:
    """Thread that writes the heartbeats of reported roles. Reports that arrive during a write are written together."""

    def __init__(self) -> None:
        self._roles: set[str] = set()
        self._reported = threading.Condition()
        self._problems = ProblemLog("heartbeats are not written", "heartbeats are written again")
        threading.Thread(target=self._write_forever, name="heartbeat", daemon=True).start()

    def report(self, roles: Iterable[str]) -> None:
        with self._reported:
            self._roles.update(roles)
            self._reported.notify()

    def _write_forever(self) -> None:
        while True:
            with self._reported:
                self._reported.wait_for(lambda: self._roles)
                roles, self._roles = self._roles, set()
            self._write(sorted(roles))

    def _write(self, roles: list[str]) -> None:
        from django.db import connection  # noqa: PLC0415 - Celery loads this module before Django's apps

        from commands import clock  # noqa: PLC0415
        from commands.actions.administration import heartbeats  # noqa: PLC0415
        from commands.models import Heartbeat  # noqa: PLC0415

        try:
            heartbeats.beat(*map(Heartbeat.Role, roles), now=clock.database_now())
        except Exception as problem:  # mostly of the database; the next heartbeat tries again
            self._problems.report(problem)
        else:
            self._problems.clear()
        connection.close()  # the next write is seconds away, and an open connection might be dead by then


class WorkerStep(bootsteps.StartStopStep):
    """Heartbeat of a worker, driven by Celery's timer.

    With Redis, the loop that takes messages runs this timer too. So a loop that hangs sends no heartbeat.
    """

    requires = ("celery.worker.components:Timer",)

    def start(self, parent: Any) -> None:
        writer, queues = HeartbeatWriter(), sorted(parent.app.amqp.queues.consume_from)

        def beat() -> None:
            touch()
            writer.report(queues)

        beat()
        parent.timer.call_repeatedly(settings.HEARTBEAT_INTERVAL.total_seconds(), beat)


class MonotonicSchedule(schedule):
    """Interval by the monotonic clock. When the wall clock is set back, Celery's own schedule stops as long."""

    def __init__(self, run_every: timedelta, **kwargs: Any) -> None:
        super().__init__(run_every, **(kwargs | {"nowfun": monotonic_now}))


_STARTED = datetime.now(UTC), time.monotonic()


def monotonic_now() -> datetime:
    """Return the start time of this process plus the time that has passed since by the monotonic clock."""
    at, monotonic = _STARTED
    return at + timedelta(seconds=time.monotonic() - monotonic)


class HeartbeatScheduler(Scheduler):
    """Scheduler of beat that writes the heartbeats of beat and of the broker.

    Beat sends a message every few seconds, so it knows whether the broker accepts messages. No file stores the times of
    the last runs, because intervals of seconds don't need one.
    """

    _writer: HeartbeatWriter | None = None
    _reported_at = float("-inf")
    _accepted_at = float("-inf")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._problems = ProblemLog("beat cannot send to the broker", "beat sends to the broker again")
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        touch()
        delay: float = super().tick(*args, **kwargs)
        return delay

    def _ensure_connected(self) -> Connection:
        """Return without connecting. Celery would wait here for the broker, and beat would seem to be down."""
        connection: Connection = self.connection
        return connection

    def apply_async(self, entry: ScheduleEntry, *args: Any, **kwargs: Any) -> "AsyncResult[Any] | None":
        sent: AsyncResult[Any] | None = None
        try:
            if queue_limit.has_room(self.app, self.connection, str(entry.task)):
                sent = super().apply_async(entry, *args, **kwargs)
            self._accepted_at = time.monotonic()
            return sent
        finally:
            self._report()

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send the message of an entry. Celery would log a traceback every few seconds while the broker is down."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as problem:
            self._problems.report(problem)
        else:
            self._problems.clear()

    def _report(self) -> None:
        """Report a heartbeat once an interval, after beat tried to send a message and so knows the broker's state."""
        now, interval = time.monotonic(), settings.HEARTBEAT_INTERVAL.total_seconds()
        if now - self._reported_at >= interval:
            self._writer = self._writer or HeartbeatWriter()
            self._writer.report({"beat", "broker"} if self._accepted_at > self._reported_at else {"beat"})
            self._reported_at = now
