"""Hold on commands that waited through a long pause of sending, until a person presses "Send now".

A user who requested a capture an hour ago may have ended the call since. So a command that was queued before a pause
began, and is still queued when the pause has lasted HOLD_AFTER, is not sent automatically. The view checks who may
release it, and the claim (`claim.py`) skips commands on hold.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import F, Q

from commands.actions.record.transitions import StatusWriter, Transition, change_statuses
from commands.audit import by_person
from commands.models import Account, CallBudget, Command, Pause, User
from commands.rules.events import EventType
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import Status
from commands.wakeup import wake

log = structlog.get_logger(__name__)

MOST = 1000  # commands of one account in one transaction: the next call takes the rest


def hold_stale(changes: StatusWriter, *, db_now: datetime, account: Account | None = None) -> int:
    """Hold commands that long pauses have made too old to send, of one account or of all. Return how many."""
    held = 0
    for account_id, since in _long_pauses(db_now, account):
        waiting = Command.objects.filter(account_id=account_id, status=Status.QUEUED, dispatch=None, held_at=None)
        waiting = waiting.filter(requested_at__lte=since).filter(Q(send_now_at=None) | Q(send_now_at__lte=since))
        ids = list(waiting.order_by("id").values_list("id", flat=True)[:MOST])
        if not ids:
            continue
        reason_code, values = CommandReasonCode.HELD_AFTER_PAUSE, {"held_at": changes.now}
        done = changes.write(
            [Transition(id_, reason_code=reason_code, values=values, event=EventType.HELD) for id_ in ids],
            where=Q(status=Status.QUEUED, dispatch=None, held_at=None),
        )
        log.warning("commands_held", account=str(account_id), commands=len(done), since=since.isoformat())
        held += len(done)
    return held


def _long_pauses(db_now: datetime, account: Account | None) -> Iterator[tuple[UUID, datetime]]:
    """Yield (account, begin) of each pause of sending that lasted HOLD_AFTER or longer, whatever its reason.

    A short pause is not long because its row stays until something is sent again.
    """
    before, length = db_now - settings.HOLD_AFTER, settings.HOLD_AFTER
    pauses = Pause.objects.filter(operation=Pause.Operation.CREATE, since__lte=before, until__gte=F("since") + length)
    throttled = CallBudget.objects.filter(paused_since__lte=before, paused_until__gte=F("paused_since") + length)
    if account is not None:
        pauses = pauses.filter(account=account)
        throttled = throttled.filter(credential__account=account)
    yield from pauses.order_by("id").values_list("account_id", "since")
    for account_id, since in throttled.order_by("pk").values_list("credential__account", "paused_since"):
        if account_id is not None and since is not None:
            yield account_id, since


def release(*, commands: Iterable[UUID], by: User, now: datetime) -> list[UUID]:
    """Release commands from hold, and return those that were on hold. They still wait for a busy machine or a pause."""
    with change_statuses(by=by_person(by), now=now) as changes:
        values = {"held_at": None, "send_now_at": now, "reason_code": "", "remote_message": ""}
        released = changes.write(
            [Transition(id_, values=values, event=EventType.SEND_NOW) for id_ in commands],
            where=Q(status=Status.QUEUED, held_at__isnull=False),
        )
        for account_id in changes.accounts:
            wake("commands.tasks.deliver_account", str(account_id))
    return released
