"""System checks: each finding with its id, and no finding for a good configuration."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.checks import CheckMessage, Error, run_checks
from django.utils import timezone
from pytest_django import Settings

from commands.actions.administration.demo import EMAIL_DOMAIN, PEOPLE
from commands.models import Account, Credential, Heartbeat, User
from dexportal.upstream import Upstream
from tests.dexportal.portals import run
from tests.people import make_account

pytestmark = pytest.mark.django_db  # Django's own checks ask the database for its features

CLOUDFLARE = {"CLOUDFLARE_ACCOUNT_ID": "a" * 32, "CLOUDFLARE_API_TOKEN": "invented-token"}
REAL = Upstream("https://api.example.com", "https://api.example.com", False, "a" * 32, token="invented")


@pytest.fixture
def production(settings: Settings) -> Settings:
    """Configure a production portal without findings."""
    settings.PRODUCTION = True
    settings.DEBUG = False
    settings.PUBLIC_URL = "https://dex.example.com"
    settings.TRUSTED_PROXIES = (ip_network("192.0.2.0/24"),)
    settings.SECRET_KEY = "An-invented-key-that-is-long-enough-for-0-9-and-more-of-it"
    settings.UPSTREAM = REAL
    settings.SQLITE = False
    return settings


def findings(*, database: bool = False) -> dict[str, CheckMessage]:
    messages = run_checks(databases=["default"] if database else None)
    ours = {message.id: message for message in messages if (message.id or "").startswith("commands.")}
    assert all(message.hint for message in ours.values())
    return {identity: message for identity, message in ours.items() if identity}


def test_good_production_portal_has_no_findings(production: Settings) -> None:
    assert findings() == {}


def test_embedded_portal_has_no_findings() -> None:
    assert findings() == {}


@pytest.mark.parametrize("key", ["short", "a" * 60, "django-insecure-" + "abcdefghij" * 6])
def test_weak_secret_key_is_an_error_in_production(key: str, production: Settings) -> None:
    production.SECRET_KEY = key
    assert list(findings()) == ["commands.E002"]


def test_missing_credential_keys_are_an_error(production: Settings) -> None:
    production.CREDENTIAL_KEYS = []
    assert list(findings()) == ["commands.E003"]


def test_simulator_in_production_is_an_error(production: Settings) -> None:
    production.UPSTREAM = Upstream("simulator", "http://127.0.0.1:1", True, "a" * 32)
    assert list(findings()) == ["commands.E004"]


def test_time_scale_with_a_real_upstream_is_an_error(settings: Settings) -> None:
    settings.TIME_SCALE = 60.0
    assert findings() == {}
    settings.UPSTREAM = REAL
    assert list(findings()) == ["commands.E005"]


def test_storage_that_cannot_be_written_is_an_error(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    entry = settings.STORAGES["artifacts"] | {"OPTIONS": {"location": tmp_path / "file" / "artifacts"}}
    settings.STORAGES = settings.STORAGES | {"artifacts": entry}
    assert list(findings()) == ["commands.E006"]


@pytest.mark.parametrize(
    ("name", "value", "identity"),
    [
        ("DEBUG", True, "commands.E007"),
        ("TRUSTED_PROXIES", (), "commands.W003"),
        ("TRUSTED_PROXIES", (ip_network("0.0.0.0/0"),), "commands.W004"),
        ("PUBLIC_URL", "http://dex.example.com", "commands.W002"),
    ],
)
def test_bad_setting_of_production_is_reported(name: str, value: object, identity: str, production: Settings) -> None:
    setattr(production, name, value)
    assert list(findings()) == [identity]


def test_sqlite_in_production_is_a_warning(production: Settings) -> None:
    production.SQLITE = True
    assert list(findings()) == ["commands.W001"]


def test_demo_people_who_can_sign_in_with_a_real_upstream_are_an_error(settings: Settings) -> None:
    for name in PEOPLE:
        User.objects.create(username=name, email=f"{name}@{EMAIL_DOMAIN}", password="md5$salt$hash")
    assert findings(database=True) == {}
    settings.UPSTREAM = REAL
    message = findings(database=True)["commands.E001"]
    assert isinstance(message, Error)
    assert "admin, auditor, helpdesk, manager, outsider" in message.msg
    User.objects.filter(username__in=("helpdesk", "manager", "admin")).update(is_active=False)
    outsider = User.objects.get(username="outsider")
    outsider.set_unusable_password()
    outsider.save(update_fields=["password"])
    assert "a real Cloudflare account: auditor." in findings(database=True)["commands.E001"].msg


def test_real_person_with_a_demo_name_is_no_error(settings: Settings) -> None:
    User.objects.create_superuser("admin", "admin@example.org", "a-password-of-their-own")
    settings.UPSTREAM = REAL
    assert findings(database=True) == {}


def test_undecryptable_credential_is_named_in_a_warning(settings: Settings) -> None:
    Credential.objects.create(name="main", secret="invented-token")
    Credential.objects.create(name="unfinished", secret="")
    assert findings(database=True) == {}
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    message = findings(database=True)["commands.W005"]
    assert message.msg.endswith("CREDENTIAL_KEYS: main.")
    assert "invented-token" not in str(message)


def test_active_account_without_a_credential_is_named_in_a_warning() -> None:
    unfinished = Credential.objects.create(name="unfinished", secret="")
    account = make_account("Whole")
    assert findings(database=True) == {}
    make_account("Silent")
    Account.objects.filter(name="Silent").update(credential=None)
    make_account("Empty")
    Account.objects.filter(name="Empty").update(credential=unfinished)
    message = findings(database=True)["commands.W006"]
    assert "Empty, Silent." in message.msg
    Account.objects.exclude(id=account.id).update(retired_at=timezone.now())
    assert findings(database=True) == {}


def test_workers_of_two_machines_on_one_sqlite_database_are_an_error(settings: Settings) -> None:
    now = timezone.now()
    long_ago = now - settings.HEARTBEAT_LATE - timedelta(seconds=1)
    settings.SQLITE = True
    Heartbeat.objects.create(role="talk", instance="one:1", seen_at=now)
    Heartbeat.objects.create(role="fetch", instance="one:2", seen_at=now)
    Heartbeat.objects.create(role="talk", instance="gone:1", seen_at=long_ago)
    assert findings(database=True) == {}
    Heartbeat.objects.create(role="talk", instance="two:1", seen_at=now)
    assert "one, two" in findings(database=True)["commands.E008"].msg


def test_database_checks_find_nothing_before_the_first_migration(tmp_path: Path) -> None:
    done = run({"VAR_DIR": str(tmp_path)} | CLOUDFLARE, "manage.py", "check", "--database", "default")
    assert done.returncode == 0, done.stderr
