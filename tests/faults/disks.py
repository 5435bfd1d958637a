"""The disks of a fault run that fill up: the spool's own small one, and a full one that is put over the store.

Only root can mount them, in a namespace that is gone with this process. Without root no file of a fetching worker
grows beyond a limit, which both of them meet.
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
    """`fetchers` gives the process ids of the workers that fetch."""

    def __init__(self, var: Path, fetchers: Callable[[], Iterable[int]]) -> None:
        self._var = var
        self._fetchers = fetchers
        self._are_own = False

    def prepare(self) -> None:
        for name in SIZES:
            (self._var / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError, subprocess.CalledProcessError, AttributeError):
            os.unshare(os.CLONE_NEWNS)
            _call("mount", "--make-rprivate", "/")
            self._mount(SPOOL)
            self._are_own = True

    def fill(self, name: str) -> None:
        """What lies in the store stays where it is, below the full disk."""
        if not self._are_own:
            self._limit_files(LIMIT)
            return
        if name == STORE:
            self._mount(STORE)
        with suppress(OSError), self._ballast(name).open("wb", buffering=0) as ballast:
            while ballast.write(bytes(65536)):
                pass

    def empty(self, name: str) -> None:
        if not self._are_own:
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


def _call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
