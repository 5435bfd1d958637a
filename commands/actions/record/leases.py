"""Leases: who works on what, until when, and how it is handed back. By the database's clock, whoever asks.

Two workers that reach for the same row get it once. A lease that ran out is free for the next; the fence (`held`)
keeps the late one from writing. A claim counts as an attempt before the work begins, so that work which kills its
worker comes to rest.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, InterfaceError, InternalError, OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet

from commands.models.leased import Leased

DATABASE_DOWN = (OperationalError, InterfaceError, InternalError)
"""What is raised when the database is away, or has given up a transaction that stood still."""


@dataclass(frozen=True, slots=True)
class Lease:
    token: UUID
    until: datetime


def database_now() -> datetime:
    """The database's clock, aware UTC. On PostgreSQL that of this statement, not of the transaction's begin."""
    statement = {
        "postgresql": "SELECT clock_timestamp()",
        "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (value,) = cursor.fetchone()
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value


def has_passed(name: str, now: datetime) -> Q:
    """Nothing is to be waited for any more: there is no time in this column, or it has come.

    Or it is further ahead than anything is ever meant to last: the clock was wrong when it was written.
    """
    return Q(**{name: None}) | Q(**{f"{name}__lte": now}) | Q(**{f"{name}__gt": now + settings.LONGEST_REST})


def is_ahead(at: datetime | None, now: datetime) -> bool:
    """The contrary of `is_over`, of a time that is here already."""
    return at is not None and now < at <= now + settings.LONGEST_REST


def is_free(now: datetime) -> Q:
    return has_passed("lease_until", now) & has_passed("not_before", now)


def take[L: Leased](rows: QuerySet[L], *, lasting: timedelta, values: Mapping[str, object] | None = None) -> L | None:
    """Lease the first free row of `rows` (in their order), or none. The attempt is counted now."""
    with transaction.atomic():
        now = database_now()
        row = rows.filter(is_free(now)).select_for_update(skip_locked=True, of=("self",)).first()
        if row is None:
            return None
        lease = Lease(uuid4(), now + lasting)
        type(row)._default_manager.filter(pk=row.pk).update(
            lease_token=lease.token, lease_until=lease.until, attempts=F("attempts") + 1, **(values or {})
        )
        row.refresh_from_db(fields=["lease_token", "lease_until", "attempts", *(values or {})])
        return row


def is_holder(row: Leased) -> Q:
    """The fence: true only while this lease is still the row's own."""
    return Q(pk=row.pk, lease_token=row.lease_token)


def renew(row: Leased, *, lasting: timedelta) -> bool:
    """Longer work, a longer lease; False if it was no longer ours."""
    return type(row)._default_manager.filter(is_holder(row)).update(lease_until=database_now() + lasting) == 1


class KeptAlive:
    """A lease that goes on while there is progress: to be asked at every step, renewed when a quarter of it is gone."""

    def __init__(self, row: Leased, *, lasting: timedelta) -> None:
        self._row, self._lasting, self._renewed = row, lasting, time.monotonic()

    def is_held(self) -> bool:
        if time.monotonic() - self._renewed < self._lasting.total_seconds() / 4:
            return True
        self._renewed = time.monotonic()
        return renew(self._row, lasting=self._lasting)


def released(*, attempts: int = 0, not_before: datetime | None = None) -> dict[str, object]:
    """The columns that end a lease; `attempts` 0 after a success."""
    return {"lease_token": None, "lease_until": None, "attempts": attempts, "not_before": not_before}


def hand_back(row: Leased, *, attempts: int = 0, not_before: datetime | None = None) -> bool:
    """Let go of a lease; False if it was no longer ours."""
    values = released(attempts=attempts, not_before=not_before)
    return type(row)._default_manager.filter(is_holder(row)).update(**values) == 1


def retry_while_database_is_down(write: Callable[[], None], *, until: float, every: float = 0.5) -> None:
    """Write what must not be lost: again and again while the database is away, until this monotonic time.

    A rival that wrote the same id in the same moment is seen by the next try.
    """
    while True:
        try:
            return write()
        except (*DATABASE_DOWN, IntegrityError):
            if time.monotonic() + every > until:
                raise
        connection.close()
        time.sleep(every)
