"""/metrics, for requests with METRICS_TOKEN. A portal on one machine answers that machine without a token too.

In production an address proves nothing: behind a proxy, or through Docker's bridge, every client may look local.
"""

import re
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from commands.queries import metrics as query
from commands.web.metrics import page

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    if not (_has_token(request) or _is_this_machine(request)):
        return HttpResponse("Missing or invalid bearer token.\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    now = timezone.now()
    return HttpResponse(page.text(query.figures(now=now), now=now), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _has_token(request: HttpRequest) -> bool:
    given = _BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    wanted = settings.METRICS_TOKEN
    return bool(wanted) and given is not None and constant_time_compare(given[1], wanted)


def _is_this_machine(request: HttpRequest) -> bool:
    """Check the client's address, which TrustedProxies has put into REMOTE_ADDR."""
    try:
        return not settings.PRODUCTION and ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
