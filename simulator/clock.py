"""Clock of the simulator, and the date formats of the API.

The clock is real time plus an offset. `--speed` never scales it: speed divides durations only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate


class Clock:
    """Seconds since the epoch, rounded to milliseconds because Cloudflare's dates carry no more."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self.offset = 0.0

    def now(self) -> float:
        return round(self._source() + self.offset, 3)


def format_rfc3339(at: float) -> str:
    """Format an instant in UTC with milliseconds, for example 2026-11-22T06:15:30.125Z."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def format_http_date(at: float) -> str:
    return formatdate(at, usegmt=True)


def parse_rfc3339(text: str) -> float:
    """Convert a date and time with a zone to seconds since the epoch, or raise ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a zone is needed")
    return round(moment.timestamp(), 3)
