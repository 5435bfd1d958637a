"""Halt point between a POST and its record, so that the database can be restarted while a worker waits there.

The fault run requests a halt. The first worker whose POST returns takes the request, creates a file named after its
Dispatch, and waits until the file is deleted. The portal's code does not contain the halt point.
"""

import os
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from tests.faults.kill_points import wrap_after

FOLDER = "halts"  # in VAR_DIR
MAX_HALT = 60.0  # seconds; then the worker continues anyway


class HaltPoint:
    def __init__(self, var: Path) -> None:
        self._folder = var / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self._request = self._folder / "requested"

    # --- Called by the fault run ---

    def request(self) -> None:
        self._request.touch()

    def halted_dispatches(self) -> list[str]:
        """Return the ids of the Dispatches whose workers wait."""
        return [path.name for path in self._folder.iterdir() if path != self._request]

    def release(self, dispatch_id: str) -> None:
        (self._folder / dispatch_id).unlink(missing_ok=True)

    # --- Called by the workers ---

    def halt_if_requested(self, dispatch_id: str) -> None:
        marker = self._folder / dispatch_id
        with suppress(FileNotFoundError):
            self._request.rename(marker)  # succeeds for one worker only
            deadline = monotonic() + MAX_HALT
            while marker.exists() and monotonic() < deadline:
                Event().wait(0.02)


def install() -> None:
    halt_point = HaltPoint(Path(os.environ["VAR_DIR"]))

    def after_post(claimed: Any, *_arguments: Any) -> None:
        halt_point.halt_if_requested(str(claimed.dispatch.id))

    wrap_after("commands.actions.sending.deliver", "post", after_post)
