"""A fault run as a process of its own, as `make chaos` starts it, for the tests."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WITHIN = 600.0  # seconds; on a machine that does much else besides


def chaos(words: Sequence[str]) -> tuple[int, str]:
    """(exit status, all that it said)."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.chaos", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    return done.returncode, done.stdout
