"""The page that says what is not allowed: with the frame of a place where the person may be, or with a way out."""

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
    """Django's handler403."""
    context = {"words": str(exception or ""), "frame": _frame(request)}
    return render(request, "403.html", context, status=403)


def _frame(request: HttpRequest) -> Frame | None:
    """Of the account that was asked for, else of the first; None for somebody who may be nowhere."""
    if not isinstance(request.user, User) or request.headers.get("HX-Request"):
        return None
    now = timezone.now()
    for given in (request.GET.get("account"), None):
        try:
            return layout.build(viewer_context.find(request.user, account_in(given), now=now), now=now)
        except (Http404, PermissionDenied):
            continue
    return None
