"""Pytest plugin that empties the tables after a test that commits. No other code may delete Events.

Triggers of the database forbid to delete Events, and would stop the flush too. So the plugin drops them for the time of
the flush, and then recreates them with the SQL of the migration.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase

_migration = import_module("commands.migrations.0002_event_append_only_trigger")


@contextmanager
def event_deletion_allowed() -> Iterator[None]:
    """Drop the triggers that protect Events, and recreate them at the end."""
    with connection.cursor() as cursor:
        for statement in _migration.UNDO[connection.vendor]:
            cursor.execute(statement)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for statement in _migration.MAKE[connection.vendor]:
                cursor.execute(statement)


@pytest.fixture(autouse=True, scope="session")
def _flush_deletes_events() -> Iterator[None]:
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def flush_with_events(case: Any) -> None:
        with event_deletion_allowed():
            flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", flush_with_events)
        yield
