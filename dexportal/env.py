"""Typed environment variables for settings.py.

Every variable can also be given as `NAME_FILE`, the path of a file with the value. An empty value counts as not set. A
missing or invalid value raises ImproperlyConfigured. The message names the variable and never repeats its value,
which may be secret. This module must not import Django's settings.
"""

import warnings
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import EnvError, FileAwareEnv

_env = FileAwareEnv(strip_whitespace=True)

type Network = IPv4Network | IPv6Network
type Address = IPv4Address | IPv6Address

_WEB_PORTS = {"http": 80, "https": 443}
_SMTPS_PORT = 465

S3_IN_MEMORY = 8 * 1024 * 1024  # bytes; a larger object is read into a temporary file


def text(name: str, default: str = "") -> str:
    try:
        return _env.str(name, "") or default
    except (OSError, ValueError):
        raise ImproperlyConfigured(f"{name}_FILE must be the path of a readable text file.") from None


def required(name: str, *, purpose: str) -> str:
    value = text(name)
    if not value:
        raise ImproperlyConfigured(f"{name} (or {name}_FILE) must be set: {purpose}.")
    return value


def choice(name: str, default: str, among: set[str]) -> str:
    value = text(name, default).upper()
    if value not in among:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(sorted(among))}.")
    return value


def flag(name: str, *, default: bool) -> bool:
    return _read(name, default, _env.bool, "must be true or false")


def number(name: str, default: int, *, least: int, most: int) -> int:
    value = _read(name, default, _env.int, "must be a whole number")
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least} to {most}.")
    return value


def factor(name: str, default: float) -> float:
    """Return a positive finite number, which is safe to divide by."""
    value = _read(name, default, _env.float, "must be a number above 0")
    if not 0 < value < float("inf"):
        raise ImproperlyConfigured(f"{name} must be a number above 0.")
    return value


def web_address(name: str, default: str = "") -> str:
    """Return an http or https address as browsers write it: lower-case host, and no default port.

    Credentials, a query or a fragment are refused. The last slash is removed.
    """
    value = text(name, default)
    if not value:
        return ""
    parts = _split(name, value)
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in _WEB_PORTS or not parts.hostname or not is_plain:
        raise ImproperlyConfigured(f"{name} must be an address such as https://dex.example.com.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _WEB_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path}".rstrip("/")


def networks(name: str) -> tuple[Network, ...]:
    """Read addresses or networks that are separated by commas."""
    result = []
    for item in _items(text(name)):
        try:
            result.append(_plain_network(ip_network(item, strict=False)))
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} must be addresses or networks separated by commas, such as 10.0.0.0/8,192.0.2.7."
            ) from None
    return tuple(result)


def address(value: str) -> Address:
    """Parse an address, or raise ValueError. ::ffff:192.0.2.7, as dual-stack sockets write it, becomes 192.0.2.7."""
    parsed = ip_address(value)
    return (parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None) or parsed


def _plain_network(network: Network) -> Network:
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return IPv4Network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


def fernet_keys(name: str, value: str) -> list[str]:
    """Read keys that are separated by commas. The first one encrypts, and all decrypt."""
    keys = _items(value)
    try:
        for key in keys:
            Fernet(key)
    except ValueError:
        keys = []
    if not keys:
        raise ImproperlyConfigured(
            f"{name} must be keys separated by commas, each 32 bytes in URL-safe base64 (see docs/production.md)."
        )
    return keys


def database(name: str, value: str) -> dict[str, Any]:
    """Return Django's settings for the address of a PostgreSQL or SQLite database."""
    try:
        config: dict[str, Any] = dict(_env.dj_db_url(name, value))
    except (EnvError, AssertionError):
        config = {}
    if config.get("ENGINE") not in {"django.db.backends.postgresql", "django.db.backends.sqlite3"}:
        raise ImproperlyConfigured(
            f"{name} must be like postgres://user:password@host:5432/name or sqlite:////folder/file.sqlite3."
        )
    return config


def broker(name: str, value: str) -> str:
    if _split(name, value).scheme not in {"redis", "rediss"}:
        raise ImproperlyConfigured(f"{name} must be like redis://:password@host:6379/0 (or rediss://).")
    return value


