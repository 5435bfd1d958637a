"""`manage.py demo_people`: the account of the present upstream, and the demo people of the simulator."""

import stat
from io import StringIO
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from commands.access import rights_of
from commands.actions.administration.accounts import retire_account
from commands.actions.administration.demo import PEOPLE, NotTheSimulator, ensure_demo_people
from commands.grants import GROUPS
from commands.models import Account, Credential, User
from dexportal.upstream import SIMULATOR_ACCOUNT, SIMULATOR_TOKEN, Upstream

pytestmark = pytest.mark.django_db

REAL = "https://api.example.com/client/v4"
ACCOUNT = "fedcba9876543210fedcba9876543210"


def real(*, token: str = "", email: str = "", api_key: str = "") -> Upstream:
    return Upstream(REAL, REAL, False, ACCOUNT, token=token, email=email, api_key=api_key)


@pytest.fixture(autouse=True)
def portal(settings: Settings, tmp_path: Path) -> Settings:
    settings.VAR_DIR = tmp_path
    settings.DEMO_PASSWORD = ""
    return settings


def demo_people() -> str:
    output = StringIO()
    call_command("demo_people", stdout=output)
    return output.getvalue()


def password_in(output: str) -> str:
    (line,) = (line for line in output.splitlines() if line.startswith("Password:"))
    return line.split()[1]


def test_demo_people_have_their_groups() -> None:
    demo_people()
    for name, groups in PEOPLE.items():
        person = User.objects.get(username=name)
        assert {group.name for group in person.groups.all()} == set(groups)
        assert rights_of(person).everywhere == {right for group in groups for right in GROUPS[group]}
        assert person.is_staff == (name == "admin")
        assert not person.is_superuser


def test_generated_password_is_stored_privately_and_printed_at_each_start(tmp_path: Path) -> None:
    first, second = demo_people(), demo_people()
    assert password_in(first) == password_in(second)
    assert all(name in second for name in PEOPLE)
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert all(person.check_password(password_in(first)) for person in User.objects.all())


def test_configured_password_replaces_the_old_one(portal: Settings, tmp_path: Path) -> None:
    demo_people()
    portal.DEMO_PASSWORD = "given-by-the-environment"
    assert password_in(demo_people()) == "given-by-the-environment"
    assert all(person.check_password("given-by-the-environment") for person in User.objects.all())
    assert not any("given-by-the-environment" in file.read_text() for file in tmp_path.iterdir())


def test_start_without_a_change_writes_no_password() -> None:
    demo_people()
    before = list(User.objects.order_by("id").values())
    demo_people()
    assert list(User.objects.order_by("id").values()) == before


def test_changed_password_is_reset_to_the_printed_one() -> None:
    demo_people()
    person = User.objects.get(username="manager")
    person.set_password("something-else")
    person.save(update_fields=["password"])
    output = password_in(demo_people())
    assert User.objects.get(username="manager").check_password(output)


def test_changes_of_an_administrator_to_demo_people_stay() -> None:
    demo_people()
    User.objects.filter(username="auditor").update(is_active=False)
    User.objects.get(username="helpdesk").groups.clear()
    output = demo_people()
    assert not User.objects.get(username="auditor").is_active
    assert not User.objects.get(username="helpdesk").groups.exists()
    (line,) = (line for line in output.splitlines() if line.startswith("Sign in"))
    assert "auditor" not in line


def test_other_person_with_a_demo_name_is_not_changed() -> None:
    other_person = User.objects.create_user("admin", "someone@example.org", "a-password-of-their-own")
    output = demo_people()
    other_person.refresh_from_db()
    assert other_person.check_password("a-password-of-their-own")
    assert "admin" not in output.split("Sign in as:")[1]


def test_account_of_the_simulator_is_active_with_its_token() -> None:
    demo_people()
    account = Account.objects.active().get()
    assert account.cloudflare_id == SIMULATOR_ACCOUNT
    assert account.credential is not None
    assert account.credential.secret.reveal() == SIMULATOR_TOKEN
    assert account.sync.listed_at is None
    assert account.version.number == 0


