"""No row of the events' table is ever changed or deleted, whoever asks the database."""

from django.db import migrations

SQLITE = [
    """
    CREATE TRIGGER commands_event_no_{verb} BEFORE {VERB} ON commands_event
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """.replace("{verb}", verb).replace("{VERB}", verb.upper())
    for verb in ("update", "delete")
]
POSTGRESQL = [
    """
    CREATE FUNCTION commands_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'events are append-only'; END $$
    """,
    """
    CREATE TRIGGER commands_event_append_only BEFORE UPDATE OR DELETE ON commands_event
    FOR EACH ROW EXECUTE FUNCTION commands_event_append_only()
    """,
]
UNDO = {
    "sqlite": ["DROP TRIGGER commands_event_no_update", "DROP TRIGGER commands_event_no_delete"],
    "postgresql": [
        "DROP TRIGGER commands_event_append_only ON commands_event",
        "DROP FUNCTION commands_event_append_only",
    ],
}


def make(apps, schema_editor):
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def unmake(apps, schema_editor):
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("commands", "0001_initial")]
    operations = [migrations.RunPython(make, unmake)]
