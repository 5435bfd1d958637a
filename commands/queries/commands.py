"""Commands as lists show them, and the history of one command. Read-only. Nothing of a row is loaded later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import FETCH_RAISE, F
from django.db.models.expressions import OrderBy
from django.db.models.functions import Coalesce, Lower

from commands.models import Account, Artifact, Command, Event
from commands.models.command import CommandQuerySet
from commands.queries.causes import captures_beside
from commands.queries.subqueries import SubqueryCount
from commands.rules.ids import first_id
from commands.rules.kinds import Kind
from commands.rules.states import DONE, OPEN, Status

ROWS = 50
COUNT_STOPS_AT = 1000

GROUPS = {
    "open": frozenset(OPEN),
    "done": frozenset({Status.SUCCESS}),
    "failed": frozenset({Status.FAILED, Status.REJECTED}),
    "doubt": frozenset({Status.UNCERTAIN, Status.UNCONFIRMED}),
    "unsent": frozenset({Status.EXPIRED, Status.WITHDRAWN, Status.DECLINED}),
    "ended": frozenset(DONE),
}
"""Groups of statuses that people filter by."""

GROUP_LABELS = {
    "open": "Open",
    "done": "Done",
    "failed": "Failed",
    "doubt": "In doubt",
    "unsent": "Not sent",
    "ended": "Ended",
}

COUNTED = ("open", "done", "failed", "doubt", "unsent")
"""Groups that the chips of a list count and open."""

_OPEN = "in open"  # stands for a look-up that has an index of its own
type Column = str | Lower


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on the commands of an account. None and '' mean any value. Texts are whole values in small letters.

    `since` is included, `until` is not.
    """

    account_id: UUID
    requested_by: int | None = None
    group: str = ""  # a key of GROUPS
    kind: Kind | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: Status | None = None
    email: str = ""
    device_id: str = ""
    device_name: str = ""
    ticket: str = ""
    elsewhere: bool | None = None  # True: started elsewhere, False: requested here
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class CommandRow:
    """Row of a list: a command with its requester, its artifact, and what tells why a capture failed."""

    command: Command
    artifact: Artifact | None
    captures_beside: bool


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list, in the order of the list."""

    rows: Sequence[CommandRow]
    has_more: bool


def _conditions(wanted: Filter) -> list[tuple[Column, str, object]]:
    """Return the conditions as (column, look-up, value), the most selective first."""
    given: list[tuple[Column, str, object]] = [
        ("device_id", "exact", wanted.device_id),
        (Lower("device_name"), "exact", wanted.device_name),
        ("email", "exact", wanted.email),
        (Lower("ticket"), "exact", wanted.ticket),
        ("status", _OPEN, sorted(OPEN) if wanted.group == "open" else ""),
        ("requested_by_id", "isnull", wanted.elsewhere or None),
        ("requested_by_id", "exact", wanted.requested_by),
        ("status", "exact", wanted.status),
        ("kind", "exact", wanted.kind),
    ]
    return [condition for condition in given if condition[2] not in (None, "")]


def _matching(wanted: Filter) -> CommandQuerySet:
    """Build the query so that one condition leads: its index yields the rows in order of the id.

    All other conditions stand in expressions that no index knows. Otherwise a planner without statistics may choose
    any of their indexes.
    """
    if wanted.run_id:
        rows, can_lead = Command.objects.filter(run_id=wanted.run_id), False
    else:
        rows, can_lead = Command.objects.filter(account_id=wanted.account_id).shown(), True
    conditions = _conditions(wanted)
    if wanted.group not in ("", "open"):
        conditions.append(("status", "in", sorted(GROUPS[wanted.group])))
        can_lead = can_lead and len(conditions) > 1  # several statuses would have to be sorted
    for number, (column, lookup, value) in enumerate(conditions):
        if can_lead and number == 0:
            rows = rows.open() if lookup == _OPEN else _where(rows, column, lookup, value)
        else:
            rows = _where(rows, Coalesce(column, column), lookup.removesuffix(" open"), value)
    if wanted.elsewhere is False:
        rows = rows.filter(started_elsewhere=False)
    if wanted.since:
        rows = rows.filter(id__gte=first_id(wanted.since))
    if wanted.until:
        rows = rows.filter(id__lt=first_id(wanted.until))
    return rows


def _where(rows: CommandQuerySet, column: Column | Coalesce, lookup: str, value: object) -> CommandQuerySet:
    if isinstance(column, str):
        return rows.filter(**{f"{column}__{lookup}": value})
    alias = f"_{len(rows.query.annotations)}"
    return rows.alias(**{alias: column}).filter(**{f"{alias}__{lookup}": value})


def newest(wanted: Filter, before: UUID | None = None) -> ListPage:
    """Return one page, newest first. One query."""
    rows = _matching(wanted)
    return _page(rows.filter(id__lt=before) if before else rows, _order(wanted).desc())


def oldest(wanted: Filter, after: UUID | None = None) -> ListPage:
    """Return one page, oldest first. One query."""
    rows = _matching(wanted)
    return _page(rows.filter(id__gt=after) if after else rows, _order(wanted).asc())


def _order(wanted: Filter) -> Coalesce | F:
    """Return the order of the list. Open commands are few, so sorting them beats walking the whole history."""
    return Coalesce("id", "id") if wanted.group == "open" else F("id")


def _page(rows: CommandQuerySet, order: OrderBy) -> ListPage:
    rows = rows.select_related("requested_by", "artifact").annotate(beside=captures_beside()).fetch_mode(FETCH_RAISE)
    commands = list(rows.order_by(order)[: ROWS + 1])
    # A command without an artifact has no such attribute. `beside` is an annotation, so its absence must fail.
    shown = [
        CommandRow(command, getattr(command, "artifact", None), command.beside)  # type: ignore[attr-defined]
        for command in commands[:ROWS]
    ]
    return ListPage(shown, has_more=len(commands) > ROWS)


def count_up_to(filters: Sequence[Filter]) -> list[int]:
    """Count the commands of each filter, at most COUNT_STOPS_AT + 1. One query for all filters."""
    if not filters:
        return []
    counts = [SubqueryCount(_matching(wanted).values("id")[: COUNT_STOPS_AT + 1]) for wanted in filters]
    return list(Account.objects.filter(id=filters[0].account_id).values_list(*counts).get())


def has_any(account_id: UUID) -> bool:
    """Return whether the account has ever had a command. One query."""
    return Command.objects.filter(account_id=account_id).shown().exists()


def history(command_id: UUID) -> list[Event]:
    """Return the events of a command with their people, oldest first. One query."""
    events = Event.objects.filter(command_id=command_id).select_related("by").fetch_mode(FETCH_RAISE)
    return list(events.order_by("version"))


def artifact_of(command_id: UUID) -> Artifact | None:
    return Artifact.objects.filter(command_id=command_id).fetch_mode(FETCH_RAISE).first()
