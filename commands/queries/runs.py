"""Commands of a run: counts, and those that can be withdrawn or retried. Read-only."""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import FETCH_RAISE, Count

from commands.models import Command
from commands.rules.states import UNSENT, Status

TO_REPEAT = frozenset({Status.FAILED, Status.REJECTED, Status.EXPIRED})
"""Statuses without a result, in which a command surely does not run any more."""


def states(run_id: UUID) -> Mapping[Status, int]:
    """Count the commands of a run by status, in the order of `Status`. One query."""
    rows = Command.objects.filter(run_id=run_id).order_by().values("status").annotate(count=Count("id"))
    counts = dict(rows.values_list("status", "count"))
    return {status: counts[status] for status in Status if status in counts}


def count_and_only_id(run_id: UUID) -> tuple[int, UUID | None]:
    """Return the number of commands, and the id of the command if there is only one. Two queries."""
    rows = Command.objects.filter(run_id=run_id).order_by("id")
    count = rows.count()
    return count, rows.values_list("id", flat=True)[0] if count == 1 else None


def unsent(run_id: UUID) -> Mapping[UUID, str]:
    """Return the commands that can still be withdrawn, with the names of their devices. One query."""
    rows = Command.objects.filter(run_id=run_id, status__in=sorted(UNSENT)).order_by("id")
    return {id_: name or device_id for id_, name, device_id in rows.values_list("id", "device_name", "device_id")}


def to_repeat(run_id: UUID) -> list[Command]:
    """Return the run's commands without a result, in order, with the rows that a new run needs. One query."""
    related = ("account", "run", "dispatch")
    rows = Command.objects.filter(run_id=run_id, status__in=sorted(TO_REPEAT)).select_related(*related)
    return list(rows.fetch_mode(FETCH_RAISE).order_by("id"))
