"""Middleware of the project: client addresses behind proxies, health probes, headers, NUL in URLs, and log lines."""

import hashlib
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

from dexportal import env

if TYPE_CHECKING:
    from dexportal.env import Address, Network

_HOP_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<v4>[0-9.]+))(?::[0-9]{1,5})?")
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP")


class TrustedProxies:
    """Middleware that takes the client's address from trusted proxies and ignores the headers of everyone else.

    After it, REMOTE_ADDR is the nearest address that isn't a trusted proxy. IPv4 addresses have their plain form. A hop
    that is no address gets one that is neither local nor private, and that differs from chain to chain.
    X-Forwarded-Proto is present only if a trusted proxy sent it. All later code can rely on all of this.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        networks: tuple[Network, ...] = settings.TRUSTED_PROXIES
        peer = _address(meta.get("REMOTE_ADDR", ""))
        if peer:
            meta["REMOTE_ADDR"] = str(peer)
        if peer and any(peer in network for network in networks):
            chain = [hop.strip() for hop in meta.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
            meta["REMOTE_ADDR"] = _client(chain, networks) or meta["REMOTE_ADDR"]
            # Only the last value is from the proxy next to us. Clients can send any values before it.
            if proto := meta.get("HTTP_X_FORWARDED_PROTO"):
                meta["HTTP_X_FORWARDED_PROTO"] = proto.rpartition(",")[2].strip()
        else:
            meta.pop("HTTP_X_FORWARDED_PROTO", None)
        for header in _FORWARDED:
            meta.pop(header, None)
        return self.get_response(request)


class HealthOfAnyHost:
    """Middleware that answers health probes and scrapes whatever their Host is. They call the portal by address."""

    PATHS = frozenset({"/healthz", "/readyz", "/metrics"})

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in self.PATHS:
            request.META["HTTP_HOST"] = settings.ALLOWED_HOSTS[0]
        return self.get_response(request)


class ResponseHeaders:
    """Middleware that keeps pages of signed-in people out of every cache, and browser features out of the pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        if (
            getattr(request, "user", AnonymousUser()).is_authenticated
            or settings.SESSION_COOKIE_NAME in response.cookies
        ):
            response["Cache-Control"] = "no-store"
        if request.resolver_match and request.resolver_match.url_name == "account_logout":
            # Not "cookies", which would sign the person out of other portals of this machine, and not "storage", which
            # holds nothing but the chosen theme.
            response["Clear-Site-Data"] = '"cache"'
        return response


class NoNul:
    """Middleware that refuses addresses with a NUL character, which PostgreSQL would answer with an error.

    Form data isn't checked here. Form fields have their own error message and keep the user's text.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    @staticmethod
    def process_view(request: HttpRequest, *_view: object) -> None:
        """Raise the errors here, because Django shows its error pages for errors raised by views and by this method."""
        if "\0" in request.path:
            raise Http404("The path contains a NUL character.")
        if any("\0" in text for name, values in request.GET.lists() for text in (name, *values)):
            raise BadRequest("The query contains a NUL character.")


class RequestLog(RequestMiddleware):
    """Log lines of requests, without query strings, because those contain names and email addresses of people."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {request.path}"


def _client(chain: list[str], networks: "Iterable[Network]") -> str:
    """Return the last hop that isn't a trusted proxy. Empty if the chain has none."""
    for hop in reversed(chain):
        address = _hop_address(hop)
        if address is None:
            return _stand_in(chain)
        if not any(address in network for network in networks):
            return str(address)
    return ""


def _stand_in(chain: list[str]) -> str:
    """Return an address for a client that a proxy doesn't name, such as "unknown".

    Throttles count by address, so clients with different chains must not share one. No host has one of 3ffe::/16.
    """
    digest = hashlib.sha256(",".join(chain).encode()).digest()
    return str(IPv6Address(b"\x3f\xfe" + digest[:14]))


def _hop_address(hop: str) -> "Address | None":
    """Parse a hop of X-Forwarded-For: an address, possibly with a port (192.0.2.7:4711 or [2001:db8::1]:4711)."""
    if match := _HOP_WITH_PORT.fullmatch(hop):
        hop = match["v6"] or match["v4"]
    return _address(hop)


def _address(text: str) -> "Address | None":
    try:
        return env.address(text)
    except ValueError:
        return None
