"""A run: taking back what it has not sent, running again what failed."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from commands import access
from commands.access import Right
from commands.actions.sending import rerun
from commands.actions.sending.withdraw import withdraw as take_back
from commands.queries import commands as rows
from commands.queries import runs, viewer_context
from commands.queries.commands import Filter
from commands.rules.states import Status
from commands.web.bulk.views import key_of
from commands.web.run import page
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.lists.view import is_known, respond, where_of
from commands.web.shared.operations import Act, result_messages


@require_safe
@never_cache
@signed_in
def run(request: SignedIn, run_id: UUID) -> HttpResponseBase:
    now = timezone.now()
    asked = access.get_run(request.user, run_id, Right.SEE)
    here = viewer_context.find(request.user, asked.account_id, now=now)
    if is_known(request, here):
        return HttpResponse(status=204)
    picked = request.GET.get("status", "")
    status = Status(picked) if picked in set(Status) else None
    where = where_of(request, here, {"status": status or ""}, is_oldest_first=True)  # as they were asked for
    found = rows.oldest(Filter(asked.account_id, run_id=run_id, status=status), where.cursor)
    shown = page.build(here, asked, runs.states(run_id), found, where=where, now=now)
    return respond(request, here, "commands/run.html", shown, shown.commands, now=now)


@require_POST
@never_cache
@signed_in
def withdraw(request: SignedIn, run_id: UUID) -> HttpResponseBase:
    asked = access.get_run(request.user, run_id, Right.RUN)
    names = runs.unsent(run_id)
    done = take_back(account=asked.account, ids=list(names), by=request.user, now=timezone.now())
    for sentence in page.withdrawal_messages(done, names):
        messages.success(request, sentence)
    return HttpResponse(status=303, headers={"Location": reverse("run", args=[run_id])})


@require_POST
@never_cache
@signed_in
def again(request: SignedIn, run_id: UUID) -> HttpResponseBase:
    """Run again the commands that failed, were rejected, or were too late to be sent."""
    access.get_run(request.user, run_id, Right.RUN)
    commands = runs.to_repeat(run_id)
    result = rerun.run_again(commands=commands, by=request.user, key=key_of(request), now=timezone.now())
    done, others = result_messages(Act.AGAIN, commands, result.refused)
    for sentence in [*done, *others] or ["Nothing left to retry."]:
        messages.success(request, sentence)
    shown = result.runs[0].id if result.runs else run_id
    return HttpResponse(status=303, headers={"Location": reverse("run", args=[shown])})
