"""What an admin does in the forms, and what of it the portal then has."""

import json
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from commands.actions.administration.accounts import change_credential
from commands.models import Account, AccountVersion, Command, Credential, Grant, Pause, Preset, User
from commands.rules.kinds import Kind
from tests.admin.pages import page
from tests.people import make_credential, make_person

SECRET = "cf-token-that-nobody-may-see"
ANOTHER = "cf-token-number-two"


def words(answer: object) -> str:
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


def history() -> str:
    return json.dumps(list(LogEntry.objects.values("object_repr", "change_message")))


class TestCredentials:
    def add(self, client: Client, **values: str) -> object:
        given = {"name": "Acme", "scheme": "token", "email": "", "value": SECRET, **values}
        return client.post(page(Credential, "add"), given, follow=True)

    def test_a_value_goes_in_and_never_comes_out(self, client_of_admin: Client) -> None:
        answer = self.add(client_of_admin)
        credential = Credential.objects.get(name="Acme")
        assert credential.secret.reveal() == SECRET
        assert credential.budget.paused_until is None
        shown = client_of_admin.get(page(Credential, "change", credential.pk))
        listed = client_of_admin.get(page(Credential, "changelist"))
        told = client_of_admin.get(page(Credential, "history", credential.pk))
        for page_of_it in (answer, shown, listed, told):
            assert SECRET not in words(page_of_it)
            assert credential.secret.token not in words(page_of_it)
        assert SECRET not in history()

    def test_a_form_with_a_mistake_does_not_send_the_value_back(self, client_of_admin: Client) -> None:
        answer = self.add(client_of_admin, name="")
        assert "This field is required" in words(answer)
        assert SECRET not in words(answer)

    def test_a_new_one_needs_a_value(self, client_of_admin: Client) -> None:
        assert "A new credential needs its token or key." in words(self.add(client_of_admin, value=""))
        assert not Credential.objects.exists()

    def test_what_no_header_can_carry_is_refused(self, client_of_admin: Client) -> None:
        for value in ("two words", "ümlaut", "tab\tinside"):
            assert "without spaces" in words(self.add(client_of_admin, value=value))
        assert not Credential.objects.exists()

    def test_a_global_key_needs_its_email(self, client_of_admin: Client) -> None:
        assert "needs the email address" in words(self.add(client_of_admin, scheme="key"))
        self.add(client_of_admin, scheme="key", email="ops@example.com")
        assert Credential.objects.get().email == "ops@example.com"

    def change(self, client: Client, credential: Credential, **values: str) -> object:
        given = {"name": credential.name, "scheme": "token", "email": "", "value": "", **values}
        return client.post(page(Credential, "change", credential.pk), given, follow=True)

    def test_without_a_value_the_old_one_stays(self, client_of_admin: Client) -> None:
        credential = make_credential("Acme", value=SECRET)
        self.change(client_of_admin, credential, name="Acme Europe")
        assert Credential.objects.get(name="Acme Europe").secret.reveal() == SECRET

    def test_a_new_value_takes_the_place_of_the_old_one(self, client_of_admin: Client) -> None:
        credential = make_credential("Acme", value=SECRET)
        answer = self.change(client_of_admin, credential, value=ANOTHER)
        assert Credential.objects.get().secret.reveal() == ANOTHER
        assert ANOTHER not in words(answer) + history()
        assert "Token or key" in history()

    def test_an_admin_who_mends_it_ends_what_cloudflare_refused(self, account: Account) -> None:
        now = timezone.now()
        for act, refused in ((Pause.Act.LIST, True), (Pause.Act.CREATE, False)):
            Pause.objects.create(account=account, act=act, since=now, until=now, refused=refused, words="403")
        assert account.credential is not None
        change_credential(account.credential, value=ANOTHER)
        assert [pause.act for pause in Pause.objects.all()] == [Pause.Act.CREATE]

    def test_a_value_that_no_key_opens_is_a_named_problem(self, client_of_admin: Client, settings: Settings) -> None:
        credential = make_credential("Acme", value=SECRET)
        settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
        for address in (page(Credential, "changelist"), page(Credential, "change", credential.pk)):
            assert "No key of CREDENTIAL_KEYS opens it" in words(client_of_admin.get(address))
        self.change(client_of_admin, credential, value=ANOTHER)
        assert Credential.objects.get().secret.reveal() == ANOTHER

    def test_one_that_came_from_a_dump_is_told_as_empty(self, client_of_admin: Client) -> None:
        make_credential("Acme", value="")
        assert "No value yet" in words(client_of_admin.get(page(Credential, "changelist")))

    def test_an_unused_one_can_be_deleted_and_a_used_one_not(self, client_of_admin: Client, account: Account) -> None:
        unused = make_credential("Unused")
        assert account.credential is not None
        for credential in (unused, account.credential):
            client_of_admin.post(page(Credential, "delete", credential.pk), {"post": "yes"})
        assert list(Credential.objects.all()) == [account.credential]


