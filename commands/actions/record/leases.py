"""Leases on rows, by the database's clock.

Of two workers that reach for a row, one gets it. A lease that ran out is free for the next worker, and the fence
(`is_holder`) keeps the late worker from writing. An attempt is counted when the lease is taken, so that work which
kills its worker is given up after some attempts.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import IntegrityError, InterfaceError, InternalError, OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet

from commands import clock
from commands.models.leased import Leased

DATABASE_DOWN = (OperationalError, InterfaceError, InternalError)
"""Errors of a database that is down, or that ended a transaction which waited too long."""


@dataclass(frozen=True, slots=True)
class Lease:
    token: UUID
    until: datetime


def is_free(now: datetime) -> Q:
    return clock.has_passed("lease_until", now) & clock.has_passed("not_before", now)


def take[L: Leased](rows: QuerySet[L], *, lasting: timedelta, values: Mapping[str, object] | None = None) -> L | None:
    """Lease the first free row of `rows`, in their order, and count the attempt. Return None if no row is free."""
    with transaction.atomic():
        now = clock.database_now()
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
    """Return the fence: a condition that holds only while the row still has this lease."""
    return Q(pk=row.pk, lease_token=row.lease_token)


def renew(row: Leased, *, lasting: timedelta) -> bool:
    """Extend a lease. Return False if the row no longer has it."""
    return type(row)._default_manager.filter(is_holder(row)).update(lease_until=clock.database_now() + lasting) == 1


class KeptAlive:
    """Lease that is extended while there is progress.

    Call `is_held` at every step: it renews the lease when a quarter of it is gone.
    """

    def __init__(self, row: Leased, *, lasting: timedelta) -> None:
        self._row, self._lasting, self._renewed = row, lasting, time.monotonic()

    def is_held(self) -> bool:
        if time.monotonic() - self._renewed < self._lasting.total_seconds() / 4:
            return True
        self._renewed = time.monotonic()
        return renew(self._row, lasting=self._lasting)


def released(*, attempts: int = 0, not_before: datetime | None = None) -> dict[str, object]:
    """Return the columns that end a lease. `attempts` is 0 after a success."""
    return {"lease_token": None, "lease_until": None, "attempts": attempts, "not_before": not_before}


def hand_back(row: Leased, *, attempts: int = 0, not_before: datetime | None = None) -> bool:
    """End a lease. Return False if the row no longer has it."""
    values = released(attempts=attempts, not_before=not_before)
    return type(row)._default_manager.filter(is_holder(row)).update(**values) == 1


def retry_while_database_is_down(write: Callable[[], None], *, until: float, every: float = 0.5) -> None:
    """Repeat a write that must not be lost while the database is down, until this monotonic time.

    After an IntegrityError the next try sees what another worker wrote at the same moment.
    """
    while True:
        try:
            return write()
        except (*DATABASE_DOWN, IntegrityError):
            if time.monotonic() + every > until:
                raise
        connection.close()
        time.sleep(every)
