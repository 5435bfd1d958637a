"""Kill points: wrappers around the portal's functions that kill the process there with some probability.

The portal's code does not contain them: `worker.py` installs them before it starts Celery. `DEXPORTAL_KILL_AT` lists
`point:probability` pairs separated by commas, and `seed=N`.
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
    """Point before or after a function of a module. A missing function fails the start of the worker."""

    module: str
    function: str
    after: bool = False


_DELIVER = "commands.actions.sending.deliver"
_APPLY, _SYNC = "commands.actions.listing.apply", "commands.actions.listing.sync"
_FETCH = "commands.actions.results.fetch"

POINTS: Mapping[str, Point] = {
    "before_post": Point(_DELIVER, "post"),
    "after_post": Point(_DELIVER, "post", after=True),
    "inside_record": Point(_DELIVER, "_end"),  # inside the transaction, which is rolled back
    "after_record": Point(_DELIVER, "record", after=True),
    "before_listing_is_applied": Point(_SYNC, "apply"),
    "inside_listing": Point(_APPLY, "_carry_out", after=True),
    "inside_settle": Point("commands.actions.settle", "_closed_windows", after=True),
    "after_claim_of_file": Point(_FETCH, "claim_artifact", after=True),
    "between_spool_and_store": Point(_FETCH, "store"),
    "between_store_and_commit": Point(_FETCH, "record_stored"),
}


def install(kill_at: str) -> None:
    """Wrap the functions named in `kill_at`, which has the format of VARIABLE."""
    entries = [entry for entry in kill_at.split(",") if entry]
    seed = next((entry.removeprefix("seed=") for entry in entries if entry.startswith("seed=")), "0")
    for entry in entries:
        if not entry.startswith("seed="):
            name, _, probability = entry.partition(":")
            _wrap(POINTS[name], random.Random(f"{seed}/{name}/{os.getpid()}"), float(probability or 1))


def wrap_after(module_name: str, function: str, then: Callable[..., None]) -> None:
    """Call `then` with the arguments of the function after each of its calls."""
    module = import_module(module_name)
    original: Callable[..., Any] = getattr(module, function)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        then(*args, **kwargs)
        return result

    setattr(module, function, wrapped)


def _wrap(point: Point, rng: random.Random, probability: float) -> None:
    module = import_module(point.module)
    original: Callable[..., Any] = getattr(module, point.function)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        dies = rng.random() < probability
        if dies and not point.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(module, point.function, wrapped)
