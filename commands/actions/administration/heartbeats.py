"""Signs of life of beat, the workers and the broker, and what follows from them.

Whoever gives one writes it himself, not through the broker (dexportal/liveness.py): a broker that is away, or a queue
that stands still, must not make others look dead. All times are the database's, when written and when judged.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, Exists, ExpressionWrapper, Max, OuterRef, Q
from django.db.models.functions import Now

from commands import clock
from commands.models import Heartbeat

FORGOTTEN_AFTER = timedelta(days=1)
LAST_FORGOTTEN_AFTER = timedelta(days=30)  # the last one of a role: who was it, when nobody of it lives
_A_MOMENT = timedelta(seconds=1)
Role = Heartbeat.Role
WORKERS = (Role.TALK, Role.FETCH)
PROCESSES = (Role.BEAT, *WORKERS)


@dataclass(frozen=True, slots=True)
class Signs:
    """By role the last sign of life; `now` is the clock that they were written by."""

    seen: Mapping[Heartbeat.Role, datetime | None]
    now: datetime

    @property
    def alive(self) -> list[Heartbeat.Role]:
        return [role for role in PROCESSES if not self._is_late(role)]

    @property
    def away(self) -> list[Heartbeat.Role]:
        """Who is away. While the broker is, workers wait for it in silence: nobody can tell whether they live."""
        if self._lacks_broker():
            return [Role.BROKER]
        return [role for role in PROCESSES if self._is_late(role)]

    def _is_late(self, role: Heartbeat.Role) -> bool:
        at = self.seen.get(role)
        return at is None or self.now - at >= settings.HEARTBEAT_LATE

    def _lacks_broker(self) -> bool:
        """Only a beat that lives can tell: it has a message for the broker every few seconds."""
        told, taken = self.seen.get(Role.BEAT), self.seen.get(Role.BROKER)
        if told is None or self._is_late(Role.BEAT):
            return False
        return taken is None or told - taken >= settings.BROKER_LATE


def beat(*roles: Heartbeat.Role, now: datetime) -> None:
    """This process lives, and does this. Rows of processes that are long gone go, and those from times to come; each
    restart makes new ones, so of a role without anybody only the last one stays."""
    instance = f"{socket.gethostname()}:{os.getpid()}"
    rows = [Heartbeat(role=role, instance=instance, seen_at=now) for role in roles]
    Heartbeat.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["role", "instance"], update_fields=["seen_at"]
    )
    later = Heartbeat.objects.filter(role=OuterRef("role"), seen_at__gt=OuterRef("seen_at"), seen_at__lte=now)
    gone = Q(seen_at__lt=now - FORGOTTEN_AFTER) & Exists(later)
    to_come = Q(seen_at__gt=now + FORGOTTEN_AFTER)
    Heartbeat.objects.filter(gone | to_come | Q(seen_at__lt=now - LAST_FORGOTTEN_AFTER)).delete()


def believable() -> Q:
    """What was written before the database's clock was set back says nothing of now."""
    return Q(seen_at__lte=ExpressionWrapper(Now() + _A_MOMENT, DateTimeField()))


def signs() -> Signs:
    """Two queries."""
    newest: dict[str, Any] = {role: Max("seen_at", filter=Q(role=role) & believable()) for role in Role}
    found = Heartbeat.objects.aggregate(**newest)
    return Signs({role: found[role] for role in Role}, clock.database_now())
