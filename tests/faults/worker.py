"""`python -m tests.faults.worker …`: Celery's own command line, with the points at which this process is to die.

`DEXPORTAL_CLOCK_OFF` (seconds) makes the process's own clock wrong; it jumps by as much more as stands in the file that
`DEXPORTAL_CLOCK_FILE` names, for as long as that is there. The database's clock, the only one that counts, is right.
"""

import os
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import django
from celery.bin.celery import main as celery_main
from django.utils import timezone

from tests.faults import halts, kill_points

CLOCK_VARIABLE = "DEXPORTAL_CLOCK_OFF"
JUMP_VARIABLE = "DEXPORTAL_CLOCK_FILE"


def _set_clock(off: timedelta, jumps: Path) -> None:
    real = timezone.now
    timezone.now = lambda: real() + off + _jumped(jumps)


def _jumped(jumps: Path) -> timedelta:
    with suppress(FileNotFoundError, ValueError):  # not there, or just being written
        return timedelta(seconds=float(jumps.read_text()))
    return timedelta()


def main() -> None:
    _set_clock(timedelta(seconds=float(os.environ.get(CLOCK_VARIABLE, "0"))), Path(os.environ[JUMP_VARIABLE]))
    django.setup()
    halts.install()
    kill_points.install(os.environ.get(kill_points.VARIABLE, ""))
    sys.argv[0] = "celery"
    celery_main()


if __name__ == "__main__":
    main()
