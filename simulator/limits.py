"""Counters of what Cloudflare limits: commands of an account in a day, calls of a credential in a window.

All durations here are real seconds: the caller scales them by `speed`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock


@dataclass(slots=True)
class _Window:
    """Uses until `ends_at`. `blocked`: the limit was passed in this window."""

    ends_at: float
    used: int = 0
    blocked: bool = False


class Quotas:
    """Usage of each account in its current day. A change of speed does not move the end of a day that has begun."""

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
    """Calls of each credential in its current window. Thread-safe.

    As at Cloudflare, the call over the limit starts a new window, and every call in it is refused.
    """

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self._lock = Lock()

    def count_call(self, label: str, now: float, *, limit: int, window_seconds: float) -> int:
        """Count one call, and return the seconds to wait: 0 if the call is allowed, else at least 1."""
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
