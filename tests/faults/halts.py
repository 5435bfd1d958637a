"""A worker that halts between a POST and its record, until the database was restarted under it.

Whoever directs the run wishes for it; the first worker whose POST returns after that takes the wish, tells by a file's
name which Dispatch it holds, and goes on when that file is gone. The portal knows nothing of it.
"""

import os
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from tests.faults.kill_points import wrap_after

FOLDER = "halts"  # in VAR_DIR
AT_MOST = 60.0  # seconds; then the worker goes on anyway


class Halts:
    def __init__(self, var: Path) -> None:
        self._folder = var / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self._wish = self._folder / "wished"

    # --- The director's side ---

    def wish(self) -> None:
        self._wish.touch()

    def halted(self) -> list[str]:
        """The ids of the Dispatches whose workers wait."""
        return [path.name for path in self._folder.iterdir() if path != self._wish]

    def let_go(self, dispatch_id: str) -> None:
        (self._folder / dispatch_id).unlink(missing_ok=True)

    # --- The worker's side ---

    def halt(self, dispatch_id: str) -> None:
        taken = self._folder / dispatch_id
        with suppress(FileNotFoundError):
            self._wish.rename(taken)  # one of all workers gets it
            until = monotonic() + AT_MOST
            while taken.exists() and monotonic() < until:
                Event().wait(0.02)


def install() -> None:
    halts = Halts(Path(os.environ["VAR_DIR"]))

    def after_post(claimed: Any, *_more: Any) -> None:
        halts.halt(str(claimed.dispatch.id))

    wrap_after("commands.actions.sending.deliver", "post", after_post)
