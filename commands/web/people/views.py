"""A person's page, and a device's."""

from datetime import datetime

from django.http import Http404, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from commands.models import Device
from commands.queries import commands as rows
from commands.queries import devices
from commands.queries.commands import Filter
from commands.queries.viewer_context import ViewerContext
from commands.web.people import page
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.lists.view import is_known, place_of, respond, where_of


@require_safe
@never_cache
@signed_in
def person(request: SignedIn, email: str) -> HttpResponseBase:
    now = timezone.now()
    here = place_of(request, now=now)
    if is_known(request, here):
        return HttpResponse(status=204)
    email = email.lower()
    listed = devices.of_person(here.account.id, email)
    return _page(request, here, Filter(here.account.id, email=email), listed, now)


@require_safe
@never_cache
@signed_in
def device(request: SignedIn, device_id: str) -> HttpResponseBase:
    now = timezone.now()
    here = place_of(request, now=now)
    if is_known(request, here):
        return HttpResponse(status=204)
    device_id = device_id.lower()
    listed = devices.of_machine(here.account.id, device_id)
    return _page(request, here, Filter(here.account.id, device_id=device_id), listed, now)


def _page(
    request: SignedIn, here: ViewerContext, base: Filter, listed: list[Device], now: datetime
) -> HttpResponseBase:
    """Whom neither the directory nor the record of this account knows is not there."""
    group = request.GET.get("group", "")
    wanted, counted = page.filters(base, group)
    where = where_of(request, here, {"group": wanted.group})
    counts = rows.count_up_to(counted)
    if not listed and not counts[0]:
        raise Http404("Page not found.")
    found = rows.newest(wanted, before=where.cursor)
    build, word = (page.person, base.email) if base.email else (page.device, base.device_id)
    shown = build(here, word, listed, found, counts, where=where, now=now)
    return respond(request, here, "commands/subject.html", shown, shown.commands, now=now)
