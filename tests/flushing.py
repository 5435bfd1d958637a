"""Emptying the tables after a test that commits: the only place where Events may be deleted.

The Events' own triggers forbid it, as they should. So they are taken away for the flush, here in the tests and nowhere
else, and made again from the migration's own words.
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
def events_may_go() -> Iterator[None]:
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
def _flushes_take_events_along() -> Iterator[None]:
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def flush_events_too(case: Any) -> None:
        with events_may_go():
            flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", flush_events_too)
        yield
