"""Waiting for something outside the test: looks again and again until a deadline."""

from collections.abc import Callable
from threading import Event
from time import monotonic


def eventually[Found](look: Callable[[], Found | None], *, within: float, pause: float = 0.1) -> Found:
    """What `look` gives as soon as it is not None; AssertionError after `within` seconds."""
    until = monotonic() + within
    while (found := look()) is None:
        assert monotonic() < until, f"nothing came within {within:g} seconds"
        Event().wait(pause)
    return found
