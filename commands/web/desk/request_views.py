"""The parts of the desk's form that htmx asks for as somebody types; none of them asks Cloudflare for anything."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from commands.access import Right
from commands.models import Account
from commands.queries import choices, plans, viewer_context
from commands.queries import devices as directory
from commands.queries.viewer_context import ViewerContext
from commands.rules.kinds import Kind
from commands.web.desk import request_page as page
from commands.web.desk.forms import AskForm, Directory, FormChoices, is_key, with_preset
from commands.web.shared import layout
from commands.web.shared.auth import SignedIn, account_in, need, signed_in


@require_GET
@never_cache
@signed_in
def devices(request: SignedIn) -> HttpResponseBase:
    """Who matches what is typed, below those who are ticked already."""
    now = timezone.now()
    here = _here(request, request.GET, now)
    looked_for = request.GET.get("who", "").strip()[:100]
    ticks = [int(tick) for tick in request.GET.getlist("device") if is_key(tick)]
    ticked = directory.get_by_pks(here.account.id, ticks)
    found = directory.suggest(here.account.id, looked_for)
    machines = directory.rows_of_machines(here.account.id, {one.device_id for one in [*ticked, *found]})
    were_listed = here.account.sync.directory_at is not None
    shown = page.devices(ticked, found, machines, looked_for=looked_for, were_listed=were_listed, now=now)
    return render(request, "commands/_devices.html", {"devices": shown})


@require_POST
@never_cache
@signed_in
def preset(request: SignedIn) -> HttpResponseBase:
    """The form with a preset's kinds and options; everything else stays as it was typed."""
    now = timezone.now()
    here = _here(request, request.POST, now)
    offered = {str(one.pk): one for one in choices.presets()}
    chosen = offered.get(request.POST.get("preset", ""))
    if chosen is None:
        raise Http404("There is no such thing here.")
    form = form_of(here.account, initial=with_preset(request.POST, chosen.options, here.account))
    context = {**parts(form, now), "preset": chosen}
    if request.htmx:
        return render(request, "commands/_ask.html", context)
    return render(request, "commands/desk.html", {**context, "frame": layout.build(here, now=now)})


@require_POST
@never_cache
@signed_in
def plan(request: SignedIn) -> HttpResponseBase:
    """What would happen if Run were pressed now, and the button that says so."""
    now = timezone.now()
    here = _here(request, request.POST, now)
    form = form_of(here.account, request.POST, FormChoices((), ()))
    form.is_valid()
    kinds = [Kind(kind) for kind in form.cleaned_data.get("kinds", [])]
    targets = form.chosen_targets
    made = plans.build_plan(here, targets, form.resolved.devices, kinds, now=now) if targets and kinds else None
    box = page.plan_box(here, made, lines=form.lines, wrong=form.line_errors, problems=form.problems)
    return render(request, "commands/_plan.html", {"plan": box})


_DIRECTORY = Directory(directory.find_by_identifiers, directory.get_by_pks, directory.suggest, directory.is_suggested)


def form_of(
    account: Account, data: QueryDict | None = None, offered: FormChoices | None = None, initial: Any = None
) -> AskForm:
    offered = offered or FormChoices(choices.presets(), choices.purposes())
    return AskForm(data, account=account, directory=_DIRECTORY, offers=offered, initial=initial)


def parts(form: AskForm, now: datetime) -> dict[str, object]:
    """The form with the devices that stand ticked in it, or that a line may have meant."""
    account = form.account_row.id
    ticked = directory.get_by_pks(account, form.ticks) if form.ticks else []
    found = form.find_candidates()
    machines = directory.rows_of_machines(account, {one.device_id for one in [*ticked, *found]})
    return {"form": form, "devices": page.devices(ticked, found, machines, looked_for="", now=now)}


def _here(request: SignedIn, given: QueryDict, now: datetime) -> ViewerContext:
    here = viewer_context.find(request.user, account_in(given.get("account")), now=now)
    need(here, Right.RUN)
    return here
