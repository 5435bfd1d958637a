"""Events are append-only, by the model and by a database trigger."""

import pytest
from django.db import DatabaseError, connection, transaction

from commands.models import Command, Event, Run
from commands.models.event import AppendOnly
from tests.flush_events import event_deletion_allowed
from tests.rows import make_command, make_event

SAME_VERSION = """
    INSERT OR REPLACE INTO commands_event (id, at, event, command_id, version, from_status, to_status, mover, data)
    SELECT 'another', at, 'another', command_id, version, '', '', mover, '{}' FROM commands_event
"""
ROUND_THE_TRIGGERS = {
    "sqlite": ["INSERT OR REPLACE INTO commands_event SELECT * FROM commands_event", SAME_VERSION],
    "postgresql": ["TRUNCATE commands_event"],
}


@pytest.fixture
def event(run: Run) -> Event:
    return make_event(make_command(run))


def test_event_cannot_be_saved_twice(event: Event) -> None:
    event.event = "another"
    with pytest.raises(AppendOnly):
        event.save()


def test_loaded_event_cannot_be_saved(event: Event) -> None:
    with pytest.raises(AppendOnly):
        Event.objects.get(id=event.id).save(update_fields=["event"])


def test_event_cannot_be_deleted(event: Event) -> None:
    with pytest.raises(AppendOnly):
        event.delete()


def test_events_cannot_be_updated_or_deleted_in_bulk(event: Event) -> None:
    with pytest.raises(AppendOnly):
        Event.objects.filter(id=event.id).update(event="another")
    with pytest.raises(AppendOnly):
        Event.objects.all().delete()


@pytest.mark.parametrize(
    "statement", ["UPDATE commands_event SET event = 'another'", "DELETE FROM commands_event"], ids=["update", "delete"]
)
def test_trigger_refuses_statement(event: Event, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Event.objects.get().event == "moved"


def test_trigger_refuses_a_bulk_update(event: Event) -> None:
    event.event = "another"
    with pytest.raises((AppendOnly, DatabaseError)), transaction.atomic():
        Event.objects.bulk_update([event], ["event"])
    assert Event.objects.get().event == "moved"


def test_version_of_a_command_has_one_event(event: Event) -> None:
    command = event.command
    assert command is not None
    with pytest.raises(DatabaseError), transaction.atomic():
        make_event(command, version=event.version)
    make_event(command, version=2)
    assert Event.objects.filter(command=command).count() == 2


@pytest.mark.parametrize("values", [{"version": None}, {"command": None}], ids=["no version", "no command"])
def test_only_events_of_a_command_have_a_version(event: Event, values: dict[str, None]) -> None:
    command = event.command
    assert command is not None
    with pytest.raises(DatabaseError, match="event_of_command_is_numbered"), transaction.atomic():
        make_event(command, **{"version": 2, **values})


@pytest.mark.django_db(transaction=True)
class TestCommitted:
    """Tests that commit. The second one proves that the flush deletes the events and keeps the trigger."""

    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, transactional_db: None) -> None:
        assert not Event.objects.exists()
        assert not Command.objects.exists()

    @pytest.mark.parametrize("turn", [1, 2])
    def test_only_a_flush_deletes_committed_events(self, turn: int, run: Run) -> None:
        make_event(make_command(run))
        with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM commands_event")
        assert Event.objects.count() == 1

    def test_triggers_are_active_again_after_a_flush(self, run: Run) -> None:
        with event_deletion_allowed():
            pass
        make_event(make_command(run))
        with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
            cursor.execute("UPDATE commands_event SET event = 'another'")

    def test_truncate_and_replace_are_refused(self, run: Run) -> None:
        """Refuse statements that don't fire the triggers of UPDATE and DELETE."""
        make_event(make_command(run))
        for statement in ROUND_THE_TRIGGERS[connection.vendor]:
            with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
                cursor.execute(statement)
        assert Event.objects.get().event == "moved"
