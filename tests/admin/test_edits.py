"""Forms of the admin, and what they change in the portal."""

import json
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.http import HttpResponseBase
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from commands.actions.administration.accounts import change_credential
from commands.models import Account, AccountVersion, Command, Credential, Grant, Pause, Preset, User
from commands.rules.kinds import Kind
from tests.admin.pages import page
from tests.html import Page
from tests.people import make_credential, make_person
from tests.rows import make_pause

SECRET = "cf-token-that-nobody-may-see"
ANOTHER = "cf-token-number-two"


def history() -> str:
    return json.dumps(list(LogEntry.objects.values("object_repr", "change_message")))


class TestCredentials:
    def add(self, client: Client, **values: str) -> HttpResponseBase:
        given = {"name": "Acme", "scheme": "token", "email": "", "value": SECRET, **values}
        return client.post(page(Credential, "add"), given, follow=True)

    def test_stored_value_is_never_shown(self, client_of_admin: Client) -> None:
        answer = self.add(client_of_admin)
        credential = Credential.objects.get(name="Acme")
        assert credential.secret.reveal() == SECRET
        assert credential.budget.paused_until is None
        shown = client_of_admin.get(page(Credential, "change", credential.pk))
        listed = client_of_admin.get(page(Credential, "changelist"))
        history_page = client_of_admin.get(page(Credential, "history", credential.pk))
        for response in (answer, shown, listed, history_page):
            assert SECRET not in Page.of(response).html
            assert credential.secret.token not in Page.of(response).html
        assert SECRET not in history()

    def test_form_with_an_error_does_not_repeat_the_value(self, client_of_admin: Client) -> None:
        answer = self.add(client_of_admin, name="")
        assert "This field is required" in Page.of(answer).text("#content")
        assert SECRET not in Page.of(answer).html

    def test_new_credential_needs_a_value(self, client_of_admin: Client) -> None:
        assert "A new credential needs its token or key." in Page.of(self.add(client_of_admin, value="")).text(
            "#content"
        )
        assert not Credential.objects.exists()

    def test_value_that_a_header_cannot_carry_is_refused(self, client_of_admin: Client) -> None:
        for value in ("two words", "ümlaut", "tab\tinside"):
            assert "contain spaces" in Page.of(self.add(client_of_admin, value=value)).text("#content")
        assert not Credential.objects.exists()

    def test_global_key_needs_an_email(self, client_of_admin: Client) -> None:
        assert "needs the email address" in Page.of(self.add(client_of_admin, scheme="key")).text("#content")
        self.add(client_of_admin, scheme="key", email="ops@example.com")
        assert Credential.objects.get().email == "ops@example.com"

    def change(self, client: Client, credential: Credential, **values: str) -> HttpResponseBase:
        given = {"name": credential.name, "scheme": "token", "email": "", "value": "", **values}
        return client.post(page(Credential, "change", credential.pk), given, follow=True)

    def test_blank_value_keeps_the_stored_one(self, client_of_admin: Client) -> None:
        credential = make_credential("Acme", value=SECRET)
        self.change(client_of_admin, credential, name="Acme Europe")
        assert Credential.objects.get(name="Acme Europe").secret.reveal() == SECRET

    def test_new_value_replaces_the_stored_one(self, client_of_admin: Client) -> None:
        credential = make_credential("Acme", value=SECRET)
        answer = self.change(client_of_admin, credential, value=ANOTHER)
        assert Credential.objects.get().secret.reveal() == ANOTHER
        assert ANOTHER not in Page.of(answer).html + history()
        assert "Token or key" in history()

    def test_changed_credential_ends_pauses_after_refusals_only(self, account: Account) -> None:
        now = timezone.now()
        for operation, refused in (("list", True), ("create", False)):
            make_pause(account, operation, since=now, until=now, refused=refused)
        assert account.credential is not None
        change_credential(account.credential, value=ANOTHER)
        assert [pause.operation for pause in Pause.objects.all()] == ["create"]

    def test_value_that_cannot_be_decrypted_is_reported(self, client_of_admin: Client, settings: Settings) -> None:
        credential = make_credential("Acme", value=SECRET)
        settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
        for address in (page(Credential, "changelist"), page(Credential, "change", credential.pk)):
            assert "be decrypted with CREDENTIAL_KEYS" in Page.of(client_of_admin.get(address)).text("#content")
        self.change(client_of_admin, credential, value=ANOTHER)
        assert Credential.objects.get().secret.reveal() == ANOTHER

    def test_credential_without_a_value_is_reported(self, client_of_admin: Client) -> None:
        make_credential("Acme", value="")
        assert "No value yet" in Page.of(client_of_admin.get(page(Credential, "changelist"))).text("#content")

    def test_only_unused_credential_can_be_deleted(self, client_of_admin: Client, account: Account) -> None:
        unused = make_credential("Unused")
        assert account.credential is not None
        for credential in (unused, account.credential):
            client_of_admin.post(page(Credential, "delete", credential.pk), {"post": "yes"})
        assert list(Credential.objects.all()) == [account.credential]


