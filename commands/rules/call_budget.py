"""Token bucket for calls to Cloudflare."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Bucket:
    """At most `size` calls, refilled at `rate` calls a second.

    A count from further ahead than `longest_wait` was written while the clock was wrong. The bucket is full then.
    """

    size: float
    rate: float
    longest_wait: timedelta

    def refilled(self, left: float | None, since: datetime | None, now: datetime) -> float:
        """Return the calls left now, of those left at `since`."""
        if left is None or since is None or since > now + self.longest_wait:
            return self.size
        return min(self.size, left + max(0.0, (now - since).total_seconds()) * self.rate)

    def wait_for(self, left: float, wanted: float) -> timedelta:
        """Return how long it takes until `wanted` calls are left."""
        return timedelta(seconds=max(0.0, wanted - left) / self.rate)
