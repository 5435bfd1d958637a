"""Signs of life of beat and the workers."""

import os
import socket
from datetime import datetime, timedelta

from django.conf import settings

from commands.models import Heartbeat

FORGOTTEN_AFTER = timedelta(days=1)


def beat(role: Heartbeat.Role, *, now: datetime) -> None:
    """This process lives. Rows of processes that are long gone go."""
    instance = f"{socket.gethostname()}:{os.getpid()}"
    Heartbeat.objects.update_or_create(role=role, instance=instance, defaults={"seen_at": now})
    Heartbeat.objects.filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()


def missing(*, now: datetime) -> list[Heartbeat.Role]:
    """The roles of which nobody gave a sign of life lately."""
    alive = set(Heartbeat.objects.filter(seen_at__gt=now - settings.HEARTBEAT_LATE).values_list("role", flat=True))
    return [role for role in Heartbeat.Role if role not in alive]
