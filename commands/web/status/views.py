"""Status page for people who administer accounts."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from commands import access
from commands.queries import status as query
from commands.queries import viewer_context
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.status import page

TEMPLATE = "commands/status.html"


@require_safe
@never_cache
@signed_in
def status(request: SignedIn) -> HttpResponseBase:
    now = timezone.now()
    try:
        # Without banners, because the page itself shows every pause.
        context = viewer_context.find(request.user, None, now=now, with_trouble=False)
    except PermissionDenied:
        context = None  # a person who only administers has no desk
    rights = context.all_rights if context else access.rights_of(request.user)
    which = query.administered(rights)
    if which is None:
        raise PermissionDenied("You're not an administrator of any account.")
    shown = page.build(query.state(rights, which, now=now), now=now)
    return render(request, TEMPLATE, {"page": shown, "frame": layout.build(context, now=now) if context else None})
