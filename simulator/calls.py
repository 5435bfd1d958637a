"""Which call of the API a method and a path are. Only the addresses of the contract exist."""

from __future__ import annotations

import re
from dataclasses import dataclass

BASE = "/client/v4"

_ACCOUNT = r"/accounts/(?P<account_id>[^/]{1,32})/dex"
_ROUTES = (
    ("create", "POST", r"/commands"),
    ("list", "GET", r"/commands"),
    ("devices", "GET", r"/commands/devices"),
    ("quota", "GET", r"/commands/quota"),
    ("download", "GET", r"/commands/(?P<command_id>[^/]+)/downloads/(?P<filename>[^/]+)"),
    ("analysis", "GET", r"/commands/(?P<command_id>[^/]+)/analysis"),
    (
        "fallback_download",
        "GET",
        r"/devices/(?P<device_id>[^/]+)/commands/downloads/(?P<command_id>[^/]+)\.zip",
    ),
)
ROUTES = tuple((name, method, re.compile(BASE + _ACCOUNT + tail)) for name, method, tail in _ROUTES)
CALL_NAMES = tuple(name for name, _, _ in ROUTES)


@dataclass(frozen=True, slots=True)
class Call:
    """`name` is '' for an address that does not exist."""

    name: str
    method: str
    path: str
    account_id: str = ""
    command_id: str = ""
    filename: str = ""
    device_id: str = ""


def recognise(method: str, path: str) -> Call:
    for name, wanted, pattern in ROUTES:
        found = pattern.fullmatch(path) if wanted == method else None
        if found:
            return Call(name, method, path, **found.groupdict())
    return Call("", method, path)
