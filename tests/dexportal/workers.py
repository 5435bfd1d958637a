"""Celery workers in a thread of the test."""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from celery.contrib.testing.worker import start_worker

from dexportal.celery import app as project
from tests.polling import MAX_WAIT


@contextmanager
def working(app: Celery, queue: str) -> Iterator[None]:
    """Run a worker with one thread that takes the messages of this queue."""
    worker = start_worker(
        app,
        concurrency=1,
        pool="threads",
        loglevel="ERROR",
        perform_ping_check=False,
        shutdown_timeout=MAX_WAIT,
        queues=[queue],
    )
    try:
        with worker:
            yield
    finally:  # start_worker made `app` the current one, which sends the wake-ups of later tests
        project.app.set_current()
        project.app.set_default()
