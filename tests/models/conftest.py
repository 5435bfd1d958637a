import pytest

from commands.models import Account, Run
from tests.people import make_account, make_person
from tests.rows import make_run


@pytest.fixture
def account(db: None) -> Account:
    return make_account()


@pytest.fixture
def run(account: Account) -> Run:
    return make_run(account, make_person("hilde", "helpdesk"))
