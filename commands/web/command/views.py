"""One command: its page, and the download of what it brought back."""

from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from commands import access
from commands.access import Right
from commands.queries import causes, viewer_context
from commands.queries import commands as rows
from commands.web.command import page
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.downloads import send

TEMPLATE = "commands/command.html"


@require_safe
@never_cache
@signed_in
def command(request: SignedIn, command_id: UUID) -> HttpResponseBase:
    now = timezone.now()
    found = access.get_command(request.user, command_id, Right.SEE)
    token = f"{found.version}.{request.user.rights_version}"  # every Event raises it; Events are read after it
    if request.htmx and request.GET.get("token") == token:
        return HttpResponse(status=204)
    here = viewer_context.find(request.user, found.account_id, now=now)
    shown = page.build(
        found,
        rows.history(found.id),
        rows.artifact_of(found.id),
        causes.of_one(found),
        viewer=request.user,
        rights=here.rights,
        token=token,
        now=now,
    )
    if request.htmx:
        return render(request, f"{TEMPLATE}#live", {"page": shown})
    return render(request, TEMPLATE, {"page": shown, "frame": layout.build(here, now=now)})


@require_GET
@never_cache
@signed_in
def download(request: SignedIn, command_id: UUID) -> HttpResponseBase:
    found = access.get_command(request.user, command_id, Right.SEE_CONTENTS)
    return send(request, found, rows.artifact_of(found.id), now=timezone.now())
