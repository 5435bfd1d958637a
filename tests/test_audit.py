"""Events and the data that they may have."""

from uuid import uuid4

import pytest
from django.utils import timezone

from commands import audit
from commands.audit import ALLOWED, CLOUDFLARE, PORTAL, Subject, by_person
from commands.models import Account, AccountVersion, Command, Event
from commands.rules.events import EventType
from commands.rules.states import Mover
from tests.people import make_account, make_person
from tests.rows import make_command, make_run


@pytest.fixture
def account() -> Account:
    return make_account()


@pytest.fixture
def command(account: Account) -> Command:
    return make_command(make_run(account, make_person("helpdesk", "helpdesk")))


def _record_event(command: Command, event: EventType, **data: object) -> Event:
    audit.record(command, event=event, by=PORTAL, now=timezone.now(), data=data)
    return Event.objects.filter(command=command).latest("version")


@pytest.mark.parametrize("event", EventType)
def test_every_event_type_has_its_allowed_keys(event: EventType) -> None:
    assert event in ALLOWED
    assert not ALLOWED[event] & {"token", "secret", "key", "content", "evidence"}


@pytest.mark.django_db
@pytest.mark.parametrize("event", EventType)
def test_data_with_another_key_is_refused_and_nothing_is_written(command: Command, event: EventType) -> None:
    with pytest.raises(ValueError, match="token"):
        _record_event(command, event, token="of-a-test")
    command.refresh_from_db()
    assert command.version == 0
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("event", EventType)
def test_allowed_data_is_stored(command: Command, event: EventType) -> None:
    data = {key: f"its {key}" for key in ALLOWED[event]}
    assert _record_event(command, event, **data).data == data


@pytest.mark.django_db
def test_empty_values_are_not_stored(command: Command) -> None:
    event = _record_event(command, EventType.ARTIFACT, reason_code="", artifact="a", sha256=None, size=0)
    assert event.data == {"artifact": "a", "size": 0}


@pytest.mark.django_db
def test_event_without_a_move_takes_the_next_version_and_leaves_the_account_version(
    account: Account, command: Command
) -> None:
    before = AccountVersion.objects.get(account=account).number
    person = command.requested_by
    assert person is not None
    now = timezone.now()
    for size in (1, 2):
        data = {"artifact": "a", "size": size}
        audit.record(command, event=EventType.DOWNLOADED, by=by_person(person), now=now, data=data)
    events = list(Event.objects.filter(command=command).order_by("version"))
    assert [(event.version, event.data["size"]) for event in events] == [(1, 1), (2, 2)]
    assert {(event.by, event.mover, event.at, event.run_id, event.account_id) for event in events} == {
        (person, Mover.PERSON, now, command.run_id, account.id)
    }
    assert Command.objects.get(id=command.id).version == 2
    assert AccountVersion.objects.get(account=account).number == before


@pytest.mark.django_db
def test_data_of_a_single_subject_overrides_shared_data(command: Command) -> None:
    other = make_command(make_run(command.account, make_person("other", "helpdesk")))
    subjects = [Subject(each.id, each.account_id, each.run_id, 1, "queued", "rejected") for each in (command, other)]
    audit.write(
        subjects,
        event=EventType.MOVED,
        by=CLOUDFLARE,
        now=timezone.now(),
        data={"remote_message": "all"},
        each={other.id: {"remote_message": "this one", "remote_id": "x"}, uuid4(): {"remote_message": "nobody"}},
    )
    data_by_command = {event.command_id: event.data for event in Event.objects.all()}
    assert data_by_command == {
        command.id: {"remote_message": "all"},
        other.id: {"remote_message": "this one", "remote_id": "x"},
    }
