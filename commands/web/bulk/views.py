"""What people do with commands that they ticked: take back, let go, run again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

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
from commands.actions.sending.withdraw import withdraw as take_back
from commands.models import Command, User
from commands.queries import plans
from commands.rules.policies import Refusal
from commands.web.shared import operations as page
from commands.web.shared.auth import SignedIn, signed_in
from commands.web.shared.operations import Act


@require_POST
@never_cache
@signed_in
def act(request: SignedIn) -> HttpResponseBase:
    """Do one thing with all that are ticked; what it cannot be done with is told, each with its reason."""
    ids = [_uuid(given) for given in request.POST.getlist("id")]
    if request.POST.get("act") not in set(Act):
        raise BadRequest("There is no such act.")
    if not ids:
        messages.warning(request, "Nothing was ticked.")
        return _back(request)
    if len(ids) > page.MOST:
        messages.warning(request, f"At most {page.MOST} at a time; {len(ids)} were ticked. Nothing was done.")
        return _back(request)
    commands = access.get_commands(request.user, ids, Right.RUN)
    wanted, now = Act(request.POST["act"]), timezone.now()
    kept = _do(wanted, commands, key_of(request), by=request.user, now=now)
    done, others = page.result_messages(wanted, commands, kept)
    for sentence in done:
        messages.success(request, sentence)
    for sentence in others:
        messages.warning(request, sentence)
    return _back(request)


def _do(wanted: Act, commands: Sequence[Command], key: UUID, *, by: User, now: datetime) -> Mapping[UUID, Refusal]:
    """Those that it was not done with, and why. What happened since they were read is seen by the acts themselves."""
    if wanted is Act.AGAIN:
        return rerun.run_all_again(
            commands=commands, devices=plans.of_commands(commands), by=by, now=now, form_key=key
        ).kept
    kept = {one.id: why for one in commands if (why := page.refusal(wanted, one))}
    ready = [one.id for one in commands if one.id not in kept]
    if wanted is Act.SEND_NOW:
        freed = holds.release(commands=ready, by=by, now=now)
        return kept | {id_: Refusal("It was not held back any more.") for id_ in ready if id_ not in freed}
    for account in {one.account_id: one.account for one in commands}.values():
        done = take_back(account=account, ids=ready, by=by, now=now)
        kept |= {id_: page.kept_because(status) for id_, status in done.kept.items()}
    return kept


def key_of(request: SignedIn) -> UUID:
    """The form's own key: a second submit of it does nothing anew."""
    return _uuid(request.POST["key"]) if "key" in request.POST else uuid4()


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise BadRequest("The form is broken.") from None


def _back(request: SignedIn) -> HttpResponse:
    """To the list that the ticks were in; nowhere else."""
    back = request.POST.get("back", "")
    is_ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return _to(back if is_ours else reverse("desk"))


def _to(address: str) -> HttpResponse:
    return HttpResponse(status=303, headers={"Location": address})