def test_real_upstream_creates_no_demo_people(portal: Settings) -> None:
    portal.UPSTREAM = real(token="a-real-token")
    output = demo_people()
    assert "Demo people can't sign in" in output
    assert "a-real-token" not in output
    assert not User.objects.exists()
    with pytest.raises(NotTheSimulator):
        ensure_demo_people(now=timezone.now())
    account = Account.objects.active().get()
    assert (account.upstream, account.cloudflare_id) == (REAL, ACCOUNT)


def setup() -> str:
    output = StringIO()
    call_command("setup", verbosity=0, stdout=output)
    return output.getvalue()


def test_demo_people_cannot_sign_in_with_a_real_upstream_until_the_simulator_returns(portal: Settings) -> None:
    simulator = portal.UPSTREAM
    output = setup()
    assert all(sign_in(name, password_in(output)) for name in PEOPLE)
    signed_in = sign_in("helpdesk", password_in(output))
    assert signed_in
    portal.UPSTREAM = real(token="a-real-token")
    assert "Demo people can't sign in" in setup()
    assert not any(sign_in(name, password_in(output)) for name in PEOPLE)
    assert signed_in.get("/").status_code == 302
    assert [account.upstream for account in Account.objects.active()] == [REAL]
    assert Account.objects.count() == 2
    portal.UPSTREAM = simulator
    assert setup() == output
    assert all(sign_in(name, password_in(output)) for name in PEOPLE)


def sign_in(name: str, password: str) -> Client | None:
    cache.clear()  # rate limits are tested elsewhere
    client = Client()
    client.post("/accounts/login/", {"login": name, "password": password})
    return client if "_auth_user_id" in client.session else None


def test_deactivated_demo_person_stays_deactivated_when_the_simulator_returns(portal: Settings) -> None:
    simulator = portal.UPSTREAM
    setup()
    User.objects.filter(username="auditor").update(is_active=False)
    portal.UPSTREAM = real(token="a-real-token")
    setup()
    portal.UPSTREAM = simulator
    setup()
    assert set(User.objects.filter(is_active=True).values_list("username", flat=True)) == set(PEOPLE) - {"auditor"}


def test_real_upstream_leaves_the_sign_in_of_other_people_with_a_demo_name(portal: Settings) -> None:
    User.objects.create_superuser("admin", "someone@example.org", "a-password-of-their-own")
    portal.UPSTREAM = real(token="a-real-token")
    setup()
    assert sign_in("admin", "a-password-of-their-own")


def test_production_with_the_simulator_fails_before_it_creates_anyone(portal: Settings) -> None:
    portal.PRODUCTION = True
    with pytest.raises(SystemCheckError, match=r"commands\.E004"):
        setup()
    assert not User.objects.exists()


def test_credential_of_the_environment_follows_the_environment(portal: Settings) -> None:
    for upstream in (real(token="one"), real(token="two"), real(email="ops@example.com", api_key="three")):
        portal.UPSTREAM = upstream
        demo_people()
        credential = Credential.objects.get()
        assert credential.secret.reveal() == (upstream.token or upstream.api_key)
        assert credential.email == upstream.email
    assert credential.scheme == Credential.Scheme.KEY
    assert credential.secret.reveal() == "three"


def test_undecryptable_credential_is_encrypted_again_from_the_environment(portal: Settings) -> None:
    demo_people()
    portal.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    demo_people()
    assert Credential.objects.get().secret.reveal() == SIMULATOR_TOKEN


def test_changes_of_an_administrator_to_the_account_stay() -> None:
    demo_people()
    account = Account.objects.get()
    Account.objects.update(name="Renamed", credential=None, dialect=Account.Dialect.LEGACY)
    retire_account(account, now=timezone.now())
    demo_people()
    existing = Account.objects.get()
    assert (existing.name, existing.credential, existing.dialect) == ("Renamed", None, Account.Dialect.LEGACY)
    assert existing.retired_at is not None