def mailer(name: str, value: str) -> dict[str, Any]:
    """Return an entry of Django's MAILERS. `submission` uses STARTTLS, and `smtps` uses TLS from the first byte."""
    parts = _split(name, value)
    implicit_tls = parts.scheme == "smtps"  # the library would warn, and use STARTTLS
    try:
        with warnings.catch_warnings(action="ignore"):
            conf: dict[str, Any] = _env.dj_email_url(name, value)
    except EnvError:
        conf = {}
    by_smtp = conf.get("EMAIL_BACKEND", "").endswith("smtp.EmailBackend")
    if "EMAIL_BACKEND" not in conf or (by_smtp and not conf["EMAIL_HOST"]):
        raise ImproperlyConfigured(f"{name} must be like submission://user:password@mail.example.com:587.")
    entry: dict[str, Any] = {"BACKEND": conf["EMAIL_BACKEND"]}
    if by_smtp:
        entry["OPTIONS"] = {
            "host": conf["EMAIL_HOST"],
            "port": parts.port or (_SMTPS_PORT if implicit_tls else conf["EMAIL_PORT"]),
            "username": conf["EMAIL_HOST_USER"] or "",
            "password": conf["EMAIL_HOST_PASSWORD"] or "",
            "use_tls": conf["EMAIL_USE_TLS"] and not implicit_tls,
            "use_ssl": implicit_tls or conf["EMAIL_USE_SSL"],
            "timeout": conf["EMAIL_TIMEOUT"] or 10,
        }
    elif conf["EMAIL_BACKEND"].endswith("filebased.EmailBackend"):
        entry["OPTIONS"] = {"file_path": "/" + conf["EMAIL_FILE_PATH"].lstrip("/")}
    return entry


def storage(name: str, value: str) -> dict[str, Any]:
    """Return an entry of Django's STORAGES for `file:///folder` or `s3://bucket/prefix?region=…&endpoint=https://…`.

    The S3 keys can be in the address (`s3://key:secret@bucket`). Otherwise boto3 looks for them in its usual places.
    """
    parts = _split(name, value)
    if parts.scheme == "file" and parts.path and not parts.netloc:
        return folder_storage(Path(unquote(parts.path)))
    if parts.scheme != "s3" or not parts.hostname:
        raise ImproperlyConfigured(f"{name} must be like file:///folder or s3://bucket/prefix?region=eu-central-1.")
    bucket = parts.netloc.rpartition("@")[2]
    if ":" in bucket:
        raise ImproperlyConfigured(
            f"{name} must name a bucket without a port. For your own server, set the endpoint: "
            "s3://bucket/prefix?endpoint=http://host:9000."
        )
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    from botocore.config import Config  # noqa: PLC0415 - slow to import, and only S3 needs it

    options = {
        "client_config": Config(
            signature_version="s3v4", connect_timeout=3, read_timeout=20, retries={"total_max_attempts": 3}
        ),
        "bucket_name": bucket,
        "location": unquote(parts.path).strip("/"),
        "region_name": query.get("region"),
        "endpoint_url": query.get("endpoint"),
        "access_key": unquote(parts.username) if parts.username else None,
        "secret_key": unquote(parts.password) if parts.password else None,
        "default_acl": "private",
        "querystring_auth": True,
        "file_overwrite": True,
        "max_memory_size": S3_IN_MEMORY,
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


def folder_storage(folder: Path) -> dict[str, Any]:
    options = {"location": folder, "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
    return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}


def passwords(*addresses: str) -> list[str]:
    """Return the passwords in these addresses, as written and URL-decoded."""
    written = [urlsplit(address).password or "" for address in addresses]
    return [form for password in written for form in (password, unquote(password))]


def _read[T](name: str, default: T, parse: Callable[..., Any], problem: str) -> T:
    if not text(name):
        return default
    try:
        value: T = parse(name)
    except EnvError:
        raise ImproperlyConfigured(f"{name} {problem}.") from None
    return value


def _split(name: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises ValueError for an invalid port
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a valid address.") from None
    return parts


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]
