"""What the views of lists share: nothing new is 204, a part is asked for by htmx, else it is the whole page."""

from collections.abc import Mapping
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render

from commands.access import Right
from commands.queries import viewer_context
from commands.queries.viewer_context import ViewerContext
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, account_in, need
from commands.web.shared.lists.page import AFTER, BEFORE, Listing, Where, cursor_of

LIST = "commands/_list.html"


def place_of(request: SignedIn, *, now: datetime) -> ViewerContext:
    """Where the person stands, with the right to see there."""
    here = viewer_context.find(request.user, account_in(request.GET.get("account")), now=now)
    need(here, Right.SEE)
    return here


def is_known(request: SignedIn, here: ViewerContext) -> bool:
    """Return whether the browser has everything already, so that no row is read."""
    return request.GET.get("token") == here.token


def where_of(
    request: SignedIn, here: ViewerContext, given: Mapping[str, str], *, is_oldest_first: bool = False
) -> Where:
    cursor = cursor_of(request.GET, AFTER if is_oldest_first else BEFORE)
    return Where(request.path, here.account.id, given, cursor, is_oldest_first)


def respond(
    request: SignedIn, here: ViewerContext, template: str, page: object, listing: Listing | None, *, now: datetime
) -> HttpResponse:
    if request.htmx and listing is not None:
        part = "update" if "token" in request.GET else "list"
        return render(request, f"{LIST}#{part}", {"list": listing})
    now_frame = layout.build(here, now=now)
    return render(request, template, {"page": page, "list": listing, "frame": now_frame})
