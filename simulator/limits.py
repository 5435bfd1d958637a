"""Counts what is limited: commands a day for an account, calls for a credential. Windows are scaled, waits are real."""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock


@dataclass(slots=True)
class _Window:
    ends_at: float
    used: int = 0
    blocked: bool = False


class Quotas:
    """Usage an account and day. A day that has begun keeps its end when the speed changes."""

    def __init__(self) -> None:
        self._days: dict[str, _Window] = {}

    def _day(self, account_id: str, now: float, day_seconds: float) -> _Window:
        day = self._days.get(account_id)
        if day is None or now >= day.ends_at:
            day = self._days[account_id] = _Window((math.floor(now / day_seconds) + 1) * day_seconds)
        return day

    def usage(self, account_id: str, now: float, day_seconds: float) -> int:
        return self._day(account_id, now, day_seconds).used

    def reset_at(self, account_id: str, now: float, day_seconds: float) -> float:
        return self._day(account_id, now, day_seconds).ends_at

    def use(self, account_id: str, now: float, day_seconds: float, count: int) -> None:
        self._day(account_id, now, day_seconds).used += count


class RateLimits:
    """Once a credential is over its limit, every call is refused until a whole window has passed. Thread-safe."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self._lock = Lock()

    def wait(self, label: str, now: float, *, limit: int, window_seconds: float) -> int:
        """Counts one call. 0: go ahead; otherwise the real seconds to wait, at least 1."""
        with self._lock:
            window = self._count(label, now, limit, window_seconds)
            return max(1, math.ceil(window.ends_at - now)) if window.blocked else 0

    def _count(self, label: str, now: float, limit: int, window_seconds: float) -> _Window:
        window = self._windows.get(label)
        if window is None or now >= window.ends_at:
            window = self._windows[label] = _Window(now + window_seconds)
        window.used += 1
        if window.used > limit and not window.blocked:
            window.blocked, window.ends_at = True, now + window_seconds
        return window
