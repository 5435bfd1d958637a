"""Liveness of beat, the workers and the broker, judged from the heartbeats that they write."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max, Q
from django.db.models.functions import Now

from commands import clock
from commands.models import Heartbeat
from commands.models.heartbeat import CREDIBLE

Role = Heartbeat.Role
WORKERS = (Role.TALK, Role.FETCH)
PROCESSES = (Role.BEAT, *WORKERS)


@dataclass(frozen=True, slots=True)
class Liveness:
    """Last heartbeat of each role, None if there was none, and the database's time to judge them by."""

    seen: Mapping[Heartbeat.Role, datetime | None]
    now: datetime

    @property
    def alive(self) -> list[Heartbeat.Role]:
        return [role for role in PROCESSES if not self._is_late(role)]

    @property
    def down(self) -> list[Heartbeat.Role]:
        """Roles that are down. If the broker is, workers are silent because they wait for it, so they aren't named."""
        if self._lacks_broker():
            return [Role.BROKER]
        return [role for role in PROCESSES if self._is_late(role)]

    def _is_late(self, role: Heartbeat.Role) -> bool:
        at = self.seen.get(role)
        return at is None or self.now - at >= settings.HEARTBEAT_LATE

    def _lacks_broker(self) -> bool:
        """Compare beat's own heartbeat with the last message that the broker took from it, every few seconds.

        Only a running beat can find the broker down.
        """
        beat, broker = self.seen.get(Role.BEAT), self.seen.get(Role.BROKER)
        if beat is None or self._is_late(Role.BEAT):
            return False
        return broker is None or beat - broker >= settings.BROKER_LATE


@dataclass(frozen=True, slots=True)
class ProcessHeartbeat:
    """Last heartbeat of one process, with its age by the database's clock."""

    role: Heartbeat.Role
    instance: str
    seen_at: datetime
    age: timedelta

    @property
    def is_alive(self) -> bool:
        limit: timedelta = settings.HEARTBEAT_LATE
        return self.age < limit


def liveness() -> Liveness:
    """Read the last heartbeat of each role, with two queries."""
    newest: dict[str, Any] = {role: Max("seen_at", filter=Q(role=role) & CREDIBLE) for role in Role}
    found = Heartbeat.objects.aggregate(**newest)
    return Liveness({role: found[role] for role in Role}, clock.database_now())


def processes() -> list[ProcessHeartbeat]:
    """Read the last heartbeat of each process, with one query."""
    rows = Heartbeat.objects.credible().annotate(now=Now()).order_by("role", "id")
    return [
        ProcessHeartbeat(Role(role), instance, seen_at, now - seen_at)
        for role, instance, seen_at, now in rows.values_list("role", "instance", "seen_at", "now")
    ]


def liveness_of(beats: Iterable[ProcessHeartbeat]) -> Liveness:
    """Judge from heartbeats that were already read."""
    seen: dict[Heartbeat.Role, datetime | None] = dict.fromkeys(Role)
    now = datetime.min.replace(tzinfo=UTC)
    for beat in beats:
        now = beat.seen_at + beat.age
        seen[beat.role] = max(seen[beat.role] or beat.seen_at, beat.seen_at)
    return Liveness(seen, now)
