"""Clock of the database, and comparisons with it. Workers and pages compare stored times with no other clock."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import connection
from django.db.models import Q


def database_now() -> datetime:
    """Return the database's time in UTC. PostgreSQL gives the time of this statement, not of the transaction."""
    statement = {
        "postgresql": "SELECT clock_timestamp()",
        "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (value,) = cursor.fetchone()
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value


def has_passed(name: str, now: datetime) -> Q:
    """Return the condition that the time in this column has come, or is absent.

    A time that is further ahead than anything ever lasts counts as passed: a wrong clock wrote it.
    """
    return Q(**{name: None}) | Q(**{f"{name}__lte": now}) | Q(**{f"{name}__gt": now + settings.LONGEST_WAIT})


def is_ahead(at: datetime | None, now: datetime) -> bool:
    """Return whether a time that was read from the database is still to come: the opposite of `has_passed`."""
    return at is not None and now < at <= now + settings.LONGEST_WAIT
