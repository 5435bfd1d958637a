"""Database schema: whether the migrations of this code, and only those, are applied."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

APP = "commands"

_migrated = False  # stays true once it is: new migrations come with a new process


def is_migrated() -> bool:
    """Check that no migration is left to apply. Raises DatabaseError."""
    global _migrated  # noqa: PLW0603 - a fact about this process
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def unknown_migrations() -> list[str]:
    """Return the names of applied migrations of `commands` that this code doesn't have. Raises DatabaseError.

    Such a database was made by other code. Migrating it would leave old columns and constraints in place, because
    `0001_initial` is recorded as applied already.
    """
    recorder = MigrationRecorder(connection)
    applied = {name for app, name in recorder.applied_migrations() if app == APP}
    known = {name for app, name in MigrationExecutor(connection).loader.disk_migrations if app == APP}
    return sorted(applied - known)
