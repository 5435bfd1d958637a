import pytest
from django.test import Client

from commands.models import Account, Command, Heartbeat, User
from commands.rules.states import Status
from tests.admin.pages import now
from tests.people import make_account, make_person
from tests.rows import a_command, a_device, a_notification, a_pause, a_run, an_artifact, an_event


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
    command = a_command(a_run(account, make_person("hilde", "helpdesk")), Status.PENDING_EXEC)
    an_event(command)
    an_artifact(command)
    a_device(account, email="mia@example.com", device_id="machine-1")
    Heartbeat.objects.create(role=Heartbeat.Role.BEAT, instance="host 1", seen_at=now())
    a_notification(a_pause(account, "list"))
    return command
