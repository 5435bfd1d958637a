"""What operators see (the status page), and what people do about what waits or is in doubt."""

from uuid import UUID, uuid4

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from commands import access
from commands.access import Right
from commands.actions.sending import holds, rerun
from commands.queries import status as query
from commands.queries import viewer_context
from commands.rules.wording.refusals import describe_refusal
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.status import page


@require_safe
@never_cache
@signed_in
def operations(request: SignedIn) -> HttpResponseBase:
    now = timezone.now()
    try:
        here = viewer_context.find(request.user, None, now=now, with_trouble=False)  # the page itself tells it
    except PermissionDenied:
        here = None  # who only administers has no desk
    rights = here.all_rights if here else access.rights_of(request.user)
    which = query.administered(rights)
    if which is None:
        raise PermissionDenied(f"You don't have the right to {Right.ADMINISTER.words} in any account.")
    shown = page.build(query.state(rights, which, now=now), now=now)
    context = {"page": shown, "frame": layout.build(here, now=now) if here else None}
    return render(request, "commands/operations.html", context)


@require_POST
@signed_in
def send_now(request: SignedIn, command_id: UUID) -> HttpResponseBase:
    found = access.get_command(request.user, command_id, Right.RUN)
    holds.release(commands=[found.id], by=request.user, now=timezone.now())
    return _back_to(request, found.id)


@require_POST
@signed_in
def run_again(request: SignedIn, command_id: UUID) -> HttpResponseBase:
    found = access.get_command(request.user, command_id, Right.RUN)
    try:
        key = UUID(request.POST.get("key", "")) if "key" in request.POST else uuid4()
    except ValueError:
        raise BadRequest("The form's key is broken.") from None
    result = rerun.run_again(commands=[found], by=request.user, key=key, now=timezone.now())
    if found.id in result.refused:
        raise PermissionDenied(describe_refusal(result.refused[found.id]))
    new = result.runs[0].commands.order_by("id").values_list("id", flat=True)[0]
    return _back_to(request, new, shows_anew=True)


def _back_to(request: SignedIn, command_id: UUID, *, shows_anew: bool = False) -> HttpResponse:
    """To the command; htmx stays on its page, which asks for news at once."""
    if request.htmx and not shows_anew:
        return HttpResponse(status=204, headers={"HX-Trigger": "refresh-now"})
    return HttpResponse(status=303, headers={"Location": reverse("command", args=[command_id])})
