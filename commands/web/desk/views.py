"""The desk: the form, the table, and the parts of both that htmx asks for."""

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
from commands.actions.sending import submit
from commands.models import Run
from commands.queries import commands as rows
from commands.queries import plans, runs, viewer_context
from commands.queries.viewer_context import ViewerContext
from commands.rules.kinds import Kind
from commands.web.desk import page
from commands.web.desk import request_page as ask_page
from commands.web.desk.forms import WHO_LENGTH, AskForm
from commands.web.desk.request_views import form_of, parts
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, account_in, need, page_of, signed_in

TEMPLATE = "commands/desk.html"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def desk(request: SignedIn) -> HttpResponseBase:
    if request.method == "POST":
        return _ask(request)
    here = viewer_context.find(request.user, account_in(request.GET.get("account")), now=timezone.now())
    return _whole(request, here, _fresh(request, here) if Right.RUN in here.rights and not here.closed else None)


@require_GET
@never_cache
@signed_in
def table(request: SignedIn) -> HttpResponseBase:
    """The table alone; with a token only what is new since then, or 204."""
    now = timezone.now()
    here = viewer_context.find(request.user, account_in(request.GET.get("account")), now=now)
    need(here, Right.SEE)
    token = request.GET.get("token")
    if token == here.token:
        return HttpResponse(status=204)
    context = {"table": _table(here, page.View.of(request.GET.dict(), here), now)}
    return render(request, f"{TEMPLATE}#{'table' if token is None else 'update'}", context)


@require_GET
@never_cache
@signed_in
def status(request: SignedIn) -> HttpResponseBase:
    """Quota, freshness and banners: what the frame says about the world."""
    now = timezone.now()
    here = viewer_context.find(request.user, account_in(request.GET.get("account")), now=now)
    return render(request, "_frame.html#status", {"frame": layout.build(here, now=now), "is_update": True})


def _ask(request: SignedIn) -> HttpResponse:
    now = timezone.now()
    here = viewer_context.find(request.user, account_in(request.POST.get("account")), now=now)
    need(here, Right.RUN)
    if here.closed:
        return _refuse(request, here, None)
    form = form_of(here.account, request.POST)
    if not form.is_valid():
        return _refuse(request, here, form)
    planned = plans.build_plan(here, form.chosen_targets, form.resolved.devices, list(form.options), now=now)
    targets = plans.sendable_targets(planned, form.chosen_targets)
    if not targets:
        form.add_error("who", ask_page.nothing_sent(planned))
        return _refuse(request, here, form)
    try:
        made = submit.ask(
            account=here.account,
            by=request.user,
            now=now,
            form_key=form.cleaned_data["key"],
            options=form.options,
            targets=targets,
            purpose=form.cleaned_data["purpose"],
            ticket=form.cleaned_data["ticket"],
            reason=form.cleaned_data["reason"],
        )
    except submit.SentBefore:
        form.renew()
        return _refuse(request, here, form)
    said = ask_page.said(made, *runs.count_and_only_id(made.id), asked=planned, rights=here.rights)
    return _answer(request, here, said, made)


def _refuse(request: SignedIn, here: ViewerContext, form: AskForm | None) -> HttpResponse:
    """The form as it was typed, with what is wrong; without one, why there is none."""
    if not request.htmx:
        return _whole(request, here, form, status=422)
    context = parts(form, timezone.now()) if form else {"closed": here.closed}
    return render(request, f"{TEMPLATE}#ask", context, status=422)


def _answer(request: SignedIn, here: ViewerContext, said: ask_page.Said, made: Run) -> HttpResponse:
    """An empty form, and the new rows on top of the table that the person looks at."""
    if not request.htmx:
        messages.success(request, _linked(said))
        return HttpResponse(status=303, headers={"Location": f"{reverse('desk')}?account={made.account_id}"})
    now = timezone.now()
    # The version has moved on: what the answer carries must carry the new token.
    here = viewer_context.find(request.user, here.account.id, now=now)
    context = {"form": form_of(here.account), "said": said}  # an empty form ticks nobody
    address = ""
    if Right.SEE in here.rights:
        looked_at = page.View.of(_query_of_page(request), here)
        view = looked_at.showing([Kind(kind) for kind in made.options])
        context["table"] = _table(here, view, now)
        if view != looked_at:
            address = view.url(here.account.id)
    response = render(request, f"{TEMPLATE}#asked", context)
    if address:
        response["HX-Replace-Url"] = address
    return response


def _linked(said: ask_page.Said) -> str:
    link = format_html('<a href="{}">{}</a>', said.url, said.words) if said.url else said.words
    return format_html("{} {}", link, said.left_out)


def _fresh(request: SignedIn, here: ViewerContext) -> AskForm:
    """An empty form, but for the target that a link names."""
    return form_of(here.account, initial={"who": request.GET.get("who", "")[:WHO_LENGTH]})


def _whole(request: SignedIn, here: ViewerContext, form: AskForm | None, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "frame": layout.build(here, now=now),
        **(parts(form, now) if form else {}),
        "closed": here.closed if Right.RUN in here.rights else "",
        "table": _table(here, page.View.of(request.GET.dict(), here), now) if Right.SEE in here.rights else None,
    }
    return render(request, TEMPLATE, context, status=status)


def _table(here: ViewerContext, view: page.View, now: datetime) -> page.Table:
    found, more = rows.newest(view.filter(here, now=now), before=view.before)
    counts = rows.count_up_to(view.counted(here, now=now))
    is_first_run = not found and not rows.has_any(here.account.id)
    return page.build(here, view, found, more=more, counts=counts, is_first_run=is_first_run, now=now)


def _query_of_page(request: SignedIn) -> dict[str, str]:
    """The filters of the page that the form stands on."""
    return dict(parse_qsl(urlsplit(page_of(request)).query))
