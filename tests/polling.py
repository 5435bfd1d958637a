"""Polling for a change outside the test process, with a deadline."""

from collections.abc import Callable
from threading import Event
from time import monotonic

# After so many seconds something hangs. It is no bound on speed: two cores with a load of eight must stay far below.
MAX_WAIT = 180.0


def eventually[Result](look: Callable[[], Result | None], *, within: float = MAX_WAIT, pause: float = 0.1) -> Result:
    """Call `look` until its result is not None, and return it. Raise AssertionError after `within` seconds."""
    deadline = monotonic() + within
    while (result := look()) is None:
        if monotonic() > deadline:
            raise AssertionError(f"no result within {within:g} seconds")
        Event().wait(pause)
    return result
