"""History of all commands of an account."""

from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from commands.access import Right
from commands.queries import commands as rows
from commands.web.history import page
from commands.web.history.forms import HistoryForm
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.lists.view import address_of, find_context, is_unchanged, respond


@require_safe
@never_cache
@signed_in
def history(request: SignedIn) -> HttpResponseBase:
    now = timezone.now()
    context = find_context(request, now=now)
    if is_unchanged(request, context):
        return HttpResponse(status=204)
    form = HistoryForm(
        request.GET, account_id=context.account.id, viewer=request.user, can_run=Right.RUN in context.rights
    )
    address = address_of(request, context, form.given, is_oldest_first=form.is_oldest_first)
    found, count = None, 0
    if form.is_valid():
        filter_ = form.filter()
        in_order = rows.oldest if form.is_oldest_first else rows.newest
        found = in_order(filter_, address.cursor)
        [count] = rows.count_up_to([filter_])
    shown = page.build(context, form, found, count, address=address, now=now)
    return respond(request, context, "commands/history.html", shown, shown.commands, now=now)
