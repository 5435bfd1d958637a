"""Routes of the API: method and path to the name of a call. Only documented addresses and two known others exist."""

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
    """Matched route and its path parameters. `name` is "" for an address that does not exist."""

    name: str
    method: str
    path: str
    account_id: str = ""
    command_id: str = ""
    filename: str = ""
    device_id: str = ""


def match_route(method: str, path: str) -> Call:
    for name, route_method, pattern in ROUTES:
        match = pattern.fullmatch(path) if route_method == method else None
        if match:
            return Call(name, method, path, **match.groupdict())
    return Call("", method, path)
