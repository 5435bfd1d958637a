"""What operators see: the status page."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from commands import access
from commands.access import Right
from commands.pages import frame
from commands.pages import operations as page
from commands.queries import operations as query
from commands.queries import place
from commands.views.guard import SignedIn, signed_in


@require_safe
@never_cache
@signed_in
def operations(request: SignedIn) -> HttpResponseBase:
    now = timezone.now()
    try:
        here = place.find(request.user, None, now=now, with_trouble=False)  # the page itself tells it
    except PermissionDenied:
        here = None  # who only administers has no desk
    rights = here.all_rights if here else access.rights_of(request.user)
    which = query.administered(rights)
    if which is None:
        raise PermissionDenied(f"You don't have the right to {Right.ADMINISTER.words} in any account.")
    shown = page.build(query.state(rights, which, now=now), now=now)
    context = {"page": shown, "frame": frame.build(here, now=now) if here else None}
    return render(request, "commands/operations.html", context)
