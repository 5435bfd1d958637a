"""Ids that are their own order: UUIDv7 of a given instant, increasing within a millisecond.

Python's and PostgreSQL's own UUIDv7 functions need newer versions than we support, and take no instant.
"""

import secrets
import threading
from datetime import datetime
from uuid import UUID

_RANDOM_BITS = 74  # 12 in rand_a and 62 in rand_b (RFC 9562, section 5.7)
_STEP_BITS = 32

_lock = threading.Lock()
_last = {"millisecond": -1, "tail": 0}


def _uuid7(millisecond: int, tail: int) -> UUID:
    return UUID(int=millisecond << 80 | 0x7 << 76 | (tail >> 62) << 64 | 0b10 << 62 | tail & (1 << 62) - 1)


def new_id(at: datetime) -> UUID:
    """A new id of this instant; ids that one process makes for one millisecond increase."""
    millisecond = _milliseconds(at)
    with _lock:
        if millisecond == _last["millisecond"]:
            tail = _last["tail"] + 1 + secrets.randbits(_STEP_BITS)
        else:
            tail = secrets.randbits(_RANDOM_BITS - 1)  # the free top bit leaves room to count up
        _last.update(millisecond=millisecond, tail=tail)
    return _uuid7(millisecond, tail)


def first_id(at: datetime) -> UUID:
    """The least id of this instant's millisecond: a date range is a range of these."""
    return _uuid7(_milliseconds(at), 0)


def _milliseconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("an id needs an aware time")
    return int(at.timestamp() * 1000)
