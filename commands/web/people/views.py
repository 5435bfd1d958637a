"""Page of a person, and page of a device."""

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from commands.access import not_found
from commands.models import Device
from commands.queries import commands as rows
from commands.queries import devices
from commands.queries.commands import Filter
from commands.web.people import page
from commands.web.people.page import SubjectPage
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.lists.view import address_of, find_context, is_unchanged, respond


@require_safe
@never_cache
@signed_in
def person(request: SignedIn, email: str) -> HttpResponseBase:
    email = email.lower()
    registrations = partial(devices.of_person, email=email)
    return _subject(request, partial(Filter, email=email), registrations, partial(page.build_person, email=email))


@require_safe
@never_cache
@signed_in
def device(request: SignedIn, device_id: str) -> HttpResponseBase:
    device_id = device_id.lower()
    registrations = partial(devices.of_machine, device_id=device_id)
    build = partial(page.build_device, device_id=device_id)
    return _subject(request, partial(Filter, device_id=device_id), registrations, build)


def _subject(
    request: SignedIn,
    filter_in: Callable[[UUID], Filter],
    registrations_in: Callable[[UUID], Sequence[Device]],
    build: Callable[..., SubjectPage],
) -> HttpResponseBase:
    """Show the page of a person or device. 404 for one that neither the directory nor any command names."""
    now = timezone.now()
    context = find_context(request, now=now)
    if is_unchanged(request, context):
        return HttpResponse(status=204)
    registrations = registrations_in(context.account.id)
    wanted, counted = page.filters(filter_in(context.account.id), request.GET.get("group", ""))
    address = address_of(request, context, {"group": wanted.group})
    counts = rows.count_up_to(counted)
    if not registrations and not counts[0]:
        raise not_found()
    commands = rows.newest(wanted, before=address.cursor)
    shown = build(context, registrations, commands, counts, address=address, now=now)
    return respond(request, context, "commands/subject.html", shown, shown.commands, now=now)
