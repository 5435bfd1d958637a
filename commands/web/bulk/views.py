"""Operations on selected commands: withdraw, send now, run again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from commands import access
from commands.access import Right
from commands.actions.sending import holds, rerun
from commands.actions.sending.withdraw import withdraw
from commands.models import Command, User
from commands.rules.policies import Refusal, RefusalCode
from commands.web.shared import operations
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.operations import RowOperation
from commands.web.shared.posts import form_key, posted_uuid, see_other


@require_POST
@never_cache
@signed_in
def act(request: SignedIn) -> HttpResponseBase:
    """Do one operation with all selected commands, and report those that it was refused for."""
    ids = [posted_uuid(id_) for id_ in request.POST.getlist("id")]
    if request.POST.get("operation") not in set(RowOperation):
        raise BadRequest("Unknown action.")
    if not ids:
        messages.warning(request, "No commands were selected.")
        return _back(request)
    if len(ids) > operations.SELECTED_MAX:
        messages.warning(
            request, f"Select {operations.SELECTED_MAX} commands at most. You selected {len(ids)}. Nothing was done."
        )
        return _back(request)
    commands = access.get_commands(request.user, ids, Right.RUN)
    operation, now = RowOperation(request.POST["operation"]), timezone.now()
    refused = _do(operation, commands, form_key(request), by=request.user, now=now)
    done, others = operations.result_messages(operation, commands, refused)
    for message in done:
        messages.success(request, message)
    for message in others:
        messages.warning(request, message)
    return _back(request)


def _do(
    operation: RowOperation, commands: Sequence[Command], key: UUID, *, by: User, now: datetime
) -> Mapping[UUID, Refusal]:
    """Return the commands that the operation was refused for. The actions notice changes since the read."""
    if operation is RowOperation.AGAIN:
        return rerun.run_again(commands=commands, by=by, key=key, now=now).refused
    refused = {command.id: refusal for command in commands if (refusal := operations.refusal(operation, command))}
    ready = [command.id for command in commands if command.id not in refused]
    if operation is RowOperation.SEND_NOW:
        released = holds.release(commands=ready, by=by, now=now)
        return refused | {id_: Refusal(RefusalCode.NOT_ON_HOLD) for id_ in ready if id_ not in released}
    for account in {command.account_id: command.account for command in commands}.values():
        done = withdraw(account=account, ids=ready, by=by, now=now)
        refused |= {id_: operations.withdrawal_refusal(status) for id_, status in done.kept.items()}
    return refused


def _back(request: SignedIn) -> HttpResponse:
    """Redirect to the list that the commands were selected in. Other sites' addresses lead to the desk."""
    back = request.POST.get("back", "")
    # A header can hold no line end and no control character.
    is_ours = back.startswith("/") and back.isprintable() and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return see_other(back if is_ours else reverse("desk"))
