"""Disk faults of a run: a small disk for the spool, and a full disk mounted over the store.

Mounting needs root, and happens in a namespace that ends with this process. Without root, a limit on the file size of
the fetching workers hits both the spool and the store.
"""

import os
import resource
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

SPOOL, STORE = "spool", "artifacts"  # folders of VAR_DIR
SIZES = {SPOOL: "8m", STORE: "64k"}
LIMIT = 4096  # bytes


class Disks:
    """Disks under VAR_DIR. `fetchers` returns the process ids of the fetching workers."""

    def __init__(self, var: Path, fetchers: Callable[[], Iterable[int]]) -> None:
        self._var = var
        self._fetchers = fetchers
        self._is_mounted = False

    def prepare(self) -> None:
        for name in SIZES:
            (self._var / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError, subprocess.CalledProcessError, AttributeError):
            os.unshare(os.CLONE_NEWNS)
            _call("mount", "--make-rprivate", "/")
            self._mount(SPOOL)
            self._is_mounted = True

    def fill(self, name: str) -> None:
        """Fill a disk. The full disk hides the files in the store without deleting them."""
        if not self._is_mounted:
            self._limit_files(LIMIT)
            return
        if name == STORE:
            self._mount(STORE)
        with suppress(OSError), self._ballast(name).open("wb", buffering=0) as ballast:
            while ballast.write(bytes(65536)):
                pass

    def empty(self, name: str) -> None:
        if not self._is_mounted:
            self._limit_files(resource.RLIM_INFINITY)
        elif name == STORE:
            _call("umount", "--lazy", str(self._var / STORE))
        else:
            self._ballast(name).unlink(missing_ok=True)

    def _ballast(self, name: str) -> Path:
        return self._var / name / "ballast"

    def _mount(self, name: str) -> None:
        _call("mount", "-t", "tmpfs", "-o", f"size={SIZES[name]}", "tmpfs", str(self._var / name))

    def _limit_files(self, size: int) -> None:
        for pid in self._fetchers():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
