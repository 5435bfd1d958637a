"""Number of queries of the desk, and counts that stop at a limit."""

import pytest
from django.core.exceptions import FieldFetchBlocked
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from commands.models import Account, User
from commands.queries import commands, devices, viewer_context
from commands.queries.commands import Filter
from commands.rules.states import Status
from tests.people import make_account, make_person
from tests.rows import make_command, make_device, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make_account()


@pytest.fixture
def helpdesk(account: Account) -> User:
    return make_person("hanna", "helpdesk")


def test_counts_take_one_query_and_stop_at_a_limit(
    account: Account,
    helpdesk: User,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(commands, "COUNT_STOPS_AT", 3)
    run = make_run(account, helpdesk)
    for status in (Status.QUEUED, *[Status.FAILED] * 6):
        make_command(run, status)
    filters = [Filter(account.id, group=group) for group in ("open", "done", "failed")]
    with django_assert_num_queries(1):
        assert commands.count_up_to(filters) == [1, 0, 4]
    assert commands.count_up_to([]) == []


def test_page_of_commands_takes_one_query(
    account: Account, helpdesk: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    run = make_run(account, helpdesk)
    failed = [make_command(run, Status.FAILED) for _ in range(3)]
    with django_assert_num_queries(1):
        rows, more = commands.newest(Filter(account.id))
        assert [row.requested_by.username for row in rows if row.requested_by] == ["hanna"] * 3
    assert [row.id for row in rows] == [command.id for command in reversed(failed)]
    assert not more
    with pytest.raises(FieldFetchBlocked):
        _ = rows[0].run


def test_viewer_context_takes_two_queries_for_any_number_of_accounts(
    account: Account, helpdesk: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_account(f"More {number}")
    account.version.refresh_from_db()
    helpdesk.refresh_from_db()
    with django_assert_num_queries(viewer_context.QUERIES):
        context = viewer_context.find(helpdesk, None, now=timezone.now())
        assert context.token == f"{account.version.number}.{helpdesk.rights_version}"
    assert context.account == account
    assert len(context.accounts) == 6


def test_devices_of_the_account_are_found_in_batches(
    account: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    mine = make_device(account, name="LAP-0042", email="maria@example.com")
    make_device(make_account("Foreign"), name="LAP-0042", email="maria@example.com")
    texts = {f"word-{number}" for number in range(999)} | {"lap-0042"}
    with django_assert_num_queries(2):
        assert [device.key for device in devices.find_by_identifiers(account.id, texts)] == [mine.pk]