class TestAccounts:
    def test_new_account_belongs_to_the_present_upstream_and_has_all_its_rows(
        self, client_of_admin: Client, settings: Settings
    ) -> None:
        given = {"name": "Acme", "cloudflare_id": "a" * 32, "credential": make_credential().pk, "dialect": "auto"}
        client_of_admin.post(page(Account, "add"), given)
        account = Account.objects.active().get()
        assert account.upstream == settings.UPSTREAM.name
        assert account.id.version == 7
        assert account.sync.listed_at is None
        assert account.version.number == 0

    def test_account_that_exists_already_is_refused_with_a_message(
        self, client_of_admin: Client, account: Account
    ) -> None:
        given = {"name": "Twin", "cloudflare_id": account.cloudflare_id, "credential": "", "dialect": "auto"}
        given["cloudflare_id"] = account.cloudflare_id.upper()
        answer = client_of_admin.post(page(Account, "add"), given)
        assert answer.status_code == 200
        assert "This account already exists" in Page.of(answer).text("#content")
        assert Account.objects.count() == 1

    def test_name_of_an_account_can_change_but_not_its_cloudflare_id(
        self, client_of_admin: Client, account: Account
    ) -> None:
        given = {"name": "Renamed", "cloudflare_id": "b" * 32, "credential": "", "dialect": "legacy"}
        client_of_admin.post(page(Account, "change", account.pk), given)
        changed = Account.objects.get()
        assert (changed.name, changed.dialect, changed.credential) == ("Renamed", "legacy", None)
        assert changed.cloudflare_id == account.cloudflare_id
        assert changed.version.number == 1

    def test_account_is_retired_and_reactivated(self, client_of_admin: Client, account: Account) -> None:
        chosen = {"_selected_action": [str(account.pk)]}
        client_of_admin.post(page(Account, "changelist"), {"action": "retire", **chosen})
        assert not Account.objects.active().exists()
        assert "Retired." in history()
        client_of_admin.post(page(Account, "changelist"), {"action": "reactivate", **chosen})
        assert Account.objects.active().get() == account
        assert AccountVersion.objects.get(account=account).number == 2


class TestPeople:
    def test_new_person_gets_groups_and_a_password(self, client_of_admin: Client) -> None:
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

    def test_action_deactivates_people(self, client_of_admin: Client) -> None:
        person = make_person("gone", "helpdesk")
        chosen = {"action": "deactivate", "_selected_action": [str(person.pk)]}
        client_of_admin.post(page(User, "changelist"), chosen)
        gone = User.objects.get(pk=person.pk)
        assert not gone.is_active
        assert gone.rights_version > person.rights_version
        assert "Deactivated." in history()

    def test_administrator_cannot_become_or_change_a_superuser(self, client_of_admin: Client, admin: User) -> None:
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
    def save(self, client: Client, group: Group, *accounts: str) -> HttpResponseBase:
        lines = {
            f"grants-{number}-{name}": value
            for number, account in enumerate(accounts)
            for name, value in {"account": account, "see": "on"}.items()
        }
        management = {"grants-TOTAL_FORMS": len(accounts), "grants-INITIAL_FORMS": 0}
        return client.post(page(Group, "change", group.pk), {"name": group.name, **management, **lines})

    def test_grants_are_edited_on_the_page_of_the_group(self, client_of_admin: Client, account: Account) -> None:
        group = Group.objects.create(name="desk")
        self.save(client_of_admin, group, "", str(account.pk))
        assert {grant.account for grant in Grant.objects.filter(group=group, see=True)} == {None, account}

    @pytest.mark.parametrize("duplicate", ["every account", "one account"])
    def test_two_grants_for_one_account_are_refused_with_a_message(
        self, client_of_admin: Client, account: Account, duplicate: str
    ) -> None:
        group = Group.objects.create(name="desk")
        chosen = "" if duplicate == "every account" else str(account.pk)
        answer = self.save(client_of_admin, group, chosen, chosen)
        assert "Only one row per account." in Page.of(answer).text("#content") or "duplicate" in Page.of(answer).text(
            "#content"
        )
        assert not Grant.objects.filter(group=group).exists()


class TestPresets:
    def save(self, client: Client, options: object) -> HttpResponseBase:
        given = {"name": "Mine", "position": "5", "active": "on", "options": json.dumps(options)}
        return client.post(page(Preset, "add"), given)

    def test_absent_options_get_their_defaults(self, client_of_admin: Client) -> None:
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
    def test_invalid_options_are_refused_with_a_message(
        self, client_of_admin: Client, options: object, problem: str
    ) -> None:
        assert problem in Page.of(self.save(client_of_admin, options)).text("#content")
        assert not Preset.objects.filter(name="Mine").exists()


def test_retiring_an_account_changes_no_command(client_of_admin: Client, command: Command) -> None:
    chosen = {"action": "retire", "_selected_action": [str(command.account_id)]}
    client_of_admin.post(page(Account, "changelist"), chosen)
    assert Command.objects.get().status == command.status
