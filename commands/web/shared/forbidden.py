"""Page for a missing right, with the frame of an account that the person has access to."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from commands.models import User
from commands.queries import viewer_context
from commands.web.shared import layout
from commands.web.shared.auth import account_in
from commands.web.shared.layout import Frame


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Handle PermissionDenied (Django's handler403)."""
    context = {"message": str(exception or ""), "frame": _frame(request)}
    return render(request, "403.html", context, status=403)


def _frame(request: HttpRequest) -> Frame | None:
    """Build the frame of the account in the address, else of the first one. None for a person without any account."""
    if not isinstance(request.user, User) or request.headers.get("HX-Request"):
        return None
    now = timezone.now()
    for given in (request.GET.get("account"), None):
        try:
            return layout.build(viewer_context.find(request.user, account_in(given), now=now), now=now)
        except (Http404, PermissionDenied):
            continue
    return None
