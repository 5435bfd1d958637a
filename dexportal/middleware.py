"""The middlewares of our own: whom to believe about the client, what no address holds, and a request's log lines."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

from dexportal import env

if TYPE_CHECKING:
    from dexportal.env import Address, Network

_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP")


class TrustedProxies:
    """Puts the client's address into REMOTE_ADDR when a trusted proxy names it; removes what others claim.

    After it REMOTE_ADDR is the nearest address that is no trusted proxy, an IPv4 one in its own form, and
    X-Forwarded-Proto is there only when a trusted proxy sent it: whoever comes later may believe both.
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
            # The last word is that of the proxy next to us; what stands before it may come from anybody.
            if proto := meta.get("HTTP_X_FORWARDED_PROTO"):
                meta["HTTP_X_FORWARDED_PROTO"] = proto.rpartition(",")[2].strip()
        else:
            meta.pop("HTTP_X_FORWARDED_PROTO", None)
        for header in _FORWARDED:
            meta.pop(header, None)
        return self.get_response(request)


class NoNul:
    """A NUL in an address is nobody's name: PostgreSQL takes none, and would answer with an error of its own.

    What is typed into a form is not looked at here: each field has a sentence for it, and keeps what was typed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    @staticmethod
    def process_view(request: HttpRequest, *_view: object) -> None:
        """Raises what answers with the designed page, as a view would."""
        if "\0" in request.path:
            raise Http404("There is no such thing here.")
        if any("\0" in word for name, words in request.GET.lists() for word in (name, *words)):
            raise BadRequest("There is a NUL in the address.")


class RequestLog(RequestMiddleware):
    """django-structlog's lines, without query strings: they carry names and addresses of people."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {request.path}"


def _client(chain: list[str], networks: "Iterable[Network]") -> str:
    """The last hop that is no trusted proxy; empty where the chain has none or it is no address."""
    for hop in reversed(chain):
        address = _address(hop)
        if address is None:
            return ""
        if not any(address in network for network in networks):
            return str(address)
    return ""


def _address(text: str) -> "Address | None":
    try:
        return env.address(text)
    except ValueError:
        return None
