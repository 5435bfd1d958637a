"""Secrets that are generated once and kept in a file that only its owner can read."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_or_create_secret(file: Path, make: Callable[[], str]) -> str:
    """Return the file's text. Create the file with mode 600 if it is missing.

    Processes that start at the same time agree on one value.
    """
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=file.parent)  # mode 600 from the start
        with os.fdopen(handle, "w") as writer:
            writer.write(make())
            writer.flush()
            os.fsync(writer.fileno())
        try:
            os.link(draft, file)  # fails if another process was first: then its value counts
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    return file.read_text()
