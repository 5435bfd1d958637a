"""Parts of the desk's form that htmx requests as somebody types. No part calls Cloudflare."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpResponseBase, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from commands.access import Right, not_found
from commands.models import Account
from commands.queries import choices, plans, viewer_context
from commands.queries import devices as directory
from commands.queries.choices import FormChoices
from commands.queries.viewer_context import ViewerContext
from commands.rules.plan import PlanQuota
from commands.web.desk import request_page as page
from commands.web.desk.forms import RequestForm, is_key, with_preset
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, account_in, need, signed_in


@require_GET
@never_cache
@signed_in
def devices(request: SignedIn) -> HttpResponseBase:
    """Show the devices that match what is typed, below those that are selected already."""
    now = timezone.now()
    context = _context(request, request.GET, now)
    account = context.account
    text = request.GET.get("who", "").strip()[:100]
    keys = [int(key) for key in request.GET.getlist("device") if is_key(key)]
    selected = directory.get_by_pks(account.id, keys)
    matches = directory.suggest(account.id, text)
    machines = {device.device_id for device in [*selected, *matches]}
    shown = page.device_choices(
        selected,
        matches,
        directory.count_registrations(account.id, machines),
        text=text,
        has_directory=account.sync.directory_at is not None,
        now=now,
    )
    return render(request, "commands/_devices.html", {"devices": shown})


@require_POST
@never_cache
@signed_in
def preset(request: SignedIn) -> HttpResponseBase:
    """Show the form with a preset's kinds and options. Everything else stays as it was typed."""
    now = timezone.now()
    context = _context(request, request.POST, now)
    presets = {str(row.pk): row for row in choices.presets()}
    chosen = presets.get(request.POST.get("preset", ""))
    if chosen is None:
        raise not_found()
    form = request_form(context.account, initial=with_preset(request.POST, chosen.options, context.account))
    shown = {**parts(form, now), "preset": chosen}
    if request.htmx:
        return render(request, "commands/_ask.html", shown)
    return render(request, "commands/desk.html", {**shown, "frame": layout.build(context, now=now)})


@require_POST
@never_cache
@signed_in
def plan(request: SignedIn) -> HttpResponseBase:
    """Show what would happen if Run were pressed now, and the button that says so."""
    now = timezone.now()
    context = _context(request, request.POST, now)
    form = request_form(context.account, request.POST, FormChoices())
    form.is_valid()
    targets, kinds = form.chosen_targets, list(form.options)
    quota = PlanQuota(context.quota_used, context.account.sync.quota_total)
    planned = None
    if targets and kinds:
        planned = plans.build_plan(context.account.id, targets, kinds, quota=quota, now=now)
    box = page.plan_box(
        context, planned, line_count=form.line_count, line_errors=form.line_errors, problems=form.problems
    )
    return render(request, "commands/_plan.html", {"plan": box})


def request_form(
    account: Account,
    data: QueryDict | None = None,
    offered: FormChoices | None = None,
    initial: Mapping[str, Any] | None = None,
) -> RequestForm:
    return RequestForm(data, account=account, choices=offered or choices.form_choices(), initial=initial)


def parts(form: RequestForm, now: datetime) -> dict[str, object]:
    """Return the form, and the devices that are selected in it or that a line may mean."""
    account = form.account_row.id
    keys = form.selected_keys
    selected = directory.get_by_pks(account, keys) if keys else []
    candidates = form.find_candidates()
    machines = {device.device_id for device in [*selected, *candidates]}
    registrations = directory.count_registrations(account, machines)
    return {"form": form, "devices": page.device_choices(selected, candidates, registrations, text="", now=now)}


def _context(request: SignedIn, given: QueryDict, now: datetime) -> ViewerContext:
    context = viewer_context.find(request.user, account_in(given.get("account")), now=now)
    need(context, Right.RUN)
    return context
