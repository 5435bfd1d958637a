"""Death at a chosen point: wraps functions of the portal so that the process kills itself there now and then.

The portal knows nothing of it: `worker.py` starts Celery with these wrappers around the portal's own functions.
`DEXPORTAL_KILL_AT` says where: `point:probability` pairs separated by commas, and `seed=N`.
"""

import os
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

VARIABLE = "DEXPORTAL_KILL_AT"


@dataclass(frozen=True)
class Point:
    """Before or after a function of a module; one that does not exist is an error at the start of the worker."""

    module: str
    function: str
    after: bool = False


_DELIVER, _SYNC, _COLLECT = (f"commands.actions.{name}" for name in ("deliver", "sync", "collect"))

POINTS: Mapping[str, Point] = {
    "before_post": Point(_DELIVER, "post"),
    "after_post": Point(_DELIVER, "post", after=True),
    "inside_record": Point(_DELIVER, "_end"),  # in the transaction, which is then rolled back
    "after_record": Point(_DELIVER, "record", after=True),
    "before_listing_is_applied": Point(_SYNC, "apply"),
    "inside_listing": Point(_SYNC, "_carry_out", after=True),
    "inside_settle": Point("commands.actions.settle", "_closed_windows", after=True),
    "after_claim_of_file": Point(_COLLECT, "_claim", after=True),
    "between_spool_and_store": Point(_COLLECT, "_store"),
    "between_store_and_commit": Point(_COLLECT, "_record_stored"),
}


def install(wanted: str) -> None:
    """Wrap what `wanted` (see VARIABLE) names."""
    words = [word for word in wanted.split(",") if word]
    seed = next((word.removeprefix("seed=") for word in words if word.startswith("seed=")), "0")
    for word in words:
        if not word.startswith("seed="):
            name, _, probability = word.partition(":")
            _wrap(POINTS[name], random.Random(f"{seed}/{name}/{os.getpid()}"), float(probability or 1))


def wrap_after(module_name: str, function: str, then: Callable[..., None]) -> None:
    """`then` is called with the function's arguments once it has returned."""
    module = import_module(module_name)
    original: Callable[..., Any] = getattr(module, function)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        then(*args, **kwargs)
        return result

    setattr(module, function, wrapped)


def _wrap(point: Point, chance: random.Random, probability: float) -> None:
    module = import_module(point.module)
    original: Callable[..., Any] = getattr(module, point.function)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        dies = chance.random() < probability
        if dies and not point.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(module, point.function, wrapped)
