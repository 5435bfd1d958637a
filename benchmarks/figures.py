"""What a benchmark tells: rows of one shape, each with a floor that was measured in the same run.

Owns the row and the taking of time. Knows nothing of what is measured.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

type Row = dict[str, object]


def row(name: str, value: float, unit: str, *, floor: float, goal: float, met: bool | None = None) -> Row:
    """`goal` is the most that the value may be, in its own unit, unless the caller says whether it was met."""
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "floor": round(floor, 2),
        "ratio": round(value / floor, 2) if floor else 0.0,
        "goal": goal,
        "met": value <= goal if met is None else met,
    }


def times_floor(name: str, value: float, unit: str, *, floor: float, goal: float) -> Row:
    """`goal` is how many floors it may be."""
    return row(name, value, unit, floor=floor, goal=goal, met=value <= goal * floor)


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Appends the milliseconds that the block takes."""
    begun = time.perf_counter()
    yield
    into.append((time.perf_counter() - begun) * 1000)


def milliseconds(act: Callable[[], object]) -> float:
    """No collection of the garbage of earlier work falls into it."""
    gc.collect()
    took: list[float] = []
    with timed(took):
        act()
    return took[0]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)
