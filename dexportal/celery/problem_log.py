"""Log of a problem that lasts: one line when it begins, one now and then, and one when it is over."""

import time
from typing import Any

import structlog

from dexportal.logs import REPEAT_AFTER


class ProblemLog:
    """Log of one kind of problem. Not safe for several threads.

    Args:
        began: event of the warnings while it lasts.
        ended: event of the line when it is over.
    """

    def __init__(self, began: str, ended: str, logger: Any = None) -> None:
        self._began, self._ended = began, ended
        self._logger = logger or structlog.get_logger(__name__)
        self._logged_at: float | None = None

    def report(self, problem: object) -> None:
        now = time.monotonic()
        if self._logged_at is None or now - self._logged_at >= REPEAT_AFTER.total_seconds():
            self._logged_at = now
            self._logger.warning(self._began, problem=repr(problem))

    def clear(self) -> None:
        if self._logged_at is not None:
            self._logged_at = None
            self._logger.warning(self._ended)
