"""People, an account and signed-in clients for the tests of the pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import Client

from commands.models import Account, Command, User
from commands.rules.states import Status
from tests.people import make_account, make_person
from tests.rows import make_command, make_run

type SignIn = Callable[[User], Client]


@pytest.fixture(autouse=True)
def _artifacts_in_a_folder_of_the_test(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}},
    }
    assert storages["artifacts"].exists("nothing") is False


@pytest.fixture
def sign_in() -> SignIn:
    def signed_in(person: User) -> Client:
        client = Client()
        client.force_login(person)
        return client

    return signed_in


@pytest.fixture
def account(db: None) -> Account:
    return make_account()


@pytest.fixture
def helpdesk(account: Account) -> User:
    return make_person("hanna", "helpdesk")


@pytest.fixture
def desk(helpdesk: User, sign_in: SignIn) -> Client:
    return sign_in(helpdesk)


@pytest.fixture
def command(account: Account, helpdesk: User) -> Command:
    values = {"email": "maria@example.com", "device_name": "LAP-0042", "platform": "windows", "version": 1}
    run = make_run(account, helpdesk, reason="VPN slow", ticket="INC-1")
    return make_command(run, Status.QUEUED, ticket="INC-1", options={"time-limit-min": 2}, **values)
