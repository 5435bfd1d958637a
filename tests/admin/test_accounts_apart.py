"""Administrators of one account see and change nothing of another one, nor what belongs to all."""

from collections.abc import Sequence

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from commands.models import Account, Preset, Purpose, User
from tests.html import Page
from tests.people import make_account, make_group, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def own() -> Account:
    return make_account("Own")


@pytest.fixture
def other() -> Account:
    return make_account("Other")


@pytest.fixture
def administrator(own: Account, other: Account) -> Client:
    """Sign in an administrator of one account, who has every permission of the admin."""
    make_group("own-admins", account=own, administer=True)
    make_group("own-agents", account=own, run=True, see=True)
    make_group("other-agents", account=other, run=True, see=True)
    make_person("oscar", "other-agents")
    make_person("hanna", "own-agents")
    ada = make_person("ada", "own-admins", is_staff=True)
    ada.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(ada)
    return client


def names(client: Client, path: str) -> Sequence[str]:
    return Page.of(client.get(path)).texts("#result_list tbody th")


def test_people_and_groups_of_other_accounts_are_not_listed(administrator: Client) -> None:
    assert set(names(administrator, "/admin/commands/user/")) == {"ada", "hanna"}
    assert set(names(administrator, "/admin/auth/group/")) == {"own-admins", "own-agents"}


def test_people_and_groups_of_other_accounts_are_as_absent_as_others(administrator: Client) -> None:
    oscar, group = User.objects.get(username="oscar"), Group.objects.get(name="other-agents")
    for path in ("/admin/commands/user/{}/", "/admin/auth/group/{}/"):
        for page in ("change/", "history/", "delete/"):
            key = oscar.pk if "user" in path else group.pk
            present, absent = (administrator.get(path.format(pk) + page) for pk in (key, 999_999))
            assert present.status_code == absent.status_code
            assert present.get("Location") == absent.get("Location")


def test_what_belongs_to_the_whole_portal_is_not_changed(administrator: Client) -> None:
    preset = Preset.objects.create(name="Quick look", position=1, options={"pcap": {}})
    purpose = Purpose.objects.create(name="Site won't open", position=1)
    hanna, group = User.objects.get(username="hanna"), Group.objects.get(name="own-agents")
    for path, pk in (("preset", preset.pk), ("purpose", purpose.pk), ("user", hanna.pk)):
        for page in (f"{pk}/change/", f"{pk}/delete/", "add/"):
            assert administrator.post(f"/admin/commands/{path}/{page}", {"post": "yes", "name": "x"}).status_code == 403
    assert administrator.post(f"/admin/auth/group/{group.pk}/change/", {"name": "x"}).status_code == 403


def test_filter_of_the_history_does_not_tell_who_works_elsewhere(administrator: Client, own: Account) -> None:
    client = Client()
    client.force_login(User.objects.get(username="hanna"))
    answers = [client.get("/history/", {"requested_by": name, "account": str(own.id)}) for name in ("oscar", "nobody")]
    pages = [Page.of(answer).text("#id_requested_by_error") for answer in answers]
    assert pages == ["No user with that name or email."] * 2


@pytest.mark.parametrize("email", ["oscar@example.com", "Oscar@Example.com"])
def test_two_people_never_have_one_address(administrator: Client, email: str) -> None:
    with pytest.raises(ValidationError, match="Another person has this email address"):
        User(username="new", password="x", email=email).full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username="new", email=email)


def test_user_name_is_never_the_address_of_another_person(administrator: Client) -> None:
    with pytest.raises(ValidationError, match="has this as their email address"):
        User(username="OSCAR@example.com", password="x").full_clean()
    User.objects.create(username="kim@example.com")
    with pytest.raises(ValidationError, match="has this as their user name"):
        User(username="new", password="x", email="Kim@example.com").full_clean()
    person = User(username="lee@example.com", password="x", email="Lee@Example.com")
    person.full_clean()
    assert person.email == "lee@example.com"
