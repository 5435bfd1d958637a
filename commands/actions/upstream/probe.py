"""Does Cloudflare still refuse what nothing tries? With nothing to send or to fetch, nobody would find out.

Owns the probes, and that one worker makes each. They create and fetch nothing, so what one of them finds is less sure
than what a command finds. Listings and the directory need none: they are tried again by themselves.
"""

from collections.abc import Callable, Mapping
from uuid import uuid4

import structlog
from django.conf import settings
from django.db.models import QuerySet

from commands import clock
from commands.actions.upstream import clients, rate_limit
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError, NotFound, Refused, Rejected, Throttled
from commands.models import Account, Pause

log = structlog.get_logger(__name__)


def probe() -> None:
    """Ask for each refused act whose pause is over and that nothing has tried since, until one gets no clear answer."""
    for pause in _untried():
        act, now = Pause.Act(pause.act), clock.database_now()
        if not Pause.objects.filter(pk=pause.pk, probed_at=pause.probed_at).update(probed_at=now):
            continue  # of several workers one wrote it
        account = Account.objects.select_related("credential").get(id=pause.account_id)
        try:
            with clients.client_for(account) as client:
                PROBES[act](client)
        except (NoCredential, Refused):
            pass  # as it was said of commands or files
        except (CloudflareError, NotNow) as failure:
            if isinstance(failure, Throttled):
                clients.pause_after_error(account, act, failure, now=now)
            log.info("probe_unclear", account=str(account.id), act=act, words=failure.message)
            return  # a Cloudflare that hangs keeps no worker for the time of all its accounts
        else:
            rate_limit.clear_pause_after_probe(pause)


def _untried() -> QuerySet[Pause]:
    """What could have been tried would have been, and its answer be here: a POST has ended before its lease."""
    now = clock.database_now()
    over = clock.has_passed("until", now - settings.DISPATCH_LEASE) & clock.has_passed(
        "probed_at", now - settings.PAUSE_MAX
    )
    rows = Pause.objects.filter(over, refused=True, act__in=list(PROBES))
    return rows.filter(account__in=Account.objects.active()).order_by("until", "id")


def may_download(client: Client) -> None:
    """Who may not download at all is Refused; that there is no such file is told to who may."""
    try:
        with client.download(str(uuid4()), "probe.zip"):
            pass
    except (NotFound, Rejected):
        pass


PROBES: Mapping[Pause.Act, Callable[[Client], None]] = {
    Pause.Act.CREATE: Client.check_create_permission,
    Pause.Act.DOWNLOAD: may_download,
}
