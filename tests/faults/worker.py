"""`python -m tests.faults.worker …`: Celery's own command line, with the points at which this process is to die.

`DEXPORTAL_CLOCK_OFF` (seconds) makes the clock wrong from which this process takes its `now`. The database's clock, by
which leases go, and Cloudflare's are right.
"""

import os
import sys
from datetime import timedelta

import django
from celery.bin.celery import main as celery_main
from django.utils import timezone

from tests.faults import halts, kill_points

CLOCK_VARIABLE = "DEXPORTAL_CLOCK_OFF"


def _set_clock(off: timedelta) -> None:
    real = timezone.now
    timezone.now = lambda: real() + off


def main() -> None:
    _set_clock(timedelta(seconds=float(os.environ.get(CLOCK_VARIABLE, "0"))))
    django.setup()
    halts.install()
    kill_points.install(os.environ.get(kill_points.VARIABLE, ""))
    sys.argv[0] = "celery"
    celery_main()


if __name__ == "__main__":
    main()
