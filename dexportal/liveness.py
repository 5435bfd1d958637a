"""Signs of life for whoever looks after the processes: ALIVE_FILE is touched while a worker or beat goes round.

A worker that waits for its broker, or hangs, leaves the file to age; a probe needs no Python to see that. Whether work
is done is another question: Heartbeat rows answer it (health.py). Must not touch the database.
"""

from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.beat import Scheduler
from django.conf import settings


def touch() -> None:
    if settings.ALIVE_FILE:
        Path(settings.ALIVE_FILE).touch(mode=0o600)


class WorkerStep(bootsteps.StartStopStep):
    """With Redis the timer is turned by the loop that takes messages: a loop that stands still touches nothing."""

    requires = ("celery.worker.components:Timer",)

    def start(self, parent: Any) -> None:
        touch()
        parent.timer.call_repeatedly(settings.HEARTBEAT_INTERVAL.total_seconds(), touch)


class TouchingScheduler(Scheduler):
    """Intervals of seconds need no memory: it is the scheduler without a file."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        touch()
        delay: float = super().tick(*args, **kwargs)
        return delay
