"""Fault run as a separate process, started as `make chaos` does, for the tests."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WITHIN = 600.0  # seconds; enough for a busy machine


def run_chaos(arguments: Sequence[str]) -> tuple[int, str]:
    """Run `scripts.chaos`, and return its exit status and output."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.chaos", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    return done.returncode, done.stdout
