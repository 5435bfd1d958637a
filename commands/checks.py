"""System checks of the whole installation: what is set up so that it would harm, each with an id that stays.

`commands.E…` keeps the portal from starting, `commands.W…` is to be thought about. Checks of the database run with
`migrate` and `check --database default` only. Must not change anything.
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

_SHORTEST_KEY = 50  # as Django's own check of deployments has it
_Apps = Sequence[AppConfig] | None


@register(Tags.security)
def check_keys(app_configs: _Apps, **_options: Any) -> Iterator[CheckMessage]:
    key = settings.SECRET_KEY
    if settings.PRODUCTION and (len(key) < _SHORTEST_KEY or len(set(key)) < 5 or key.startswith("django-insecure")):
        yield Error(
            "SECRET_KEY is short or easy to guess: sessions and links could be forged.",
            hint=f"Set SECRET_KEY to {_SHORTEST_KEY} random characters or more.",
            id="commands.E002",
        )
    if not settings.CREDENTIAL_KEYS:
        yield Error(
            "CREDENTIAL_KEYS is empty: no Cloudflare credential can be kept or opened.",
            hint="Set CREDENTIAL_KEYS to at least one key of 32 bytes in URL-safe base64.",
            id="commands.E003",
        )


@register(Tags.compatibility)
def check_upstream(app_configs: _Apps, **_options: Any) -> Iterator[CheckMessage]:
    if settings.PRODUCTION and settings.UPSTREAM.is_simulator:
        yield Error(
            "There are no Cloudflare credentials, so this production portal would talk to the simulator.",
            hint="Set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN.",
            id="commands.E004",
        )
    if settings.TIME_SCALE != 1 and not settings.UPSTREAM.is_simulator:
        yield Error(
            "TIME_SCALE shortens every wait, but Cloudflare does not hurry: commands would be given up too early.",
            hint="Remove TIME_SCALE.",
            id="commands.E005",
        )


@register(Tags.files)
def check_storage(app_configs: _Apps, **_options: Any) -> Iterator[CheckMessage]:
    storage = storages["artifacts"]
    if isinstance(storage, FileSystemStorage) and not is_writable(Path(storage.location)):
        yield Error(
            f"Artifacts cannot be written to {storage.location}.",
            hint="Make the folder writable for the portal's user, or set STORAGE_URL to another place.",
            id="commands.E006",
        )


@register(Tags.security)
def check_production(app_configs: _Apps, **_options: Any) -> Iterator[CheckMessage]:
    if not settings.PRODUCTION:
        return
    if settings.DEBUG:
        yield Error(
            "DEBUG is on in production: error pages would show settings and data to everybody.",
            hint="Remove DEBUG from the environment.",
            id="commands.E007",
        )
    if settings.SQLITE:
        yield Warning(
            "The database of this production portal is SQLite: one machine, and one writer at a time.",
            hint="Set DATABASE_URL to a PostgreSQL database.",
            id="commands.W001",
        )
    if settings.PUBLIC_URL.startswith("http://"):
        yield Warning(
            "PUBLIC_URL is not https: passwords and captures would travel in the clear.",
            hint="Put a proxy with a certificate before the portal and set PUBLIC_URL to its https address.",
            id="commands.W002",
        )
    yield from _check_proxies()


def _check_proxies() -> Iterator[CheckMessage]:
    if settings.PUBLIC_URL.startswith("https://") and not settings.TRUSTED_PROXIES:
        yield Warning(
            "PUBLIC_URL is https, but no proxy is trusted: every request looks like plain http and is redirected.",
            hint="Set TRUSTED_PROXIES to the address of the proxy that ends TLS.",
            id="commands.W003",
        )
    if any(network.prefixlen == 0 for network in settings.TRUSTED_PROXIES):
        yield Warning(
            "TRUSTED_PROXIES names the whole internet: anybody could choose the address that throttles count.",
            hint="Name only the proxies' own addresses or networks.",
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
            f"Demo people can sign in to a portal with a real upstream: {', '.join(names)}.",
            hint="Run manage.py setup (as make run does), or manage.py demo_people alone: it takes their sign-in away.",
            id="commands.E001",
        )
    ]


@register(Tags.database)
def check_credentials(
    app_configs: _Apps, databases: Sequence[str] | None = None, **_options: Any
) -> list[CheckMessage]:
    """A warning: the portal works, only the accounts behind these credentials do not."""
    if not _has_table(databases, Credential._meta.db_table):
        return []
    names = [credential.name for credential in Credential.objects.order_by("name") if not _opens(credential)]
    if not names:
        return []
    return [
        Warning(
            f"No key of CREDENTIAL_KEYS opens these credentials: {', '.join(names)}.",
            hint="Add the key that they were written with to CREDENTIAL_KEYS, or enter their values anew.",
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
            f"These accounts are in use, but have no credential with a value: {', '.join(names)}.",
            hint="Give them a credential in the admin, enter its value, or retire them: nothing is sent for them.",
            id="commands.W006",
        )
    ]


@register(Tags.database)
def check_portals(app_configs: _Apps, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Leases hold between processes that share a database; SQLite is shared by the processes of one machine only."""
    if not settings.SQLITE or not _has_table(databases, Heartbeat._meta.db_table):
        return []
    lately = Heartbeat.objects.filter(seen_at__gt=timezone.now() - settings.HEARTBEAT_LATE)
    hosts = sorted({instance.partition(":")[0] for instance in lately.values_list("instance", flat=True)})
    if len(hosts) < 2:
        return []
    return [
        Error(
            f"Workers of several machines use this SQLite database: {', '.join(hosts)}. Their leases do not hold.",
            hint="Stop all but one, or move to PostgreSQL.",
            id="commands.E008",
        )
    ]


def _opens(credential: Credential) -> bool:
    try:
        credential.secret.reveal()
    except CannotDecrypt:
        return not credential.secret  # one without a value is not broken, only unfinished
    return True


def _has_table(databases: Sequence[str] | None, table: str) -> bool:
    """False where the database is not to be asked, or is not migrated yet."""
    if "default" not in (databases or ()):
        return False
    return table in connections["default"].introspection.table_names()
