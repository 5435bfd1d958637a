"""/metrics, for requests with METRICS_TOKEN or from this machine. Without a token also from private addresses.

A private address proves little: behind an untrusted proxy, or through Docker's bridge, every client has one.
"""

import re
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from commands.queries import metrics as query
from commands.web.metrics import page

_LOCAL = [ip_network(network) for network in ("127.0.0.0/8", "::1/128")]
# With RFC 1918 and RFC 4193. `is_private` of Python includes more.
_PRIVATE = [*_LOCAL, *map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))]
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    if not (_has_token(request) or _is_nearby(request)):
        return HttpResponse("Missing or invalid bearer token.\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    now = timezone.now()
    return HttpResponse(page.text(query.figures(now=now), now=now), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _has_token(request: HttpRequest) -> bool:
    given = _BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    wanted = settings.METRICS_TOKEN
    return bool(wanted) and given is not None and constant_time_compare(given[1], wanted)


def _is_nearby(request: HttpRequest) -> bool:
    """Check the client's address, which TrustedProxies has put into REMOTE_ADDR."""
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(address in network for network in (_LOCAL if settings.METRICS_TOKEN else _PRIVATE))