class TestAccounts:
    def test_a_new_one_is_of_the_upstream_in_force_and_complete(
        self, client_of_admin: Client, settings: Settings
    ) -> None:
        given = {"name": "Acme", "cloudflare_id": "a" * 32, "credential": make_credential().pk, "dialect": "auto"}
        client_of_admin.post(page(Account, "add"), given)
        account = Account.objects.active().get()
        assert account.upstream == settings.UPSTREAM.name
        assert account.id.version == 7
        assert account.sync.listed_at is None
        assert account.version.number == 0

    def test_the_same_account_twice_is_a_sentence(self, client_of_admin: Client, account: Account) -> None:
        given = {"name": "Twin", "cloudflare_id": account.cloudflare_id, "credential": "", "dialect": "auto"}
        given["cloudflare_id"] = account.cloudflare_id.upper()
        answer = client_of_admin.post(page(Account, "add"), given)
        assert answer.status_code == 200
        assert "This account already exists" in words(answer)
        assert Account.objects.count() == 1

    def test_its_name_may_change_and_which_one_it_is_may_not(self, client_of_admin: Client, account: Account) -> None:
        given = {"name": "Renamed", "cloudflare_id": "b" * 32, "credential": "", "dialect": "legacy"}
        client_of_admin.post(page(Account, "change", account.pk), given)
        changed = Account.objects.get()
        assert (changed.name, changed.dialect, changed.credential) == ("Renamed", "legacy", None)
        assert changed.cloudflare_id == account.cloudflare_id
        assert changed.version.number == 1

    def test_retired_and_taken_back(self, client_of_admin: Client, account: Account) -> None:
        chosen = {"_selected_action": [str(account.pk)]}
        client_of_admin.post(page(Account, "changelist"), {"action": "retire", **chosen})
        assert not Account.objects.active().exists()
        assert "Retired." in history()
        client_of_admin.post(page(Account, "changelist"), {"action": "reactivate", **chosen})
        assert Account.objects.active().get() == account
        assert AccountVersion.objects.get(account=account).number == 2


