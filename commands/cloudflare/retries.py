"""Retries of GET requests, with a growing random pause, within the deadline of the call.

A POST must never go through this module: a second POST could create the same command twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from commands.cloudflare.errors import CloudflareError, NotSent, OutcomeUnknown, Throttled, Truncated
from commands.cloudflare.types import ClientLimits

# Compared with type(), not isinstance(): the other subclasses of OutcomeUnknown would fail in the same way again, and
# after DeadlineExceeded no time is left.
_TRANSIENT = (OutcomeUnknown, Truncated)


@dataclass(frozen=True, slots=True)
class Retries:
    """Retry rules of a client. `sleep` and `random` are parameters so that tests need not wait."""

    limits: ClientLimits
    sleep: Callable[[float], None]
    random: Callable[[], float]  # from 0 (included) to 1 (excluded)

    def run[Result](self, deadline: float, send: Callable[[], Result]) -> Result:
        """Return the first result of `send`, or raise the error of its last try. `deadline` is monotonic."""
        tries = 0
        while True:
            tries += 1
            try:
                return send()
            except CloudflareError as error:
                pause = self._pause(error, tries, deadline)
                if pause is None:
                    raise
            self.sleep(pause)

    def _pause(self, error: CloudflareError, tries: int, deadline: float) -> float | None:
        """Return the seconds to wait before the next try, None to give up."""
        is_transient = isinstance(error, NotSent) or type(error) in _TRANSIENT
        least = error.retry_after or 0.0
        if isinstance(error, Throttled):
            is_transient = error.retry_after is not None  # without a time, the caller pauses the whole credential
        if not is_transient or tries >= self.limits.tries or least > self.limits.max_retry_after:
            return None
        spread = min(self.limits.max_backoff, self.limits.backoff * 2 ** (tries - 1))
        pause = least + self.random() * spread
        return pause if monotonic() + pause < deadline else None
