"""Log of a problem that lasts: one line when it begins, one now and then, and one when it is over."""

import time

import structlog

from dexportal.logs import REPEAT_AFTER

logger = structlog.get_logger(__name__)


class ProblemLog:
    """Log of one kind of problem. Not safe for several threads.

    Args:
        began: event of the warnings while it lasts.
        ended: event of the line when it is over.
    """

    def __init__(self, began: str, ended: str) -> None:
        self._began, self._ended = began, ended
        self._logged_at: float | None = None

    def report(self, problem: object) -> None:
        now = time.monotonic()
        if self._logged_at is None or now - self._logged_at >= REPEAT_AFTER.total_seconds():
            self._logged_at = now
            logger.warning(self._began, problem=repr(problem))

    def clear(self) -> None:
        if self._logged_at is not None:
            self._logged_at = None
            logger.warning(self._ended)
