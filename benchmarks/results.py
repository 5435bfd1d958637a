"""Result rows and time measurement for the benchmarks.

Each row holds a floor that was measured in the same run. This module must not know what is measured.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

type ResultRow = dict[str, object]


def result_row(name: str, value: float, unit: str, *, floor: float, goal: float, met: bool | None = None) -> ResultRow:
    """Return a row whose `goal` is the largest allowed value, in the unit of the value.

    Pass `met` to decide otherwise whether the goal was met.
    """
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "floor": round(floor, 2),
        "ratio": round(value / floor, 2) if floor else 0.0,
        "goal": goal,
        "met": value <= goal if met is None else met,
    }


def result_row_by_ratio(name: str, value: float, unit: str, *, floor: float, goal: float) -> ResultRow:
    """Return a row whose `goal` is the largest allowed ratio of value to floor."""
    return result_row(name, value, unit, floor=floor, goal=goal, met=value <= goal * floor)


@contextmanager
def timed(durations: list[float]) -> Iterator[None]:
    """Append the duration of the block, in milliseconds, to `durations`."""
    started = time.perf_counter()
    yield
    durations.append((time.perf_counter() - started) * 1000)


def milliseconds(operation: Callable[[], object]) -> float:
    """Measure one call. Collect garbage first, so that the measurement excludes the garbage of earlier work."""
    gc.collect()
    durations: list[float] = []
    with timed(durations):
        operation()
    return durations[0]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)
