"""Search in every account whose commands the person may see."""

from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from commands.queries import search as query
from commands.web.search import page
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.lists.view import find_context, respond

TEXT_LENGTH = 254


@require_safe
@never_cache
@signed_in
def search(request: SignedIn) -> HttpResponseBase:
    """Open the only result at once. For several or none, show a page."""
    now = timezone.now()
    context = find_context(request, now=now)
    text = request.GET.get("q", "").strip()[:TEXT_LENGTH]
    shown = page.build(text, query.find(request.user, text))
    if len(shown.links) == 1:
        return redirect(shown.links[0].url)
    return respond(request, context, "commands/search.html", shown, None, now=now)
