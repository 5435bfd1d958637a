"""System checks of the configuration, each with an id that never changes.

`commands.E…` prevents the start, and `commands.W…` is a warning. Checks that read the database run only with `migrate`
and `check --database default`. Checks must not change anything.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.files.storage import FileSystemStorage, storages
from django.db import connections
from django.utils import timezone

from commands.actions.administration import demo
from commands.models import Account, Credential, Heartbeat, User
from commands.models.encrypted_field import CannotDecrypt
from commands.storage import is_writable

_MIN_KEY_LENGTH = 50  # as in Django's own deployment check
_Apps = Sequence[AppConfig] | None


@register(Tags.security)
def check_keys(app_configs: _Apps, **_options: Any) -> Iterator[CheckMessage]:
    key = settings.SECRET_KEY
    if settings.PRODUCTION and (len(key) < _MIN_KEY_LENGTH or len(set(key)) < 5 or key.startswith("django-insecure")):
        yield Error(
            "SECRET_KEY is too short or easy to guess, so sessions and links could be forged.",
            hint=f"Set SECRET_KEY to {_MIN_KEY_LENGTH} or more random characters.",
            id="commands.E002",
        )
    if not settings.CREDENTIAL_KEYS:
        yield Error(
            "CREDENTIAL_KEYS is empty, so Cloudflare credentials can't be encrypted or decrypted.",
            hint="Set CREDENTIAL_KEYS to at least one key of 32 bytes in URL-safe base64.",
            id="commands.E003",
        )


@register(Tags.compatibility)
def check_upstream(app_configs: _Apps, **_options: Any) -> Iterator[CheckMessage]:
    if settings.PRODUCTION and settings.UPSTREAM.is_simulator:
        yield Error(
            "No Cloudflare credentials are configured, so this production portal would use the simulator.",
            hint="Set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN.",
            id="commands.E004",
        )
    if settings.TIME_SCALE != 1 and not settings.UPSTREAM.is_simulator:
        yield Error(
            "TIME_SCALE shortens every wait, but Cloudflare is no faster: commands would time out too early.",
            hint="Remove TIME_SCALE.",
            id="commands.E005",
        )


@register(Tags.files)
def check_storage(app_configs: _Apps, **_options: Any) -> Iterator[CheckMessage]:
    storage = storages["artifacts"]
    if isinstance(storage, FileSystemStorage) and not is_writable(Path(storage.location)):
        yield Error(
            f"Results can't be written to {storage.location}.",
            hint="Make the folder writable for the user that runs dexportal, or change STORAGE_URL.",
            id="commands.E006",
        )


@register(Tags.security)
def check_production(app_configs: _Apps, **_options: Any) -> Iterator[CheckMessage]:
    if not settings.PRODUCTION:
        return
    if settings.DEBUG:
        yield Error(
            "DEBUG is on in production, so error pages would show settings and data to everyone.",
            hint="Remove DEBUG from the environment.",
            id="commands.E007",
        )
    if settings.SQLITE:
        yield Warning(
            "This production portal uses SQLite, which works on one machine only and with one writer at a time.",
            hint="Set DATABASE_URL to a PostgreSQL database.",
            id="commands.W001",
        )
    if settings.PUBLIC_URL.startswith("http://"):
        yield Warning(
            "PUBLIC_URL isn't https, so passwords and captures would be sent unencrypted.",
            hint="Put a proxy with a TLS certificate in front of dexportal, and set PUBLIC_URL to its https address.",
            id="commands.W002",
        )
    yield from _check_proxies()


def _check_proxies() -> Iterator[CheckMessage]:
    if settings.PUBLIC_URL.startswith("https://") and not settings.TRUSTED_PROXIES:
        yield Warning(
            "PUBLIC_URL is https, but no proxy is trusted. Every request looks like http and is redirected.",
            hint="Set TRUSTED_PROXIES to the address of the proxy that terminates TLS.",
            id="commands.W003",
        )
    if any(network.prefixlen == 0 for network in settings.TRUSTED_PROXIES):
        yield Warning(
            "TRUSTED_PROXIES covers the whole internet, so anyone could fake their address and avoid rate limits.",
            hint="List only the addresses or networks of the proxies.",
            id="commands.W004",
        )


@register(Tags.database)
def check_demo_people(
    app_configs: _Apps, databases: Sequence[str] | None = None, **_options: Any
) -> list[CheckMessage]:
    if settings.UPSTREAM.is_simulator or not _has_table(databases, User._meta.db_table):
        return []
    names = sorted(person.username for person in demo.who_can_sign_in())
    if not names:
        return []
    return [
        Error(
            f"Demo people can sign in although this portal uses a real Cloudflare account: {', '.join(names)}.",
            hint="Run manage.py demo_people to disable their sign-in. manage.py setup and make run do that too.",
            id="commands.E001",
        )
    ]


@register(Tags.database)
def check_credentials(
    app_configs: _Apps, databases: Sequence[str] | None = None, **_options: Any
) -> list[CheckMessage]:
    """Warn of credentials that can't be decrypted. It isn't an error, because other accounts work."""
    if not _has_table(databases, Credential._meta.db_table):
        return []
    names = [credential.name for credential in Credential.objects.order_by("name") if not _is_readable(credential)]
    if not names:
        return []
    return [
        Warning(
            f"These credentials can't be decrypted with CREDENTIAL_KEYS: {', '.join(names)}.",
            hint="Add the key that encrypted them to CREDENTIAL_KEYS, or enter their values again in the admin.",
            id="commands.W005",
        )
    ]


@register(Tags.database)
def check_accounts(app_configs: _Apps, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    if not _has_table(databases, Account._meta.db_table):
        return []
    names = list(Account.objects.without_credential().order_by("name").values_list("name", flat=True))
    if not names:
        return []
    return [
        Warning(
            f"These accounts are active but have no usable credential: {', '.join(names)}.",
            hint="No commands are sent for them. Give them a credential with a value in the admin, or retire them.",
            id="commands.W006",
        )
    ]


@register(Tags.database)
def check_machines(app_configs: _Apps, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Refuse workers on several machines with SQLite, whose locks, and so our leases, work on one machine only."""
    if not settings.SQLITE or not _has_table(databases, Heartbeat._meta.db_table):
        return []
    recent = Heartbeat.objects.filter(seen_at__gt=timezone.now() - settings.HEARTBEAT_LATE)
    hosts = sorted({instance.partition(":")[0] for instance in recent.values_list("instance", flat=True)})
    if len(hosts) < 2:
        return []
    return [
        Error(
            f"Workers on several machines use this SQLite database: {', '.join(hosts)}. Commands could be sent twice.",
            hint="Run workers on one machine only, or use PostgreSQL.",
            id="commands.E008",
        )
    ]


def _is_readable(credential: Credential) -> bool:
    try:
        credential.secret.reveal()
    except CannotDecrypt:
        return not credential.secret  # a credential without a value is unfinished, not unreadable
    return True


def _has_table(databases: Sequence[str] | None, table: str) -> bool:
    """Return False if this run must not use the database, or if the table isn't migrated yet."""
    if "default" not in (databases or ()):
        return False
    return table in connections["default"].introspection.table_names()
