"""Heartbeats of beat, the workers and the broker. `queries/heartbeats.py` judges who is running.

A process writes its row itself, not through the broker (dexportal/celery/heartbeat.py). A broker that is down, or a
full queue, must not make other processes look dead. All times are the database's.
"""

import os
import socket
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from commands.models import Heartbeat

FORGOTTEN_AFTER = timedelta(days=1)
LAST_FORGOTTEN_AFTER = timedelta(days=30)  # the last row of a role, which shows where it ran


def beat(*roles: Heartbeat.Role, now: datetime) -> None:
    """Write the heartbeats of this process, and delete old rows.

    Every restart adds a row, so rows of processes that ended are deleted after a day. The last row of a role stays for
    30 days. Rows from the future were written while the clock was wrong.
    """
    instance = f"{socket.gethostname()}:{os.getpid()}"
    rows = [Heartbeat(role=role, instance=instance, seen_at=now) for role in roles]
    Heartbeat.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["role", "instance"], update_fields=["seen_at"]
    )
    later = Heartbeat.objects.filter(role=OuterRef("role"), seen_at__gt=OuterRef("seen_at"), seen_at__lte=now)
    is_replaced = Q(seen_at__lt=now - FORGOTTEN_AFTER) & Exists(later)
    is_ahead = Q(seen_at__gt=now + FORGOTTEN_AFTER)
    Heartbeat.objects.filter(is_replaced | is_ahead | Q(seen_at__lt=now - LAST_FORGOTTEN_AFTER)).delete()
