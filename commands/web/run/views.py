"""Run page, and its two operations: withdraw unsent commands, and retry failed ones."""

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
from commands.actions.sending import withdraw as withdrawals
from commands.queries import commands as rows
from commands.queries import runs, viewer_context
from commands.queries.commands import Filter
from commands.rules.states import Status
from commands.web.run import page
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.lists.view import address_of, is_unchanged, respond
from commands.web.shared.operations import RowOperation, result_messages
from commands.web.shared.posts import form_key, see_other


@require_safe
@never_cache
@signed_in
def run(request: SignedIn, run_id: UUID) -> HttpResponseBase:
    now = timezone.now()
    shown_run = access.get_run(request.user, run_id, Right.SEE)
    context = viewer_context.find(request.user, shown_run.account_id, now=now)
    if is_unchanged(request, context):
        return HttpResponse(status=204)
    chosen = request.GET.get("status", "")
    status = Status(chosen) if chosen in set(Status) else None
    # Oldest first is the order in which the targets were typed.
    address = address_of(request, context, {"status": status or ""}, is_oldest_first=True)
    commands = rows.oldest(Filter(shown_run.account_id, run_id=run_id, status=status), address.cursor)
    shown = page.build(context, shown_run, runs.states(run_id), commands, address=address, now=now)
    return respond(request, context, "commands/run.html", shown, shown.commands, now=now)


@require_POST
@never_cache
@signed_in
def withdraw(request: SignedIn, run_id: UUID) -> HttpResponseBase:
    shown_run = access.get_run(request.user, run_id, Right.RUN)
    names = runs.unsent(run_id)
    done = withdrawals.withdraw(account=shown_run.account, ids=list(names), by=request.user, now=timezone.now())
    for sentence in page.withdrawal_messages(done.withdrawn, done.kept, names):
        messages.success(request, sentence)
    return see_other(reverse("run", args=[run_id]))


@require_POST
@never_cache
@signed_in
def again(request: SignedIn, run_id: UUID) -> HttpResponseBase:
    """Retry the commands that failed, were rejected, or expired."""
    access.get_run(request.user, run_id, Right.RUN)
    commands = runs.to_repeat(run_id)
    result = rerun.run_again(commands=commands, by=request.user, key=form_key(request), now=timezone.now())
    done, others = result_messages(RowOperation.AGAIN, commands, result.refused)
    for sentence in [*done, *others] or ["Nothing left to retry."]:
        messages.success(request, sentence)
    return see_other(reverse("run", args=[result.runs[0].id if result.runs else run_id]))
