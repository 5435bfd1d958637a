"""No row of the events' table is ever changed, replaced or deleted, whoever asks the database."""

from django.db import migrations

SAYS_NO = "SELECT RAISE(ABORT, 'events are append-only');"
MAKE = {
    "sqlite": [
        f"CREATE TRIGGER commands_event_no_update BEFORE UPDATE ON commands_event BEGIN {SAYS_NO} END",
        f"CREATE TRIGGER commands_event_no_delete BEFORE DELETE ON commands_event BEGIN {SAYS_NO} END",
        # INSERT OR REPLACE deletes what is in its way without a trigger of deletion.
        f"""
        CREATE TRIGGER commands_event_no_replace BEFORE INSERT ON commands_event
        WHEN EXISTS (SELECT 1 FROM commands_event WHERE id = NEW.id)
        OR EXISTS (SELECT 1 FROM commands_event WHERE command_id = NEW.command_id AND version = NEW.version)
        BEGIN {SAYS_NO} END
        """,
    ],
    "postgresql": [
        """
        CREATE FUNCTION commands_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'events are append-only'; END $$
        """,
        """
        CREATE TRIGGER commands_event_append_only BEFORE UPDATE OR DELETE ON commands_event
        FOR EACH ROW EXECUTE FUNCTION commands_event_append_only()
        """,
        """
        CREATE TRIGGER commands_event_no_truncate BEFORE TRUNCATE ON commands_event
        FOR EACH STATEMENT EXECUTE FUNCTION commands_event_append_only()
        """,
    ],
}
UNDO = {
    "sqlite": [f"DROP TRIGGER commands_event_no_{verb}" for verb in ("update", "delete", "replace")],
    "postgresql": [
        "DROP TRIGGER commands_event_append_only ON commands_event",
        "DROP TRIGGER commands_event_no_truncate ON commands_event",
        "DROP FUNCTION commands_event_append_only",
    ],
}


def make(apps, schema_editor):
    for statement in MAKE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def unmake(apps, schema_editor):
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("commands", "0001_initial")]
    operations = [migrations.RunPython(make, unmake)]
