"""Arithmetic of an account's daily quota."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DailyQuota:
    """Quota as read from Cloudflare. None where a figure is unknown.

    Attributes:
        total: commands allowed in a whole day.
        used: commands of that day, when the quota was read.
        reset_at: when the next day of the quota begins.
        read_at: when the reading began.
    """

    total: int | None
    used: int | None
    reset_at: datetime | None
    read_at: datetime | None

    def left(self, claimed: int, now: datetime) -> int | None:
        """Return how many commands Cloudflare still accepts today, if `claimed` were sent since the reading."""
        if self.total is None or self.read_at is None or self._is_outdated(now):
            return None
        return max(0, self.total - (self.used or 0) - claimed)

    def used_today(self, claimed: int, now: datetime) -> int | None:
        """Return how many commands count today: those that Cloudflare reported and those sent since."""
        return None if self.used is None or self._is_outdated(now) else self.used + claimed

    def _is_outdated(self, now: datetime) -> bool:
        return self.reset_at is not None and self.reset_at <= now
