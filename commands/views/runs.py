"""A run, and taking back what it has not sent."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from commands import access
from commands.access import Right
from commands.actions.withdraw import withdraw as take_back
from commands.pages import run as page
from commands.queries import commands as rows
from commands.queries import place, runs
from commands.queries.commands import Filter
from commands.states import Status
from commands.views.guard import SignedIn, signed_in
from commands.views.lists import is_known, respond, where_of


@require_safe
@never_cache
@signed_in
def run(request: SignedIn, run_id: UUID) -> HttpResponseBase:
    now = timezone.now()
    asked = access.get_run(request.user, run_id, Right.SEE)
    here = place.find(request.user, asked.account_id, now=now)
    if is_known(request, here):
        return HttpResponse(status=204)
    picked = request.GET.get("status", "")
    status = Status(picked) if picked in set(Status) else None
    where = where_of(request, here, {"status": status or ""})
    found = rows.newest(Filter(asked.account_id, run_id=run_id, status=status), before=where.cursor)
    shown = page.build(here, asked, runs.states(run_id), found, where=where, now=now)
    return respond(request, here, "commands/run.html", shown, shown.commands, now=now)


@require_POST
@never_cache
@signed_in
def withdraw(request: SignedIn, run_id: UUID) -> HttpResponseBase:
    asked = access.get_run(request.user, run_id, Right.RUN)
    names = runs.unsent(run_id)
    done = take_back(account=asked.account, ids=list(names), by=request.user, now=timezone.now())
    for sentence in page.said(done, names):
        messages.success(request, sentence)
    return HttpResponse(status=303, headers={"Location": reverse("run", args=[run_id])})
