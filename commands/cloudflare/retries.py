"""Trying a GET again: bounded, jittered, inside the deadline of the call. Never used under a POST."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from commands.cloudflare.errors import CloudflareError, NotSent, OutcomeUnknown, Throttled, Truncated
from commands.cloudflare.types import ClientLimits

# Of the unknown ones those that may pass: not an answer too large, unreadable or without success.
_PASSING = (OutcomeUnknown, Truncated)


@dataclass(frozen=True, slots=True)
class Retries:
    limits: ClientLimits
    sleep: Callable[[float], None]
    random: Callable[[], float]  # 0 <= n < 1

    def run[Result](self, deadline: float, act: Callable[[], Result]) -> Result:
        """The first result of `act`, or the error of its last try."""
        tries = 0
        while True:
            tries += 1
            try:
                return act()
            except CloudflareError as error:
                pause = self._pause(error, tries, deadline)
                if pause is None:
                    raise
            self.sleep(pause)

    def _pause(self, error: CloudflareError, tries: int, deadline: float) -> float | None:
        """Seconds to wait before the next try, None to give up."""
        passing = isinstance(error, NotSent) or type(error) in _PASSING
        asked = error.retry_after
        if isinstance(error, Throttled):
            passing = asked is not None
        if not passing or tries >= self.limits.tries or (asked or 0.0) > self.limits.max_retry_after:
            return None
        spread = min(self.limits.max_backoff, self.limits.backoff * 2 ** (tries - 1))
        pause = (asked or 0.0) + self.random() * spread
        return pause if monotonic() + pause < deadline else None
