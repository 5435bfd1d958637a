import pytest
from django.test import Client

from commands.models import Account, Command, Heartbeat, User
from commands.rules.states import Status
from tests.admin.pages import now
from tests.people import make_account, make_person
from tests.rows import make_artifact, make_command, make_device, make_event, make_notification, make_pause, make_run


@pytest.fixture
def admin(db: None) -> User:
    return make_person("adele", "admin")


@pytest.fixture
def client_of_admin(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


@pytest.fixture
def account(db: None) -> Account:
    return make_account()


@pytest.fixture
def command(account: Account) -> Command:
    """Create a row of every model that the admin shows, and return the command."""
    command = make_command(make_run(account, make_person("hilde", "helpdesk")), Status.PENDING_EXEC)
    make_event(command)
    make_artifact(command)
    make_device(account, email="mia@example.com", device_id="machine-1")
    Heartbeat.objects.create(role=Heartbeat.Role.BEAT, instance="host 1", seen_at=now())
    make_notification(make_pause(account, "list"))
    return command
