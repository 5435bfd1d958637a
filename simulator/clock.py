"""The simulator's clock: real time, plus an offset that a test may set. Never scaled: `--speed` divides durations."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate


class Clock:
    """Seconds since the epoch, to the millisecond (Cloudflare's dates carry no more)."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self.offset = 0.0

    def now(self) -> float:
        return round(self._source() + self.offset, 3)


def rfc3339(at: float) -> str:
    """For example 2026-11-22T06:15:30.125Z."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def http_date(at: float) -> str:
    return formatdate(at, usegmt=True)


def parse_rfc3339(text: str) -> float:
    """Seconds since the epoch; ValueError where it is no date and time with a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a zone is needed")
    return round(moment.timestamp(), 3)
