"""`python -m tests.faults.worker …`: Celery's own command line, with the points at which this process is to die."""

import os
import sys

import django
from celery.bin.celery import main as celery_main

from tests.faults import kill_points


def main() -> None:
    django.setup()
    kill_points.install(os.environ.get(kill_points.VARIABLE, ""))
    sys.argv[0] = "celery"
    celery_main()


if __name__ == "__main__":
    main()
