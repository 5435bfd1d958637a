"""Desk: the request form, the list of commands, and the parts of both that htmx requests."""

from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from commands.access import Right
from commands.actions.sending.submit import Submitted, submit_run
from commands.queries import commands as rows
from commands.queries import runs, viewer_context
from commands.queries.viewer_context import ViewerContext
from commands.rules.kinds import Kind
from commands.rules.policies import Refusal
from commands.web.desk import page, request_page
from commands.web.desk.forms import WHO_LENGTH, RequestForm
from commands.web.desk.page import DeskFilters
from commands.web.desk.request_page import Confirmation
from commands.web.desk.request_views import parts, request_form
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, account_in, need, page_of, signed_in
from commands.web.shared.lists.page import CommandList
from commands.web.shared.lists.view import find_context, is_unchanged, respond_with_part
from commands.web.shared.posts import see_other

TEMPLATE = "commands/desk.html"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def desk(request: SignedIn) -> HttpResponseBase:
    if request.method == "POST":
        return _submit(request)
    context = viewer_context.find(request.user, account_in(request.GET.get("account")), now=timezone.now())
    shows_form = Right.RUN in context.rights and not context.closed
    return _whole(request, context, _fresh_form(request, context) if shows_form else None)


@require_GET
@never_cache
@signed_in
def table(request: SignedIn) -> HttpResponseBase:
    """Show the list alone. With a token, only what has changed since then, or 204."""
    now = timezone.now()
    context = find_context(request, now=now)
    if is_unchanged(request, context):
        return HttpResponse(status=204)
    return respond_with_part(request, _list(context, DeskFilters.read(request.GET.dict(), context), now))


@require_GET
@never_cache
@signed_in
def status(request: SignedIn) -> HttpResponseBase:
    """Show quota, freshness and banners, as they are part of every page."""
    now = timezone.now()
    context = viewer_context.find(request.user, account_in(request.GET.get("account")), now=now)
    return render(request, "_frame.html#status", {"frame": layout.build(context, now=now), "is_update": True})


def _submit(request: SignedIn) -> HttpResponse:
    now = timezone.now()
    context = viewer_context.find(request.user, account_in(request.POST.get("account")), now=now)
    need(context, Right.RUN)
    form = None if context.closed else request_form(context.account, request.POST)
    if form is None or not form.is_valid():
        return _refuse(request, context, form)
    given = {name: form.cleaned_data[name] for name in ("key", "purpose", "ticket", "reason")}
    result = submit_run(
        account=context.account, by=request.user, targets=form.chosen_targets, kinds=form.options, now=now, **given
    )
    if isinstance(result, Refusal):
        form.add_refusal(result)
        return _refuse(request, context, form)
    return _confirm(request, context, result)


def _refuse(request: SignedIn, context: ViewerContext, form: RequestForm | None) -> HttpResponse:
    """Show the form as it was typed, with what is wrong. Without a form, show why there is none."""
    if not request.htmx:
        return _whole(request, context, form, status=422)
    shown = parts(form, timezone.now()) if form else {"closed": context.closed}
    return render(request, f"{TEMPLATE}#ask", shown, status=422)


def _confirm(request: SignedIn, context: ViewerContext, submitted: Submitted) -> HttpResponse:
    """Show an empty form, and the new rows on top of the list that the person looks at."""
    run = submitted.run
    count, only_id = runs.count_and_only_id(run.id)
    confirmation = request_page.confirmation(
        run, submitted.skipped, count=count, only_id=only_id, rights=context.rights
    )
    if not request.htmx:
        messages.success(request, _linked(confirmation))
        return see_other(f"{reverse('desk')}?account={run.account_id}")
    now = timezone.now()
    # The run raised the account's version, and the list in this response must have the new token.
    context = viewer_context.find(request.user, context.account.id, now=now)
    shown = {"form": request_form(context.account), "confirmation": confirmation}
    address = ""
    if Right.SEE in context.rights:
        current = DeskFilters.read(_query_of_page(request), context)
        filters = current.showing([Kind(kind) for kind in run.options])
        shown["list"] = _list(context, filters, now)
        if filters != current:
            address = filters.address(context.account.id).url()
    response = render(request, f"{TEMPLATE}#submitted", shown)
    if address:
        response["HX-Replace-Url"] = address
    return response


def _linked(confirmation: Confirmation) -> str:
    url, message = confirmation.url, confirmation.message
    linked = format_html('<a href="{}">{}</a>', url, message) if url else message
    return format_html("{} {}", linked, confirmation.skipped)


def _fresh_form(request: SignedIn, context: ViewerContext) -> RequestForm:
    """Return an empty form, except for the target of a link."""
    return request_form(context.account, initial={"who": request.GET.get("who", "")[:WHO_LENGTH]})


def _whole(request: SignedIn, context: ViewerContext, form: RequestForm | None, status: int = 200) -> HttpResponse:
    now = timezone.now()
    filters = DeskFilters.read(request.GET.dict(), context)
    shown = {
        "frame": layout.build(context, now=now),
        **(parts(form, now) if form else {}),
        "closed": context.closed if Right.RUN in context.rights else "",
        "list": _list(context, filters, now) if Right.SEE in context.rights else None,
    }
    return render(request, TEMPLATE, shown, status=status)


def _list(context: ViewerContext, filters: DeskFilters, now: datetime) -> CommandList:
    shown = rows.newest(filters.filter(context, now=now), before=filters.before)
    counts = rows.count_up_to(filters.counted(context, now=now))
    is_first_run = not shown.rows and not rows.has_any(context.account.id)
    return page.build(context, filters, shown, counts=counts, is_first_run=is_first_run, now=now)


def _query_of_page(request: SignedIn) -> dict[str, str]:
    """Return the filters of the page that the form is on."""
    return dict(parse_qsl(urlsplit(page_of(request)).query))
