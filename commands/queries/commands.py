"""Commands as lists show them, and one command's history. Read-only; nothing of a row is loaded later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import FETCH_RAISE, IntegerField, Subquery

from commands.ids import first_id
from commands.kinds import Kind
from commands.models import Account, Artifact, Command, Event
from commands.models.command import CommandQuerySet
from commands.states import DONE, OPEN, Status

ROWS = 50
COUNT_STOPS_AT = 1000
_PROBLEM = (Status.FAILED, Status.REJECTED, Status.DECLINED, Status.UNCONFIRMED, Status.EXPIRED)

GROUPS = {
    "open": frozenset(OPEN),
    "done": frozenset({Status.SUCCESS}),
    "failed": frozenset(_PROBLEM),
    "ended": frozenset(DONE),
}
"""What people filter by: sets of statuses under a word."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which commands of an account. `asked_by`: None is everyone; `since`: None is from the beginning."""

    account_id: UUID
    asked_by: int | None = None
    group: str = ""  # a key of GROUPS
    kind: Kind | None = None
    since: datetime | None = None


def _matching(wanted: Filter) -> CommandQuerySet:
    rows = Command.objects.filter(account_id=wanted.account_id).shown()
    if wanted.asked_by is not None:
        rows = rows.filter(asked_by_id=wanted.asked_by)
    if wanted.group:
        rows = rows.filter(status__in=GROUPS[wanted.group])
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    if wanted.since:
        rows = rows.filter(id__gte=first_id(wanted.since))
    return rows


def newest(wanted: Filter, *, before: UUID | None = None) -> tuple[list[Command], bool]:
    """One page, newest first, with askers and artifacts; and whether there is more. One query."""
    rows = _matching(wanted).select_related("asked_by", "artifact").fetch_mode(FETCH_RAISE)
    if before:
        rows = rows.filter(id__lt=before)
    found = list(rows.order_by("-id")[: ROWS + 1])
    return found[:ROWS], len(found) > ROWS


class _CappedCount(Subquery):
    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def count_up_to(filters: Sequence[Filter]) -> list[int]:
    """How many each has, at most COUNT_STOPS_AT + 1. One query for all of them."""
    if not filters:
        return []
    counts = [_CappedCount(_matching(wanted).values("id")[: COUNT_STOPS_AT + 1]) for wanted in filters]
    return list(Account.objects.filter(id=filters[0].account_id).values_list(*counts).get())


def history(command_id: UUID) -> list[Event]:
    """A command's Events, oldest first, with who made them. One query."""
    events = Event.objects.filter(command_id=command_id).select_related("by").fetch_mode(FETCH_RAISE)
    return list(events.order_by("version"))


def artifact_of(command_id: UUID) -> Artifact | None:
    return Artifact.objects.filter(command_id=command_id).fetch_mode(FETCH_RAISE).first()
