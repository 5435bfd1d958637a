"""Events are append-only: in code, and by a trigger for whoever goes past the code."""

import pytest
from django.db import DatabaseError, connection, transaction

from commands.models import Command, Event, Run
from commands.models.event import AppendOnly
from tests.flush_events import event_deletion_allowed
from tests.rows import a_command, an_event

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
    return an_event(a_command(run))


def test_an_event_is_not_saved_twice(event: Event) -> None:
    event.event = "another"
    with pytest.raises(AppendOnly):
        event.save()


def test_an_event_that_was_read_is_not_saved(event: Event) -> None:
    with pytest.raises(AppendOnly):
        Event.objects.get(id=event.id).save(update_fields=["event"])


def test_an_event_is_not_deleted(event: Event) -> None:
    with pytest.raises(AppendOnly):
        event.delete()


def test_many_events_are_neither_updated_nor_deleted(event: Event) -> None:
    with pytest.raises(AppendOnly):
        Event.objects.filter(id=event.id).update(event="another")
    with pytest.raises(AppendOnly):
        Event.objects.all().delete()


@pytest.mark.parametrize(
    "statement", ["UPDATE commands_event SET event = 'another'", "DELETE FROM commands_event"], ids=["update", "delete"]
)
def test_the_database_itself_refuses(event: Event, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Event.objects.get().event == "moved"


def test_a_bulk_update_ends_at_the_trigger(event: Event) -> None:
    event.event = "another"
    with pytest.raises((AppendOnly, DatabaseError)), transaction.atomic():
        Event.objects.bulk_update([event], ["event"])
    assert Event.objects.get().event == "moved"


def test_a_command_has_one_event_a_version(event: Event) -> None:
    command = event.command
    assert command is not None
    with pytest.raises(DatabaseError), transaction.atomic():
        an_event(command, version=event.version)
    an_event(command, version=2)
    assert Event.objects.filter(command=command).count() == 2


@pytest.mark.parametrize("values", [{"version": None}, {"command": None}], ids=["no version", "no command"])
def test_an_event_of_a_command_is_numbered_and_no_other(event: Event, values: dict[str, None]) -> None:
    command = event.command
    assert command is not None
    with pytest.raises(DatabaseError, match="event_of_command_is_numbered"), transaction.atomic():
        an_event(command, **{"version": 2, **values})


@pytest.mark.django_db(transaction=True)
class TestCommitted:
    """Two tests that commit: the second proves that what the first left is gone, and the trigger is not."""

    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, transactional_db: None) -> None:
        assert not Event.objects.exists()
        assert not Command.objects.exists()

    @pytest.mark.parametrize("turn", [1, 2])
    def test_a_committed_event_goes_with_the_flush_only(self, turn: int, run: Run) -> None:
        an_event(a_command(run))
        with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM commands_event")
        assert Event.objects.count() == 1

    def test_the_triggers_are_back_after_a_flush(self, run: Run) -> None:
        with event_deletion_allowed():
            pass
        an_event(a_command(run))
        with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
            cursor.execute("UPDATE commands_event SET event = 'another'")

    def test_neither_is_the_table_emptied_nor_a_line_replaced(self, run: Run) -> None:
        """Triggers of update and delete know nothing of either."""
        an_event(a_command(run))
        for statement in ROUND_THE_TRIGGERS[connection.vendor]:
            with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
                cursor.execute(statement)
        assert Event.objects.get().event == "moved"
