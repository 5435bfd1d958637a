"""A worker of Celery in a thread of the test."""

from contextlib import AbstractContextManager

from celery import Celery
from celery.contrib.testing.worker import start_worker

from tests.polling import MAX_WAIT


def working(app: Celery, queue: str) -> AbstractContextManager[object]:
    """Run a worker with one thread that takes the messages of this queue."""
    return start_worker(
        app,
        pool="threads",
        concurrency=1,
        perform_ping_check=False,
        queues=[queue],
        loglevel="ERROR",
        shutdown_timeout=MAX_WAIT,
    )
