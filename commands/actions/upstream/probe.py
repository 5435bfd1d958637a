"""Retests of refused operations with harmless calls, so that a refusal ends even when nothing is queued.

A probe creates and downloads nothing, so its answer proves less than a command's. Listings and the directory need no
probe, because they are retried by themselves. Must not extend a pause: commands would be held because of a probe.
"""

from collections.abc import Callable, Mapping
from uuid import uuid4

import structlog
from django.conf import settings
from django.db.models import QuerySet

from commands import clock
from commands.actions.upstream import clients, pauses
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError, NotFound, Refused, Rejected, Throttled
from commands.models import Account, Pause
from commands.rules.pauses import PROBED, Operation

log = structlog.get_logger(__name__)


def probe() -> None:
    """Retest each refusal whose pause is over and that nothing has tried since, until one gets no clear answer."""
    for pause in _untried():
        operation, now = Operation(pause.operation), clock.database_now()
        if not Pause.objects.filter(pk=pause.pk, probed_at=pause.probed_at).update(probed_at=now):
            continue  # another worker makes this probe
        account = Account.objects.select_related("credential").get(id=pause.account_id)
        try:
            with clients.client_for(account) as client:
                PROBES[operation](client)
        except (NoCredential, Refused):
            pass  # still refused, which the pause says already
        except (CloudflareError, NotNow) as failure:
            if isinstance(failure, Throttled):
                pauses.pause_after_error(account, operation, failure, now=now)
            log.info("probe_unclear", account=str(account.id), operation=operation, error=str(failure))
            return  # otherwise a Cloudflare that hangs would keep this worker busy for the time of all accounts
        else:
            pauses.clear_pause_after_probe(pause)


def _untried() -> QuerySet[Pause]:
    """Filter refusals that nothing has tried since their pause ended.

    A POST ends before its lease. If one had tried, its answer would be recorded by the time that these pauses are due.
    """
    now = clock.database_now()
    over = clock.has_passed("until", now - settings.DISPATCH_LEASE) & clock.has_passed(
        "probed_at", now - settings.PAUSE_MAX
    )
    rows = Pause.objects.filter(over, refused=True, operation__in=sorted(PROBED))
    return rows.filter(account__in=Account.objects.active()).order_by("until", "id")


def may_download(client: Client) -> None:
    """Request a file that does not exist. "Not found" means that the credential may download.

    Raises:
        Refused: the credential may not download.
    """
    try:
        with client.download(str(uuid4()), "probe.zip"):
            pass
    except (NotFound, Rejected):
        pass


PROBES: Mapping[Operation, Callable[[Client], None]] = {
    Operation.CREATE: Client.check_create_permission,
    Operation.DOWNLOAD: may_download,
}
