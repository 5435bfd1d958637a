"""Threads that start at the same moment, each with its own database connection."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection

from tests.polling import MAX_WAIT


def race[Result](runner: Callable[[], Result], *, threads: int) -> list[Result]:
    """Return the result of every thread. An exception in one of them is raised here."""
    barrier = Barrier(threads)

    def run() -> Result:
        try:
            barrier.wait(MAX_WAIT)
            return runner()
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(run) for _ in range(threads)]
        return [future.result() for future in futures]
