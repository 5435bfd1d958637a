"""Page of one command, the download of its result, and its operations."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from commands import access
from commands.access import Right
from commands.actions.sending import holds, rerun
from commands.queries import causes, viewer_context
from commands.queries import commands as query
from commands.rules.wording.refusals import describe_refusal
from commands.web.command import page
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.downloads import send
from commands.web.shared.posts import form_key, see_other

TEMPLATE = "commands/command.html"


@require_safe
@never_cache
@signed_in
def command(request: SignedIn, command_id: UUID) -> HttpResponseBase:
    now = timezone.now()
    row = access.get_command(request.user, command_id, Right.SEE)
    # Every event raises the version. The events are read after it, so none is missed.
    token = f"{row.version}.{request.user.rights_version}"
    if request.htmx and request.GET.get("token") == token:
        return HttpResponse(status=204)
    context = viewer_context.find(request.user, row.account_id, now=now)
    shown = page.build(
        row,
        query.history(row.id),
        query.artifact_of(row.id),
        causes.of_one(row),
        viewer=request.user,
        rights=context.rights,
        token=token,
        now=now,
    )
    if request.htmx:
        return render(request, f"{TEMPLATE}#live", {"page": shown})
    return render(request, TEMPLATE, {"page": shown, "frame": layout.build(context, now=now)})


@require_GET
@never_cache
@signed_in
def download(request: SignedIn, command_id: UUID) -> HttpResponseBase:
    row = access.get_command(request.user, command_id, Right.SEE_CONTENTS)
    return send(request, row, query.artifact_of(row.id), now=timezone.now())


@require_POST
@signed_in
def send_now(request: SignedIn, command_id: UUID) -> HttpResponseBase:
    row = access.get_command(request.user, command_id, Right.RUN)
    holds.release(commands=[row.id], by=request.user, now=timezone.now())
    return _redirect_to(request, row.id)


@require_POST
@signed_in
def run_again(request: SignedIn, command_id: UUID) -> HttpResponseBase:
    row = access.get_command(request.user, command_id, Right.RUN)
    result = rerun.run_again(commands=[row], by=request.user, key=form_key(request), now=timezone.now())
    if row.id in result.refused:
        raise PermissionDenied(describe_refusal(result.refused[row.id]))
    new = result.runs[0].commands.order_by("id").values_list("id", flat=True)[0]
    return _redirect_to(request, new, is_new=True)


def _redirect_to(request: SignedIn, command_id: UUID, *, is_new: bool = False) -> HttpResponse:
    """Redirect to a command. For htmx stay on the page, which polls at once, unless the command is new."""
    if request.htmx and not is_new:
        return HttpResponse(status=204, headers={"HX-Trigger": "refresh-now"})
    return see_other(reverse("command", args=[command_id]))
