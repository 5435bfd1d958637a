"""Tests of rights: they come from grants only, and an object is absent for a person without rights in its account."""

from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404
from pytest_django import DjangoAssertNumQueries

from commands.access import (
    Right,
    Rights,
    accounts_with,
    get_command,
    get_run,
    rights_in,
    rights_of,
)
from commands.models import Command, Grant, User
from commands.rules.states import Status
from tests.people import make_account, make_group, make_person
from tests.rows import make_command, make_run

pytestmark = pytest.mark.django_db

BY_GROUP = {
    "helpdesk": {Right.RUN, Right.SEE, Right.SEE_CONTENTS},
    "manager": {Right.SEE, Right.SEE_CONTENTS, Right.EXPORT},
    "admin": {Right.SEE, Right.ADMINISTER},
    "auditor": {Right.SEE, Right.EXPORT},
}


@pytest.fixture
def command() -> Command:
    account = make_account()
    return make_command(make_run(account, make_person("asker", "helpdesk")), Status.SUCCESS)


def _run_of(command: Command) -> UUID:
    assert command.run_id
    return command.run_id


def test_every_right_is_a_column_of_a_grant_and_has_words() -> None:
    assert {field.name for field in Grant._meta.get_fields()} >= set(Right)
    assert len({right.phrase for right in Right}) == len(Right)


@pytest.mark.parametrize("group", BY_GROUP)
def test_the_first_groups_have_their_rights_in_every_account(group: str) -> None:
    person = make_person("one", group)
    assert rights_in(person, make_account("First")) == BY_GROUP[group]
    assert rights_in(person, make_account("Second")) == BY_GROUP[group]


def test_a_person_of_two_groups_has_the_rights_of_both() -> None:
    person = make_person("one", "helpdesk", "auditor")
    assert rights_of(person).everywhere == BY_GROUP["helpdesk"] | BY_GROUP["auditor"]


def test_a_grant_in_one_account_says_nothing_of_another() -> None:
    here, there = make_account("Here"), make_account("There")
    make_group("desk", account=here, run=True, see=True)
    person = make_person("one", "desk")
    assert rights_in(person, here) == {Right.RUN, Right.SEE}
    assert rights_in(person, there) == frozenset()


def test_a_grant_in_one_account_adds_to_the_grant_for_all() -> None:
    here, there = make_account("Here"), make_account("There")
    Grant.objects.create(group=Group.objects.get(name="auditor"), account=here, run=True)
    person = make_person("one", "auditor")
    assert rights_in(person, here) == BY_GROUP["auditor"] | {Right.RUN}
    assert rights_in(person, there) == BY_GROUP["auditor"]


def test_a_superuser_has_no_right_without_a_grant() -> None:
    person = make_person("root")
    User.objects.filter(id=person.id).update(is_superuser=True, is_staff=True)
    assert rights_of(User.objects.get(id=person.id)) == Rights()


def test_the_rights_of_a_person_take_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    accounts = [make_account(f"Account {number}") for number in range(3)]
    for account in accounts:
        make_group(f"desk of {account.name}", account=account, see=True)
    person = make_person("one", *(f"desk of {account.name}" for account in accounts))
    with django_assert_num_queries(1):
        rights = rights_of(person)
        assert all(rights.within(account.id) == {Right.SEE} for account in accounts)


def test_who_is_inactive_or_signed_out_has_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    account = make_account()
    gone = make_person("gone", "helpdesk")
    gone.is_active = False
    for person in (gone, AnonymousUser()):
        with django_assert_num_queries(0):
            assert rights_in(person, account) == frozenset()
            assert not accounts_with(person, Right.SEE)


def test_accounts_with_a_right_are_those_of_its_grants() -> None:
    here, there = make_account("Here"), make_account("There")
    make_group("desk", account=here, see=True)
    person, manager = make_person("one", "desk"), make_person("two", "manager")
    assert list(accounts_with(person, Right.SEE)) == [here]
    assert not accounts_with(person, Right.RUN)
    assert set(accounts_with(manager, Right.EXPORT)) == {here, there}


def test_two_grants_show_an_account_once() -> None:
    account = make_account("Here")
    make_group("desk", account=account, see=True)
    assert list(accounts_with(make_person("one", "desk", "manager"), Right.SEE)) == [account]


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("group", BY_GROUP)
def test_a_right_opens_and_its_absence_is_named(command: Command, group: str, right: Right) -> None:
    person, run_id = make_person("one", group), _run_of(command)
    if right in BY_GROUP[group]:
        assert get_command(person, command.id, right) == command
        assert get_run(person, run_id, right).id == run_id
        return
    for fetch in (lambda: get_command(person, command.id, right), lambda: get_run(person, run_id, right)):
        with pytest.raises(PermissionDenied, match=f"the right to {right.phrase} in Acme"):
            fetch()


@pytest.mark.parametrize("right", Right)
def test_without_any_right_it_is_as_if_there_were_none(command: Command, right: Right) -> None:
    outsider, run_id = make_person("outsider"), _run_of(command)
    messages = set()
    for fetch in (
        lambda: get_command(outsider, command.id, right),
        lambda: get_command(outsider, uuid4(), right),
        lambda: get_run(outsider, run_id, right),
        lambda: get_run(outsider, uuid4(), right),
    ):
        with pytest.raises(Http404) as absent:
            fetch()
        messages.add(str(absent.value))
    assert len(messages) == 1


def test_a_grant_of_nothing_is_no_right(command: Command) -> None:
    make_group("idle")
    with pytest.raises(Http404):
        get_command(make_person("one", "idle"), command.id, Right.SEE)


def test_what_a_page_needs_comes_in_two_queries_and_nothing_is_loaded_later(
    command: Command, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    person, run_id = make_person("one", "helpdesk"), _run_of(command)
    with django_assert_num_queries(2):
        fetched = get_command(person, command.id, Right.SEE)
        assert fetched.run is not None
        assert fetched.requested_by is not None
        assert (fetched.account.name, fetched.run.ticket, fetched.requested_by.username) == ("Acme", "", "asker")
    with django_assert_num_queries(2):
        run = get_run(person, run_id, Right.SEE)
        assert (run.account.name, run.requested_by.username) == ("Acme", "asker")
    late: Model | None = None
    with pytest.raises(Exception, match=r"Fetching of Account\.credential blocked"):
        late = fetched.account.credential
    assert late is None
