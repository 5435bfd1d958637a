"""The desk: the form, the table, and the parts of both that htmx asks for."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from commands.access import Right
from commands.actions import run
from commands.forms.desk import AskForm
from commands.pages import desk as page
from commands.pages import frame
from commands.queries import commands as rows
from commands.queries import place
from commands.queries.place import Place
from commands.views.ask import form_of, parts
from commands.views.guard import SignedIn, account_in, need, signed_in

TEMPLATE = "commands/desk.html"
WHO_AT_MOST = 254


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def desk(request: SignedIn) -> HttpResponseBase:
    if request.method == "POST":
        return _ask(request)
    here = place.find(request.user, account_in(request.GET.get("account")), now=timezone.now())
    return _whole(request, here, _fresh(request, here) if Right.RUN in here.rights else None)


@require_GET
@never_cache
@signed_in
def table(request: SignedIn) -> HttpResponseBase:
    """The table alone; with a token only what is new since then, or 204."""
    now = timezone.now()
    here = place.find(request.user, account_in(request.GET.get("account")), now=now)
    need(here, Right.SEE)
    token = request.GET.get("token")
    if token == here.token:
        return HttpResponse(status=204)
    context = {"table": _table(here, request.GET.dict(), now)}
    return render(request, f"{TEMPLATE}#{'table' if token is None else 'update'}", context)


@require_GET
@never_cache
@signed_in
def status(request: SignedIn) -> HttpResponseBase:
    """Quota, freshness and banners: what the frame says about the world."""
    now = timezone.now()
    here = place.find(request.user, account_in(request.GET.get("account")), now=now)
    return render(request, "_frame.html#status", {"frame": frame.build(here, now=now), "is_update": True})


def _ask(request: SignedIn) -> HttpResponse:
    now = timezone.now()
    here = place.find(request.user, account_in(request.POST.get("account")), now=now)
    need(here, Right.RUN)
    form = form_of(here.account, request.POST)
    if not form.is_valid():
        if request.htmx:
            return render(request, f"{TEMPLATE}#ask", parts(form, now), status=422)
        return _whole(request, here, form, status=422)
    made = run.ask(
        account=here.account,
        by=request.user,
        now=now,
        form_key=form.cleaned_data["key"],
        options=form.options,
        targets=form.chosen_targets,
        purpose=form.cleaned_data["purpose"],
        ticket=form.cleaned_data["ticket"],
        reason=form.cleaned_data["reason"],
    )
    words = _asked(len(form.chosen_targets) * len(form.options))
    if not request.htmx:
        messages.success(request, words)
        return HttpResponse(status=303, headers={"Location": f"{reverse('desk')}?account={made.account_id}"})
    # The version has moved on: what the answer carries must carry the new token.
    here = place.find(request.user, here.account.id, now=now)
    context = {"form": form_of(here.account), "said": words}  # an empty form ticks nobody
    if Right.SEE in here.rights:
        context["table"] = _table(here, _query_of_page(request), now)
    return render(request, f"{TEMPLATE}#asked", context)


def _fresh(request: SignedIn, here: Place) -> AskForm:
    """An empty form, but for the target that a link names."""
    return form_of(here.account, initial={"who": request.GET.get("who", "")[:WHO_AT_MOST]})


def _whole(request: SignedIn, here: Place, form: AskForm | None, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "frame": frame.build(here, now=now),
        **(parts(form, now) if form else {}),
        "table": _table(here, request.GET.dict(), now) if Right.SEE in here.rights else None,
    }
    return render(request, TEMPLATE, context, status=status)


def _table(here: Place, query: Mapping[str, str], now: datetime) -> page.Table:
    view = page.View.of(query, here)
    found, more = rows.newest(view.filter(here, now=now), before=view.before)
    counts = rows.count_up_to(view.counted(here, now=now))
    is_first_run = not found and not rows.has_any(here.account.id)
    return page.build(here, view, found, more=more, counts=counts, is_first_run=is_first_run, now=now)


def _query_of_page(request: SignedIn) -> dict[str, str]:
    """The filters of the page that the form stands on."""
    return dict(parse_qsl(urlsplit(request.htmx.current_url or "").query))


def _asked(count: int) -> str:
    return "Asked for: 1 command." if count == 1 else f"Asked for: {count} commands."