class TestPeople:
    def test_a_new_person_gets_groups_and_signs_in(self, client_of_admin: Client) -> None:
        password = uuid4().hex
        given = {"username": "neo", "usable_password": "true", "password1": password, "password2": password}
        assert client_of_admin.post(page(User, "add"), given).status_code == 302
        person = User.objects.get(username="neo")
        helpdesk = Group.objects.get(name="helpdesk")
        given = {"username": "neo", "is_active": "on", "groups": str(helpdesk.pk), "email": "neo@example.com"}
        assert client_of_admin.post(page(User, "change", person.pk), given).status_code == 302
        assert list(person.groups.all()) == [helpdesk]
        assert person.check_password(password)
        assert User.objects.get(pk=person.pk).rights_version > person.rights_version

    def test_people_are_deactivated(self, client_of_admin: Client) -> None:
        person = make_person("gone", "helpdesk")
        chosen = {"action": "deactivate", "_selected_action": [str(person.pk)]}
        client_of_admin.post(page(User, "changelist"), chosen)
        gone = User.objects.get(pk=person.pk)
        assert not gone.is_active
        assert gone.rights_version > person.rights_version
        assert "Deactivated." in history()

    def test_an_admin_does_not_become_a_superuser(self, client_of_admin: Client, admin: User) -> None:
        root = make_person("root", is_staff=True)
        User.objects.filter(pk=root.pk).update(is_superuser=True)
        given = {"username": admin.username, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
        client_of_admin.post(page(User, "change", admin.pk), given)
        assert not User.objects.get(pk=admin.pk).is_superuser
        assert client_of_admin.post(page(User, "change", root.pk), given).status_code == 403
        assert client_of_admin.get(f"/admin/commands/user/{root.pk}/password/").status_code == 403
        client_of_admin.post(page(User, "changelist"), {"action": "deactivate", "_selected_action": [str(root.pk)]})
        assert User.objects.get(pk=root.pk).is_active


class TestGroups:
    def save(self, client: Client, group: Group, *accounts: str) -> object:
        lines = {
            f"grants-{number}-{name}": value
            for number, account in enumerate(accounts)
            for name, value in {"account": account, "see": "on"}.items()
        }
        management = {"grants-TOTAL_FORMS": len(accounts), "grants-INITIAL_FORMS": 0}
        return client.post(page(Group, "change", group.pk), {"name": group.name, **management, **lines})

    def test_grants_are_given_beside_the_group(self, client_of_admin: Client, account: Account) -> None:
        group = Group.objects.create(name="desk")
        self.save(client_of_admin, group, "", str(account.pk))
        assert {grant.account for grant in Grant.objects.filter(group=group, see=True)} == {None, account}

    @pytest.mark.parametrize("twice", ["every account", "one account"])
    def test_two_grants_for_the_same_are_a_sentence(
        self, client_of_admin: Client, account: Account, twice: str
    ) -> None:
        group = Group.objects.create(name="desk")
        chosen = "" if twice == "every account" else str(account.pk)
        answer = self.save(client_of_admin, group, chosen, chosen)
        assert "Only one row per account." in words(answer) or "duplicate" in words(answer)
        assert not Grant.objects.filter(group=group).exists()


class TestPresets:
    def save(self, client: Client, options: object) -> object:
        given = {"name": "Mine", "position": "5", "active": "on", "options": json.dumps(options)}
        return client.post(page(Preset, "add"), given)

    def test_options_are_spelled_out(self, client_of_admin: Client) -> None:
        self.save(client_of_admin, {"pcap": {"time-limit-min": "2"}})
        options = Preset.objects.get(name="Mine").options
        assert options["pcap"]["time-limit-min"] == 2
        assert options["pcap"]["packet-size-bytes"] == 160

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"pcap": {"time-limit-min": 99}}, "at most 10 min"),
            ({"pcap": {"colour": "red"}}, "has no option"),
            ({"format-disk": {}}, "Use one of: pcap"),
            ({Kind.PCAP: 5}, "must be in braces"),
            ({}, "This field is required"),
            ([], "This field is required"),
            (["pcap"], "Enter the options by kind"),
        ],
    )
    def test_what_no_form_would_take_is_a_sentence(
        self, client_of_admin: Client, options: object, problem: str
    ) -> None:
        assert problem in words(self.save(client_of_admin, options))
        assert not Preset.objects.filter(name="Mine").exists()


def test_nothing_of_it_touches_a_command(client_of_admin: Client, command: Command) -> None:
    chosen = {"action": "retire", "_selected_action": [str(command.account_id)]}
    client_of_admin.post(page(Account, "changelist"), chosen)
    assert Command.objects.get().status == command.status
