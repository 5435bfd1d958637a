"""Checks before every view: the person is signed in. Each view checks the rights itself."""

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django_htmx.middleware import HtmxDetails

from commands.access import Right, not_found
from commands.models import User
from commands.queries.viewer_context import ViewerContext
from commands.rules.ids import parse_uuid


class SignedIn(HttpRequest):
    user: User
    htmx: HtmxDetails


def signed_in(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Send people who are signed out to the sign-in page and back.

    htmx gets a 401 with the address of the sign-in page, and takes the whole page there.
    """

    @wraps(view)
    def guarded(request: SignedIn, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if not request.htmx:
            return redirect(_sign_in(request.get_full_path()))
        response = HttpResponse(status=401)
        response["HX-Redirect"] = _sign_in(page_of(request) or "/")
        return response

    return guarded


def page_of(request: SignedIn) -> str:
    """Return path and query of the page that htmx requests from, or '' if the browser sends no readable address."""
    try:
        return request.htmx.current_url_abs_path or ""
    except ValueError:
        return ""


def _sign_in(then: str) -> str:
    return f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': then})}"


def account_in(given: str | None) -> UUID | None:
    """Return the id of the account that an address or a form names, or None. Raises Http404 for an invalid id."""
    if not given:
        return None
    account_id = parse_uuid(given)
    if account_id is None:
        raise not_found()
    return account_id


def need(context: ViewerContext, right: Right) -> None:
    """Raise PermissionDenied, naming the missing right."""
    if right not in context.rights:
        raise PermissionDenied(f"You don't have the right to {right.phrase} in {context.account.name}.")
