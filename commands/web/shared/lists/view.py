"""Steps of every view of a list: find the context, answer 204 if nothing changed, return the page or a part of it."""

from collections.abc import Mapping
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render

from commands.access import Right
from commands.queries import viewer_context
from commands.queries.viewer_context import ViewerContext
from commands.rules.ids import parse_uuid
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, account_in, need
from commands.web.shared.lists.address import AFTER, BEFORE, ListAddress
from commands.web.shared.lists.page import CommandList

_TEMPLATE = "commands/_list.html"


def find_context(request: SignedIn, *, now: datetime) -> ViewerContext:
    """Return the context of the account in the address. The viewer has the right to see there."""
    context = viewer_context.find(request.user, account_in(request.GET.get("account")), now=now)
    need(context, Right.SEE)
    return context


def is_unchanged(request: SignedIn, context: ViewerContext) -> bool:
    """Return whether the browser already shows the present state, so that no row needs to be read."""
    return request.GET.get("token") == context.token


def address_of(
    request: SignedIn, context: ViewerContext, filters: Mapping[str, str], *, is_oldest_first: bool = False
) -> ListAddress:
    cursor = parse_uuid(request.GET.get(AFTER if is_oldest_first else BEFORE))
    return ListAddress(request.path, context.account.id, filters, cursor, is_oldest_first)


def respond(
    request: SignedIn,
    context: ViewerContext,
    template: str,
    page: object,
    commands: CommandList | None,
    *,
    now: datetime,
) -> HttpResponse:
    """Return the whole page, or for htmx its list alone."""
    if request.htmx and commands is not None:
        return respond_with_part(request, commands)
    return render(request, template, {"page": page, "list": commands, "frame": layout.build(context, now=now)})


def respond_with_part(request: SignedIn, commands: CommandList) -> HttpResponse:
    """Return the list alone, or for a poll only what may have changed in it."""
    part = "update" if "token" in request.GET else "list"
    return render(request, f"{_TEMPLATE}#{part}", {"list": commands})
