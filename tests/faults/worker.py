"""`python -m tests.faults.worker …`: Celery's command line with kill points, a halt point and a wrong clock.

`DEXPORTAL_CLOCK_OFF` (seconds) shifts the clock of this process. The file named by `DEXPORTAL_CLOCK_FILE` adds a jump
for as long as it exists. The database's clock, on which the portal relies, stays right.
"""

import os
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import django
from celery.bin.celery import main as celery_main
from django.utils import timezone

from tests.faults import halt_points, kill_points

CLOCK_VARIABLE = "DEXPORTAL_CLOCK_OFF"
JUMP_VARIABLE = "DEXPORTAL_CLOCK_FILE"


def _set_clock(offset: timedelta, jump_file: Path) -> None:
    real = timezone.now
    timezone.now = lambda: real() + offset + _current_jump(jump_file)


def _current_jump(jump_file: Path) -> timedelta:
    with suppress(FileNotFoundError, ValueError):  # no file, or half written
        return timedelta(seconds=float(jump_file.read_text()))
    return timedelta()


def main() -> None:
    _set_clock(timedelta(seconds=float(os.environ.get(CLOCK_VARIABLE, "0"))), Path(os.environ[JUMP_VARIABLE]))
    django.setup()
    halt_points.install()
    kill_points.install(os.environ.get(kill_points.VARIABLE, ""))
    sys.argv[0] = "celery"
    celery_main()


if __name__ == "__main__":
    main()
