"""Portal settings for the fault runs: durations divided by 60, but none shorter than two busy cores allow.

Some durations stay longer, because process starts take the same time as ever, and HTTP's `Date` has whole seconds. Only
durations differ from the portal's settings.
"""

import os
from datetime import timedelta

os.environ.setdefault("TIME_SCALE", "60")

from dexportal.settings import *  # noqa: F403 - the portal settings that the rest overrides


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


DISPATCH_LEASE = _seconds(float(os.environ.get("DEXPORTAL_FAULTS_LEASE", "4")))
POST_DEADLINE = _seconds(1.5)
CONNECT_TIMEOUT = _seconds(0.5)
READ_TIMEOUT = _seconds(1)
GET_DEADLINE = _seconds(3)
GET_RETRY_BASE = _seconds(0.1)
PAUSE_BASE = _seconds(0.25)

ADOPT_BEFORE = _seconds(3)
ADOPT_AFTER = _seconds(8)

ARTIFACT_LEASE = _seconds(4)

SYNC_LEASE = _seconds(4)
SYNC_INTERVAL = _seconds(2)
DIRECTORY_LEASE = _seconds(5)
DIRECTORY_PASS = _seconds(120)
DIRECTORY_STEP_MAX = _seconds(30)

DELIVER_INTERVAL = _seconds(1)
SETTLE_INTERVAL = _seconds(1)
COLLECT_INTERVAL = _seconds(2)
DIRECTORY_INTERVAL = _seconds(5)
HEARTBEAT_INTERVAL = _seconds(5)
BROKER_TIMEOUT = _seconds(1)
WAKE_TIMEOUT = _seconds(0.3)
WAKE_QUIET = _seconds(1)
