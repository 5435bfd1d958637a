"""The history, and the search that leads into it."""

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from commands.access import Right
from commands.queries import commands as rows
from commands.queries import search as words
from commands.web.history import page
from commands.web.history.forms import HistoryForm
from commands.web.search import page as search_page
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.lists.view import is_known, place_of, respond, where_of

TEXT_AT_MOST = 254


@require_safe
@never_cache
@signed_in
def history(request: SignedIn) -> HttpResponseBase:
    now = timezone.now()
    here = place_of(request, now=now)
    if is_known(request, here):
        return HttpResponse(status=204)
    form = HistoryForm(request.GET, viewer=request.user, may_ask=Right.RUN in here.rights)
    where = where_of(request, here, form.given, is_oldest_first=form.is_oldest_first)
    found, count = None, 0
    if form.is_valid():
        wanted = form.filter(here.account.id)
        in_order = rows.oldest if form.is_oldest_first else rows.newest
        found = in_order(wanted, where.cursor)
        [count] = rows.count_up_to([wanted])
    shown = page.build(here, form, found, count, where=where, now=now)
    return respond(request, here, "commands/history.html", shown, shown.commands, now=now)


@require_safe
@never_cache
@signed_in
def search(request: SignedIn) -> HttpResponseBase:
    """One answer: there at once. Several, or none: a page that says so."""
    now = timezone.now()
    here = place_of(request, now=now)
    text = request.GET.get("q", "").strip()[:TEXT_AT_MOST]
    shown = search_page.build(text, words.find(request.user, text))
    if len(shown.links) == 1:
        return redirect(shown.links[0].url)
    return respond(request, here, "commands/search.html", shown, None, now=now)
