"""Ids that sort by time: UUIDv7 of a given instant, increasing within a millisecond.

Python's and PostgreSQL's own UUIDv7 functions need newer versions than we support, and take no instant.
"""

import secrets
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RANDOM_BITS = 74  # 12 in rand_a and 62 in rand_b (RFC 9562, section 5.7)
_STEP_BITS = 32
_REMEMBERED = 1000  # milliseconds whose last tail is kept: callers may alternate between instants

_lock = threading.Lock()
_tails: OrderedDict[int, int] = OrderedDict()


def _uuid7(millisecond: int, tail: int) -> UUID:
    return UUID(int=millisecond << 80 | 0x7 << 76 | (tail >> 62) << 64 | 0b10 << 62 | tail & (1 << 62) - 1)


def new_id(at: datetime) -> UUID:
    """Return a new id of this instant. Ids that one process makes within one millisecond increase."""
    millisecond = _milliseconds(at)
    with _lock:
        last = _tails.pop(millisecond, None)
        # The first tail leaves its top bit free, which is the room to count up.
        tail = secrets.randbits(_RANDOM_BITS - 1) if last is None else last + 1 + secrets.randbits(_STEP_BITS)
        _tails[millisecond] = tail
        if len(_tails) > _REMEMBERED:
            _tails.popitem(last=False)
    return _uuid7(millisecond, tail)


def parse_uuid(text: str | None) -> UUID | None:
    """Return the UUID that a text stands for, or None for any other text."""
    try:
        return UUID(text or "")
    except ValueError:
        return None


def first_id(at: datetime) -> UUID:
    """Return the smallest id of this instant's millisecond. A range of dates is a range of these ids."""
    return _uuid7(_milliseconds(at), 0)


def _milliseconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("an id needs an aware time")
    return (at - _EPOCH) // _MILLISECOND
